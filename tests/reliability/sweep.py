"""The sweep: every scene, ended at every point by SIGKILL, by one signal, by two, or by a disk that is full from there
on; then run again with nobody's help.

    python tests/reliability/sweep.py                   every point of every scene, in all four ways (`make sweep`)
    python tests/reliability/sweep.py --act kill --scene NAME --at N   one trial, told in full

A dry pass counts the points of a scene; then each is a trial of its own from the same photograph. The points are those
of `nursery.py`: before, in the middle of and after everything that is written durably, before and after every request.
"""

from __future__ import annotations

import argparse
import multiprocessing
import re
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from judges import Facts, Verdict, announced, chain, facts
from night import Ended, Night
from rehearsal import Faultless, recovered, rehearse
from scenes import SCENES, Scene

# The signals by turns, so that each point of the sweep meets one of them.
ACTS = ("kill", "once", "twice", "full")
SIGNALS = ("INT", "TERM", "HUP")
DURABLE = re.compile(r"^(store (append|segment|key)|send (POST|PUT|DELETE)|rescue)")


@dataclass
class Tally:
    """One scene's trials of one kind."""

    scene: str
    act: str = "kill"
    points: int = 0
    tried: int = 0
    survived: int = 0
    requests: int = 0
    lost: int = 0  # trials after which a token stands as lost
    doubts: int = 0  # trials after which something stays in doubt
    beyond: int = 0  # credits bought beyond the faultless run
    orphans: int = 0  # live tokens that nobody knows of
    seconds: float = 0.0
    failures: list[str] = field(default_factory=list)


def in_flight(points: Sequence[str], at: int) -> bool:
    """Whether, at this point, something is announced durably whose end is not: only then may anything be lost."""
    open_ = 0
    for name in points[: at + 1]:
        if name.startswith("store append") and name.endswith(":after"):
            announced = len(re.findall(r"intent\(", name))
            open_ += announced - min(open_ + announced, len(re.findall(r"outcome|settled", name)))
    return open_ > 0


def everywhere(points: Sequence[str]) -> list[int]:
    return list(range(len(points)))


def vital(points: Sequence[str]) -> list[int]:
    """Of each change that is sent: announced and not sent, answered and not looked at, its outcome not yet written.
    What lies between two of these is told apart by no one who looks from outside."""
    found: list[int] = []
    for number, name in enumerate(points):
        if not re.fullmatch(r"store append .*intent\(.*:after", name):
            continue
        after = range(number + 1, len(points))
        sent = next((n for n in after if re.fullmatch(r"send (POST|PUT|DELETE) .*:after", points[n])), None)
        ended = re.compile(r"store append .*(outcome|settled).*:before")
        written = next((n for n in after if ended.fullmatch(points[n])), None)
        found += [at for at in (number, sent, written) if at is not None and at not in found]
    return found


def essential(points: Sequence[str]) -> list[int]:
    """Before and after everything durable and every change that is sent, once where one's end is the next one's
    beginning. Reads, the lock and half-written files are left to the whole sweep."""
    found: list[int] = []
    last = -1
    for number, name in enumerate(points):
        if name == "bytes:torn":
            continue
        same_moment = name.endswith(":before") and last == number - 1 and points[last].endswith(":after")
        if DURABLE.match(name) and not (same_moment and last in found):
            found.append(number)
        last = number
    return found


def trial(
    night: Night, scene: Scene, faultless: Faultless, at: int, act: str = "kill"
) -> tuple[Verdict, Facts, list[Ended]]:
    """Ends one run at point `at`, runs again, and judges."""
    verdict, told = Verdict(), []
    night.put_back(scene.name)
    ended = scene.run(night, at=at, act=SIGNALS[at % len(SIGNALS)] if act == "once" else act)
    told.append(ended)
    flying = in_flight(faultless.points, at)
    _ended_as_it_must(verdict, night, ended, faultless, act)
    verdict.chain(night)
    now = facts(night)
    if scene.serves:
        verdict.true(now)  # at every moment what is recorded as live works
    now, after = recovered(verdict, night, scene, faultless, flying=flying and act != "once")
    told += after
    return verdict, now, told


def _ended_as_it_must(verdict: Verdict, night: Night, ended: Ended, faultless: Faultless, act: str) -> None:
    """How the run itself may end. Near its end there may be nothing left that the signal or the disk could stop."""
    if act == "kill":
        verdict.must(ended.signal == 9, f"it was not killed: {ended.code}")
        return
    verdict.sound(ended)
    stopped = 1 if act == "full" else 130
    verdict.must(ended.code in (stopped, faultless.codes[0]), f"it exits {ended.code}")
    if act == "once":
        try:
            left = announced(chain(night)) - faultless.open
        except AssertionError:
            return  # said by the judge of the chain
        verdict.must(not left, f"what was in flight did not end: {left}")


