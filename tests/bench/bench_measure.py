"""Measuring commands fairly: in turn, so that what else runs on the machine hits all of them, and by medians."""

from __future__ import annotations

import json
import math
import statistics
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

CHILD = Path(__file__).parent / "bench_child.py"


class CommandFailed(Exception):
    """A measured command ended with another code than it should."""


@dataclass(frozen=True)
class Cost:
    """Of one run, or the medians of several. `wall` and `cpu` in seconds, `mb` peak memory, `written` bytes by any
    write call (standard output included)."""

    wall: float
    cpu: float
    mb: float
    written: int = 0


@dataclass(frozen=True)
class Command:
    """`codes` are the exit codes that mean success. `before` prepares each run and is not measured."""

    words: Sequence[str]
    cwd: Path
    environ: Mapping[str, str]
    codes: tuple[int, ...] = (0,)
    before: Callable[[], None] | None = None


def once(command: Command, stdout: Path | None = None) -> Cost:
    """Raises CommandFailed with the end of what the command said."""
    if command.before is not None:
        command.before()
    ended = subprocess.run(
        [sys.executable, "-I", "-S", str(CHILD), str(stdout or "-"), *command.words],
        cwd=command.cwd,
        env=dict(command.environ),
        capture_output=True,
        text=True,
        check=True,
    )
    found = json.loads(ended.stdout)
    if found["code"] not in command.codes:
        raise CommandFailed(f"{' '.join(command.words)} ended with {found['code']}:\n{ended.stderr[-2000:]}")
    return Cost(found["wall"], found["cpu"], found["mb"], found["written"])


def in_turn(times: int, commands: Mapping[str, Command], *, warm: bool = True) -> dict[str, Cost]:
    """The median cost of each, by turns: A B C A B C ... `warm`: one round before, for byte code and the file cache."""
    if warm:
        for command in commands.values():
            once(command)
    runs: dict[str, list[Cost]] = {name: [] for name in commands}
    for _ in range(times):
        for name, command in commands.items():
            runs[name].append(once(command))
    return {name: median(found) for name, found in runs.items()}


def median(costs: Sequence[Cost]) -> Cost:
    return Cost(
        wall=statistics.median(c.wall for c in costs),
        cpu=statistics.median(c.cpu for c in costs),
        mb=statistics.median(c.mb for c in costs),
        written=int(statistics.median(c.written for c in costs)),
    )


def exponent(points: Mapping[int, float]) -> float:
    """k of cost = c N^k: the slope of log(cost) over log(N), by least squares."""
    xs, ys = [math.log(n) for n in points], [math.log(v) for v in points.values()]
    mx, my = statistics.fmean(xs), statistics.fmean(ys)
    return sum((x - mx) * (y - my) for x, y in zip(xs, ys, strict=True)) / sum((x - mx) ** 2 for x in xs)
