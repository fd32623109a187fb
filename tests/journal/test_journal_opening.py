"""Opening: what was tampered with is named, what was torn is dropped, what is foreign or newer is refused."""

from __future__ import annotations

import json
import os
import shutil
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from journal_world import (
    STACK,
    begun,
    filled,
    flip,
    intent,
    many_segments,
    opened,
    outcome,
    run,
    segment_files,
    store_in,
)

from provisioner.errors import StateUntrusted
from provisioner.journal import chain
from provisioner.journal.entries import canonical
from provisioner.journal.journal import Draft, Journal
from provisioner.journal.memory import HeadMemory
from provisioner.journal.stores.base import Segment
from provisioner.journal.stores.directory import DirectoryStore


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> DirectoryStore:
    """Three segments, never changed: tests copy it."""
    store = store_in(tmp_path_factory.mktemp("sample"))
    many_segments(store)
    return store


def copy_of(sample: DirectoryStore, folder: Path) -> DirectoryStore:
    shutil.copytree(sample.root, folder / "state")
    return store_in(folder)


def refusal(store: DirectoryStore, memory: HeadMemory | None = None) -> str:
    with pytest.raises(StateUntrusted) as caught:
        opened(store, memory)
    assert caught.value.exit_code == 7
    return caught.value.diagnostics[0].name + ": " + str(caught.value)


class _Fixed(DirectoryStore):
    """A store of given bytes, so that hypothesis need not write files."""

    def __init__(self, contents: list[bytes]) -> None:
        super().__init__(Path("fixed"))
        self.contents = contents

    def load(self) -> tuple[list[Segment], bytes]:
        return [Segment(n) for n in range(1, len(self.contents) + 1)], self.contents[-1]

    def read(self, number: int) -> bytes:
        return self.contents[number - 1]


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_any_flipped_byte_is_noticed_and_the_entry_named(sample: DirectoryStore, data: st.DataObject) -> None:
    """On a machine that knows nothing: whichever byte of whichever segment, the message names segment and line."""
    contents = [path.read_bytes() for path in segment_files(sample)]
    number = data.draw(st.integers(0, len(contents) - 1))
    position = data.draw(st.integers(0, len(contents[number]) - 1))
    to = data.draw(st.integers(0, 255).filter(lambda value: value != contents[number][position]))
    contents[number] = contents[number][:position] + bytes([to]) + contents[number][position + 1 :]
    line = contents[number].count(b"\n", 0, position) + 1
    with pytest.raises(StateUntrusted) as caught:
        Journal.open(_Fixed(contents), stack=STACK, memory=None)
    message = str(caught.value)
    assert f"segment {number + 1:08d}, line " in message
    assert any(f"line {n}" in message for n in (line, line + 1))


@pytest.mark.parametrize("what", ["dropped", "swapped", "doubled", "inserted"])
@pytest.mark.parametrize("segment", [0, 1, 2])
def test_lines_that_move_break_the_chain(sample: DirectoryStore, tmp_path: Path, what: str, segment: int) -> None:
    """Each line verifies by itself; their order is what does not."""
    store = copy_of(sample, tmp_path)
    path = segment_files(store)[segment]
    lines = path.read_bytes().splitlines(keepends=True)
    other = segment_files(store)[(segment + 1) % 3].read_bytes().splitlines(keepends=True)
    changed = {
        "dropped": lines[:1] + lines[2:],
        "swapped": [lines[0], lines[2], lines[1], *lines[3:]],
        "doubled": [lines[0], lines[1], *lines[1:]],
        "inserted": [lines[0], other[1], *lines[1:]],
    }[what]
    path.write_bytes(b"".join(changed))
    assert f"state-damaged: The recorded state does not verify: segment {segment + 1:08d}, line " in refusal(store)


def test_a_missing_segment_is_named(sample: DirectoryStore, tmp_path: Path) -> None:
    """The first, or one in the middle."""
    for number in (1, 2):
        store = copy_of(sample, tmp_path / str(number))
        segment_files(store)[number - 1].unlink()
        assert f"segment {number:08d} is missing" in refusal(store)


def rewrite_from(store: DirectoryStore, segment: int, edit: dict[str, str]) -> None:
    """What a forger can do who knows the format: change a checkpoint and compute every hash anew from there."""
    prev = ""
    for number, path in enumerate(segment_files(store)):
        written = []
        for raw in path.read_bytes().splitlines():
            data = json.loads(raw)
            if number == segment and data["kind"] == "checkpoint":
                data["body"] = json.loads(canonical(data["body"]).replace(*next(iter(edit.items()))))
            data["prev"], own = prev, data.pop("hash")
            data["hash"] = prev = sha256(canonical(data).encode()).hexdigest()
            assert own
            written.append(canonical(data).encode() + b"\n")
        path.write_bytes(b"".join(written))


