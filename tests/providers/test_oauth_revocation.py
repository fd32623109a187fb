"""Revocation and introspection: what the server said, and what is proof."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from oauth_fakes import CANARY, CLIENT, FakeSession, answer, as_session

from provisioner.errors import BadAnswer, CredentialsRefused, InDoubt, ProvisionerError, StepRefused
from provisioner.model.observed import ALIVE, DEAD, UNKNOWN, ObservedToken
from provisioner.net.answers import Answer
from provisioner.providers._introspection import introspect
from provisioner.providers._revocation import revoke_one, revoke_pair
from provisioner.providers._urls import Endpoint
from provisioner.providers.base import Revoked
from provisioner.secret import Secret

URL = "https://id.invalid/x/"


def at(found: Answer, seen: list[FakeSession] | None = None) -> Endpoint:
    session = FakeSession({URL: found})
    if seen is not None:
        seen.append(session)
    return Endpoint(as_session(session), "idp", URL)


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (200, None, Revoked.REVOKED),
        (200, {}, Revoked.REVOKED),
        (204, b"whatever", Revoked.REVOKED),
        (400, {"error": "unsupported_token_type"}, Revoked.UNSUPPORTED),
        (404, {"errors": {"base": ["Not found"]}}, Revoked.UNSUPPORTED),
        (404, b"<html>", Revoked.UNSUPPORTED),
        (405, None, Revoked.UNSUPPORTED),
        (400, {"error": "invalid_token"}, Revoked.ALREADY_DEAD),
        (200, {"error": "a word that nobody registered"}, Revoked.REVOKED),
        (200, {"error": "unsupported_token_type"}, Revoked.UNSUPPORTED),
    ],
)
def test_what_an_answer_claims(status: int, body: object, expected: Revoked) -> None:
    """The body of a 200 is ignored (RFC 7009 section 2.2), unless it holds an error that the RFCs register."""
    assert revoke_one(at(answer(status, body)), CLIENT, Secret("t"), "access_token") is expected


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (403, {"error": "unauthorized_client"}, StepRefused),  # Doorkeeper: another client's token
        (400, {"error": "invalid_request"}, StepRefused),  # oidc-provider: the same
        (401, {"error": "invalid_client"}, CredentialsRefused),
        (200, {"error": "invalid_client"}, CredentialsRefused),  # a token thought dead must not live
        (503, None, InDoubt),
    ],
)
def test_another_clients_token_is_refused_and_not_revoked(
    status: int, body: object, expected: type[ProvisionerError]
) -> None:
    """Servers differ in the status; none of these is a revocation."""
    with pytest.raises(expected):
        revoke_one(at(answer(status, body)), CLIENT, Secret(CANARY), "access_token")


def test_both_halves_go_and_the_one_that_renews_goes_first() -> None:
    """RFC 7009 section 2.1 makes neither end the other everywhere. It is harmless to repeat, and marked so."""
    seen: list[FakeSession] = []
    assert revoke_pair(at(answer(200), seen), CLIENT, Secret("acc"), Secret("ref")) is Revoked.REVOKED
    sent = seen[0].sent
    assert [(one.fields["token"], one.fields["token_type_hint"]) for one in sent] == [
        ("ref", "refresh_token"),
        ("acc", "access_token"),
    ]
    assert all(one.repeatable for one in sent)


def test_a_half_that_cannot_be_revoked_is_not_passed_over() -> None:
    """A server that revokes refresh tokens only leaves the access token."""
    session = FakeSession({URL: [answer(200), answer(400, {"error": "unsupported_token_type"})]})
    found = revoke_pair(Endpoint(as_session(session), "idp", URL), CLIENT, Secret("acc"), Secret("ref"))
    assert found is Revoked.UNSUPPORTED


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (200, {"active": False}, ObservedToken(liveness=DEAD)),
        (200, {"active": True}, ObservedToken(liveness=ALIVE)),
        (
            200,
            {"active": True, "scope": "b a", "exp": 1_800_000_000},
            ObservedToken(liveness=ALIVE, scopes=("a", "b"), expires_at=datetime(2027, 1, 15, 8, 0, tzinfo=UTC)),
        ),
        (200, {"active": True, "scope": 7, "exp": 10**30}, ObservedToken(liveness=ALIVE)),
        (200, {"active": True, "exp": True}, ObservedToken(liveness=ALIVE)),
    ],
)
def test_what_introspection_shows(status: int, body: object, expected: ObservedToken) -> None:
    """RFC 7662 section 2.2; members that cannot be read are not said."""
    assert introspect(at(answer(status, body)), CLIENT, Secret("t")) == expected


@pytest.mark.parametrize("status", [403, 400, 404])
def test_a_server_that_does_not_tell_leaves_it_unknown(status: int) -> None:
    """django-oauth-toolkit wants a scope for it, and answers 403."""
    assert introspect(at(answer(status)), CLIENT, Secret("t")).liveness == UNKNOWN


@pytest.mark.parametrize("body", [None, {}, {"active": "true"}, {"active": 1}, b"<html>", []])
def test_an_answer_without_a_boolean_is_bad(body: object) -> None:
    """Neither alive nor dead is concluded from it."""
    with pytest.raises(BadAnswer):
        introspect(at(answer(200, body)), CLIENT, Secret("t"))


def test_refused_credentials_are_not_a_dead_token() -> None:
    """Else a wrong secret would have every token replaced."""
    with pytest.raises(CredentialsRefused):
        introspect(at(answer(401, {"error": "invalid_client"})), CLIENT, Secret("t"))
