"""private_key_jwt, the server's side (RFC 7523 section 3, OpenID Connect Core section 9)."""

from __future__ import annotations

import base64
import json
from typing import Any

from provisioner.sandbox.desk import Desk
from provisioner.sandbox.oauth2_errors import error
from provisioner.sandbox.wire import Refusal, Request

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ALGORITHMS = ("RS256", "PS256", "ES256", "EdDSA")
MAX_LIFE = 3600  # seconds: an assertion that lives longer is refused, as strict servers do


def check_assertion(desk: Desk, request: Request, client: str, body: dict[str, Any], assertion: str) -> None:
    """Signature, issuer, subject, audience, times and single use. Raises Refusal `invalid_client`."""
    try:
        head, claims, signed, signature = _parse(assertion)
    except (ValueError, RecursionError):
        raise _refused("the assertion is not a JWT") from None
    if claims.get("iss") != client or claims.get("sub") != client:
        raise _refused("iss and sub must be the client_id")
    audience = claims.get("aud")
    accepted = {request.base, f"{request.base}/token"}
    if not accepted & set(audience if isinstance(audience, list) else [audience]):
        raise _refused("aud must be the issuer or the token endpoint")
    ends = claims.get("exp")
    if not isinstance(ends, int | float) or not desk.now < ends <= desk.now + MAX_LIFE:
        raise _refused("exp is missing, past or too far away")
    if not any(_verifies(key, head, signed, signature) for key in body["jwks"].get("keys", [])):
        raise _refused("no registered key verifies the signature")
    jti = claims.get("jti")
    if not isinstance(jti, str) or desk.grant("jti", f"{client} {jti}"):
        raise _refused("jti is missing or was used before")
    desk.put_grant("jti", f"{client} {jti}", {}, ends - desk.now)


def _refused(text: str) -> Refusal:
    return error(401, "invalid_client", text)


def _parse(assertion: str) -> tuple[dict[str, Any], dict[str, Any], bytes, bytes]:
    parts = assertion.split(".")
    if len(parts) != 3:
        raise ValueError("a JWT has three parts")
    head, claims = (json.loads(_decode(part)) for part in parts[:2])
    if not isinstance(head, dict) or not isinstance(claims, dict):
        raise ValueError("a JWT carries objects")  # noqa: TRY004 - the caller tells one kind of malformed from none
    return head, claims, ".".join(parts[:2]).encode(), _decode(parts[2])


def _decode(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)


def _number(text: str) -> int:
    return int.from_bytes(_decode(text))


def _verifies(key: dict[str, Any], head: dict[str, Any], signed: bytes, signature: bytes) -> bool:
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm

    if "kid" in head and key.get("kid", head["kid"]) != head["kid"]:
        return False
    try:
        _verify(key, str(head.get("alg")), signed, signature)
    except (InvalidSignature, UnsupportedAlgorithm, ValueError, KeyError, TypeError):
        return False
    return True


def _verify(key: dict[str, Any], algorithm: str, signed: bytes, signature: bytes) -> None:
    """Raises where the signature or the key does not fit; `none` and HMAC fit no key."""
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
    from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

    sha = hashes.SHA256()
    if algorithm in ("RS256", "PS256") and key["kty"] == "RSA":
        public = rsa.RSAPublicNumbers(_number(key["e"]), _number(key["n"])).public_key()
        pss = padding.PSS(padding.MGF1(sha), sha.digest_size)
        public.verify(signature, signed, pss if algorithm == "PS256" else padding.PKCS1v15(), sha)
    elif algorithm == "ES256" and key["kty"] == "EC" and key["crv"] == "P-256" and len(signature) == 64:
        curve = ec.EllipticCurvePublicNumbers(_number(key["x"]), _number(key["y"]), ec.SECP256R1()).public_key()
        halves = int.from_bytes(signature[:32]), int.from_bytes(signature[32:])
        curve.verify(encode_dss_signature(*halves), signed, ec.ECDSA(sha))
    elif algorithm == "EdDSA" and key["kty"] == "OKP" and key["crv"] == "Ed25519":
        ed25519.Ed25519PublicKey.from_public_bytes(_decode(key["x"])).verify(signature, signed)
    else:
        raise ValueError("the algorithm does not fit the key")
