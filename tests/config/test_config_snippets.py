"""The line that a diagnostic shows: where it is, what of it is meant, and nothing that may be a secret."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from provisioner.config.load import load
from provisioner.errors import Diagnostic, Invalid
from provisioner.render.diagnostics import diagnostic_text, validate_json

STACK = """\
[providers.cx]
type = "smscx"
api_key = { env = "SMSCX_API_KEY" }

[applications.größe]
provider = "cx"

[applications.a]
provider = "cxx"
scopes = [
    "sms",
]
"""


def _problems(tmp_path: Path, text: str) -> tuple[Diagnostic, ...]:
    file = tmp_path / "provisioner.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(Invalid) as caught:
        load(file, overrides={}, environ={})
    return caught.value.diagnostics


def test_the_line_of_a_problem_is_shown_as_terraform_shows_it(tmp_path: Path) -> None:
    """Context, code, line, and offsets that cut out what is meant; the range says the same of the whole file."""
    text = STACK.replace("größe", "b")
    (found,) = [d for d in validate_json(_problems(tmp_path, text))["diagnostics"] if "cxx" in d["summary"]]
    snippet, place = found["snippet"], found["range"]
    assert snippet["context"] == "[applications.a]"
    assert snippet["code"] == 'provider = "cxx"'
    assert snippet["code"][snippet["highlight_start_offset"] : snippet["highlight_end_offset"]] == '"cxx"'
    assert text.splitlines()[snippet["start_line"] - 1] == snippet["code"]
    assert text.encode()[place["start"]["byte"] : place["end"]["byte"]] == b'"cxx"'
    assert (place["start"]["column"], place["end"]["column"]) == (12, 17)


def test_bytes_are_counted_where_letters_take_several(tmp_path: Path) -> None:
    """A name beyond ASCII above the line moves its bytes, not its columns."""
    text = STACK.replace("[applications.größe]", "# größe\n[applications.b]")
    found = next(d for d in _problems(tmp_path, text) if d.key_path == "applications.a.provider")
    place = found.to_json()["range"]
    assert text.encode()[place["start"]["byte"] : place["end"]["byte"]].startswith(b'"cxx"')


def test_people_see_the_line_too(tmp_path: Path) -> None:
    """Under the place: its number and the line."""
    (text,) = [d for d in _problems(tmp_path, STACK.replace("größe", "b")) if d.key_path == "applications.a.provider"]
    assert '    9: provider = "cxx"' in diagnostic_text(text).splitlines()


@pytest.mark.parametrize(
    "line",
    [
        'api_kee = "CANARY"',
        'api_key = "CANARY"',
        'base_url = "https://x:CANARY@elsewhere.example/%%"',
        "api_key = CANARY",
        "api_key = ['CANARY']",
        "'api=key' = \"CANARY\"",
    ],
)
def test_what_may_be_a_secret_is_never_shown(line: str, tmp_path: Path) -> None:
    """A literal, a misspelt key, a URL with a password, a string without quotes: the key stands there alone."""
    found = _problems(tmp_path, f"[providers.x]\ntype = 'smscx'\n{line}\n")
    snippets = [d.snippet for d in found if d.snippet is not None]
    assert not any("CANARY" in one.code for one in snippets)
    assert "CANARY" not in json.dumps([d.to_json().get("snippet") for d in found])


@pytest.mark.parametrize(
    ("table", "line"),
    [
        ("applications.a", 'client_secret = "CANARY"'),
        ("applications.a", 'client_secrt = "CANARY"'),
        ("credits.cx", 'card_last_four = "CANARY"'),
        ("credits.cx", 'coupn = "CANARY"'),
        ("state", 'location = "redis://u:CANARY@h/"'),
        ("variables", "region = ['CANARY']"),
    ],
)
def test_nor_in_a_table_of_ours(table: str, line: str, tmp_path: Path) -> None:
    """Where a table takes secrets, whatever is wrong with the line."""
    text = f"[providers.cx]\ntype = 'smscx'\napi_key = {{ env = 'K' }}\n\n[{table}]\n{line}\nprovider = 'no'\n"
    found = _problems(tmp_path, text)
    assert found
    assert "CANARY" not in json.dumps([d.to_json().get("snippet") for d in found])
