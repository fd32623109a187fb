"""Applications: registered, replaced, rotated, and ended after their tokens."""

from __future__ import annotations

from datetime import timedelta

from engine_world import World, an_application, statuses

from provisioner.model.desired import TokenPolicy


def test_destroy_ends_tokens_before_their_application(world: World) -> None:
    """On some servers they outlive it, and nobody could revoke them then."""
    world.applications = (an_application("server"),)
    assert world.apply().exit_code == 0
    assert len(world.ledger.clients) == 1
    world.ledger.calls.clear()
    assert world.apply(mode="destroy").exit_code == 0
    changes = [c for c in world.ledger.calls if c in ("revoke_token", "delete_application")]
    assert changes == ["revoke_token", "delete_application"]
    assert (world.ledger.clients, world.state().objects) == ({}, {})


def test_a_rotated_application_ends_when_none_of_its_tokens_is_left(world: World) -> None:
    """Registered anew, tokens issued anew, the old ones revoked as the old client, then that client deleted."""
    world.applications = (an_application("server"),)
    world.apply()
    (first,) = world.ledger.clients
    assert world.apply(replaces=("application.app",)).exit_code == 0
    assert first not in world.ledger.clients
    assert len(world.ledger.clients) == 1
    assert world.serves()
    assert len(world.ledger.living(world.now)) == 1
    assert world.quiet()


def test_a_rotated_application_outlives_the_overlap_of_its_tokens(world: World) -> None:
    """The old client is deleted by the apply that revokes its last token."""
    policy = TokenPolicy(name="p", overlap=timedelta(minutes=10))
    world.applications = (an_application("server", policy=policy),)
    world.apply()
    (first,) = world.ledger.clients
    world.apply(replaces=("application.app",))
    assert first in world.ledger.clients
    assert world.quiet()
    world.advance(timedelta(minutes=11))
    assert world.apply().exit_code == 0
    assert first not in world.ledger.clients
    assert world.quiet()


def test_a_changed_registration_is_replaced_and_its_new_secrets_kept(world: World) -> None:
    """RFC 7592: any answer may carry new secrets."""
    world.applications = (an_application("server"),)
    world.apply()
    world.applications = (an_application("server", scopes=("a",)),)
    world.apply()
    assert world.apply(mode="destroy").exit_code == 0
    assert world.ledger.clients == {}


def test_a_registration_in_doubt_stays_for_a_person(world: World) -> None:
    """Another is registered; the first stays visible until somebody looked at the server."""
    world.applications = (an_application("server"),)
    world.faults["register_application"] = ["lost-answer"]
    result = world.apply()
    assert result.exit_code == 3
    assert statuses(result) == {"application.app": "in_doubt", "token.app": "not_started"}
    again = world.apply()
    assert again.exit_code == 3
    assert "resolve" in again.diagnostics[0].detail
    assert [op.op for op in world.state().operations.values()] == ["application.register"]
    assert world.quiet()
