"""SMS.CX's embedded vendor over real sockets."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sandbox_world import APP, CX, World, serving

from provisioner.sandbox.smscx import SCOPES

PAIR = (APP["client_id"], APP["client_secret"])


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with serving(tmp_path / "sandbox") as found:
        yield found


def error_of(answer: Any) -> str:
    found = answer.json()["error"]
    assert set(found) == {"type", "message", "uri", "code"}
    return str(found["type"])


def test_a_token_has_the_published_shape(world: World) -> None:
    """40 lower-case hex digits, an integer lifetime, `Bearer` to the letter, and the scopes as one string."""
    found = world.cx_token("sms").json()
    assert set(found) == {"access_token", "expires_in", "token_type", "scope"}
    assert re.fullmatch(r"[0-9a-f]{40}", found["access_token"])
    assert (found["expires_in"], found["token_type"], found["scope"].split()) == (86400, "Bearer", ["sms"])


@pytest.mark.parametrize("scope", [None, ""])
def test_no_scope_is_every_scope(world: World, scope: str | None) -> None:
    """The trap: a missing or empty scope mints a token with full privileges."""
    assert set(world.cx_token(scope).json()["scope"].split()) == set(SCOPES)


@pytest.mark.parametrize(
    ("form", "status", "kind"),
    [
        ({}, 400, "invalid_request"),
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
        ({"grant_type": "client_credentials", "scope": "nonsense"}, 400, "invalid_scope"),
        ({"grant_type": "client_credentials", "scope": "SMS"}, 400, "invalid_scope"),
        ({"grant_type": "client_credentials", "scope": "sms reports"}, 400, "invalid_scope"),
    ],
)
def test_refusals_of_the_token_endpoint(world: World, form: dict[str, str], status: int, kind: str) -> None:
    """The vendor's envelope with code 1600, whatever was wrong."""
    answer = world.post("/smscx/oauth/token", form=form, basic=PAIR)
    assert (answer.status, error_of(answer), answer.json()["error"]["code"]) == (status, kind, 1600)


def test_only_basic_authenticates_a_client(world: World) -> None:
    """Credentials in the body, a wrong secret, a trailing blank and a broken header are 401 invalid_client."""
    grant = {"grant_type": "client_credentials", "scope": "sms"}
    in_body = {**grant, "client_id": PAIR[0], "client_secret": PAIR[1]}
    assert error_of(world.post("/smscx/oauth/token", form=in_body)) == "invalid_client"
    for pair in ((PAIR[0], "no"), ("no", PAIR[1]), (PAIR[0], PAIR[1] + " ")):
        answer = world.post("/smscx/oauth/token", form=grant, basic=pair)
        assert (answer.status, error_of(answer)) == (401, "invalid_client")


def test_a_parameter_given_twice_is_refused(world: World) -> None:
    """Each parameter once, and a form body only."""
    head = {"Content-Type": "application/x-www-form-urlencoded"}
    body = b"grant_type=client_credentials&scope=sms&scope=groups"
    assert world.post("/smscx/oauth/token", body=body, headers=head, basic=PAIR).status == 400
    assert world.post("/smscx/oauth/token", json={"grant_type": "client_credentials"}, basic=PAIR).status == 400


def test_the_list_and_the_detail_differ_as_published(world: World) -> None:
    """The list shows secrets and `applicationName`, newest first; the detail shows `name`, settings and no secret."""
    listed = world.cx_get("/applications").json()["data"]
    assert [app["applicationName"] for app in listed] == ["Reports", "Campaign sender"]
    assert listed[1]["applicationSecret"] == APP["client_secret"]
    assert isinstance(listed[1]["id"], int)
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", listed[1]["createdAt"])
    detail = world.cx_get(f"/applications/{APP['client_id']}").json()
    assert (detail["name"], set(detail["scopes"].split())) == ("Campaign sender", {"sms", "groups"})
    assert set(detail["settings"]) == {
        "sms", "viber", "whatsapp", "multichannel", "shortlinks", "attachments", "optouts", "lookup", "otp",
    }  # fmt: skip
    assert APP["client_secret"] not in str(detail)
    assert world.cx_get("/applications/scopes").json() == list(SCOPES)
    assert error_of(world.cx_get("/applications/unknown")) == "not_found"


def test_bearer_tokens_are_held_to_their_scopes(world: World) -> None:
    """The first path segment is the scope: 403 without it, 401 for a dead token, 401 for a wrong key."""
    access = world.cx_token("sms").json()["access_token"]
    assert world.get("/smscx/sms", bearer=access).status == 200
    assert error_of(world.get("/smscx/groups", bearer=access)) == "insufficient_scope"
    world.sandbox.set_clock(86401)
    assert world.get("/smscx/sms", bearer=access).status == 401
    assert error_of(world.get("/smscx/sms", headers={"X-API-KEY": "no"})) == "invalid_api_key"
    assert error_of(world.get("/smscx/sms")) == "invalid_api_key"


def test_nothing_is_written_by_api(world: World) -> None:
    """There is no write API for applications: 405."""
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        answer = world.call(method, "/smscx/applications", json={}, headers={"X-API-KEY": CX["api_key"]})
        assert (answer.status, error_of(answer)) == (405, "invalid_method")


def test_the_panel_does_what_no_api_does(world: World) -> None:
    """Create, edit, reset, revoke all and delete show in the list, and each application has its own secret."""
    made = world.sandbox.panel("smscx", "create_application", name="New", scopes=["otp"], token_expiration="never")
    assert re.fullmatch(r"[0-9a-f]{40}", made["client_id"])
    assert re.fullmatch(r"[0-9a-f]{40}", made["client_secret"])
    token = world.cx_token("otp", made)
    assert token.status == 200
    world.sandbox.panel("smscx", "edit_application", client_id=made["client_id"], scopes="otp lookup", name="Newer")
    detail = world.cx_get(f"/applications/{made['client_id']}").json()
    assert (detail["name"], sorted(detail["scopes"].split())) == ("Newer", ["lookup", "otp"])
    reset = world.sandbox.panel("smscx", "reset_secret", client_id=made["client_id"])
    assert reset["client_secret"] != made["client_secret"]
    assert world.cx_token("otp", made).status == 401
    made |= reset
    access = world.cx_token("otp", made).json()["access_token"]
    world.sandbox.panel("smscx", "revoke_all", client_id=made["client_id"])
    assert world.get("/smscx/otp", bearer=access).status == 401
    world.sandbox.panel("smscx", "delete_application", client_id=made["client_id"])
    assert world.cx_get(f"/applications/{made['client_id']}").status == 404


def test_balance_is_money_and_headers_are_named(world: World) -> None:
    """A JSON number, a currency, and the vendor's own rate-limit headers."""
    world.sandbox.panel("smscx", "set_balance", balance=-3.75)
    answer = world.cx_get("/account/balance")
    assert answer.json() == {"balance": -3.75, "currency": "eur", "billing": "prepaid"}
    assert {"x-request-id", "x-response-time", "x-rate-limit-limit", "x-rate-limit-remaining"} <= set(answer.headers)
