"""Dynamic registration and its management: the answer is the truth."""

from __future__ import annotations

from typing import Any

import pytest
from oauth_fakes import (
    CANARY,
    FakeSession,
    answer,
    application,
    as_session,
    config,
    everything_said,
    opener,
    record,
    resolve,
    sealed,
)
from test_oauth_client_auth import KEYS

from provisioner.errors import BadAnswer, CredentialsRefused, InDoubt, ProvisionerError, StepRefused
from provisioner.model.desired import SecretRef
from provisioner.net.answers import Answer
from provisioner.providers.base import Opener
from provisioner.providers.oauth2 import Provider
from provisioner.secret import Secret

REGISTER, MANAGE = "https://id.invalid/register/", "https://id.invalid/register/cid/"
URLS = {"token_url": "https://id.invalid/token/", "registration_url": REGISTER}
ANSWERED: dict[str, Any] = {
    "client_id": "cid",
    "client_secret": CANARY,
    "registration_client_uri": MANAGE,
    "registration_access_token": "r4t-canary",
    "token_endpoint_auth_method": "client_secret_basic",
    "grant_types": ["client_credentials"],
    "client_secret_expires_at": 0,
    "x_unknown": "an unknown member may hold a secret",
}
REGISTERED = record(
    registration={
        "registration_client_uri": MANAGE,
        "grant_types": ["client_credentials"],
        "jwks_uri": "https://a.invalid",
    },
    registration_token=sealed("rat"),
    secret=sealed("sec"),
    secret_fingerprint="sha256:old",
)
open_sealed: Opener = opener


def provider(table: dict[str, Any], **settings: Any) -> tuple[Provider, FakeSession]:
    session = FakeSession(table)
    return Provider(config("oauth2", **URLS, **settings), as_session(session), resolve), session


def test_a_registration_is_recorded_as_the_server_answered_it() -> None:
    """Known members in clear, secrets apart, unknown members nowhere."""
    one, session = provider({REGISTER: answer(201, ANSWERED)}, initial_access_token=SecretRef("env", "IAT"))
    made, secrets = one.register_application(application(scopes=("a", "b")))
    assert session.sent[0].bearer == "env-IAT"
    assert session.sent[0].json == {
        "client_name": "app",
        "grant_types": ["client_credentials"],
        "response_types": [],
        "redirect_uris": [],
        "token_endpoint_auth_method": "client_secret_basic",
        "scope": "a b",
    }
    assert dict(secrets) == {"secret": Secret(CANARY), "registration_token": Secret("r4t-canary")}
    assert (made.client_id, made.managed, made.scopes) == ("cid", "created", ("a", "b"))
    assert made.secret_fingerprint == Secret(CANARY).fingerprint
    assert made.registration == {
        "registration_client_uri": MANAGE,
        "token_endpoint_auth_method": "client_secret_basic",
        "grant_types": ["client_credentials"],
        "client_secret_expires_at": 0,
    }


def test_difference_5_a_replaced_method_and_scope_win_over_what_was_asked() -> None:
    """django-oauth-toolkit answers client_secret_basic to a request for client_secret_post (RFC 7591 section 3.2.1)."""
    body = {**ANSWERED, "scope": "a", "token_endpoint_auth_method": "client_secret_basic"}
    one, _ = provider({REGISTER: answer(201, body)})
    made, _ = one.register_application(application(scopes=("a", "b"), token_endpoint_auth_method="client_secret_post"))
    assert made.scopes == ("a",)
    assert one.credentials(
        None, record(registration=made.registration, secret=sealed("s")), open_sealed
    ).auth_method == ("client_secret_basic")


def test_difference_5_an_answer_without_end_and_issue_time_survives() -> None:
    """django-oauth-toolkit leaves both out, against RFC 7591 section 3.2.1."""
    body = {k: v for k, v in ANSWERED.items() if k != "client_secret_expires_at"}
    made, _ = provider({REGISTER: answer(201, body)})[0].register_application(application())
    assert "client_secret_expires_at" not in made.registration


