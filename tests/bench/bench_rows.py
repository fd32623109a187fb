"""The rows of the benchmark that set the product beside Terraform or beside Python itself: one function a row.

Each yields `Row`s. `value` is the ratio (or the absolute figure) that is judged: it is to be at most `at_most`, and
`go_on_to` is what is physically there. Both come from docs/performance.md's table of targets.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from bench_measure import Command, Cost, exponent, in_turn, once

if TYPE_CHECKING:
    from bench_world import World


@dataclass(frozen=True)
class Row:
    """`unit`: what the value counts, as in "x terraform plan". `figures` are the costs behind it, by program."""

    name: str
    value: float
    unit: str
    at_most: float | None = None
    go_on_to: float | None = None
    figures: dict[str, Any] = field(default_factory=dict)

    @property
    def met(self) -> bool | None:
        return None if self.at_most is None else self.value <= self.at_most


def _beside(
    name: str, ours: Cost, theirs: Cost, unit: str, at_most: float | None = None, go_on_to: float | None = None
) -> Row:
    figures = {"ours": asdict(ours), "beside": asdict(theirs)}
    return Row(name, ours.wall / theirs.wall, unit, at_most, go_on_to, figures)


def _repeats(count: int) -> int:
    return 15 if count <= 100 else 7 if count <= 1000 else 3


def starting(world: World) -> Iterator[Row]:
    """`--help`, `version`, completion: beside an empty Python and beside `terraform version`."""
    here = world.folder("start")
    commands = {
        "python": Command([sys.executable, "-I", "-c", "pass"], here, world.environ),
        "--help": world.our(here, "--help"),
        "version": world.our(here, "version"),
        "completion": world.our(here, "completion", "bash"),
    }
    if world.theirs is not None:
        commands["terraform"] = world.their(here, "version")
    found = in_turn(25, commands)
    for name in ("--help", "version", "completion"):
        yield _beside(name, found[name], found["python"], "x python -I -c pass", 2.5)
        if "terraform" in found:
            yield _beside(name, found[name], found["terraform"], "x terraform version", None, 0.7)


_VALIDATE = {1: (3.0, 0.9), 1000: (0.5, 0.25), 10_000: (0.2, 0.12)}
_PLAN = {1: (3.0, 0.8), 1000: (0.2, 0.05), 10_000: (0.06, 0.03)}


def reading(world: World, counts: list[int]) -> Iterator[Row]:
    """validate, a plan without changes and remote reads, `show --json`, a plan from nothing: ours and Terraform's."""
    for count in counts:
        ours, fresh = world.seeded(count), world.stack(count)
        commands = {
            "validate": world.our(ours, "validate"),
            "plan": world.our(ours, "plan", "--refresh=false"),
            "plan from nothing": world.our(fresh, "plan", "--refresh=false"),
            "show --json": world.our(ours, "show", "--json"),
            "audit": world.our(ours, "audit", codes=(0, 2)),
        }
        if world.theirs is None:
            for name, cost in in_turn(_repeats(count), commands).items():
                yield Row(f"{name}, N = {count:,}", cost.wall, "s", figures={"ours": asdict(cost)})
            continue
        theirs, empty = world.terraformed(count), world.terraformed(count, state=False)
        commands |= {
            "terraform validate": world.their(theirs, "validate"),
            "terraform plan": world.their(theirs, "plan", "-refresh=false"),
            "terraform plan from nothing": world.their(empty, "plan", "-refresh=false"),
            "terraform show --json": world.their(theirs, "show", "-json"),
        }
        found = in_turn(_repeats(count), commands, warm=count <= 1000)
        for name, limits in (("validate", _VALIDATE), ("plan", _PLAN), ("plan from nothing", {}), ("show --json", {})):
            at_most, go_on_to = limits.get(count, (None, None))
            told = "plan, no change" if name == "plan" else name
            unit = f"x terraform {name.replace('--json', '-json')}"
            yield _beside(f"{told}, N = {count:,}", found[name], found[f"terraform {name}"], unit, at_most, go_on_to)
        yield Row(f"audit, N = {count:,}", found["audit"].wall, "s", figures={"ours": asdict(found["audit"])})
        if count == 10_000:
            yield Row("peak memory of the plan, N = 10,000", found["plan"].mb, "MB", 150, 64, {
                "ours": asdict(found["plan"]), "beside": asdict(found["terraform plan"])
            })  # fmt: skip
        for folder in (ours, fresh, theirs, empty):
            world.forget(folder)


