"""Interrupts. While an apply runs, the first signal asks it to stop, the second to leave at once; otherwise any
interrupts.

`SIGHUP` (a closed terminal) and `SIGTERM` count as `SIGINT`: dying without an unlock would leave the next run a riddle.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))

_PATIENCE = 2  # signals that an apply is asked by; one more interrupts wherever the main thread is
_asked: list[Callable[[], None]] = []  # what a signal calls, once an entry; a process has one set of handlers


def _received(number: int, frame: FrameType | None) -> None:
    if _asked:
        _asked.pop()()
        return
    raise KeyboardInterrupt


@contextmanager
def installed() -> Iterator[None]:
    """Our handlers for the time of one command; in a thread that is not the main one, nothing changes."""
    try:
        before = {number: signal.signal(number, _received) for number in _SIGNALS}
    except ValueError:
        yield
        return
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def first_asks(stop: Callable[[], None]) -> Iterator[None]:
    """The first two signals call `stop`; the one after them interrupts."""
    _asked.extend([stop] * _PATIENCE)
    try:
        yield
    finally:
        _asked.clear()