def test_a_checkpoint_cannot_lie(sample: DirectoryStore, tmp_path: Path) -> None:
    """Every hash holds, and still the checkpoint holds another state than the entries before it add up to."""
    store = copy_of(sample, tmp_path)
    rewrite_from(store, 2, {'"provider":"cx"': '"provider":"cy"'})
    assert "segment 00000003, line 1" in refusal(store)
    assert "another state than the entries before it" in refusal(store)


def test_a_first_checkpoint_is_empty(sample: DirectoryStore, tmp_path: Path) -> None:
    """Nothing precedes it, so it has nothing to sum up."""
    store = copy_of(sample, tmp_path)
    rewrite_from(store, 0, {'"handoffs":{}': '"handoffs":{"token.a":"2026-12-01T12:00:00Z"}'})
    assert "holds a state, and nothing precedes it" in refusal(store)


def test_an_old_segment_edited_in_place_is_noticed_though_it_was_verified(
    sample: DirectoryStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Same size, same inode, mtime put back: the change time gives it away, on the machine that remembers it."""
    monkeypatch.setattr("provisioner.journal.stores.directory._SETTLED_NS", 0)
    store, memory = copy_of(sample, tmp_path), HeadMemory(tmp_path / "heads")
    opened(store, memory)
    path = segment_files(store)[0]
    before = path.stat()
    with path.open("r+b") as file:
        file.seek(900)
        file.write(b"#")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert "segment 00000001, line" in refusal(store, memory)


def test_a_segment_that_was_verified_is_not_read_again(
    sample: DirectoryStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fresh machine reads all; the second time only the newest, unless the file is too young to be told apart."""
    store, memory = copy_of(sample, tmp_path), HeadMemory(tmp_path / "heads")
    read: list[int] = []
    real = DirectoryStore.read

    def counted(self: DirectoryStore, number: int) -> bytes:
        read.append(number)
        return real(self, number)

    monkeypatch.setattr(DirectoryStore, "read", counted)
    opened(store, memory)
    opened(store, memory)
    assert read == [1, 2, 1, 2]
    monkeypatch.setattr("provisioner.journal.stores.directory._SETTLED_NS", 0)
    opened(store, memory)
    read.clear()
    opened(store, memory)
    assert read == []


# -- torn tails ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("keep", [1, 40, -2, -1])
def test_a_torn_last_line_is_dropped_and_cut_off(tmp_path: Path, keep: int) -> None:
    """However much of it arrived; the next run goes on after the last whole entry."""
    store = store_in(tmp_path)
    journal = begun(store)
    journal.append(intent(1))
    head = journal.state.head
    journal.append(outcome(1))
    path = segment_files(store)[0]
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:-1]) + lines[-1][:keep])
    found = opened(store)
    assert found.state.head == head
    assert [notice.name for notice in found.notices] == ["torn-tail"]
    found.begin(run())
    found.close()
    again = opened(store)
    assert (again.notices, again.state.serial) == ([], 5)


def test_a_whole_entry_without_its_newline_is_not_torn_but_changed(tmp_path: Path) -> None:
    """A cut write leaves the beginning of a line; other bytes where the newline was mean that somebody wrote there."""
    store = store_in(tmp_path)
    filled(store, 1)
    flip(segment_files(store)[0], -1, ord(" "))
    assert "does not end where it should" in refusal(store)


def test_a_torn_line_that_was_acknowledged_is_a_rollback(tmp_path: Path) -> None:
    """This machine was told that it is durable, so it was not torn by a crash."""
    store, memory = store_in(tmp_path), HeadMemory(tmp_path / "heads")
    filled(store, 1, memory)
    path = segment_files(store)[0]
    path.write_bytes(path.read_bytes()[:-20])
    assert refusal(store, memory).startswith("state-rolled-back")


def test_a_torn_older_segment_is_damage(sample: DirectoryStore, tmp_path: Path) -> None:
    """Only the end of the newest can be torn by a crash."""
    store = copy_of(sample, tmp_path)
    path = segment_files(store)[0]
    path.write_bytes(path.read_bytes()[:-1])
    assert "segment 00000001" in refusal(store)


@pytest.mark.parametrize("content", [b"", b'{"actor":"an'])
def test_a_segment_without_a_whole_entry_is_damage(sample: DirectoryStore, tmp_path: Path, content: bytes) -> None:
    """A segment appears whole, with its checkpoint, or not at all."""
    store = copy_of(sample, tmp_path)
    segment_files(store)[2].write_bytes(content)
    assert "segment 00000003, line 1" in refusal(store)


# -- formats, stacks, lineages -----------------------------------------------------------------------------------------


