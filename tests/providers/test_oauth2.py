"""Any OAuth server: one test for each line of "differences between real servers"."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from oauth_fakes import (
    CANARY,
    CLIENT,
    FakeSession,
    answer,
    application,
    as_session,
    config,
    opener,
    record,
    resolve,
    sealed,
)
from test_oauth_client_auth import KEYS

from provisioner.errors import CredentialsRefused, InDoubt, ProviderFailed, StepRefused, Unreachable
from provisioner.model.desired import SecretRef
from provisioner.model.observed import UNKNOWN
from provisioner.net.answers import Answer
from provisioner.providers.base import ClientCredentials, Revoked, TokenWish
from provisioner.providers.oauth2 import Provider
from provisioner.secret import Secret

ISSUER = "https://id.invalid"
WELL_KNOWN = f"{ISSUER}/.well-known/oauth-authorization-server"
TOKEN, REVOKE, INTROSPECT = f"{ISSUER}/token/", f"{ISSUER}/revoke_token/", f"{ISSUER}/introspect/"
DOCUMENT: dict[str, Any] = {
    "issuer": ISSUER,
    "authorization_endpoint": f"{ISSUER}/authorize/",
    "token_endpoint": TOKEN,
    "revocation_endpoint": REVOKE,
    "introspection_endpoint": INTROSPECT,
}
BY_POST = {"token_endpoint_auth_methods_supported": ["client_secret_post"]}
GRANTED = answer(200, {"access_token": "t0ken-1", "token_type": "Bearer", "expires_in": 300})
WISH = TokenWish(scopes=("a", "b"))
REDIRECT = "http://127.0.0.1:8123/cb"


def fake(
    table: dict[str, Any], document: dict[str, Any] | None = None, **settings: Any
) -> tuple[Provider, FakeSession]:
    session = FakeSession({WELL_KNOWN: answer(200, DOCUMENT if document is None else document), **table})
    return Provider(config("oauth2", issuer=ISSUER, **settings), as_session(session), resolve), session


# -- the server ------------------------------------------------------------------------------------------------------


def test_metadata_is_read_once_and_tells_the_features() -> None:
    """By many threads or one: a run asks once."""
    one, session = fake({})
    assert one.discover() == {"revocation": True, "introspection": True, "registration": False, "device": False}
    one.discover()
    assert [sent.url for sent in session.sent] == [WELL_KNOWN]


def test_a_configured_url_takes_precedence_and_needs_no_issuer() -> None:
    """Without an issuer nothing is fetched at all."""
    one, _ = fake({}, token_url="https://other.invalid/t")
    assert one.metadata().endpoints["token_url"] == "https://other.invalid/t"
    session = FakeSession({TOKEN: GRANTED})
    alone = Provider(config("oauth2", token_url=TOKEN), as_session(session), resolve)
    assert alone.create_token(CLIENT, WISH).access_token == Secret("t0ken-1")
    assert [sent.url for sent in session.sent] == [TOKEN]
    assert not any(alone.discover().values())


def test_an_endpoint_that_is_not_announced_is_named_by_its_setting() -> None:
    """What to configure is the next move."""
    with pytest.raises(ProviderFailed) as caught:
        fake({})[0].device_authorization(CLIENT, WISH)
    assert "device_authorization_url" in caught.value.diagnostics[0].detail


def test_an_unreachable_server_is_tried_again_next_time() -> None:
    """A failed discovery is not remembered as an empty one."""
    session = FakeSession({WELL_KNOWN: [Unreachable("unreachable", "no"), answer(200, DOCUMENT)]})
    one = Provider(config("oauth2", issuer=ISSUER), as_session(session), resolve)
    with pytest.raises(Unreachable):
        one.discover()
    assert one.discover()["revocation"]


# -- differences between real servers (vendor sheet, section 4.1) -----------------------------------------------------


def test_difference_1_a_scope_dropped_in_silence_is_found_by_introspection() -> None:
    """oidc-provider answers 200 without `scope`; "as asked" would be a lie."""
    one, _ = fake({TOKEN: GRANTED, INTROSPECT: answer(200, {"active": True, "scope": "a"})})
    assert one.create_token(CLIENT, WISH).scopes == ("a",)


@pytest.mark.parametrize(
    "shown", [answer(403), answer(200, {"active": False}), answer(200, b"<html>"), answer(401), answer(503)]
)
def test_difference_1_no_introspection_loses_no_grant(shown: Any) -> None:
    """The token is minted; whatever the look-up says, it is handed back."""
    one, _ = fake({TOKEN: GRANTED, INTROSPECT: shown})
    found = one.create_token(CLIENT, WISH)
    assert (found.access_token, found.scopes) == (Secret("t0ken-1"), None)


def test_difference_1_a_refreshed_pair_is_not_looked_at_before_it_is_stored() -> None:
    """One request, and then the journal."""
    one, session = fake({TOKEN: GRANTED, INTROSPECT: answer(200, {"active": True})})
    one.refresh_token(CLIENT, Secret("r"), WISH)
    assert [sent.url for sent in session.sent if sent.url != WELL_KNOWN] == [TOKEN]
    assert session.sent[-1].fields == {"grant_type": "refresh_token", "refresh_token": "r"}


def test_difference_1_an_unknown_scope_is_refused() -> None:
    """django-oauth-toolkit: 400."""
    one, _ = fake({TOKEN: answer(400, {"error": "invalid_scope"})})
    with pytest.raises(StepRefused) as caught:
        one.create_token(CLIENT, WISH)
    assert caught.value.oauth_error == "invalid_scope"


def test_difference_2_a_401_with_a_bearer_challenge_is_a_refused_client() -> None:
    """django-oauth-toolkit's answer to Basic that it cannot read."""
    one, session = fake({TOKEN: answer(401, None, **{"www-authenticate": 'Bearer realm="x"'})})
    with pytest.raises(CredentialsRefused):
        one.create_token(CLIENT, WISH)
    assert session.sent[-1].basic == ("cid", "s3cr3t%2B%2F%3D%25%3Ac4n4ry")


