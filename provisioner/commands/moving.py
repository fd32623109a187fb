"""The recorded state as a whole: move it between stores, copy it to a file.

A migration marks the target before its first byte and the source before the target is let go (`journal/marks.py`), so
at every moment at most one of them takes appends, and whichever is opened says what it is. Run again, it goes on where
it was interrupted; run the other way, it brings an old copy up to date.
"""

from __future__ import annotations

from provisioner import times
from provisioner.commands.editing import EditOptions
from provisioner.commands.filing import load_file, write_private
from provisioner.commands.opening import (
    Reveal,
    Secrets,
    held,
    new_run,
    open_journal,
    store_of,
)
from provisioner.errors import HeadMoved, Invalid
from provisioner.journal import load, marks
from provisioner.journal.entries import read_links
from provisioner.journal.marks import Mark
from provisioner.journal.run import RunInfo
from provisioner.journal.stores.archive import ArchiveStore, pack
from provisioner.journal.stores.base import Position, Store
from provisioner.model.desired import Desired
from provisioner.model.recorded import State
from provisioner.records import dataclass

_ROUNDS = 3  # how often a source that is appended to in spite of its lock is caught up with


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """`source` and `target` as they may be shown. `already`: an earlier run had done it all."""

    serial: int
    head: str
    segments: int
    keys: int
    source: str = ""
    target: str = ""
    kept: bool = True  # the source was marked, and can be read
    already: bool = False


# -- migrate ---------------------------------------------------------------------------------------------------------


def migrate(options: EditOptions, origin: str, to: str, reveal: Reveal) -> Moved:
    """Copies segments and keys byte for byte, so that chain, head and history are the same. FROM stays readable, and
    is marked.

    Raises Invalid where FROM holds nothing or TO holds another state; StateUntrusted where either does not verify.
    """
    desired = load_file(options.file)
    secrets = Secrets(desired, reveal)
    source, target = store_of(desired, secrets, origin), store_of(desired, secrets, to)
    if source.identity == target.identity:
        raise Invalid("usage", f"{source.location} and {target.location} are the same place", "Name two stores.")
    run = new_run("state migrate", options.state)
    if not source.load()[0]:
        where = f"There is no recorded state of {desired.stack} at {source.location}"
        raise Invalid("no-state", where, "Check the location.")
    with held(source, options.state, run):
        state = _verified(source, target, desired, options)
        with held(target, options.state, run):
            done = _done_already(source, target, state) or _move(source, target, state, desired, run)
            # this machine now knows the state by its new place
            open_journal(target, desired, options.state, looking=True)
    return done


def _verified(source: Store, target: Store, desired: Desired, options: EditOptions) -> State:
    """Every entry and every checkpoint, before anything is made at TO. Raises where it was moved elsewhere."""
    state = open_journal(source, desired, options.state, looking=True).state
    left = marks.read(source)
    if left is not None and left.kind == marks.MOVED and left.other != target.location:
        raise marks.moved_away(left, source.location)
    load.load(source, stack=desired.stack)
    return state


def _done_already(source: Store, target: Store, state: State) -> Moved | None:
    """Whether an earlier run moved it there and ended. Raises where TO is taken."""
    left = marks.read(source)
    found = load.load(target, stack=None)
    mark = marks.read(target)
    if mark is not None and mark.kind in (marks.COPYING, marks.MOVED):
        if mark.lineage != state.lineage:
            raise _taken(target)
        return None
    if not found.state.serial:
        return None
    moved_here = left is not None and left.kind == marks.MOVED
    if not moved_here or found.state.lineage != state.lineage or found.state.serial < state.serial:
        raise _taken(target)
    return _moved(source, target, found.state, already=True)


def _taken(target: Store) -> Invalid:
    return Invalid(
        "duplicate",
        f"There is a recorded state at {target.location} already",
        "Name a place that is empty, or an old copy of this very state.",
    )


