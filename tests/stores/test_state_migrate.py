"""`state migrate`: the same bytes elsewhere, whenever it is interrupted; the old copy readable, marked, no writer's."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from http_state_server import PASSWORD, USER, HttpStateServer
from journal_world import STACK, intent, run
from moving_world import Stack, image

from provisioner.errors import Invalid, LockHeld, StateUntrusted, StoreFailed
from provisioner.journal.journal import Draft, Journal
from provisioner.journal.locks import take_lock
from provisioner.journal.stores.base import Store
from provisioner.journal.stores.directory import DirectoryStore

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def stack(tmp_path: Path) -> Stack:
    return Stack(tmp_path)


def opened(store: Store, **options: Any) -> Journal:
    return Journal.open(store, stack=STACK, memory=None, **options)


def begin(store: Store) -> Journal:
    """A run that records one thing, under the lock."""
    with take_lock(store, run()) as held, opened(store) as journal:
        journal.begin(run(), held)
        journal.append(Draft("note"))
    return journal


@pytest.fixture
def server() -> Iterator[HttpStateServer]:
    made = HttpStateServer("gitlab")
    yield made
    made.stop()


def test_round_every_kind_of_store_and_home_again(
    tmp_path: Path, database: str, bucket: str, server: HttpStateServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Directory, PostgreSQL, S3, GitLab, and back into the old directory: each hop keeps every byte; a run at each
    place goes on with the chain and records whence it came."""
    monkeypatch.setenv("STATE_USER", USER)
    monkeypatch.setenv("STATE_PASSWORD", PASSWORD)
    stack = Stack(tmp_path, "username = { env = 'STATE_USER' }\npassword = { env = 'STATE_PASSWORD' }")
    settings = {"username": USER, "password": PASSWORD}
    places = ["first", database, bucket, server.url(STACK), "first"]
    stores = [stack.store(place, **settings) for place in places]
    stack.fill(stores[0])
    for origin, to, source, target in zip(places, places[1:], stores, stores[1:], strict=False):
        before = image(source)
        done = stack.migrate(origin, to)
        assert image(target) == before == image(source)
        assert (done.head, done.serial, done.already) == (opened(target).state.head, opened(target).state.serial, False)
        with pytest.raises(StateUntrusted, match="was moved to"):
            begin(source)
        assert [n.name for n in opened(source, looking=True).notices] == ["state-moved-away"]
        journal = begin(target)
        assert [entry.kind for entry in journal.entries()].count("migrated") == places.index(to) or to == "first"
    kinds = [entry.kind for entry in opened(stores[-1]).entries()]
    assert kinds.count("migrated") == 4


def test_it_is_verified_as_a_whole_before_anything_is_copied(stack: Stack) -> None:
    """A changed byte in the oldest segment: exit 7, and the target was never begun."""
    store = stack.store("first")
    stack.fill(store)
    path = stack.folder / "first" / "journal" / "00000001.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"n":7', b'"n":8', 1))
    with pytest.raises(StateUntrusted, match="segment 00000001, line"):
        stack.migrate("first", "second")
    target = stack.store("second")
    assert (target.load(), target.read_mark()) == (([], b""), None)
    assert not (stack.folder / "second").exists()
    assert store.read_mark() is None


class _Cut:
    """Lets so many writes of every directory store through, then fails each: the machine is off."""

    WRITES = ("append", "start_segment", "put_key", "delete_key", "write_mark")

    def __init__(self, monkeypatch: pytest.MonkeyPatch, allowed: int) -> None:
        self.numbers = count()
        for name in self.WRITES:
            monkeypatch.setattr(DirectoryStore, name, self._counted(getattr(DirectoryStore, name), allowed))

    def _counted(self, real: Callable[..., Any], allowed: int) -> Callable[..., Any]:
        def write(store: DirectoryStore, *words: Any) -> Any:
            if next(self.numbers) >= allowed:
                raise StoreFailed("state-unreachable", "the machine is off")
            return real(store, *words)

        return write


def may_begin(store: Store) -> bool:
    """Whether a writer would be let in, looking only."""
    try:
        found = opened(store, looking=True)
    except StateUntrusted as fault:
        assert fault.diagnostics[0].name == "state-half-migrated"  # noqa: PT017  # the other case is below
        return False
    return bool(found.lineage) and [n.name for n in found.notices] != ["state-moved-away"]


