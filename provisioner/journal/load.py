"""Opening: read the newest segment, believe nothing that does not verify, fold it.

The newest segment is hashed and folded from its checkpoint. Each older one is verified and folded too, unless this
machine did so before and it is the same file still; either way its end must be what the next one begins with.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

from provisioner.errors import Diagnostic, StateUntrusted
from provisioner.journal import chain
from provisioner.journal.chain import Link
from provisioner.journal.entries import NewerFormat, NotAnEntry, read_links
from provisioner.journal.memory import Seen, SeenSegment
from provisioner.journal.stores.base import Position, Segment, Store, segment_name
from provisioner.model.recorded import State
from provisioner.records import dataclass, field


@dataclass(slots=True, kw_only=True)
class Loaded:
    """One verified look at a state. `first` is the newest segment's first serial, `hashes` are its entries' from there
    on. `torn` counts bytes behind the last good line. `foregoing` are the older segments as they were verified."""

    state: State = field(default_factory=State)
    position: Position = field(default_factory=Position)
    first: int = 1
    hashes: list[str] = field(default_factory=list)
    torn: int = 0
    foregoing: dict[str, SeenSegment] = field(default_factory=dict)
    fresh: set[str] = field(default_factory=set)  # segments among them that are too young to be remembered
    notices: list[Diagnostic] = field(default_factory=list)

    def entries_since_checkpoint(self) -> int:
        return max(0, len(self.hashes) - 1)


def load(store: Store, *, stack: str | None, seen: Seen | None = None, watch: chain.Watch | None = None) -> Loaded:
    """Raises StateUntrusted (damaged, newer format, foreign) and StoreFailed. Judges no rollback: see `judge`.

    `stack` None: whichever it is. `watch` is told of each entry that is folded: of all of them where nothing is `seen`.
    """
    segments, newest = store.load()
    if not segments:
        return Loaded()
    _check_row(segments)
    with _no_collection():
        loaded = Loaded()
        link = _verify_older(store, segments[:-1], seen, loaded, watch)
        _fold_newest(segments[-1], newest, link, loaded, watch)
    if stack is not None and loaded.state.stack != stack:
        raise foreign(
            f"The recorded state at {store.location} belongs to the stack {loaded.state.stack!r}, not to {stack!r}.",
            "Give each stack a location of its own ([state] location), or put [stack] name back.",
        )
    return loaded


def foreign(summary: str, detail: str) -> StateUntrusted:
    return StateUntrusted("state-foreign", summary, detail)


def _check_row(segments: list[Segment]) -> None:
    for expected, segment in enumerate(segments, 1):
        if segment.number != expected:
            raise StateUntrusted(
                "state-damaged",
                f"The recorded state does not verify: segment {segment_name(expected)} is missing.",
                "Nothing was sent. Restore the missing segment from a backup of the state.",
            )


def _verify_older(
    store: Store, segments: list[Segment], seen: Seen | None, loaded: Loaded, watch: chain.Watch | None
) -> Link:
    link = Link()
    for segment in segments:
        known = seen.segments.get(segment.name) if seen else None
        if known is None or segment.stamp is None or (known.stamp, known.prev) != (segment.stamp, link.head):
            known = _verify_one(segment, store.read(segment.number), link, watch)
        loaded.foregoing[segment.name] = known
        if segment.fresh or segment.stamp is None:
            loaded.fresh.add(segment.name)
        link = Link(serial=known.serial, head=known.head, lineage=known.lineage, digest=known.digest)
    return link


def _verify_one(segment: Segment, data: bytes, after: Link, watch: chain.Watch | None) -> SeenSegment:
    if chain.torn_end(data):
        raise chain.damaged(segment.name, data.count(b"\n") + 1, "is cut, and later segments follow")
    state = State()
    end = chain.with_digest(chain.fold_segment(segment.name, chain.whole_lines(data), after, state, watch), state)
    return SeenSegment(
        stamp=segment.stamp or "",
        lineage=end.lineage,
        prev=after.head,
        serial=end.serial,
        head=end.head,
        digest=end.digest or "",
    )


def _fold_newest(segment: Segment, data: bytes, after: Link, loaded: Loaded, watch: chain.Watch | None) -> None:
    torn = chain.torn_end(data)
    if torn:
        _check_torn(segment.name, data.count(b"\n") + 1, torn)
    state = loaded.state
    for line in chain.verify(segment.name, chain.whole_lines(data), after):
        chain.fold_line(state, line, watch)
        loaded.hashes.append(line.links.hash)
    count = len(loaded.hashes)
    if not count:
        raise chain.damaged(segment.name, 1, "is missing: the segment has no checkpoint")
    loaded.first = state.serial - count + 1
    loaded.torn = len(torn)
    loaded.position = Position(segment.number, len(data) - len(torn), state.head)
    if torn:
        loaded.notices.append(_torn_notice(segment.name, count + 1, len(torn), state.serial))


def _check_torn(segment: str, number: int, torn: bytes) -> None:
    """A write that was cut leaves the beginning of a line. A whole entry with something else where its newline should
    be is none: somebody changed it."""
    try:
        links = read_links(torn[:-1])
    except (NotAnEntry, NewerFormat):
        return
    raise chain.damaged(segment, number, f"(serial {links.serial}) does not end where it should")


def _torn_notice(segment: str, number: int, size: int, serial: int) -> Diagnostic:
    return Diagnostic(
        name="torn-tail",
        severity="warning",
        summary=f"A last line of the recorded state that was never acknowledged was dropped (serial {serial + 1}).",
        detail=f"Segment {segment}, line {number}: {size} bytes without a newline, as a power cut or a kill leaves "
        "them. What they announced was never sent. They are cut off when something is recorded next.",
    )


@contextmanager
def _no_collection() -> Iterator[None]:
    """A state is many objects and no garbage: collecting while they are made doubles the time that it takes."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


