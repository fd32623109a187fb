"""What every store must do. A new store subclasses `StoreContract` in a test module of its own and says how it is made.

class TestPostgresStore(StoreContract):
    @pytest.fixture
    def make(self, ...) -> Callable[[], Store]: ...     # each call: another client of one and the same fresh state

A store whose fence is its lock (Terraform's HTTP protocol) also says how one writes: `writing`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta

import pytest
from journal_world import NOW, STACK, intent, outcome, run

from provisioner.errors import HeadMoved, LockHeld
from provisioner.journal.entries import write_line
from provisioner.journal.journal import Draft, Journal
from provisioner.journal.lockinfo import LockInfo
from provisioner.journal.locks import HeldLock, new_lock, take_lock
from provisioner.journal.stores.base import Position, Store

Make = Callable[[], Store]


def lock(**values: object) -> LockInfo:
    return replace(new_lock(run(), NOW), **values)  # type: ignore[arg-type]  # a test names fields by keyword


def entry(serial: int, prev: str, kind: str = "note", text: str = "x") -> tuple[bytes, str]:
    """One line and its hash: what a store may read of a line is as in a real one."""
    return write_line(
        serial=serial,
        time="2026-12-01T12:00:00Z",
        actor="ann",
        run="20261201T120000Z-0123abcd",
        kind=kind,
        address=None,
        body=f'{{"detail":"{text}"}}',
        lineage="0b2f3c1e-7a9d-4c55-9d0e-000000000000",
        prev=prev,
    )


ONE, H1 = entry(1, "", "checkpoint")
TWO, H2 = entry(2, H1)
THREE, H3 = entry(3, H2)
FOUR, H4 = entry(4, H3, "checkpoint")
FIVE, H5 = entry(5, H4)


class StoreContract:
    """Each test gets `make`, which opens one fresh state again and again."""

    holder = r"locked by ann on .* \(process \d+\) since .* for apply"  # what a second run is told

    def same(self, found: LockInfo | None, expected: LockInfo) -> bool:
        """Whether it is that lock; its lease is each store's own affair."""
        return found is not None and found.public() == expected.public()

    @contextmanager
    def writing(self, store: Store) -> Iterator[Store]:
        """What a writer holds while it writes: nothing, where the append itself is the fence."""
        yield store

    @contextmanager
    def run_of(self, store: Store) -> Iterator[HeldLock | None]:
        """The lock of a whole run, where one is needed."""
        yield None

    def test_a_new_state_is_empty(self, make: Make) -> None:
        """Looking makes nothing."""
        store = make()
        assert store.load() == ([], b"")
        assert (store.list_keys(), store.peek_lock(), store.get_key("none")) == ([], None, None)
        assert (store.read_mark(), store.crowded()) == (None, False)

    def test_what_was_appended_is_there_for_everybody(self, make: Make) -> None:
        """Segments and appends come back as bytes, in order."""
        store = make()
        with self.writing(store):
            at = store.start_segment(ONE, Position(), H1)
            at = store.append(TWO + THREE, at, H3)
            assert at == Position(1, len(ONE + TWO + THREE), H3)
            at = store.start_segment(FOUR, at, H4)
        other = make()
        segments, newest = other.load()
        assert ([s.number for s in segments], newest) == ([1, 2], FOUR)
        assert other.read(1) == ONE + TWO + THREE
        with self.writing(other):
            assert other.append(FIVE, at, H5) == Position(2, len(FOUR + FIVE), H5)
        assert (store.read(2), make().read(2)) == (FOUR + FIVE, FOUR + FIVE)

    def test_an_old_segment_keeps_its_stamp(self, make: Make) -> None:
        """So that it need not be read again by a machine that verified it, whatever is appended behind it."""
        store = make()
        with self.writing(store):
            at = store.start_segment(ONE, Position(), H1)
            at = store.append(TWO + THREE, at, H3)
            at = store.start_segment(FOUR, at, H4)
            before = make().load()[0][0]
            store.append(FIVE, at, H5)
        after = make().load()[0][0]
        assert before.stamp is not None
        assert before.stamp == after.stamp

    def test_the_fence(self, make: Make) -> None:
        """Who names a position that is not the end any more writes nothing, whatever it wants to write."""
        first, second = make(), make()
        with self.writing(first):
            begun = first.start_segment(ONE, Position(), H1)
            later = first.append(TWO, begun, H2)
        late, head = entry(2, H1, text="late")
        checkpoint, checkpoint_head = entry(2, H1, "checkpoint")
        anew, anew_head = entry(1, "", "checkpoint", "anew")
        with self.writing(second):
            with pytest.raises(HeadMoved):
                second.append(late, begun, head)
            with pytest.raises(HeadMoved):
                second.start_segment(checkpoint, begun, checkpoint_head)
            with pytest.raises(HeadMoved):
                second.start_segment(anew, Position(), anew_head)
            with pytest.raises(HeadMoved):
                second.truncate(begun, 1)
        with self.writing(first):
            new_segment, new_head = entry(3, H2, "checkpoint")
            first.start_segment(new_segment, later, new_head)
        with self.writing(second), pytest.raises(HeadMoved):
            second.append(THREE, later, H3)
        assert second.read(1) == ONE + TWO
        assert make().load()[1] == new_segment

    def test_of_many_that_race_one_wins(self, make: Make) -> None:
        """Ten clients append after the same head, half of them a new segment: one is acknowledged, and its bytes alone
        are there."""
        first = make()
        with self.writing(first):
            at = first.start_segment(ONE, Position(), H1)
        won: list[bytes] = []
        lost: list[int] = []
        start = threading.Barrier(10)

        def race(number: int) -> None:
            store = make()
            line, head = entry(2, H1, "checkpoint" if number % 2 else "note", f"of {number}")
            start.wait(5)
            try:
                with self.writing(store):
                    (store.start_segment if number % 2 else store.append)(line, at, head)
                won.append(line)
            except HeadMoved:
                lost.append(number)

        threads = [threading.Thread(target=race, args=(n,)) for n in range(10)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert (len(won), len(lost)) == (1, 9)
        reader = make()
        segments, newest = reader.load()
        whole = b"".join(reader.read(s.number) for s in segments[:-1]) + newest
        assert whole == ONE + won[0]

    def test_keys_are_kept_replaced_and_deleted(self, make: Make) -> None:
        """They lie beside the chain, which does not move."""
        store, other = make(), make()
        with self.writing(store):
            store.put_key("k2", b"two\n")
            store.put_key("k1", b"one\n")
            store.put_key("k1", b"anew\n")
        assert (other.list_keys(), other.get_key("k1")) == (["k1", "k2"], b"anew\n")
        with self.writing(other):
            other.delete_key("k1")
            other.delete_key("k1")
        assert (store.list_keys(), store.get_key("k1"), store.load()) == (["k2"], None, ([], b""))

    def test_the_mark_is_kept_replaced_and_removed(self, make: Make) -> None:
        """Beside the chain, too."""
        store = make()
        with self.writing(store):
            store.write_mark(b'{"kind":"copying"}\n')
            store.start_segment(ONE, Position(), H1)
            store.write_mark(b'{"kind":"moved"}\n')
        other = make()
        other.load()
        assert other.read_mark() == b'{"kind":"moved"}\n'
        with self.writing(other):
            other.write_mark(None)
            other.write_mark(None)
        fresh = make()
        assert fresh.read_mark() is None
        assert fresh.load()[1] == ONE

    def test_one_lock_at_a_time(self, make: Make) -> None:
        """The second is told who holds it; release is for the holder's id alone."""
        store, other = make(), make()
        mine, theirs = lock(id="mine"), lock(id="theirs")
        assert store.take_lock(mine, None) is None
        assert self.same(other.take_lock(theirs, None), mine)
        assert self.same(other.peek_lock(), mine)
        assert other.drop_lock("theirs") is False
        assert store.drop_lock("mine") is True
        assert store.drop_lock("mine") is False
        assert other.peek_lock() is None
        assert other.take_lock(theirs, None) is None

    def test_a_lock_is_replaced_only_where_it_is_the_one_that_was_seen(self, make: Make) -> None:
        """Of two that take over the same dead lock, one wins."""
        store, other = make(), make()
        store.take_lock(lock(id="dead"), None)
        assert store.take_lock(lock(id="first"), "dead") is None
        assert self.same(other.take_lock(lock(id="second"), "dead"), lock(id="first"))

    def test_of_many_that_take_over_one_wins(self, make: Make) -> None:
        """Ten see the same dead lock at once."""
        make().take_lock(lock(id="dead"), None)
        won: list[int] = []
        start = threading.Barrier(10)

        def race(number: int) -> None:
            store = make()
            start.wait(5)
            if store.take_lock(lock(id=f"taker {number}"), "dead") is None:
                won.append(number)

        threads = [threading.Thread(target=race, args=(n,)) for n in range(10)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert len(won) == 1
        held = make().peek_lock()
        assert held is not None
        assert held.id == f"taker {won[0]}"

    def test_renewing_is_for_the_holder(self, make: Make) -> None:
        """A lock that was taken away is not written over."""
        store, other = make(), make()
        mine = lock(id="mine")
        store.take_lock(mine, None)
        later = replace(mine, renewed=NOW + timedelta(seconds=10))
        assert store.renew_lock(later) is True
        assert self.same(other.peek_lock(), mine)
        other.take_lock(lock(id="theirs"), "mine")
        assert store.renew_lock(later) is False
        assert self.same(store.peek_lock(), lock(id="theirs"))
        assert store.drop_lock("mine") is False

    def test_the_lock_makes_a_second_run_wait(self, make: Make) -> None:
        """Taken and released by the courtesy that commands use; who holds it is said."""
        with take_lock(make(), run("apply")), pytest.raises(LockHeld, match=self.holder):
            take_lock(make(), run("plan"))
        with take_lock(make(), run("plan")):
            pass

    def test_a_journal_lives_in_it(self, make: Make) -> None:
        """Open, begin, append, close, open: by two clients, one after another and then against each other."""
        store = make()
        with self.run_of(store) as held, Journal.open(store, stack=STACK, memory=None) as journal:
            journal.begin(run(), held)
            journal.append(intent(1))
            journal.append(outcome(1))
        sleeper = make()
        late = Journal.open(sleeper, stack=STACK, memory=None)
        with self.run_of(store) as held, Journal.open(store, stack=STACK, memory=None) as journal:
            journal.begin(run(), held)
            journal.append(Draft("note"))
            assert len(journal.state.objects) == 1
        with self.run_of(sleeper) as held, pytest.raises(HeadMoved):
            late.begin(run(), held)
        assert Journal.open(make(), stack=STACK, memory=None).state.operations == {}

    def test_a_journal_grows_by_segments_and_reads_back_whole(self, make: Make) -> None:
        """A thousand notes in four runs: each entry is there once, in order, and the fold is what the writer held."""
        for number in range(4):
            store = make()
            with self.run_of(store) as held, Journal.open(store, stack=STACK, memory=None) as journal:
                journal.begin(run(), held)
                journal.append(intent(number))
                journal.append(Draft("note", None, {"nasty": '\x7f "hash":"0" \\ \t \x00 \U0001f600'}))
                journal.append(*(Draft("note", None, {"n": n}) for n in range(260)))
        reader = make()
        found = Journal.open(reader, stack=STACK, memory=None)
        serials = [one.serial for one in found.entries()]
        assert serials == list(range(1, journal.state.serial + 1))
        assert found.state == journal.state
        assert len(reader.load()[0]) > 2
