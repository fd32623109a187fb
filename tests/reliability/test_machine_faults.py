"""The machine's own faults, by the command line: disks, rights, files, clocks, signals, terminals and pipes."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from judges import Verdict, announced, chain, facts, issues
from night import ROOT, Ended, Night
from rehearsal import recovered, rehearse
from scenes import APPLY, CX, CX_TOKENS, EZ, EZ_FLOOR, EZ_TOKEN, HEAD, HOUR, SCENES, sure

FIRST = next(scene for scene in SCENES if scene.name == "eztexting-first-apply")
BUYS = "send POST /eztexting/v1/credits/purchase:before"
MINTS = "send POST /eztexting/v1/tokens/create:before"


@pytest.fixture
def ez(night: Night) -> Night:
    """A token and a floor are declared, and nothing is recorded."""
    night.write(HEAD, EZ, EZ_TOKEN, EZ_FLOOR)
    return night


@pytest.fixture
def met(ez: Night) -> Night:
    """The same, applied."""
    sure(ez.apply())
    return ez


def point(night: Night, name: str) -> int:
    """The number of a point of the first apply."""
    return rehearse(night, FIRST).points.index(name)


def sent(night: Night) -> list[str]:
    """Every change that reached a vendor."""
    return [entry["operation"] for entry in night.ledger()["entries"]]


def segment(night: Night) -> Path:
    return max((night.stack / "state" / "night" / "journal").glob("*.jsonl"))


def refused(ended: Ended, code: int, *words: str) -> None:
    assert ended.code == code, ended
    assert all(word in ended.out + ended.err for word in words), ended
    assert "Traceback" not in ended.err


# -- disks and rights ------------------------------------------------------------------------------------------------


def test_a_disk_that_is_full_from_the_start_sends_nothing(ez: Night) -> None:
    """Exit 1 with what to do, and the stream still ends with its summary; with room it goes on as if nothing was."""
    ended = ez.apply("--json", at=0, act="full")
    refused(ended, 1, "E0406", "No space left")
    assert ended.lines()[-1]["type"] == "change_summary"
    assert sent(ez) == []
    sure(ez.apply())
    assert sum(facts(ez).bought) == 1500


@pytest.mark.parametrize("more", [0, 300, 1200])
def test_files_that_may_not_grow_are_a_full_disk(met: Night, more: int) -> None:
    """By the kernel's own limit: whatever was acknowledged stays whole, and is gone on from."""
    size = segment(met).stat().st_size + more
    met.panel("eztexting", "set_credits", plan=0, anytime=1000)
    ended = met.apply(largest_file=size)
    assert ended.code == 1, ended
    chain(met)
    assert len(facts(met).bought) == (1 if more < 1200 else len(facts(met).bought))
    now = sure(met.apply(), 0, 3)
    verdict = Verdict()
    verdict.accounted(facts(met))
    assert verdict.faults == []
    assert len(facts(met).bought) <= 2, now


def test_a_state_that_is_read_only_can_be_looked_at_and_not_written(met: Night) -> None:
    """`show`, `history`, `audit` and a plan without a lock work; an apply says where it may not write, and sends
    nothing."""
    before = sent(met)
    for path in [met.stack / "state", *(met.stack / "state").rglob("*")]:
        path.chmod(0o500 if path.is_dir() else 0o400)
    try:
        for words in (("show",), ("history",), ("plan", "--lock=false")):
            sure(met.run(*words, mortal=True))
        sure(met.run("audit", mortal=True), 0, 2)
        refused(met.run(*APPLY, mortal=True), 1, "E0406", "Permission denied")
        refused(met.run("plan", mortal=True), 1, "E0406", "Permission denied")
    finally:
        for path in [met.stack / "state", *(met.stack / "state").rglob("*")]:
            path.chmod(0o700 if path.is_dir() else 0o600)
    assert sent(met) == before
    assert sure(met.apply()).out.startswith("No changes.")


@pytest.mark.parametrize(
    ("where", "words", "code"),
    [
        ("state/night/journal", APPLY, 1),
        ("state/night/journal", ("show",), 1),
        ("provisioner.toml", ("plan",), 4),
    ],
)
def test_what_may_not_be_read_is_named(met: Night, where: str, words: tuple[str, ...], code: int) -> None:
    """Permission denied, with the path, and nothing is sent."""
    before = sent(met)
    path = met.stack / where
    mode = path.stat().st_mode & 0o777
    path.chmod(0)
    try:
        refused(met.run(*words, mortal=True), code, "Permission denied")
    finally:
        path.chmod(mode)
    assert sent(met) == before