def test_each_grant_registers_what_it_needs() -> None:
    """The code grant needs its redirect URI and a refresh token, the device grant its URN."""
    one, session = provider({REGISTER: answer(201, ANSWERED)})
    one.register_application(application(redirect_uri="http://127.0.0.1/cb"))
    one.register_application(application(grant="device_code"))
    code, device = session.sent[0].json, session.sent[1].json
    assert code["grant_types"] == ["authorization_code", "refresh_token"]
    assert (code["response_types"], code["redirect_uris"]) == (["code"], ["http://127.0.0.1/cb"])
    assert device["grant_types"] == ["urn:ietf:params:oauth:grant-type:device_code", "refresh_token"]


def test_a_private_key_registers_its_public_half() -> None:
    """And nothing of the private one."""
    session = FakeSession({REGISTER: answer(201, ANSWERED)})
    one = Provider(config("oauth2", **URLS), as_session(session), lambda _: KEYS["ES256"])
    one.register_application(application(private_key=SecretRef("env", "K")))
    sent = session.sent[0].json
    assert sent["token_endpoint_auth_method"] == "private_key_jwt"
    assert sent["jwks"]["keys"][0].keys() == {"use", "alg", "kty", "crv", "x", "y"}


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (400, {"error": "invalid_redirect_uri"}, StepRefused),
        (400, {"error": "invalid_client_metadata"}, StepRefused),
        (401, None, CredentialsRefused),
        (403, {"error": "insufficient_scope"}, StepRefused),
        (404, b"<html>", StepRefused),
        (201, b"<html>", InDoubt),
        (201, {**ANSWERED, "client_id": None}, InDoubt),
        (201, {**ANSWERED, "scope": 5}, InDoubt),
        (500, None, InDoubt),
    ],
)
def test_no_and_cannot_tell_are_kept_apart(status: int, body: object, expected: type[ProvisionerError]) -> None:
    """A client may exist after an answer that cannot be read. Sent once in every case."""
    one, session = provider({REGISTER: answer(status, body)}, initial_access_token=SecretRef("env", "IAT-c4n4ry-1"))
    with pytest.raises(expected) as caught:
        one.register_application(application())
    assert len(session.sent) == 1
    assert CANARY not in everything_said(caught.value)
    assert "IAT-c4n4ry-1" not in everything_said(caught.value)


def test_difference_6_an_update_sends_every_field_again_and_none_of_the_four() -> None:
    """RFC 7592 section 2.2: PUT replaces; oidc-provider drops a scope that is not sent again."""
    one, session = provider({MANAGE: answer(200, {**ANSWERED, "registration_access_token": "new-rat"})})
    made, secrets = one.update_application(application(scopes=("a",)), REGISTERED, open_sealed)
    sent = session.sent[0]
    assert (sent.method, sent.bearer) == ("PUT", "rat:obj-1:registration_token")
    assert sent.json["client_id"] == "cid"
    assert sent.json["scope"] == "a"
    assert sent.json["jwks_uri"] == "https://a.invalid"
    forbidden = {
        "registration_access_token",
        "registration_client_uri",
        "client_secret_expires_at",
        "client_id_issued_at",
    }
    assert not (forbidden | {"client_secret"}) & sent.json.keys()
    assert secrets["registration_token"] == Secret("new-rat")
    assert made.secret_fingerprint == Secret(CANARY).fingerprint
    assert (made.id, made.secret, made.registration_token) == (
        "obj-1",
        REGISTERED.secret,
        REGISTERED.registration_token,
    )


def test_an_update_that_says_little_loses_nothing() -> None:
    """The management URI and the secret's fingerprint stay where the answer leaves them out."""
    one, _ = provider({MANAGE: answer(200, {"client_id": "cid"})})
    made, secrets = one.update_application(application(), REGISTERED, open_sealed)
    assert made.registration["registration_client_uri"] == MANAGE
    assert made.secret_fingerprint == "sha256:old"
    assert dict(secrets) == {}


