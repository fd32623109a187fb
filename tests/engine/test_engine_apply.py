"""Whole applies at a fake vendor: what is sent, what is recorded, what is said."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from engine_vendor import START
from engine_world import World, an_application, names, statuses

from provisioner.model.desired import TokenPolicy
from provisioner.model.recorded import LIVE, LOST, RETIRING
from provisioner.providers.base import Revoked


def test_a_first_apply_creates_and_the_second_is_silent(world: World) -> None:
    """One request a token, sealed values, exit 0; the next run appends nothing at all."""
    world.applications = (an_application(consumers=("web", "worker")),)
    result = world.apply()
    assert result.exit_code == 0
    assert statuses(result) == {'token.app["web"]': "done", 'token.app["worker"]': "done"}
    assert world.ledger.calls.count("create_token") == 2
    assert "probe_token" not in world.ledger.calls
    record = world.token('token.app["web"]')
    assert (record.status, record.generation, record.fingerprint is not None) == (LIVE, 1, True)
    before = world.state().serial
    assert world.apply().results == ()
    assert world.state().serial == before


def test_the_intent_comes_before_the_request_and_the_outcome_after(world: World) -> None:
    """The order of the protocol, as the journal shows it."""
    world.applications = (an_application(),)
    world.apply()
    assert [p for p in world.points if "append" in p or "create" in p] == [
        "append intent:before",
        "append intent:after",
        "create_token:before",
        "create_token:after",
        "append outcome:before",
        "append outcome:after",
    ]


def test_a_refreshed_pair_is_recorded_before_it_is_used(world: World) -> None:
    """Some servers end the old pair at the first use of the new one."""
    world.applications = (an_application(),)
    world.apply()
    first = world.token("token.app")
    world.advance(timedelta(minutes=80))
    order: list[str] = []
    world.during = order.append
    world.ledger.calls.clear()
    assert world.apply().exit_code == 0
    assert world.ledger.calls.index("refresh_token") < world.ledger.calls.index("probe_token", 2)
    assert order.index("append outcome:after") == len(order) - 1
    second = world.token("token.app")
    assert (second.id, second.generation, second.created_at) == (first.id, 2, first.created_at)
    assert second.fingerprint != first.fingerprint
    assert world.serves()
    assert world.quiet()


def test_a_dead_refresh_token_falls_back_to_a_fresh_one(world: World) -> None:
    """Where no person is needed, `invalid_grant` costs one more announced operation."""
    world.applications = (an_application(),)
    world.apply()
    for pair in world.ledger.pairs:
        pair.alive = False
    world.advance(timedelta(minutes=80))
    assert world.apply().exit_code == 0
    assert world.serves()
    assert world.quiet()


def test_replace_revokes_the_old_one_after_the_new_was_proven(world: World) -> None:
    """Create, record, probe, revoke: in this order, and the old one is gone."""
    world.applications = (an_application(),)
    world.apply()
    old = world.ledger.pairs[0]
    world.ledger.calls.clear()
    result = world.apply(replaces=("token.app",))
    assert result.exit_code == 0
    changes = [c for c in world.ledger.calls if c != "read_applications"]
    assert changes == ["probe_token", "create_token", "probe_token", "revoke_token"]
    assert not old.alive
    assert world.serves()
    assert len(world.state().objects) == 1
    assert world.quiet()


def test_an_overlap_keeps_the_old_one_alive_until_it_is_over(world: World) -> None:
    """Deposed and retiring in the entry that records its successor; revoked by the first apply after the overlap."""
    policy = TokenPolicy(name="p", overlap=timedelta(minutes=10))
    world.applications = (an_application(policy=policy),)
    world.apply()
    old = world.ledger.pairs[0]
    world.apply(replaces=("token.app",))
    (deposed,) = world.state().deposed()
    assert (deposed.status, old.alive) == (RETIRING, True)
    assert world.quiet()
    world.advance(timedelta(minutes=11))
    assert world.apply().exit_code == 0
    assert not old.alive
    assert world.state().deposed() == []
    assert world.serves()


def test_a_new_token_that_is_not_accepted_gives_the_place_back(world: World) -> None:
    """At every moment one token works: the old one serves on, and nothing is revoked."""
    world.applications = (an_application(),)
    world.apply()
    old = world.token("token.app")
    world.not_accepted = {"access-000002"}
    result = world.apply(replaces=("token.app",))
    assert (result.exit_code, statuses(result)) == (1, {"token.app": "failed"})
    assert "revoke_token" not in world.ledger.calls
    assert world.token("token.app").fingerprint == old.fingerprint
    assert world.serves()


def test_a_vendor_without_revoke_keeps_the_replaced_one_until_it_expires(world: World) -> None:
    """It stays retiring, with a note and exit 0; once expired it is dropped without a request."""
    world.applications = (an_application("panel"),)
    world.apply()
    result = world.apply(replaces=("token.app",))
    assert result.exit_code == 0
    assert "retiring" in names(result)
    assert [r.status for r in world.state().deposed()] == [RETIRING]
    assert world.quiet()
    world.advance(timedelta(minutes=200))
    world.apply()
    assert all(r.expires_at is None or r.expires_at > world.now for r in world.state().deposed())


@pytest.mark.parametrize(("answer", "code"), [(Revoked.SURVIVED, 1), (Revoked.UNSUPPORTED, 3)])
def test_a_destroy_that_does_not_kill_says_so(world: World, answer: Revoked, code: int) -> None:
    """A survivor stays recorded; where there is no revoke it is forgotten with how a person kills it."""
    world.applications = (an_application(),)
    world.apply()
    world.revoke_answers = answer
    result = world.apply(mode="destroy")
    assert result.exit_code == code
    assert ("revocation-unproven" in names(result)) == (answer is Revoked.SURVIVED)
    assert len(world.state().objects) == (1 if answer is Revoked.SURVIVED else 0)


def test_a_rate_limit_is_waited_for_with_a_new_announcement_each_time(world: World) -> None:
    """A definite no that passes: refused, waited for, announced anew."""
    world.applications = (an_application(),)
    world.faults["create_token"] = ["limited", "limited"]
    before = world.now
    assert world.apply().exit_code == 0
    assert world.ledger.calls.count("create_token") == 3
    assert world.kinds().count("intent") == 3
    assert world.now - before >= timedelta(seconds=3)


def test_a_rate_limit_without_end_fails_the_step(world: World) -> None:
    """Five waits, then it is a failure; nothing is left in doubt."""
    world.applications = (an_application(),)
    world.faults["create_token"] = ["limited"] * 10
    result = world.apply()
    assert (result.exit_code, world.ledger.calls.count("create_token")) == (1, 6)
    assert world.state().operations == {}


def test_one_failed_step_does_not_stop_the_others(world: World) -> None:
    """Exit 1 for a refusal, 8 where every failure is an unreachable provider."""
    world.applications = (an_application(name="a"), an_application(name="b"), an_application(name="c"))
    world.faults["create_token"] = ["refused"]
    result = world.apply()
    assert result.exit_code == 1
    assert sorted(statuses(result).values()) == ["done", "done", "failed"]
    world.faults["create_token"] = ["unreachable"]
    assert world.apply().exit_code == 8
    assert world.apply().exit_code == 0


def test_fewer_scopes_than_declared_are_kept_and_said_once(world: World) -> None:
    """Exit 3 in the apply that was granted less; quiet afterwards."""
    world.applications = (an_application("panel", scopes=("a", "b")),)
    world.withheld = {"b"}
    result = world.apply()
    assert result.exit_code == 3
    assert "scopes-narrower" in names(result)
    assert world.token("token.app").scopes == ("a",)
    assert world.quiet()


def test_a_creation_in_doubt_is_lost_and_made_again(world: World) -> None:
    """The step is in doubt, exit 3; what may exist is a lost deposed record with the latest end it can have."""
    world.applications = (an_application(),)
    world.faults["create_token"] = ["lost-answer"]
    result = world.apply()
    assert (result.exit_code, statuses(result)) == (3, {"token.app": "in_doubt"})
    (lost,) = world.state().deposed()
    assert (lost.status, lost.fingerprint) == (LOST, None)
    assert lost.expires_at is not None
    assert lost.expires_at - START > timedelta(days=59)
    assert "Kill it" in (lost.note or "")
    assert world.state().operations == {}
    assert world.apply().exit_code == 0
    assert world.unknown_tokens() == 0
    assert world.serves()
    assert world.quiet()


def test_a_fault_of_ours_while_sending_is_in_doubt_and_not_a_failure(world: World) -> None:
    """Nobody knows whether the bytes left, so it counts as if they had."""
    world.applications = (an_application(),)
    world.faults["create_token"] = ["broken"]
    result = world.apply()
    assert statuses(result) == {"token.app": "in_doubt"}
    assert [r.status for r in world.state().deposed()] == [LOST]


@pytest.mark.parametrize("fault", ["lost-request", "lost-answer"])
def test_a_refresh_in_doubt_is_tried_once_more(world: World, fault: str) -> None:
    """Nothing new is stored; the next apply tries again, and a pair that may exist is recorded as lost."""
    world.applications = (an_application(),)
    world.apply()
    world.advance(timedelta(minutes=80))
    world.faults["refresh_token"] = [fault]
    result = world.apply()
    assert (result.exit_code, statuses(result)) == (3, {"token.app": "in_doubt"})
    assert len(world.state().operations) == 1
    assert world.apply().exit_code == 0
    assert world.state().operations == {}
    assert [r.status for r in world.state().deposed()] == [LOST]
    assert world.unknown_tokens() == 0
    assert world.serves()
    assert world.quiet()


def test_a_revocation_in_doubt_is_repeated(world: World) -> None:
    """Harmless: the next destroy revokes again and settles it."""
    world.applications = (an_application(),)
    world.apply()
    world.faults["revoke_token"] = ["lost-answer"]
    world.blind = True
    assert world.apply(mode="destroy").exit_code == 3
    assert world.apply(mode="destroy").exit_code == 0
    assert (world.state().objects, world.state().operations) == ({}, {})
    assert world.ledger.living(world.now) == []


def test_refresh_only_records_and_sends_nothing(world: World) -> None:
    """What was revoked outside is recorded as revoked; no change is sent."""
    world.applications = (an_application(),)
    world.apply()
    world.ledger.pairs[0].alive = False
    world.ledger.calls.clear()
    assert world.apply(mode="refresh-only").exit_code == 0
    assert set(world.ledger.calls) == {"read_applications", "probe_token"}
    assert world.token("token.app").status == "revoked"
    assert world.apply().exit_code == 0
    assert world.serves()


def test_a_token_that_waits_for_a_person_is_a_handoff(world: World) -> None:
    """Exit 3, remembered as waiting; a second apply appends nothing about it."""
    world.applications = (an_application("person"),)
    result = world.apply()
    assert (result.exit_code, statuses(result)["token.app"]) == (3, "handoff")
    assert "needs-authorization" in names(result)
    assert list(world.state().handoffs) == ["token.app"]
    serial = world.state().serial
    world.apply()
    after = world.kinds()[serial:]
    assert [kind for kind in after if kind not in ("lock", "unlock")] == []


def test_guards_that_changed_are_recorded(world: World) -> None:
    """Nothing is sent for it."""
    world.applications = (an_application(),)
    world.apply()
    world.applications = (replace(world.applications[0], prevent_destroy=True),)
    world.ledger.calls.clear()
    assert world.apply().exit_code == 0
    assert world.token("token.app").prevent_destroy
    assert "create_token" not in world.ledger.calls


def test_a_lost_token_is_forgotten_once_it_cannot_live_any_more(world: World) -> None:
    """Kept in sight until the latest end that it can have, and no longer."""
    world.applications = (an_application("panel"),)
    world.faults["create_token"] = ["lost-answer"]
    world.apply()
    world.apply()
    assert [r.status for r in world.state().deposed()] == [LOST]
    world.advance(timedelta(days=61))
    world.apply()
    assert [r.status for r in world.state().deposed() if r.status == LOST] == []