def test_difference_3_a_200_that_revokes_nothing_is_found_out() -> None:
    """A policy that merely returns false."""
    one, _ = fake({REVOKE: answer(200), INTROSPECT: answer(200, {"active": True})})
    assert one.revoke_token(CLIENT, Secret("a"), Secret("r")) is Revoked.SURVIVED


def test_difference_3_a_refresh_token_that_survives_is_found_out() -> None:
    """Both halves are looked at."""
    shown = [answer(200, {"active": False}), answer(200, {"active": True})]
    one, session = fake({REVOKE: answer(200), INTROSPECT: shown})
    assert one.revoke_token(CLIENT, Secret("a"), Secret("r")) is Revoked.SURVIVED
    asked = [sent.fields["token_type_hint"] for sent in session.sent if sent.url == INTROSPECT]
    assert asked == ["access_token", "refresh_token"]


def test_difference_3_without_introspection_the_servers_word_stands() -> None:
    """There is nothing else to go by; without an endpoint there is nothing at all."""
    document = {k: v for k, v in DOCUMENT.items() if k != "introspection_endpoint"}
    assert fake({REVOKE: answer(200)}, document)[0].revoke_token(CLIENT, Secret("a"), None) is Revoked.REVOKED
    del document["revocation_endpoint"]
    one, session = fake({}, document)
    assert one.revoke_token(CLIENT, Secret("a"), None) is Revoked.UNSUPPORTED
    assert len(session.sent) == 1


def test_difference_3_one_half_that_cannot_be_named_may_die_with_the_other() -> None:
    """`unsupported_token_type` for access tokens, and introspection shows both dead."""
    revoke = [answer(200), answer(400, {"error": "unsupported_token_type"})]
    one, _ = fake({REVOKE: revoke, INTROSPECT: answer(200, {"active": False})})
    assert one.revoke_token(CLIENT, Secret("a"), Secret("r")) is Revoked.REVOKED


