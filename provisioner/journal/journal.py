"""The door: open, begin, append, close. Everything else of this room serves these.

journal = Journal.open(store, stack="messaging", memory=HeadMemory.of_user(os.environ))
journal.begin(run, lock=held)          # from here on nobody else can append after our head
journal.append(Draft("intent", "token.campaigns", {...}))       # durable when it returns
journal.close()
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Self

from provisioner import times
from provisioner.errors import Diagnostic, HeadMoved, StateUntrusted, StoreFailed
from provisioner.journal import history, load, marks
from provisioner.journal.chain import Link, Watch
from provisioner.journal.entries import Entry, dump, plain, write_line
from provisioner.journal.fold import Change, decode, state_to_json
from provisioner.journal.group import GroupCommit, StillWriting
from provisioner.journal.memory import HeadMemory
from provisioner.journal.objections import Objection, of_clock, of_mark
from provisioner.journal.run import RunInfo
from provisioner.journal.stores.base import Position, Store
from provisioner.model.recorded import State
from provisioner.records import dataclass, field

if TYPE_CHECKING:
    from provisioner.journal.locks import HeldLock

_LEAVING = 2.0  # seconds that `close` waits for another thread's append
FEWEST = 256  # entries behind a checkpoint before another is worth its bytes
OURS = frozenset({"checkpoint", "lock", "unlock", "rollback-accepted"})  # kinds that only this module writes


@dataclass(frozen=True, slots=True)
class Draft:
    """What a caller wants appended. `body` is JSON (see `entries.plain`): sealed values, never secrets."""

    kind: str
    address: str | None = None
    body: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Ready:
    """A draft that is known to fold, its body spelled out already: what threads can do before they queue."""

    kind: str
    address: str | None
    body: str
    change: Change


class Journal:
    """One opened state. Thread-safe; `state` moves on in place as entries become durable: look things up in it, or take
    a `list` of it; whoever walks it while others append, or needs all of it as of one entry, takes a `snapshot`.
    Nothing is written before `begin`."""

    def __init__(
        self, store: Store, loaded: load.Loaded, *, memory: HeadMemory | None, clock: Callable[[], datetime] = times.now
    ) -> None:
        self.store = store
        self.state = loaded.state
        self.notices: list[Diagnostic] = loaded.notices
        self.memory = memory
        self.run: RunInfo | None = None
        self._loaded = loaded
        self._position = loaded.position
        self._clock = clock
        self._mark: marks.Mark | None = None
        self._objections: list[Objection] = []
        self._accepted = False
        self._lock: HeldLock | None = None
        self._closed = False
        self._folding = threading.Lock()
        self._group: GroupCommit[list[_Ready]] = GroupCommit(self._commit)

    @classmethod
    def open(
        cls,
        store: Store,
        *,
        stack: str | None,
        memory: HeadMemory | None,
        accept_rollback: bool = False,
        looking: bool = False,
        clock: Callable[[], datetime] = times.now,
        watch: Watch | None = None,
    ) -> Journal:
        """Reads and verifies; writes nothing to the store. `memory` None: nothing is known and nothing is kept.

        Raises StateUntrusted (damaged, newer format, foreign, half migrated; and the objections: rolled back, moved,
        clock behind) and StoreFailed. `accept_rollback` goes on in spite of objections; `begin` records them. `looking`
        makes notices of those that only matter to writers. `stack` None: whichever it is. `watch` is told every entry,
        and nothing that this machine remembers spares one its check.
        """
        lineage = memory.lineage_at(store.identity) if memory else None
        seen = memory.recall(lineage) if memory and lineage else None  # before the load: later it may be newer
        known = None if watch is not None else seen
        loaded = load.load(store, stack=stack, seen=known, watch=watch)
        mark = marks.read(store)
        if mark is not None and mark.kind == marks.COPYING:
            raise marks.half_migrated(mark, store.location)
        if seen is None and memory and loaded.state.lineage:
            seen = memory.recall(loaded.state.lineage)  # known from another location
        why = load.judge(store, loaded, seen)
        if why and seen:  # what was recalled after the load may be newer than it: look once more
            loaded = load.load(store, stack=stack, seen=None if watch is not None else seen, watch=watch)
            why = load.judge(store, loaded, seen)
        journal = cls(store, loaded, memory=memory, clock=clock)
        journal.state.stack = stack if stack is not None else journal.state.stack
        journal._mark = mark
        # forgotten once `begin` recorded them: until then each command is told of them again
        journal._object(_objections(store, loaded, why, mark, clock()), accept=accept_rollback, looking=looking)
        if why is None and memory and loaded.state.lineage:
            memory.remember(load.to_remember(loaded), store.identity)
        return journal

    @property
    def lineage(self) -> str:
        """The state's identity, fixed by the first `begin`; "" before."""
        return self.state.lineage

    @property
    def owes_a_record(self) -> bool:
        """Whether an older copy (or a slow clock) was accepted and no entry says so yet: until one does, every later
        command refuses the state again."""
        return self._accepted and bool(self._objections) and self.run is None

    @property
    def started(self) -> datetime:
        """When the run began. Raises RuntimeError before `begin`."""
        if self.run is None:
            raise RuntimeError("no run has begun")
        return self.run.started

    def snapshot(self) -> State:
        """The state as of one entry, which later appends do not change."""
        with self._folding:
            state = self.state
            return State(
                stack=state.stack,
                lineage=state.lineage,
                serial=state.serial,
                head=state.head,
                objects=dict(state.objects),
                operations=dict(state.operations),
                purchases=list(state.purchases),
                handoffs=dict(state.handoffs),
                updated_at=state.updated_at,
            )

    # -- writing -----------------------------------------------------------------------------------------------------

    def begin(self, run: RunInfo, lock: HeldLock | None = None) -> None:
        """The first append: fixes the lineage, cuts off a torn tail, starts a new segment where one is due, and writes
        `lock`, after which no former holder can append. `lock` is released by `close`.

        Raises HeadMoved where somebody appended since `open` (open again), StoreFailed where nothing can be written,
        StateUntrusted where an objection was not accepted.
        """
        if self.run is not None:
            raise RuntimeError("begin is called once")
        if self._objections and not self._accepted:
            raise self._objections[0].error
        self._lock = lock
        if self._loaded.torn:
            self.store.truncate(self._position, self._loaded.torn)
            self._loaded.torn = 0
        self.run = run
        drafts = [Draft("lock", None, self._lock_body(run, lock))]
        for objection in reversed(self._objections):
            drafts.insert(0, Draft("rollback-accepted", None, {"detail": objection.text}))
        if self._mark is not None and self._mark.kind == marks.ARRIVED:
            drafts.append(Draft("migrated", None, {"detail": _whence(self._mark)}))
        if lock is not None:
            self.notices.extend(notice for notice in lock.notices if notice not in self.notices)
        if self._segment_due():
            drafts.insert(0, Draft("checkpoint", None, {"state": state_to_json(self.state)}))
        self._group.append([_ready(draft) for draft in drafts])
        if self._mark is not None:
            self.store.write_mark(None)
            self._mark = None
        if self.memory is not None:
            self.memory.remember(load.to_remember(self._loaded), self.store.identity, backwards=True)

    def append(self, *drafts: Draft) -> None:
        """Durable when it returns, all of it or (on an error) none that anybody may rely on.

        Raises HeadMoved where another run appended first, StoreFailed where it cannot be written; after either every
        later append fails too. ValueError and TypeError are the caller's mistakes: nothing was written.
        """
        if self.run is None or self._closed:
            raise RuntimeError("append comes between begin and close")
        if any(draft.kind in OURS for draft in drafts):
            raise ValueError(f"only the journal writes {', '.join(sorted(OURS))}")
        if drafts:
            self._group.append([_ready(draft) for draft in drafts])

    def still_ours(self) -> None:
        """To be called right before a request is sent: raises HeadMoved where this process slept past its lease, when
        another may hold the lock and have taken what we announced for abandoned. Looks at a clock only."""
        if self._lock is not None and self._lock.lapsed():
            raise HeadMoved(
                "head-moved",
                "This run did not renew its lock within its lease, so another may have begun. Nothing is sent.",
                "It was stopped for so long, or the store was out of reach. Run the command again; what was announced "
                "and not sent is settled then.",
            )

    def close(self) -> None:
        """Writes `unlock` where `lock` was written, and releases the lock. Never raises: the run is over, and what
        could not be written is in `notices`. May be called twice."""
        if self._closed:
            return
        try:
            if self.run is not None and not self._group.failed:
                self._group.append([_ready(Draft("unlock", None, self._unlock_body()))], _LEAVING)
        except StillWriting:
            # Only where somebody asked twice to leave. What the thread holds, this process's end gives back.
            if self._lock is not None:
                self._lock.abandon()
        except (StoreFailed, StateUntrusted) as fault:
            self.notices.extend(fault.diagnostics)
        finally:
            self._closed = True
            if self._lock is not None:
                self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    # -- looking back ------------------------------------------------------------------------------------------------

    def entries(self) -> Iterator[Entry]:
        """All entries up to our head, oldest first, verified on the way."""
        return history.entries(self.store, self.state.serial)

    def state_at(self, when: int | datetime) -> State:
        """The fold up to a serial, or up to the last entry written at or before a moment. Raises Invalid "usage" for a
        serial that is not there yet."""
        return history.state_at(self.store, when, self.snapshot())

    # -- how ---------------------------------------------------------------------------------------------------------

    def _commit(self, batches: list[list[_Ready]]) -> None:
        """Runs in one thread at a time (see `GroupCommit`)."""
        assert self.run is not None  # noqa: S101  # begin has set it
        ready = [item for batch in batches for item in batch]
        now = self._clock()
        state = self.state
        link = Link(serial=state.serial, head=state.head, lineage=state.lineage or _new_lineage())
        lines, links = [], []
        for item in ready:
            line, digest = write_line(
                serial=link.serial + 1,
                time=times.to_rfc3339(now),
                actor=self.run.actor,
                run=self.run.id,
                kind=item.kind,
                address=item.address,
                body=item.body,
                lineage=link.lineage,
                prev=link.head,
            )
            link = Link(serial=link.serial + 1, head=digest, lineage=link.lineage)
            lines.append(line)
            links.append(link)
        put = self.store.start_segment if ready[0].kind == "checkpoint" else self.store.append
        self._position = put(b"".join(lines), self._position, link.head)
        self._fold(ready, links, now)
        if self.memory is not None:
            self.memory.remember_head(link.lineage, link.serial, link.head)

    def _fold(self, ready: list[_Ready], links: list[Link], now: datetime) -> None:
        run = self.run.id if self.run else ""
        moment = times.from_rfc3339(times.to_rfc3339(now))  # as a reader will see it
        state = self.state
        with self._folding:
            # in place: copies of 10,000 objects with each flush made an apply's time grow with its square
            state.lineage = links[0].lineage
            for item, link in zip(ready, links, strict=True):
                item.change.apply(state, serial=link.serial, head=link.head, time=moment, run=run)

    def _segment_due(self) -> bool:
        """Never in the middle of a run: a checkpoint costs what is live, and a run writes about as much anyway."""
        behind = self._loaded.entries_since_checkpoint()
        many = behind > max(FEWEST, 2 * len(self.state.objects))
        return self._position.segment == 0 or many or self.store.crowded()

    def _lock_body(self, run: RunInfo, lock: HeldLock | None) -> dict[str, Any]:
        body: dict[str, Any] = run.to_json()
        if lock is not None:
            body["lock"] = lock.info.public()
            if lock.taken_over is not None:
                body["taken_over"] = lock.taken_over.public()
        return body

    def _unlock_body(self) -> dict[str, Any]:
        return {"lock": {"id": self._lock.info.id}} if self._lock is not None else {}

    def _object(self, objections: list[Objection], *, accept: bool, looking: bool) -> None:
        self._objections, self._accepted = objections, accept
        for objection in objections:
            if accept:
                self.notices.append(_accepted(objection))
            elif looking and objection.notice is not None:
                self.notices.append(objection.notice)
            else:
                raise objection.error


def _objections(
    store: Store, loaded: load.Loaded, why: load.Older | None, mark: marks.Mark | None, now: datetime
) -> list[Objection]:
    found = [Objection(why.text, why.error(store.location))] if why else []
    if mark is not None and mark.kind == marks.MOVED:
        found.append(of_mark(mark, store.location))
    behind = of_clock(loaded.state, now, store.location)
    return [*found, behind] if behind else found


def _accepted(objection: Objection) -> Diagnostic:
    return Diagnostic(
        name="rollback-accepted",
        severity="warning",
        summary=f"An older copy of the recorded state was accepted: {objection.text}.",
        detail="Tokens made since are unknown to it. Compare `provisioner plan` with what the vendors show.",
    )


def _whence(mark: marks.Mark) -> str:
    return f"from {mark.other} at {times.to_rfc3339(mark.at)} by {mark.by}"


def _new_lineage() -> str:
    from uuid import uuid4  # 2 ms that only a first apply pays

    return str(uuid4())


def _ready(draft: Draft) -> _Ready:
    body = plain(draft.body)
    return _Ready(draft.kind, draft.address, dump(body), decode(draft.kind, draft.address, body))


__all__ = ["Draft", "Journal", "Position", "RunInfo"]
