"""The lock: who holds it, when it is void, and that the fence holds where the lock does not."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from journal_world import NOW, begun, filled, intent, opened, run, store_in

from provisioner import times
from provisioner.errors import Diagnostic, HeadMoved, LockHeld, StoreFailed
from provisioner.journal.lockinfo import lock_from_json, machine_id, process_start
from provisioner.journal.locks import force_unlock, new_lock, take_lock
from provisioner.journal.run import run_info
from provisioner.journal.stores.directory import DirectoryStore

HERE = Path(__file__).parent


def test_a_held_lock_says_everything_that_one_needs(tmp_path: Path) -> None:
    """Who, where, which process, since when, for what, and how to break it."""
    store = store_in(tmp_path)
    with take_lock(store, run("apply")) as held, pytest.raises(LockHeld) as caught:
        take_lock(store, run("plan"))
    error = caught.value
    assert (error.exit_code, error.diagnostics[0].code) == (5, "E0412")
    for part in ("ann", os.uname().nodename, str(os.getpid()), "for apply", times.to_rfc3339(held.info.since)):
        assert part in str(error)
    assert f"force-unlock {held.info.id}" in error.diagnostics[0].detail
    assert set(held.info.public()) == {"id", "who", "host", "pid", "operation", "since"}
    assert store.peek_lock() is None


def test_waiting_gets_the_lock_when_it_is_released(tmp_path: Path) -> None:
    """`--lock-timeout`: tries until the time is over, then says who holds it."""
    store = store_in(tmp_path)
    held = take_lock(store, run())
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 3:
            held.release()

    with take_lock(store, run(), lock_timeout=60, sleep=sleep):
        assert len(slept) == 3
    with take_lock(store, run()), pytest.raises(LockHeld):
        take_lock(store, run(), lock_timeout=0.1)


def test_a_wait_is_said_once_and_names_whom_it_waits_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In Terraform's words; a wait of less than a moment is not worth a line."""
    monkeypatch.setattr("provisioner.journal.locks.A_MOMENT", 0.02)
    store = store_in(tmp_path)
    held = take_lock(store, run("apply"))
    slept: list[float] = []
    said: list[Diagnostic] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        time.sleep(0.02 if len(slept) < 4 else 0)
        if len(slept) == 6:
            held.release()

    with take_lock(store, run("plan"), lock_timeout=60, sleep=sleep, waiting=said.append):
        (found,) = said
    assert (found.code, found.severity) == ("W0408", "note")
    assert found.summary.startswith("Acquiring state lock.")
    assert "ann" in found.detail
    assert "for apply. The wait ends in 60 s." in found.detail
    with take_lock(store, run("plan"), lock_timeout=60, waiting=said.append):
        assert len(said) == 1


def test_a_dead_process_of_this_machine_loses_its_lock_at_once(tmp_path: Path) -> None:
    """Its number is gone, or another process has it by now; that is said, and recorded when the run begins."""
    store = store_in(tmp_path)
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    for dead in (
        replace(new_lock(run(), times.now()), pid=child.pid),
        replace(new_lock(run(), times.now()), started="1"),
    ):
        assert store.take_lock(replace(dead, who="bob"), None) is None
        with opened(store) as journal:
            held = take_lock(store, run())
            journal.begin(run(), held)
            assert [notice.name for notice in journal.notices] == ["lock-taken-over"]
        last = [entry for entry in opened(store).entries() if entry.kind == "lock"][-1]
        assert last.body["taken_over"]["who"] == "bob"
        assert store.peek_lock() is None


@pytest.mark.parametrize("field", ["host", "machine"])
def test_elsewhere_a_process_may_live_though_its_number_is_unknown_here(tmp_path: Path, field: Any) -> None:
    """Another host, another boot or another container: only the lease ends it."""
    store = store_in(tmp_path)
    changed: dict[str, Any] = {field: "other"}
    other = replace(new_lock(run(), times.now()), pid=2**22 - 1, **changed)
    store.take_lock(other, None)
    with pytest.raises(LockHeld):
        take_lock(store, run())
    store.renew_lock(replace(other, renewed=times.now() - timedelta(seconds=61)))
    with take_lock(store, run()) as held:
        assert held.taken_over is not None


def test_a_living_holder_keeps_its_lock_beyond_the_lease(tmp_path: Path) -> None:
    """It is renewed in the background; nobody takes it over meanwhile."""
    store = store_in(tmp_path)
    with take_lock(store, run(), lease=1) as held:
        time.sleep(1.3)
        with pytest.raises(LockHeld):
            take_lock(store, run())
        assert not held.lapsed()


def test_release_leaves_the_lock_of_another(tmp_path: Path) -> None:
    """A holder whose lock was broken finds out, and does not break its successor's."""
    store = store_in(tmp_path)
    old = take_lock(store, run(), lease=1)
    force_unlock(store, old.info.id)
    new = take_lock(store, run())
    time.sleep(0.4)
    assert old.lost
    assert old.lapsed()
    old.release()
    assert store.peek_lock() == new.info
    new.release()
    new.release()


def test_force_unlock_needs_the_right_id(tmp_path: Path) -> None:
    """A wrong id unlocks nothing, and names the one that is held."""
    store = store_in(tmp_path)
    with pytest.raises(LockHeld, match="is not held") as caught:
        force_unlock(store, "none")
    assert caught.value.diagnostics[0].name == "lock-not-held"
    with take_lock(store, run()) as held:
        with pytest.raises(LockHeld) as caught:
            force_unlock(store, "wrong")
        assert held.info.id in caught.value.diagnostics[0].detail
        assert force_unlock(store, held.info.id).id == held.info.id


