"""Whether entries have the shape that the format's JSON Schema gives them, checked without a library.

`journal.schema.json_schema` is compiled once into closures. Only the keywords that it uses are known; another one is a
KeyError when this is built, never a rule that silently does not hold.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from provisioner.journal.schema import json_schema

# A value and its path → None, or the path (and what is wrong there) of the first fault
Shape = Callable[[Any, str], str | None]

_TYPES: dict[str, Callable[[Any], bool]] = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "null": lambda value: value is None,
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
}
_SAID = frozenset({"$schema", "$id", "title", "description", "$defs"})  # they ask nothing of a value


def entry_shape() -> Shape:
    """The shape of one entry. Its faults name a path and what belongs there, and never repeat a value."""
    return _Compiler(json_schema()).shape


class _Compiler:
    def __init__(self, schema: Mapping[str, Any]) -> None:
        self._defs = schema.get("$defs", {})
        self._made: dict[str, Shape] = {}
        self._bodies = {
            rule["if"]["properties"]["kind"]["const"]: self._compile(rule["then"]["properties"]["body"])
            for rule in schema["allOf"]
        }
        self._envelope = self._compile({key: value for key, value in schema.items() if key != "allOf"})

    def shape(self, value: Any, path: str) -> str | None:
        found = self._envelope(value, path)
        if found is not None:
            return found
        body = self._bodies.get(value["kind"])
        return None if body is None else body(value["body"], f"{path}.body".lstrip("."))

    def _compile(self, schema: Mapping[str, Any]) -> Shape:
        if "$ref" in schema:
            return self._reference(schema["$ref"].removeprefix("#/$defs/"))
        parts = [_KEYWORDS[word](self, schema) for word in schema if word not in _SAID and not _read_with(word, schema)]
        if len(parts) == 1:
            return parts[0]

        def every(value: Any, path: str) -> str | None:
            for part in parts:
                found = part(value, path)
                if found is not None:
                    return found
            return None

        return every

    def _reference(self, name: str) -> Shape:
        if name not in self._made:
            self._made[name] = lambda value, path: self._made[name](value, path)  # for a shape that holds itself
            self._made[name] = self._compile(self._defs[name])
        return self._made[name]

    # -- keywords ----------------------------------------------------------------------------------------------------

    def type(self, schema: Mapping[str, Any]) -> Shape:
        wanted = schema["type"]
        fits = _TYPES[wanted]
        return lambda value, path: None if fits(value) else f"{path} should be of type {wanted}"

    def const(self, schema: Mapping[str, Any]) -> Shape:
        wanted = schema["const"]  # JSON's true is not its 1, though Python's are equal
        return lambda value, path: (
            None if value == wanted and type(value) is type(wanted) else f"{path} should be {wanted!r}"
        )

    def enum(self, schema: Mapping[str, Any]) -> Shape:
        wanted = schema["enum"]
        return lambda value, path: None if value in wanted else f"{path} is none of its words"

    def pattern(self, schema: Mapping[str, Any]) -> Shape:
        fits = re.compile(re.sub(r"\$$", r"\\Z", schema["pattern"])).search  # Python's $ lets a newline pass
        return lambda value, path: (
            None if not isinstance(value, str) or fits(value) else f"{path} is not written as it should be"
        )

    def limits(self, schema: Mapping[str, Any]) -> Shape:
        least, most = schema.get("minimum"), schema.get("maximum")

        def within(value: Any, path: str) -> str | None:
            fits = not isinstance(value, int) or ((least is None or value >= least) and (most is None or value <= most))
            return None if fits else f"{path} is out of its range"

        return within

    def required(self, schema: Mapping[str, Any]) -> Shape:
        names = tuple(schema["required"])

        def has(value: Any, path: str) -> str | None:
            for name in names:
                if isinstance(value, dict) and name not in value:
                    return f"{path} lacks {name}"
            return None

        return has

    def members(self, schema: Mapping[str, Any]) -> Shape:
        known = {name: self._compile(part) for name, part in schema.get("properties", {}).items()}
        more = schema.get("additionalProperties", True)
        rest = self._compile(more) if isinstance(more, Mapping) else None

        def check(value: Any, path: str) -> str | None:
            if not isinstance(value, dict):
                return None
            for name, item in value.items():
                part = known.get(name, rest)
                if part is None:
                    if more is False:
                        return f"{path} has a member that does not belong there"
                    continue
                found = part(item, f"{path}.{name}" if path else name)
                if found is not None:
                    return found
            return None

        return check

    def items(self, schema: Mapping[str, Any]) -> Shape:
        part = self._compile(schema["items"])

        def check(value: Any, path: str) -> str | None:
            for item in value if isinstance(value, list) else ():
                found = part(item, f"{path}[]")
                if found is not None:
                    return found
            return None

        return check

    def any_of(self, schema: Mapping[str, Any]) -> Shape:
        parts = [self._compile(part) for part in schema.get("anyOf", schema.get("oneOf", ()))]

        def check(value: Any, path: str) -> str | None:
            first = None
            for part in parts:
                found = part(value, path)
                if found is None:
                    return None
                first = first or found
            return first

        return check

    def one_of(self, schema: Mapping[str, Any]) -> Shape:
        """Alternatives that tell themselves apart by `kind`: the fault is the one of the kind that it says it is."""
        by_kind = {part["properties"]["kind"]["const"]: self._compile(part) for part in schema["oneOf"]}

        def check(value: Any, path: str) -> str | None:
            kind = value.get("kind") if isinstance(value, dict) else None
            part = by_kind.get(kind) if isinstance(kind, str) else None
            return f"{path} is of no known kind" if part is None else part(value, path)

        return check


def _read_with(word: str, schema: Mapping[str, Any]) -> bool:
    """Whether a keyword is looked at by its neighbour."""
    return (word == "additionalProperties" and "properties" in schema) or (word == "maximum" and "minimum" in schema)


_KEYWORDS: dict[str, Callable[[_Compiler, Mapping[str, Any]], Shape]] = {
    "type": _Compiler.type,
    "const": _Compiler.const,
    "enum": _Compiler.enum,
    "pattern": _Compiler.pattern,
    "minimum": _Compiler.limits,
    "maximum": _Compiler.limits,
    "required": _Compiler.required,
    "properties": _Compiler.members,
    "additionalProperties": _Compiler.members,
    "items": _Compiler.items,
    "anyOf": _Compiler.any_of,
    "oneOf": _Compiler.one_of,
}
