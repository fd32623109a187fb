"""SMS.CX: applications made in a panel and only read here, and client-credentials tokens (vendor sheet section 1)."""

from __future__ import annotations

import hashlib
import secrets
from datetime import UTC, datetime
from typing import Any

from provisioner.sandbox.accounts import ACCOUNTS, SMSCX_APPLICATIONS
from provisioner.sandbox.desk import Desk, Token, same
from provisioner.sandbox.limits import over_limit, remaining
from provisioner.sandbox.wire import Malformed, Refusal, Request, Response, json_response

# section 1.5, the union of the published lists
SCOPES = (
    "sms", "viber", "whatsapp", "multichannel", "conversations", "reports", "groups", "originators",
    "templates", "shortlinks", "attachments", "optouts", "account", "applications", "numbers", "lookup", "otp",
    "firewall",
)  # fmt: skip
DAY = "1 day"
LIFETIMES: dict[str, int | None] = {DAY: 86400, "1 week": 604800, "never": None}
WIRE_WORDS = {"seconds": {"1 day": "86400", "1 week": "604800", "never": "0"},
              "short": {"1 day": "1d", "1 week": "1w", "never": "never"}}  # fmt: skip
READS = frozenset({"applications.list", "application.read", "scopes.list", "balance.read", "resource.read", "unknown",
                   "wrong-method"})  # fmt: skip
ANNOUNCED = [
    {"name": a["name"], "client_id": a["client_id"], "client_secret": a["client_secret"], "scopes": a["scopes"].split()}
    for a in SMSCX_APPLICATIONS
]
_CALLBACKS = {"dlrCallback": None, "receiveCallback": None, "quietHours": None}
SETTINGS: dict[str, Any] = {
    "sms": {"enforceOriginator": None, **_CALLBACKS, "transliteration": {"alphabet": "NONE", "removeEmojis": False}},
    "viber": _CALLBACKS,
    "whatsapp": _CALLBACKS,
    "multichannel": {**_CALLBACKS, "ttl": 3600, "expireAfterTtl": False},
    "shortlinks": {"shortlinksCallback": None},
    "attachments": {"attachmentsCallback": None},
    "optouts": {"optoutsCallback": None},
    "lookup": {"lookupCallback": None},
    "otp": {"template": "{{pin}}", "from": "Sandbox", "pinType": "numbers", "pinLength": 6, "ttl": 600,
            "maxAttempts": 3, "otpCallback": None},
}  # fmt: skip


def seed(desk: Desk) -> None:
    desk.set_fact("balance", 25.5)
    for number, app in enumerate(SMSCX_APPLICATIONS, 1):
        add_application(desk, app["client_id"], number, app["name"], app["scopes"], app["token_expiration"])


def operation(request: Request) -> str:
    path, method = request.path.rstrip("/"), request.method
    if path == "/oauth/token":
        return "token.create" if method == "POST" else "wrong-method"
    head = path.split("/")[1] if path else ""
    if head not in SCOPES:
        return "unknown"
    if method != "GET":
        return "wrong-method"
    if head == "applications":
        return {"/applications": "applications.list", "/applications/scopes": "scopes.list"}.get(
            path, "application.read"
        )
    return "balance.read" if path == "/account/balance" else "resource.read"


def answer(desk: Desk, request: Request, operation: str) -> Response:
    """Adds the vendor's headers to a 2xx answer (section 1.1)."""
    limit = desk.switch("rate_limit")
    shown = "600" if limit == "off" else limit
    wait = over_limit(desk, limit)
    if wait is not None:
        reset = str(int(desk.now + wait) + 1)
        raise refusal(429, "rate_limit", "Too many requests", 1700, [
            ("X-Rate-Limit-Limit", shown), ("X-Rate-Limit-Remaining", "0"), ("X-Rate-Limit-Reset", reset),
        ])  # fmt: skip
    found = _answer(desk, request, operation)
    found.headers.extend([
        ("X-Request-Id", secrets.token_hex(16)), ("X-Response-Time", "0.004"), ("X-Rate-Limit-Limit", shown),
        ("X-Rate-Limit-Remaining", str(remaining(desk, shown))),
    ])  # fmt: skip
    return found