def test_interrupted_at_every_write_it_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At no moment are there two places that take appends; whichever is opened says what it is; the same command again
    ends with the same bytes."""
    template = Stack(tmp_path)
    template.fill(template.store("first"), runs=2, notes=260)
    expected = image(template.store("first"))
    writers = set()
    for allowed in count():
        folder = tmp_path / str(allowed)
        folder.mkdir()
        stack = Stack(folder)
        copy(tmp_path / "first", folder / "first")
        first, second = stack.store("first"), stack.store("second")
        with monkeypatch.context() as patch:
            cut = _Cut(patch, allowed)
            try:
                stack.migrate("first", "second")
            except StoreFailed:
                whole = False
            else:
                whole = True
        let_in = (may_begin(first), may_begin(second))
        assert let_in != (True, True)
        writers.add(let_in)
        again = stack.migrate("first", "second")
        assert (image(second), again.already) == (expected, whole)
        assert (may_begin(first), may_begin(second)) == (False, True)
        if whole:
            break
    assert next(cut.numbers) == 8  # the mark, three keys, two segments, the mark of the old, the mark of the new
    assert writers == {(True, False), (False, False), (False, True)}


def copy(source: Path, target: Path) -> None:
    import shutil

    shutil.copytree(source, target)


def test_a_half_copy_is_named_on_any_machine(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first half of a chain verifies; what says that it is a half is the mark. Exit 7 for readers, too, and no
    --accept-rollback helps."""
    stack.fill(stack.store("first"), runs=2, notes=260)
    with monkeypatch.context() as patch:
        _Cut(patch, 5)
        with pytest.raises(StoreFailed):
            stack.migrate("first", "second")
    half = stack.store("second")
    assert half.load()[0] != []
    for options in ({}, {"looking": True}, {"accept_rollback": True}):
        with pytest.raises(StateUntrusted, match=r"the beginning of a copy of first that was never finished") as caught:
            opened(half, **options)
    found = caught.value.diagnostics[0]
    assert (found.name, caught.value.exit_code) == ("state-half-migrated", 7)
    assert "provisioner state migrate first second" in found.detail


def test_running_it_again_changes_nothing(stack: Stack) -> None:
    """Also where the new place has moved on since."""
    stack.fill(stack.store("first"))
    stack.migrate("first", "second")
    begin(stack.store("second"))
    before = image(stack.store("second"))
    again = stack.migrate("first", "second")
    assert (again.already, again.head) == (True, opened(stack.store("second")).state.head)
    assert image(stack.store("second")) == before


def test_an_old_copy_is_brought_up_to_date(stack: Stack) -> None:
    """Moving back appends what happened in between, takes over resealed keys, and drops shredded ones."""
    first, second = stack.store("first"), stack.store("second")
    stack.fill(first)
    stack.migrate("first", "second")
    begin(second)
    second.put_key("key0", b'{"resealed":1}\n')
    second.delete_key("key1")
    stack.migrate("second", "first")
    assert image(first) == image(second)
    assert begin(first).state.serial > opened(second, looking=True).state.serial


def test_a_place_that_is_taken_is_left_alone(stack: Stack) -> None:
    """Another state, a copy that went its own way, or the same place under another name: exit 4."""
    stack.fill(stack.store("first"))
    stack.fill(stack.store("other"))
    before = image(stack.store("other"))
    with pytest.raises(Invalid, match="a recorded state at other already"):
        stack.migrate("first", "other")
    assert image(stack.store("other")) == before
    copy(stack.folder / "first", stack.folder / "fork")
    begin(stack.store("fork"))
    with pytest.raises(Invalid, match="a recorded state at fork already"):
        stack.migrate("first", "fork")
    with pytest.raises(Invalid, match="the same place"):
        stack.migrate("first", "./other/../first")
    with pytest.raises(Invalid, match="no recorded state of messaging at nowhere"):
        stack.migrate("nowhere", "second")
    assert not (stack.folder / "nowhere").exists()


def test_what_was_moved_is_not_moved_again_from_the_old_place(stack: Stack) -> None:
    """Two places would go on with one chain: exit 7, and the message says where it is now."""
    stack.fill(stack.store("first"))
    stack.migrate("first", "second")
    with pytest.raises(StateUntrusted, match="was moved to second by") as caught:
        stack.migrate("first", "third")
    assert caught.value.exit_code == 7
    assert not (stack.folder / "third").exists()


def test_a_held_lock_at_either_end_stops_it(stack: Stack) -> None:
    """Exit 5, and nothing is copied."""
    stack.fill(stack.store("first"))
    for place in ("first", "second"):
        with take_lock(stack.store(place), run()), pytest.raises(LockHeld):
            stack.migrate("first", place if place != "first" else "second")
    assert stack.store("second").load() == ([], b"")


def test_a_lost_new_place_is_given_up_by_accepting_the_old(stack: Stack) -> None:
    """--accept-rollback goes on from the old copy, and records that it was moved."""
    store = stack.store("first")
    stack.fill(store)
    stack.migrate("first", "second")
    with take_lock(store, run()) as held, opened(store, accept_rollback=True) as journal:
        journal.begin(run(), held)
        journal.append(intent(9))
    entries = list(opened(store).entries())
    assert [e.kind for e in entries].count("rollback-accepted") == 1
    accepted = next(e for e in entries if e.kind == "rollback-accepted")
    assert accepted.body["detail"].startswith("it was moved to second at ")
    assert store.read_mark() is None


def test_a_writer_that_ignores_the_lock_is_caught_up_with(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    """--lock=false in the middle of the copying: what it appended comes along."""
    first = stack.store("first")
    stack.fill(first)
    late = opened(first)
    late.begin(run())
    real, left = DirectoryStore.write_mark, [1]

    def write_mark(store: DirectoryStore, data: bytes | None) -> None:
        if data and json.loads(data)["kind"] == "moved" and left.pop():
            late.append(Draft("note", None, {"detail": "late"}))
        real(store, data)

    monkeypatch.setattr(DirectoryStore, "write_mark", write_mark)
    stack.migrate("first", "second")
    assert image(first) == image(stack.store("second"))
    assert opened(stack.store("second")).state.head == late.state.head
