"""The store that is a directory: the contract of every store, and what only a disk does."""

from __future__ import annotations

import errno
import os
import resource
import signal
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from journal_world import STACK, begun, filled, intent, opened, outcome, segment_files, store_in
from store_contract import StoreContract

from provisioner.errors import Invalid, StoreFailed
from provisioner.journal.journal import Draft
from provisioner.journal.stores.base import Position, Store
from provisioner.journal.stores.directory import DirectoryStore
from provisioner.journal.stores.opening import open_store
from provisioner.secret import Secret

HERE = Path(__file__).parent


class TestDirectoryStore(StoreContract):
    @pytest.fixture
    def make(self, tmp_path: Path) -> Callable[[], Store]:
        return lambda: DirectoryStore(tmp_path / "state")


def no_secret(reference: object) -> Secret:
    raise AssertionError("a directory needs no secret")


def test_locations_are_directories_or_urls(tmp_path: Path) -> None:
    """A plain path is relative to the file's directory; file: is absolute; of another scheme it says what there is."""

    def at(location: str) -> Store:
        return open_store(location, stack=STACK, directory=tmp_path, settings={}, resolve=no_secret)

    assert at("state/x").identity == f"file://{(tmp_path / 'state/x').resolve()}"
    assert at("file:///srv/a%20b").identity == "file:///srv/a b"
    with pytest.raises(Invalid, match="a ftp: location") as caught:
        at("ftp://example.com/x")
    assert "a directory" in caught.value.diagnostics[0].detail
    with pytest.raises(Invalid, match="file:///ABSOLUTE"):
        at("file://host/x")


def test_everything_is_private(tmp_path: Path) -> None:
    """Files are 0600, and folders 0700 with each parent that had to be made, whatever the umask."""
    store = store_in(tmp_path / "made" / "too")
    before = os.umask(0)
    try:
        filled(store, 1)
        store.put_key("k", b"x")
    finally:
        os.umask(before)
    modes = {p.name: stat.S_IMODE(p.stat().st_mode) for p in tmp_path.rglob("*")}
    assert {mode for name, mode in modes.items() if "." in name} == {0o600}
    assert {mode for name, mode in modes.items() if "." not in name} == {0o700}


def test_a_reader_makes_nothing(tmp_path: Path) -> None:
    """A copy on a read-only medium can be looked at: no lock file, no folder."""
    store = store_in(tmp_path)
    filled(store, 1)
    (store.root / "append.lock").unlink()
    before = sorted(store.root.rglob("*"))
    assert len(opened(store).state.objects) == 1
    assert store.peek_lock() is None
    assert sorted(store.root.rglob("*")) == before
    assert not (tmp_path / "elsewhere").exists()
    DirectoryStore(tmp_path / "elsewhere").load()
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize("fault", [errno.ENOSPC, errno.EIO])
def test_a_failed_flush_ends_the_run_and_leaves_what_was_acknowledged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: int
) -> None:
    """No later append is tried; the next run finds neither half a line nor an entry that nobody was told of."""
    store = store_in(tmp_path)
    journal = begun(store)
    journal.append(intent(1))
    real, failing = os.fsync, [True]

    def fsync(file: int) -> None:
        if failing:
            failing.clear()
            raise OSError(fault, os.strerror(fault))
        real(file)

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(StoreFailed, match=os.strerror(fault)):
        journal.append(outcome(1))
    with pytest.raises(StoreFailed):
        journal.append(intent(2))
    journal.close()
    found = opened(store)
    assert (list(found.state.operations), found.state.objects, found.notices) == (["op-00000001"], {}, [])


def test_a_full_disk_in_the_middle_of_a_line(tmp_path: Path) -> None:
    """A short write is no append: the part that fitted is cut off again, and everything acknowledged is there."""
    store = store_in(tmp_path)
    journal = begun(store)
    journal.append(intent(1))
    path = segment_files(store)[0]
    size = path.stat().st_size
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 100, hard))
    try:
        with pytest.raises(StoreFailed, match="File too large"):
            journal.append(outcome(1))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, ignored)
    assert path.stat().st_size == size
    assert opened(store).state.head == journal.state.head


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become somebody who may not")
def test_permission_denied_is_a_failed_store(tmp_path: Path) -> None:
    """Reading and writing both say what was tried, where, and why it failed: no traceback, nothing sent."""
    store = store_in(tmp_path)
    filled(store, 1)
    tmp_path.chmod(0o755)
    os.seteuid(65534)
    try:
        with pytest.raises(StoreFailed, match=r"Could not read .*state: Permission denied"):
            opened(store)
        with pytest.raises(StoreFailed, match="Permission denied"):
            store.append(b"x\n", Position(1, 1, ""), "")
        with pytest.raises(StoreFailed, match="Permission denied"):
            DirectoryStore(tmp_path / "other").start_segment(b"x\n", Position(), "")
    finally:
        os.seteuid(0)


_RACE = """
import sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from journal_world import begun, intent, opened, run
from provisioner.errors import HeadMoved
from provisioner.journal.stores.directory import DirectoryStore
journal = opened(DirectoryStore(Path(sys.argv[2])))
print("ready", flush=True)
sys.stdin.readline()
try:
    journal.begin(run())
    print("won")
except HeadMoved:
    print("lost")
"""

_FOREVER = """
import sys, threading
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from journal_world import begun, intent, outcome
from provisioner.journal.stores.directory import DirectoryStore
journal = begun(DirectoryStore(Path(sys.argv[2])))
said = threading.Lock()
def work(first):
    for n in range(first, 10**9, 8):
        journal.append(intent(n))
        journal.append(outcome(n))
        with said:
            print(n, flush=True)
for first in range(8):
    threading.Thread(target=work, args=(first,)).start()
"""


def process(script: str, store: DirectoryStore) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", script, str(HERE), str(store.root)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=HERE.parent.parent,
    )


def test_of_two_processes_that_begin_at_once_one_wins(tmp_path: Path) -> None:
    """Both opened the same head; whoever appends second gets HeadMoved, and the chain verifies."""
    store = store_in(tmp_path)
    filled(store, 1)
    both = [process(_RACE, store) for _ in range(2)]
    for one in both:
        assert one.stdout is not None
        assert one.stdout.readline() == "ready\n"
    for one in both:
        assert one.stdin is not None
        one.stdin.write("go\n")
        one.stdin.flush()
    assert sorted(one.communicate(timeout=20)[0] for one in both) == ["lost\n", "won\n"]
    assert opened(store).state.serial == filled(store, 0).state.serial - 2


def test_killed_in_the_middle_every_acknowledged_entry_is_there(tmp_path: Path) -> None:
    """SIGKILL at some moment, three times over: what a thread was told is recorded, and the state opens."""
    store = store_in(tmp_path)
    for _ in range(3):
        child = process(_FOREVER, store)
        assert child.stdout is not None
        told = [child.stdout.readline() for _ in range(60)]
        child.kill()
        told += child.communicate(timeout=20)[0].splitlines()
        acknowledged = {f"op-{int(line):08d}" for line in told if line.strip()}
        state = opened(store).state
        made = {getattr(record, "operation", None) for record in state.objects.values()}
        assert acknowledged <= made
    with begun(store) as journal:
        journal.append(Draft("note"))
    assert opened(store).notices == []