def malformed(desk: Desk, text: str) -> Response:
    return refusal(400, "invalid_request", text, 1600).response


def refusal(status: int, kind: str, message: str, code: int, headers: list[tuple[str, str]] | None = None) -> Refusal:
    """The vendor's envelope (section 1.7): all four token errors share code 1600."""
    uri = f"https://sms.cx/errors/{kind}"
    body = {"error": {"type": kind, "message": message, "uri": uri, "code": code}}
    return Refusal(kind, json_response(status, body, headers or []))


def _answer(desk: Desk, request: Request, operation: str) -> Response:
    if operation == "unknown":
        raise refusal(404, "not_found", "Not found", 1500)
    if operation == "wrong-method":
        raise refusal(405, "invalid_method", "Method not allowed", 1501)
    if operation == "token.create":
        return _token(desk, request)
    _authorize(desk, request)
    if operation == "applications.list":
        return _list(desk)
    if operation == "scopes.list":
        return json_response(200, SCOPES)
    if operation == "application.read":
        return _detail(desk, request.path.rstrip("/").split("/", 2)[2])
    if operation == "balance.read":
        shown = {"balance": desk.fact("balance"), "currency": "eur", "billing": "prepaid"}
        return json_response(200, shown)
    return json_response(200, {"data": [], "paging": {"next": None, "previous": None, "size": 0}})


# -- applications ----------------------------------------------------------------------------------------------------


def add_application(desk: Desk, app_id: str, number: int, name: str, scopes: str, expiration: str) -> None:
    """What the panel's "New Application" stores; `number` is the internal id, which is not the path key."""
    body = {"id": number, "name": name, "scopes": scopes, "expiration": expiration, "secret": 0, "created": desk.now}
    desk.put_client(app_id, body)


def secret_of(desk: Desk, app_id: str, app: dict[str, Any]) -> str:
    """40 hex digits: a seeded one until its first reset, else computed from its generation."""
    seeded = next((a["client_secret"] for a in SMSCX_APPLICATIONS if a["client_id"] == app_id), None)
    if app["secret"] == 0 and seeded:
        return seeded
    return hashlib.sha1(desk.derive(app_id, app["secret"]).encode(), usedforsecurity=False).hexdigest()


def applications(desk: Desk) -> list[tuple[str, dict[str, Any]]]:
    """Newest first."""
    return sorted(desk.clients().items(), key=lambda item: -int(item[1]["id"]))


def announced(desk: Desk) -> list[dict[str, Any]]:
    return [
        {
            "name": app["name"],
            "client_id": key,
            "client_secret": secret_of(desk, key, app),
            "scopes": app["scopes"].split(),
        }
        for key, app in reversed(applications(desk))
    ]


def _list(desk: Desk) -> Response:
    data = [
        {
            "id": app["id"], "applicationId": key, "applicationSecret": secret_of(desk, key, app),
            "applicationName": app["name"], "scopes": _scope_text(desk, app["scopes"].split()),
            "tokenExpiration": _wire_expiration(desk, app),
            "createdAt": datetime.fromtimestamp(app["created"], UTC).strftime("%Y-%m-%d %H:%M:%S"),
        }
        for key, app in applications(desk)
    ]  # fmt: skip
    none: Any = {} if desk.switch("no_applications") == "object" else []
    return json_response(200, {"data": data or none})


def _detail(desk: Desk, key: str) -> Response:
    """`name`, and not `applicationName`; no secret (section 1.4)."""
    app = desk.client(key)
    if app is None:
        raise refusal(404, "not_found", "Application not found", 1500)
    shown = {"applicationId": key, "name": app["name"], "scopes": _scope_text(desk, app["scopes"].split()),
             "tokenExpiration": _wire_expiration(desk, app), "settings": SETTINGS}  # fmt: skip
    return json_response(200, shown)


