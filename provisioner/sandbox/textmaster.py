"""TextMaster: an authorization-code server of Doorkeeper's kind, scopes, and a wallet (vendor sheet section 1)."""

from __future__ import annotations

import secrets
from typing import Any

from provisioner.sandbox import consent, pages
from provisioner.sandbox.accounts import ACCOUNTS, OUT_OF_BAND
from provisioner.sandbox.desk import Desk, Token, same
from provisioner.sandbox.multipart import token_parameters
from provisioner.sandbox.pkce import proves
from provisioner.sandbox.wire import Malformed, Refusal, Request, Response, is_loopback_redirect, json_response

ACCESS_LIFE = 28800  # published page: 8 hours
# section 1.6
SCOPES = (
    "public", "user:manage", "user:read", "user:write", "user:email", "glossary:manage", "glossary:read",
    "glossary:write", "project:manage", "project:read", "project:write", "project:launch", "project:quote",
    "discussion:manage", "discussion:read", "discussion:write", "transaction:manage", "transaction:read",
    "transaction:write", "preferred_author:manage", "preferred_author:read", "preferred_author:write",
)  # fmt: skip
GRANTS = {"authorization_code": "token.create", "refresh_token": "token.refresh"}
OPERATIONS = {
    ("GET", "/oauth/authorize"): "authorize.page",
    ("POST", "/oauth/authorize"): "authorize.decide",
    ("POST", "/oauth/revoke"): "token.revoke",
    ("GET", "/oauth/token/info"): "token.info",
    ("GET", "/v1/clients/users/me"): "user.read",
    ("GET", "/v1/clients/transactions"): "transactions.read",
    ("GET", "/ping"): "ping",
}
READS = frozenset({"authorize.page", "token.info", "user.read", "transactions.read", "ping", "unknown"})
# Doorkeeper's English locale (section 1.5)
TEXTS = {
    "invalid_client": "Client authentication failed due to unknown client, no client authentication included, or "
    "unsupported authentication method.",
    "invalid_grant": "The provided authorization grant is invalid, expired, revoked, does not match the redirection "
    "URI used in the authorization request, or was issued to another client.",
    "unsupported_grant_type": "The authorization grant type is not supported by the authorization server.",
    "unauthorized_client": "You are not authorized to revoke this token",
}


def seed(desk: Desk) -> None:
    desk.set_fact("wallet", 120.0)
    desk.set_fact("currency", "EUR")


def operation(request: Request) -> str:
    if (request.method, request.path) == ("POST", "/oauth/token"):
        try:
            return GRANTS.get(token_parameters(request).get("grant_type", ""), "token.unknown")
        except Malformed:
            return "token.unknown"
    return OPERATIONS.get((request.method, request.path), "unknown")


def answer(desk: Desk, request: Request, operation: str) -> Response:
    found = _ANSWERS.get(operation)
    if found is None or (operation in _SWITCHED and desk.switch(_SWITCHED[operation]) == "off"):
        raise Refusal("not-found", json_response(404, {"errors": {"base": ["Not found"]}}))
    response = found(desk, request)
    response.headers.append(("X-Request-Id", secrets.token_hex(16)))
    return response


def malformed(desk: Desk, text: str) -> Response:
    return json_response(400, {"error": "invalid_request", "error_description": text})


def refusal(status: int, error: str, **more: str) -> Refusal:
    return Refusal(error, json_response(status, {"error": error, "error_description": TEXTS.get(error, error), **more}))


# -- authorize -------------------------------------------------------------------------------------------------------


def _page(desk: Desk, request: Request) -> Response:
    """Every fault is a page with status 200 and no redirect (section 1.8): who listens for one needs a deadline."""
    try:
        given = request.parameters()
    except Malformed as fault:
        return pages.message("An error has occurred", str(fault))
    account = ACCOUNTS["textmaster"]
    scopes = given.get("scope", "").split() or ["public"]
    uri = given.get("redirect_uri", "")
    problem = (
        "Client authentication failed due to unknown client." if given.get("client_id") != account["client_id"]
        else "The redirect URI included is not valid." if uri != OUT_OF_BAND and not is_loopback_redirect(uri)
        else "The authorization server does not support this response type." if given.get("response_type") != "code"
        else "The requested scope is invalid, unknown, or malformed." if set(scopes) - set(SCOPES)
        else None
    )  # fmt: skip
    if problem:
        return pages.message("An error has occurred", problem)
    granted = ["public"] if desk.switch("granted_scope") == "public" else scopes
    kept = ("client_id", "redirect_uri", "state", "code_challenge", "code_challenge_method")
    asked = {name: given[name] for name in kept if name in given} | {"scope": " ".join(dict.fromkeys(granted))}
    return consent.ask(desk, request, title="TextMaster", client_name="Your application", scopes=scopes, asked=asked)


def _decide(desk: Desk, request: Request) -> Response:
    return consent.decide(desk, request, title="TextMaster", new_code=lambda: secrets.token_hex(32))


# -- tokens ----------------------------------------------------------------------------------------------------------


def _is_client(given: dict[str, str]) -> bool:
    account = ACCOUNTS["textmaster"]
    right_id = same(given.get("client_id", ""), account["client_id"])
    return same(given.get("client_secret", ""), account["client_secret"]) and right_id


def _exchange(desk: Desk, request: Request) -> Response:
    given = token_parameters(request)
    if not _is_client(given):
        raise refusal(401, "invalid_client")
    value = given.get("code", "")
    found = desk.grant("code", value)
    if found is None or found[1] or found[2]:
        raise refusal(400, "invalid_grant")
    asked = found[0]
    if given.get("redirect_uri", asked["redirect_uri"]) != asked["redirect_uri"]:
        raise refusal(400, "invalid_grant")
    if desk.switch("pkce") == "checked" and not proves(asked, given.get("code_verifier")):
        raise refusal(400, "invalid_grant")
    desk.use_grant(value)
    return _pair(desk, str(asked["scope"]), None)