def test_a_home_that_cannot_be_written_is_done_without(met: Night) -> None:
    """What this machine remembers only makes it stricter or faster; a build container has a read-only home."""
    shutil.rmtree(met.home / ".local")
    met.home.chmod(0o500)
    try:
        sure(met.apply("--replace", "token.texts", mortal=True))
    finally:
        met.home.chmod(0o700)
    assert len(facts(met).live()) == 1


# -- files -----------------------------------------------------------------------------------------------------------


def test_a_torn_last_line_that_was_never_acknowledged_is_dropped_and_said(met: Night) -> None:
    """As a power cut leaves it: nothing was sent on its account, and the chain goes on behind the last good line."""
    whole = segment(met).read_bytes()
    segment(met).write_bytes(whole + whole.splitlines()[-1][:100])
    assert "W0401" in sure(met.run("plan")).out
    sure(met.apply("--replace", "token.texts"))
    assert segment(met).read_bytes().startswith(whole)
    chain(met)
    assert "W0401" not in sure(met.run("plan")).out


def test_a_torn_line_that_was_acknowledged_is_a_rollback(met: Night) -> None:
    """Exit 7: this machine knows that it was durable, and nothing is sent."""
    before = sent(met)
    segment(met).write_bytes(segment(met).read_bytes()[:-10])
    refused(met.apply("--replace", "token.texts"), 7, "E0402", "--accept-rollback")
    assert sent(met) == before


@pytest.mark.parametrize(
    ("what", "code", "word"),
    [
        ("provisioner.toml", 4, "provisioner.toml"),
        ("state/night/journal", 7, "it is gone"),
        ("state", 7, "it is gone"),
    ],
)
def test_a_file_that_vanished_is_missed(met: Night, what: str, code: int, word: str) -> None:
    """Before a run: it says what is gone, and sends nothing. Nothing is begun anew in its place."""
    before = sent(met)
    path = met.stack / what
    path.rename(met.root / "hidden")
    refused(met.apply(), code, word)
    refused(met.run("plan"), code, word)
    assert sent(met) == before
    (met.root / "hidden").rename(path) if not path.exists() else shutil.copytree(
        met.root / "hidden", path, dirs_exist_ok=True
    )
    shutil.rmtree(met.root / "hidden", ignore_errors=True)
    assert sure(met.apply()).out.startswith("No changes.")


@pytest.mark.parametrize("what", ["state", "state/night/lock.json", "state/night/keys"])
def test_a_file_that_vanishes_under_a_run_stops_it_or_does_not_matter(fresh: Night, what: str) -> None:
    """Between the announcement and the request. What the run cannot record any more it keeps in a rescue file or
    revokes; put back, the state is gone on from, and every live token is known."""
    fresh.write(HEAD, EZ, EZ_TOKEN, EZ_FLOOR)
    at = point(fresh, MINTS)
    fresh.put_back(FIRST.name)
    running = fresh.start(*APPLY, at=at, act="stop")
    assert running.until("T")
    path, hidden = fresh.stack / what, fresh.root / "hidden"
    path.rename(hidden)
    running.signal(signal.SIGCONT)
    ended = running.wait()
    assert ended.code in (0, 1, 7), ended
    assert "Traceback" not in ended.err
    if hidden.is_dir():
        shutil.rmtree(path, ignore_errors=True)
        hidden.rename(path)
    fresh.apply()
    now = facts(fresh)
    verdict = Verdict()
    verdict.chain(fresh)
    verdict.accounted(now)
    verdict.true(now)
    assert verdict.faults == [], ended
    assert sum(now.bought) <= 1500
    assert list(now.live()) == ["token.texts"]


# -- clocks ----------------------------------------------------------------------------------------------------------


def test_a_clock_that_was_set_back_sends_nothing(met: Night) -> None:
    """Exit 7 beyond five minutes; looking goes on with a warning; a few minutes are what clocks differ by."""
    before = sent(met)
    refused(met.run(*APPLY, clock=-HOUR), 7, "E0418")
    refused(met.run("plan", clock=-HOUR), 7, "E0418")
    shown = sure(met.run("show", clock=-HOUR))
    assert "W0407" in shown.out + shown.err
    sure(met.run(*APPLY, clock=-200))
    assert sent(met) == before


@pytest.mark.parametrize("jump", [-86400.0, -600.0, 600.0, 86400.0])
def test_a_clock_that_jumps_under_a_run_buys_nothing_twice(fresh: Night, jump: float) -> None:
    """Right before the purchase. By the right clock the next run goes on, or says that the recorded times are ahead."""
    fresh.write(HEAD, EZ, EZ_TOKEN, EZ_FLOOR)
    at = point(fresh, BUYS)
    fresh.put_back(FIRST.name)
    sure(fresh.apply(at=at, act="jump", jump=jump))
    again = fresh.apply()
    if jump > 300:
        refused(again, 7, "E0418")
        again = fresh.apply("--accept-rollback")
    sure(again)
    assert facts(fresh).bought == [1500]
    chain(fresh)


