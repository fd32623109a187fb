"""`fmt` changes the layout and never the meaning."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
import tomli_w
from hypothesis import given
from hypothesis import strategies as st

from provisioner.config.format import formatted
from provisioner.config.starter import starter

ROOT = Path(__file__).parent.parent.parent
KEYS = st.text(st.sampled_from("ab-_. #=\"'[é\\"), min_size=1, max_size=5)
TEXTS = st.text(st.sampled_from("ab \\\"'#=[]{}\n\té$"), max_size=12)
VALUES = st.recursive(
    st.one_of(TEXTS, st.integers(), st.booleans(), st.floats(allow_nan=False)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=3)),
    max_leaves=8,
)


def test_a_crooked_file_comes_out_straight() -> None:
    """Spaces around `=`, one empty line before a table and its comment, none at the end; values and comments
    untouched."""
    crooked = (
        '\n\n  [stack]\n name="x"  # why   \n"a = b"   =   1\n# about ez\n[providers.ez]   \n\n\n'
        'scopes=[\n    "sms",   \n  # one\n]\ntext="""\n  kept   \n[as = it is]\n""""\n[[moved]]\n'
    )
    assert formatted(crooked) == (
        '[stack]\nname = "x"  # why\n"a = b" = 1\n\n# about ez\n[providers.ez]\n\n'
        'scopes = [\n    "sms",\n  # one\n]\ntext = """\n  kept   \n[as = it is]\n""""\n\n[[moved]]\n'
    )
    assert formatted("") == ""
    assert formatted("a=1\r\n") == "a = 1\n"
    assert formatted('"a\\\\"=1\n') == '"a\\\\" = 1\n'


@given(
    tables=st.dictionaries(KEYS, VALUES, max_size=4), multiline=st.booleans(), blanks=st.sampled_from(["", " ", "\t "])
)
def test_no_value_changes_and_twice_is_once(tables: dict[str, Any], multiline: bool, blanks: str) -> None:
    """Whatever is written: the same tables after as before, and a formatted file stays as it is."""
    text = tomli_w.dumps(tables, multiline_strings=multiline)
    crooked = "".join(f"{blanks}{line}" if line.startswith("[") and line.rstrip().endswith("]") else line
                      for line in text.splitlines(keepends=True))  # fmt: skip
    if tomllib.loads(text) != tomllib.loads(crooked):
        crooked = text  # the blank went into a string
    after = formatted(crooked)
    assert tomllib.loads(after) == tomllib.loads(crooked)
    assert formatted(after) == after


@pytest.mark.parametrize("path", sorted(ROOT.glob("examples/**/*.toml")), ids=lambda path: path.name)
def test_our_own_files_are_formatted(path: Path) -> None:
    """What we ship and what `init` writes is what `fmt` would write."""
    text = path.read_text(encoding="utf-8")
    assert formatted(text) == text
    everything = starter(("eztexting", "smscx", "textmaster", "textking", "oauth2"), stack="all")
    assert formatted(everything) == everything
