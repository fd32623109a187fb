"""Stopping: the first signal starts nothing new, the second leaves at once (design section 3). Who asks is up to the
caller: the command line's handlers are `cli/signals.py`."""

from __future__ import annotations

import time

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
