"""The lock: a courtesy that keeps people from waiting in vain, and says who, where, since when and for what.

What makes a stale lock harmless is the fence (`stores/base.py`): a holder that slept past its lease cannot append. So a
lock may be taken over at once from a process that died on this machine, and from anybody once its lease has ended.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from typing import Self
from uuid import uuid4

from provisioner import times
from provisioner.errors import Diagnostic, LockHeld, StoreFailed
from provisioner.journal.lockinfo import LockInfo, machine_id, process_start
from provisioner.journal.run import RunInfo
from provisioner.journal.stores.base import Store
from provisioner.records import replace
from provisioner.times import to_rfc3339

LEASE = 60  # seconds
A_MOMENT = 0.4  # seconds of waiting that nobody needs to hear of; Terraform's own measure
RENEWALS = 6  # a lease is renewed so often that five in a row may be missed


def new_lock(run: RunInfo, now: datetime, *, lease: int = LEASE) -> LockInfo:
    """The lock that `run` asks for, in the name of this process."""
    return LockInfo(
        id=str(uuid4()),
        who=run.actor,
        host=run.host,
        pid=os.getpid(),
        operation=run.command,
        since=now,
        renewed=now,
        lease=lease,
        machine=machine_id(),
        started=process_start(os.getpid()) or "",
    )


def take_lock(
    store: Store,
    run: RunInfo,
    *,
    lock_timeout: float = 0.0,
    lease: int = LEASE,
    clock: Callable[[], datetime] = times.now,
    sleep: Callable[[float], None] = time.sleep,
    waiting: Callable[[Diagnostic], None] | None = None,
) -> HeldLock:
    """Takes the lock, waiting up to `lock_timeout` seconds, and keeps it renewed until `release`. `waiting` is told
    once whom it waits for, where that takes longer than a moment.

    Raises LockHeld "lock-held" saying who holds it, StoreFailed where the store cannot be reached.
    """
    began = time.monotonic()
    deadline = began + lock_timeout
    pause = 0.05
    while True:
        held, taken_over = _try(store, run, lease, clock)
        if isinstance(held, HeldLock):
            held.taken_over = taken_over
            held.start()
            return held
        left = deadline - time.monotonic()
        if left <= 0:
            raise lock_held(held)
        if waiting is not None and time.monotonic() - began >= A_MOMENT:
            waiting(lock_awaited(held, left))
            waiting = None
        sleep(min(pause, left))
        pause = min(pause * 2, 1.0)


def _try(
    store: Store, run: RunInfo, lease: int, clock: Callable[[], datetime]
) -> tuple[HeldLock | LockInfo, LockInfo | None]:
    """One try, and a second one in the place of a lock that is void. What is returned first is ours or another's."""
    info = new_lock(run, clock(), lease=lease)
    other = store.take_lock(info, None)
    if other is None:
        return HeldLock(store, info, clock), None
    if not (other.holder_died() or other.ended(clock())):
        return other, None
    now_held = store.take_lock(info, other.id)
    if now_held is not None:  # another was quicker
        return now_held, None
    return HeldLock(store, info, clock), other


def lock_awaited(other: LockInfo, left: float) -> Diagnostic:
    return Diagnostic(
        name="lock-awaited",
        severity="note",
        summary="Acquiring state lock. This may take a few moments...",  # Terraform's words
        detail=f"It is held by {_holder(other)}. The wait ends in {max(1, round(left))} s.",
    )


def _holder(other: LockInfo) -> str:
    process = f" (process {other.pid})" if other.pid else ""
    return f"{other.who} on {other.host}{process} since {to_rfc3339(other.since)}, for {other.operation}"


def lock_held(other: LockInfo) -> LockHeld:
    return LockHeld(
        "lock-held",
        f"The recorded state is locked by {_holder(other)}.",
        f"Wait for it with --lock-timeout 5m. If that run is certainly over: `provisioner force-unlock {other.id}`.",
    )


def force_unlock(store: Store, lock_id: str) -> LockInfo:
    """Breaks the lock of this id and returns it. Raises LockHeld "lock-not-held" where another or none is held."""
    held = store.peek_lock()
    if held is not None and held.id == lock_id and store.drop_lock(lock_id):
        return held
    detail = "No lock is held." if held is None else f"The lock that is held is {held.id}, of {held.who}."
    raise LockHeld(
        "lock-not-held", f"The lock {lock_id} is not held.", f"{detail} See `provisioner state lock --json`."
    )


class HeldLock:
    """A lock of ours, renewed by a thread of its own. A context manager; `release` may be called twice, and never
    removes a lock that another took meanwhile."""

    def __init__(self, store: Store, info: LockInfo, clock: Callable[[], datetime]) -> None:
        self.store = store
        self.info = info
        self.taken_over: LockInfo | None = None
        self.lost = False  # another holds it now, as far as the last renewal knows
        self._clock = clock
        self._renewed = _elapsed()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def notices(self) -> list[Diagnostic]:
        if self.taken_over is None:
            return []
        other = self.taken_over
        return [
            Diagnostic(
                name="lock-taken-over",
                severity="warning",
                summary=f"The lock of {other.who} on {other.host} (process {other.pid}) was taken over.",
                detail=f"It was held since {to_rfc3339(other.since)} for {other.operation}, and its holder is gone. "
                "What that run left without an outcome is in doubt; an apply settles it first, or says what to do.",
            )
        ]

    def lapsed(self) -> bool:
        """Whether the lease may be over: another may hold the lock. Counts the time that the machine slept."""
        return self.lost or _elapsed() - self._renewed > self.info.lease

    def start(self) -> None:
        self._thread = threading.Thread(target=self._keep, name="lock-renewal", daemon=True)
        self._thread.start()

    def release(self) -> None:
        if self._stop.is_set():
            return
        self._stop.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()
        with suppress(StoreFailed):  # it ends with its lease, or with this process
            self.store.drop_lock(self.info.id)

    def abandon(self) -> None:
        """Leaves the lock to whoever takes it over from a dead process: `release` does nothing any more."""
        self._stop.set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.release()

    def _keep(self) -> None:
        while not self._stop.wait(self.info.lease / RENEWALS):
            started = _elapsed()
            self.info = replace(self.info, renewed=self._clock())
            try:
                kept = self.store.renew_lock(self.info)
            except StoreFailed:
                continue  # not reached this time; the lease has room for more tries
            if not kept:
                self.lost = True
                return
            self._renewed = started


def _elapsed() -> float:
    """Seconds that pass while a laptop sleeps, too; `monotonic` stands still then."""
    boottime = getattr(time, "CLOCK_BOOTTIME", None)
    return time.clock_gettime(boottime) if boottime is not None else time.time()
