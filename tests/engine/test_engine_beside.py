"""The ways in beside apply: a person's authorization, a token fetched, a doubt resolved; and what must never leak."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from engine_vendor import VENDORS, FakeProvider
from engine_world import Impatient, World, a_floor, an_application

from provisioner.address import parse_address
from provisioner.engine import doubt
from provisioner.engine.authorization import complete
from provisioner.engine.doubt import view
from provisioner.engine.events import ApplyResult
from provisioner.engine.fetch import Fetched, fetch_token
from provisioner.engine.settle import resolve
from provisioner.errors import Invalid, NeedsPerson, ProviderFailed
from provisioner.journal.run import RunInfo
from provisioner.model import plan as operations
from provisioner.model.recorded import LIVE, UNAUTHORIZED
from provisioner.secret import Secret


def run_info(world: World, name: str = "by-hand") -> RunInfo:
    return RunInfo(id=name, actor="tester", command="test", started=world.clock())


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