def _refresh(desk: Desk, request: Request) -> Response:
    """A dead refresh token wins over a wrong secret, and a missing one is `invalid_grant` (section 1.8)."""
    given = token_parameters(request)
    token = desk.by_refresh(given.get("refresh_token", ""))
    if token is None or not token.refresh_lives(desk.now) or "client_secret" not in given:
        raise refusal(400, "invalid_grant")
    if not _is_client(given):
        raise refusal(401, "invalid_client")
    if desk.switch("rotation") == "immediate":
        desk.kill(token)
    return _pair(desk, token.scope, token)


def _pair(desk: Desk, scope: str, parent: Token | None) -> Response:
    access, refresh = f"7e87acce55{secrets.token_hex(14)}", f"7e875ef4e54{secrets.token_hex(14)}"
    client = ACCOUNTS["textmaster"]["client_id"]
    desk.issue(access, refresh, client=client, scope=scope, access_life=ACCESS_LIFE, parent=parent)
    desk.note(client=client, scopes=sorted(scope.split()))
    return json_response(200, {
        "access_token": access, "token_type": "Bearer", "expires_in": ACCESS_LIFE, "refresh_token": refresh,
        "scope": scope, "created_at": int(desk.now),
    })  # fmt: skip


def _unknown_grant(desk: Desk, request: Request) -> Response:
    if not token_parameters(request).get("grant_type"):
        raise refusal(400, "invalid_request")
    raise refusal(400, "unsupported_grant_type")


def _revoke(desk: Desk, request: Request) -> Response:
    """One row holds both halves, so either kills both; an unknown token is 200 (section 1.5)."""
    given = token_parameters(request)
    if not _is_client(given):
        raise refusal(403, "unauthorized_client")
    value = given.get("token", "")
    token = desk.by_access(value) or desk.by_refresh(value)
    if token:
        desk.kill(token)
    return json_response(200, {})


# -- the API ---------------------------------------------------------------------------------------------------------


def _denied(desk: Desk, status: int, text: str) -> Refusal:
    """401 and 403 carry the same body; the header tells the reason (section 1.8)."""
    challenge = f'Bearer realm="TextMaster", error="invalid_token", error_description="{text}"'
    headers = [("WWW-Authenticate", challenge)]
    if desk.switch("api_error_body") == "empty":
        return Refusal("invalid_token", Response(status, headers))
    body = {"error": "invalid_token", "error_description": "The access token is invalid"}
    return Refusal("invalid_token", json_response(status, body, headers))


def _token_of(desk: Desk, request: Request) -> Token:
    token = desk.by_access(request.bearer() or "")
    if token is None:
        raise _denied(desk, 401, "The access token is invalid")
    if token.access_killed is not None:
        raise _denied(desk, 401, "The access token was revoked")
    if not token.access_lives(desk.now):
        raise _denied(desk, 401, "The access token expired")
    parent = desk.by_id(token.parent) if token.parent else None
    if parent and desk.switch("rotation") == "on_use":
        desk.kill(parent)
    return token


def _with_scope(desk: Desk, request: Request, *any_of: str) -> Token:
    accept = request.headers.get("accept", "")
    if "application/json" not in accept and "*/*" not in accept:
        raise Refusal("not-acceptable", json_response(406, {"errors": {"base": ["Not acceptable"]}}))
    token = _token_of(desk, request)
    if not set(any_of) & set(token.scope.split()):
        raise _denied(desk, 403, "The access token is invalid")
    return token


def _me(desk: Desk, request: Request) -> Response:
    token = _with_scope(desk, request, "user:manage", "user:read", "user:write", "user:email")
    body: dict[str, Any] = {
        "id": "5a4db07e8700c11e47000001", "ident": "C-5A4D-TM", "locale": "en-EU",
        "callback": {event: {"url": None, "format": "json"} for event in ("waiting_assignment", "completed")},
        "wallet": {"current_money": float(desk.fact("wallet")), "currency_code": desk.fact("currency")},
        "contact_information": {"first_name": "Sandbox", "last_name": "User", "country": "FR"},
    }  # fmt: skip
    if {"user:email", "user:manage"} & set(token.scope.split()):
        body["email"] = "sandbox@textmaster.invalid"
    return json_response(200, body)


def _transactions(desk: Desk, request: Request) -> Response:
    _with_scope(desk, request, "transaction:manage", "transaction:read", "transaction:write")
    return json_response(200, {"transactions": [], "total_pages": 0, "count": 0, "page": 1, "per_page": 20})


def _info(desk: Desk, request: Request) -> Response:
    token = _token_of(desk, request)
    left = None if token.access_ends is None else int(token.access_ends - desk.now)
    return json_response(200, {
        "resource_owner_id": "5a4db07e8700c11e47000001", "scope": token.scope.split(), "expires_in": left,
        "application": {"uid": token.client}, "created_at": int(token.issued),
    })  # fmt: skip


def _ping(desk: Desk, request: Request) -> Response:
    return json_response(200, {"message": "pong"})


_SWITCHED = {"token.revoke": "revoke", "token.info": "token_info"}
_ANSWERS = {
    "authorize.page": _page, "authorize.decide": _decide, "token.create": _exchange, "token.refresh": _refresh,
    "token.unknown": _unknown_grant, "token.revoke": _revoke, "token.info": _info, "user.read": _me,
    "transactions.read": _transactions, "ping": _ping,
}  # fmt: skip