def test_a_lock_file_that_is_no_lock_holds_for_a_lease(tmp_path: Path) -> None:
    """Nobody may guess that it means nothing; after a minute nobody waits for it."""
    store = store_in(tmp_path)
    store.root.mkdir()
    path = store.root / "lock.json"
    path.write_text("{")
    with pytest.raises(LockHeld, match="unknown"):
        take_lock(store, run())
    os.utime(path, (time.time() - 100, time.time() - 100))
    with take_lock(store, run()):
        pass


@pytest.mark.parametrize("change", [{"pid": "1"}, {"since": "yesterday"}, {"id": None}])
def test_what_is_no_lock_is_refused(change: dict[str, object]) -> None:
    """And members of a later version are passed over."""
    data = new_lock(run(), NOW).to_json()
    assert lock_from_json({**data, "mood": "good"}).to_json() == data
    with pytest.raises((KeyError, ValueError, TypeError)):
        lock_from_json({**data, **change})


def test_processes_are_told_apart_by_their_start() -> None:
    """This one runs, a finished one does not, and a number that was never given has no start."""
    assert process_start(os.getpid()) not in ("", None)
    assert process_start(2**22 - 1) == ""
    assert machine_id() == machine_id()


def test_still_ours_looks_at_the_lease(tmp_path: Path) -> None:
    """Before each request: a run that slept too long sends nothing, though nobody took the lock."""
    store = store_in(tmp_path)
    held = take_lock(store, run(), lease=60)
    with opened(store) as journal:
        journal.begin(run(), held)
        journal.still_ours()
        held._renewed -= 61
        with pytest.raises(HeadMoved, match="did not renew its lock"):
            journal.still_ours()


_SLEEPER = """
import sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from typing import Any
from journal_world import intent, opened, run
from provisioner.errors import HeadMoved
from provisioner.journal.locks import take_lock
from provisioner.journal.stores.directory import DirectoryStore
store = DirectoryStore(Path(sys.argv[2]))
held = take_lock(store, run("apply"), lease=1)
journal = opened(store)
journal.begin(run(), held)
journal.append(intent(1))
print("ready", flush=True)
sys.stdin.readline()
try:
    journal.append(intent(2))
    print("sent")
except HeadMoved:
    print("fenced")
journal.close()
"""


def test_a_holder_that_slept_past_its_lease_cannot_append(tmp_path: Path) -> None:
    """SIGSTOP, a lease that ends, a second run, SIGCONT: the first is fenced, and leaves the second's lock alone."""
    store = store_in(tmp_path)
    child = subprocess.Popen(
        [sys.executable, "-c", _SLEEPER, str(HERE), str(store.root)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=HERE.parent.parent,
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "ready\n"
    os.kill(child.pid, signal.SIGSTOP)
    with pytest.raises(LockHeld):
        take_lock(store, run())
    held = take_lock(store, run("apply"), lock_timeout=10)
    with opened(store) as journal:
        journal.begin(run(), held)
        os.kill(child.pid, signal.SIGCONT)
        assert child.communicate("go\n", timeout=20)[0] == "fenced\n"
        assert store.peek_lock() is not None
        assert journal.notices[0].name == "lock-taken-over"
        assert list(journal.state.operations) == ["op-00000001"]
        journal.append(intent(3))
    assert opened(store).state.serial == journal.state.serial


def test_close_never_raises(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The run is over; that its end could not be recorded is a notice, and the lock is released all the same."""
    store = store_in(tmp_path)
    journal = opened(store)
    journal.begin(run(), take_lock(store, run()))

    def full(self: object, *args: object) -> None:
        raise StoreFailed("state-unreachable", "full")

    with monkeypatch.context() as patch:
        patch.setattr(DirectoryStore, "append", full)
        journal.close()
        journal.close()
    assert [notice.name for notice in journal.notices] == ["state-unreachable"]
    assert store.peek_lock() is None
    begun(store).close()
    assert filled(store, 0).state.operations == {}
    assert intent(1).kind == "intent"


@pytest.mark.parametrize(
    ("environ", "actor", "url"),
    [
        ({"USER": "ann"}, "ann", None),
        ({"USER": "root", "SUDO_USER": "bob"}, "bob", None),
        (
            {
                "USER": "runner",
                "GITHUB_ACTOR": "octo",
                "GITHUB_SERVER_URL": "https://git.example",
                "GITHUB_REPOSITORY": "a/b",
                "GITHUB_RUN_ID": "7",
            },
            "octo",
            "https://git.example/a/b/actions/runs/7",
        ),
        ({"GITLAB_USER_LOGIN": "gil", "CI_JOB_URL": "https://lab.example/1"}, "gil", "https://lab.example/1"),
        ({"USER": "a\udcff"}, "a?", None),
    ],
)
def test_a_run_says_who_started_it(environ: dict[str, str], actor: str, url: str | None) -> None:
    """A person, or the pipeline's person; an undecodable name is made readable."""
    info = run_info("state mv", environ, NOW, note="because")
    assert (info.actor, info.ci_run_url, info.note, info.pid) == (actor, url, "because", os.getpid())
    assert info.id.startswith("20261201T120000Z-")
    assert info.id != run_info("state mv", environ, NOW).id
