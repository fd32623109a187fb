"""The benchmark: the product beside Terraform, beside Python and beside what latency allows, in one run.

    make bench                                          everything, about a quarter of an hour; Terraform if it is there
    python tests/bench/bench.py --quick                 what takes seconds
    python tests/bench/bench.py --only apply,durable    some groups of rows
    python tests/bench/bench.py --docs docs/performance.md --json bench.json

Prints a table of ratios, and exits 1 where a row is above what it may be. Ratios travel between machines, seconds do
not: run it on a quiet machine, and twice.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import bench_apply as applies
import bench_rows as rows
from bench_report import progress, replaced, table
from bench_rows import Row
from bench_world import World

# N and how many at a time
SIZES = [(1, 1), (100, 10), (1000, 10), (1000, 50), (5000, 50), (10_000, 50)]

Group = Callable[[World, bool], Iterator[Row]]

GROUPS: dict[str, Group] = {
    "start": lambda world, quick: rows.starting(world),
    "read": lambda world, quick: rows.reading(world, [1, 1000] if quick else [1, 100, 1000, 5000, 10_000]),
    "history": lambda world, quick: rows.history(world),
    "look": lambda world, quick: applies.looking(world, 1000),
    "apply": lambda world, quick: applies.applying(world, SIZES[2:4] if quick else SIZES),
    "bare": lambda world, quick: applies.beside_a_bare_client(world),
    "renew": lambda world, quick: applies.renewing(world, 1000),
    "durable": lambda world, quick: applies.durable(world, [1000] if quick else [1000, 10_000]),
    "change": lambda world, quick: iter(()) if quick else rows.one_change(world),
    "huge": lambda world, quick: iter(()) if quick else rows.huge(world),
    "growth": lambda world, quick: iter(()) if quick else rows.growth(world, [1000, 10_000, 100_000]),
    "terraform": lambda world, quick: iter(()) if quick else applies.terraform_applying(world, [1, 100, 1000]),
}  # fmt: skip


def main() -> int:
    options = _options()
    theirs = shutil.which(options.terraform) if options.terraform else None
    ours = options.provisioner.split() if options.provisioner else _here()
    facts = _facts(theirs)
    sys.stderr.write("".join(f"{name}: {value}\n" for name, value in facts.items()))
    found: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        world = World(Path(folder).resolve(), ours, theirs)
        for name in options.only.split(",") if options.only else GROUPS:
            for row in GROUPS[name](world, options.quick):
                progress(row)
                found.append(row)
    text = table(found, facts)
    sys.stdout.write(text)
    if options.json:
        whole = {"facts": facts, "rows": [{**vars(row), "met": row.met} for row in found]}
        Path(options.json).write_text(json.dumps(whole, indent=1) + "\n", encoding="utf-8")
    if options.docs:
        page = Path(options.docs)
        page.write_text(replaced(page.read_text(encoding="utf-8"), text), encoding="utf-8")
    return 1 if any(row.met is False for row in found) else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="only what takes seconds")
    parser.add_argument("--only", default="", help=f"groups of rows: {', '.join(GROUPS)}")
    parser.add_argument(
        "--provisioner", default="", help="the command that starts the product; default: beside this Python"
    )
    parser.add_argument("--terraform", default="terraform", help='the program to compare with; "" for none')
    parser.add_argument("--json", default="", help="write every figure to this file")
    parser.add_argument("--docs", default="", help="put the table into this page")
    return parser.parse_args()


def _here() -> list[str]:
    """The console script of this interpreter's environment, else the module."""
    script = Path(sys.executable).parent / "provisioner"
    return [str(script)] if script.exists() else [sys.executable, "-m", "provisioner"]


def _facts(theirs: str | None) -> dict[str, str]:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    told = "not here: rows beside it are left out"
    if theirs is not None:
        environ = {**os.environ, "CHECKPOINT_DISABLE": "1"}
        told = subprocess.run([theirs, "version"], capture_output=True, text=True, env=environ, check=True).stdout
        told = told.splitlines()[0].removeprefix("Terraform ")
    return {"cores": str(cores), "system": platform.system(), "python": platform.python_version(), "terraform": told}


if __name__ == "__main__":
    sys.exit(main())
