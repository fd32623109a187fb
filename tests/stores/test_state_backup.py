"""`state backup` and restoring it, `state verify`, and the page's own recipe on what came from other stores."""

from __future__ import annotations

import io
import os
import shutil
import stat
import subprocess
import tarfile
from pathlib import Path

import pytest
from journal_world import STACK, begun_at, intent, run
from moving_world import Stack, image
from test_journal_history import by_hand

from provisioner.errors import Invalid, StateUntrusted, StoreFailed
from provisioner.journal.journal import Journal
from provisioner.journal.locks import take_lock
from provisioner.journal.memory import HeadMemory
from provisioner.journal.stores.base import Segment
from provisioner.journal.stores.directory import DirectoryStore


@pytest.fixture
def stack(tmp_path: Path) -> Stack:
    return Stack(tmp_path)


def unpack(file: Path, folder: Path) -> None:
    """As anybody would."""
    folder.mkdir()
    subprocess.run(["tar", "-xf", str(file), "-C", str(folder)], check=True)


def test_a_backup_is_one_private_file_that_restores_to_the_same_bytes(stack: Stack, tmp_path: Path) -> None:
    """By `state migrate FILE TO`, or by unpacking it."""
    stack.fill(stack.store("first"))
    file = tmp_path / "monday.backup"
    done = stack.backup(file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert (done.segments, done.keys) == (2, 4)
    restored = stack.migrate("monday.backup", "second")
    assert (restored.head, restored.kept) == (done.head, False)
    assert image(stack.store("second")) == image(stack.store("first"))
    unpack(file, tmp_path / "unpacked")
    assert image(stack.store("unpacked")) == image(stack.store("first"))
    with take_lock(stack.store("second"), run()) as held:
        journal = Journal.open(stack.store("second"), stack=STACK, memory=None)
        journal.begin(run(), held)
        journal.close()


def test_the_recipe_of_the_page_runs_on_what_came_from_elsewhere(tmp_path: Path, database: str, bucket: str) -> None:
    """From PostgreSQL and from S3, by a backup and by a migration: `jq` and `sha256sum` see the same head."""
    stack = Stack(tmp_path)
    for name, url in (("postgres", database), ("objects", bucket)):
        journal = stack.fill(stack.store(url), notes=5)
        (tmp_path / "provisioner.toml").write_text(f"[stack]\nname = '{STACK}'\n[state]\nlocation = '{url}'\n")
        file = tmp_path / f"{name}.backup"
        stack.backup(file)
        unpack(file, tmp_path / f"{name}-unpacked")
        stack.migrate(url, f"{name}-moved")
        for folder in (f"{name}-unpacked", f"{name}-moved"):
            done = by_hand(tmp_path / folder)
            assert (done.returncode, done.stderr) == (0, "")
            assert done.stdout == f"serial {journal.state.serial}, head {journal.state.head}\n"


@pytest.mark.skipif(shutil.which("tar") is None, reason="needs tar")
def test_a_backup_is_unpacked_by_tar(stack: Stack, tmp_path: Path) -> None:
    """With no part of this program; the modes are private."""
    stack.fill(stack.store("first"), notes=5)
    stack.backup(tmp_path / "b")
    (tmp_path / "unpacked").mkdir()
    subprocess.run(["tar", "-xf", "../b"], cwd=tmp_path / "unpacked", check=True)
    assert by_hand(tmp_path / "unpacked").returncode == 0
    files = [path for path in (tmp_path / "unpacked").rglob("*") if path.is_file()]
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}


