"""What each switch changes for a client: one look a switch, and what it must show for each choice."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from sandbox_world import APP, CX, EZ, TM, World

from provisioner.sandbox.smscx import SCOPES

Look = Callable[[World], object]
Expected = Mapping[str, object]


# -- EZ Texting --------------------------------------------------------------------------------------------------------


def spellings(w: World) -> list[int]:
    pairs = ({"appKey": EZ["username"], "appSecret": EZ["password"]}, {k: EZ[k] for k in ("username", "password")})
    return [w.post("/eztexting/v1/tokens/create", json=pair).status for pair in pairs]


def old_refresh(w: World) -> bool:
    old = w.ez_pair()["refreshToken"]
    w.ez_refresh(old)
    return w.ez_refresh(old).status == 200


def old_access(w: World) -> bool:
    old = w.ez_pair()
    w.ez_refresh(old["refreshToken"])
    return w.ez_alive(old["accessToken"])


def refresh_on_day_61(w: World) -> bool:
    first = w.ez_pair()
    w.sandbox.set_clock(59 * 86400)
    second = w.ez_refresh(first["refreshToken"]).json()
    w.sandbox.set_clock(61 * 86400)
    return w.ez_refresh(second["refreshToken"]).status == 200


def two_pairs(w: World) -> bool:
    first = w.ez_pair()
    w.ez_pair()
    return w.ez_alive(first["accessToken"])


def refresh_after_revoke(w: World) -> bool:
    pair = w.ez_pair()
    w.ez_revoke(pair["accessToken"])
    return w.ez_refresh(pair["refreshToken"]).status == 200


def access_after_new_password(w: World) -> bool:
    pair = w.ez_pair()
    w.sandbox.panel("eztexting", "change_password", password="another")
    assert w.get("/eztexting/v1/credits", basic=(EZ["username"], EZ["password"])).status == 401
    return w.ez_alive(pair["accessToken"])


def rise(w: World) -> int:
    before = w.ez_balance()
    w.ez_buy(100)
    return w.ez_balance() - before


def purchase_members(w: World) -> list[str]:
    body = w.ez_buy(500)
    return sorted(body.json()) if body.body else []


def wrong_login(w: World) -> int:
    return w.post("/eztexting/v1/tokens/create", json={"appKey": "x", "appSecret": "y"}).status


def error_members(w: World) -> tuple[list[str], list[str]]:
    found = w.get("/eztexting/v1/credits").json()
    return sorted(found), sorted(found["errors"][0])


def start_of_a_minute(w: World) -> None:
    """The windows of the rate limits are minutes: none may end between the first and the last request."""
    w.sandbox.set_clock(61 - time.time() % 60)


def sixth_request(w: World) -> tuple[int, bool]:
    start_of_a_minute(w)
    for _ in range(5):
        w.ez_balance()
    answer = w.get("/eztexting/v1/credits", basic=(EZ["username"], EZ["password"]))
    return answer.status, "x-rate-limit-retry-after-milliseconds" in answer.headers


EZTEXTING: dict[str, tuple[Look, Expected]] = {
    "body_fields": (spellings, {"both": [200, 200], "app_key": [200, 400], "username": [400, 200]}),
    "old_refresh_token": (old_refresh, {"dies": False, "lives": True}),
    "old_access_token": (old_access, {"dies": False, "lives": True}),
    "refresh_life": (refresh_on_day_61, {"fixed": False, "slides": True}),
    "live_pairs": (two_pairs, {"many": True, "one": False}),
    "revoke": (refresh_after_revoke, {"pair": False, "one": True}),
    "second_revoke": (lambda w: w.ez_revoke("dead").status, {"400": 400, "404": 404, "200": 200}),
    "token_refusal": (wrong_login, {"401": 401, "400": 400}),
    "password_change": (access_after_new_password, {"kills": False, "keeps": True}),
    "purchase_body": (
        purchase_members,
        {"empty": [], "balance": ["anytimeCredits", "boughtCredits", "planCredits", "totalCredits"]},
    ),
    "purchase_status": (lambda w: w.ez_buy(500).status, {"200": 200, "201": 201}),
    "purchase_minimum": (lambda w: w.ez_buy(499).status, {"1": 200, "500": 400}),
    "balance_lag": (rise, {"0": 100, "60": 0}),
    "unknown_coupon": (lambda w: w.ez_buy(100, couponCode="X").status, {"ignored": 200, "refused": 400}),
    "error_shape": (
        error_members,
        {
            "observed": (["errors", "status", "title"], ["code", "message"]),
            "documented": (["detail", "errors", "status", "title"], ["message", "title"]),
        },
    ),
    "rate_limit": (sixth_request, {"off": (200, False), "200": (200, False), "5": (429, True)}),
}


# -- SMS.CX ------------------------------------------------------------------------------------------------------------


def narrowed(w: World) -> tuple[int, object]:
    answer = w.cx_token("sms reports")
    return answer.status, answer.json().get("scope", "").split()


def expirations(w: World) -> list[str]:
    return [app["tokenExpiration"] for app in w.cx_get("/applications").json()["data"]]


def never(w: World) -> int:
    made = w.sandbox.panel("smscx", "create_application", name="n", scopes="otp", token_expiration="never")
    return int(w.cx_token("otp", made).json()["expires_in"])


def after_panel(action: str, path: str = "/sms", **arguments: object) -> Look:
    def look(w: World) -> int:
        access = w.cx_token("sms groups").json()["access_token"]
        w.sandbox.panel("smscx", action, client_id=APP["client_id"], **arguments)
        return w.get(f"/smscx{path}", bearer=access).status

    return look


def no_applications(w: World) -> object:
    for app in w.sandbox.applications():
        w.sandbox.panel("smscx", "delete_application", client_id=app["client_id"])
    return w.cx_get("/applications").json()["data"]


def one_of_two(w: World) -> list[int]:
    access = w.cx_token("sms").json()["access_token"]
    right_key = w.get("/smscx/sms", bearer="dead", headers={"X-API-KEY": CX["api_key"]}).status
    return [right_key, w.get("/smscx/sms", bearer=access, headers={"X-API-KEY": "wrong"}).status]


def sixth_read(w: World) -> tuple[int, bool]:
    start_of_a_minute(w)
    for _ in range(5):
        w.cx_get("/sms")
    answer = w.cx_get("/sms")
    return answer.status, int(answer.headers.get("x-rate-limit-reset", "0")) > 1_700_000_000


SMSCX: dict[str, tuple[Look, Expected]] = {
    "missing_scope": (
        lambda w: set(w.cx_token(None).json()["scope"].split()),
        {"everything": set(SCOPES), "application": {"sms", "groups"}},
    ),
    "foreign_scope": (narrowed, {"refused": (400, []), "narrowed": (200, ["sms"])}),
    "scope_text": (
        lambda w: w.cx_token("sms groups").json()["scope"],
        {"untidy": "groups sms ", "tidy": "sms groups"},
    ),
    "token_expiration": (
        expirations,
        {"words": ["1 week", "1 day"], "seconds": ["604800", "86400"], "short": ["1w", "1d"]},
    ),
    "never": (never, {"0": 0, "-1": -1, "3153600000": 3153600000}),
    "secret_reset": (after_panel("reset_secret"), {"kills": 401, "keeps": 200}),
    "scope_edit": (after_panel("edit_application", "/groups", scopes="sms"), {"shrinks": 403, "keeps": 200}),
    "delete_application": (after_panel("delete_application"), {"kills": 401, "keeps": 200}),
    "no_applications": (no_applications, {"object": {}, "list": []}),
    "both_credentials": (one_of_two, {"both": [401, 401], "key": [200, 401], "bearer": [401, 200]}),
    "rate_limit": (sixth_read, {"off": (200, False), "60": (200, False), "5": (429, True)}),
}


# -- TextMaster --------------------------------------------------------------------------------------------------------


def rotation(w: World) -> list[int]:
    """The old access token before and after the new one is first used."""
    old = w.tm_pair()
    new = w.tm_refresh(old["refresh_token"]).json()
    before = w.tm_me(old["access_token"]).status
    w.tm_me(new["access_token"])
    return [before, w.tm_me(old["access_token"]).status, w.tm_refresh(old["refresh_token"]).status]


def tm_revoke(w: World) -> tuple[int, int]:
    pair = w.tm_pair()
    form = {"client_id": TM["client_id"], "client_secret": TM["client_secret"], "token": pair["refresh_token"]}
    status = w.post("/textmaster/oauth/revoke", form=form).status
    return status, w.tm_me(pair["access_token"]).status


def tm_info(w: World) -> int:
    return w.get("/textmaster/oauth/token/info", bearer=w.tm_pair()["access_token"]).status


def tm_unproven(w: World) -> int:
    code = w.tm_code(code_challenge="x" * 43, code_challenge_method="S256")
    return w.tm_exchange(code, code_verifier="y" * 43).status


TEXTMASTER: dict[str, tuple[Look, Expected]] = {
    "rotation": (rotation, {"immediate": [401, 401, 400], "on_use": [200, 401, 400]}),
    "revoke": (tm_revoke, {"off": (404, 200), "on": (200, 401)}),
    "token_info": (tm_info, {"off": 404, "on": 200}),
    "granted_scope": (lambda w: w.tm_pair("user:read")["scope"], {"asked": "user:read", "public": "public"}),
    "pkce": (tm_unproven, {"ignored": 200, "checked": 400}),
    "api_error_body": (lambda w: bool(w.tm_me("dead").body), {"json": True, "empty": False}),
}


# -- TEXTKING ----------------------------------------------------------------------------------------------------------


def tk_rotation(w: World) -> tuple[bool, bool, int]:
    """Whether a refresh token came, whether it is the old one, and whether the old one still works."""
    old = w.tk_pair()["refresh_token"]
    new = w.tk_refresh(old).json().get("refresh_token")
    return new is not None, new == old, w.tk_refresh(old).status


def tk_old_access(w: World) -> bool:
    old = w.tk_pair()
    w.tk_refresh(old["refresh_token"])
    return w.tk_alive(old["access_token"])


def tk_bare_refresh(w: World) -> int:
    form = {"grant_type": "refresh_token", "refresh_token": w.tk_pair()["refresh_token"]}
    return w.post("/textking/oauth/token", form=form).status


TEXTKING: dict[str, tuple[Look, Expected]] = {
    "refresh_token": (
        tk_rotation,
        {"new": (True, False, 400), "absent": (False, False, 200), "same": (True, True, 200)},
    ),
    "old_access_token": (tk_old_access, {"dies": False, "lives": True}),
    "refresh_without_client": (tk_bare_refresh, {"refused": 400, "accepted": 200}),
    "error_body": (
        lambda w: w.get("/textking/v1/projects").body[:2],
        {"empty": b"", "xml": b"<?", "json": b'{"'},
    ),
    "token_refusal": (lambda w: w.tk_exchange("unknown").status, {"400": 400, "403": 403}),
}
