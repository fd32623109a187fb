"""What stands in clear: the nets catch every shape of secret, and let pass what the record is full of."""

from __future__ import annotations

import json
import random
import secrets
from base64 import b64encode
from pathlib import Path

import pytest
from audit_story import told
from audit_world import Past, secret

from provisioner.audit.clear import Exposure
from provisioner.engine import drafts
from provisioner.sandbox import accounts

JWT = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhbm4ifQ.c2lnbmF0dXJl"


def seen_in(text: str) -> list[str]:
    return [what for _, what, _ in Exposure().look({"detail": text}, "body")]


@pytest.mark.parametrize(
    "text",
    [
        JWT,
        f"the answer was {JWT}",
        "-----BEGIN OPENSSH PRIVATE KEY-----\nabc",
        "AGE-SECRET-KEY-1QQPQQPQQPQQPQQPQQPQQPQQPQQPQQPQQPQQPQQPQQPQQPQQPQQPQQPQQPQ",
        "Authorization: Bearer 0123456789abcdef",
        "https://ann:hunter2@vendor.example/x",
        "https://vendor.example/x?access_token=abcdef123",
        "ghp_16C7e42F292c6912E7710c838347Ae178B4a",
        "at_J8xk2mQ9vLr4Tn6Wp0Zs3Yb5Hd7Fg1Kc8Mx2Vq4R",
        "e2acce5501234567890abcdef0123456",
        "c0ffee5c0123456789abcdef0123456789abcdef",
        "7e87acce550123456789abcdef0123456789ab",
        "gAAAA5a4db0f8Zk3_x9QmT2vWc8Lr1Np6Ys4Hb7Jd0Fg5K",
        "k2j4h6g8f0d1s3a5q7w9e2r4t6y8u0i1",
    ],
)
def test_a_secret_in_a_text_is_caught(text: str) -> None:
    """Known shapes, and long words that nobody types: every token of the sandbox's vendors among them."""
    assert seen_in(text)


@pytest.mark.parametrize(
    "text",
    [
        "declared, and no token is recorded",
        "the server wants basic authentication",
        "Bearer token refused with error_code=invalid_grant",
        "sha256:0123456789abcdef",
        "6e5ef4ee-8a6f-4a52-bd67-0d30b6d0a1f2",
        "from run 20261121T123542Z-80bfeeeb",
        "https://www.googleapis.com/auth/cloud-platform.read-only",
        "https://ci.example/ann/stack/actions/runs/11822334455",
        "the balance rose by 1500 between 2026-11-19T12:11:00Z and 2026-11-19T15:11:01Z",
        "application-names-that-are-long-and-end-in-2026",
        "MyCompanyGmbHAndCoKGMarketing2026Team",
        "prod-eu-central-1-20261121-blue-green-2",
        "token_endpoint_auth_method_private_key_jwt",
        "urn:ietf:params:oauth:grant-type:device_code",
        "v1:a1b2c3d4e5f60718:1:QUFBQUFBQUFBQUFBQUFBQUFBQUFBQQ==",
        "(sensitive value)",
    ],
)
def test_what_the_record_is_full_of_passes(text: str) -> None:
    """Sentences, addresses of pages, ids, fingerprints, sealed values."""
    assert seen_in(text) == []


@pytest.mark.parametrize("name", ["access_token", "client_secret", "password", "api_key", "registration_token"])
def test_a_telling_name_needs_no_other_proof(name: str) -> None:
    """Whatever stands under it in clear; a sealed value, or none, is right there."""
    look = Exposure().look
    assert [sure for _, _, sure in look({"deep": [{name: "x"}]}, "body")] == [True]
    assert list(look({name: "v1:k:1:QUFB"}, "body")) == []
    assert list(look({name: None}, "body")) == []


def test_a_public_key_may_stand_in_clear_and_its_private_half_may_not() -> None:
    """A JWK by its members (RFC 7517, RFC 7518)."""
    public = {"kty": "EC", "crv": "P-256", "x": secrets.token_urlsafe(32), "y": secrets.token_urlsafe(32), "kid": "k"}
    look = Exposure().look
    assert list(look({"keys": [{**public, "x5c": [secrets.token_urlsafe(200)]}]}, "jwks")) == []
    assert [path for path, _, _ in look({"keys": [{**public, "d": secrets.token_urlsafe(32)}]}, "jwks")] == [
        "jwks.keys[].d"
    ]


def test_a_recorded_secret_is_known_by_its_fingerprint(past: Past) -> None:
    """However short and plain it is, in any field, even one for names; from the moment that it is recorded."""
    token = past.create("token.campaigns")
    number = int(token.id, 16)
    past.append(drafts.note(f"got {secret('access', number).reveal()}, thanks"))
    past.application("application.other", client_id=secret("access", number).reveal())
    found = past.case().trail.exposure.found
    assert {(e.path, e.what) for e in found.values()} == {
        ("body.detail", "a secret whose fingerprint is recorded"),
        ("body.put[].client_id", "a secret whose fingerprint is recorded"),
    }
    assert all(e.sure for e in found.values())


def test_thirty_ordinary_days_hold_none(tmp_path: Path) -> None:
    """No false alarm in a long record."""
    assert told(tmp_path).case().trail.exposure.found == {}


def test_the_sandbox_accounts_secrets_would_be_caught() -> None:
    """None of the embedded vendors' own secrets could stand in a text unseen."""
    texts = json.dumps(accounts.ACCOUNTS)
    assert "client_secret" in texts
    look = Exposure().look
    assert {path.rsplit(".", 1)[-1] for path, _, _ in look(accounts.ACCOUNTS, "")} >= {"client_secret", "api_key"}


def test_what_servers_make_of_random_bytes_does_not_pass() -> None:
    """Of two thousand tokens of 24 random bytes and more, as servers spell them, less than one in 200 passes."""
    chance = random.Random(4711)
    made = [chance.randbytes(24 + number % 17) for number in range(1000)]
    texts = [f"it was {value.hex()} then" for value in made]
    texts += [f"it was {b64encode(value, b'-_').decode().rstrip('=')} then" for value in made]
    assert sum(not seen_in(text) for text in texts) <= 10
