"""What a person does at a vendor's web site, where the vendor has no API for it.

Reached by `Sandbox.panel(vendor, action, **arguments)` and `POST /_sandbox/panel`.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any

from provisioner.sandbox import oauth2_clients, smscx, textmaster
from provisioner.sandbox.accounts import ACCOUNTS
from provisioner.sandbox.desk import Desk, digest


def act(desk: Desk, action: str, arguments: dict[str, Any]) -> Any:
    """Raises ValueError where there is no such vendor, action or object, TypeError on wrong arguments."""
    found = ACTIONS.get(desk.vendor, {}).get(action)
    if found is None:
        known = ", ".join(ACTIONS.get(desk.vendor, {})) or "none"
        raise ValueError(f"the panel of {desk.vendor!r} has no {action!r}; it has: {known}")
    return found(desk, **arguments)


# -- EZ Texting ------------------------------------------------------------------------------------------------------


def _set_credits(desk: Desk, plan: int = 0, anytime: int = 0) -> None:
    """Sets the balance to exactly this, whatever was bought before."""
    bought = desk.db.execute(
        "SELECT coalesce(sum(credits), 0) FROM purchases WHERE visible <= ?", [desk.now]
    ).fetchone()
    desk.set_fact("plan", int(plan))
    desk.set_fact("anytime", int(anytime) - int(bought[0]))
    desk.note(set_plan=int(plan), set_anytime=int(anytime))


def _spend(desk: Desk, amount: int) -> None:
    """Sends messages: plan credits first, as they lapse."""
    plan = int(desk.fact("plan"))
    from_plan = min(plan, int(amount))
    desk.set_fact("plan", plan - from_plan)
    desk.set_fact("anytime", int(desk.fact("anytime")) - (int(amount) - from_plan))
    desk.note(spent=int(amount))


def _change_password(desk: Desk, password: str) -> None:
    desk.set_fact("password", digest(password))
    if desk.switch("password_change") == "kills":
        desk.kill(*desk.of_client("account"))


# -- SMS.CX ----------------------------------------------------------------------------------------------------------


def _create_application(
    desk: Desk, name: str = "", scopes: str | list[str] = "", token_expiration: str = smscx.DAY
) -> dict[str, str]:
    """`scopes` as a list or blank-separated; `token_expiration`: "1 day", "1 week" or "never"."""
    number = 1 + max((int(app["id"]) for app in desk.clients().values()), default=0)
    app_id = f"5a4db0c5{secrets.token_hex(16)}"
    smscx.add_application(desk, app_id, number, name, _scopes(scopes), _expiration(token_expiration))
    app = _application(desk, app_id)
    return {"client_id": app_id, "client_secret": smscx.secret_of(desk, app_id, app)}


def _edit_application(
    desk: Desk,
    client_id: str,
    name: str | None = None,
    scopes: str | list[str] | None = None,
    token_expiration: str | None = None,
) -> None:
    app = _application(desk, client_id)
    if name is not None:
        app["name"] = name
    if token_expiration is not None:
        app["expiration"] = _expiration(token_expiration)
    if scopes is not None:
        app["scopes"] = _scopes(scopes)
        if desk.switch("scope_edit") == "shrinks":
            for token in desk.of_client(client_id):
                desk.set_scope(token, " ".join(s for s in token.scope.split() if s in app["scopes"].split()))
    desk.put_client(client_id, app)


def _delete_application(desk: Desk, client_id: str) -> None:
    _application(desk, client_id)
    desk.drop_client(client_id)
    if desk.switch("delete_application") == "kills":
        desk.kill(*desk.of_client(client_id))


def _reset_secret(desk: Desk, client_id: str) -> dict[str, str]:
    app = _application(desk, client_id)
    app["secret"] += 1
    desk.put_client(client_id, app)
    if desk.switch("secret_reset") == "kills":
        desk.kill(*desk.of_client(client_id))
    return {"client_secret": smscx.secret_of(desk, client_id, app)}


def _revoke_all(desk: Desk, client_id: str) -> None:
    _application(desk, client_id)
    desk.kill(*desk.of_client(client_id))


def _set_balance(desk: Desk, balance: float) -> None:
    desk.set_fact("balance", float(balance))


def _application(desk: Desk, client_id: str) -> dict[str, Any]:
    app = desk.client(client_id)
    if app is None:
        raise ValueError("there is no such application")
    return app


def _scopes(given: str | list[str]) -> str:
    found = given.split() if isinstance(given, str) else list(given)
    unknown = sorted(set(found) - set(smscx.SCOPES))
    if unknown or not found:
        raise ValueError(f"not scopes of SMS.CX: {', '.join(unknown)}" if unknown else "choose at least one scope")
    return " ".join(found)


def _expiration(word: str) -> str:
    if word not in smscx.LIFETIMES:
        raise ValueError(f"token_expiration is one of: {', '.join(smscx.LIFETIMES)}")
    return word


# -- TextMaster, TEXTKING, OAuth 2.0 ---------------------------------------------------------------------------------


def _set_wallet(desk: Desk, money: float, currency: str | None = None) -> None:
    """Money, which may be zero or negative."""
    desk.set_fact("wallet", float(money))
    if currency is not None:
        desk.set_fact("currency", currency)


def _shrink_scopes(desk: Desk, scopes: str | list[str]) -> None:
    """The user takes scopes from live tokens; what is not named goes."""
    kept = scopes.split() if isinstance(scopes, str) else scopes
    if set(kept) - set(textmaster.SCOPES):
        raise ValueError("not scopes of TextMaster")
    for token in desk.of_client(ACCOUNTS["textmaster"]["client_id"]):
        desk.set_scope(token, " ".join(s for s in token.scope.split() if s in kept))


def _revoke(desk: Desk) -> None:
    """The user takes the application's access away."""
    desk.kill(*desk.tokens())