def sweep(
    night: Night,
    scene: Scene,
    select: Callable[[Sequence[str]], list[int]] = everywhere,
    act: str = "kill",
    faultless: Faultless | None = None,
) -> Tally:
    """All trials of one scene in one way."""
    began = time.monotonic()
    faultless = faultless or rehearse(night, scene)
    tally = Tally(scene.name, act, points=len(faultless.points))
    for at in select(faultless.points):
        name = faultless.points[at]
        verdict, now, told = trial(night, scene, faultless, at, act)
        tally.tried += 1
        tally.requests += name.startswith("send")
        tally.lost += bool(now.lost())
        tally.doubts += bool(now.doubts)
        tally.beyond += max(0, sum(now.bought) - faultless.bought)
        tally.orphans += sum("nobody knows of" in fault for fault in verdict.faults)
        if verdict.faults:
            again = f"python tests/reliability/sweep.py --act {act} --scene {scene.name} --at {at}"
            tally.failures.append("\n".join([f"{act} at {at} ({name}): {again}", *verdict.faults, *map(str, told[:2])]))
        else:
            tally.survived += 1
    tally.seconds = time.monotonic() - began
    return tally


def _sweep_alone(name: str, acts: Sequence[str]) -> list[Tally]:
    """In a worker process: a night of its own."""
    scene = next(scene for scene in SCENES if scene.name == name)
    with tempfile.TemporaryDirectory(prefix="sweep-") as folder, Night(Path(folder)) as night:
        night.photograph("empty")
        faultless = rehearse(night, scene)
        return [sweep(night, scene, everywhere, act, faultless) for act in acts]


COUNTS = ("points", "tried", "survived", "lost", "doubts", "beyond", "orphans")


HEAD = f"{'scene':<28}{'ended by':<10}" + "".join(f"{name:>10}" for name in (*COUNTS, "seconds"))


def sums(rows: list[Tally]) -> list[Tally]:
    """One of each vendor and one of all."""
    vendors = {scene.name: scene.vendor for scene in SCENES}
    each = (_sum(f"all of {v}", [r for r in rows if vendors[r.scene] == v]) for v in dict.fromkeys(vendors.values()))
    return [*(row for row in each if row.tried), _sum("all", rows)]


def _sum(name: str, rows: list[Tally]) -> Tally:
    whole = Tally(name, "")
    for row in rows:
        for key in (*COUNTS, "seconds"):
            setattr(whole, key, getattr(whole, key) + getattr(row, key))
    return whole


def _line(row: Tally) -> str:
    counts = "".join(f"{getattr(row, name):>10}" for name in COUNTS)
    return f"{row.scene:<28}{row.act:<10}{counts}{row.seconds:>10.1f}"


def one(name: str, at: int, act: str) -> int:
    scene = next(scene for scene in SCENES if scene.name == name)
    with tempfile.TemporaryDirectory(prefix="sweep-") as folder, Night(Path(folder)) as night:
        night.photograph("empty")
        faultless = rehearse(night, scene)
        for number, point in enumerate(faultless.points):
            print(f"{number:>4} {point}{'   <--' if number == at else ''}")
        if at < 0:
            return 0
        verdict, _, told = trial(night, scene, faultless, at, act)
        print(*told, night.run("history"), night.run("show"), sep="\n")
        print("\n".join(verdict.faults) or "survived")
        return bool(verdict.faults)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scene", action="append", help="only these; by name or a part of it")
    parser.add_argument("--at", type=int, help="one point of one scene; -1 lists them")
    parser.add_argument("--act", action="append", choices=ACTS, help="only these ways to end a run")
    parser.add_argument("--workers", type=int, default=3)
    typed = parser.parse_args()
    names = [s.name for s in SCENES if not typed.scene or any(part in s.name for part in typed.scene)]
    if typed.at is not None:
        return one(names[0], typed.at, (typed.act or ACTS)[0])
    tallies: list[Tally] = []
    print(HEAD, flush=True)
    with ProcessPoolExecutor(typed.workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        for found in pool.map(_sweep_alone, names, [typed.act or ACTS] * len(names)):
            tallies += found
            print(*map(_line, found), sep="\n", flush=True)
            for failure in (failure for tally in found for failure in tally.failures):
                print(failure, end="\n\n", file=sys.stderr)
    print(*map(_line, sums(tallies)), sep="\n")
    return int(any(tally.failures for tally in tallies))


if __name__ == "__main__":
    sys.exit(main())
