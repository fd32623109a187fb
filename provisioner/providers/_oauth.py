"""The token endpoint (RFC 6749 section 3.2), as every OAuth vendor here asks it.

Beside it, a file for each RFC: `_client_auth` and `_jwk` (who asks), `_grants` and `_refusals` (what was answered),
`_authorization` (6749 section 4.1, 7636, 9207), `_device` (8628), `_revocation` (7009), `_introspection` (7662),
`_metadata` (8414), `_registration` (7591, 7592).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from provisioner import times
from provisioner.net.answers import Answer
from provisioner.providers._client_auth import Authentication, authenticate, held_by, secrets_of
from provisioner.providers._grants import parse_grant
from provisioner.providers._refusals import error_member, refusal, refuses
from provisioner.providers._urls import JSON_ONLY, Endpoint, Field, json_object
from provisioner.providers.base import ClientCredentials, Grant, TokenWish
from provisioner.secret import Secret

_Form = tuple[Field, ...] | Callable[[], tuple[Field, ...]]


def send(
    at: Endpoint,
    credentials: ClientCredentials,
    fields: Sequence[Field],
    *,
    audience: str | None = None,
    repeatable: bool = False,
) -> Answer:
    """One authenticated, form-encoded POST that changes something; the answer is a complete 2xx or 4xx.

    Raises what `Session.change` raises, and ProviderFailed where the credentials lack what their method needs.
    """
    who = authenticate(credentials, audience or at.url, times.now())

    def once(form: _Form) -> Answer:
        return at.session.change("POST", at.url, headers=JSON_ONLY, basic=who.basic, form=form, repeatable=repeatable)

    if who.once:
        return once(_signed(at, credentials, fields, audience))
    return _named(once, credentials, who, (*fields, *who.fields))


def ask(
    at: Endpoint, credentials: ClientCredentials, fields: Sequence[Field], *, audience: str | None = None
) -> Answer:
    """The same as a read: an authenticated POST that changes nothing (introspection, a device code)."""
    who = authenticate(credentials, audience or at.url, times.now())

    def once(form: _Form) -> Answer:
        return at.session.read("POST", at.url, headers=JSON_ONLY, basic=who.basic, form=form)

    if who.once:
        return once(_signed(at, credentials, fields, audience))
    return _named(once, credentials, who, (*fields, *who.fields))


def _signed(
    at: Endpoint, credentials: ClientCredentials, fields: Sequence[Field], audience: str | None
) -> Callable[[], tuple[Field, ...]]:
    """A form whose assertion is made for each attempt: one that waited for its turn has ended (after 60 s), and servers
    take none twice (RFC 7523 section 3, `jti`)."""
    return lambda: (*fields, *authenticate(credentials, audience or at.url, times.now()).fields)


def _named(
    once: Callable[[_Form], Answer],
    credentials: ClientCredentials,
    who: Authentication,
    form: tuple[Field, ...],
) -> Answer:
    """Beside Basic credentials no `client_id` is sent, because some servers take it for a second method. Others look
    for it in the body all the same (the MCP SDK's) and say so: then, after that definite no, it goes along. Not after
    `invalid_grant`, which says that the client is known: a code or a refresh token must not come twice."""
    answer = once(form)
    told = who.basic is not None and credentials.client_id is not None and "client_id" not in dict(form)
    if not told or not refuses(answer) or error_member(answer) == "invalid_grant":
        return answer
    if "client_id" not in str((json_object(answer) or {}).get("error_description")):
        return answer
    return once((*form, ("client_id", str(credentials.client_id))))


def request_token(
    at: Endpoint,
    credentials: ClientCredentials,
    fields: Sequence[Field],
    *,
    audience: str | None = None,
    silence_is_forever: bool = False,
    nameless: str | None = None,
) -> Grant:
    """Sends one token request, once. `nameless`: see `refusal`.

    Raises InDoubt, CredentialsRefused, StepRefused (with its `oauth_error`), RateLimited, Unreachable."""
    answer = send(at, credentials, fields, audience=audience)
    if refuses(answer):
        sent = secrets_of(credentials, fields)
        held = held_by(credentials)
        raise refusal(answer, at.provider, "a token request", sent, held=held, nameless=nameless)
    return parse_grant(answer, at.provider, silence_is_forever=silence_is_forever)


def client_credentials_fields(wish: TokenWish) -> tuple[Field, ...]:
    """RFC 6749 section 4.4.2, with RFC 8707's repeated `resource`."""
    return (("grant_type", "client_credentials"), *scope_field(wish.scopes), *target_fields(wish))


def refresh_fields(refresh: Secret, wish: TokenWish) -> tuple[Field, ...]:
    """RFC 6749 section 6. No `scope`: asking for what was granted is what leaving it out means, and asking for more
    than that is refused."""
    return (("grant_type", "refresh_token"), ("refresh_token", refresh), *target_fields(wish))


def code_fields(code: Secret, redirect_uri: str, verifier: Secret | None, wish: TokenWish) -> tuple[Field, ...]:
    """RFC 6749 section 4.1.3 and RFC 7636 section 4.5."""
    proof: tuple[Field, ...] = (("code_verifier", verifier),) if verifier is not None else ()
    return (
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", redirect_uri),
        *proof,
        *target_fields(wish),
    )


def scope_field(scopes: Sequence[str]) -> tuple[Field, ...]:
    return (("scope", " ".join(scopes)),) if scopes else ()


def target_fields(wish: TokenWish) -> tuple[Field, ...]:
    """Whom the token is for: RFC 8707 section 2 repeats `resource`; `audience` is what older servers take instead."""
    return (
        *(("resource", resource) for resource in wish.resource),
        *((("audience", wish.audience),) if wish.audience else ()),
    )