def huge(world: World) -> Iterator[Row]:
    """A plan of 100,000 tokens: absolute, because Terraform needs a minute for 30,000."""
    ours = world.seeded(100_000)
    cost = in_turn(2, {"plan": world.our(ours, "plan", "--refresh=false")}, warm=False)["plan"]
    yield Row("plan, no change, N = 100,000", cost.wall, "s", 8, 1.5, {"ours": asdict(cost)})
    yield Row("peak memory of that plan", cost.mb, "MB", 600, None, {"ours": asdict(cost)})
    world.forget(ours)


def growth(world: World, counts: list[int]) -> Iterator[Row]:
    """CPU over N, for each form of the declaration and each command that reads everything."""
    for form in ("tables", "for_each", "consumers"):
        costs: dict[str, dict[int, float]] = {}
        for count in counts:
            ours = world.seeded(count, form=form)
            commands = {
                "validate": world.our(ours, "validate"),
                "plan": world.our(ours, "plan", "--refresh=false"),
                "show --json": world.our(ours, "show", "--json"),
                "audit": world.our(ours, "audit", codes=(0, 2)),
            }
            for name, cost in in_turn(1 if count > 10_000 else 3, commands, warm=count <= 10_000).items():
                costs.setdefault(name, {})[count] = cost.cpu
            world.forget(ours)
        for name, points in costs.items():
            told = f"growth of {name}, {form}, {min(points):,} to {max(points):,}"
            yield Row(told, exponent(points), "exponent of CPU", 1.05, None, {"cpu": points})


def one_change(world: World) -> Iterator[Row]:
    """One application more, with 10,000 recorded: an apply that looks at nothing else.

    The first one after so large an apply also writes a checkpoint, and until two seconds later the segment before it is
    verified again; what is measured is each that comes after."""
    import bench_stacks as stacks

    latency = 0.05
    with world.vendor(latency * 1000) as vendor:
        ours = world.seeded(10_000, url=vendor.url)
        numbers = iter(range(10_000, 20_000))

        def declare() -> None:
            with (ours / "provisioner.toml").open("a", encoding="utf-8") as file:
                file.write(stacks.table(next(numbers)))

        apply = ("apply", "--auto-approve", "--refresh=false")
        once(world.our(ours, *apply, before=declare))
        time.sleep(2.5)
        cost = in_turn(3, {"apply": world.our(ours, *apply, before=declare)})["apply"]
        figures = {"ours": asdict(cost)}
        if world.theirs is not None:
            theirs = world.terraformed(10_000)
            text = stacks.terraform(10_000, 5000)
            (theirs / "main.tf").write_text(text, encoding="utf-8")
            beside = once(world.their(theirs, "apply", "-auto-approve", "-refresh=false"))
            figures["beside"] = asdict(beside)
            world.forget(theirs)
        yield Row("one change with 10,000 recorded, without its latency", cost.wall - latency, "s", 1, 0.5, figures)
        world.forget(ours)


def history(world: World) -> Iterator[Row]:
    """Opening 100 live objects behind 20,000 entries, and behind 200."""
    short, long = world.seeded(100), world.seeded(100, notes=20_000)
    time.sleep(2.5)  # older segments are remembered as verified once they are two seconds old
    found = in_turn(15, {"short": world.our(short, "state", "list"), "long": world.our(long, "state", "list")})
    yield _beside("opening behind 20,000 entries", found["long"], found["short"], "x behind 200", 1.2)
