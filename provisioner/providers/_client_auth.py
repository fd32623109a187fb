"""How a client says who it is: RFC 6749 section 2.3, RFC 7523 section 2.2. One method a request, never two."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from urllib.parse import quote

from provisioner.errors import ProviderFailed
from provisioner.providers._urls import Field
from provisioner.providers.base import ClientCredentials
from provisioner.records import dataclass, replace
from provisioner.secret import Secret

BASIC, POST, NONE, JWT = "client_secret_basic", "client_secret_post", "none", "private_key_jwt"
METHODS = (BASIC, POST, NONE, JWT)

_ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Authentication:
    """What one request carries: either `basic` or `fields` of the form, never both. `once`: the fields are signed for
    one attempt at one moment (RFC 7523 section 3)."""

    basic: tuple[str, Secret] | None = None
    fields: tuple[Field, ...] = ()
    once: bool = False


def authenticate(credentials: ClientCredentials, audience: str, now: datetime) -> Authentication:
    """The one client authentication of a request, by `credentials.auth_method`, else by what the credentials hold.

    `audience` is who a signed assertion is for: the issuer, or the token endpoint's URL (RFC 7523 section 3).
    Raises ProviderFailed where the credentials lack what the method needs.
    """
    if credentials.client_id is None:
        raise _lacks("client_id", "any request to an OAuth endpoint")
    method = credentials.auth_method or default_method(credentials)
    client = ("client_id", credentials.client_id)
    if method == NONE:
        return Authentication(fields=(client,))
    if method == JWT:
        if credentials.private_key is None:
            raise _lacks("private_key", JWT)
        from provisioner.providers._jwk import client_assertion

        assertion = client_assertion(credentials.private_key, credentials.client_id, audience, now)
        return Authentication(
            fields=(client, ("client_assertion_type", _ASSERTION_TYPE), ("client_assertion", assertion)), once=True
        )
    if credentials.client_secret is None:
        raise _lacks("client_secret", method)
    if method == POST:
        return Authentication(fields=(client, ("client_secret", credentials.client_secret)))
    # RFC 6749 section 2.3.1: form-encoded before base64. A raw `+`, `%` or `:` is refused by servers that decode.
    secret = Secret(quote(credentials.client_secret.reveal(), safe=""))
    return Authentication(basic=(quote(credentials.client_id, safe=""), secret))


def default_method(credentials: ClientCredentials) -> str:
    """What the credentials themselves suggest: a key, a secret, or a public client."""
    if credentials.private_key is not None:
        return JWT
    return BASIC if credentials.client_secret is not None else NONE


def settle_method(credentials: ClientCredentials, supported: Iterable[str] | None) -> ClientCredentials:
    """The credentials with a method that the server announces (RFC 8414: none announced means client_secret_basic).
    A declared method stands, whatever is announced: the server's no is clearer than ours."""
    if credentials.auth_method is not None:
        return credentials
    method = default_method(credentials)
    announced = tuple(supported or (BASIC,))
    if method == BASIC and BASIC not in announced and POST in announced:
        method = POST
    return replace(credentials, auth_method=method)


def method_at(credentials: ClientCredentials, announced: Sequence[str] | None) -> ClientCredentials:
    """The same client at an endpoint that announces methods of its own (RFC 8414 section 2, revocation and
    introspection). A method that is not among them gives way to one that the same secret can be sent by."""
    if announced is None or credentials.auth_method in announced or credentials.client_secret is None:
        return credentials
    return next((replace(credentials, auth_method=m) for m in (BASIC, POST) if m in announced), credentials)


def held_by(credentials: ClientCredentials) -> str:
    """What the declaration calls the secret that the client proves itself by."""
    method = credentials.auth_method or default_method(credentials)
    return "private_key" if method == JWT else "client_secret"


def secrets_of(credentials: ClientCredentials, fields: Iterable[Field] = ()) -> tuple[Secret, ...]:
    """Everything in a request that an error message must not repeat."""
    held = (credentials.client_secret, credentials.private_key, *(value for _, value in fields))
    return tuple(value for value in held if isinstance(value, Secret))


def _lacks(what: str, method: str) -> ProviderFailed:
    return ProviderFailed(
        "secret-unavailable",
        f"the application has no {what}, which {method} needs",
        f"Declare `{what}` for the application, or another token_endpoint_auth_method.",
    )
