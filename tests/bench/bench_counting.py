"""Runs the product in this process and counts what it makes durable: flushes, and the bytes behind them.

    python bench_counting.py REPORT COMMAND [ARGUMENT]...

Each `fsync` of a regular file counts the bytes by which it grew since the last one (its whole size the first time),
each of a directory counts as a flush without bytes. The report is JSON: `flushes`, `bytes`, `code`.
"""

from __future__ import annotations

import json
import os
import stat
import sys
from pathlib import Path

_sizes: dict[tuple[int, int], int] = {}
counted = {"flushes": 0, "bytes": 0}
_fsync, _fdatasync = os.fsync, os.fdatasync


def _count(file: int) -> None:
    found = os.fstat(file)
    counted["flushes"] += 1
    if stat.S_ISREG(found.st_mode):
        key = (found.st_dev, found.st_ino)
        counted["bytes"] += max(0, found.st_size - _sizes.get(key, 0))
        _sizes[key] = found.st_size


def _counted_fsync(file: int) -> None:
    _count(file)
    _fsync(file)


def _counted_fdatasync(file: int) -> None:
    _count(file)
    _fdatasync(file)


def main() -> None:
    report, words = Path(sys.argv[1]), sys.argv[2:]
    os.fsync, os.fdatasync = _counted_fsync, _counted_fdatasync  # type: ignore[assignment]  # the same call, counted
    from provisioner.cli.main import main as run

    for segment in Path("state").rglob("*.jsonl"):
        found = segment.stat()
        _sizes[found.st_dev, found.st_ino] = found.st_size
    code = run(words)
    report.write_text(json.dumps(counted | {"code": code}), encoding="utf-8")


if __name__ == "__main__":
    main()
