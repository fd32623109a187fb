"""What this machine remembers: an older, another or a deleted state is noticed, and accepted only on the record."""

from __future__ import annotations

import shutil
import stat
from pathlib import Path

import pytest
from journal_world import begun, filled, many_segments, opened, run, segment_files, store_in

from provisioner.errors import StateUntrusted
from provisioner.journal.journal import Journal
from provisioner.journal.memory import HeadMemory, Seen
from provisioner.journal.stores.directory import DirectoryStore


@pytest.fixture
def memory(tmp_path: Path) -> HeadMemory:
    return HeadMemory.of_user({"XDG_STATE_HOME": str(tmp_path / "xdg")})


def refusal(store: DirectoryStore, memory: HeadMemory) -> str:
    with pytest.raises(StateUntrusted) as caught:
        opened(store, memory)
    assert "--accept-rollback" in caught.value.diagnostics[0].detail
    return caught.value.diagnostics[0].name


def replace(store: DirectoryStore, copy: Path) -> None:
    shutil.rmtree(store.root)
    shutil.copytree(copy, store.root)


def test_an_older_copy_is_noticed_until_it_is_accepted_on_the_record(tmp_path: Path, memory: HeadMemory) -> None:
    """Every command is told; looking with --accept-rollback forgets nothing; a run that accepts records it."""
    store = store_in(tmp_path)
    filled(store, 1, memory)
    shutil.copytree(store.root, tmp_path / "copy")
    filled(store, 1, memory, first=2)
    replace(store, tmp_path / "copy")
    assert refusal(store, memory) == "state-rolled-back"
    looked = opened(store, memory, accept_rollback=True)
    assert [notice.name for notice in looked.notices] == ["rollback-accepted"]
    assert refusal(store, memory) == "state-rolled-back"
    begun(store, memory, accept_rollback=True).close()
    kinds = [entry.kind for entry in opened(store, memory).entries()]
    assert kinds[-3:] == ["rollback-accepted", "lock", "unlock"]


def test_a_fork_is_noticed(tmp_path: Path, memory: HeadMemory) -> None:
    """A copy that went on elsewhere has as many entries, and others."""
    store = store_in(tmp_path)
    filled(store, 1, memory)
    shutil.copytree(store.root, tmp_path / "copy")
    filled(store, 1, memory, first=2)
    filled(DirectoryStore(tmp_path / "copy"), 3, first=5)
    replace(store, tmp_path / "copy")
    assert refusal(store, memory) == "state-rolled-back"


def test_a_state_that_is_gone_is_noticed(tmp_path: Path, memory: HeadMemory) -> None:
    """An empty folder is the oldest copy of all: else everything would be made twice."""
    store = store_in(tmp_path)
    filled(store, 1, memory)
    shutil.rmtree(store.root)
    assert refusal(store, memory) == "state-rolled-back"
    begun(store, memory, accept_rollback=True).close()
    assert [entry.kind for entry in opened(store, memory).entries()][:2] == ["checkpoint", "rollback-accepted"]


def test_another_state_in_its_place_is_foreign(tmp_path: Path, memory: HeadMemory) -> None:
    """The same stack's name, another lineage."""
    store = store_in(tmp_path)
    filled(store, 1, memory)
    filled(DirectoryStore(tmp_path / "other"), 5)
    replace(store, tmp_path / "other")
    assert refusal(store, memory) == "state-foreign"
    begun(store, memory, accept_rollback=True).close()
    opened(store, memory)


def test_a_moved_state_is_known_by_its_lineage(tmp_path: Path, memory: HeadMemory) -> None:
    """Another location, the same state: fine where it is the newest, noticed where it is older."""
    store = store_in(tmp_path)
    filled(store, 1, memory)
    shutil.copytree(store.root, tmp_path / "old")
    filled(store, 1, memory, first=2)
    shutil.copytree(store.root, tmp_path / "new")
    opened(DirectoryStore(tmp_path / "new"), memory)
    assert refusal(DirectoryStore(tmp_path / "old"), memory) == "state-rolled-back"


def test_what_other_machines_recorded_meanwhile_is_no_rollback(tmp_path: Path, memory: HeadMemory) -> None:
    """Segments on, the head that was seen here is still in the chain."""
    store = store_in(tmp_path)
    filled(store, 1, memory)
    many_segments(store, None, segments=3)
    assert opened(store, memory).state.serial > 500
    assert len(segment_files(store)) == 3


def test_a_reader_that_is_overtaken_is_not_told_of_a_rollback(
    tmp_path: Path, memory: HeadMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody appends between our look and what we recall: the state is read once more before it is judged."""
    store, other = store_in(tmp_path), DirectoryStore(tmp_path / "link")
    filled(store, 1, memory)
    other.root.symlink_to(store.root)
    other.identity = "a location that was never seen"
    real = DirectoryStore.load
    late = [True]

    def load(self: DirectoryStore) -> object:
        found = real(self)
        if self is other and late:
            late.clear()
            filled(store, 1, memory, first=2)
        return found

    monkeypatch.setattr(DirectoryStore, "load", load)
    assert len(opened(other, memory).state.objects) == 2


def test_memory_is_private_small_and_dispensable(tmp_path: Path, memory: HeadMemory) -> None:
    """0600; a damaged or unwritable memory is none, and no reason to stop."""
    store = store_in(tmp_path)
    journal = filled(store, 1, memory)
    files = [path for path in memory.folder.rglob("*") if path.is_file()]
    assert files
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    assert memory.recall(journal.lineage) == Seen(
        lineage=journal.lineage, serial=journal.state.serial, head=journal.state.head
    )
    for path in files:
        path.write_text("{")
    assert memory.recall(journal.lineage) is None
    opened(store, memory)
    (tmp_path / "file").write_text("")
    nowhere = HeadMemory(tmp_path / "file" / "heads")
    filled(store, 1, nowhere, first=2)


@pytest.mark.parametrize("cut", [0, 1, 100])
def test_a_head_that_was_half_written_leaves_the_one_before(memory: HeadMemory, cut: int) -> None:
    """Whatever stands in one of the two lines: the other one counts, and the next head goes over the broken one."""
    for serial in (3, 4, 5):
        memory.remember_head("l", serial, f"h{serial}")
    (file,) = memory.folder.rglob("head.json")
    whole = file.read_bytes()
    file.write_bytes(whole[:cut] + b"?" + whole[cut + 1 :])  # turn 3 stands in the first line
    found = memory.recall("l")
    assert found is not None
    assert (found.serial, found.head) == (4, "h4")
    memory.remember_head("l", 6, "h6")
    again = memory.recall("l")
    assert again is not None
    assert again.serial == 6


def test_an_older_look_does_not_make_memory_older(memory: HeadMemory) -> None:
    """Of two commands at once, the slower must not win."""
    memory.remember(Seen(lineage="l", serial=5, head="h5"), "here")
    memory.remember(Seen(lineage="l", serial=3, head="h3"), "here")
    found = memory.recall("l")
    assert found is not None
    assert (found.serial, memory.lineage_at("here"), memory.lineage_at("there")) == (5, "l", None)
    assert memory.recall("../../etc/passwd") is None


def test_the_memory_is_of_the_last_acknowledged_entry_at_any_moment(tmp_path: Path, memory: HeadMemory) -> None:
    """Not only at the end of a run: a killed run's entries are known as durable too."""
    journal: Journal = begun(store_in(tmp_path), memory)
    seen = memory.recall(journal.lineage)
    assert seen is not None
    assert (seen.serial, seen.head) == (journal.state.serial, journal.state.head)
    assert journal.run is not None
    assert run().actor == journal.run.actor
