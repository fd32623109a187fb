"""EZ Texting: integer credits on a stored card, and token pairs that a login pair buys (vendor sheet section 2)."""

from __future__ import annotations

import re
import secrets
from typing import Any

from provisioner.sandbox.accounts import ACCOUNTS
from provisioner.sandbox.desk import Desk, Token, digest, same
from provisioner.sandbox.limits import over_limit
from provisioner.sandbox.wire import Malformed, Refusal, Request, Response, json_response

ACCESS_LIFE = 5400  # published page: 90 minutes
REFRESH_LIFE = 60 * 86400  # published page: 60 days
SPELLINGS = {"app_key": ("appKey", "appSecret"), "username": ("username", "password")}
OPERATIONS = {
    ("GET", "/v1/credits"): "credits.read",
    ("POST", "/v1/credits/purchase"): "credits.purchase",
    ("POST", "/v1/tokens/create"): "token.create",
    ("POST", "/v1/tokens/refresh"): "token.refresh",
    ("POST", "/v1/tokens/revoke"): "token.revoke",
}
READS = frozenset({"credits.read", "unknown", "wrong-method"})


def seed(desk: Desk) -> None:
    desk.set_fact("password", digest(ACCOUNTS["eztexting"]["password"]))
    desk.set_fact("plan", 500)
    desk.set_fact("anytime", 2000)


def operation(request: Request) -> str:
    known = {path for _, path in OPERATIONS}
    fallback = "wrong-method" if request.path in known else "unknown"
    return OPERATIONS.get((request.method, request.path), fallback)


def answer(desk: Desk, request: Request, operation: str) -> Response:
    wait = over_limit(desk, desk.switch("rate_limit"))
    if wait is not None:
        headers = [("X-Rate-Limit-Retry-After-Milliseconds", str(int(wait * 1000)))]
        raise Refusal("rate-limited", Response(429, headers, b""))
    if operation == "unknown":
        raise _refusal(desk, 404, "Not found", "no such resource")
    if operation == "wrong-method":
        raise _refusal(desk, 405, "Method not allowed", "the resource does not take this method")
    if operation == "credits.read":
        _authenticate(desk, request)
        return json_response(200, balance(desk))
    return {"credits.purchase": _purchase, "token.create": _create, "token.refresh": _refresh, "token.revoke": _revoke}[
        operation
    ](desk, request)


def malformed(desk: Desk, text: str) -> Response:
    return _refusal(desk, 400, "Bad request", text).response


def balance(desk: Desk) -> dict[str, int]:
    """GET /v1/credits: three integers, the third their sum."""
    plan, anytime = int(desk.fact("plan")), int(desk.fact("anytime"))
    bought = desk.db.execute("SELECT coalesce(sum(credits), 0) FROM purchases WHERE visible <= ?", [desk.now])
    anytime += int(bought.fetchone()[0])
    return {"planCredits": plan, "anytimeCredits": anytime, "totalCredits": plan + anytime}


def _refusal(desk: Desk, status: int, title: str, message: str, outcome: str = "refused") -> Refusal:
    """Both published shapes of an error (section 2.5). 401 is always `refused`: the vendor names no reason."""
    body: dict[str, Any] = {"status": status, "title": title}
    if desk.switch("error_shape") == "documented":
        body |= {"detail": message, "errors": [{"title": title, "message": message}]}
    else:
        body |= {"errors": [{"code": str(status), "message": message}]}
    return Refusal(outcome, json_response(status, body))


def _authenticate(desk: Desk, request: Request) -> None:
    """Basic with the login pair, or a live bearer; the same rights either way (section 2.1)."""
    if "authorization" not in request.headers:
        raise _refusal(desk, 401, "Missing authorization header", "Authorization header is required")
    bearer = request.bearer()
    if bearer is not None:
        token = desk.by_access(bearer)
        if token is None or not token.access_lives(desk.now):
            raise _refusal(desk, 401, "Invalid or expired token", "The access token is not valid")
        return
    try:
        pair = request.basic()
    except Malformed:
        pair = None
    if pair is None or not _is_login(desk, *pair):
        raise _refusal(desk, 401, "Invalid username or password", "Invalid username or password")


def _is_login(desk: Desk, user: str, password: str) -> bool:
    right_user = same(user, ACCOUNTS["eztexting"]["username"])
    return same(digest(password), str(desk.fact("password"))) and right_user


def _body(desk: Desk, request: Request, names: tuple[str, ...], optional: tuple[str, ...] = ()) -> dict[str, Any]:
    """The JSON body with exactly these fields. 415 where it is not JSON (trap 23)."""
    if request.media_type != "application/json":
        raise _refusal(desk, 415, "Unsupported media type", "Content-Type must be application/json")
    found = request.json_object()
    if not set(names) <= set(found) <= {*names, *optional}:
        raise _refusal(desk, 400, "Bad request", f"the body takes {', '.join((*names, *optional))}")
    return found


def _text(desk: Desk, value: object, name: str) -> str:
    if not isinstance(value, str) or not value:
        raise _refusal(desk, 400, "Bad request", f"{name} must be a string")
    return value


