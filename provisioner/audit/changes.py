"""What persons did to the recorded state, and entries that no run of this program would have written."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from provisioner.audit.seen import Mark, Seen
from provisioner.model.recorded import Operation, ResourceRecord, TokenRecord
from provisioner.records import dataclass, field

_CLOCKS_DIFFER = timedelta(minutes=5)  # between machines that take turns; more than this is no mere skew
_BEFORE_LOCK = frozenset({"checkpoint", "rollback-accepted"})  # written in one append with the lock that follows
_ENDS = frozenset({"outcome", "doubt", "settled"})
_MAY_BRING = frozenset({"outcome", "rescued", "checkpoint"})  # kinds that may bring a token that was not there


@dataclass(slots=True)
class Run:
    """One run as its entries tell it. `ended` None: it never wrote that it was over."""

    id: str
    actor: str
    command: str
    began: datetime
    note: str | None = None
    ci_url: str | None = None
    entries: int = 0
    ended: datetime | None = None
    head: Mark | None = None  # its last entry


@dataclass(frozen=True, slots=True)
class Edit:
    """`command` as it was run. `addresses` is what it touched, as text."""

    mark: Mark
    command: str
    addresses: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Lift:
    """A recorded guard that went: `how` says whether it was lifted, or its object ended in spite of it."""

    mark: Mark
    address: str
    how: str


@dataclass(frozen=True, slots=True)
class Oddity:
    """An entry that the protocol does not write. `text` is a sentence without its full stop."""

    mark: Mark
    address: str | None
    text: str


@dataclass(slots=True)
class Doubt:
    """One operation from its announcement to what settled it; only those that were in doubt are kept."""

    operation: Operation
    since: datetime
    until: datetime | None = None
    how: str | None = None


@dataclass(slots=True)
class Changes:
    """A collector: see `trail.Trail`."""

    runs: dict[str, Run] = field(default_factory=dict)
    edits: list[Edit] = field(default_factory=list)
    rollbacks: list[tuple[Mark, str]] = field(default_factory=list)
    lifts: list[Lift] = field(default_factory=list)
    oddities: list[Oddity] = field(default_factory=list)
    backwards: list[tuple[Mark, datetime]] = field(default_factory=list)  # (the entry, the latest time before it)
    doubts: dict[str, Doubt] = field(default_factory=dict)
    latest: datetime | None = None
    current: str | None = None  # the run that holds the journal
    _early: list[Seen] = field(default_factory=list)  # entries that a lock must follow

    def see(self, seen: Seen) -> None:
        self._clock(seen.mark)
        self._belongs(seen)
        if seen.kind == "edit":
            self._edited(seen)
        elif seen.kind == "rollback-accepted":
            self.rollbacks.append((seen.mark, str(seen.body.get("detail") or "")))
        elif seen.kind in _ENDS:
            self._ends(seen)
        if seen.kind != "checkpoint":
            self.lifts.extend(_lifted(seen))
            self._brings(seen)

    def _clock(self, mark: Mark) -> None:
        if self.latest is not None and mark.time < self.latest - _CLOCKS_DIFFER:
            self.backwards.append((mark, self.latest))
        self.latest = mark.time if self.latest is None else max(self.latest, mark.time)

    # -- runs --------------------------------------------------------------------------------------------------------

    def _belongs(self, seen: Seen) -> None:
        mark = seen.mark
        if seen.kind in _BEFORE_LOCK:
            self._early.append(seen)
            return
        if seen.kind == "lock":
            self._begins(seen)
        elif mark.run != self.current:
            self._odd(seen, f"belongs to run {mark.run}, which was not the one that held the journal then")
        self._no_lock_followed(seen)
        run = self.runs.get(mark.run)
        if run is not None:
            run.entries += 1
            run.head = mark
            if seen.kind == "unlock":
                run.ended = mark.time
        if seen.kind == "unlock":
            self.current = None

    def _begins(self, seen: Seen) -> None:
        body, mark = seen.body, seen.mark
        self.current = mark.run
        note, url = body.get("note"), body.get("ci_run_url")
        self.runs.setdefault(
            mark.run,
            Run(mark.run, mark.actor, str(body.get("command") or ""), mark.time, note=note, ci_url=url),
        )

    def _no_lock_followed(self, seen: Seen) -> None:
        for early in self._early:
            if early.mark.run != seen.mark.run or seen.kind != "lock":
                self._odd(early, "was not followed by the beginning of its run")
        self._early.clear()

    # -- operations --------------------------------------------------------------------------------------------------

    def _ends(self, seen: Seen) -> None:
        operation = seen.state.operations.get(seen.operation or "")
        if operation is None:
            self._odd(seen, f"ends operation {seen.operation}, which was never announced or had ended before")
            return
        known = self.doubts.get(operation.id)
        if seen.kind == "doubt":
            self.doubts.setdefault(operation.id, Doubt(operation, operation.since))
        elif known is not None or seen.kind == "settled":
            known = self.doubts.setdefault(operation.id, Doubt(operation, operation.since))
            known.until = seen.mark.time
            known.how = str(seen.body.get("as") or seen.body.get("result"))

    def _brings(self, seen: Seen) -> None:
        if seen.kind in _MAY_BRING:
            return
        for record in seen.change.put:
            if not isinstance(record, TokenRecord) or record.fingerprint is None:
                continue
            before = seen.before(record)
            if not isinstance(before, TokenRecord) or before.fingerprint != record.fingerprint:
                self._odd(seen, "brings a token that no announced operation made", str(record.address))

    # -- persons -----------------------------------------------------------------------------------------------------

    def _edited(self, seen: Seen) -> None:
        dropped = (seen.state.objects.get(gone) for gone in seen.change.drop)
        touched = [record.address for record in (*seen.change.put, *dropped) if record is not None]
        named = [seen.address] if seen.address else []
        addresses = tuple(dict.fromkeys([*named, *map(str, sorted(touched, key=lambda a: a.sort_key))]))
        self.edits.append(Edit(seen.mark, str(seen.body.get("command") or "an edit"), addresses))

    def _odd(self, seen: Seen, text: str, address: str | None = None) -> None:
        self.oddities.append(Oddity(seen.mark, address or seen.address, text))


def _lifted(seen: Seen) -> Iterator[Lift]:
    """A rotation's old token takes its guard with it, and its successor has it: that is none."""
    put = {record.id: record for record in seen.change.put}
    serving = {record.address for record in put.values() if not _deposed(record)}
    for record in put.values():
        before = seen.before(record)
        if before is not None and before.prevent_destroy and not record.prevent_destroy and not _deposed(record):
            yield Lift(seen.mark, str(record.address), "lifted")
    for gone in seen.change.drop:
        before = seen.state.objects.get(gone)
        if before is None or not before.prevent_destroy or _deposed(before) or before.address in serving:
            continue
        yield Lift(seen.mark, str(before.address), "ended")


def _deposed(record: ResourceRecord) -> bool:
    return isinstance(record, TokenRecord) and record.deposed is not None
