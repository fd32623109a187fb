"""The benchmark's short form, for every commit: what commands that read everything cost in function calls, which are
the same on every machine. Wall time is `make bench`'s (docs/performance.md)."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING

import bench_stacks as stacks
import pytest
from bench_counting import calls, forget_caches

from provisioner.cli.main import main

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
HEAVY = {"pydantic", "httpx", "deepdiff", "cryptography", "pyrage", "sqlite3", "http", "asyncio", "ssl", "dataclasses"}
COUNTS = (100, 200, 400)

# Function calls for one token more, where each is a table of its own: about an eighth above what they were when
# this was last looked at. What passes one is to be looked at with a profiler, and it is raised only with a reason.
MOST = {
    "validate": 250,
    "plan --refresh=false": 500,
    "show --json": 415,
    "audit": 1530,
}


@pytest.fixture(autouse=True)
def _account(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EZ_USERNAME", "bench")
    monkeypatch.setenv("EZ_PASSWORD", "bench-password")
    yield
    forget_caches()


def seeded(folder: Path, count: int, form: str = "tables", notes: int = 0) -> Path:
    made = folder / f"{form}-{count}-{notes}"
    made.mkdir()
    (made / "provisioner.toml").write_text(stacks.declaration(count, form=form), encoding="utf-8")
    stacks.seed(made, count, form, notes)
    return made


def cost(folder: Path, command: str) -> int:
    """The function calls of one command, as the first of its process."""
    codes: list[int] = []
    forget_caches()
    found = calls(lambda: codes.append(main([f"--chdir={folder}", *command.split()])))
    assert codes[0] in (0, 2)
    return found


@pytest.mark.parametrize("form", stacks.FORMS)
def test_reading_grows_with_the_stack_and_not_faster(tmp_path: Path, form: str) -> None:
    """From 100 to 400 tokens each token costs the same number of calls, and no more than it did; each form of a
    declaration, each command that reads everything."""
    folders = {count: seeded(tmp_path, count, form) for count in COUNTS}
    for command, most in MOST.items():
        cost(folders[100], command)  # what is imported once
        few, more, many = (cost(folders[count], command) for count in COUNTS)
        assert many - more == pytest.approx(2 * (more - few), rel=0.02), command
        assert (many - more) / 200 <= most, command


def test_opening_costs_what_is_live(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hundred objects behind two thousand entries are opened by no more calls than behind the two hundred of their
    apply, once this machine has verified the older segments."""
    monkeypatch.setattr("provisioner.journal.stores.directory._SETTLED_NS", 0)
    short, long = seeded(tmp_path, 100), seeded(tmp_path, 100, notes=2000)
    for folder in (short, long):
        cost(folder, "state list")
    assert cost(long, "state list") <= 1.2 * cost(short, "state list")


@pytest.mark.parametrize("words", [["validate"], ["plan", "--refresh=false"], ["show", "--json"], ["state", "list"]])
def test_a_command_that_asks_no_vendor_imports_nothing_heavy(tmp_path: Path, words: list[str]) -> None:
    """Neither HTTP, nor cryptography, nor a model library; nor `dataclasses`, which costs as much as reading a hundred
    tokens. The file is read, the chain is verified, the plan is made and shown."""
    folder = seeded(tmp_path, 3)
    code = (
        "import sys; from provisioner.cli.main import main; code = main(sys.argv[1:]);"
        "sys.stderr.write(','.join(sys.modules)); sys.exit(code)"
    )
    ended = subprocess.run(
        [sys.executable, "-S", "-c", code, f"--chdir={folder}", *words],
        cwd=ROOT,
        # Libraries without what an installation runs at every start, which is none of ours.
        env=os.environ | {"PYTHONPATH": sysconfig.get_path("purelib")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert {name.partition(".")[0] for name in ended.stderr.split(",")} & HEAVY == set()