def _revoke_client(desk: Desk, client_id: str) -> None:
    desk.kill(*desk.of_client(client_id))


def _delete_client(desk: Desk, client_id: str) -> None:
    """An administrator deletes a client; what becomes of its tokens is a switch."""
    _application(desk, client_id)
    desk.drop_client(client_id)
    if desk.switch("delete_client") == "kills":
        desk.kill(*desk.of_client(client_id))


def _edit_client(
    desk: Desk,
    client_id: str,
    name: str | None = None,
    scopes: str | list[str] | None = None,
    redirect_uris: list[str] | None = None,
) -> None:
    """An administrator changes a registration behind its owner's back."""
    body = _application(desk, client_id)
    body |= {"client_name": name} if name is not None else {}
    body |= {"scope": scopes if isinstance(scopes, str) else " ".join(scopes)} if scopes is not None else {}
    body |= {"redirect_uris": list(redirect_uris)} if redirect_uris is not None else {}
    desk.put_client(client_id, body)


def _reset_client_secret(desk: Desk, client_id: str) -> dict[str, str]:
    """An administrator gives a registered client another secret."""
    body = _application(desk, client_id)
    body["generation"] = int(body.get("generation", 0)) + 1
    secret = oauth2_clients.secret_of(desk, client_id, body)
    desk.put_client(client_id, {**body, "secret": digest(secret)})
    return {"client_secret": secret}


Action = Callable[..., Any]
ACTIONS: dict[str, dict[str, Action]] = {
    "eztexting": {"set_credits": _set_credits, "spend_credits": _spend, "change_password": _change_password},
    "smscx": {
        "create_application": _create_application, "edit_application": _edit_application,
        "delete_application": _delete_application, "reset_secret": _reset_secret, "revoke_all": _revoke_all,
        "set_balance": _set_balance,
    },
    "textmaster": {"set_wallet": _set_wallet, "shrink_scopes": _shrink_scopes, "revoke": _revoke},
    "textking": {"revoke": _revoke},
    "oauth2": {
        "revoke": _revoke_client, "delete_client": _delete_client, "edit_client": _edit_client,
        "reset_secret": _reset_client_secret,
    },
}  # fmt: skip