def test_a_damaged_backup_restores_nothing(stack: Stack, tmp_path: Path) -> None:
    """Cut short, changed, or no backup at all: exit 7, and the target stays empty."""
    stack.fill(stack.store("first"))
    file = tmp_path / "b"
    stack.backup(file)
    good = file.read_bytes()
    for bad in (good[: len(good) // 2], good.replace(b'"n":7', b'"n":8', 1), b"hello"):
        file.write_bytes(bad)
        with pytest.raises((StateUntrusted, Invalid)) as caught:
            stack.migrate("b", "second")
        assert caught.value.exit_code in (4, 7)
        assert stack.store("second").load() == ([], b"")


def test_a_damaged_state_is_not_backed_up(stack: Stack, tmp_path: Path) -> None:
    """Exit 7; the file of the day before is still there."""
    stack.fill(stack.store("first"))
    file = tmp_path / "b"
    stack.backup(file)
    before = file.read_bytes()
    path = tmp_path / "first" / "journal" / "00000002.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"ann"', b'"bob"', 1))
    with pytest.raises(StateUntrusted, match="segment 00000002, line 1"):
        stack.backup(file)
    assert file.read_bytes() == before


def test_a_backup_that_cannot_be_written_is_said(stack: Stack, tmp_path: Path) -> None:
    """Exit 4, naming the file."""
    stack.fill(stack.store("first"))
    with pytest.raises(Invalid, match=r"nowhere/b cannot be written: No such file or directory"):
        stack.backup(tmp_path / "nowhere" / "b")


def test_a_backup_is_never_written_to(stack: Stack, tmp_path: Path) -> None:
    """A file that names one as its state can be looked at, and that is all."""
    stack.fill(stack.store("first"))
    stack.backup(tmp_path / "b")
    store = stack.store("b")
    before = (tmp_path / "b").read_bytes()
    with pytest.raises(StoreFailed, match="only read, never written"):
        begun_at(store)
    for method, words in ((store.put_key, ("k", b"")), (store.delete_key, ("k",)), (store.write_mark, (b"",))):
        with pytest.raises(StoreFailed, match="only read"):
            method(*words)
    assert (tmp_path / "b").read_bytes() == before
    assert store.peek_lock() is None


def test_an_old_backup_is_a_rollback_to_who_saw_more(stack: Stack, tmp_path: Path) -> None:
    """Restoring it takes --accept-rollback, and the first run on it records that."""
    first = stack.store("first")
    stack.fill(first)
    stack.backup(tmp_path / "b")
    memory = HeadMemory.of_user(os.environ)
    with take_lock(first, run()) as held, Journal.open(first, stack=STACK, memory=memory) as journal:
        journal.begin(run(), held)
        journal.append(intent(7))
    shutil.rmtree(tmp_path / "first")
    with pytest.raises(StateUntrusted, match="older than what this machine has seen"):
        stack.migrate("b", "first")
    stack.migrate("b", "first", accept=True)
    with pytest.raises(StateUntrusted, match="older"):
        Journal.open(first, stack=STACK, memory=memory)
    with (
        take_lock(first, run()) as held,
        Journal.open(first, stack=STACK, memory=memory, accept_rollback=True) as journal,
    ):
        journal.begin(run(), held)
    kinds = [entry.kind for entry in Journal.open(first, stack=STACK, memory=memory).entries()]
    assert kinds[-4:] == ["rollback-accepted", "lock", "migrated", "unlock"]


# -- verify ----------------------------------------------------------------------------------------------------------


def test_verify_reads_every_entry_again(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that verified an old segment believes its stamp; `state verify` believes nothing."""
    stack.fill(stack.store("first"))
    monkeypatch.setattr(DirectoryStore, "_stamped", lambda self, number: Segment(number, "the same for ever"))
    found = stack.verify()
    store = stack.store("first")
    serial = Journal.open(store, stack=STACK, memory=None).state.serial
    assert (found.entries, found.serial, found.segments, found.keys) == (serial, serial, 2, 4)
    path = stack.folder / "first" / "journal" / "00000001.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"n":7', b'"n":8', 1))
    memory = HeadMemory.of_user(os.environ)
    assert Journal.open(store, stack=STACK, memory=memory).state.serial == serial
    with pytest.raises(StateUntrusted, match=r"segment 00000001, line \d+ \(serial \d+\) is not what its hash says"):
        stack.verify()


def test_verify_says_whether_this_machine_can_tell_an_older_copy(stack: Stack) -> None:
    """Which entry it had seen before, and that is in the chain; none where it had seen nothing."""
    stack.fill(stack.store("first"))
    assert stack.verify().known is None
    serial = stack.verify().known
    assert serial == Journal.open(stack.store("first"), stack=STACK, memory=None).state.serial


def test_verify_says_which_data_keys_are_gone(stack: Stack) -> None:
    """A deleted one shreds what it sealed: no fault of the chain, and worth a line. One of another state is a fault."""
    store = stack.store("first")
    stack.fill(store)
    assert stack.verify().missing == ()
    store.delete_key("0123456789abcdef")
    assert stack.verify().missing == ("0123456789abcdef",)
    data = (store.get_key("key0") or b"").replace(b'"lineage":"', b'"lineage":"0')
    store.put_key("key0", data)
    with pytest.raises(StateUntrusted, match="The data key key0 belongs to the recorded state") as caught:
        stack.verify()
    assert caught.value.diagnostics[0].name == "state-foreign"


def test_packing_holds_every_key_that_its_entries_need(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that goes on meanwhile makes its key durable before the entry that needs it, and keys are packed last."""
    from provisioner.journal.stores.archive import ArchiveStore, pack

    store = DirectoryStore(stack.folder / "first")
    journal = stack.fill(store)
    real = DirectoryStore.load

    def load(self: DirectoryStore) -> tuple[list[Segment], bytes]:
        found = real(self)
        self.put_key("made-meanwhile", b"{}\n")
        return found

    with monkeypatch.context() as patch:
        patch.setattr(DirectoryStore, "load", load)
        packed = pack(store)
    assert "made-meanwhile" in ArchiveStore.of(packed, "b").list_keys()
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        assert {member.mode for member in archive} == {0o600}
    assert Journal.open(ArchiveStore.of(packed, "b"), stack=STACK, memory=None).state.head == journal.state.head
