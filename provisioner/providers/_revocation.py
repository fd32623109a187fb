"""Ending a token: RFC 7009. A 200 is not proof, so whoever calls this confirms it."""

from __future__ import annotations

from collections.abc import Callable

from provisioner.errors import BadAnswer, CredentialsRefused, InDoubt, Unreachable
from provisioner.model.observed import UNKNOWN, ObservedToken
from provisioner.providers._client_auth import NONE, default_method, held_by, secrets_of
from provisioner.providers._introspection import ACCESS, REFRESH
from provisioner.providers._oauth import send
from provisioner.providers._refusals import error_member, refusal, refuses
from provisioner.providers._urls import Endpoint
from provisioner.providers.base import ClientCredentials, Revoked
from provisioner.secret import Secret

_NO_ENDPOINT = (404, 405, 410)
_UNKNOWN_TOKEN = {"invalid_token", "invalid_grant", "token_not_found"}


def revoke_pair(
    at: Endpoint, credentials: ClientCredentials, access: Secret, refresh: Secret | None, *, audience: str | None = None
) -> Revoked:
    """Revokes both halves, the refresh token first: whatever survives an interruption can then not renew itself, and
    RFC 7009 section 2.1 ends the access token with it only where the server supports that.

    REVOKED is the server's word and unproven. Raises StepRefused, CredentialsRefused, InDoubt, Unreachable.
    """
    first = None if refresh is None else revoke_one(at, credentials, refresh, REFRESH, audience=audience)
    try:
        second = revoke_one(at, credentials, access, ACCESS, audience=audience)
    except Unreachable:
        if first is None:
            raise
        halfway = True
    else:
        halfway = False
    if halfway:
        raise unproven(at.provider, "its refresh token was revoked, and then the server could not be reached")
    outcomes = {second} if first is None else {first, second}
    for outcome in (Revoked.UNSUPPORTED, Revoked.REVOKED):
        if outcome in outcomes:
            return outcome
    return Revoked.ALREADY_DEAD


def liveness_after(provider: str, probe: Callable[[], ObservedToken]) -> str:
    """What a probe says after a revocation was sent. A server that does not let us ask leaves it UNKNOWN; one that
    gives no answer leaves the revocation in doubt, and not unsent, which `Unreachable` would say."""
    try:
        return probe().liveness
    except CredentialsRefused:
        return UNKNOWN
    except (Unreachable, BadAnswer):
        pass  # raised below, outside: the read's own error says that nothing was changed
    raise unproven(provider, "the revocation was answered, and then the server did not say whether the token lives")


def unproven(provider: str, what: str) -> InDoubt:
    return InDoubt("in-doubt", f"{provider}: {what}", "Run apply again: a revocation is harmless to repeat.")


def revoke_one(
    at: Endpoint, credentials: ClientCredentials, token: Secret, hint: str, *, audience: str | None = None
) -> Revoked:
    """One revocation. Harmless to repeat, and repeated after a 503: the token still exists then (section 2.2.1).

    UNSUPPORTED: no such endpoint, `unsupported_token_type`, or one that public clients may not use (Authlib's default,
    against section 2.1). ALREADY_DEAD: the server does not know the token, which
    the RFC lets it answer with 200 and some servers do not. A 200 that holds a registered error is a no: section 2.2
    has the body ignored, and a token that is thought dead and lives is the worse mistake.
    """
    fields = (("token", token), ("token_type_hint", hint))
    answer = send(at, credentials, fields, audience=audience, repeatable=True)
    if not refuses(answer):
        return Revoked.REVOKED
    sent = secrets_of(credentials, fields)
    error = error_member(answer, sent)
    if error == "unsupported_token_type" or (error is None and answer.status in _NO_ENDPOINT):
        return Revoked.UNSUPPORTED
    if error in _UNKNOWN_TOKEN and answer.status != 401:
        return Revoked.ALREADY_DEAD
    no = refusal(answer, at.provider, "a revocation", sent, held=held_by(credentials))
    if isinstance(no, CredentialsRefused) and (credentials.auth_method or default_method(credentials)) == NONE:
        return Revoked.UNSUPPORTED  # a public client has nothing to prove: it may not revoke here, whatever it says
    raise no
