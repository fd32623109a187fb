"""A definite no: which error it becomes, and that it never repeats a secret."""

from __future__ import annotations

import json
from urllib.parse import quote

import pytest
from oauth_fakes import CANARY, CLIENT, FakeSession, answer, as_session, everything_said

from provisioner.errors import CredentialsRefused, InDoubt, ProvisionerError, RateLimited, StepRefused
from provisioner.net.answers import Answer
from provisioner.providers._oauth import refresh_fields, request_token
from provisioner.providers._refusals import printable, refusal
from provisioner.providers._urls import Endpoint
from provisioner.providers.base import TokenWish
from provisioner.secret import Secret

URL = "https://id.invalid/token"


def refused(status: int, body: object) -> ProvisionerError:
    session = FakeSession({URL: answer(status, body)})
    with pytest.raises(ProvisionerError) as caught:
        request_token(
            Endpoint(as_session(session), "idp", URL), CLIENT, refresh_fields(Secret("r3fr3sh-canary"), TokenWish())
        )
    assert len(session.sent) == 1
    assert CANARY not in everything_said(caught.value)
    assert "r3fr3sh-canary" not in everything_said(caught.value)
    return caught.value


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (401, {"error": "invalid_client"}),
        (400, {"error": "invalid_client"}),
        (401, None),
        (401, b"<html>no</html>"),
        (401, {"error": "unauthorized_client"}),  # Keycloak, to a wrong secret
    ],
)
def test_a_refused_client_is_the_credentials_fault(status: int, body: object) -> None:
    """Exit 8, whichever status the server likes for it."""
    assert isinstance(refused(status, body), CredentialsRefused)


@pytest.mark.parametrize(
    "error", ["invalid_grant", "invalid_scope", "unauthorized_client", "unsupported_grant_type", "invalid_request"]
)
def test_every_other_error_is_a_refused_step(error: str) -> None:
    """RFC 6749 section 5.2; the code is for the engine, which falls back on `invalid_grant`."""
    found = refused(400, {"error": error, "error_description": "because"})
    assert isinstance(found, StepRefused)
    assert found.oauth_error == error
    assert found.diagnostics[0].name == ("invalid-grant" if error == "invalid_grant" else "refused")
    assert "because" in found.diagnostics[0].detail


def test_a_dead_grant_is_not_taken_for_a_wrong_client() -> None:
    """Doorkeeper lets a dead refresh token win over a wrong secret, and some servers say so with 401."""
    assert isinstance(refused(401, {"error": "invalid_grant"}), StepRefused)


@pytest.mark.parametrize("status", [400, 403, 404, 405, 415, 422])
@pytest.mark.parametrize(
    "body", [None, b"<error>no</error>", b"<html></html>", b"[]", {"error": 7}, {"error": {"a": 1}}]
)
def test_bodies_that_say_nothing_are_refused_by_status(status: int, body: object) -> None:
    """TEXTKING answers empty or XML bodies; a shared error path must bear them."""
    found = refused(status, body)
    assert isinstance(found, StepRefused)
    assert found.oauth_error is None
    assert str(status) in found.diagnostics[0].summary


def test_the_passing_no_and_the_unknown_end_come_through() -> None:
    """429 is a definite no that passes; 5xx and redirects are in doubt."""
    assert isinstance(refused(429, None), RateLimited)
    assert isinstance(refused(503, {"error": "temporarily_unavailable"}), InDoubt)
    assert isinstance(refused(302, None), InDoubt)


@pytest.mark.parametrize("echo", [CANARY, quote(CANARY, safe=""), f"client_secret={CANARY}!", "r3fr3sh-canary"])
@pytest.mark.parametrize("member", ["error", "error_description"])
def test_a_server_that_echoes_what_it_was_sent_is_not_quoted(echo: str, member: str) -> None:
    """`refused` asserts that neither canary is shown."""
    said = everything_said(refused(400, {"error": "invalid_request", member: echo}))
    assert echo not in said


def test_nothing_that_the_request_carried_is_quoted() -> None:
    """Also what the caller did not name: a body that a second attempt added."""
    body = json.dumps({"error": "pass-word", "error_description": "client_secret pass-word does not match"})
    found = refusal(Answer(400, {}, body.encode(), (Secret("pass-word"),)), "idp", "a change of the client")
    assert "pass-word" not in everything_said(found)


def test_a_dead_grant_is_not_sent_again_with_a_client_id() -> None:
    """Whoever judges the grant knows the client already; a code or a refresh token that comes twice is a replay (RFC
    6749 section 4.1.2, RFC 9700 section 4.14.2). `refused` asserts that one request was sent."""
    refused(400, {"error": "invalid_grant", "error_description": "it was issued to another client_id"})


def test_what_looks_like_a_token_is_cut_out() -> None:
    """A server may mention a token that we never sent."""
    assert printable("token 8129442026644ebe93039fecafd79cf776b65 is dead") == "token ... is dead"
    assert printable("line\none\x1b[31m") == "line one [31m"
    assert printable(7) is None
    assert len(printable("word " * 200) or "") == 200


def test_a_refusal_names_the_provider_and_the_next_move() -> None:
    """What happened to which provider, then what to do."""
    found = refusal(answer(400, {"error": "invalid_scope"}), "idp", "a token request").diagnostics[0]
    assert found.summary == "idp refused a token request: invalid_scope"
    assert "Declare only scopes" in found.detail
