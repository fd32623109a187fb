"""The public format of the recorded state: a JSON Schema (2020-12) for one entry, that is one line of a segment.

Record shapes come from the dataclasses of `model.recorded`, so that schema and code cannot part; what kinds hold is the
table of docs/architecture.md. `state/entry.schema.json` is this, written out: `python -m provisioner.journal.schema`.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from provisioner.journal.entries import FORMAT, KINDS, LARGEST
from provisioner.model import recorded
from provisioner.records import MISSING, fields

_TEXT: dict[str, Any] = {"type": "string"}
_TIME = {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3})?Z$"}
_HASH = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
_WORD = {"type": "string", "pattern": "^[A-Za-z0-9._:+-]{1,120}$"}
_ADDRESS = {
    "type": "string",
    "pattern": r'^(application|token|credits)\.[A-Za-z_][A-Za-z0-9_-]*(\["([^"\\]|\\.)*"\])*$',
}
_DECIMAL = {"type": "string", "pattern": r"^-?\d+(\.\d+)?([Ee][+-]?\d+)?$"}
_SEALED = {"type": "string", "pattern": r"^v1:[A-Za-z0-9_-]+:\d+:[A-Za-z0-9+/]+=*$"}
_FREE = {"type": "object"}

# The annotation of a field (as it stands in the source) → its JSON. "| None" is handled apart.
_TYPES: dict[str, dict[str, Any]] = {
    "str": _TEXT,
    "int": {"type": "integer"},
    "bool": {"type": "boolean"},
    "Address": _ADDRESS,
    "Sealed": _SEALED,
    "datetime": _TIME,
    "Decimal": _DECIMAL,
    "tuple[str, ...]": {"type": "array", "items": _TEXT},
    "Mapping[str, Any]": _FREE,
    "Mapping[str, Decimal]": {"type": "object", "additionalProperties": _DECIMAL},
    "tuple[Mapping[str, Any], ...]": {"type": "array", "items": _FREE},
}


def json_schema() -> dict[str, Any]:
    """The schema of one entry. Each kind's body is told apart by `kind`."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:provisioner:state-entry:{FORMAT}",
        "title": "One entry of a recorded state",
        "description": "One line of journal/NNNNNNNN.jsonl. `hash` is the SHA-256 of the line without its hash member.",
        "type": "object",
        "required": sorted(_members()),
        "additionalProperties": False,
        "properties": _members(),
        "allOf": [
            {"if": {"properties": {"kind": {"const": kind}}}, "then": {"properties": {"body": body}}}
            for kind, body in _bodies().items()
        ],
        "$defs": {
            "record": {"oneOf": [_object(cls, kind=name) for name, cls in _RECORDS.items()]},
            "operation": _object(recorded.Operation),
            "purchase": _object(recorded.Purchase),
            "state": _state(),
        },
    }


state_schema = json_schema  # the name that says which of the two schemas of `provisioner schema` it is

_RECORDS = {
    "application": recorded.ApplicationRecord,
    "token": recorded.TokenRecord,
    "credits": recorded.CreditsRecord,
}


def _members() -> dict[str, Any]:
    return {
        "actor": _TEXT,
        "address": {"anyOf": [_ADDRESS, {"type": "null"}]},
        "body": _FREE,
        "format": {"const": FORMAT},
        "hash": _HASH,
        "kind": {"enum": list(KINDS)},
        "lineage": _WORD,
        "prev": {"anyOf": [_HASH, {"const": ""}]},
        "run": _WORD,
        "serial": {"type": "integer", "minimum": 1, "maximum": LARGEST},
        "time": _TIME,
    }


def _bodies() -> dict[str, Any]:
    ended = {"operation": _TEXT, "amount": {"anyOf": [_DECIMAL, {"type": "null"}]}}
    own: dict[str, tuple[dict[str, Any], list[str]]] = {
        "checkpoint": ({"state": {"$ref": "#/$defs/state"}}, ["state"]),
        "intent": ({"operation": _announced(), "reason": _TEXT}, ["operation"]),
        "outcome": ({**ended, "result": {"enum": ["done", "refused", "not-sent"]}}, ["operation", "result"]),
        "doubt": ({"operation": _TEXT, "evidence": _FREE, "detail": _TEXT}, ["operation"]),
        "settled": (
            {**ended, "as": {"enum": ["happened", "did-not-happen", "lost", "retried"]}, "by": _TEXT},
            ["operation", "as"],
        ),
        "observed": ({"evidence": {"type": "object", "additionalProperties": _FREE}}, []),
        "edit": ({"command": _TEXT}, ["command"]),
        "handoff": ({name: {"type": "array", "items": _TEXT} for name in ("waiting", "done")}, []),
        "lock": ({"command": _TEXT, "lock": _FREE, "taken_over": _FREE, "note": _TEXT, "ci_run_url": _TEXT}, []),
    }
    changes = {"put": {"type": "array", "items": {"$ref": "#/$defs/record"}}, "drop": {"type": "array", "items": _TEXT}}
    empty: tuple[dict[str, Any], list[str]] = ({}, [])
    found = {}
    for kind in KINDS:
        properties, required = own.get(kind, empty)
        found[kind] = {"type": "object", "properties": {**properties, **changes}, "required": required}
    return found


def _announced() -> dict[str, Any]:
    """The operation of an intent: its address, run and time are the entry's own."""
    names = ("id", "op", "object_id", "provider", "provider_type", "amount", "unit", "read")
    properties = _object(recorded.Operation)["properties"]
    return {
        "type": "object",
        "properties": {name: properties[name] for name in names},
        "required": ["id", "op"],
        "additionalProperties": False,
    }


def _state() -> dict[str, Any]:
    lists = {"objects": "record", "operations": "operation", "purchases": "purchase"}
    properties = {name: {"type": "array", "items": {"$ref": f"#/$defs/{item}"}} for name, item in lists.items()}
    return {
        "type": "object",
        "properties": {
            **properties,
            "handoffs": {"type": "object", "additionalProperties": _TIME},
            "stack": _TEXT,
        },
        "required": ["handoffs", "objects", "operations", "purchases", "stack"],
        "additionalProperties": False,
    }


def _object(cls: Any, kind: str | None = None) -> dict[str, Any]:
    """A dataclass's JSON: absent is the default, so only what has none is required."""
    properties: dict[str, Any] = {} if kind is None else {"kind": {"const": kind}}
    required = [] if kind is None else ["kind"]
    for field in fields(cls):
        properties[field.name] = _of_annotation(str(field.type))
        if field.default is MISSING and field.default_factory is MISSING:
            required.append(field.name)
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def _of_annotation(text: str) -> dict[str, Any]:
    """Raises KeyError for an annotation that `_TYPES` does not know: a new field must say what its JSON is."""
    if text.endswith(" | None"):
        return {"anyOf": [_TYPES[text.removesuffix(" | None")], {"type": "null"}]}
    return _TYPES[text]


def text() -> str:
    """As it stands in state/entry.schema.json and as `provisioner schema --state` prints it."""
    return json.dumps(json_schema(), indent=2, sort_keys=True) + "\n"


if __name__ == "__main__":
    sys.stdout.write(text())
