"""Who asks: one authentication a request, encoded as RFC 6749 and RFC 7523 say."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from oauth_fakes import CANARY, CLIENT, FakeSession, answer, as_session, everything_said, plain

from provisioner.errors import CredentialsRefused, ProviderFailed
from provisioner.providers._client_auth import METHODS, authenticate, settle_method
from provisioner.providers._introspection import introspect
from provisioner.providers._jwk import client_assertion, public_jwk
from provisioner.providers._oauth import request_token
from provisioner.providers._revocation import revoke_one
from provisioner.providers._urls import Endpoint
from provisioner.providers.base import ClientCredentials
from provisioner.secret import Secret

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
GRANTED = answer(200, {"access_token": "t", "token_type": "bearer"})


def pem(key: Any) -> Secret:
    raw: bytes = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return Secret(raw.decode())


KEYS = {
    "RS256": pem(rsa.generate_private_key(65537, 2048)),
    "ES256": pem(ec.generate_private_key(ec.SECP256R1())),
    "ES384": pem(ec.generate_private_key(ec.SECP384R1())),
    "ES512": pem(ec.generate_private_key(ec.SECP521R1())),
    "EdDSA": pem(ed25519.Ed25519PrivateKey.generate()),
}


KEY_TYPES = {"RS256": "RSA", "ES256": "EC", "ES384": "EC", "ES512": "EC", "EdDSA": "OKP"}


def decoded(part: str) -> Any:
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def test_basic_halves_are_form_encoded_before_base64() -> None:
    """RFC 6749 section 2.3.1: raw `+/=%:` is answered 400 by oidc-provider and 401 by django-oauth-toolkit."""
    found = authenticate(ClientCredentials(client_id="a:b c", client_secret=Secret("+/=%:")), "x", NOW)
    assert found.basic is not None
    assert (found.basic[0], found.basic[1].reveal()) == ("a%3Ab%20c", "%2B%2F%3D%25%3A")
    assert found.fields == ()


def test_post_carries_both_in_the_body() -> None:
    """What Doorkeeper needs for awkward secrets: it does not decode Basic halves."""
    posted = ClientCredentials(client_id="cid", client_secret=Secret(CANARY), auth_method="client_secret_post")
    found = authenticate(posted, "x", NOW)
    assert [(name, plain(value)) for name, value in found.fields] == [("client_id", "cid"), ("client_secret", CANARY)]
    assert found.basic is None


def test_a_public_client_says_only_its_name() -> None:
    """RFC 6749 section 3.2.1."""
    assert authenticate(ClientCredentials(client_id="cid"), "x", NOW).fields == (("client_id", "cid"),)


@pytest.mark.parametrize("method", METHODS)
def test_no_request_authenticates_twice(method: str) -> None:
    """RFC 6749 section 2.3: header, secret in the body, assertion: one of them at most."""
    session = FakeSession({"https://id.invalid/token": GRANTED})
    credentials = ClientCredentials(
        client_id="cid", client_secret=Secret(CANARY), private_key=KEYS["EdDSA"], auth_method=method
    )
    request_token(Endpoint(as_session(session), "idp", "https://id.invalid/token"), credentials, [("grant_type", "x")])
    sent = session.sent[0]
    used = [sent.basic is not None, "client_secret" in sent.fields, "client_assertion" in sent.fields]
    assert sum(used) == (0 if method == "none" else 1)
    assert "?" not in sent.url


@pytest.mark.filterwarnings("ignore:EdDSA is deprecated")  # RFC 9864 renames it; servers know the name of RFC 8037
@pytest.mark.parametrize("algorithm", KEYS)
def test_assertions_verify_with_another_implementation(algorithm: str) -> None:
    """Signature, header and claims, judged by joserfc from the public key that would be registered."""
    jose = pytest.importorskip("joserfc.jwt", reason="joserfc comes with the test extra's authlib")
    jwk = pytest.importorskip("joserfc.jwk")
    assertion = client_assertion(KEYS[algorithm], "cid", "https://id.invalid", NOW).reveal()
    public = public_jwk(KEYS[algorithm])
    token = jose.decode(assertion, jwk.import_key(public), algorithms=[algorithm])
    assert token.header == {"typ": "JWT", "alg": algorithm}
    issued = int(NOW.timestamp())
    assert {name: token.claims[name] for name in ("iss", "sub", "aud", "iat", "exp")} == {
        "iss": "cid",
        "sub": "cid",
        "aud": "https://id.invalid",
        "iat": issued,
        "exp": issued + 60,
    }
    assert "d" not in public


def test_each_assertion_has_its_own_id() -> None:
    """A server may take a `jti` once only (RFC 7523 section 3)."""
    made = {client_assertion(KEYS["EdDSA"], "cid", "aud", NOW).reveal() for _ in range(5)}
    assert len({decoded(one.split(".")[1])["jti"] for one in made}) == 5


def test_an_assertion_is_signed_for_each_attempt() -> None:
    """One that waited out a 429 has ended, and a repeated one was used before: servers refuse both (RFC 7523 section
    3), and a plan would end with it."""
    session = FakeSession({"https://id.invalid/i": answer(200, {"active": True})})
    at = Endpoint(as_session(session), "idp", "https://id.invalid/i")
    keyed = ClientCredentials(client_id="cid", private_key=KEYS["EdDSA"])
    forms: list[Callable[[], Sequence[tuple[str, Any]]]] = []

    def attempts(method: str, url: str, **given: Any) -> Any:
        forms.append(given["form"])
        return answer(200, {"active": True})

    session.read = session.change = attempts  # type: ignore[method-assign]  # what it is given, and not what it sends
    introspect(at, keyed, Secret("t"))
    revoke_one(at, keyed, Secret("t"), "access_token")
    assert len(forms) == 2
    for form in forms:
        made = [dict(form())["client_assertion"].reveal() for _ in range(2)]
        assert len({decoded(one.split(".")[1])["jti"] for one in made}) == 2


def test_a_refused_key_is_called_what_it_is() -> None:
    """Not a client_secret, which there is none of; and a signature depends on the clock."""
    session = FakeSession({"https://id.invalid/token": answer(401, {"error": "invalid_client"})})
    key = Secret(KEYS["EdDSA"].reveal(), "env WORKER_KEY")
    keyed = ClientCredentials(client_id="cid", private_key=key)
    with pytest.raises(CredentialsRefused) as caught:
        request_token(Endpoint(as_session(session), "idp", "https://id.invalid/token"), keyed, [("grant_type", "x")])
    said = caught.value.diagnostics[0].detail
    assert "private_key (env WORKER_KEY)" in said
    assert "client_secret" not in said
    assert "clock" in said


@pytest.mark.parametrize("algorithm", KEYS)
def test_a_jwk_signs_as_its_pem_does(algorithm: str) -> None:
    """The key may be given either way; its `kid` goes into the header."""
    jwk = pytest.importorskip("joserfc.jwk", reason="joserfc comes with the test extra's authlib")
    private = {**jwk.import_key(KEYS[algorithm].reveal(), KEY_TYPES[algorithm]).as_dict(private=True), "kid": "k1"}
    as_jwk = Secret(json.dumps(private))
    assert decoded(client_assertion(as_jwk, "cid", "aud", NOW).reveal().split(".")[0])["kid"] == "k1"
    members = ("kty", "crv", "x", "y", "n", "e")
    one, other = public_jwk(as_jwk), public_jwk(KEYS[algorithm])
    assert {m: one.get(m) for m in members} == {m: other.get(m) for m in members}


@pytest.mark.parametrize("text", [CANARY, "{" + CANARY, json.dumps({"kty": "EC", "crv": "P-256", "d": CANARY})])
def test_an_unreadable_key_is_not_quoted(text: str) -> None:
    """Libraries quote what they cannot parse."""
    with pytest.raises(ProviderFailed) as caught:
        client_assertion(Secret(text), "cid", "aud", NOW)
    assert CANARY not in everything_said(caught.value)


@pytest.mark.parametrize(
    ("announced", "expected"),
    [
        (None, "client_secret_basic"),
        (("client_secret_post",), "client_secret_post"),
        (("client_secret_post", "client_secret_basic"), "client_secret_basic"),
        (("private_key_jwt",), "client_secret_basic"),
    ],
)
def test_the_method_follows_what_is_announced(announced: tuple[str, ...] | None, expected: str) -> None:
    """RFC 8414: nothing announced means client_secret_basic."""
    assert settle_method(CLIENT, announced).auth_method == expected


def test_a_declared_method_stands() -> None:
    """The server's own no is clearer than our guess."""
    declared = ClientCredentials(client_id="c", client_secret=Secret("s"), auth_method="client_secret_post")
    assert settle_method(declared, ("client_secret_basic",)).auth_method == "client_secret_post"


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post", "private_key_jwt"])
def test_a_method_without_its_secret_is_said(method: str) -> None:
    """Nothing is sent that the server could only refuse."""
    with pytest.raises(ProviderFailed) as caught:
        authenticate(ClientCredentials(client_id="cid", auth_method=method), "x", NOW)
    assert caught.value.diagnostics[0].name == "secret-unavailable"
