"""The OAuth server's authorization page and token endpoint: client credentials, code with PKCE, rotating refresh."""

from __future__ import annotations

import secrets
from typing import Any
from urllib.parse import urlsplit

from provisioner.sandbox import consent, pages
from provisioner.sandbox import oauth2_clients as clients
from provisioner.sandbox import oauth2_device as device
from provisioner.sandbox.accounts import OUT_OF_BAND
from provisioner.sandbox.desk import Desk, Token
from provisioner.sandbox.oauth2_errors import error
from provisioner.sandbox.oauth2_scopes import granted
from provisioner.sandbox.pkce import CHALLENGE, proves
from provisioner.sandbox.wire import Malformed, Refusal, Request, Response, is_loopback_redirect, json_response

REFRESH_LIFE = 30 * 86400


# -- the authorization endpoint --------------------------------------------------------------------------------------


def page(desk: Desk, request: Request) -> Response:
    """RFC 6749 section 4.1.1. Faults go to a page until the redirect URI is trusted, and then by redirect."""
    try:
        given = request.parameters()
    except Malformed as fault:
        return pages.message("This cannot be authorized", str(fault), 400)
    body = desk.client(given.get("client_id", ""))
    if body is None:
        return pages.message("This cannot be authorized", "The client is not known.", 400)
    if not _registered(body, given.get("redirect_uri", "")):
        return pages.message("This cannot be authorized", "The redirect URI is not registered.", 400)
    kept = ("client_id", "redirect_uri", "state", "code_challenge")
    asked: dict[str, Any] = {name: given[name] for name in kept if name in given}
    try:
        _check_authorization(body, given)
        asked["asked"] = given.get("scope", "")
        asked["scope"] = granted(desk, body, given.get("scope", ""))
    except Refusal as refusal:
        if given["redirect_uri"] == OUT_OF_BAND:
            return pages.message("This cannot be authorized", f"The request was refused: {refusal.outcome}.", 400)
        return consent.back(asked, {"error": refusal.outcome, "iss": request.base})
    name = str(body.get("client_name") or given["client_id"])
    return consent.ask(desk, request, title=device.TITLE, client_name=name, scopes=asked["scope"].split(), asked=asked)


def decide(desk: Desk, request: Request) -> Response:
    """RFC 9207: every redirect names its issuer."""
    code = f"code_{secrets.token_urlsafe(24)}"
    return consent.decide(desk, request, title=device.TITLE, new_code=lambda: code, extra={"iss": request.base})


def _registered(body: dict[str, Any], uri: str) -> bool:
    """Exact, save the port of a loopback address (RFC 8252 section 7.3, RFC 9700 section 4.1.3)."""
    if uri in body.get("redirect_uris", []):
        return True
    if not is_loopback_redirect(uri):
        return False
    return bool(body.get("any_loopback")) or any(
        is_loopback_redirect(known) and _portless(known) == _portless(uri) for known in body.get("redirect_uris", [])
    )


def _portless(uri: str) -> tuple[str | None, str, str]:
    parts = urlsplit(uri)
    return parts.hostname, parts.path, parts.query


def _check_authorization(body: dict[str, Any], given: dict[str, str]) -> None:
    if given.get("response_type") != "code":
        raise error(400, "unsupported_response_type", "response_type must be code")
    if "authorization_code" not in body["grant_types"]:
        raise error(400, "unauthorized_client", "the client did not register this grant")
    challenge = given.get("code_challenge")
    if challenge is None:
        if body[clients.METHOD] == clients.PUBLIC or "code_challenge_method" in given:
            raise error(400, "invalid_request", "public clients must use PKCE (RFC 9700 section 2.1.1)")
    elif given.get("code_challenge_method") != "S256" or not CHALLENGE.fullmatch(challenge):
        raise error(400, "invalid_request", "code_challenge_method must be S256")


# -- the token endpoint ----------------------------------------------------------------------------------------------