def _purchase(desk: Desk, request: Request) -> Response:
    _authenticate(desk, request)
    found = _body(desk, request, ("credits", "creditCardLastFour"), ("couponCode",))
    wanted, card, coupon = found["credits"], found["creditCardLastFour"], found.get("couponCode")
    if type(wanted) is not int or not 0 < wanted < 10**9:  # bool is an int to Python, and "1000" or 1000.0 is not
        raise _refusal(desk, 400, "Bad request", "credits must be a positive integer")
    desk.note(asked=wanted)
    if not isinstance(card, str) or not re.fullmatch(r"[0-9]{4}", card):
        raise _refusal(desk, 400, "Bad request", "creditCardLastFour must be a string of four digits")
    if coupon is not None and not isinstance(coupon, str):
        raise _refusal(desk, 400, "Bad request", "couponCode must be a string")
    if card != ACCOUNTS["eztexting"]["card_last_four"]:
        raise _refusal(desk, 400, "Purchase failed", "no stored card ends in these digits", "declined")
    if coupon is not None and desk.switch("unknown_coupon") == "refused":
        raise _refusal(desk, 400, "Purchase failed", "the coupon is not known", "declined")
    if wanted < int(desk.switch("purchase_minimum")):
        raise _refusal(desk, 400, "Purchase failed", "fewer credits than are sold at once", "declined")
    desk.db.execute(
        "INSERT INTO purchases(time, credits, visible, coupon) VALUES (?, ?, ?, ?)",
        [desk.now, wanted, desk.now + float(desk.switch("balance_lag")), coupon],
    )
    desk.note(credits=wanted)
    return _bought(desk, wanted)


def _bought(desk: Desk, bought: int) -> Response:
    status = int(desk.switch("purchase_status"))
    if desk.switch("purchase_body") == "empty":
        return Response(status)
    shown = balance(desk)
    return json_response(status, {"boughtCredits": bought, **shown})


def _create(desk: Desk, request: Request) -> Response:
    chosen = desk.switch("body_fields")
    given = _body(desk, request, (), ("appKey", "appSecret", "username", "password"))
    spelling = next((kind for kind, names in SPELLINGS.items() if set(names) == set(given)), None)
    if spelling is None or chosen not in {"both", spelling}:
        raise _refusal(desk, 400, "Bad request", "the login pair is missing or spelled another way", "malformed")
    user, password = (_text(desk, given[name], name) for name in SPELLINGS[spelling])
    desk.note(spelling=spelling)
    if not _is_login(desk, user, password):
        raise _token_refusal(desk, "Invalid username or password")
    if desk.switch("live_pairs") == "one":
        desk.kill(*desk.of_client("account"))
    return _pair(desk, None)


def _pair(desk: Desk, parent: Token | None) -> Response:
    access, refresh = f"e2acce55{secrets.token_hex(12)}", f"e2ef4e54{secrets.token_hex(12)}"
    fixed = parent is not None and desk.switch("refresh_life") == "fixed"
    ends = parent.refresh_ends if parent and fixed else desk.now + REFRESH_LIFE
    desk.issue(access, refresh, client="account", access_life=ACCESS_LIFE, refresh_ends=ends, parent=parent)
    return json_response(200, {"accessToken": access, "refreshToken": refresh, "expiresInSeconds": ACCESS_LIFE})


def _token_refusal(desk: Desk, title: str) -> Refusal:
    return _refusal(desk, int(desk.switch("token_refusal")), title, title)


def _refresh(desk: Desk, request: Request) -> Response:
    found = _body(desk, request, ("refreshToken",))
    token = desk.by_refresh(_text(desk, found["refreshToken"], "refreshToken"))
    if token is None or not token.refresh_lives(desk.now):
        raise _token_refusal(desk, "Invalid or expired refresh token")
    if desk.switch("old_refresh_token") == "dies":
        desk.kill_refresh(token)
    if desk.switch("old_access_token") == "dies":
        desk.kill_access(token)
    return _pair(desk, token)


def _revoke(desk: Desk, request: Request) -> Response:
    """The token endpoints need no authentication (published page): who has the token may end it."""
    found = _body(desk, request, ("token", "type"))
    value, kind = _text(desk, found["token"], "token"), found["type"]
    if kind not in ("ACCESS_TOKEN", "REFRESH_TOKEN"):
        raise _refusal(desk, 400, "Bad request", "type must be ACCESS_TOKEN or REFRESH_TOKEN")
    of_access = kind == "ACCESS_TOKEN"
    token = desk.by_access(value) if of_access else desk.by_refresh(value)
    if token is None or not (token.access_lives(desk.now) if of_access else token.refresh_lives(desk.now)):
        status = int(desk.switch("second_revoke"))
        if status == 200:
            return Response(200)
        raise _refusal(desk, status, "Token not found", "the token is unknown or no longer active", "already-dead")
    if desk.switch("revoke") == "pair":
        desk.kill(token)
    elif of_access:
        desk.kill_access(token)
    else:
        desk.kill_refresh(token)
    return Response(200)
