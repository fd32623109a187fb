"""The device authorization grant (RFC 8628): codes, the page where a person enters one, and polling with patience."""

from __future__ import annotations

import secrets
from typing import Any

from provisioner.sandbox import consent, pages
from provisioner.sandbox import oauth2_clients as clients
from provisioner.sandbox.desk import Desk, digest
from provisioner.sandbox.oauth2_errors import error
from provisioner.sandbox.oauth2_scopes import granted
from provisioner.sandbox.wire import Malformed, Refusal, Request, Response, json_response

GRANT = "urn:ietf:params:oauth:grant-type:device_code"
TITLE = "Sandbox ID"
LIFE = 600
INTERVAL = 5  # seconds, also where the answer names none (section 3.2)
LETTERS = "BCDFGHJKLMNPQRSTVWXZ"  # section 6.1: no vowels, so no words


def authorize(desk: Desk, request: Request) -> Response:
    """Section 3.1. The user code's digest leads to the device code's, so neither value is stored."""
    form = clients.form_of(request)
    client, body = clients.authenticate(desk, request, form)
    if GRANT not in body["grant_types"]:
        raise error(400, "unauthorized_client", "the client did not register this grant")
    asked = form.get("scope", "")
    scope = granted(desk, body, asked)
    device_code = f"dc_{secrets.token_urlsafe(30)}"
    letters = "".join(secrets.choice(LETTERS) for _ in range(8))
    state = {"client_id": client, "scope": scope, "asked": asked, "status": "pending", "interval": INTERVAL,
             "polled": 0.0, "redirect_uri": ""}  # fmt: skip
    desk.put_grant("device", digest(device_code), state, LIFE)
    desk.put_grant("user_code", letters, {"device": digest(device_code)}, LIFE)
    user_code = f"{letters[:4]}-{letters[4:]}"
    answer: dict[str, Any] = {
        "device_code": device_code, "user_code": user_code, "verification_uri": f"{request.base}/device",
        "verification_uri_complete": f"{request.base}/device?user_code={user_code}", "expires_in": LIFE,
    }  # fmt: skip
    return json_response(200, answer | ({"interval": INTERVAL} if desk.switch("device_interval") == "given" else {}))


def page(desk: Desk, request: Request) -> Response:
    """GET: the field for the code. POST: the consent page, where the code is known (section 3.3)."""
    action = f"{request.prefix}/device"
    if request.method == "GET":
        try:
            typed = request.parameters().get("user_code", "")
        except Malformed:
            typed = ""
        return pages.device(action, {}, typed)
    typed = request.form().get("user_code", "")
    letters = "".join(character for character in typed.upper() if character.isalpha())
    found = desk.grant("user_code", letters)
    if found is None or found[1] or found[2]:
        return pages.device(action, {}, typed, problem="This code is not known, or is too old.")
    state = desk.grant("device", found[0]["device"])
    body = desk.client(state[0]["client_id"]) if state else None
    if state is None or body is None:
        return pages.device(action, {}, problem="The device has gone away.")
    ticket = secrets.token_urlsafe(24)
    asked = {"client_id": state[0]["client_id"], "device": found[0]["device"], "letters": letters}
    desk.put_grant("ticket", ticket, asked, consent.CODE_LIFE)
    name = str(body.get("client_name") or state[0]["client_id"])
    return pages.consent(
        vendor=TITLE, client=name, scopes=state[0]["scope"].split(), action=f"{action}/decide",
        hidden={"ticket": ticket}, user_code=f"{letters[:4]}-{letters[4:]}",
    )  # fmt: skip


def decide(desk: Desk, request: Request) -> Response:
    approved, asked = consent.decision(desk, request)
    state = desk.grant("device", asked["device"])
    if state is None or state[2]:
        raise Refusal("expired_token", pages.message("Too late", "The code has expired.", 400))
    desk.use_grant(asked["letters"])
    desk.set_grant(asked["device"], {**state[0], "status": "approved" if approved else "denied"})
    desk.note(client=asked["client_id"], decision="approve" if approved else "deny")
    if not approved:
        raise Refusal("denied", pages.message("Denied", "The device was not connected."))
    return pages.message("Connected", "You can go back to your device.")


def redeem(desk: Desk, client: str, form: dict[str, str]) -> dict[str, Any]:
    """One poll (section 3.5). Raises Refusal: authorization_pending, slow_down, access_denied, expired_token."""
    key = digest(form.get("device_code", ""))
    found = desk.grant("device", key)
    if found is None or found[1] or found[0]["client_id"] != client:
        raise error(400, "invalid_grant", "the device code is unknown or was used")
    state, _, expired = found
    if expired:
        raise error(400, "expired_token", "the device code has expired")
    early = desk.now - state["polled"] < state["interval"]
    state["interval"] += 5 if early else 0
    state["polled"] = desk.now
    desk.set_grant(key, state)
    if early:
        raise error(400, "slow_down", "wait five seconds longer between polls")
    if state["status"] == "pending":
        raise error(400, "authorization_pending", "nobody has decided yet")
    desk.use_grant(key)
    if state["status"] == "denied":
        raise error(400, "access_denied", "the person denied it")
    return dict(state)
