"""The fault matrix: every way in which an answer can fail to come, at every request of every scene.

    python tests/reliability/matrix.py                      all of it (`make sweep`)
    python tests/reliability/matrix.py --changes            at the requests that change something (`make nights`)
    python tests/reliability/matrix.py --scene NAME --fault KIND --at N      one trial, told in full

A dry pass lists a scene's requests. Each is met by each fault in a trial of its own, from the same photograph; then the
vendors are well again and the same thing is run with nobody's help.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from judges import Facts, Verdict
from night import Ended, Night
from rehearsal import Faultless, recovered, rehearse
from scenes import SCENES, Scene

# Each vendor's own way to ask for patience.
SLOW_DOWN = {
    "eztexting": {"X-Rate-Limit-Retry-After-Milliseconds": "1500"},
    "smscx": {"Retry-After": "1", "X-Rate-Limit-Remaining": "0"},
    "textmaster": {"Retry-After": "1"},
    "textking": {},
    "oauth2": {"Retry-After": "2"},
}
SHORT = 0.7  # seconds that a run waits for an answer where one stalls


@dataclass(frozen=True)
class Kind:
    """One way to fail. `arm` None: the connection is refused by the kernel, and no vendor hears of it. `certain`: it is
    plain to the client that nothing was done, so nothing may be lost or in doubt. `harmless`: nothing may go wrong."""

    name: str
    arm: dict[str, Any] | None = None
    certain: bool = False
    harmless: bool = False
    timeout: float | None = None


def kinds() -> Iterator[Kind]:
    yield Kind("refused", None, certain=True)
    yield Kind("dropped-at-the-door", {"kind": "refuse"})
    for when in ("before", "after"):
        yield Kind(f"reset-{when}", {"kind": "reset", "when": when})
        yield Kind(f"stall-{when}", {"kind": "stall", "when": when, "seconds": 2}, timeout=SHORT)
        for status in (500, 502, 503):
            yield Kind(f"{status}-{when}", {"kind": "status", "status": status, "when": when})
        for kind in ("truncate", "html", "redirect", "wrong-shape"):
            yield Kind(f"{kind}-{when}", {"kind": kind, "when": when})
    yield Kind("429", {"kind": "status", "status": 429}, certain=True)
    yield Kind("slow", {"kind": "slow", "seconds": 0.2}, harmless=True)


KINDS = {kind.name: kind for kind in kinds()}


@dataclass(frozen=True)
class Asked:
    """One request of a dry pass. `point` is its number among the points, `nth` which one it is of its path."""

    point: int
    method: str
    path: str
    nth: int

    @property
    def changes(self) -> bool:
        """By method; the introspection of a token is a POST that reads."""
        return self.method != "GET" and "introspect" not in self.path


def requests(points: list[str], vendor: str) -> list[Asked]:
    found: list[Asked] = []
    for number, name in enumerate(points):
        if not (name.startswith("send") and name.endswith(":before")):
            continue
        _, method, url = name.removesuffix(":before").split(" ", 2)
        # Below the vendor's segment, which RFC 8414 section 3.1 puts behind the well-known part.
        path = url.removeprefix(f"/{vendor}").removesuffix(f"/{vendor}").partition("sandbox-dyn-")[0]
        found.append(Asked(number, method, path, 1 + sum(path in earlier.path for earlier in found)))
    return found


@dataclass
class Cell:
    """One request of one scene against every kind of fault."""

    scene: str
    request: str
    tried: int = 0
    survived: int = 0
    lost: int = 0
    doubts: int = 0
    beyond: int = 0
    orphans: int = 0
    seconds: float = 0.0
    failures: list[str] = field(default_factory=list)


def trial(
    night: Night, scene: Scene, faultless: Faultless, asked: Asked, kind: Kind
) -> tuple[Verdict, Facts, list[Ended]]:
    verdict = Verdict()
    night.put_back(scene.name)
    fate: dict[str, Any] = {"timeout": kind.timeout}
    if kind.arm is None:
        fate |= {"at": asked.point, "act": "refuse"}
    else:
        extra: dict[str, Any] = {"headers": SLOW_DOWN[scene.vendor]} if kind.name == "429" else {}
        night.control("faults", vendor=scene.vendor, path=asked.path, nth=asked.nth, **kind.arm, **extra)
    struck = scene.run(night, **fate)
    left = night.control("faults", "GET")
    verdict.must(not left, f"the fault never struck: {left}")
    night.control("faults", "DELETE")
    verdict.must(struck.code in (0, 1, 3, 8), f"it ended with {struck.code}")
    verdict.sound(struck)
    verdict.chain(night)
    if kind.harmless:
        verdict.must(struck.code == faultless.codes[0], f"a slow answer made it exit {struck.code}")
    certain = kind.harmless or not asked.changes or (kind.certain and "purchase" not in asked.path)
    now, told = recovered(verdict, night, scene, faultless, flying=not certain)
    return verdict, now, [struck, *told]


def meet(
    night: Night, scene: Scene, faultless: Faultless, asked: Asked, chosen: Iterable[Kind] = KINDS.values()
) -> Cell:
    """One request against the kinds that are chosen."""
    began = time.monotonic()
    cell = Cell(scene.name, f"{asked.method} {asked.path}")
    for kind in chosen:
        verdict, now, told = trial(night, scene, faultless, asked, kind)
        cell.tried += 1
        cell.lost += bool(now.lost())
        cell.doubts += bool(now.doubts)
        cell.beyond += max(0, sum(now.bought) - faultless.bought)
        cell.orphans += sum("nobody knows of" in fault for fault in verdict.faults)
        cell.survived += not verdict.faults
        if verdict.faults:
            again = f"python tests/reliability/matrix.py --scene {scene.name} --fault {kind.name} --at {asked.point}"
            head = f"{kind.name} at {cell.request}: {again}"
            cell.failures.append("\n".join([head, *verdict.faults, *map(str, told[:2])]))
    cell.seconds = time.monotonic() - began
    return cell


def matrix(night: Night, scene: Scene, select: Callable[[Asked], bool] = lambda _asked: True) -> list[Cell]:
    faultless = rehearse(night, scene)
    return [meet(night, scene, faultless, asked) for asked in requests(faultless.points, scene.vendor) if select(asked)]


def _matrix_alone(name: str, changes: bool) -> list[Cell]:
    """In a worker process: a night of its own."""
    scene = next(scene for scene in SCENES if scene.name == name)
    with tempfile.TemporaryDirectory(prefix="matrix-") as folder, Night(Path(folder)) as night:
        night.photograph("empty")
        return matrix(night, scene, lambda asked: asked.changes or not changes)


COUNTS = ("tried", "survived", "lost", "doubts", "beyond", "orphans")
HEAD = f"{'scene':<28}{'request':<42}" + "".join(f"{name:>10}" for name in COUNTS)


def sums(rows: list[Cell]) -> list[Cell]:
    """One of each vendor and one of all."""
    vendors = {scene.name: scene.vendor for scene in SCENES}
    each = (_sum(f"all of {v}", [r for r in rows if vendors[r.scene] == v]) for v in dict.fromkeys(vendors.values()))
    return [*(row for row in each if row.tried), _sum("all", rows)]


def _sum(name: str, rows: list[Cell]) -> Cell:
    whole = Cell(name, f"{len(rows)} requests")
    for row in rows:
        for key in COUNTS:
            setattr(whole, key, getattr(whole, key) + getattr(row, key))
    return whole


def _line(row: Cell) -> str:
    return f"{row.scene:<28}{row.request[:41]:<42}" + "".join(f"{getattr(row, name):>10}" for name in COUNTS)


def one(name: str, fault: str, at: int) -> int:
    scene = next(scene for scene in SCENES if scene.name == name)
    with tempfile.TemporaryDirectory(prefix="matrix-") as folder, Night(Path(folder)) as night:
        night.photograph("empty")
        faultless = rehearse(night, scene)
        found = requests(faultless.points, scene.vendor)
        for asked in found:
            print(f"{asked.point:>4} {asked.method} {asked.path}{'   <--' if asked.point == at else ''}")
        chosen = [asked for asked in found if asked.point == at]
        if not chosen:
            return 0
        verdict, _, told = trial(night, scene, faultless, chosen[0], KINDS[fault])
        print(*told, night.run("history"), night.run("show"), sep="\n")
        print("\n".join(verdict.faults) or "survived")
        return bool(verdict.faults)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scene", action="append", help="only these; by name or a part of it")
    parser.add_argument("--fault", choices=sorted(KINDS))
    parser.add_argument("--at", type=int, help="one request of one scene, by its point; -1 lists them")
    parser.add_argument("--changes", action="store_true", help="only the requests that change something")
    parser.add_argument("--workers", type=int, default=6, help="at once; most of a stall is waiting")
    typed = parser.parse_args()
    names = [s.name for s in SCENES if not typed.scene or any(part in s.name for part in typed.scene)]
    if typed.at is not None:
        return one(names[0], typed.fault or "reset-after", typed.at)
    cells: list[Cell] = []
    print(HEAD, flush=True)
    with ProcessPoolExecutor(typed.workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        for found in pool.map(_matrix_alone, names, [typed.changes] * len(names)):
            cells += found
            print(*map(_line, found), sep="\n", flush=True)
            for failure in (failure for cell in found for failure in cell.failures):
                print(failure, end="\n\n", file=sys.stderr)
    print(*map(_line, sums(cells)), sep="\n")
    return int(any(cell.failures for cell in cells))


if __name__ == "__main__":
    sys.exit(main())