# -- against what this machine knows ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Older:
    """Why a state is not the one that this machine knows."""

    text: str
    foreign: bool = False

    def error(self, location: str) -> StateUntrusted:
        if self.foreign:
            return foreign(
                f"The recorded state at {location} is not the one that was there: {self.text}.",
                "Nothing was sent. Put the right state back; or, where this one is meant, go on with "
                "--accept-rollback.",
            )
        return StateUntrusted(
            "state-rolled-back",
            f"The recorded state at {location} is older than what this machine has seen: {self.text}.",
            "Nothing was sent. Put the newest copy back; or, where the older one is meant, go on with "
            "--accept-rollback: what happened in between is then unknown to the state, and tokens made since are lost "
            "to it.",
        )


def judge(store: Store, loaded: Loaded, seen: Seen | None) -> Older | None:
    """Whether the loaded state is older than, or another than, what this machine knows."""
    if seen is None or not seen.serial:
        return None
    state = loaded.state
    if state.lineage and state.lineage != seen.lineage:
        return Older(f"its lineage is {state.lineage}, and {seen.lineage} was seen here", foreign=True)
    if not state.serial:
        return Older(f"it is gone, and serial {seen.serial} was seen here")
    if state.serial < seen.serial:
        return Older(f"it ends at serial {state.serial}, and serial {seen.serial} was seen here")
    if _hash_at(store, loaded, seen.serial) != seen.head:
        return Older(f"its serial {seen.serial} is another entry than the one that was seen here")
    return None


def _hash_at(store: Store, loaded: Loaded, serial: int) -> str | None:
    if serial >= loaded.first:
        return loaded.hashes[serial - loaded.first]
    for name, segment in loaded.foregoing.items():
        if serial == segment.serial:
            return segment.head
        if serial < segment.serial:
            lines, _ = chain.split(store.read(int(name)))
            back = segment.serial - serial
            return read_links(lines[-1 - back]).hash
    return None


def to_remember(loaded: Loaded) -> Seen:
    """What this machine may remember of this look."""
    kept = {name: segment for name, segment in loaded.foregoing.items() if name not in loaded.fresh}
    state = loaded.state  # of `begin`, with what it appended
    return Seen(lineage=state.lineage, serial=state.serial, head=state.head, segments=kept)
