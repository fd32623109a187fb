"""Applications: registered, replaced, rotated, and ended after their tokens."""

from __future__ import annotations

from datetime import timedelta

from engine_vendor import VENDORS
from engine_world import World, an_application, statuses

from provisioner.engine.doubt import by_reading
from provisioner.engine.settle import resolve
from provisioner.journal.run import RunInfo
from provisioner.model.desired import TokenPolicy
from provisioner.model.observed import Observed, ObservedApplication, ProviderObservation
from provisioner.model.recorded import ApplicationRecord, Operation


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


def in_doubt_of_the_client_before(world: World) -> Operation:
    """A rotation whose last request, the deletion of the first client, was never answered."""
    world.applications = (an_application("server"),)
    world.apply()
    world.faults["delete_application"] = ["lost-answer"]
    assert world.apply(replaces=("application.app",)).exit_code == 3
    operation: Operation
    (operation,) = world.state().operations.values()
    assert operation.op == "application.delete"
    return operation


def test_a_person_resolves_the_deletion_of_the_client_before(world: World) -> None:
    """That it happened ends that one; the client that serves stays recorded."""
    operation = in_doubt_of_the_client_before(world)
    (serving,) = world.ledger.clients
    journal, _ = world.open()
    journal.begin(RunInfo(id="run-r", actor="t", command="resolve", started=world.clock()))
    resolve(journal, operation.id, as_happened=True, now=world.clock(), desired=None, vendors=VENDORS.__getitem__)
    journal.close()
    (record,) = [r for r in world.state().objects.values() if isinstance(r, ApplicationRecord)]
    assert (record.client_id, "previous" in record.registration) == (serving, False)
    assert world.quiet()


def test_reading_the_client_that_serves_says_nothing_of_the_one_before(world: World) -> None:
    """Its record, with the other one inside, is not dropped where a doubt about that one is settled."""
    operation = in_doubt_of_the_client_before(world)
    gone = {str(operation.address): ObservedApplication(exists=False)}
    observed = Observed(at=world.clock(), providers={"server": ProviderObservation(applications=gone)})
    assert by_reading(operation, world.state(), observed, (), world.clock()) is None


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