def _wire_expiration(desk: Desk, app: dict[str, Any]) -> str:
    word = str(app["expiration"])
    return WIRE_WORDS.get(desk.switch("token_expiration"), {}).get(word, word)


def _scope_text(desk: Desk, scopes: list[str]) -> str:
    return " ".join(scopes) if desk.switch("scope_text") == "tidy" else " ".join([*reversed(scopes), ""])


# -- tokens ----------------------------------------------------------------------------------------------------------


def _token(desk: Desk, request: Request) -> Response:
    """Section 1.3: Basic only, form only, client credentials only."""
    key, app = _client(desk, request)
    if request.media_type != "application/x-www-form-urlencoded":
        raise refusal(400, "invalid_request", "the body must be application/x-www-form-urlencoded", 1600)
    form = request.form()
    if not form.get("grant_type"):
        raise refusal(400, "invalid_request", "grant_type is missing", 1600)
    if form["grant_type"] != "client_credentials":
        raise refusal(400, "unsupported_grant_type", "only client_credentials is supported", 1600)
    granted = _granted(desk, app["scopes"].split(), form.get("scope", "").split())
    life = LIFETIMES[app["expiration"]]
    access = f"c0ffee5c{secrets.token_hex(16)}"
    desk.issue(access, client=key, scope=" ".join(granted), access_life=life)
    desk.note(client=key, scopes=sorted(granted))
    expires_in = int(desk.switch("never")) if life is None else life
    body = {
        "access_token": access,
        "expires_in": expires_in,
        "token_type": "Bearer",
        "scope": _scope_text(desk, granted),
    }
    return json_response(200, body)


def _client(desk: Desk, request: Request) -> tuple[str, dict[str, Any]]:
    try:
        pair = request.basic()
    except Malformed:
        pair = None
    app = desk.client(pair[0]) if pair else None
    if pair is None or app is None or not same(pair[1], secret_of(desk, pair[0], app)):
        raise refusal(401, "invalid_client", "Client authentication failed", 1600)
    return pair[0], app


def _granted(desk: Desk, owned: list[str], asked: list[str]) -> list[str]:
    if not asked:
        return list(SCOPES) if desk.switch("missing_scope") == "everything" else owned
    foreign = [scope for scope in asked if scope not in owned]
    if foreign and (
        desk.switch("foreign_scope") == "refused" or set(foreign) - set(SCOPES) or len(foreign) == len(asked)
    ):
        raise refusal(400, "invalid_scope", "the application does not have every scope asked for", 1600)
    return [scope for scope in dict.fromkeys(asked) if scope in owned]


def _authorize(desk: Desk, request: Request) -> None:
    """X-API-KEY (no scopes) or Bearer (the first path segment is its scope, section 1.5)."""
    key, bearer = request.headers.get("x-api-key"), request.bearer()
    if key is None and bearer is None:
        raise refusal(401, "invalid_api_key", "Authentication is missing", 1601)
    counts = desk.switch("both_credentials") if key is not None and bearer is not None else "both"
    if key is not None and counts != "bearer" and not same(key, ACCOUNTS["smscx"]["api_key"]):
        raise refusal(401, "invalid_api_key", "The API key is not valid", 1601)
    if bearer is not None and counts != "key":
        _check_bearer(desk, desk.by_access(bearer), request.path.split("/")[1])


def _check_bearer(desk: Desk, token: Token | None, scope: str) -> None:
    if token is None or not token.access_lives(desk.now):
        raise refusal(401, "invalid_client", "The access token is unknown or has expired", 1602)
    if scope not in token.scope.split():
        raise refusal(403, "insufficient_scope", "The access token lacks the scope", 1603)