@pytest.mark.parametrize("shown", [answer(503), answer(200, b"<html>")])
def test_a_revocation_that_cannot_be_looked_at_is_in_doubt(shown: Any) -> None:
    """It was sent, so `Unreachable` would be a lie. A server that does not let us ask is taken by its word."""
    with pytest.raises(InDoubt):
        fake({REVOKE: answer(200), INTROSPECT: shown})[0].revoke_token(CLIENT, Secret("a"), None)
    halfway = [answer(200), Unreachable("unreachable", "no")]
    with pytest.raises(InDoubt):
        fake({REVOKE: halfway})[0].revoke_token(CLIENT, Secret("a"), Secret("r"))
    with pytest.raises(Unreachable):
        fake({REVOKE: Unreachable("unreachable", "no")})[0].revoke_token(CLIENT, Secret("a"), Secret("r"))
    assert (
        fake({REVOKE: answer(200), INTROSPECT: answer(401)})[0].revoke_token(CLIENT, Secret("a"), None)
        is Revoked.REVOKED
    )


def test_difference_8_a_verifier_is_fresh_for_every_attempt() -> None:
    """A wrong one need not burn the code, so nothing relies on it."""
    one, _ = fake({})
    made = [one.authorization_request(CLIENT, WISH, REDIRECT) for _ in range(2)]
    assert made[0].verifier != made[1].verifier


def test_difference_9_who_may_not_introspect_gets_unknown() -> None:
    """django-oauth-toolkit: 403 without the scope for it. No client, no question."""
    one, session = fake({INTROSPECT: answer(403)})
    assert one.probe_token(Secret("t"), CLIENT).liveness == UNKNOWN
    before = len(session.sent)
    assert one.probe_token(Secret("t"), None).liveness == UNKNOWN
    assert len(session.sent) == before


@pytest.mark.parametrize("said", [None, b"<html>", {"message": "Unauthorized"}])
def test_difference_9_a_401_without_a_reason_is_unknown_too(said: Any) -> None:
    """IdentityServer's answer to a client that is no resource server; no plan could go past it. A refused client is
    told `invalid_client` (RFC 7662 section 2.3)."""
    one, _ = fake({INTROSPECT: answer(401, said)})
    assert one.probe_token(Secret("t"), CLIENT).liveness == UNKNOWN
    one, session = fake({INTROSPECT: answer(401, said)}, {**DOCUMENT, **BY_POST})
    assert one.probe_token(Secret("t"), CLIENT).liveness == UNKNOWN
    assert [sent.basic is None for sent in session.sent[1:]] == [True, False]  # Basic is tried before


@pytest.mark.parametrize(
    "found", [answer(401, {"error": "invalid_client"}), answer(401, None, **{"www-authenticate": 'Basic realm="x"'})]
)
def test_difference_9_a_client_that_is_refused_by_name_ends_the_plan(found: Answer) -> None:
    """Exit 8: its secret is another one now."""
    with pytest.raises(CredentialsRefused):
        fake({INTROSPECT: found})[0].probe_token(Secret("t"), CLIENT)


def test_difference_10_the_trailing_slash_stays() -> None:
    """Endpoints come from the document: without the slash django answers 404."""
    one, session = fake({TOKEN: GRANTED, INTROSPECT: answer(200, {"active": True})})
    one.create_token(CLIENT, WISH)
    assert [sent.url for sent in session.sent] == [WELL_KNOWN, TOKEN, INTROSPECT]


def test_difference_12_post_is_there_for_servers_that_decode_no_basic() -> None:
    """Declared, or announced without client_secret_basic."""
    one, session = fake({TOKEN: GRANTED}, {**DOCUMENT, **BY_POST})
    one.create_token(CLIENT, TokenWish())
    assert session.sent[-1].fields["client_secret"] == CANARY
    assert session.sent[-1].basic is None


# -- requests --------------------------------------------------------------------------------------------------------


