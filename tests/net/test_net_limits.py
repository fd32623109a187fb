"""The pace of one provider: a vendor's budget is never overrun, a 429 is obeyed, and nobody waits for ever."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from threading import Condition, Event, Thread

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.net import limits
from provisioner.net.limits import Closed, Pace


class Clock:
    """Time passes only by waiting."""

    def __init__(self) -> None:
        self.now = 1000.0

    def read(self) -> float:
        return self.now

    def wait(self, _: Condition, seconds: float | None) -> None:
        assert seconds is not None, "nobody else would ever wake it"
        self.now += seconds


def pace(clock: Clock, *, parallelism: int = 10, per_minute: int | None = None) -> Pace:
    return Pace(parallelism=parallelism, per_minute=per_minute, clock=clock.read, wait=clock.wait)


@given(per_minute=st.integers(1, 20), gaps=st.lists(st.floats(0, 30), max_size=60))
def test_no_minute_ever_holds_more_than_the_budget(per_minute: int, gaps: list[float]) -> None:
    """Whatever the rhythm: any 60 s hold at most the budget, so fixed windows, sliding ones and buckets all agree."""
    clock, sent = Clock(), []
    made = pace(clock, per_minute=per_minute)
    for gap in gaps:
        clock.now += gap
        with made.turn():
            sent.append(clock.now)
    for number, at in enumerate(sent[per_minute:]):
        assert at - sent[number] >= 60 - 1e-6


def test_the_vendors_burst_is_used() -> None:
    """200 a minute means 200 at once, if need be, and the next one a minute later."""
    clock = Clock()
    made = pace(clock, per_minute=200)
    for _ in range(200):
        with made.turn():
            pass
    assert clock.now == 1000
    with made.turn():
        assert clock.now == 1060


def test_towards_loopback_no_budget_is_kept() -> None:
    """The budget is the real vendor's."""
    clock = Clock()
    made = pace(clock, per_minute=1)
    for _ in range(50):
        with made.turn(budgeted=False):
            pass
    assert clock.now == 1000


def test_a_429_stops_everybody_for_as_long_as_was_asked() -> None:
    """The pause is the provider's, not one thread's."""
    clock = Clock()
    made = pace(clock)
    made.slow_down(5)
    with made.turn():
        assert clock.now == 1005


def test_what_is_not_wanted_any_more_gives_its_place_up() -> None:
    """Within a moment, and not at the end of the vendor's pause; in a back-off as well."""
    clock = Clock()
    made = pace(clock)
    made.slow_down(30)
    with pytest.raises(Closed), made.turn(wanted=lambda: clock.now < 1003):
        raise AssertionError("it had no turn")
    assert 1003 <= clock.now < 1004
    with pytest.raises(Closed):
        made.sleep(30, lambda: clock.now < 1005)
    assert 1005 <= clock.now < 1006
    with made.turn(wanted=lambda: True):
        assert clock.now == pytest.approx(1030)


def test_what_waited_is_asked_once_more_before_its_turn() -> None:
    """A machine may have slept through the pause: whoever wanted it then may not want it now."""
    clock = Clock()
    made = Pace(parallelism=10, clock=clock.read, wait=lambda _, __: setattr(clock, "now", clock.now + 3600))
    made.slow_down(30)
    with pytest.raises(Closed), made.turn(wanted=lambda: clock.now < 1060):
        raise AssertionError("it had no turn")


def test_who_has_a_turn_at_once_is_not_asked() -> None:
    """It was wanted a moment ago."""
    with pace(Clock()).turn(wanted=lambda: False):
        pass


def test_a_429_halves_what_is_in_flight_and_answers_grow_it_back() -> None:
    """Ten 429s of one burst count once; the way back is slower than the way down."""
    clock = Clock()
    made = pace(clock)
    for _ in range(10):
        made.slow_down(0)
    assert made.allowed == 5
    clock.now += 2
    made.slow_down(0)
    assert made.allowed == 2
    for _ in range(100):
        made.went_well()
    assert made.allowed == 10


def test_it_never_stops_altogether() -> None:
    """However often a vendor says no, one request may try."""
    clock = Clock()
    made = pace(clock)
    for _ in range(20):
        clock.now += 2
        made.slow_down(0)
    assert made.allowed == 1


def test_no_more_than_allowed_are_in_flight() -> None:
    """Real threads, a real clock: the most that were ever inside is the parallelism."""
    made = Pace(parallelism=3)
    inside, most, lock = 0, 0, threading.Lock()

    def work() -> None:
        nonlocal inside, most
        with made.turn():
            with lock:
                inside += 1
                most = max(most, inside)
            threading.Event().wait(0.005)
            with lock:
                inside -= 1

    threads = [threading.Thread(target=work) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 3


@pytest.mark.parametrize("waiting", [lambda p: p.turn().__enter__(), lambda p: p.sleep(60)])
def test_closing_ends_every_wait(waiting: Callable[[Pace], object]) -> None:
    """A second Ctrl-C does not wait a minute for a vendor."""
    made = Pace(parallelism=1)
    made.slow_down(60)
    ended: list[bool] = []

    def work() -> None:
        try:
            waiting(made)
        except Closed:
            ended.append(True)

    thread = threading.Thread(target=work)
    thread.start()
    made.close()
    thread.join(5)
    assert ended == [True]


@given(st.floats(allow_nan=True, allow_infinity=True))
def test_every_wait_is_between_nothing_and_a_minute(seconds: float) -> None:
    """Skewed clocks and wrong units included."""
    assert 0 <= limits.clamp(seconds) <= 60


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "12"}, 12),
        ({"retry-after": "-3"}, 0),
        ({"retry-after": "99999"}, 60),
        ({"retry-after": "soon"}, None),
        ({}, None),
        (
            {"retry-after": "Sat, 21 Nov 2026 12:00:20 GMT", "date": "Sat, 21 Nov 2026 12:00:00 GMT"},
            20,
        ),
    ],
)
def test_retry_after_is_read_in_both_its_forms(headers: dict[str, str], seconds: float | None) -> None:
    """Seconds, or a date by the server's own clock (RFC 9110 section 10.2.3)."""
    assert limits.retry_after(headers) == seconds


@pytest.mark.parametrize("leaver", ["sleeps", "is not wanted"])
def test_a_free_turn_goes_to_somebody_who_takes_it(leaver: str) -> None:
    """Whoever sleeps, or wants his turn no more, does not swallow the news that one is free."""
    pace, wanted, taken = Pace(parallelism=1), Event(), Event()
    wanted.set()

    def first() -> None:
        with suppress(Closed):
            if leaver == "sleeps":
                pace.sleep(30)
            else:
                with pace.turn(wanted=wanted.is_set):
                    pass

    def second() -> None:
        with pace.turn():
            taken.set()

    threads = [Thread(target=first, daemon=True), Thread(target=second, daemon=True)]
    with pace.turn():
        for thread in threads:  # who came first is woken first
            thread.start()
            time.sleep(0.02)
        wanted.clear()
    assert taken.wait(5)
    pace.close()
    for thread in threads:
        thread.join()
