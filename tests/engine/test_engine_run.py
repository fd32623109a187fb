"""Scheduling, interrupts and observation."""

from __future__ import annotations

import threading
import time
from dataclasses import replace

import pytest
from engine_vendor import VENDORS
from engine_world import Impatient, World, a_floor, an_application

from provisioner.engine.events import Silent, StepResult
from provisioner.engine.interrupts import StopFlag
from provisioner.engine.observe import observe
from provisioner.engine.once import Once
from provisioner.errors import Diagnostic, Unreachable
from provisioner.model.observed import ALIVE
from provisioner.model.plan import Step


class Watching(Silent):
    """Counts what it is told, and whether two threads told it at once."""

    def __init__(self) -> None:
        self.started_steps: list[str] = []
        self.finished_steps: list[StepResult] = []
        self.notices: list[Diagnostic] = []
        self.collided = False
        self._busy = False

    def started(self, step: Step) -> None:
        self.collided = self.collided or self._busy
        self._busy = True
        self.started_steps.append(step.id)
        self._busy = False

    def finished(self, result: StepResult) -> None:
        self.collided = self.collided or self._busy
        self._busy = True
        self.finished_steps.append(result)
        self._busy = False

    def notice(self, diagnostic: Diagnostic) -> None:
        self.notices.append(diagnostic)


def many(world: World, count: int) -> None:
    world.applications = (an_application(consumers=tuple(f"c{n:04d}" for n in range(count))),)


# -- scheduling ------------------------------------------------------------------------------------------------------


def test_independent_steps_run_in_parallel(world: World) -> None:
    """200 creations of 20 ms at parallelism 50 take nearer to a fiftieth of the sum than to the sum."""
    many(world, 200)
    world.parallelism = 50
    world.during = lambda point: time.sleep(0.02) if point == "create_token:before" else None
    began = time.monotonic()
    listener = Watching()
    assert world.apply(listener=listener).exit_code == 0
    assert time.monotonic() - began < 200 * 0.02 / 2
    assert (len(listener.started_steps), len(listener.finished_steps)) == (200, 200)
    assert not listener.collided


@pytest.mark.parametrize(("parallelism", "at_most"), [(1, 1), (10, 10), (20, 22)])
def test_only_so_many_changes_are_on_their_way(world: World, parallelism: int, at_most: int) -> None:
    """As many as `--parallelism` says, and beyond ten a tenth more: whatever kills the run leaves no more in doubt."""
    many(world, 100)
    world.parallelism = parallelism
    lock, asked = threading.Lock(), [0, 0]

    def ask(point: str) -> None:
        with lock:
            asked[0] += {"create_token:before": 1, "create_token:after": -1}.get(point, 0)
            asked[1] = max(asked)
        time.sleep(0.005)

    world.during = ask
    assert world.apply().exit_code == 0
    assert asked[0] == 0
    assert min(parallelism, 2) <= asked[1] <= at_most


def test_a_step_waits_for_what_it_depends_on(world: World) -> None:
    """Fifty threads do not start a token before its application."""
    world.applications = tuple(an_application("server", name=f"a{n}") for n in range(10))
    world.parallelism = 50
    assert world.apply().exit_code == 0
    assert world.serves()


def test_a_step_whose_dependency_failed_is_not_started(world: World) -> None:
    """And others go on."""
    world.applications = (an_application("server", name="a"), an_application("server", name="b"))
    world.faults["register_application"] = ["refused"]
    result = world.apply()
    found = {r.step.id: r.status for r in result.results}
    assert sorted(found.values()) == ["done", "done", "failed", "not_started"]


def test_a_thread_that_is_made_to_exit_does_not_hang_the_run(world: World) -> None:
    """A library's `sys.exit` in a worker ends its step; the run halts and says so."""
    many(world, 3)

    def leave(point: str) -> None:
        if point == "create_token:before":
            raise SystemExit

    world.during = leave
    result = world.apply()
    assert result.exit_code == 1
    assert sorted(r.status for r in result.results) == ["failed", "not_started", "not_started"]


# -- interrupts ------------------------------------------------------------------------------------------------------


def test_the_first_signal_lets_what_is_in_flight_end(world: World) -> None:
    """Exit 130; what was begun is recorded, the rest is not started, and the next apply does it."""
    many(world, 5)
    stop = Impatient(world)
    world.during = lambda point: stop.ask() if point == "create_token:after" and not stop.stopping else None
    result = world.apply(stop=stop)
    assert (result.exit_code, result.interrupted) == (130, True)
    assert sorted(r.status for r in result.results) == ["done", *["not_started"] * 4]
    assert world.state().operations == {}
    world.during = lambda _point: None
    assert world.apply().exit_code == 0
    assert len(world.ledger.pairs) == 5


def test_the_second_signal_leaves_at_once(world: World) -> None:
    """What is in flight is in doubt by its intent, and the next run settles it."""
    many(world, 2)
    stop = Impatient(world)
    gone = threading.Event()

    def hang(point: str) -> None:
        if point == "create_token:before":
            stop.ask()
            stop.ask()
            gone.wait(10)

    world.during = hang
    began = time.monotonic()
    result = world.apply(stop=stop)
    assert time.monotonic() - began < 5
    assert (result.exit_code, {r.status for r in result.results}) == (130, {"in_doubt", "not_started"})
    assert len(world.state().operations) == 1
    world.during = lambda _point: None
    gone.set()
    world.apply()
    assert world.state().operations == {}


