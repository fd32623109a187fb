"""TEXTKING: an authorization-code server without scopes, and 403 for a dead token (vendor sheet section 2)."""

from __future__ import annotations

import re
import secrets

from provisioner.sandbox import consent, pages
from provisioner.sandbox.accounts import ACCOUNTS
from provisioner.sandbox.desk import Desk, Token, same
from provisioner.sandbox.wire import Malformed, Refusal, Request, Response, is_loopback_redirect, json_response

ACCESS_LIFE = 2592000  # published page: 30 days
GRANTS = {"authorization_code": "token.create", "refresh_token": "token.refresh"}
OPERATIONS = {
    ("GET", "/oauth/authorize"): "authorize.page",
    ("POST", "/oauth/authorize"): "authorize.decide",
    ("GET", "/v1/projects"): "projects.read",
    ("GET", "/v1/price-info"): "price.read",
}
READS = frozenset({"authorize.page", "projects.read", "price.read", "unknown"})


def seed(desk: Desk) -> None:
    """The one application is a constant of accounts.py; there is no balance."""


def operation(request: Request) -> str:
    if (request.method, request.path) == ("POST", "/oauth/token"):
        try:
            return GRANTS.get(request.form().get("grant_type", ""), "token.unknown")
        except Malformed:
            return "token.unknown"
    return OPERATIONS.get((request.method, request.path), "unknown")


def answer(desk: Desk, request: Request, operation: str) -> Response:
    if operation == "unknown":
        raise _refusal(desk, 404, "not-found")
    if operation.startswith("token."):
        return _token(desk, request, operation)
    return {"authorize.page": _page, "authorize.decide": _decide, "projects.read": _projects, "price.read": _price}[
        operation
    ](desk, request)


def malformed(desk: Desk, text: str) -> Response:
    return _refusal(desk, int(desk.switch("token_refusal")), "malformed").response


def _refusal(desk: Desk, status: int, outcome: str) -> Refusal:
    """Error bodies are undocumented: none, XML or JSON."""
    shape = desk.switch("error_body")
    if shape == "json":
        return Refusal(outcome, json_response(status, {"error": outcome}))
    if shape == "xml":
        body = f'<?xml version="1.0"?><error><message>{outcome}</message></error>'.encode()
        return Refusal(outcome, Response(status, [("Content-Type", "application/xml")], body))
    return Refusal(outcome, Response(status))


def _page(desk: Desk, request: Request) -> Response:
    try:
        given = request.parameters()
    except Malformed as fault:
        return pages.message("TEXTKING cannot do this", str(fault), 400)
    uri = given.get("redirect_uri", "")
    if given.get("client_id") != ACCOUNTS["textking"]["client_id"]:
        return pages.message("TEXTKING cannot do this", "No application has this App ID.", 400)
    if not is_loopback_redirect(uri):
        return pages.message("TEXTKING cannot do this", "The redirect URI is not the application's.", 400)
    if given.get("response_type") != "code":
        return pages.message("TEXTKING cannot do this", "response_type is always code.", 400)
    asked: dict[str, str] = {name: given[name] for name in ("client_id", "redirect_uri", "state") if name in given}
    return consent.ask(desk, request, title="TEXTKING", client_name="Your application", scopes=(), asked=asked)


def _decide(desk: Desk, request: Request) -> Response:
    """Codes hold characters that must be encoded on the wire (section 2.2)."""
    return consent.decide(desk, request, title="TEXTKING", new_code=lambda: f"CC0M!IAAAA{secrets.token_urlsafe(36)}")


def _token(desk: Desk, request: Request, operation: str) -> Response:
    if request.media_type != "application/x-www-form-urlencoded" or request.query:
        raise _refusal(desk, int(desk.switch("token_refusal")), "malformed")
    given = request.form()
    if operation == "token.unknown":
        raise _refusal(desk, int(desk.switch("token_refusal")), "unsupported_grant_type")
    bare = operation == "token.refresh" and not {"client_id", "client_secret"} & set(given)
    if not (bare and desk.switch("refresh_without_client") == "accepted") and not _is_client(given):
        raise _refusal(desk, int(desk.switch("token_refusal")), "invalid_client")
    desk.note(client=ACCOUNTS["textking"]["client_id"])
    return _exchange(desk, given) if operation == "token.create" else _refresh(desk, given)


def _is_client(given: dict[str, str]) -> bool:
    """A `+` that was not encoded arrives as a blank and does not match, as the published page warns."""
    account = ACCOUNTS["textking"]
    right_id = same(given.get("client_id", ""), account["client_id"])
    return same(given.get("client_secret", ""), account["client_secret"]) and right_id


def _exchange(desk: Desk, given: dict[str, str]) -> Response:
    found = desk.grant("code", given.get("code", ""))
    if found is None or found[1] or found[2] or given.get("redirect_uri") != found[0]["redirect_uri"]:
        raise _refusal(desk, int(desk.switch("token_refusal")), "invalid_grant")
    desk.use_grant(given["code"])
    if given.get("offline_access") == "1":
        access = _access()
        desk.issue(access, client=given["client_id"], access_life=None)
        return json_response(200, {"access_token": access, "token_type": "bearer"})
    return _pair(desk, None, _new_refresh())


def _refresh(desk: Desk, given: dict[str, str]) -> Response:
    value = given.get("refresh_token", "")
    token = desk.by_refresh(value)
    if token is None or not token.refresh_lives(desk.now):
        raise _refusal(desk, int(desk.switch("token_refusal")), "invalid_grant")
    if desk.switch("old_access_token") == "dies":
        for sibling in desk.family(token.family):
            desk.kill_access(sibling)
    kind = desk.switch("refresh_token")
    if kind == "new":
        desk.kill_refresh(token)
        return _pair(desk, token, _new_refresh())
    return _pair(desk, token, None, shown=value if kind == "same" else None)


def _pair(desk: Desk, parent: Token | None, refresh: str | None, shown: str | None = None) -> Response:
    """`expires_in` is a string, `token_type` lower case, and there is never a scope (section 2.2)."""
    access = _access()
    client = ACCOUNTS["textking"]["client_id"]
    desk.issue(access, refresh, client=client, access_life=ACCESS_LIFE, parent=parent)
    body = {"access_token": access, "token_type": "bearer", "expires_in": str(ACCESS_LIFE)}
    if refresh or shown:
        body["refresh_token"] = refresh or shown or ""
    return json_response(200, body)


def _access() -> str:
    return f"gAAAA5a4db0f8{secrets.token_urlsafe(36)}"


def _new_refresh() -> str:
    return f"W1fl!IAAAA5a4db0f8{secrets.token_urlsafe(30)}"


def _projects(desk: Desk, request: Request) -> Response:
    """Missing or invalid `Authorization` is 403 (published page)."""
    token = desk.by_access(request.bearer() or "")
    if token is None or not token.access_lives(desk.now):
        raise _refusal(desk, 403, "forbidden")
    per_page = request.parameters().get("per_page", "100")
    if not re.fullmatch(r"[1-9][0-9]?|100", per_page):
        raise _refusal(desk, 400, "bad-parameter")
    return json_response(200, {"page": 1, "per_page": int(per_page), "total": 0, "items": []})


def _price(desk: Desk, request: Request) -> Response:
    return json_response(200, {"currency": "EUR", "net_price": "0.00"})
