"""Odd surroundings: names that are no files, bytes that are no text, a terminal that knows no escapes, a dead run."""

from __future__ import annotations

import os
import pty
import signal
import stat
import subprocess
import sys
import threading
import time

import pytest
from cli_world import EZ, FLOOR, World, from_terminal


def test_a_pipe_is_written_into_and_stays_a_pipe(world: World) -> None:
    """`--out >(...)`, `--markdown /dev/null`: a file moved to that name would take the place of the device."""
    world.write("[stack]\nname = 's'\n", EZ)
    pipe = world.folder / "pipe"
    os.mkfifo(pipe)
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()), daemon=True)
    reader.start()
    ended = world.run("plan", "--markdown", "pipe")
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    reader.join(timeout=10)
    assert (ended.returncode, read[0].startswith(b"## Plan for s")) == (0, True), ended.stderr
    assert not list(world.folder.glob(".*.part"))


def test_a_name_that_no_file_can_have_is_4(world: World) -> None:
    """Too long for the file system: the same words as for a folder that is not there."""
    world.write("[stack]\nname = 's'\n", EZ)
    ended = world.run("plan", "--out", "a" * 300)
    assert (ended.returncode, "cannot be written: File name too long" in ended.stderr) == (4, True), ended.stderr


def test_a_secret_of_bytes_that_are_no_text_is_8(world: World) -> None:
    """From the environment as from a file: the reference is named, and nothing breaks later."""
    world.write("[stack]\nname = 's'\n", EZ)
    ended = world.run("plan", env={"EZ_PASSWORD": os.fsdecode(b"a\xffbc")})
    assert ended.returncode == 0  # nothing is recorded: no credential is needed
    ended = world.run("apply", "--auto-approve", env={"EZ_PASSWORD": os.fsdecode(b"a\xffbc")})
    told = " ".join((ended.stdout + ended.stderr).split())
    assert (ended.returncode, "env EZ_PASSWORD is not UTF-8 text" in told) == (8, True), told


@pytest.mark.parametrize("term", ["dumb", "xterm"])
def test_a_dumb_terminal_is_sent_no_escapes(world: World, term: str) -> None:
    """Not even those of the line that counts what was read."""
    world.write("[stack]\nname = 's'\n", EZ, FLOOR, minimum=1)
    world.ok("apply", "--auto-approve")
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "provisioner", "plan"], cwd=world.folder, env={**world.environ, "TERM": term},
        stdin=theirs, stdout=theirs, stderr=theirs,
    ) as child:  # fmt: skip
        os.close(theirs)
        shown = b""
        for data in from_terminal(ours):
            shown += data
        assert child.wait(timeout=30) == 0
    os.close(ours)
    assert (b"\x1b" in shown) == (term != "dumb"), shown


def test_a_plan_says_that_it_took_a_dead_run_s_lock_over(world: World) -> None:
    """After the plan that lock is gone, and no later command could tell of it."""
    world.write("[stack]\nname = 's'\n", EZ)
    code = (
        "import os; from pathlib import Path; from provisioner import times\n"
        "from provisioner.journal.locks import take_lock; from provisioner.journal.run import run_info\n"
        "from provisioner.journal.stores.directory import DirectoryStore\n"
        "take_lock(DirectoryStore(Path('state/s')), run_info('apply', os.environ, times.now())); os._exit(9)"
    )
    subprocess.run([sys.executable, "-c", code], cwd=world.folder, env=world.environ, check=False)
    assert "W0402 lock-taken-over" in world.ok("plan")
    assert "W0402" not in world.ok("plan")


def test_the_past_is_named_alike_everywhere(world: World) -> None:
    """`show --at` takes what `diff` and `history` take; a number that no serial can have is a slip."""
    world.write("[stack]\nname = 's'\n", EZ)
    world.ok("apply", "--auto-approve")
    assert "token.texts" in world.ok("show", "--at", "0s")
    assert "The state is empty" in world.ok("show", "--at", "7d")
    for slip in ("+1h", "9" * 5000):
        ended = world.run("show", "--at", slip)
        assert (ended.returncode, "is neither a serial nor a time" in " ".join(ended.stderr.split())) == (4, True)


def test_an_interrupt_is_answered_at_once(world: World) -> None:
    """At a terminal, while the request on its way is waited for: nobody needs to press again, and that is recorded."""
    world.write("[stack]\nname = 's'\n", EZ)
    world.control("faults", vendor="eztexting", operation="token.create", kind="slow", seconds=1.5)
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "provisioner", "apply", "--auto-approve"], cwd=world.folder, env=world.environ,
        stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs,
    ) as child:  # fmt: skip
        os.close(theirs)
        shown = b""
        while b"Creating..." not in shown:
            shown += os.read(ours, 65536)
        time.sleep(0.3)
        child.send_signal(signal.SIGINT)
        while b"a second time leaves at once." not in shown:
            shown += os.read(ours, 65536)
        assert b"Creation complete" not in shown
        while b"(serial " not in shown:
            shown += os.read(ours, 65536)
        assert child.wait(timeout=30) == 130
    os.close(ours)
    assert b"Creation complete" in shown


def killed_while_buying(world: World) -> None:
    """An apply that has made its token and announced a purchase, and died before the vendor heard of it."""
    world.control("faults", vendor="eztexting", operation="credits.purchase", kind="stall", when="before", seconds=3)
    with subprocess.Popen(
        [sys.executable, "-m", "provisioner", "apply", "--auto-approve"], cwd=world.folder, env=world.environ,
        stdout=subprocess.DEVNULL,
    ) as child:  # fmt: skip
        for _ in range(1000):
            written = b"".join(entries.read_bytes() for entries in world.folder.rglob("*.jsonl"))
            if b"credits.purchase" in written and b'"kind":"outcome"' in written:
                break
            time.sleep(0.01)
        child.kill()


def test_a_blocked_floor_is_no_match_and_a_settled_one_is_told_once(world: World) -> None:
    """A purchase without an outcome: plan and apply say what stays open, with a command to copy, unbroken; once the
    balance rose, one note says that it is settled."""
    world.write("[stack]\nname = 's'\n", EZ, FLOOR, minimum=2600)
    killed_while_buying(world)
    for words, code in (("plan",), 0), (("apply", "--auto-approve"), 3):
        out = world.ok(*words, code=code)
        assert ("no changes are needed" in out, "The warnings below say what stays open." in out) == (False, True)
    assert "Something waits for a person: the warnings above say what." in out
    doubt = world.state()["in_doubt"][0]["operation"]
    assert any(f"`provisioner resolve {doubt} --as happened`" in line for line in out.splitlines())
    world.control("panel", vendor="eztexting", action="set_credits", plan=500, anytime=2500)
    out = world.ok("apply", "--auto-approve")
    assert (out.count("W0701 doubt-settled"), "no changes are needed" in out) == (1, True)
