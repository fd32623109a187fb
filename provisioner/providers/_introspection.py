"""Asking the server whether a token lives: RFC 7662."""

from __future__ import annotations

from datetime import UTC, datetime

from provisioner.errors import BadAnswer, CredentialsRefused
from provisioner.model.observed import ALIVE, DEAD, UNKNOWN, ObservedToken
from provisioner.net.answers import Answer
from provisioner.providers._client_auth import NONE, default_method, held_by, secrets_of
from provisioner.providers._grants import parse_scopes
from provisioner.providers._oauth import ask
from provisioner.providers._refusals import error_member, refusal
from provisioner.providers._urls import Endpoint, json_object
from provisioner.providers.base import ClientCredentials
from provisioner.secret import Secret

ACCESS, REFRESH = "access_token", "refresh_token"


class Unexplained(CredentialsRefused):
    """A 401 that names neither an error nor what it wants. A refused client is told `invalid_client` (section 2.3, RFC
    6749 section 5.2); IdentityServer says no more than this to a client that may not introspect."""


def introspect(
    at: Endpoint, credentials: ClientCredentials, token: Secret, hint: str = ACCESS, *, audience: str | None = None
) -> ObservedToken:
    """Whether `token` is active, with its scopes and end where the server tells them.

    UNKNOWN where the client may not ask (django-oauth-toolkit wants a scope for it). Raises CredentialsRefused, as
    `Unexplained` where the server gives no reason; BadAnswer on a 2xx without a boolean `active`. `active: false` is
    also what a server says of a token that this client may not see (section 2.2): whoever acts on DEAD must be the
    client that it was issued to.
    """
    fields = (("token", token), ("token_type_hint", hint))
    answer = ask(at, credentials, fields, audience=audience)
    if answer.status >= 400:
        sent = secrets_of(credentials, fields)
        no = refusal(answer, at.provider, "an introspection", sent, held=held_by(credentials))
        if isinstance(no, CredentialsRefused) and not _is_for_others(answer, credentials):
            raise Unexplained.of(list(no.diagnostics)) if _is_unexplained(answer) else no
        return ObservedToken(liveness=UNKNOWN, detail=f"{at.provider} does not let this client introspect")
    body = json_object(answer) or {}
    active = body.get("active")
    if answer.status != 200 or not isinstance(active, bool):
        raise BadAnswer(
            "bad-answer",
            f"{at.provider} answered an introspection with what is none (status {answer.status})",
            "Check introspection_url; an RFC 7662 answer has a boolean `active`.",
        )
    if not active:
        return ObservedToken(liveness=DEAD)
    return ObservedToken(liveness=ALIVE, scopes=_scopes(body.get("scope")), expires_at=_moment(body.get("exp")))


def _is_for_others(answer: Answer, credentials: ClientCredentials) -> bool:
    """Section 2.1 leaves open who may ask. Of a public client a 401 says that it may not, as it has nothing to prove;
    so does one that asks for a bearer token, as of a resource server, and names no `invalid_client`."""
    if (credentials.auth_method or default_method(credentials)) == NONE:
        return True
    challenge = answer.headers.get("www-authenticate", "").casefold()
    return "bearer" in challenge and "basic" not in challenge and error_member(answer) != "invalid_client"


def _is_unexplained(answer: Answer) -> bool:
    challenge = answer.headers.get("www-authenticate", "").casefold()
    return answer.status == 401 and "basic" not in challenge and error_member(answer) is None


def _scopes(value: object) -> tuple[str, ...] | None:
    try:
        return parse_scopes(value)
    except ValueError:
        return None


def _moment(value: object) -> datetime | None:
    try:
        return datetime.fromtimestamp(value, UTC) if isinstance(value, int) and not isinstance(value, bool) else None
    except (ValueError, OverflowError, OSError):
        return None