def token(desk: Desk, request: Request) -> Response:
    form = clients.form_of(request)
    client, body = clients.authenticate(desk, request, form)
    grant = form.get("grant_type")
    if not grant:
        raise error(400, "invalid_request", "grant_type is missing")
    if grant not in clients.GRANTS:
        raise error(400, "unsupported_grant_type", "the server does not know this grant")
    with_refresh = grant == "refresh_token" and {"authorization_code", device.GRANT} & set(body["grant_types"])
    if grant not in body["grant_types"] and not with_refresh:
        raise error(400, "unauthorized_client", "the client did not register this grant")
    if grant == "client_credentials":
        return _client_credentials(desk, client, body, form)
    if grant == "authorization_code":
        return _code(desk, client, form)
    if grant == "refresh_token":
        return _refresh(desk, client, form)
    asked = device.redeem(desk, client, form)
    return pair(desk, client, scope=asked["scope"], asked=asked["asked"])


def _client_credentials(desk: Desk, client: str, body: dict[str, Any], form: dict[str, str]) -> Response:
    """RFC 6749 section 4.4: no refresh token comes back."""
    if body[clients.METHOD] == clients.PUBLIC:
        raise error(400, "unauthorized_client", "client_credentials needs a confidential client")
    asked = form.get("scope", "")
    return pair(desk, client, scope=granted(desk, body, asked), asked=asked, with_refresh=False)


def _code(desk: Desk, client: str, form: dict[str, str]) -> Response:
    """RFC 6749 section 4.1.3. A code that comes twice ends what the first use made (section 4.1.2)."""
    value = form.get("code", "")
    found = desk.grant("code", value)
    if found is None or found[0]["client_id"] != client:
        raise error(400, "invalid_grant", "the code is unknown")
    asked, used, expired = found
    if used:
        desk.kill(*desk.family(asked["family"]))
        raise error(400, "invalid_grant", "the code was used before")
    if expired or form.get("redirect_uri") != asked["redirect_uri"]:
        raise error(400, "invalid_grant", "the code has expired or belongs to another redirect URI")
    if not proves(asked, form.get("code_verifier")):
        raise error(400, "invalid_grant", "the code verifier does not fit")
    family = secrets.token_hex(8)
    desk.set_grant(value, {**asked, "family": family})
    desk.use_grant(value)
    return pair(desk, client, scope=asked["scope"], asked=asked["asked"], family=family)


def _refresh(desk: Desk, client: str, form: dict[str, str]) -> Response:
    """RFC 6749 section 6 with rotation; a replayed token ends its family (RFC 9700 section 4.14.2)."""
    old = desk.by_refresh(form.get("refresh_token", ""))
    if old is None or old.client != client:
        raise error(400, "invalid_grant", "the refresh token is unknown")
    if not old.refresh_lives(desk.now):
        if old.refresh_killed is not None and desk.switch("refresh_replay") == "kills":
            desk.kill(*desk.family(old.family))
        raise error(400, "invalid_grant", "the refresh token was used, was revoked or has expired")
    scope = form.get("scope", old.scope)
    if set(scope.split()) - set(old.scope.split()):
        raise error(400, "invalid_scope", "a refresh cannot widen the scope")
    desk.kill(old)
    return pair(desk, client, scope=scope, asked=scope, parent=old)


def pair(
    desk: Desk, client: str, *, scope: str, asked: str, with_refresh: bool = True, parent: Token | None = None,
    family: str | None = None,
) -> Response:  # fmt: skip
    """A successful answer (RFC 6749 section 5.1): `scope` must be in it where it differs from what was asked."""
    access = f"at_{secrets.token_urlsafe(30)}"
    refresh = f"rt_{secrets.token_urlsafe(30)}" if with_refresh else None
    told = desk.switch("expires_in")
    life = 3600 if told == "absent" else int(told)
    desk.issue(
        access, refresh, client=client, scope=scope, access_life=life, parent=parent, family=family,
        refresh_ends=desk.now + REFRESH_LIFE if refresh else None,
    )  # fmt: skip
    desk.note(client=client, scopes=sorted(scope.split()))
    body: dict[str, Any] = {"access_token": access, "token_type": "Bearer"}
    body |= {"expires_in": life} if told != "absent" else {}
    body |= {"refresh_token": refresh} if refresh else {}
    unchanged = set(scope.split()) == set(asked.split())
    silent = desk.switch("unknown_scope") == "dropped" or (unchanged and desk.switch("scope_member") == "absent")
    return json_response(200, body if silent or not scope else body | {"scope": scope})