def test_reading_shows_the_client_with_or_without_its_secret() -> None:
    """django-oauth-toolkit never shows it again, oidc-provider always does."""
    for body, fingerprint in ((ANSWERED, Secret(CANARY).fingerprint), ({"client_id": "cid"}, None)):
        seen, _ = provider({MANAGE: answer(200, body)})[0].read_registration(REGISTERED, open_sealed)
        assert (seen.exists, seen.client_id, seen.secret_fingerprint) == (True, "cid", fingerprint)


def test_an_unknown_client_is_a_401() -> None:
    """RFC 7592 section 2.1: gone, and its token dead with it."""
    one, _ = provider({MANAGE: answer(401)})
    assert not one.read_registration(REGISTERED, open_sealed)[0].exists
    one.delete_application(REGISTERED, open_sealed)
    with pytest.raises(CredentialsRefused):
        one.update_application(application(), REGISTERED, open_sealed)


@pytest.mark.parametrize("status", [403, 405])
def test_what_the_server_does_not_allow_is_refused(status: int) -> None:
    """An unsupported method gets a fitting error such as 405."""
    one, _ = provider({MANAGE: answer(status)})
    for call in (
        lambda: one.delete_application(REGISTERED, open_sealed),
        lambda: one.read_registration(REGISTERED, open_sealed),
    ):
        with pytest.raises(StepRefused):
            call()


def test_a_deletion_is_a_204() -> None:
    """With the registration token, at the URL that was given."""
    one, session = provider({f"DELETE {MANAGE}": answer(204)})
    one.delete_application(REGISTERED, open_sealed)
    assert session.sent[0].bearer == "rat:obj-1:registration_token"


@pytest.mark.parametrize(("shown", "gone"), [(401, True), (404, True), (200, False), (403, False), (503, False)])
def test_a_deletion_that_says_more_than_nothing_is_looked_into(shown: int, gone: bool) -> None:
    """200 with a body is some servers' 204, and a proxy's page: only a client that is not shown any more is deleted."""
    body = {"client_id": "c"} if shown == 200 else {}
    one, _ = provider({f"DELETE {MANAGE}": answer(200, {"message": "deleted"}), f"GET {MANAGE}": answer(shown, body)})
    if gone:
        one.delete_application(REGISTERED, open_sealed)
    else:
        with pytest.raises(InDoubt):
            one.delete_application(REGISTERED, open_sealed)


@pytest.mark.parametrize("uri", ["http://id.invalid/register/cid", "/register/cid", 5])
def test_a_management_url_that_no_token_may_be_sent_to_is_as_good_as_none(uri: object) -> None:
    """A server behind a proxy writes http: the client exists all the same, and another one would be orphaned by each
    apply if this one were given up."""
    one, session = provider({REGISTER: answer(201, {**ANSWERED, "registration_client_uri": uri})})
    made, secrets = one.register_application(application())
    assert made.client_id == "cid"
    assert secrets["secret"] == Secret(CANARY)
    assert "registration_client_uri" not in made.registration
    with pytest.raises(StepRefused):
        one.delete_application(made, open_sealed)
    assert len(session.sent) == 1


@pytest.mark.parametrize(("said", "kept"), [("1900000000", 1900000000), (1.9e9, 1900000000), (0, 0), ("soon", None)])
def test_the_end_of_a_secret_is_read_however_the_number_is_written(said: object, kept: int | None) -> None:
    """Who does not read it is not warned before the secret ends."""
    one, _ = provider({REGISTER: answer(201, {**ANSWERED, "client_secret_expires_at": said})})
    assert one.register_application(application())[0].registration.get("client_secret_expires_at") == kept


