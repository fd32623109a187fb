"""What differs between two values or two states. Equality first; deepdiff only where something differs."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from provisioner.model.recorded import ResourceRecord, State
from provisioner.records import dataclass, field
from provisioner.render.resource_values import deposed_key, record_values


@dataclass(frozen=True, slots=True)
class Difference:
    """One differing place inside a value: `path` as `.scopes[0]`, `["odd key"]`; `added`: there was none before."""

    path: str
    old: Any
    new: Any
    added: bool = False
    removed: bool = False


@dataclass(frozen=True, slots=True)
class RecordDiff:
    """One object that differs between two states. `before` or `after` None: it is in one of them only. `replaced`: they
    are two objects, of which the second serves at the address of the first."""

    address: str
    deposed: str | None
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None
    differences: tuple[Difference, ...] = ()
    replaced: bool = False

    @property
    def action(self) -> tuple[str, ...]:
        """In a plan's words: `("create",)`, `("delete",)`, `("update",)`, `("create", "delete")`."""
        if self.replaced:
            return ("create", "delete")
        return ("create",) if self.before is None else ("delete",) if self.after is None else ("update",)


@dataclass(frozen=True, slots=True)
class StateDiff:
    """From one state to another: `records` by address, and the serials and heads between which they lie."""

    serials: tuple[int, int]
    heads: tuple[str, str]
    same_lineage: bool
    records: tuple[RecordDiff, ...] = field(default=())

    @property
    def is_empty(self) -> bool:
        return not self.records


def differences(old: Any, new: Any) -> list[Difference]:
    """Every place where `new` is not `old`, sorted by path. Mappings and sequences are entered."""
    if old == new:
        return []
    from deepdiff import DeepDiff

    tree = DeepDiff(_plain(old), _plain(new), view="tree", ignore_type_in_groups=[(list, tuple)])
    found = [
        Difference(
            path=_path(level.path(output_format="list")),
            old=None if kind.endswith("_added") else level.t1,
            new=None if kind.endswith("_removed") else level.t2,
            added=kind.endswith("_added"),
            removed=kind.endswith("_removed"),
        )
        for kind, levels in tree.items()
        for level in levels
    ]
    return sorted(found, key=lambda change: (change.path, change.removed))


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value


def _path(parts: list[Any]) -> str:
    found = ""
    for part in parts:
        if isinstance(part, int):
            found += f"[{part}]"
        elif isinstance(part, str) and part.isidentifier():
            found += f".{part}"
        else:
            found += '["' + str(part).replace("\\", "\\\\").replace('"', '\\"') + '"]'
    return found


def state_diff(a: State, b: State, *, now: datetime) -> StateDiff:
    """What changed from state `a` to state `b`, object by object (by their unchanging ids), in the values that are
    public at `now`: a token that ran out in between is no change of the state."""
    records = []
    for object_id in a.objects.keys() | b.objects.keys():
        old, new = a.objects.get(object_id), b.objects.get(object_id)
        if old == new:
            continue
        diff = _record_diff(a, b, old, new, now)
        if diff is not None:
            records.append(diff)
    records = _paired(records)
    records.sort(key=lambda diff: (diff.address, diff.deposed or "", diff.action))
    return StateDiff((a.serial, b.serial), (a.head, b.head), a.lineage == b.lineage, tuple(records))


def _paired(records: list[RecordDiff]) -> list[RecordDiff]:
    """Where one object went from an address and another serves there now, they are one replacement."""
    gone = {diff.address: diff for diff in records if diff.after is None and diff.deposed is None}
    made = {diff.address: diff for diff in records if diff.before is None and diff.deposed is None}
    both = gone.keys() & made.keys()
    paired = [diff for diff in records if diff.address not in both or diff.action == ("update",) or diff.deposed]
    for address in both:
        before, after = gone[address].before, made[address].after
        places = tuple(differences(before, after))
        paired.append(RecordDiff(address, None, before, after, places, replaced=True))
    return paired


def _record_diff(
    a: State, b: State, old: ResourceRecord | None, new: ResourceRecord | None, now: datetime
) -> RecordDiff | None:
    shown = new or old
    assert shown is not None  # noqa: S101  # the caller iterates over ids of either state
    before = None if old is None else {**record_values(old, a, now), "address": str(old.address)}
    after = None if new is None else {**record_values(new, b, now), "address": str(new.address)}
    places = tuple(differences(before, after)) if before is not None and after is not None else ()
    if before is not None and after is not None and not places:
        return None
    return RecordDiff(str(shown.address), deposed_key(shown), before, after, places)
