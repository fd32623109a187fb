"""`--json` streams against Terraform's, line type by line type; and their last line, however a run ends."""

from __future__ import annotations

import json
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from cli_world import CX, EZ, FLOOR, IDP, World, lines

RESOURCE = {"addr", "module", "resource", "implied_provider", "resource_type", "resource_name", "resource_key"}
# The members of Terraform 1.11.4's lines, as `terraform plan -json` and `apply -json` print them over terraform_data.
TERRAFORM = {
    "version": {"terraform", "ui"},
    "planned_change": {"change"},
    "resource_drift": {"change"},
    "change_summary": {"changes"},
    "apply_start": {"hook"},
    "apply_progress": {"hook"},
    "apply_complete": {"hook"},
    "apply_errored": {"hook"},
    "diagnostic": {"diagnostic"},
    "outputs": {"outputs"},
}
INNER = {
    "change": {"resource", "action"},
    "hook": {"resource", "action"},
    "changes": {"add", "change", "import", "remove", "operation"},
    "diagnostic": {"severity", "summary", "detail"},
}
VERBS = {"noop", "create", "read", "update", "replace", "delete", "move", "import", "remove"}


def ended(stream: str, operation: str) -> dict[str, Any]:
    """The closing line, after checking that it is one: the last, the only one of its operation, with its results."""
    found = lines(stream)
    assert found[0]["type"] == "version"
    own = [
        n
        for n, line in enumerate(found)
        if line["type"] == "change_summary" and line["changes"]["operation"] == operation
    ]
    assert own == [len(found) - 1]
    assert set(found[-1]["results"].values()) <= {
        "done", "failed", "in_doubt", "not_started", "handoff", "planned", "drifted",
    }  # fmt: skip
    return found[-1]


def test_each_line_has_the_members_that_terraforms_has(world: World) -> None:
    """Over a create, a purchase, an import, a rotation, a drift and a destroy."""
    world.write("[stack]\nname = 'all'\n", EZ, FLOOR, CX, IDP, minimum=2000)
    said = [world.ok("plan", "-json"), world.ok("apply", "-json", "-auto-approve")]
    world.control("panel", vendor="eztexting", action="set_credits", anytime=1300)
    said += [world.ok("plan", "-json", "-replace", 'token.worker["eu"]', "-out", "p"), world.ok("apply", "-json", "p")]
    said += [world.ok("drift", "-json"), world.ok("destroy", "-json", "-auto-approve", code=3)]
    seen = set()
    for line in (line for stream in said for line in lines(stream)):
        kind = line["type"]
        seen.add(kind)
        assert {"@level", "@message", "@module", "@timestamp", "type"} | TERRAFORM[kind] <= set(line), line
        assert line["@level"] in ("info", "warn", "error")
        for part in TERRAFORM[kind] & set(INNER):
            assert set(line[part]) >= INNER[part], line
        inner = line.get("change") or line.get("hook")
        if inner:
            assert set(inner["resource"]) - {"deposed"} == RESOURCE
            assert inner["action"] in VERBS
    assert seen == set(TERRAFORM) - {"apply_errored"}
    tokens = next(line["outputs"] for line in lines(said[3]) if line["type"] == "outputs")
    assert {address: output["action"] for address, output in tokens.items()} == {
        'token.campaigns["web"]': "noop", 'token.campaigns["worker"]': "noop", "token.texts": "noop",
        'token.worker["eu"]': "replace", 'token.worker["us"]': "noop",
    }  # fmt: skip


def test_counts_are_what_terraforms_readers_add_up(world: World) -> None:
    """One `apply_complete` for each counted step, and the plan's counts are those of its `planned_change` lines."""
    world.write("[stack]\nname = 'cx'\n", CX, EZ)
    found = lines(world.ok("apply", "-json", "-auto-approve"))
    planned = [line["change"]["action"] for line in found if line["type"] == "planned_change"]
    complete = [line["hook"]["action"] for line in found if line["type"] == "apply_complete"]
    plan, apply = [line["changes"] for line in found if line["type"] == "change_summary"]
    assert (plan["add"], plan["import"]) == (planned.count("create"), planned.count("import")) == (3, 1)
    assert (apply["add"], apply["import"]) == (complete.count("create"), complete.count("import")) == (3, 1)


def test_an_amount_that_looks_like_the_card_stays_an_amount(world: World) -> None:
    """Secrets are masked in diagnostics; over finished JSON the card's four digits would blot out a balance."""
    world.write("[stack]\nname = 'ez'\n", EZ, FLOOR, minimum=2000)
    world.control("panel", vendor="eztexting", action="set_credits", anytime=1000)
    card = world.environ["EZ_CARD_LAST_FOUR"]
    world.ok("apply", "--auto-approve")
    world.control("panel", vendor="eztexting", action="set_credits", anytime=int(card), plan=0)
    stream = world.ok("apply", "--auto-approve", "--json")
    assert len(lines(stream)) == len(stream.splitlines())
    assert "(sensitive value)" not in stream


