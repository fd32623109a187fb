"""Runs the shape check over the merged tables, all at once, and says pydantic's findings in our words.

No message shows a value of a wrong type: it may be a secret in a wrong place. Nobody asks pydantic for its `input`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from provisioner.config.instances import Instance
from provisioner.config.lines import KeyPath
from provisioner.config.patterns import WORDS
from provisioner.config.problems import Problems, did_you_mean
from provisioner.config.sound import is_sound

if TYPE_CHECKING:
    from provisioner.providers.base import Vendor

_EXPECTED = {
    "string_type": "a string",
    "int_type": "a whole number",
    "bool_type": "true or false",
    "list_type": "a list",
    "dict_type": "a table",
}


def check(
    tables: Mapping[str, Any], instances: Sequence[Instance], vendors: Sequence[Vendor], problems: Problems
) -> None:
    """Reports whatever has not the shape of the schema, and poisons it. `tables["providers"]` holds only tables whose
    type is one of `vendors`; `instances` are checked in place of `tables["applications"]`."""
    labels = {instance.label: instance for instance in instances}
    whole = dict(tables)
    if isinstance(tables.get("applications"), dict):
        whole["applications"] = {label: instance.table for label, instance in labels.items()}
    if is_sound(whole, vendors):
        return
    from pydantic import ValidationError

    from provisioner.config import schema

    try:
        schema.adapter(vendors).validate_python(whole)
    except ValidationError as failure:
        found = failure.errors(include_url=False, include_input=False)
        settings = {v.type: ["type", "base_url", *(s.name for s in v.settings)] for v in vendors}
        for error in found:
            loc = list(error["loc"])
            if loc[0] == "providers" and len(vendors) > 1 and len(loc) > 2:
                del loc[2]  # the branch of the union, which is the table's type
            address = None
            if loc[0] == "applications" and len(loc) > 1:
                address = labels[str(loc[1])].address
                loc[1] = labels[str(loc[1])].name
            path = tuple(step for step in loc if step != "[key]")
            _report(problems, path, error, whole, settings, address)


def _report(
    problems: Problems,
    path: KeyPath,
    error: Any,
    whole: Mapping[str, Any],
    settings: Mapping[str, list[str]],
    address: object,
) -> None:
    kind, context = error["type"], error.get("ctx", {})
    last = path[-1]
    if kind == "extra_forbidden":
        known = _known(path, whole, settings)
        advice = did_you_mean(str(last), known) or "Take it out; docs/desired-state.md lists what there is."
        problems.add("unknown-key", f'there is no key "{last}" here', advice, path=path, address=address)
    elif kind == "missing":
        problems.add("missing-key", f"{last} is missing", "Add it.", path=path, address=address)
    elif kind in _EXPECTED:
        problems.incomplete = problems.incomplete or len(path) == 1  # what such a section declares is unknown
        advice = f"Write {_EXPECTED[kind]}."
        problems.add("wrong-type", f"{_named(last)} is not {_EXPECTED[kind]}", advice, path=path, address=address)
    else:
        problems.add("bad-value", *_bad_value(last, kind, context), path=path, address=address)
    problems.poison(path)


def _bad_value(last: str | int, kind: str, context: Mapping[str, Any]) -> tuple[str, str]:
    if kind == "literal_error":
        return f"{_named(last)} is not one of those it can be", f"Write {context['expected']}."
    if kind == "string_pattern_mismatch":
        words = WORDS.get(context["pattern"], "")
        return f"{_named(last)} is not {words.split(':')[0]}", f"Write {words}."
    if kind == "greater_than_equal":
        return f"{_named(last)} is below {context['ge']}", f"Write {context['ge']} or more."
    return f"{_named(last)} is not what it can be", "See docs/desired-state.md."


def _named(last: str | int) -> str:
    return f"item {last + 1}" if isinstance(last, int) else last


def _known(path: KeyPath, whole: Mapping[str, Any], settings: Mapping[str, list[str]]) -> list[str]:
    from provisioner.config.schema import known_keys

    if len(path) == 1:
        return known_keys("")
    if path[0] == "providers":
        return settings.get(whole["providers"][path[1]]["type"], [])
    if path[:2] == ("state", "encryption"):
        return known_keys("state.encryption")
    return known_keys(str(path[0]))
