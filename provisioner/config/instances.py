"""`for_each`: one table in the file, one application each key.

A list gives its strings as keys and values; a table gives `${each.key}`, and `${each.value}` or `${each.value.FIELD}`.
An instance depends on its own key and value only, so another key adds an instance and changes none.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from provisioner.address import NAME, Address
from provisioner.config.lines import KeyPath
from provisioner.config.problems import Problems, did_you_mean
from provisioner.config.variables import UnknownName, Variables, expand_tree
from provisioner.records import dataclass

Value = str | Mapping[str, str]


@dataclass(slots=True)
class Instance:
    """One application: its table with every string expanded and without `for_each`."""

    name: str  # the table's
    key: str | None
    address: Address
    table: Any

    @property
    def label(self) -> str:
        """Unique among all instances."""
        return str(self.address)


def instances(tables: object, variables: Variables, problems: Problems, *, plain: bool) -> list[Instance]:
    """All applications of `[applications]`. `plain` says that no string of any file holds a `${`."""
    found: list[Instance] = []
    if not isinstance(tables, dict):
        return found
    for name, table in tables.items():
        path: KeyPath = ("applications", name)
        if not NAME.fullmatch(name):
            problems.add(
                "bad-value",
                f'"{name}" cannot be the name of an application',
                "Begin with a letter, and use letters, digits, hyphens and underscores.",
                path=path,
            )
            continue
        address = Address("application", name)
        if isinstance(table, dict) and "for_each" in table:
            found.extend(_each(address, table, variables, problems, path))
        else:
            expanded = table if plain else expand_tree(table, variables.lookup, problems, path, address)
            found.append(Instance(name, None, address, expanded))
    return found


def _each(
    address: Address, table: dict[str, Any], variables: Variables, problems: Problems, path: KeyPath
) -> list[Instance]:
    here = (*path, "for_each")
    given = expand_tree(table["for_each"], variables.lookup, problems, here, address)
    rest = {key: value for key, value in table.items() if key != "for_each"}
    found = []
    for key, value in _values(given, problems, here, address).items():
        instance = address.child(key)
        lookup = _lookup(key, value, variables)
        found.append(Instance(address.name, key, instance, expand_tree(rest, lookup, problems, path, instance)))
    return found


def _values(given: Any, problems: Problems, path: KeyPath, address: Address) -> dict[str, Value]:
    if isinstance(given, list):
        pairs: list[tuple[Any, Any]] = [(item, item) for item in given]
    elif isinstance(given, dict):
        pairs = list(given.items())
    else:
        advice = 'Write it as in for_each = ["eu", "us"] or for_each = { eu = "a", us = "b" }.'
        problems.add("wrong-type", "for_each is neither a list nor a table", advice, path=path, address=address)
        problems.poison(path)
        return {}
    found: dict[str, Value] = {}
    for position, (key, value) in enumerate(pairs):
        here = (*path, position if isinstance(given, list) else key)
        if not isinstance(key, str) or not _is_value(value):
            advice = "A list holds strings; a table holds strings, or tables of strings."
            problems.add("wrong-type", "for_each holds what is not a string", advice, path=here, address=address)
            problems.poison(path)
        elif not key or not key.isprintable():
            problems.add(
                "bad-value", "a key of for_each is empty or not printable", "Name it.", path=here, address=address
            )
        elif key in found:
            problems.add("duplicate", f'for_each names "{key}" twice', "Keep one.", path=here, address=address)
        else:
            found[key] = value
    return found


def _is_value(value: Any) -> bool:
    if isinstance(value, dict):
        return all(isinstance(one, str) for one in value.values())
    return isinstance(value, str)


def _lookup(key: str, value: Value, variables: Variables) -> Any:
    fields = value if isinstance(value, Mapping) else {}

    def lookup(name: str) -> str:
        if name == "each.key":
            return key
        if name == "each.value" and isinstance(value, str):
            return value
        if name == "each.value":
            raise UnknownName(
                "${each.value} is a table here", f"Name a field, as in ${{each.value.{next(iter(fields), 'field')}}}."
            )
        if name.startswith("each.value."):
            field = name.removeprefix("each.value.")
            if field in fields:
                return fields[field]
            raise UnknownName(f'for_each["{key}"] has no field "{field}"', did_you_mean(field, fields))
        if name.startswith("each."):
            raise UnknownName(f"${{{name}}} is not known", "There are ${each.key} and ${each.value}.")
        return variables.lookup(name)

    return lookup
