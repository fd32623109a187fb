"""Each row of the contract's table of exit codes, by the command line."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from cli_world import EZ, FLOOR, IDP, World, lines


@pytest.fixture
def ez(world: World) -> World:
    world.write("[stack]\nname = 'ez'\n", EZ, FLOOR, minimum=2000)
    return world


def test_help_and_usage(world: World) -> None:
    """Alone: help and 4; asked for: help and 0; mistyped: 4, a suggestion, nothing on standard output."""
    alone, asked, wrong = world.run(), world.run("-h"), world.run("aply")
    assert (alone.returncode, asked.returncode, wrong.returncode) == (4, 0, 4)
    assert alone.stderr == asked.stdout
    assert (wrong.stdout, "Did you mean 'apply'?" in wrong.stderr, "E0001" in wrong.stderr) == ("", True, True)


def test_a_wrong_file_is_4_with_every_problem(world: World) -> None:
    """All problems at once, each with a code; the stream of plan --json ends with a summary all the same."""
    world.write("[providers.ez]\ntype = 'eztexting'\npassword = 'hunter2-literal'\nusernme = 'x'\n")
    ended = world.run("validate", "--json")
    found = json.loads(ended.stdout)
    assert (ended.returncode, found["valid"], found["error_count"] >= 2) == (4, False, True)
    assert "hunter2-literal" not in ended.stdout + world.run("plan").stderr
    stream = lines(world.ok("plan", "--json", code=4))
    assert (stream[0]["type"], stream[-1]["type"]) == ("version", "change_summary")
    assert {"E0102", "E0106"} <= {line["diagnostic"]["code"] for line in stream if line["type"] == "diagnostic"}
    assert lines(world.ok("plan", "--json", "--nonsense", code=4))[-1]["type"] == "change_summary"


def test_a_missing_reference_is_8_once_it_is_needed(ez: World) -> None:
    """validate and plan --refresh=false work without it; a plan that asks the vendor names it."""
    gone: dict[str, str | None] = {"EZ_PASSWORD": None}
    ez.ok("validate", env=gone)
    ez.ok("plan", "--refresh=false", env=gone)
    ended = ez.run("plan", env=gone)
    assert (ended.returncode, "EZ_PASSWORD" in ended.stderr) == (8, True)
    assert ez.run("plan", env={"EZ_PASSWORD": "not-the-password"}).returncode == 8


def test_an_address_of_nothing_is_4(ez: World) -> None:
    """--target of nothing, a plan file that is not there, a state address that is not recorded."""
    assert "Did you mean token.texts" in ez.run("plan", "--target", "token.text").stderr
    for words in (
        ["plan", "--target", "token.no"],
        ["apply", "no.plan"],
        ["state", "show", "token.no"],
        ["show", "no"],
    ):
        assert ez.run(*words).returncode == 4


def test_approval_is_asked_of_a_terminal_only(ez: World) -> None:
    """Without one and without --auto-approve nothing is opened or sent: 4."""
    ended = ez.run("apply", stdin="yes\n")
    assert (ended.returncode, "E0004" in ended.stderr, ez.ledger()["entries"]) == (4, True, [])


def test_a_held_lock_is_5_and_force_unlock_wants_its_id(ez: World) -> None:
    """Who holds it is said; the wrong id is refused (9), the right one breaks it."""
    ez.ok("apply", "--auto-approve")
    code = (
        "import os, sys, time; from pathlib import Path; from provisioner import times\n"
        "from provisioner.journal.locks import take_lock; from provisioner.journal.run import run_info\n"
        "from provisioner.journal.stores.directory import DirectoryStore\n"
        "held = take_lock(DirectoryStore(Path('state/ez')), run_info('apply', os.environ, times.now()))\n"
        "sys.stdout.write(held.info.id + '\\n'); sys.stdout.flush(); time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], cwd=ez.folder, env=ez.environ, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        lock_id = holder.stdout.readline().strip()
        assert json.loads(ez.ok("state", "lock", "--json"))["id"] == lock_id
        assert lines(ez.ok("apply", "--auto-approve", "--json", code=5))[-1]["type"] == "change_summary"
        ez.ok("plan", "--lock=false")
        ez.ok("force-unlock", "another", code=9)
        ez.ok("force-unlock", lock_id)
        holder.kill()
    assert json.loads(ez.ok("state", "lock", "--json")) is None
    ez.ok("plan")


def test_a_saved_plan_is_6_where_it_is_not_what_it_was(ez: World) -> None:
    """Stale, altered, foreign, changed file: each in its own words; the plan itself is applied without a question."""
    ez.ok("plan", "--out", "p.plan")
    whole = (ez.folder / "p.plan").read_text()
    (ez.folder / "altered.plan").write_text(whole.replace('"token.texts"', '"token.tests"'))
    assert "E0302" in ez.run("apply", "altered.plan").stderr
    ez.write("[stack]\nname = 'ez'\n", EZ, FLOOR, minimum=2001)
    assert "E0304" in ez.run("apply", "p.plan").stderr
    ez.write("[stack]\nname = 'other'\n", EZ, FLOOR, minimum=2000)
    assert "E0303" in ez.run("apply", "p.plan").stderr
    ez.write("[stack]\nname = 'ez'\n", EZ, FLOOR, minimum=2000)
    assert "E0305" in ez.run("show", "provisioner.toml").stderr
    ez.ok("apply", "p.plan")
    stale = ez.run("apply", "p.plan")
    assert (stale.returncode, "E0301" in stale.stderr) == (6, True)


def test_a_damaged_state_is_7_under_any_command(ez: World) -> None:
    """One changed byte in one entry."""
    ez.ok("apply", "--auto-approve")
    segment = next((ez.folder / "state" / "ez" / "journal").glob("*.jsonl"))
    segment.write_bytes(segment.read_bytes().replace(b'"kind":"intent"', b'"kind":"intenT"', 1))
    for words in (["plan"], ["show"], ["history"], ["state", "verify"], ["token", "texts"], ["drift"]):
        assert ez.run(*words).returncode == 7, words
    assert lines(ez.ok("plan", "--json", code=7))[-1]["type"] == "change_summary"


def test_without_an_identity_what_is_sealed_stays_sealed(ez: World) -> None:
    """A pipeline plans with no key; a token cannot be printed (7); with CI set no identity is made (4), nothing is
    sent."""
    ended = ez.run("apply", "--auto-approve", env={"CI": "true"})
    assert (ended.returncode, "E0112" in ended.stderr, ez.ledger()["entries"]) == (4, True, [])
    ez.ok("apply", "--auto-approve")
    elsewhere: dict[str, str | None] = {"HOME": str(ez.home / "elsewhere")}
    ez.ok("plan", env=elsewhere)
    assert ez.run("token", "texts", env=elsewhere).returncode == 7


def test_safety_is_9_and_the_plan_is_shown(world: World) -> None:
    """A guarded token is not destroyed, even where its block is gone; --allow lifts it for one run."""
    world.write("[stack]\nname = 'g'\n", EZ + "prevent_destroy = true\n")
    world.ok("apply", "--auto-approve")
    world.write("[stack]\nname = 'g'\n", EZ.split("[applications")[0])
    ended = world.run("apply", "--auto-approve")
    assert (ended.returncode, "token.texts will be destroyed" in ended.stdout) == (9, True)
    assert world.run("plan").returncode == 9
    assert lines(world.ok("apply", "--auto-approve", "--json", code=9))[-1]["type"] == "change_summary"
    world.ok("apply", "--auto-approve", "--allow", "prevent_destroy:token.texts")


def test_an_interrupt_is_130_and_what_is_recorded_is_complete(world: World) -> None:
    """SIGINT while a vendor does not answer: the stream still ends with its summary, and the state verifies."""
    world.write("[stack]\nname = 'idp'\n", IDP)
    world.control("faults", vendor="oauth2", path="register", kind="slow", seconds=2.0, times=1)
    with subprocess.Popen(
        [sys.executable, "-m", "provisioner", "apply", "--auto-approve", "--json", "--parallelism=1"],
        cwd=world.folder,
        env=world.environ,
        stdout=subprocess.PIPE,
        text=True,
    ) as child:
        assert child.stdout is not None
        said = []
        for line in child.stdout:
            said.append(json.loads(line))
            if said[-1]["type"] == "apply_start":
                time.sleep(0.2)
                child.send_signal(signal.SIGINT)
                break
        said += [json.loads(line) for line in child.stdout]
        child.wait(timeout=30)
    assert child.returncode == 130
    assert said[-1]["type"] == "change_summary"
    assert "not_started" in said[-1]["results"].values()
    world.ok("state", "verify")
    world.ok("apply", "--auto-approve")


def test_a_reader_that_goes_away_is_no_error(ez: World) -> None:
    """`show | true`: the pipe is closed before the first line; no traceback, and the code is that of the work."""
    reader, writer = os.pipe()
    os.close(reader)
    ended = subprocess.run(
        [sys.executable, "-m", "provisioner", "plan"],
        cwd=ez.folder,
        env=ez.environ,
        stdout=writer,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(writer)
    assert (ended.returncode, ended.stderr) == (0, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_behind_a_redirection_is_said(ez: World) -> None:
    """A result that was lost is no success."""
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(
            [sys.executable, "-m", "provisioner", "plan"],
            cwd=ez.folder,
            env=ez.environ,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert (ended.returncode, "could not be written" in ended.stderr) == (1, True)


def test_no_traceback_reaches_a_user(ez: World) -> None:
    """A fault of the program is a diagnostic with a code; -v shows the frames and no secret."""
    (ez.folder / "sitecustomize.py").write_text(
        "import provisioner.planning.planner as p\n"
        "def broken(*a, **k):\n    import os\n    raise RuntimeError('with ' + os.environ['EZ_PASSWORD'])\n"
        "p.make_plan = broken\n"
    )
    path = f"{ez.folder}{os.pathsep}{ez.environ['PYTHONPATH']}"
    quiet, loud = ez.run("plan", env={"PYTHONPATH": path}), ez.run("plan", "-v", env={"PYTHONPATH": path})
    assert (quiet.returncode, "E0099" in quiet.stderr, "Traceback" in quiet.stderr) == (1, True, False)
    assert ("Traceback" in loud.stderr, ez.environ["EZ_PASSWORD"] in loud.stderr) == (True, False)
