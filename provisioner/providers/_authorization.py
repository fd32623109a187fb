"""Asking a person in a browser: RFC 6749 section 4.1, PKCE (RFC 7636), the issuer in the answer (RFC 9207)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
from collections.abc import Sequence
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

from provisioner.errors import ProviderFailed, StepRefused
from provisioner.providers._refusals import printable
from provisioner.providers._urls import Field
from provisioner.providers.base import AuthorizationRequest
from provisioner.secret import Secret

OUT_OF_BAND = "urn:ietf:wg:oauth:2.0:oob"

_CODE = re.compile(r"[\x21-\x7e]+")
_ERROR = re.compile(r"[a-z_]{1,40}")


def new_verifier() -> Secret:
    """64 characters, fresh for each attempt (RFC 7636 section 4.1)."""
    return Secret(secrets.token_urlsafe(48))


def challenge(verifier: Secret) -> str:
    """S256: base64url without padding of the SHA-256 (RFC 7636 section 4.2)."""
    digest = hashlib.sha256(verifier.reveal().encode("ascii")).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def authorization_request(
    authorize_url: str,
    client_id: str,
    redirect_uri: str,
    scopes: Sequence[str],
    *,
    pkce: bool,
    extra: Sequence[Field] = (),
) -> AuthorizationRequest:
    """The URL to open, with a fresh `state`. `scope` is never the last parameter: TextMaster's sign-in damages the
    last one. Parameters that the endpoint's URL has already are kept (RFC 6749 section 3.1)."""
    state = secrets.token_urlsafe(32)
    verifier = new_verifier() if pkce else None
    query: list[tuple[str, str]] = [("response_type", "code"), ("client_id", client_id), ("redirect_uri", redirect_uri)]
    if scopes:
        query.append(("scope", " ".join(scopes)))
    query.extend((name, str(value)) for name, value in extra)
    if verifier is not None:
        query += [("code_challenge", challenge(verifier)), ("code_challenge_method", "S256")]
    query.append(("state", state))
    parts = urlsplit(authorize_url)
    encoded = urlencode(query, quote_via=quote, safe="")
    url = urlunsplit(parts._replace(query=f"{parts.query}&{encoded}" if parts.query else encoded))
    return AuthorizationRequest(url=url, state=state, redirect_uri=redirect_uri, verifier=verifier)


def read_callback(
    request: AuthorizationRequest, answer: str, provider: str, *, issuer: str | None = None, iss_announced: bool = False
) -> Secret:
    """The code in a redirect's URL or query, or the code alone as an out-of-band page shows it.

    State and issuer are judged before anything else in the answer is believed. Raises ProviderFailed ("denied",
    "issuer-mismatch", "bad-answer") and StepRefused with the `oauth_error`.
    """
    text = answer.strip()
    if request.redirect_uri == OUT_OF_BAND and "code=" not in text and "error=" not in text:
        return _code(text, provider)
    query = _parameters(text, provider)
    if not hmac.compare_digest(query.get("state", "").encode(), request.state.encode()):
        raise _unusable(provider, "its state is not the one that was sent, so it may be somebody else's")
    named = query.get("iss")
    if named is not None and issuer is not None and named != issuer:
        raise _misdirected(f"{provider}: the authorization answer comes from another issuer than {issuer}")
    if named is None and iss_announced and "error" not in query:  # an error holds nothing that could be stolen
        raise _misdirected(f"{provider}: the authorization answer does not say that it comes from {issuer}")
    if "error" in query:
        raise _refused(query, provider)
    return _code(query.get("code", ""), provider)


def _parameters(text: str, provider: str) -> dict[str, str]:
    try:
        query = urlsplit(text).query if "://" in text or text.startswith("/") else text.lstrip("?")
        query.encode()  # half a character cannot have been sent
        pairs = parse_qsl(query, keep_blank_values=True, max_num_fields=50, errors="strict")
    except ValueError:  # it quotes the query, code included, so it must not become another error's context
        pairs = []
    found = dict(pairs)
    if len(found) != len(pairs):
        # RFC 6749 section 3.1: once at most. Two codes or two states are an attempt to have us pick one.
        raise _unusable(provider, "a parameter stands in it twice")
    return found


def _misdirected(what: str) -> ProviderFailed:
    return ProviderFailed(
        "issuer-mismatch",
        what,
        "The code was thrown away (RFC 9207). Start again, and check which server the browser was sent to.",
    )


def _refused(query: dict[str, str], provider: str) -> ProviderFailed | StepRefused:
    if query["error"] == "access_denied":
        return ProviderFailed(
            "denied",
            f"{provider}: the authorization was denied",
            "Nothing was issued. Run `provisioner authorize` again when the person agrees.",
        )
    error = query["error"] if _ERROR.fullmatch(query["error"]) else None
    said = printable(query.get("error_description"))
    return StepRefused(
        "refused",
        f"{provider} refused the authorization: {error or 'an error that cannot be shown'}",
        f"{'The server says: ' + said + ' ' if said else ''}Check client_id, redirect_uri and scopes.",
        oauth_error=error,
    )


def _code(text: str, provider: str) -> Secret:
    if not _CODE.fullmatch(text):
        raise _unusable(provider, "there is no code in it")
    return Secret(text)


def _unusable(provider: str, why: str) -> ProviderFailed:
    return ProviderFailed(
        "bad-answer",
        f"{provider}: the authorization answer was not used: {why}",
        "Nothing was issued. Run `provisioner authorize` again and finish in the browser window that it opens.",
    )
