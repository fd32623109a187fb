"""What every store must do. A new store subclasses `StoreContract` in a test module of its own and says how it is made.

class TestPostgresStore(StoreContract):
    @pytest.fixture
    def make(self, ...) -> Callable[[], Store]: ...     # each call: another client of one and the same fresh state
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from journal_world import NOW, STACK, intent, outcome, run

from provisioner.errors import HeadMoved
from provisioner.journal.journal import Journal
from provisioner.journal.lockinfo import LockInfo
from provisioner.journal.locks import new_lock
from provisioner.journal.stores.base import Position, Store

Make = Callable[[], Store]


def lock(**values: object) -> LockInfo:
    return replace(new_lock(run(), NOW), **values)  # type: ignore[arg-type]  # a test names fields by keyword


class StoreContract:
    """Each test gets `make`, which opens one fresh state again and again."""

    def test_a_new_state_is_empty(self, make: Make) -> None:
        """Looking makes nothing."""
        store = make()
        assert store.load() == ([], b"")
        assert (store.list_keys(), store.peek_lock(), store.get_key("none")) == ([], None, None)

    def test_what_was_appended_is_there_for_everybody(self, make: Make) -> None:
        """Segments and appends come back as bytes, in order."""
        store = make()
        at = store.start_segment(b"one\n", Position(), "h1")
        at = store.append(b"two\nthree\n", at, "h2")
        at = store.start_segment(b"four\n", at, "h3")
        other = make()
        segments, newest = other.load()
        assert ([s.number for s in segments], newest) == ([1, 2], b"four\n")
        assert other.read(1) == b"one\ntwo\nthree\n"
        assert other.append(b"five\n", at, "h4").head == "h4"

    def test_the_fence(self, make: Make) -> None:
        """Who names a position that is not the end any more writes nothing, whatever it wants to write."""
        first, second = make(), make()
        begun = first.start_segment(b"one\n", Position(), "h1")
        later = first.append(b"two\n", begun, "h2")
        with pytest.raises(HeadMoved):
            second.append(b"too late\n", begun, "h2x")
        with pytest.raises(HeadMoved):
            second.start_segment(b"too late\n", begun, "h2x")
        with pytest.raises(HeadMoved):
            second.start_segment(b"too late\n", Position(), "h1x")
        with pytest.raises(HeadMoved):
            second.truncate(begun, 1)
        first.start_segment(b"three\n", later, "h3")
        with pytest.raises(HeadMoved):
            second.append(b"too late\n", later, "h3x")
        assert second.read(1) == b"one\ntwo\n"

    def test_of_many_that_race_one_wins(self, make: Make) -> None:
        """Ten clients append after the same head: one is acknowledged, and its bytes alone are there."""
        at = make().start_segment(b"one\n", Position(), "h1")
        won: list[int] = []
        start = threading.Barrier(10)

        def race(number: int) -> None:
            store = make()
            start.wait(5)
            try:
                store.append(f"{number}\n".encode(), at, f"h{number}")
                won.append(number)
            except HeadMoved:
                pass

        threads = [threading.Thread(target=race, args=(n,)) for n in range(10)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        assert len(won) == 1
        assert make().read(1) == f"one\n{won[0]}\n".encode()

    def test_keys_are_kept_replaced_and_deleted(self, make: Make) -> None:
        """They lie beside the chain, which does not move."""
        store, other = make(), make()
        store.put_key("k2", b"two")
        store.put_key("k1", b"one")
        store.put_key("k1", b"anew")
        assert (other.list_keys(), other.get_key("k1")) == (["k1", "k2"], b"anew")
        other.delete_key("k1")
        other.delete_key("k1")
        assert (store.list_keys(), store.get_key("k1"), store.load()) == (["k2"], None, ([], b""))

    def test_one_lock_at_a_time(self, make: Make) -> None:
        """The second is told who holds it; release is for the holder's id alone."""
        store, other = make(), make()
        mine, theirs = lock(id="mine"), lock(id="theirs")
        assert store.take_lock(mine, None) is None
        assert other.take_lock(theirs, None) == mine
        assert other.peek_lock() == mine
        assert other.drop_lock("theirs") is False
        assert store.drop_lock("mine") is True
        assert other.take_lock(theirs, None) is None

    def test_a_lock_is_replaced_only_where_it_is_the_one_that_was_seen(self, make: Make) -> None:
        """Of two that take over the same dead lock, one wins."""
        store, other = make(), make()
        store.take_lock(lock(id="dead"), None)
        assert store.take_lock(lock(id="first"), "dead") is None
        assert other.take_lock(lock(id="second"), "dead") == lock(id="first")

    def test_renewing_is_for_the_holder(self, make: Make) -> None:
        """A lock that was taken away is not written over."""
        store, other = make(), make()
        mine = lock(id="mine")
        store.take_lock(mine, None)
        later = replace(mine, renewed=NOW + timedelta(seconds=10))
        assert store.renew_lock(later) is True
        assert other.peek_lock() == later
        other.take_lock(lock(id="theirs"), "mine")
        assert store.renew_lock(later) is False
        assert store.peek_lock() == lock(id="theirs")
        assert store.drop_lock("mine") is False

    def test_a_journal_lives_in_it(self, make: Make) -> None:
        """Open, begin, append, close, open: by two clients, one after another and then against each other."""
        with Journal.open(make(), stack=STACK, memory=None) as journal:
            journal.begin(run())
            journal.append(intent(1))
            journal.append(outcome(1))
        sleeper = Journal.open(make(), stack=STACK, memory=None)
        sleeper.begin(run())
        with Journal.open(make(), stack=STACK, memory=None) as journal:
            journal.begin(run())
            with pytest.raises(HeadMoved):
                sleeper.append(intent(2))
            assert len(journal.state.objects) == 1
        assert Journal.open(make(), stack=STACK, memory=None).state.operations == {}