@pytest.mark.parametrize("skew", [-2 * 86400.0, -600.0, 600.0, 2 * 86400.0])
def test_a_clock_that_differs_from_the_vendors_starts_no_storm(night: Night, skew: float) -> None:
    """Lives are counted from this machine's own clock: the second apply finds nothing to do, and the tokens work."""
    night.write(HEAD, EZ, EZ_TOKEN, EZ_FLOOR, CX, CX_TOKENS)
    sure(night.run(*APPLY, clock=skew))
    made = sent(night)
    again = sure(night.run(*APPLY, clock=skew))
    assert again.out.startswith("No changes."), again
    assert sent(night) == made
    shown = json.loads(night.run("show", "--json", clock=skew).out)["values"]["root_module"]["resources"]
    tokens = [resource["values"] for resource in shown if resource["type"] == "token"]
    alive = {issue.access for issue in issues(night) if issue.access_lives}
    assert [token["status"] for token in tokens] == ["live"] * 3
    assert {token["fingerprint"] for token in tokens} == alive


# -- signals, terminals, pipes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["INT", "TERM", "HUP"])
@pytest.mark.parametrize("where", [MINTS, BUYS])
def test_one_signal_lets_what_is_in_flight_end(fresh: Night, name: str, where: str) -> None:
    """130, nothing in doubt, nothing lost, and nothing new begun; the next apply does the rest."""
    scene = FIRST
    faultless = rehearse(fresh, scene)
    fresh.put_back(scene.name)
    ended = fresh.apply("--json", at=faultless.points.index(where), act=name)
    assert ended.code == 130, ended
    results = ended.lines()[-1]["results"]
    assert results == {"token.texts": "done", "credits.ez": "not_started" if where == MINTS else "done"}
    assert announced(chain(fresh)) == {}
    verdict = Verdict()
    recovered(verdict, fresh, scene, faultless, flying=False)
    assert verdict.faults == []


@pytest.mark.parametrize("where", [MINTS, BUYS])
def test_two_signals_leave_at_once_and_what_was_in_flight_is_in_doubt(fresh: Night, where: str) -> None:
    """130 without waiting for the answer; the next apply settles it or says who must look."""
    faultless = rehearse(fresh, FIRST)
    fresh.put_back(FIRST.name)
    ended = fresh.apply("--json", at=faultless.points.index(where), act="twice")
    assert ended.code == 130, ended
    assert "in_doubt" in ended.lines()[-1]["results"].values()
    verdict = Verdict()
    recovered(verdict, fresh, FIRST, faultless, flying=True)
    assert verdict.faults == []


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams_change_nothing(ez: Night, closed: str) -> None:
    """As under a supervisor that gives none: the work is done and recorded, and no file takes their place."""
    ended = subprocess.run(
        ["sh", "-c", f'exec "$0" -m provisioner apply --auto-approve {closed}', sys.executable],
        cwd=ez.stack, env={**ez.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (ended.returncode, ended.stderr) == (0, "")
    assert facts(ez).bought == [1500]
    assert sure(ez.apply()).out.startswith("No changes.")


def test_a_pipe_whose_reader_left_stops_nothing(ez: Night) -> None:
    """`apply | head -1`: what is under way goes on to its end."""
    fifo = ez.root / "pipe"
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    at = point(ez, MINTS)
    ez.put_back(FIRST.name)
    running = ez.start(*APPLY, at=at, act="stop", out=str(fifo))
    assert running.until("T")
    os.close(reader)
    fifo.unlink()
    running.signal(signal.SIGCONT)
    assert running.wait().code == 0
    assert facts(ez).bought == [1500]


def test_a_pipe_that_nobody_reads_holds_the_run_and_signals_end_it(ez: Night) -> None:
    """A full pipe is waited for, as by any program; it hides no signal, and nothing is half done."""
    fifo = ez.root / "full"
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDWR | os.O_NONBLOCK)
    try:
        while True:
            os.write(reader, b"x" * 4096)
    except BlockingIOError:
        pass
    running = ez.start(*APPLY, out=str(fifo))
    try:
        for _ in range(500):
            if running.state() == "Z":
                break
            if any(name.endswith("credits:after") for name in running.points()):  # what comes next is the plan
                running.signal(signal.SIGINT)
            running.until_ended(0.05)
        ended = running.wait()
    finally:
        os.close(reader)
    assert ended.code == 130, ended
    sure(ez.apply())
    assert facts(ez).bought == [1500]