@pytest.mark.parametrize("command", ["plan", "apply", "drift", "destroy", "refresh"])
def test_a_run_that_cannot_begin_ends_with_its_summary(command: str, world: World) -> None:
    """No file, a file that is no TOML, a flag that does not exist, a vendor out of reach, credentials refused."""
    approve = ["-auto-approve"] if command in ("apply", "destroy") else []

    def code(expected: int, *words: str, env: dict[str, str | None] | None = None) -> None:
        stream = world.ok(command, "-json", *approve, *words, code=expected, env=env)
        summary = ended(stream, "apply" if command == "refresh" else command)
        assert (summary["results"], summary["changes"]["add"]) == ({}, 0)
        errors = [line["diagnostic"] for line in lines(stream) if line["type"] == "diagnostic"]
        assert errors
        assert all(error["code"].startswith("E") for error in errors)

    code(4)
    world.write("[stack\n")
    code(4)
    code(4, "-nonsense")
    world.write("[stack]\nname = 'ez'\n", EZ.replace("{base}", "http://127.0.0.1:1"), FLOOR, minimum=1)
    if command != "destroy":  # nothing is recorded, so nobody is asked
        code(8)
        world.write("[stack]\nname = 'ez'\n", EZ, FLOOR, minimum=1)
        code(8, env={"EZ_PASSWORD": None})


def test_a_refused_plan_file_has_its_summary(world: World) -> None:
    """Stale, altered, not there: no plan was shown, so nothing is `not_started`."""
    world.write("[stack]\nname = 'ez'\n", EZ)
    world.ok("plan", "--out", "p")
    (world.folder / "broken").write_bytes((world.folder / "p").read_bytes()[:-20])
    world.ok("apply", "p")
    for file, code in (("p", 6), ("broken", 6), ("nowhere", 4)):
        assert ended(world.ok("apply", "-json", file, code=code), "apply")["results"] == {}


def test_what_safety_refuses_was_not_started(world: World) -> None:
    """The plan is shown with its own summary first; the apply's says of each step that it was not begun."""
    world.write("[stack]\nname = 'g'\n", EZ + "prevent_destroy = true\n")
    world.ok("apply", "--auto-approve")
    stream = world.ok("destroy", "--auto-approve", "--json", code=9)
    assert ended(stream, "destroy")["results"] == {"token.texts": "not_started"}
    assert ended(world.ok("plan", "-destroy", "-json", code=9), "plan")["results"] == {"token.texts": "planned"}


@pytest.mark.parametrize("limit", [1, 2, 4])
def test_a_disk_that_fills_up_stops_the_run_with_its_summary(limit: int, world: World) -> None:
    """A limit on the size of files stands for the full disk: what was sent is told, and nothing is sent after it."""
    world.write("[stack]\nname = 'idp'\n", IDP.replace('"us"]', '"us", "a", "b", "c"]'))
    world.ok("apply", "--auto-approve", "--target", 'application.worker["eu"]')

    def full() -> None:
        size = max(path.stat().st_size for path in world.folder.glob("state/idp/journal/*")) + limit * 700
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    done = subprocess.run(
        [sys.executable, "-m", "provisioner", "apply", "--auto-approve", "--json", "--parallelism=1"],
        cwd=world.folder, env=world.environ, capture_output=True, text=True, timeout=60, check=False, preexec_fn=full,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (1, "")
    results = ended(done.stdout, "apply")["results"]
    assert "not_started" in results.values()
    codes = {line["diagnostic"]["code"] for line in lines(done.stdout) if line["type"] == "diagnostic"}
    assert "E0406" in codes
    assert "E0099" not in codes
    world.ok("apply", "--auto-approve")
    assert "No changes." in world.ok("plan")
    assert len([t for t in world.ledger()["live_tokens"] if t["vendor"] == "oauth2"]) == 5


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("command", ["plan", "apply"])
def test_a_signal_while_the_vendor_is_silent_ends_with_a_summary(
    command: str, number: signal.Signals, world: World
) -> None:
    """130. Of a plan nothing is known yet; of an apply each step is done or was not started."""
    world.write("[stack]\nname = 'idp'\n", IDP, EZ, FLOOR, minimum=1)
    vendor, path = ("oauth2", "register") if command == "apply" else ("eztexting", "credits")
    world.control("faults", vendor=vendor, path=path, kind="slow", seconds=1.5, times=1)
    words = ["--auto-approve", "--parallelism=1"] if command == "apply" else []
    with subprocess.Popen(
        [sys.executable, "-m", "provisioner", command, "--json", *words], cwd=world.folder, env=world.environ,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as child:  # fmt: skip
        assert child.stdout is not None
        said = [child.stdout.readline()]
        while command == "apply" and json.loads(said[-1])["type"] != "apply_start":
            said.append(child.stdout.readline())
        time.sleep(0.4)
        child.send_signal(number)
        rest, errors = child.communicate(timeout=30)
    assert (child.returncode, errors) == (130, "")
    summary = ended("".join(said) + rest, command)
    if command == "apply":
        assert set(summary["results"].values()) == {"done", "not_started"}
    else:
        assert summary["results"] == {}


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_stream_that_cannot_be_written_is_no_success(world: World) -> None:
    """The work is done and recorded; the exit code says that its telling was lost."""
    world.write("[stack]\nname = 'ez'\n", EZ)
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "provisioner", "apply", "--auto-approve", "--json"],
            cwd=world.folder, env=world.environ, stdout=full, stderr=subprocess.PIPE, text=True, check=False,
        )  # fmt: skip
    assert (done.returncode, "could not be written" in done.stderr) == (1, True)
    assert "No changes." in world.ok("plan")
