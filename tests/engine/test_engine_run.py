"""Scheduling, interrupts, exit codes, observation, and the ways in beside apply."""

from __future__ import annotations

import signal
import threading
import time
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from engine_world import VENDORS, FakeProvider, Impatient, World, a_floor, an_application

from provisioner.address import parse_address
from provisioner.engine import doubt
from provisioner.engine.authorization import complete
from provisioner.engine.doubt import view
from provisioner.engine.events import ApplyResult, Silent, StepResult
from provisioner.engine.fetch import Fetched, fetch_token
from provisioner.engine.interrupts import StopFlag, handled
from provisioner.engine.observe import observe
from provisioner.engine.once import Once
from provisioner.engine.settle import resolve
from provisioner.errors import Diagnostic, Invalid, NeedsPerson, ProviderFailed, Unreachable
from provisioner.journal.run import RunInfo
from provisioner.model import plan as operations
from provisioner.model.observed import ALIVE
from provisioner.model.plan import Step
from provisioner.model.recorded import LIVE, UNAUTHORIZED
from provisioner.secret import Secret


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


def run_info(world: World, name: str = "by-hand") -> RunInfo:
    return RunInfo(id=name, actor="tester", command="test", started=world.clock())


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


def test_a_wait_for_a_rate_limit_wakes_up_on_a_signal(world: World) -> None:
    """The step counts as not started: nothing of it is left."""
    world.applications = (an_application(),)
    world.faults["create_token"] = ["limited"] * 9
    stop = Impatient(world)
    world.during = lambda point: stop.ask() if "outcome:after" in point else None
    result = world.apply(stop=stop)
    assert (result.exit_code, [r.status for r in result.results]) == (130, ["not_started"])


def test_signals_ask_the_flag_and_are_given_back() -> None:
    """One signal stops, two leave; afterwards the handler is what it was."""
    before = signal.getsignal(signal.SIGTERM)
    stop = StopFlag()
    with handled(stop):
        signal.raise_signal(signal.SIGTERM)
        assert (stop.stopping, stop.leaving) == (True, False)
        assert stop.wait(30)
        signal.raise_signal(signal.SIGINT)
        assert stop.leaving
    assert signal.getsignal(signal.SIGTERM) is before


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


# -- a person --------------------------------------------------------------------------------------------------------


def authorize(world: World, *, fails: Exception | None = None) -> Any:
    journal, sealer = world.open()
    journal.begin(run_info(world, f"auth-{next(world.runs)}"))

    def exchange(provider: Any, credentials: Any, wish: Any) -> Any:
        def effect() -> Any:
            if fails is not None:
                raise fails
            return provider._issue(credentials.client_id, wish.scopes)

        return world.change("exchange", effect)

    try:
        return complete(
            world.desired,
            journal,
            sealer,
            world.providers,
            application=world.applications[0],
            consumer=None,
            exchange=exchange,
            run=journal.run,  # type: ignore[arg-type]  # begun above
            clock=world.clock,
            stop=Impatient(world),
            vendors=VENDORS.__getitem__,
        )
    finally:
        journal.close()


def test_an_authorization_is_announced_recorded_and_proven(world: World) -> None:
    """The handoff that waited for it is done, and the next plan is quiet."""
    world.applications = (an_application("person"),)
    world.apply()
    assert list(world.state().handoffs) == ["token.app"]
    assert authorize(world).status == "done"
    assert (world.token("token.app").status, world.state().handoffs) == (LIVE, {})
    assert "probe_token" in world.ledger.calls
    assert world.quiet()


def test_a_second_authorization_replaces_the_first_safely(world: World) -> None:
    """The old token is revoked once the new one was proven."""
    world.applications = (an_application("person"),)
    world.apply()
    authorize(world)
    authorize(world)
    assert [pair.alive for pair in world.ledger.pairs] == [False, True]
    assert world.state().deposed() == []
    assert world.serves()


def test_a_denied_authorization_leaves_nothing_open(world: World) -> None:
    """A definite no: refused, and no doubt."""
    world.applications = (an_application("person"),)
    with pytest.raises(ProviderFailed):
        authorize(world, fails=ProviderFailed("denied", "the person said no"))
    assert world.state().operations == {}


def test_a_code_whose_exchange_went_unanswered_is_lost(world: World) -> None:
    """The code is spent; what may exist is recorded as lost."""
    world.applications = (an_application("person"),)
    world.faults["exchange"] = ["lost-answer"]
    with pytest.raises(Exception, match="no answer"):
        authorize(world)
    assert world.unknown_tokens() == 0
    assert world.state().operations == {}


def test_a_dead_grant_that_took_a_person_waits_for_one(world: World) -> None:
    """`unauthorized`, exit 3, and what to run."""
    world.applications = (an_application("person"),)
    world.apply()
    authorize(world)
    for pair in world.ledger.pairs:
        pair.alive = False
    world.advance(timedelta(minutes=80))
    result = world.apply()
    assert result.exit_code == 3
    assert world.token("token.app").status == UNAUTHORIZED
    assert world.apply().exit_code == 3


# -- fetching --------------------------------------------------------------------------------------------------------


