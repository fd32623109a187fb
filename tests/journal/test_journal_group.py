"""Group commit: every append that returned was written, many share a write, one failure ends it for all."""

from __future__ import annotations

import threading
import time

import pytest

from provisioner.errors import HeadMoved, StoreFailed
from provisioner.journal.group import GroupCommit


def from_threads(group: GroupCommit[int], count: int) -> list[BaseException | None]:
    """Appends 0..count-1 from as many threads; what each ended with."""
    ended: list[BaseException | None] = [None] * count

    def append(number: int) -> None:
        try:
            group.append(number)
        except BaseException as fault:  # noqa: BLE001  # the test looks at it
            ended[number] = fault

    threads = [threading.Thread(target=append, args=(n,)) for n in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert not any(thread.is_alive() for thread in threads)
    return ended


def test_many_threads_share_a_write_and_each_is_written_once() -> None:
    """While one write is under way, what arrives waits and goes out together."""
    batches: list[list[int]] = []

    def write(items: list[int]) -> None:
        time.sleep(0.01)
        batches.append(items)

    assert from_threads(GroupCommit(write), 50) == [None] * 50
    assert sorted(n for batch in batches for n in batch) == list(range(50))
    assert len(batches) <= 10


def test_writes_never_overlap() -> None:
    """The writer needs no lock of its own."""
    inside = threading.Lock()

    def write(items: list[int]) -> None:
        assert inside.acquire(blocking=False)
        time.sleep(0.001)
        inside.release()

    assert from_threads(GroupCommit(write), 30) == [None] * 30


def test_one_failed_write_fails_all_in_it_and_all_after() -> None:
    """What was durable before returned; everybody else gets an error of their own, and nothing more is written."""
    written: list[int] = []
    calls: list[int] = []

    def write(items: list[int]) -> None:
        calls.append(len(items))
        time.sleep(0.005)
        if len(calls) == 2:
            raise HeadMoved("head-moved", "Another was first.")
        written.extend(items)

    group = GroupCommit(write)
    ended = from_threads(group, 20)
    failed = [fault for fault in ended if fault is not None]
    assert sorted(written) == [n for n, fault in enumerate(ended) if fault is None]
    assert failed
    assert all(isinstance(fault, HeadMoved) for fault in failed)
    assert len({id(fault) for fault in failed}) == len(failed)
    assert len(calls) == 2
    with pytest.raises(HeadMoved, match="Another was first"):
        group.append(99)


def test_an_interrupt_while_writing_ends_it_for_those_that_wait() -> None:
    """What was written by then is not known, so nobody may go on."""
    begun, go = threading.Event(), threading.Event()

    def write(items: list[int]) -> None:
        begun.set()
        go.wait(5)
        raise KeyboardInterrupt

    group: GroupCommit[int] = GroupCommit(write)
    ended: list[BaseException] = []

    def lead() -> None:
        with pytest.raises(KeyboardInterrupt):
            group.append(1)

    def follow() -> None:
        try:
            group.append(2)
        except StoreFailed as fault:
            ended.append(fault)

    leader, follower = threading.Thread(target=lead), threading.Thread(target=follow)
    leader.start()
    begun.wait(5)
    follower.start()
    time.sleep(0.02)
    go.set()
    leader.join(5)
    follower.join(5)
    assert len(ended) == 1  # the follower's own StoreFailed
    assert "interrupted" in str(ended[0])
    assert group.failed
