"""The plain case of TOML, four times as fast as tomllib, which is half of a `validate` of 10,000 tables (0.15 s).

One statement a line: a table's header, or a bare key with a string without escapes, a boolean, an integer, a list of
such strings, or a reference such as `{ env = "NAME" }`; comments and blank lines between. `tables` gives None for any
other text, sound or not: then tomllib reads it, and says what is wrong. A test holds the two together.
"""

from __future__ import annotations

import re
from typing import Any

_STRING = r'"[^"\\\x00-\x1f\x7f]*+"'
_LINE = re.compile(
    rf"""
    (?: [ \t]*+ (?: \#[^\x00-\x08\x0a-\x1f\x7f]*+ )? \n )*+       # blank lines and comments
    [ \t]*+
    (?: \[ (?P<header> [A-Za-z0-9_-]++ (?: \. [A-Za-z0-9_-]++ ){{0,8}}+ ) \]
      | (?P<key> [A-Za-z0-9_-]++ ) [ \t]*+ = [ \t]*+
        (?: (?P<string> {_STRING} )
          | (?P<boolean> true | false )
          | (?P<integer> 0 | [1-9][0-9]{{0,14}}+ )
          | (?P<list> \[ [ \t]*+ (?: {_STRING} [ \t]*+ , [ \t]*+ )*+ (?: {_STRING} [ \t]*+ )? \] )
          | \{{ [ \t]*+ (?P<name> [A-Za-z0-9_-]++ ) [ \t]*+ = [ \t]*+ (?P<value> {_STRING} ) [ \t]*+ \}}
        )
      | (?P<nothing> )
    )
    [ \t]*+ (?: \#[^\x00-\x08\x0a-\x1f\x7f]*+ )? (?: \n | \Z )
    """,
    re.VERBOSE,
)
_ITEM = re.compile(r'"([^"]*)"')


def tables(text: str) -> dict[str, Any] | None:
    """What `tomllib.loads(text)` returns; None where this cannot tell."""
    root: dict[str, Any] = {}
    known: dict[str, dict[str, Any]] = {}  # the tables so far, by header
    table, end = root, 0
    for line in _LINE.finditer(text):
        if line.start() != end:  # something between that is no plain line
            return None
        end = line.end()
        kind = line.lastgroup
        if kind == "nothing":
            continue
        if kind == "header":
            made = _table(line["header"], root, known)
            if made is None:
                return None
            table = made
        elif (key := line["key"]) in table:  # given twice
            return None
        else:
            table[key] = _value(kind, line)
    return root if end == len(text) else None


def _value(kind: str | None, line: re.Match[str]) -> Any:
    match kind:
        case "string":
            return line["string"][1:-1]
        case "boolean":
            return line["boolean"] == "true"
        case "integer":
            return int(line["integer"])
        case "list":
            return _ITEM.findall(line["list"])
        case _:
            return {line["name"]: line["value"][1:-1]}


def _table(header: str, root: dict[str, Any], known: dict[str, dict[str, Any]]) -> dict[str, Any] | None:
    """A new table, in the table that its header names before the last dot, which is made where it is not there yet.
    None for one that is there already in whatever form: TOML allows that in some, and tomllib knows which."""
    outer, _, name = header.rpartition(".")
    parent: dict[str, Any] | None = root
    if outer:
        found = known.get(outer)
        parent = found if found is not None else _table(outer, root, known)
    if parent is None or name in parent:
        return None
    made: dict[str, Any] = {}
    parent[name] = known[header] = made
    return made
