"""Stopping: the first signal starts nothing new, the second leaves at once (design section 3)."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from provisioner.errors import Interrupted

_SLICE = 0.05  # seconds between two looks at the flag


class StopFlag:
    """How often somebody asked to stop. A signal handler writes it, so it holds no lock: one that the interrupted
    thread already has would hang the process."""

    def __init__(self) -> None:
        self._asked = 0

    def ask(self) -> None:
        self._asked += 1

    @property
    def stopping(self) -> bool:
        """Start nothing new; let what is in flight end."""
        return self._asked > 0

    @property
    def leaving(self) -> bool:
        """Leave now; what is in flight stays in doubt by its intent."""
        return self._asked > 1

    def wait(self, seconds: float) -> bool:
        """Sleeps, and returns True as soon as somebody asks to stop."""
        end = time.monotonic() + seconds
        while not self.stopping:
            left = end - time.monotonic()
            if left <= 0:
                return False
            time.sleep(min(left, _SLICE))
        return True


@contextmanager
def handled(stop: StopFlag) -> Iterator[StopFlag]:
    """SIGINT and SIGTERM ask `stop`. A third one raises Interrupted wherever the main thread is.

    Only the main thread can take signals; elsewhere (a test, an embedding program) this changes nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        if stop.leaving:
            raise Interrupted("interrupted", "stopped by a signal", "What is recorded is complete up to here.")
        stop.ask()

    before = {number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
