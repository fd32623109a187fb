"""What changed between two states, for people and for machines. Secrets are null on both sides: they never differ."""

from __future__ import annotations

from typing import Any

from provisioner.render.diff import Difference, RecordDiff, StateDiff
from provisioner.render.human_values import literal
from provisioner.render.style import PLAIN, Style, counted, one_line

_SYMBOLS: dict[tuple[str, ...], tuple[str, str]] = {
    ("create",): ("+", "green"),
    ("delete",): ("-", "red"),
    ("update",): ("~", "yellow"),
    ("create", "delete"): ("+/-", "yellow"),
}
_WORDS: dict[tuple[str, ...], str] = {
    ("create",): "was added",
    ("delete",): "is gone",
    ("update",): "changed",
    ("create", "delete"): "was replaced",
}


def diff_text(found: StateDiff, style: Style = PLAIN) -> str:
    """One block an object, its differing values as `old -> new`; then how many there are."""
    blocks = [_block(record, style) for record in found.records]
    if not found.same_lineage:
        blocks.insert(0, style.paint("These are two different states, not two moments of one.", "yellow") + "\n")
    return "\n".join([*blocks, _summary(found)])


def _block(record: RecordDiff, style: Style) -> str:
    symbol, colour = _SYMBOLS[record.action]
    name = f"{record.address} (deposed object {record.deposed})" if record.deposed else record.address
    lines = [style.paint(one_line(f"  # {name} {_WORDS[record.action]}"), "bold")]
    if record.differences:
        width = max(len(one_line(difference.path)) for difference in record.differences)
        lines += [_line(difference, width, style) for difference in record.differences]
    else:
        shown = record.after if record.before is None else record.before
        values = {key: value for key, value in sorted((shown or {}).items()) if value not in (None, [], {})}
        width = max(map(len, values), default=0)
        lines += [f"  {style.paint(symbol, colour)} {key:<{width}} = {literal(value)}" for key, value in values.items()]
    return "\n".join(lines) + "\n"


def _line(difference: Difference, width: int, style: Style) -> str:
    path = one_line(difference.path).removeprefix(".")
    if difference.added:
        return f"  {style.paint('+', 'green')} {path:<{width}} = {literal(difference.new)}"
    if difference.removed:
        return f"  {style.paint('-', 'red')} {path:<{width}} = {literal(difference.old)}"
    return f"  {style.paint('~', 'yellow')} {path:<{width}} = {literal(difference.old)} -> {literal(difference.new)}"


def _summary(found: StateDiff) -> str:
    between = f"serial {found.serials[0]} and serial {found.serials[1]}"
    if found.is_empty:
        return f"No differences between {between}.\n"
    actions = [record.action for record in found.records]
    words = {("create",): "added", ("update",): "changed", ("create", "delete"): "replaced", ("delete",): "gone"}
    counts = [(actions.count(action), word) for action, word in words.items()]
    said = ", ".join(f"{number} {word}" for number, word in counts if number)
    return f"{counted(len(actions), 'difference')} between {between}: {said}.\n"


def diff_json(found: StateDiff) -> dict[str, Any]:
    """One object: `from`, `to`, `same_lineage`, and `changes[]` with Terraform's `actions`, `before` and `after`."""
    sides = [{"serial": serial, "head": head} for serial, head in zip(found.serials, found.heads, strict=True)]
    return {
        "format_version": "1.0",
        "from": sides[0],
        "to": sides[1],
        "same_lineage": found.same_lineage,
        "changes": [_change(record) for record in found.records],
    }


def _change(record: RecordDiff) -> dict[str, Any]:
    return {
        "address": record.address,
        "deposed": record.deposed,
        "actions": list(record.action),
        "before": record.before,
        "after": record.after,
        "differences": [
            {"path": d.path, "old": d.old, "new": d.new, "added": d.added, "removed": d.removed}
            for d in record.differences
        ],
    }
