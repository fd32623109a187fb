"""Attributes of one resource as Terraform draws them: `~ name = old -> new`, aligned, unchanged ones counted."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from provisioner.render.money import amount_text
from provisioner.render.style import Style, counted, one_line

UNKNOWN, SENSITIVE = "(known after apply)", "(sensitive value)"
_COLORS = {"+": "green", "-": "red", "~": "yellow"}
_CONTEXT = "name"  # shown even where unchanged, as Terraform shows it: it tells a person which one this is


def literal(value: Any) -> str:
    """One value on one line: `"text"`, `3000`, `true`, `null`, `["a", "b"]`, `{"k" = 1}`."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal | int | float):
        return amount_text(value)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{literal(str(key))} = {literal(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(literal(item) for item in value) + "]"
    return one_line(json.dumps(str(value), ensure_ascii=False))


class Attributes:
    """The lines between the braces of one resource, from what was and what will be."""

    def __init__(
        self,
        before: Mapping[str, Any] | None,
        after: Mapping[str, Any] | None,
        *,
        unknown: tuple[str, ...] = (),
        sensitive: Mapping[str, bool] | None = None,
        replacing: frozenset[str] = frozenset(),
        style: Style,
    ) -> None:
        self.before, self.after = before, after
        self.unknown, self.sensitive = frozenset(unknown), sensitive or {}
        self.replacing, self.style = replacing, style

    def lines(self) -> list[str]:
        """Changed attributes by name; then how many stay as they are."""
        names = sorted({*(self.before or {}), *(self.after or {}), *self.unknown})
        shown = [(name, symbol) for name in names if (symbol := self._symbol(name)) is not None]
        hidden = sum(self._is_hidden(name) for name in names)
        if (self.before or {}).get(_CONTEXT) is not None and not any(name == _CONTEXT for name, _ in shown):
            shown.append((_CONTEXT, " "))
            shown.sort()
            hidden -= 1
        width = max((len(one_line(name)) for name, _ in shown), default=0)
        lines = [line for name, symbol in shown for line in self._lines(name, symbol, width)]
        if hidden > 0:
            lines.append(self.style.paint(f"        # ({counted(hidden, 'unchanged attribute')} hidden)", "dim"))
        return lines

    def _pair(self, name: str) -> tuple[Any, Any]:
        return (self.before or {}).get(name), (self.after or {}).get(name)

    def _symbol(self, name: str) -> str | None:
        old, new = self._pair(name)
        if self.before is None:
            return "+" if new is not None or name in self.unknown else None
        if self.after is None:
            return "-" if old is not None else None
        if name in self.unknown:
            return "+" if old is None and name not in self.sensitive else "~"
        if old == new:
            return None
        return "+" if old is None else "-" if new is None else "~"

    def _is_hidden(self, name: str) -> bool:
        old, _ = self._pair(name)
        return old is not None and self._symbol(name) is None

    def _lines(self, name: str, symbol: str, width: int) -> Iterator[str]:
        old, new = self._pair(name)
        start = f"      {self._mark(symbol)} {one_line(name):<{width}} = "
        if symbol == " ":
            yield start + literal(old)
        elif name in self.sensitive:
            yield start + SENSITIVE + (" -> null" if symbol == "-" else "")
        elif name in self.unknown:
            yield start + (f"{literal(old)} -> {UNKNOWN}" if symbol == "~" else UNKNOWN) + self._forces(name)
        elif symbol == "~" and _is_list(old) and _is_list(new):
            yield from self._list(start, old, new, self._forces(name))
        elif symbol == "~" and isinstance(old, Mapping) and isinstance(new, Mapping):
            yield from self._mapping(name, old, new)
        elif symbol == "+":
            yield start + literal(new)
        else:
            yield f"{start}{literal(old)} -> {literal(new)}{self._forces(name)}"

    def _forces(self, name: str) -> str:
        return self.style.paint(" # forces replacement", "red") if name in self.replacing else ""

    def _mark(self, symbol: str) -> str:
        return self.style.paint(symbol, _COLORS[symbol]) if symbol in _COLORS else symbol

    def _list(self, start: str, old: Any, new: Any, forces: str) -> Iterator[str]:
        from difflib import SequenceMatcher

        yield f"{start}[{forces}"
        olds, news, same = [literal(item) for item in old], [literal(item) for item in new], 0
        for tag, i, j, k, m in SequenceMatcher(None, olds, news, autojunk=False).get_opcodes():
            if tag == "equal":
                same += j - i
                continue
            yield from (f"          {self._mark('-')} {item}," for item in olds[i:j])
            yield from (f"          {self._mark('+')} {item}," for item in news[k:m])
        if same:
            yield self.style.paint(f"            # ({counted(same, 'unchanged element')} hidden)", "dim")
        yield "        ]"

    def _mapping(self, name: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
        from provisioner.render.diff import differences

        for change in differences(old, new):
            symbol = "+" if change.added else "-" if change.removed else "~"
            values = literal(change.new) if change.added else f"{literal(change.old)} -> {literal(change.new)}"
            yield f"      {self._mark(symbol)} {one_line(f'{name}{change.path}')} = {values}"


def _is_list(value: Any) -> bool:
    return isinstance(value, list | tuple)
