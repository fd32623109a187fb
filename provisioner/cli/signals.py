"""Interrupts. While an apply runs, the first signal asks it to stop, the second to leave at once; while `token`,
`run` or `authorize` has a request on its way, the first lets it end; otherwise any interrupts.

`SIGHUP` (a closed terminal) and `SIGTERM` count as `SIGINT`: dying without an unlock would leave the next run a riddle.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from types import FrameType

_SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))

_PATIENCE = 2  # signals that an apply is asked by; one more interrupts wherever the main thread is
_asked: list[Callable[[], None]] = []  # what a signal calls, once an entry; a process has one set of handlers
_came: list[int] = []  # the signals of this command


_HEARD = b"\nInterrupted. What is on its way is waited for and recorded; a second time leaves at once.\n"


def _received(number: int, frame: FrameType | None) -> None:
    _came.append(number)
    if _asked:
        _asked.pop()()
        if len(_came) == 1:
            _say_so()
        return
    raise KeyboardInterrupt


def _say_so() -> None:
    """To a person at a terminal, who would else press again. Past the streams: one may be in the middle of a write."""
    with suppress(OSError):  # the terminal may be what has gone
        if os.isatty(2):
            os.write(2, _HEARD)


@contextmanager
def installed() -> Iterator[None]:
    """Our handlers for the time of one command; in a thread that is not the main one, nothing changes."""
    _came.clear()
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


def leaving() -> bool:
    """Whether a second signal came: nothing is waited for any more."""
    return len(_came) > 1


@contextmanager
def first_asks(stop: Callable[[], None], patience: int = _PATIENCE) -> Iterator[None]:
    """The first two signals (or as many as `patience`) call `stop`; the one after them interrupts."""
    _asked.extend([stop] * patience)
    try:
        yield
    finally:
        _asked.clear()


def one_asks(stop: Callable[[], None]) -> AbstractContextManager[None]:
    """For what runs in the main thread: only an interrupt there can leave a request that is on its way."""
    return first_asks(stop, patience=1)