def test_the_end_of_a_secret_outlives_an_update_that_does_not_repeat_it() -> None:
    """Where another secret comes, its own end counts and the old one's does not."""
    ends = {"client_secret_expires_at": 1900000000}
    held = record(
        registration={**REGISTERED.registration, **ends},
        registration_token=sealed("rat"),
        secret=sealed("sec"),
        secret_fingerprint=Secret(CANARY).fingerprint,
    )
    for body, kept in (
        ({"client_id": "cid"}, 1900000000),
        ({"client_id": "cid", "client_secret": CANARY}, 1900000000),
        ({"client_id": "cid", "client_secret": "another"}, None),
        ({"client_id": "cid", "client_secret": "another", "client_secret_expires_at": 5}, 5),
    ):
        one, _ = provider({MANAGE: answer(200, body)})
        made, _ = one.update_application(application(), held, open_sealed)
        assert made.registration.get("client_secret_expires_at") == kept


@pytest.mark.parametrize("empty", [answer(204), answer(200)])
def test_an_update_answered_without_the_client_is_looked_up(empty: Answer) -> None:
    """Else each apply would change it again and be in doubt again. What the server shows is what is recorded."""
    one, session = provider(
        {f"PUT {MANAGE}": empty, f"GET {MANAGE}": answer(200, {**ANSWERED, "client_name": "shown"})}
    )
    made, _ = one.update_application(application(), REGISTERED, open_sealed)
    assert made.name == "shown"
    assert [sent.method for sent in session.sent] == ["PUT", "GET"]


@pytest.mark.parametrize("body", [b"<html>", {"status": "ok"}])
def test_an_update_answered_with_something_else_counts_where_the_server_shows_it(body: Any) -> None:
    """A proxy's page with a 200 may stand for a change that never arrived: then it is in doubt, and done again."""
    wanted = application(scopes=("a",))
    asked = {**ANSWERED, "client_name": wanted.name, "scope": "a"}
    one, _ = provider({f"PUT {MANAGE}": answer(200, body), f"GET {MANAGE}": answer(200, asked)})
    made, _ = one.update_application(wanted, REGISTERED, open_sealed)
    assert made.scopes == ("a",)
    for other in ({"scope": "b"}, {"client_name": "another"}):
        one, _ = provider({f"PUT {MANAGE}": answer(200, body), f"GET {MANAGE}": answer(200, {**asked, **other})})
        with pytest.raises(InDoubt):
            one.update_application(wanted, REGISTERED, open_sealed)


@pytest.mark.parametrize("shown", [answer(401), answer(403), answer(503), answer(200, {**ANSWERED, "client_id": "x"})])
def test_an_update_that_nobody_can_look_up_is_in_doubt(shown: Answer) -> None:
    """Neither done nor refused; the PUT is sent once."""
    one, session = provider({f"PUT {MANAGE}": answer(204), f"GET {MANAGE}": shown})
    with pytest.raises(InDoubt):
        one.update_application(application(), REGISTERED, open_sealed)
    assert [sent.method for sent in session.sent] == ["PUT", "GET"]


def test_an_update_that_is_not_authorized_names_what_was_refused() -> None:
    """It is the registration token and not the client's secret, and `plan` finds out which of the two is gone."""
    one, _ = provider({f"PUT {MANAGE}": answer(401, {"error": "invalid_token"})})
    with pytest.raises(CredentialsRefused) as caught:
        one.update_application(application(), REGISTERED, open_sealed)
    (said,) = caught.value.diagnostics
    assert "the token that manages the client cid" in said.summary
    assert "client_secret" not in said.detail
    assert "Run plan" in said.detail


def test_a_client_that_cannot_be_managed_says_so() -> None:
    """RFC 7591 without 7592: nothing is sent."""
    one, session = provider({})
    with pytest.raises(StepRefused):
        one.delete_application(record(), open_sealed)
    assert session.sent == []


def test_a_client_shown_unreadably_is_a_bad_answer() -> None:
    """A read, so nothing is in doubt."""
    with pytest.raises(BadAnswer):
        provider({MANAGE: answer(200, [])})[0].read_registration(REGISTERED, open_sealed)