def fetch(world: World, **more: Any) -> Fetched:
    journal, sealer = world.open()
    run = run_info(world, f"fetch-{next(world.runs)}")
    try:
        return fetch_token(
            parse_address("token.app"),
            world.desired,
            journal,
            sealer,
            world.providers,
            run=run,
            clock=world.clock,
            begin=lambda: journal.begin(run),
            stop=Impatient(world),
            vendors=VENDORS.__getitem__,
            **more,
        )
    finally:
        journal.close()


def test_a_token_that_serves_is_handed_out_without_a_request(world: World) -> None:
    """Nothing is begun, nothing is written."""
    world.applications = (an_application(),)
    world.apply()
    serial, calls = world.state().serial, len(world.ledger.calls)
    found = fetch(world)
    assert (found.secret, found.renewed) == (Secret("access-000000"), False)
    assert (world.state().serial, len(world.ledger.calls)) == (serial, calls)


def test_a_token_with_too_little_life_left_is_renewed_first(world: World) -> None:
    """By refresh where there is one; the value handed out is the recorded one."""
    world.applications = (an_application(),)
    world.apply()
    found = fetch(world, min_ttl=timedelta(minutes=100))
    assert found.renewed
    assert world.token("token.app").fingerprint == found.secret.fingerprint
    assert world.ledger.calls.count("refresh_token") == 1


def test_a_token_that_takes_a_person_is_not_fetched(world: World) -> None:
    """It says what to run instead."""
    world.applications = (an_application("person"),)
    with pytest.raises(NeedsPerson, match="person"):
        fetch(world)


# -- doubts ----------------------------------------------------------------------------------------------------------


def test_every_operation_that_sends_has_a_row_in_the_table() -> None:
    """A new operation cannot be forgotten."""
    names = {value for name, value in vars(operations).items() if name.isupper() and isinstance(value, str)}
    local = {"application.adopt", "credits.record", "credits.read", "forget", "move", "record", "handoff", "nothing"}
    composed = {"token.replace", "application.rotate"}
    assert names - local - composed <= set(doubt.TABLE)


def test_a_doubt_is_shown_with_its_evidence(world: World) -> None:
    """The contract's `in_doubt[]`, with what was read before, since, and just now."""
    world.floors = (a_floor(),)
    world.faults["purchase"] = ["lost-request"]
    world.apply()
    journal, sealer = world.open()
    observed = world.plan(journal, sealer).observed
    (shown,) = view(journal.state, observed, world.clock())
    assert shown["kind"] == "credits.purchase"
    assert (shown["address"], shown["amount"]) == ("credits.ez", Decimal(3000))
    assert len(shown["evidence"]) == 3
    assert shown["evidence"][-1]["balance"] == "0"


@pytest.mark.parametrize(("happened", "bought"), [(True, 2), (False, 1)])
def test_a_person_resolves_a_purchase(world: World, happened: bool, bought: int) -> None:
    """As happened it counts against the guards; as not, the next apply buys, once."""
    world.floors = (a_floor(max_per_day=Decimal(3000)),)
    world.ledger.anytime = Decimal(4000)
    world.faults["purchase"] = ["lost-request"]
    world.apply()
    journal, _ = world.open()
    journal.begin(run_info(world))
    (operation,) = journal.state.operations
    resolve(
        journal,
        operation,
        as_happened=happened,
        now=world.clock(),
        desired=world.desired,
        vendors=VENDORS.__getitem__,
    )
    with pytest.raises(Invalid):
        resolve(journal, "gone", as_happened=True, now=world.clock(), desired=None, vendors=VENDORS.__getitem__)
    journal.close()
    assert [p.status for p in world.state().purchases] == (["happened"] if happened else [])
    result: ApplyResult = world.apply()
    assert result.exit_code in (0, 3)
    assert len(world.state().purchases) <= bought
    assert sum((p.amount for p in world.state().purchases), Decimal(0)) <= Decimal(3000)


def test_an_internal_error_of_one_step_shows_no_text(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The text of an unexpected exception may hold a secret; only its type is shown."""
    world.applications = (an_application(),)

    def broken(*_args: Any) -> Any:
        raise KeyError("hunter2")

    monkeypatch.setattr(FakeProvider, "credentials", broken)
    result = world.apply()
    assert result.exit_code == 1
    said = str([d.to_json() for r in result.results for d in r.diagnostics])
    assert "KeyError" in said
    assert "hunter2" not in said


def test_no_secret_stands_in_the_journal(world: World) -> None:
    """Neither in what is announced nor in what is recorded."""
    world.applications = (an_application("server"), an_application(name="b"))
    world.apply()
    world.advance(timedelta(minutes=80))
    world.faults["refresh_token"] = ["lost-answer"]
    world.apply()
    text = b"".join(path.read_bytes() for path in sorted(world.folder.rglob("*")) if path.is_file()).decode()
    for pair in world.ledger.pairs:
        assert pair.access not in text
        assert pair.refresh is None or pair.refresh not in text
    assert "client-secret-" not in text
    assert "registration-0" not in text


def test_a_refused_step_is_refused_in_the_journal_too(world: World) -> None:
    """And nothing is in doubt."""
    world.applications = (an_application(),)
    world.faults["create_token"] = ["refused"]
    world.apply()
    outcomes = [e.body["result"] for e in world.open()[0].entries() if e.kind == "outcome"]
    assert outcomes == ["refused"]
