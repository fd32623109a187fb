"""The benchmark's short form for what is sent and recorded: requests, entries, bytes and flushes, never wall time."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import bench_stacks as stacks
import pytest
from bench_counting import Durable
from bench_world import World

from provisioner.cli.main import main

if TYPE_CHECKING:
    from bench_world import Vendor

FLUSH = 0.004  # seconds more for each: an ordinary disk's, so that threads meet in one
AT_ONCE = 50


@pytest.fixture
def vendor(tmp_path: Path) -> Iterator[Vendor]:
    """A vendor that answers after 10 ms and counts what it is asked."""
    with World(tmp_path / "world", [], None).vendor(10, applications=200) as found:
        yield found


@pytest.fixture(autouse=True)
def _account(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("EZ_USERNAME", "EZ_PASSWORD", "SMSCX_API_KEY"):
        monkeypatch.setenv(name, "bench")


def declared(folder: Path, text: str) -> Path:
    folder.mkdir()
    (folder / "provisioner.toml").write_text(text, encoding="utf-8")
    return folder


def ran(folder: Path, *words: str) -> Durable:
    """What one command made durable."""
    durable = Durable(slow=FLUSH)
    durable.know(folder / "state")
    with durable.counting():
        assert main([f"--chdir={folder}", *words]) == 0
    return durable


def entries(folder: Path) -> list[str]:
    """The kinds of all entries, oldest first."""
    found = []
    for segment in sorted((folder / "state/bench/journal").glob("*.jsonl")):
        found += [json.loads(line)["kind"] for line in segment.read_text(encoding="ascii").splitlines()]
    return found


def test_an_operation_is_one_request_two_entries_and_a_shared_flush(tmp_path: Path, vendor: Vendor) -> None:
    """At 200 tokens and at 400, 50 at a time: below 1.9 kB and below half a flush each, and the larger stack pays no
    more for one than the smaller."""
    each = []
    for count in (200, 400):
        folder = declared(tmp_path / f"stack-{count}", stacks.declaration(count, url=vendor.url))
        vendor.seen()
        made = ran(folder, "apply", "--auto-approve", f"--parallelism={AT_ONCE}")
        kinds = entries(folder)
        assert (kinds.count("intent"), kinds.count("outcome")) == (count, count)
        assert len(kinds) == 2 * count + 3  # checkpoint, lock, unlock
        seen = vendor.seen()
        assert seen["requests"] == count
        assert seen["most_in_flight"] <= AT_ONCE
        each.append((made.bytes / count, made.flushes / count))
    (fewer_bytes, _), (bytes_each, flushes_each) = each
    assert bytes_each <= min(1900, 1.01 * fewer_bytes)
    assert flushes_each <= 0.5


def test_one_change_costs_the_same_behind_any_number_of_tokens(tmp_path: Path, vendor: Vendor) -> None:
    """One table more, with 100 and with 400 recorded: one request, four entries, four kilobytes, no rewriting."""
    found = []
    for count in (100, 400):
        folder = declared(tmp_path / f"stack-{count}", stacks.declaration(count, url=vendor.url))
        stacks.seed(folder, count, "tables")
        for number in (count, count + 1):  # the first begins a segment, as one in so many runs does
            with (folder / "provisioner.toml").open("a", encoding="utf-8") as file:
                file.write(stacks.table(number))
            vendor.seen()
            made = ran(folder, "apply", "--auto-approve", "--refresh=false")
            assert vendor.seen()["requests"] == 1
        assert entries(folder)[-4:] == ["lock", "intent", "outcome", "unlock"]
        found.append((made.bytes, made.flushes))
    (few_bytes, few_flushes), (many_bytes, many_flushes) = found
    assert many_bytes <= min(few_bytes + 300, 4200)  # a sealed data key is 600 to 800 bytes: age adds some by chance
    assert many_flushes <= min(few_flushes, 8)


def test_a_look_is_one_request_a_token_and_one_for_all_applications_that_are_listed(
    tmp_path: Path, vendor: Vendor
) -> None:
    """A plan probes each of 50 recorded tokens once; 200 applications of a vendor that lists them take one call."""
    probed = declared(tmp_path / "probed", stacks.declaration(50, url=vendor.url))
    stacks.seed(probed, 50, "tables")
    vendor.seen()
    ran(probed, "plan", f"--parallelism={AT_ONCE}")
    assert vendor.seen()["requests"] == 50
    listed = declared(tmp_path / "listed", stacks.listed(200, vendor.url))
    ran(listed, "plan")
    assert vendor.seen()["requests"] == 1


def test_a_plan_makes_nothing_durable(tmp_path: Path, vendor: Vendor) -> None:
    """What only looks flushes nothing: not the state, not a cache, not what this machine remembers."""
    folder = declared(tmp_path / "stack", stacks.declaration(20, url=vendor.url))
    stacks.seed(folder, 20, "tables")
    for words in (["plan", "--lock=false"], ["show", "--json"], ["audit"], ["validate"]):
        assert ran(folder, *words).flushes == 0