def test_a_newer_format_is_refused_as_such(tmp_path: Path) -> None:
    """Not as damage, and nothing is changed; a kind unknown here is one, too."""
    store = store_in(tmp_path)
    filled(store, 1)
    path = segment_files(store)[0]
    before = path.read_bytes()
    path.write_bytes(before.replace(b'"format":1', b'"format":2'))
    assert refusal(store).startswith("state-newer-format")
    data = json.loads(before.splitlines()[-1])
    data["kind"], own = "dance", data.pop("hash")
    data["hash"] = sha256(canonical(data).encode()).hexdigest()
    assert own != data["hash"]
    path.write_bytes(before[: before.rstrip().rfind(b"\n") + 1] + canonical(data).encode() + b"\n")
    assert refusal(store).startswith("state-newer-format")


def test_another_stacks_state_is_refused(tmp_path: Path) -> None:
    """Two files that name one location must not share a state."""
    store = store_in(tmp_path)
    filled(store, 1)
    with pytest.raises(StateUntrusted, match="belongs to the stack 'messaging', not to 'billing'") as caught:
        Journal.open(store, stack="billing", memory=None)
    assert caught.value.diagnostics[0].name == "state-foreign"


# -- writing -----------------------------------------------------------------------------------------------------------


def test_reading_writes_nothing_and_appending_needs_a_run(tmp_path: Path) -> None:
    """`open` of nothing is an empty state without a lineage; `append` before `begin` is a mistake of ours."""
    store = store_in(tmp_path)
    journal = opened(store)
    assert (journal.state.stack, journal.lineage, journal.state.serial) == (STACK, "", 0)
    with pytest.raises(RuntimeError):
        journal.append(intent(1))
    journal.close()
    assert not store.root.exists()


@pytest.mark.parametrize("draft", [Draft("checkpoint", None, {"state": {}}), Draft("lock"), Draft("unlock")])
def test_some_kinds_are_the_journals_own(tmp_path: Path, draft: Draft) -> None:
    """A caller that writes a lock or a checkpoint would break the fence or the fold."""
    with begun(store_in(tmp_path)) as journal, pytest.raises(ValueError, match="only the journal"):
        journal.append(draft)


def test_a_draft_that_would_not_open_again_is_refused_and_the_run_goes_on(tmp_path: Path) -> None:
    """A caller's mistake must not cost the state, nor what other threads record."""
    store = store_in(tmp_path)
    with begun(store) as journal:
        for wrong in (
            Draft("note", None, {"x": 1.5}),
            Draft("note", None, {"put": [{"kind": "token"}]}),
            Draft("dance"),
        ):
            with pytest.raises((TypeError, ValueError)):
                journal.append(wrong)
        journal.append(intent(1))
    assert list(opened(store).state.operations) == ["op-00000001"]


def test_what_is_open_equals_what_is_read_again(sample: DirectoryStore, tmp_path: Path) -> None:
    """The state that the writer holds is the state that the next reader gets, to the last field."""
    store = copy_of(sample, tmp_path)
    with begun(store) as journal:
        journal.append(intent(5), outcome(5))
        snapshot = journal.snapshot()
        journal.append(Draft("handoff", None, {"waiting": ["application.a"]}))
        assert "application.a" not in snapshot.handoffs
    assert opened(store).state == journal.state


def test_segments_begin_with_runs_and_only_when_much_is_behind(tmp_path: Path) -> None:
    """256 entries or twice what is live, never in the middle of a run."""
    store = store_in(tmp_path)
    with begun(store) as journal:
        journal.append(*(Draft("note", None, {"n": n}) for n in range(254)))
    assert len(segment_files(store)) == 1
    begun(store).close()  # lock, 254 notes, unlock: 256 entries are not yet more than 256
    assert len(segment_files(store)) == 1
    with begun(store) as journal:
        assert len(segment_files(store)) == 2
        journal.append(*(Draft("note", None, {"n": n}) for n in range(2000)))
        assert len(segment_files(store)) == 2
    entries = [entry.kind for entry in opened(store).entries()]
    assert entries[:2] == ["checkpoint", "lock"]
    assert entries.count("checkpoint") == 2
    assert chain.state_digest(opened(store).state) == chain.state_digest(opened(store).state_at(journal.state.serial))


def test_a_large_state_waits_longer_for_its_checkpoint(tmp_path: Path) -> None:
    """Twice what is live: a checkpoint never costs more than a share of what was written."""
    store = store_in(tmp_path)
    filled(store, 200)  # checkpoint, lock, 400 entries, unlock
    begun(store).close()
    assert len(segment_files(store)) == 2
    with begun(store) as journal:
        journal.append(*(Draft("note", None, {"n": n}) for n in range(390)))
    begun(store).close()
    assert len(segment_files(store)) == 2
