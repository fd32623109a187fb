"""How many threads carry out a plan's steps, and where they run.

Python runs one thread at a time, and a creation keeps it busy for 0.9 ms; fifty threads at a vendor that takes 50 ms
spend another 9 ms of each step waiting for its two entries. Woken across cores they lose a fifth: 1,000 tokens took
1.58 s, and 1.38 s on one core. 5,000 tokens, 50 requests at a time, beside the least that the latency allows, each pair
of figures from one run (docs/performance.md):

    fifty threads on one core, and sixty, of which 50 may have announced what is not answered yet   1.24, 1.20
    sixty, of which 50 may, and sixty, of which 54 may                                              1.24, 1.18
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress

FEW = 10  # threads that hardly ever meet; they are left as they are


def count(parallelism: int, steps: int) -> int:
    """Beyond a few, one more for each five: they write entries while others wait for their answers."""
    more = parallelism // 5 if parallelism > FEW else 0
    return max(1, min(parallelism + more, steps))


def most_announced(parallelism: int) -> int:
    """How many changes may be announced and unanswered at a time, which is what a killed run leaves open. One more for
    each ten, because some of them wait for their intent to be durable. How many requests a provider has in flight
    stays `parallelism` (`net.limits.Pace`)."""
    more = parallelism // 10 if parallelism > FEW else 0
    return max(1, parallelism + more)


def together() -> None:
    """Keeps the calling thread on the core that all threads of this process share. Other processes, and the main
    thread with the commands that it starts, run where they like. Does nothing where a system does not let us."""
    if sys.platform == "linux":
        with suppress(OSError):
            cores = sorted(os.sched_getaffinity(0))
            os.sched_setaffinity(0, {cores[os.getpid() % len(cores)]})  # 0: this thread
