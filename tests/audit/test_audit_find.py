"""A leaked secret is known again: whose it was, since when, and whether it still lives."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from audit_world import DAY, HOUR, MINUTE, Past, secret

from provisioner.audit.find import Match, find
from provisioner.engine import drafts
from provisioner.model.recorded import REVOKED, UNAUTHORIZED, ApplicationRecord, record_to_json


def match(past: Past, fingerprint: str | None, *, after: timedelta = timedelta()) -> Match:
    found = find(past.case(now=past.at + after), [fingerprint or ""])
    assert found is not None
    return found


def test_a_stranger_s_token_is_not_found(past: Past) -> None:
    """Nothing is guessed."""
    past.create("token.campaigns")
    assert find(past.case(), [secret("access", 4711).fingerprint]) is None


def test_the_token_that_serves_is_alive(past: Past) -> None:
    """With its address and its age; past its end it has expired."""
    record = past.create("token.campaigns", life=DAY)
    now = match(past, record.fingerprint)
    assert (now.address, now.kind, now.status, now.issued, now.ended) == (
        "token.campaigns", "access_token", "live", record.issued_at, None
    )  # fmt: skip
    assert "--replace 'token.campaigns'" in now.detail
    late = match(past, record.fingerprint, after=2 * DAY)
    assert (late.status, late.ended) == ("expired", record.expires_at)


def test_a_replaced_token_lives_until_it_is_revoked(past: Past) -> None:
    """Through its overlap it is retiring; then it has an end, for good."""
    old = past.create("token.campaigns", life=30 * DAY)
    past.wait(HOUR)
    new, deposed = past.rotate(old, overlap=10 * MINUTE, life=30 * DAY)
    assert match(past, old.fingerprint).status == "retiring"
    past.wait(HOUR)
    ended = past.at
    past.revoke(deposed)
    for days in (0, 400):
        found = match(past, old.fingerprint, after=days * DAY)
        assert (found.status, found.ended) == ("revoked", ended)
    assert match(past, new.fingerprint).status == "live"


def test_both_halves_of_a_pair_are_known(past: Past) -> None:
    """A refresh replaces both: whether the vendor ended the old ones is not known, so they are taken for alive."""
    old = past.pair("token.texts", life=HOUR)
    assert match(past, old.refresh_fingerprint).kind == "refresh_token"
    past.wait(30 * MINUTE)
    new = past.refresh(old)
    assert (match(past, old.fingerprint).status, match(past, old.refresh_fingerprint).status) == ("retiring",) * 2
    assert match(past, new.fingerprint).issued == new.issued_at
    assert match(past, old.fingerprint, after=HOUR).status == "expired"
    past.revoke(new)
    assert (match(past, new.fingerprint).status, match(past, new.refresh_fingerprint).status) == ("revoked",) * 2


def test_a_dead_grant_is_told_as_what_it_is(past: Past) -> None:
    """Revoked behind our back, or no longer authorized."""
    for status in (REVOKED, UNAUTHORIZED):
        record = past.create(f"token.{status}", life=9 * DAY)
        past.append(drafts.observed([replace(record, status=status)]))
        found = match(past, record.fingerprint)
        assert found.status == status
        assert found.ended is not None


def test_a_forgotten_token_is_taken_for_alive(past: Past) -> None:
    """`state rm` revokes nothing."""
    record = past.create("token.campaigns", life=DAY)
    past.edit("state rm", drop=(record.id,))
    found = match(past, record.fingerprint)
    assert (found.status, found.ended) == ("live", None)
    assert "not revoked" in found.detail


def test_a_deposed_token_that_is_found_dead_has_ended(past: Past) -> None:
    """A run saw that the vendor does not take it any more, and dropped it."""
    old = past.create("token.campaigns", life=9 * DAY)
    past.rotate(old, overlap=DAY)
    past.append(drafts.observed([], drop=[old.id]))
    assert match(past, old.fingerprint).status == "revoked"


def test_a_doubt_is_no_answer(past: Past) -> None:
    """An unanswered revocation may have ended it, and may not."""
    record = past.create("token.campaigns", life=9 * DAY)
    operation = past.operation("token.revoke", "token.campaigns", object_id=record.id)
    past.append(drafts.intent(operation, "because"), drafts.doubt(operation, {}, "closed"))
    found = match(past, record.fingerprint)
    assert (found.status, operation.id in found.detail) == ("in_doubt", True)
    past.append(drafts.settled(operation, "happened", "probe", drop=[record.id]))
    assert match(past, record.fingerprint).status == "revoked"


def test_a_client_secret_is_known(past: Past) -> None:
    """Reset at the vendor, superseded by another client, deleted with its application, or only forgotten."""
    record = past.application("application.campaigns")
    first = record.secret_fingerprint
    assert (match(past, first).kind, match(past, first).status) == ("client_secret", "live")
    reset = replace(record, secret_fingerprint=secret("client", 900).fingerprint)
    past.did(past.operation("application.adopt", "application.campaigns"), put=(reset,))
    assert match(past, first).status == "revoked"
    assert match(past, reset.secret_fingerprint).status == "live"
    past.edit("state rm", drop=(record.id,))
    assert match(past, reset.secret_fingerprint).status == "live"


def test_a_superseded_client_s_secret_retires_with_it(past: Past) -> None:
    """It serves until the old client's tokens are gone and it is deleted."""
    old = past.application("application.worker", provider="idp", provider_type="oauth2")
    new = replace(
        old,
        id="n" * 32,
        secret_fingerprint=secret("client", 901).fingerprint,
        registration={"previous": record_to_json(old)},
    )
    past.did(past.operation("application.register", "application.worker"), put=(new,), drop=(old.id,))
    assert match(past, old.secret_fingerprint).status == "retiring"
    alone: ApplicationRecord = replace(new, registration={})
    past.did(past.operation("application.delete", "application.worker", object_id=new.id), put=(alone,))
    assert match(past, old.secret_fingerprint).status == "revoked"
    assert match(past, new.secret_fingerprint).status == "live"
    past.did(past.operation("application.delete", "application.worker", object_id=new.id), drop=(new.id,))
    assert match(past, new.secret_fingerprint).status == "revoked"


@pytest.mark.parametrize("moved_to", ["token.words"])
def test_a_moved_token_is_found_where_it_is(past: Past, moved_to: str) -> None:
    """The address is today's."""
    record = past.create("token.campaigns")
    moved = replace(record, address=past.token(moved_to).address)
    past.edit("state mv", put=(moved,))
    assert match(past, record.fingerprint).address == moved_to