def test_what_was_not_announced_when_the_run_left_is_not_in_doubt(world: World) -> None:
    """Beyond ten there are more threads than changes on their way: those that wait have sent nothing."""
    many(world, 40)
    world.parallelism = 20
    stop, gone, inside = Impatient(world), threading.Event(), threading.Semaphore(21)

    def hang(point: str) -> None:
        if point == "create_token:before":
            if not inside.acquire(blocking=False):
                stop.ask()
                stop.ask()
            gone.wait(10)

    world.during = hang
    result = world.apply(stop=stop)
    said = [r.step.address for r in result.results if r.status == "in_doubt"]
    announced = world.state().operations.values()
    assert sorted(map(str, said)) == sorted(str(operation.address) for operation in announced)
    assert len(said) == 22
    world.during = lambda _point: None
    gone.set()


def test_a_wait_for_a_rate_limit_wakes_up_on_a_signal(world: World) -> None:
    """The step counts as not started: nothing of it is left."""
    world.applications = (an_application(),)
    world.faults["create_token"] = ["limited"] * 9
    stop = Impatient(world)
    world.during = lambda point: stop.ask() if "outcome:after" in point else None
    result = world.apply(stop=stop)
    assert (result.exit_code, [r.status for r in result.results]) == (130, ["not_started"])


def test_a_change_that_waits_for_its_turn_is_not_sent_after_a_signal(world: World) -> None:
    """Its provider is told so; the step counts as not started, and nothing is in doubt."""
    world.applications = (an_application(),)
    stop = Impatient(world)

    def wait_for_a_turn(point: str) -> None:
        if point == "create_token:before":
            assert world.wanted()
            stop.ask()
            assert not world.wanted()
            raise Unreachable("interrupted", "the run is stopping")

    world.during = wait_for_a_turn
    result = world.apply(stop=stop)
    assert (result.exit_code, [r.status for r in result.results]) == (130, ["not_started"])
    assert "not-sent" in [entry.body.get("result") for entry in world.open()[0].entries()]
    assert world.state().operations == {}


def test_one_signal_stops_and_two_leave() -> None:
    """Whoever sleeps wakes up at the first."""
    stop = StopFlag()
    assert not stop.wait(0.01)
    stop.ask()
    assert (stop.stopping, stop.leaving) == (True, False)
    assert stop.wait(30)
    stop.ask()
    assert stop.leaving


# -- observing -------------------------------------------------------------------------------------------------------


def test_observing_names_every_provider_that_fails(world: World) -> None:
    """All failures at once, and none of them hidden behind another."""
    world.applications = (an_application("pairs", name="a"), an_application("panel", name="b"))
    journal, _ = world.open()
    world.faults["read_applications"] = ["unreachable", "unreachable"]
    providers = {name: world.providers[name] for name in ("pairs", "panel")}
    with pytest.raises(Unreachable) as caught:
        observe(
            world.desired,
            journal.state,
            providers,
            now=world.clock(),
            open_sealed=None,
            parallelism=2,
            vendors=VENDORS.__getitem__,
        )
    said = " ".join(d.summary for d in caught.value.diagnostics)
    assert "pairs" in said
    assert "panel" in said
    assert caught.value.exit_code == 8


def test_observing_without_a_key_probes_nothing(world: World) -> None:
    """A pipeline that plans needs no key."""
    world.applications = (an_application(),)
    world.apply()
    journal, sealer = world.open()
    for opener, expected in ((None, 0), (sealer.open, 1)):
        seen = observe(
            world.desired,
            journal.state,
            {"pairs": world.providers["pairs"]},
            now=world.clock(),
            open_sealed=opener,
            vendors=VENDORS.__getitem__,
        )
        assert len(seen.of("pairs").tokens) == expected
    assert [t.liveness for t in seen.of("pairs").tokens.values()] == [ALIVE]


def test_a_balance_that_takes_a_token_is_not_read_without_one(world: World) -> None:
    """It is a problem that the plan can name, and no failure."""
    world.applications = (an_application("person"),)
    world.floors = (replace(a_floor(), provider="person"),)
    journal, sealer = world.open()
    seen = observe(
        world.desired,
        journal.state,
        {"person": world.providers["person"]},
        now=world.clock(),
        open_sealed=sealer.open,
        vendors=VENDORS.__getitem__,
    )
    assert seen.of("person").credits is None
    assert "none is recorded" in (seen.of("person").credits_problem or "")


def test_what_is_asked_once_is_asked_once() -> None:
    """Ten threads, one key, one call; a failure is not kept."""
    once: Once[int] = Once()
    calls: list[int] = []

    def slow() -> int:
        calls.append(1)
        time.sleep(0.02)
        return 7

    threads = [threading.Thread(target=once.get, args=("k", slow)) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(calls) == 1
    with pytest.raises(ZeroDivisionError):
        once.get("other", lambda: 1 // 0)
    assert once.get("other", lambda: 3) == 3
