"""The quick reader of plain TOML gives what tomllib gives, or nothing."""

from __future__ import annotations

import tomllib
from pathlib import Path

import bench_stacks as stacks
import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner import providers
from provisioner.config import plain_toml
from provisioner.config.starter import starter
from provisioner.config.syntax import read_text

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted((ROOT / "examples").rglob("*.toml"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_examples_are_plain(path: Path) -> None:
    """Every example is read without tomllib."""
    text = path.read_text(encoding="utf-8")
    assert plain_toml.tables(text) == tomllib.loads(text)


@pytest.mark.parametrize("form", stacks.FORMS)
def test_large_declarations_are_plain(form: str) -> None:
    """Tables, for_each, consumers."""
    text = stacks.declaration(50, form=form)
    assert plain_toml.tables(text) == tomllib.loads(text)


def test_the_starter_is_plain() -> None:
    """What `init` writes."""
    text = starter(providers.types(), stack="x")
    assert plain_toml.tables(text) == tomllib.loads(text)


NOT_PLAIN = [
    'a = "b\\n"',
    'a = """b"""',
    "a = 'b'",
    "a = 0.5",
    "a = 1979-05-27",
    "a = 01",
    "a = 1_000",
    "a = -1",
    '"a" = 1',
    "a.b = 1",
    "a = [1]",
    'a = ["b",\n"c"]',
    'a = { b = "c", d = "e" }',
    "[[a]]",
    "[ a ]",
    '["a"]',
    "[a]\r\n",
    "\ufeffa = 1",
    "[a.b]\n[a]",
]


@pytest.mark.parametrize("text", NOT_PLAIN)
def test_what_is_not_plain_is_tomllibs(text: str) -> None:
    """Strings of other kinds, other numbers, quoted and dotted keys, lists of lines, arrays of tables, and a table that
    a later header adds to."""
    assert plain_toml.tables(text) is None


# Lines that are good alone, and that contradict one another in every way that TOML forbids.
LINES = st.sampled_from(
    [
        *("[" + "a." * 2000 + "a]",),
        *("[a]", "[a.b]", "[a.b.c]", "[b]", "[a]  # said", "  [b.a]", "[a .b]", "[[a]]", "[a", "[a]]", "[]", "[a.]"),
        *('a = "x"', 'b="y"', "\ta\t=\t0\t", "b = true", "c = false # no", "b = 12"),
        *('a = ["x", "y"]', 'b = [ "x" , ]', "c = []", 'c = ["x" "y"]', "c = [,]", 'c = ["x",,]', "a = [[]]"),
        *('a = { env = "X" }', 'b = {file="p"}', "c = {}", 'c = { env = "X", }', 'c = { env = "X" } }', "a.b = 1"),
        *("", "   ", "# a", "#", "\x0b", '"a" = 1', 'a = "\x7f"', "# \x7f", "# \t", 'a = "\t"', "\r"),
        *("a", "a b = 1", 'a = "x" "y"', 'a = "x', "a = 'x'", "b = 1.0", "c = 9" + "9" * 14, "c = 9" + "9" * 30),
        *('a = "\u00e9\u2028"', "c = True", "c = 00", "a = ", "= 1"),
    ]
)


@given(st.lists(LINES, max_size=8), st.booleans())
def test_it_reads_what_tomllib_reads_or_nothing(lines: list[str], ended: bool) -> None:
    """Whatever stands together: the same tables, and never any where tomllib raises."""
    text = "\n".join(lines) + ("\n" if ended else "")
    found = plain_toml.tables(text)
    if found is not None:
        assert found == tomllib.loads(text)


@given(st.text(st.sampled_from("ab[]{}=.\"#, \n\t1\\'-_true"), max_size=30))
def test_no_text_is_read_otherwise(text: str) -> None:
    """Letters thrown together."""
    found = plain_toml.tables(text)
    if found is not None:
        assert found == tomllib.loads(text)


def test_floats_keep_their_text() -> None:
    """Tables are plain, and a price is not: then tomllib reads all of it."""
    assert str(read_text('[a]\nb = "x"\nprice = 0.020\n')["a"]["price"]) == "0.020"
