"""Many threads on one core: Python runs one of them at a time anyway, and woken across cores they lose a third of it.

Fifty threads at a vendor that takes 50 ms: 1,000 tokens in 1.38 s on one core, 1.58 s on two (docs/performance.md).
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress

FEW = 10  # threads that hardly ever meet; they are left where the system puts them


def together() -> None:
    """Keeps the calling thread on the core that all threads of this process share. Other processes, and the main
    thread with the commands that it starts, run where they like. Does nothing where a system does not let us."""
    if sys.platform == "linux":
        with suppress(OSError):
            cores = sorted(os.sched_getaffinity(0))
            os.sched_setaffinity(0, {cores[os.getpid() % len(cores)]})  # 0: this thread
