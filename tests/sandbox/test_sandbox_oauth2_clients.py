"""How clients prove themselves to the embedded OAuth server, and how they are registered; and the device grant."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from sandbox_world import IDP, World, serving

from provisioner import times
from provisioner.sandbox.accounts import OAUTH2_PUBLIC_CLIENT
from provisioner.sandbox.oauth2_device import GRANT as DEVICE
from provisioner.sandbox.oauth2_jwt import ASSERTION_TYPE

SECRET = {"client_id": IDP["client_id"], "client_secret": IDP["client_secret"]}
GRANT = {"grant_type": "client_credentials"}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with serving(tmp_path / "sandbox") as found:
        yield found


def test_one_method_and_only_one(world: World) -> None:
    """RFC 6749 section 2.3: the body alone, the header alone, never both."""
    assert world.post("/oauth2/token", form={**GRANT, **SECRET}).status == 200
    both = world.idp("/token", **GRANT, **SECRET)
    assert (both.status, both.json()["error"]) == (400, "invalid_request")
    other = world.idp("/token", **GRANT, client_id="another")
    assert (other.status, other.json()["error"]) == (400, "invalid_request")


def test_wrong_clients_are_challenged(world: World) -> None:
    """401 with WWW-Authenticate (section 5.2)."""
    for pair in (("nobody", "x"), (IDP["client_id"], "x")):
        answer = world.idp("/token", pair, **GRANT)
        assert (answer.status, answer.json()["error"]) == (401, "invalid_client")
        assert answer.headers["www-authenticate"].startswith("Basic")
    assert world.post("/oauth2/token", form=GRANT).status == 401
    public = world.post("/oauth2/token", form={**GRANT, "client_id": OAUTH2_PUBLIC_CLIENT})
    assert public.json()["error"] == "unauthorized_client"


def test_basic_halves_are_form_decoded(world: World) -> None:
    """Section 2.3.1: `%2D` is a minus, and a `+` is a blank."""
    encoded = (IDP["client_id"].replace("-", "%2D"), IDP["client_secret"].replace("-", "%2d"))
    assert world.post("/oauth2/token", form=GRANT, basic=encoded).status == 200
    plus = (IDP["client_id"].replace("-", "+"), IDP["client_secret"])
    assert world.post("/oauth2/token", form=GRANT, basic=plus).status == 401


def test_registration_and_management(world: World) -> None:
    """RFC 7591 and 7592: 201, read, replace, delete, and 401 for what is gone."""
    made = world.idp_register(client_name="worker", scope="jobs:read").json()
    assert made["client_secret_expires_at"] == 0
    assert made["registration_client_uri"] == f"{world.base}/oauth2/register/{made['client_id']}"
    path, token = f"/oauth2/register/{made['client_id']}", made["registration_access_token"]
    pair = (made["client_id"], made["client_secret"])
    assert world.idp("/token", pair, **GRANT).json()["scope"] == "jobs:read"
    assert world.idp("/token", pair, **GRANT, scope="jobs:run").json()["error"] == "invalid_scope"
    assert world.get(path, bearer=token).json()["client_name"] == "worker"
    put = {"client_id": made["client_id"], "grant_types": ["client_credentials"], "client_secret": pair[1]}
    changed = world.call("PUT", path, json=put, bearer=token)
    assert changed.status == 200
    assert not {"client_name", "scope"} & set(changed.json())
    token = changed.json()["registration_access_token"]
    assert world.call("DELETE", path, bearer=token).status == 204
    assert world.get(path, bearer=token).status == 401
    assert world.idp("/token", pair, **GRANT).status == 401


def test_registration_needs_the_initial_token(world: World) -> None:
    """RFC 7591 section 3, and JSON."""
    body = {"grant_types": ["client_credentials"]}
    assert world.post("/oauth2/register", json=body).status == 401
    assert world.post("/oauth2/register", json=body, bearer="wrong").status == 401
    form = world.post("/oauth2/register", form={"a": "b"}, bearer=IDP["initial_access_token"])
    assert form.status == 415


@pytest.mark.parametrize(
    ("metadata", "error"),
    [
        ({"grant_types": ["authorization_code"]}, "invalid_redirect_uri"),
        ({"redirect_uris": ["/relative"]}, "invalid_redirect_uri"),
        ({"redirect_uris": ["https://a/#b"]}, "invalid_redirect_uri"),
        ({"grant_types": ["password"]}, "invalid_client_metadata"),
        ({"grant_types": "client_credentials"}, "invalid_client_metadata"),
        ({"token_endpoint_auth_method": "none"}, "invalid_client_metadata"),
        ({"token_endpoint_auth_method": "private_key_jwt"}, "invalid_client_metadata"),
        ({"scope": ["a"]}, "invalid_client_metadata"),
    ],
)
def test_registrations_that_make_no_sense(world: World, metadata: dict[str, object], error: str) -> None:
    """RFC 7591 section 3.2.2."""
    answer = world.idp_register(**metadata)
    assert (answer.status, answer.json()["error"]) == (400, error)


@pytest.mark.parametrize(
    "wrong",
    [
        {"client_id": "another"},
        {"registration_access_token": "x"},
        {"client_secret_expires_at": 0},
        {"client_secret": "of my own"},
    ],
)
def test_what_a_put_must_not_say(world: World, wrong: dict[str, object]) -> None:
    """RFC 7592 section 2.2."""
    made = world.idp_register().json()
    body = {"client_id": made["client_id"], "grant_types": ["client_credentials"], **wrong}
    path = f"/oauth2/register/{made['client_id']}"
    assert world.call("PUT", path, json=body, bearer=made["registration_access_token"]).status == 400


def test_registered_methods_are_held_to(world: World) -> None:
    """A client that registered one method is refused under another."""
    made = world.idp_register(token_endpoint_auth_method="client_secret_post").json()
    assert world.idp("/token", (made["client_id"], made["client_secret"]), **GRANT).status == 401
    body = {"client_id": made["client_id"], "client_secret": made["client_secret"]}
    assert world.post("/oauth2/token", form={**GRANT, **body}).status == 200


def test_redirect_uris_are_exact_but_for_the_loopback_port(world: World) -> None:
    """RFC 9700 section 4.1.3."""
    made = world.idp_register(
        grant_types=["authorization_code"], redirect_uris=["http://127.0.0.1:1/cb", "https://app.example/cb"]
    ).json()
    ask = f"/oauth2/authorize?client_id={made['client_id']}&response_type=code&redirect_uri="
    assert world.get(ask + "http://127.0.0.1:77/cb").status == 200
    assert world.get(ask + "https://app.example/cb").status == 200
    near = ("http://127.0.0.1:77/cb/", "http://localhost/cb", "https://app.example/cb?x=1", "https://app.example:1/cb")
    for wrong in near:
        assert world.get(ask + wrong).status == 400


# -- private_key_jwt ---------------------------------------------------------------------------------------------------


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def es256(key: ec.EllipticCurvePrivateKey, claims: dict[str, Any], algorithm: str = "ES256") -> str:
    signed = f"{b64(json.dumps({'alg': algorithm}).encode())}.{b64(json.dumps(claims).encode())}"
    r, s = decode_dss_signature(key.sign(signed.encode(), ec.ECDSA(hashes.SHA256())))
    return f"{signed}.{b64(r.to_bytes(32) + s.to_bytes(32))}"


def test_private_key_jwt(world: World) -> None:
    """RFC 7523: signature, subject, audience, times and a single use are all held."""
    key = ec.generate_private_key(ec.SECP256R1())
    numbers = key.public_key().public_numbers()
    jwk = {"kty": "EC", "crv": "P-256", "x": b64(numbers.x.to_bytes(32)), "y": b64(numbers.y.to_bytes(32))}
    made = world.idp_register(token_endpoint_auth_method="private_key_jwt", jwks={"keys": [jwk]}).json()
    assert "client_secret" not in made
    now = int(times.now().timestamp())
    me = made["client_id"]
    good = {"iss": me, "sub": me, "aud": f"{world.base}/oauth2/token", "exp": now + 60, "jti": "1"}

    def ask(assertion: str) -> int:
        form = {**GRANT, "client_id": me, "client_assertion_type": ASSERTION_TYPE, "client_assertion": assertion}
        return world.post("/oauth2/token", form=form).status

    assert ask(es256(key, good)) == 200
    assert ask(es256(key, good)) == 401, "the jti was used"
    wrongs: tuple[dict[str, Any], ...] = (
        {"sub": "x"}, {"iss": "x"}, {"aud": "https://elsewhere"}, {"exp": now - 1}, {"exp": now + 9999}, {"exp": "x"},
    )  # fmt: skip
    for number, wrong in enumerate(wrongs):
        assert ask(es256(key, {**good, "jti": f"w{number}", **wrong})) == 401
    assert ask(es256(ec.generate_private_key(ec.SECP256R1()), {**good, "jti": "2"})) == 401
    assert ask(es256(key, {**good, "jti": "3"}, algorithm="none")) == 401
    assert ask("no.jwt") == 401
    assert ask(es256(key, {**good, "jti": "4", "aud": [f"{world.base}/oauth2"]})) == 200


def test_private_key_jwt_with_ed25519(world: World) -> None:
    """EdDSA keys work too (RFC 8037)."""
    key = ed25519.Ed25519PrivateKey.generate()
    jwk = {"kty": "OKP", "crv": "Ed25519", "x": b64(key.public_key().public_bytes_raw())}
    made = world.idp_register(token_endpoint_auth_method="private_key_jwt", jwks={"keys": [jwk]}).json()
    me = made["client_id"]
    claims = {"iss": me, "sub": me, "aud": f"{world.base}/oauth2", "exp": times.now().timestamp() + 60, "jti": "1"}
    head = json.dumps({"alg": "EdDSA"}).encode()
    signed = f"{b64(head)}.{b64(json.dumps(claims).encode())}"
    form = {**GRANT, "client_id": me, "client_assertion_type": ASSERTION_TYPE}
    form["client_assertion"] = f"{signed}.{b64(key.sign(signed.encode()))}"
    assert world.post("/oauth2/token", form=form).status == 200


# -- devices -----------------------------------------------------------------------------------------------------------


def poll(world: World, device_code: str) -> dict[str, Any]:
    return dict(world.idp("/token", grant_type=DEVICE, device_code=device_code).json())


def test_a_device_is_connected_by_its_code(world: World) -> None:
    """RFC 8628: pending, slow_down with a longer interval, approval on a page, one pair."""
    asked = world.idp("/device_authorization", scope="jobs:run").json()
    assert poll(world, asked["device_code"])["error"] == "authorization_pending"
    assert poll(world, asked["device_code"])["error"] == "slow_down"
    world.sandbox.set_clock(6)
    assert poll(world, asked["device_code"])["error"] == "slow_down", "the interval is ten seconds now"
    page = world.get("/oauth2/device")
    assert 'id="user_code"' in page.text
    consent = world.submit(page, None, user_code=asked["user_code"].lower().replace("-", " "))
    assert 'id="approve"' in consent.text
    assert world.submit(consent, "approve").status == 200
    world.sandbox.set_clock(30)
    found = poll(world, asked["device_code"])
    assert found["scope"] == "jobs:run"
    assert "refresh_token" in found
    assert poll(world, asked["device_code"])["error"] == "invalid_grant"


def test_a_device_is_denied_or_too_late(world: World) -> None:
    """access_denied and expired_token; an unknown code stays on the page."""
    asked = world.idp("/device_authorization").json()
    wrong = world.submit(world.get("/oauth2/device"), None, user_code="AAAA-AAAA")
    assert "not known" in wrong.text
    consent = world.submit(world.get("/oauth2/device"), None, user_code=asked["user_code"])
    assert world.submit(consent, "deny").status == 200
    assert poll(world, asked["device_code"])["error"] == "access_denied"
    late = world.idp("/device_authorization").json()
    world.sandbox.set_clock(601)
    assert poll(world, late["device_code"])["error"] == "expired_token"
