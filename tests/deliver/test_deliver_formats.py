"""Tokens reach whoever uses them byte for byte, whatever they hold, or not at all."""

from __future__ import annotations

import base64
import json
import re
import subprocess
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from provisioner.address import Address, parse_address
from provisioner.deliver import dotenv, github, header, json_out, k8s, raw
from provisioner.deliver.base import Delivered, environment, variable_name
from provisioner.errors import Invalid
from provisioner.secret import Secret

FORMATS: dict[str, Callable[[Sequence[Delivered]], str]] = {
    "dotenv": dotenv.deliver,
    "github": github.deliver,
    "header": header.deliver,
    "json": json_out.deliver,
    "k8s": k8s.deliver,
    "raw": raw.deliver,
}
printable = st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=30)


def token(address: str = 'token.campaigns["web"]', value: str = "t0ken") -> Delivered:
    where = parse_address(address)
    return Delivered(
        address=where,
        application=where.name,
        access_token=Secret(value),
        consumer=where.keys[-1] if where.keys else None,
        expires_at=datetime(2026, 12, 2, tzinfo=UTC),
        scopes=("sms",),
        provider="cx",
        provider_type="smscx",
    )


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ('token.campaigns["web"]', "TOKEN_CAMPAIGNS_WEB"),
        ("token.campaigns", "TOKEN_CAMPAIGNS"),
        ('token.worker["eu-west.1"]["web"]', "TOKEN_WORKER_EU_WEST_1_WEB"),
        ('token.a["ß"]', "TOKEN_A_SS"),
        ('token.a["日本"]', "TOKEN_A__"),
    ],
)
def test_variables_are_named_for_the_address(address: str, name: str) -> None:
    """The documented rule, on addresses with odd keys."""
    assert variable_name(parse_address(address)) == name


@given(st.lists(st.text(min_size=1), max_size=2))
def test_every_name_is_one_that_shells_take(keys: list[str]) -> None:
    """Whatever the keys are, the name is a portable one (POSIX: upper case, digits, underscores, no digit first)."""
    assert re.fullmatch(r"[A-Z_][A-Z0-9_]*", variable_name(Address("token", "a", tuple(keys))))


@pytest.mark.parametrize("name", ["dotenv", "github", "k8s"])
def test_names_that_collide_are_an_error(name: str) -> None:
    """Two addresses under one name would leave out a token, so neither is delivered."""
    with pytest.raises(Invalid) as caught:
        FORMATS[name]([token('token.a["x-y"]'), token('token.a["x_y"]')])
    assert "TOKEN_A_X_Y" in caught.value.diagnostics[0].summary


@given(printable)
@settings(max_examples=25, deadline=None)
def test_a_shell_reads_the_dotenv_file(value: str) -> None:
    """Sourced by a POSIX shell, the variable holds the very token."""
    try:
        text = dotenv.deliver([token(value=value)])
    except Invalid:
        return  # that the error shows nothing is test_dotenv_refuses_what_readers_read_apart's
    script = f'{text}printf %s "$TOKEN_CAMPAIGNS_WEB"'
    assert subprocess.run(["/bin/sh", "-c", script], capture_output=True, check=True).stdout.decode() == value


@given(printable)
def test_plain_tokens_are_never_refused(value: str) -> None:
    """What RFC 6750 calls a b64token can be written in every format; so can most else."""
    assume(re.fullmatch(r"[A-Za-z0-9._~+/-]+=*", value))
    for deliver in FORMATS.values():
        assert deliver([token(value=value)])


@pytest.mark.parametrize(
    ("value", "line"),
    [
        ("abc.DEF-1_2+/==", "abc.DEF-1_2+/=="),
        ("a~b", "'a~b'"),
        ("a b$c`d", "'a b$c`d'"),
        ("it's", '"it\'s"'),
        ("# no comment", "'# no comment'"),
    ],
)
def test_dotenv_quotes_what_would_expand(value: str, line: str) -> None:
    """Bare where every reader agrees, else in the quotes in which nothing expands."""
    assert dotenv.deliver([token(value=value)]) == f"TOKEN_CAMPAIGNS_WEB={line}\n"


@pytest.mark.parametrize("value", ["a\nB=1", "a\r", "", "it's $5", "a\\\\b'", "\x00"])
def test_dotenv_refuses_what_readers_read_apart(value: str) -> None:
    """A token that would be another one, or a second variable, is refused without being shown."""
    with pytest.raises(Invalid) as caught:
        dotenv.deliver([token(value=value)])
    shown = caught.value.diagnostics[0]
    assert not value or value not in shown.summary + shown.detail


@pytest.mark.parametrize("value", ["a\r\nX-Evil: 1", "a\nb", "", "täg"])
def test_a_header_cannot_be_split(value: str) -> None:
    """A token with a line end would write a header of its own."""
    with pytest.raises(Invalid):
        header.deliver([token(value=value)])


def test_header_is_a_bearer_header() -> None:
    """RFC 6750 section 2.1."""
    assert header.deliver([token()]) == "Authorization: Bearer t0ken\n"


@given(st.text())
def test_json_holds_any_value(value: str) -> None:
    """The JSON reads back to the very token, with when it ends."""
    found = json.loads(json_out.deliver([token(value=value)]))['token.campaigns["web"]']
    assert found["access_token"] == value
    assert (found["expires_at"], found["consumer"], found["scopes"]) == ("2026-12-02T00:00:00Z", "web", ["sms"])
    assert json.loads(json_out.deliver_one(token(value=value)))["access_token"] == value


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_kubernetes_takes_any_value(value: str) -> None:
    """`data` is base64 of the very token, under names that the API takes."""
    found = json.loads(k8s.deliver([token(value=value)], name="My Stack!"))
    assert (found["kind"], found["metadata"]["name"]) == ("Secret", "my-stack")
    assert base64.b64decode(found["data"]["TOKEN_CAMPAIGNS_WEB"]).decode() == value
    assert list(found["metadata"]["annotations"].values()) == ["2026-12-02T00:00:00Z"]


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_github_reads_the_value_between_its_delimiters(value: str) -> None:
    """The block is NAME<<END, the value, END: and END stands in no line of the value."""
    first, rest = github.deliver([token(value=value)]).split("\n", 1)
    name, end = first.split("<<")
    assert (name, rest) == ("TOKEN_CAMPAIGNS_WEB", f"{value}\n{end}\n")
    assert end not in value


def test_masks_come_one_a_line() -> None:
    """GitHub masks line by line, and reads escapes: a secret is masked whole, and each line of it."""
    assert github.masks([Secret("a%b"), Secret("x\ny"), Secret("")]) == (
        "::add-mask::a%25b\n::add-mask::x%0Ay\n::add-mask::x\n::add-mask::y\n"
    )


def test_environment_is_by_name_and_still_secret() -> None:
    """`run` gets secrets, not text."""
    found = environment([token(), token("token.other", "v2")])
    assert sorted(found) == ["TOKEN_CAMPAIGNS_WEB", "TOKEN_OTHER"]
    assert "v2" not in repr(found)


def test_delivered_shows_no_token() -> None:
    """Neither its repr nor its public JSON holds the value."""
    shown = token(value="canary-5ecret")
    assert "canary-5ecret" not in repr(shown) + json.dumps(shown.to_json())


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_nothing_is_delivered_of_nothing(name: str) -> None:
    """No tokens: an empty document of the format."""
    text = FORMATS[name]([])
    assert text == "" or json.loads(text) is not None
