"""Counts instead of times: flushes, the bytes behind them, and function calls. They are the same on every machine.

    python bench_counting.py REPORT COMMAND [ARGUMENT]...

runs the product in this process and writes what it made durable as JSON: `flushes`, `bytes`, `code`.
"""

from __future__ import annotations

import json
import os
import stat
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass
class Durable:
    """Each `fsync` of a regular file counts the bytes by which it grew since the last one (its whole size the first
    time), each of a directory counts as a flush without bytes. `slow`: seconds that each flush takes longer, as on an
    ordinary disk, so that how many share one does not hang on the machine."""

    slow: float = 0.0
    flushes: int = 0
    bytes: int = 0
    _sizes: dict[tuple[int, int], int] = field(default_factory=dict)
    _turn: threading.Lock = field(default_factory=threading.Lock)

    def know(self, folder: Path) -> None:
        """What lies in the journals below `folder` is durable already."""
        for segment in folder.rglob("*.jsonl"):
            found = segment.stat()
            self._sizes[found.st_dev, found.st_ino] = found.st_size

    @contextmanager
    def counting(self) -> Iterator[None]:
        """Replaces `os.fsync` and `os.fdatasync` for the time of the block; they still do what they do."""
        sync, datasync = os.fsync, os.fdatasync
        os.fsync, os.fdatasync = self._counted(sync), self._counted(datasync)  # type: ignore[assignment]  # counted
        try:
            yield
        finally:
            os.fsync, os.fdatasync = sync, datasync

    def _counted(self, flush: Callable[[Any], None]) -> Callable[[Any], None]:
        def counted(file: Any) -> None:
            self._count(os.fstat(file))
            flush(file)
            if self.slow:
                time.sleep(self.slow)

        return counted

    def _count(self, found: os.stat_result) -> None:
        with self._turn:
            self.flushes += 1
            if stat.S_ISREG(found.st_mode):
                key = (found.st_dev, found.st_ino)
                self.bytes += max(0, found.st_size - self._sizes.get(key, 0))
                self._sizes[key] = found.st_size


def calls(work: Callable[[], object]) -> int:
    """How many functions `work` calls in this thread, Python's and C's. Nothing of it may be cached by an earlier
    call: see `forget_caches`."""
    count = 0

    def seen(_frame: object, event: str, _argument: object) -> None:
        nonlocal count
        if event in ("call", "c_call"):
            count += 1

    before = sys.getprofile()
    sys.setprofile(seen)
    try:
        work()
    finally:
        sys.setprofile(before)
    return count


def forget_caches() -> None:
    """Empties what the product's modules keep by `functools.lru_cache`, as a new process would find it."""
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] == "provisioner":
            for value in list(vars(module).values()):
                if hasattr(value, "cache_clear"):
                    value.cache_clear()


def main() -> None:
    report, words = Path(sys.argv[1]), sys.argv[2:]
    durable = Durable()
    durable.know(Path("state"))
    from provisioner.cli.main import main as run

    with durable.counting():
        code = run(words)
    found = {"flushes": durable.flushes, "bytes": durable.bytes, "code": code}
    report.write_text(json.dumps(found), encoding="utf-8")


if __name__ == "__main__":
    main()
