"""Signing as a client with a private key: RFC 7523 assertions, RFC 7517/7518 keys.

Imports cryptography inside its functions: only `private_key_jwt` needs it.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from provisioner.errors import ProviderFailed
from provisioner.secret import Secret

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

    Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey

LIFETIME_SECONDS = 60

# RFC 7518 section 3.4: curve → (name, algorithm, bytes of a coordinate)
_CURVES = {
    "secp256r1": ("P-256", "ES256", 32),
    "secp384r1": ("P-384", "ES384", 48),
    "secp521r1": ("P-521", "ES512", 66),
}


def client_assertion(private_key: Secret, client_id: str, audience: str, now: datetime) -> Secret:
    """A signed JWT that authenticates `client_id` at `audience` for 60 seconds (RFC 7523 section 3).

    RS256, ES256/384/512 or EdDSA, as the key is. Raises ProviderFailed where the key cannot be read.
    """
    key, key_id = _load(private_key)
    issued = int(now.timestamp())
    header = {"typ": "JWT", "alg": _algorithm(key)} | ({"kid": key_id} if key_id else {})
    claims = {
        "iss": client_id,
        "sub": client_id,
        "aud": audience,
        "jti": secrets.token_urlsafe(24),
        "iat": issued,
        "exp": issued + LIFETIME_SECONDS,
    }
    signed = f"{_encode_json(header)}.{_encode_json(claims)}"
    return Secret(f"{signed}.{_encode(_sign(key, signed.encode()))}")


def public_jwk(private_key: Secret) -> dict[str, Any]:
    """The public half, as it is registered in `jwks` (RFC 7591 section 2). Raises ProviderFailed."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec, rsa

    key, key_id = _load(private_key)
    found: dict[str, Any] = {"use": "sig", "alg": _algorithm(key)} | ({"kid": key_id} if key_id else {})
    if isinstance(key, rsa.RSAPrivateKey):
        public = key.public_key().public_numbers()
        return found | {"kty": "RSA", "n": _encode_number(public.n), "e": _encode_number(public.e)}
    if isinstance(key, ec.EllipticCurvePrivateKey):
        point = key.public_key().public_numbers()
        name, _, size = _CURVES[key.curve.name]
        return found | {
            "kty": "EC",
            "crv": name,
            "x": _encode(point.x.to_bytes(size, "big")),
            "y": _encode(point.y.to_bytes(size, "big")),
        }
    raw = key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    return found | {"kty": "OKP", "crv": "Ed25519", "x": _encode(raw)}


_REQUIRED = {"RSA": ("e", "n"), "EC": ("crv", "x", "y"), "OKP": ("crv", "x")}


def thumbprint(jwk: Mapping[str, Any]) -> str:
    """Which key it is, whatever file holds it (RFC 7638 section 3). `jwk` is a public half, as `public_jwk` makes."""
    members = {name: jwk[name] for name in ("kty", *_REQUIRED[jwk["kty"]])}
    canonical = json.dumps(members, sort_keys=True, separators=(",", ":"))
    return _encode(hashlib.sha256(canonical.encode()).digest())


def _load(private_key: Secret) -> tuple[Key, str | None]:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

    text = private_key.reveal().strip()
    try:
        if text.startswith("{"):
            jwk = json.loads(text)
            key: Any = _from_jwk(jwk)
            key_id = jwk.get("kid")
        else:
            key, key_id = serialization.load_pem_private_key(text.encode(), password=None), None
    except Exception:  # noqa: BLE001  # whatever a library says about a private key may quote it,
        key, key_id = None, None  # so nothing is raised in here that would carry it as its context
    if key is None:
        raise _unusable("cannot be read")
    if isinstance(key, rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey):
        return key, key_id
    if isinstance(key, ec.EllipticCurvePrivateKey) and key.curve.name in _CURVES:
        return key, key_id
    raise _unusable("is of a kind that has no signature algorithm here")


def _unusable(problem: str) -> ProviderFailed:
    return ProviderFailed(
        "secret-unavailable",
        f"the application's private_key {problem}",
        "Give an unencrypted PEM file or a JWK holding an RSA, EC (P-256, P-384, P-521) or Ed25519 private key.",
    )


def _from_jwk(jwk: dict[str, str]) -> Any:
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

    if jwk["kty"] == "OKP" and jwk["crv"] == "Ed25519":
        return ed25519.Ed25519PrivateKey.from_private_bytes(_decode(jwk["d"]))
    if jwk["kty"] == "EC":
        curves = {"P-256": ec.SECP256R1(), "P-384": ec.SECP384R1(), "P-521": ec.SECP521R1()}
        return ec.derive_private_key(_decode_number(jwk["d"]), curves[jwk["crv"]])
    n, e, d = (_decode_number(jwk[name]) for name in ("n", "e", "d"))
    p, q = (
        (_decode_number(jwk["p"]), _decode_number(jwk["q"])) if "p" in jwk else rsa.rsa_recover_prime_factors(n, e, d)
    )
    return rsa.RSAPrivateNumbers(
        p, q, d, rsa.rsa_crt_dmp1(d, p), rsa.rsa_crt_dmq1(d, q), rsa.rsa_crt_iqmp(p, q), rsa.RSAPublicNumbers(e, n)
    ).private_key()


def _algorithm(key: Key) -> str:
    from cryptography.hazmat.primitives.asymmetric import ec, rsa

    if isinstance(key, rsa.RSAPrivateKey):
        return "RS256"
    return _CURVES[key.curve.name][1] if isinstance(key, ec.EllipticCurvePrivateKey) else "EdDSA"


def _sign(key: Key, data: bytes) -> bytes:
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils

    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(data, padding.PKCS1v15(), hashes.SHA256())
    if isinstance(key, ec.EllipticCurvePrivateKey):
        digest = {32: hashes.SHA256(), 48: hashes.SHA384(), 66: hashes.SHA512()}
        size = _CURVES[key.curve.name][2]
        # RFC 7518 section 3.4 wants r and s side by side, not the DER that libraries make
        r, s = utils.decode_dss_signature(key.sign(data, ec.ECDSA(digest[size])))
        return r.to_bytes(size, "big") + s.to_bytes(size, "big")
    return key.sign(data)


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _encode_json(value: dict[str, Any]) -> str:
    return _encode(json.dumps(value, separators=(",", ":")).encode())


def _encode_number(value: int) -> str:
    return _encode(value.to_bytes((value.bit_length() + 7) // 8, "big"))


def _decode(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)


def _decode_number(text: str) -> int:
    return int.from_bytes(_decode(text), "big")
