"""Lines of keys in TOML texts."""

from __future__ import annotations

import tomllib
from typing import Any

import tomli_w
from hypothesis import given
from hypothesis import strategies as st

from provisioner.config.lines import declarations, index, line_of

TEXT = '''\
# a [header] in a comment
[applications.campaigns]   # one
scopes = [
  "a, [b]",  # "not" this
  'c',
]
"quoted key" = """
[not.a.header]
key = "no" """
a.b = { c = "=", d = [1, 2] }

[[moved]]
from = "x"
[[moved]]
from = "y"
[moved.extra]
z = 1
'''


def test_headers_keys_items_and_arrays_of_tables_have_their_lines() -> None:
    """Strings and comments that look like TOML are not taken for it."""
    found = index(TEXT)
    assert found["applications", "campaigns"] == 2
    assert found["applications", "campaigns", "scopes"] == 3
    assert (found["applications", "campaigns", "scopes", 0], found["applications", "campaigns", "scopes", 1]) == (4, 5)
    assert found["applications", "campaigns", "quoted key"] == 7
    assert found["applications", "campaigns", "a", "b"] == 10
    assert (found["moved", 0, "from"], found["moved", 1, "from"], found["moved", 1, "extra", "z"]) == (13, 15, 17)
    assert not any("not" in path or "key" in path for path in found)


def test_what_has_no_line_of_its_own_has_that_of_what_holds_it() -> None:
    """A key of an inline table, and a key that is missing."""
    found = index(TEXT)
    assert line_of(found, ("applications", "campaigns", "a", "b", "c")) == 10
    assert line_of(found, ("applications", "campaigns", "provider")) == 2
    assert line_of(found, ("nothing",)) is None


def test_declarations_agree_with_the_full_scan() -> None:
    """The cheap pass finds what the scan finds, and gives way to it where a string could deceive it."""
    text = '[applications.a]\nprovider = "x"\n\n[credits.b]\nminimum = 1\n'
    assert declarations(text) == {("applications", "a"): 1, ("credits", "b"): 4}
    assert declarations('x = """\n[credits.no]\n"""\n' + text) == {("applications", "a"): 4, ("credits", "b"): 7}


_names = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=6)
_values = st.recursive(
    st.one_of(st.integers(-9, 9), st.booleans(), st.text(st.characters(exclude_categories=["Cs"]), max_size=8)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(_names, inner, max_size=3)),
    max_leaves=12,
)


@given(st.dictionaries(_names, _values, max_size=4))
def test_every_top_level_key_of_any_toml_has_the_line_it_stands_on(table: dict[str, Any]) -> None:
    """Whatever a TOML writer writes, each table header and key is found, and on a line that holds it."""
    text = tomli_w.dumps(table)
    assert tomllib.loads(text) == table
    found = index(text)
    for key in table:
        escaped = tomli_w.dumps({key: 1}).split(" = ")[0].strip('"')
        assert escaped in text.split("\n")[found[key,] - 1]
