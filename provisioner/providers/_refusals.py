"""What a definite no of an OAuth endpoint means (RFC 6749 section 5.2), said without repeating a secret.

Real servers answer an empty body, XML (TEXTKING) or an HTML page where the RFC asks for JSON, and some echo what they
were sent.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import quote, quote_plus

from provisioner.errors import CredentialsRefused, ProvisionerError, StepRefused
from provisioner.net.answers import Answer
from provisioner.providers._urls import json_object
from provisioner.secret import Secret, named

# With these a 401 says something about the request and not about the client. Keycloak answers 401
# `unauthorized_client` to a wrong secret, so that one is not among them.
_NOT_ABOUT_THE_CLIENT = {"invalid_grant", "invalid_scope", "unsupported_grant_type", "access_denied", "invalid_target"}

_ADVICE = {
    "invalid_grant": "Authorize the application again: provisioner authorize APPLICATION.",
    "invalid_scope": "Declare only scopes that the server has granted to this client.",
    "unauthorized_client": "Allow this grant for the client at the server, or declare another `grant`.",
    "unsupported_grant_type": "The server does not know this grant; declare another `grant`.",
    "invalid_target": "The server does not know a `resource` or `audience` that is declared (RFC 8707).",
    "invalid_redirect_uri": "Declare a `redirect_uri` that the server accepts.",
}

# Registered words (RFC 6749, 7009, 7591, 8628, 8707): what they mean must not depend on whether some short secret is a
# part of them.
_REGISTERED = frozenset({
    "invalid_request", "invalid_client", "invalid_grant", "unauthorized_client", "unsupported_grant_type",
    "invalid_scope", "access_denied", "unsupported_token_type", "invalid_token", "insufficient_scope",
    "invalid_redirect_uri", "invalid_client_metadata", "invalid_software_statement",
    "unapproved_software_statement", "authorization_pending", "slow_down", "expired_token", "invalid_target",
})  # fmt: skip

# GitHub answers its errors with 200 and has words of its own ("Troubleshooting OAuth app access token request errors"
# in its documentation); what RFC 6749 section 5.2 calls them.
_GITHUB = {
    "incorrect_client_credentials": "invalid_client",
    "bad_verification_code": "invalid_grant",
    "bad_refresh_token": "invalid_grant",
    "redirect_uri_mismatch": "invalid_grant",
    "incorrect_device_code": "invalid_grant",
    "device_flow_disabled": "unauthorized_client",
}

_WORD = re.compile(r"[a-z_]+")
_CODE = re.compile(r"[A-Za-z0-9_.:/-]{1,64}")
_UNPRINTABLE = re.compile(r"[^\x20-\x7e]+")
_TOKEN_LIKE = re.compile(r"(?=[^\s'\"<>,;()]*[0-9A-Z])[^\s'\"<>,;()]{16,}")


def printable(text: object, sent: Iterable[Secret] = ()) -> str | None:
    """A server's sentence, fit to be shown: one line of at most 200 ASCII characters. None where it is no text or
    repeats a secret that was sent; anything in it that looks like a token is cut out, because it may be one."""
    if not isinstance(text, str):
        return None
    for secret in sent:
        value = secret.reveal()
        if value and any(form in text for form in (value, quote(value, safe=""), quote_plus(value))):
            return None
    line = _TOKEN_LIKE.sub("...", _UNPRINTABLE.sub(" ", text)).strip()
    return line[:200] or None


def error_member(answer: Answer, sent: Iterable[Secret] = ()) -> str | None:
    """The `error` code of an error body, where there is one that can be shown (RFC 6749 section 5.2)."""
    body = json_object(answer)
    if body is None:  # XML, a page: only a registered word is taken from it
        words = _WORD.findall(answer.body[:4000].decode("ascii", "replace"))
        return next((word for word in words if word in _REGISTERED), None)
    error = body.get("error")
    if isinstance(error, str) and (error in _REGISTERED or error in _GITHUB):
        return _GITHUB.get(error, error)
    if not isinstance(error, str) or not _CODE.fullmatch(error):
        return None
    return error if printable(error, (*sent, *answer.sent)) == error else None


def refuses(answer: Answer) -> bool:
    """A definite no to a token request: any 4xx, and a 2xx that is a known error and holds no token. Of a word that
    nobody registered a 2xx makes no failure."""
    if answer.status >= 400:
        return True
    body = json_object(answer) or {}
    if body.get("access_token") or body.get("refresh_token"):
        return False
    error = body.get("error")
    return isinstance(error, str) and (error in _REGISTERED or error in _GITHUB)


def refusal(
    answer: Answer,
    provider: str,
    doing: str,
    sent: Iterable[Secret] = (),
    *,
    held: str = "client_secret",
    nameless: str | None = None,
) -> ProvisionerError:
    """The error for a complete 4xx answer. `doing` continues "PROVIDER refused ...". `sent` are the request's secrets,
    `held` is what the declaration calls the one that says who asks, `nameless` what a 400 or 403 means where the body
    names no error. A sentence that repeats any secret of the request (`Answer.sent`) is not quoted.

    `CredentialsRefused` for a refused client, else `StepRefused` with the `oauth_error`, by status alone where the body
    says nothing.
    """
    sent = tuple(sent)
    error = error_member(answer, sent) or (nameless if answer.status in (400, 403) else None)
    said = printable((json_object(answer) or {}).get("error_description"), (*sent, *answer.sent))
    what = f"{provider} refused {doing}: {error or f'status {answer.status}'}"
    quoted = f"The server says: {said.rstrip('. ')}. " if said else ""
    if error == "invalid_client" or (answer.status == 401 and error not in _NOT_ABOUT_THE_CLIENT):
        who = named(held, next((secret for secret in sent if secret.source is not None), None))
        check = who if held == "initial_access_token" else f"client_id, {who} and token_endpoint_auth_method"
        clock = " And this machine's clock: what is signed with the key is good for a minute."
        advice = f"Check {check}.{clock if held == 'private_key' else ''}"
        return CredentialsRefused("credentials-refused", what, quoted + advice)
    name = "invalid-grant" if error == "invalid_grant" else "refused"
    advice = _ADVICE.get(error or "", "Nothing was changed. Check the declaration against what the server allows.")
    return StepRefused(name, what, quoted + advice, oauth_error=error)