def test_resource_is_repeated_and_audience_sent() -> None:
    """RFC 8707 section 2: at the token endpoint and at the authorization endpoint."""
    one, session = fake({TOKEN: GRANTED})
    wish = TokenWish(resource=("https://a.invalid", "https://b.invalid"), audience="api")
    one.create_token(CLIENT, wish)
    assert session.sent[-1].form == [
        ("grant_type", "client_credentials"),
        ("resource", "https://a.invalid"),
        ("resource", "https://b.invalid"),
        ("audience", "api"),
    ]
    query = parse_qsl(urlsplit(one.authorization_request(CLIENT, wish, REDIRECT).url).query)
    assert [value for name, value in query if name == "resource"] == ["https://a.invalid", "https://b.invalid"]


@pytest.mark.parametrize(
    ("settings", "audience"),
    [({}, ISSUER), ({"assertion_audience": "issuer"}, ISSUER), ({"assertion_audience": "token_endpoint"}, TOKEN)],
)
def test_an_assertion_is_for_the_issuer_or_the_token_endpoint(settings: dict[str, Any], audience: str) -> None:
    """Servers differ in which they take, at every endpoint alike (RFC 7523 section 3)."""
    import base64
    import json

    one, session = fake({TOKEN: GRANTED, INTROSPECT: answer(200, {"active": True, "scope": "a b"})}, **settings)
    one.create_token(ClientCredentials(client_id="cid", private_key=KEYS["ES256"]), WISH)
    for sent in session.sent[1:]:
        claims = sent.fields["client_assertion"].split(".")[1]
        assert json.loads(base64.urlsafe_b64decode(claims + "=="))["aud"] == audience


@pytest.mark.parametrize(("methods", "pkce"), [(None, True), (["S256"], True), (["plain"], False)])
def test_pkce_is_s256_or_nothing(methods: list[str] | None, pkce: bool) -> None:
    """Never `plain`; a public client goes no further without it (RFC 9700 section 2.1.1)."""
    document = DOCUMENT if methods is None else {**DOCUMENT, "code_challenge_methods_supported": methods}
    one, _ = fake({}, document)
    assert (one.authorization_request(CLIENT, WISH, REDIRECT).verifier is not None) is pkce
    if not pkce:
        with pytest.raises(ProviderFailed):
            one.authorization_request(ClientCredentials(client_id="cid"), WISH, REDIRECT)


def test_the_callbacks_issuer_is_checked_where_it_is_announced() -> None:
    """RFC 9207."""
    one, _ = fake({}, {**DOCUMENT, "authorization_response_iss_parameter_supported": True})
    request = one.authorization_request(CLIENT, WISH, REDIRECT)
    with pytest.raises(ProviderFailed):
        one.read_callback(request, f"code=c&state={request.state}")
    assert one.read_callback(request, f"code=c&state={request.state}&iss=https%3A%2F%2Fid.invalid") == Secret("c")


# -- who asks --------------------------------------------------------------------------------------------------------


def test_credentials_are_declared_then_sealed() -> None:
    """A client_id without a secret is a public client; a registered one has its secret in the record."""
    one, _ = fake({})
    both = one.credentials(application(client_id="x", client_secret=SecretRef("env", "S")), None, opener)
    assert (both.client_id, both.client_secret) == ("x", Secret("env-S"))
    public = one.credentials(application(client_id="x", redirect_uri=REDIRECT), record(secret=sealed("s")), opener)
    assert (public.client_id, public.client_secret) == ("x", None)
    ours = record(secret=sealed("s"), registration={"token_endpoint_auth_method": "client_secret_post"})
    registered = one.credentials(application(), ours, opener)
    assert registered.client_secret == Secret("s:obj-1:secret")
    assert registered.auth_method == "client_secret_post"
    for nothing in (None, record(registration={"token_endpoint_auth_method": "client_secret_basic"})):
        with pytest.raises(ProviderFailed):
            one.credentials(application(), nothing, opener)


def test_a_registered_application_is_not_looked_at_without_its_token() -> None:
    """Absent means not looked; not recorded and no client_id means that there is none."""
    one, _ = fake({})
    assert one.read_applications([application()], {"application.app": record()}) == ({}, ())
    assert not one.read_applications([application()], {})[0]["application.app"].exists
    adopted = one.read_applications([application(client_id="x", client_secret=SecretRef("env", "S"))], {})[0]
    assert adopted["application.app"].secret_fingerprint == Secret("env-S").fingerprint