def _move(source: Store, target: Store, state: State, desired: Desired, run: RunInfo) -> Moved:
    def mark(kind: str, other: Store, at: State) -> bytes:
        return Mark(
            kind=kind,
            other=other.location,
            lineage=at.lineage,
            stack=desired.stack,
            serial=at.serial,
            head=at.head,
            at=times.now(),
            by=run.actor,
        ).to_bytes()

    target.write_mark(mark(marks.COPYING, source, state))
    copied = _caught_up(source, target, desired)
    if not isinstance(source, ArchiveStore):
        source.write_mark(mark(marks.MOVED, target, copied))
        if _end(source) != _end(target):  # somebody ignored the lock until the mark was there
            copied = _caught_up(source, target, desired)
    target.write_mark(mark(marks.ARRIVED, source, copied))
    return _moved(source, target, copied)


def _moved(source: Store, target: Store, state: State, *, already: bool = False) -> Moved:
    return Moved(
        serial=state.serial,
        head=state.head,
        segments=len(target.load()[0]),
        keys=len(target.list_keys()),
        source=source.location,
        target=target.location,
        kept=not isinstance(source, ArchiveStore),
        already=already,
    )


def _caught_up(source: Store, target: Store, desired: Desired) -> State:
    """Copies until both are the same, and verifies what was copied as if nobody had seen it before."""
    for _ in range(_ROUNDS):
        _copy_keys(source, target)
        _copy_segments(source, target)
        if _end(source) == _end(target):
            return load.load(target, stack=desired.stack).state
    raise HeadMoved(
        "head-moved",
        f"{source.location} is appended to all the time, in spite of its lock.",
        "Stop those runs (--lock=false), and run this again: it goes on where it is.",
    )


def _end(store: Store) -> tuple[int, str]:
    """How many segments there are, and the head."""
    segments, newest = store.load()
    return len(segments), _head(newest[: newest.rfind(b"\n") + 1])


def _copy_keys(source: Store, target: Store) -> None:
    wanted = {key_id: source.get_key(key_id) or b"" for key_id in source.list_keys()}
    for key_id in set(target.list_keys()) - set(wanted):
        target.delete_key(key_id)  # shredded since the old copy was made
    for key_id, data in wanted.items():
        if target.get_key(key_id) != data:
            target.put_key(key_id, data)


def _copy_segments(source: Store, target: Store) -> None:
    there, newest_there = target.load()
    segments, newest = source.load()
    if len(there) > len(segments):
        raise _taken(target)
    at = Position()
    for segment in segments:
        data = newest if segment is segments[-1] else source.read(segment.number)
        data = data[: data.rfind(b"\n") + 1]  # a torn tail was never acknowledged
        if segment.number > len(there):
            at = target.start_segment(data, at, _head(data))
            continue
        last = segment.number == len(there)
        begun = newest_there if last else target.read(segment.number)
        at = _go_on(target, segment.number, begun, data, last=last)


def _go_on(target: Store, number: int, begun: bytes, data: bytes, *, last: bool) -> Position:
    """The rest of a segment that is there, behind what is there of it."""
    whole = begun[: begun.rfind(b"\n") + 1]
    if not data.startswith(whole) or (whole != data and not last):
        raise _taken(target)
    at = Position(number, len(whole), _head(whole))
    if whole != begun:
        target.truncate(at, len(begun) - len(whole))
    return at if whole == data else target.append(data[len(whole) :], at, _head(data))


def _head(data: bytes) -> str:
    return read_links(data[:-1].rpartition(b"\n")[2]).hash if data else ""


# -- backup ----------------------------------------------------------------------------------------------------------


def backup(options: EditOptions, file: str, reveal: Reveal) -> Moved:
    """One tar file of mode 0600 in the layout of a state's directory, verified before it is there. Secrets in it stay
    sealed."""
    desired = load_file(options.file)
    store = store_of(desired, Secrets(desired, reveal))
    if not open_journal(store, desired, options.state, looking=True).lineage:
        raise Invalid("no-state", f"There is no recorded state of {desired.stack} yet", "The first apply makes one.")
    archive = ArchiveStore.of(pack(store), file)
    state = load.load(archive, stack=desired.stack).state
    write_private(file, archive.packed)
    return Moved(
        serial=state.serial,
        head=state.head,
        segments=len(archive.load()[0]),
        keys=len(archive.list_keys()),
        source=store.location,
        target=file,
    )
