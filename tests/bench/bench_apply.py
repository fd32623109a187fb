"""The rows of the benchmark about applies and remote reads, beside the least that the latency allows."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from bench_measure import Command, Cost, in_turn, median, once
from bench_rows import Row
from bench_world import HERE, Vendor, World

_LATENCY = 0.05  # seconds
# N, parallelism: at most, go on to
_APPLY = {(1000, 10): (1.25, 1.15), (1000, 50): (1.4, 1.25), (10_000, 50): (1.25, 1.10)}


def _fresh(world: World, folder: Path, *words: str, parallelism: int) -> Command:
    """An apply of a declaration of which nothing is recorded, each time."""

    def forget() -> None:
        shutil.rmtree(folder / "state", ignore_errors=True)
        shutil.rmtree(Path(world.environ["XDG_STATE_HOME"]), ignore_errors=True)

    given = ("apply", "--auto-approve", "--parallelism", str(parallelism), *words)
    return world.our(folder, *given, before=forget)


def applying(world: World, sizes: list[tuple[int, int]]) -> Iterator[Row]:
    """Creating N tokens at a vendor that takes 50 ms for each, every one announced and recorded durably."""
    with world.vendor(_LATENCY * 1000) as vendor:
        once(_fresh(world, world.stack(1, url=vendor.url), parallelism=1))  # byte code, and an identity
        for count, parallelism in sizes:
            folder = world.stack(count, url=vendor.url)
            runs = 3 if count <= 1000 else 1
            cost = median([once(_fresh(world, folder, parallelism=parallelism)) for _ in range(runs)])
            at_most, go_on_to = _APPLY.get((count, parallelism), (None, None))
            yield Row(
                f"apply, 50 ms, N = {count:,}, {parallelism} at a time",
                cost.wall / (count * _LATENCY / parallelism),
                "x N x latency / parallelism",
                at_most,
                go_on_to,
                {"ours": asdict(cost), "seen": vendor.seen()},
            )
            world.forget(folder)


def beside_a_bare_client(world: World) -> Iterator[Row]:
    """Creating 1,000 tokens at a vendor that answers at once, beside the same requests from httpx alone."""
    with world.vendor(0) as vendor:
        folder = world.stack(1000, url=vendor.url)
        words = [sys.executable, str(HERE / "bench_bare_client.py"), vendor.url, "1000", "10"]
        commands = {"ours": _fresh(world, folder, parallelism=10), "bare": Command(words, folder, world.environ)}
        found = in_turn(3, commands)
        figures = {"ours": asdict(found["ours"]), "beside": asdict(found["bare"])}
        ratio = found["ours"].wall / found["bare"].wall
        yield Row("apply, 0 ms, N = 1,000, 10 at a time", ratio, "x a bare httpx client", 6, 3, figures)


def looking(world: World, count: int) -> Iterator[Row]:
    """A plan that asks the vendor about each of N tokens, and one at a vendor that lists its N applications."""
    with world.vendor(_LATENCY * 1000, applications=count) as vendor:
        folder = world.seeded(count, url=vendor.url)
        for parallelism in (10, 50):
            yield _looked(world, vendor, folder, count, parallelism, "tokens probed")
        listed = world.folder("listed")
        from bench_stacks import listed as declaration

        (listed / "provisioner.toml").write_text(declaration(count, vendor.url), encoding="utf-8")
        vendor.seen()
        cost = once(world.our(listed, "plan", "--parallelism", "10"))
        seen = vendor.seen()["requests"]
        figures = {"ours": asdict(cost), "requests": seen}
        yield Row(f"requests to look at {count:,} applications that are listed", seen, "requests", 2, 1, figures)


def _looked(world: World, vendor: Vendor, folder: Path, count: int, parallelism: int, told: str) -> Row:
    command = world.our(folder, "plan", "--parallelism", str(parallelism))
    once(command)
    vendor.seen()
    costs: list[Cost] = [once(command) for _ in range(3)]
    requests = vendor.seen()["requests"] / 3
    cost, least = median(costs), requests * _LATENCY / parallelism
    return Row(
        f"plan with remote reads, N = {count:,} {told}, {parallelism} at a time",
        cost.wall / (1.3 * least + 0.3),
        "x (1.3 x requests x latency / parallelism + 0.3 s)",
        1,
        (1.15 * least + 0.1) / (1.3 * least + 0.3),
        {"ours": asdict(cost), "requests": requests, "least": least},
    )


def renewing(world: World, count: int) -> Iterator[Row]:
    """Every token refreshed in one run, as if two months had passed."""
    with world.vendor(_LATENCY * 1000) as vendor:
        folder = world.stack(count, url=vendor.url)
        once(_fresh(world, folder, parallelism=50))
        vendor.seen()
        given = ("apply", "--auto-approve", "--refresh=false", "--at", "+85m", "--parallelism", "50")
        cost = once(world.our(folder, *given))
        figures = {"ours": asdict(cost), "seen": vendor.seen()}
        ratio = cost.wall / (count * _LATENCY / 50)
        told = f"renew all, 50 ms, N = {count:,}, 50 at a time"
        yield Row(told, ratio, "x N x latency / parallelism", figures=figures)


def durable(world: World, counts: list[int]) -> Iterator[Row]:
    """Bytes and flushes an operation, counted where they are made, at any N."""
    with world.vendor(_LATENCY * 1000) as vendor:
        for count in counts:
            folder = world.stack(count, url=vendor.url)
            report = folder / "report.json"
            words = [str(HERE / "bench_counting.py"), str(report), "apply", "--auto-approve", "--parallelism", "50"]
            world.python(*words, cwd=folder)
            found = json.loads(report.read_text(encoding="utf-8"))
            each = found["bytes"] / count, found["flushes"] / count
            yield Row(f"bytes made durable per operation, N = {count:,}", each[0], "B", 2500, 1000, found)
            yield Row(f"flushes per operation, N = {count:,}, 50 at a time", each[1], "flushes", 0.5, 0.1, found)
            world.forget(folder)


def terraform_applying(world: World, counts: list[int]) -> Iterator[Row]:
    """For comparison: Terraform's apply from nothing, with no vendor and no latency at all."""
    if world.theirs is None:
        return
    for count in counts:
        folder = world.terraformed(count, state=False)
        cost = once(world.their(folder, "apply", "-auto-approve"))
        state = (folder / "terraform.tfstate").stat().st_size
        figures = {"beside": asdict(cost), "state": state}
        yield Row(f"terraform apply from nothing, no vendor, N = {count:,}", cost.wall, "s", figures=figures)
        written = cost.written / count
        yield Row(f"terraform's bytes written per operation, N = {count:,}", written, "B", figures=figures)
        world.forget(folder)
