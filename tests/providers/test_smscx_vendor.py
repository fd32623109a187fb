"""What SMS.CX can do, what a declaration may say of it, and what a person does in its panel."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from provisioner.address import Address
from provisioner.model.desired import Application, CreditFloor
from provisioner.model.observed import ObservedApplication, ProviderObservation
from provisioner.model.recorded import LIVE, ApplicationRecord, TokenRecord
from provisioner.providers import vendor
from provisioner.providers.base import Applications, Credits, Refresh, Revoke, Scopes

APP = Application(
    address=Address("application", "campaigns"),
    provider="cx",
    name="Campaign sender",
    scopes=("groups", "sms"),
    token_lifetime="1d",
)
SEEN = ObservedApplication(
    exists=True, client_id="abc", name="Campaign sender", scopes=("groups", "sms"), token_lifetime="1d"
)
NOW = datetime(2026, 1, 1, tzinfo=UTC)
TOKEN = TokenRecord(
    id="t",
    address=Address("token", "campaigns"),
    application=APP.address,
    consumer=None,
    provider="cx",
    provider_type="smscx",
    status=LIVE,
    issued_at=NOW,
    expires_at=NOW + timedelta(days=1),
    client_id="abc",
)


def test_the_vendors_facts() -> None:
    """Section 6 of the sheet, as the planner reads it."""
    cx = vendor("smscx")
    assert (cx.applications, cx.scopes, cx.credits) == (Applications.FOUND, Scopes.REQUIRED, Credits.MONITOR)
    assert cx.refresh(APP) is Refresh.NONE
    assert cx.revoke(ProviderObservation()) is Revoke.NO
    assert (cx.unit, cx.default_base_url) == ("money", "https://api.sms.cx")
    assert cx.refresh_lifetime() is None
    assert not cx.needs_person(APP)


@pytest.mark.parametrize(
    ("declared", "life", "never"),
    [("1d", timedelta(days=1), False), ("1w", timedelta(weeks=1), False), ("never", None, True), (None, None, False)],
)
def test_a_tokens_life_is_the_applications(declared: str | None, life: timedelta | None, never: bool) -> None:
    """A lost token ends with it, or nobody knows when."""
    cx, application = vendor("smscx"), replace(APP, token_lifetime=declared)
    assert cx.token_lifetime(application) == life
    assert cx.never_expires(application) is never
    assert cx.latest_end(NOW, application) == (NOW + life if life else None)
    assert cx.latest_end(NOW, None) is None


@pytest.mark.parametrize(
    ("changes", "name", "severity", "key"),
    [
        ({"scopes": ()}, "unsupported", "error", "scopes"),
        ({"scopes": ("sms groups",)}, "bad-value", "error", "scopes[0]"),
        ({"scopes": ("groups", "smss")}, "unknown-scope", "warning", "scopes[1]"),
        ({"token_lifetime": "2d"}, "bad-value", "error", "token_lifetime"),
    ],
)
def test_what_a_declaration_may_not_say(changes: dict[str, object], name: str, severity: str, key: str) -> None:
    """Each with the key that it is about."""
    (found,) = vendor("smscx").check_application(replace(APP, **changes))  # type: ignore[arg-type]  # a row of the table
    assert (found.name, found.severity, found.key_path) == (name, severity, key)


@pytest.mark.parametrize("scopes", [("sms",), ("otp", "lookup", "firewall"), ("something_new",)])
def test_a_scope_that_is_newer_than_our_list_is_taken(scopes: tuple[str, ...]) -> None:
    """The panel's own list is the authority."""
    assert vendor("smscx").check_application(replace(APP, scopes=scopes)) == []


def test_nothing_is_asked_of_a_person_where_nothing_differs() -> None:
    """Scopes are a set, and a lifetime that nobody declares is anybody's."""
    cx = vendor("smscx")
    assert cx.application_handoff(APP, SEEN) is None
    assert cx.application_handoff(replace(APP, token_lifetime=None), replace(SEEN, token_lifetime="1w")) is None


def test_a_new_application_is_spelled_out() -> None:
    """Page, button, and every field with its value."""
    for seen in (None, ObservedApplication(exists=False)):
        handoff = vendor("smscx").application_handoff(APP, seen)
        assert handoff is not None
        assert handoff.url == "https://sms.cx"
        assert handoff.instructions[:5] == (
            "Log in to SMS.CX and open HTTP API > Access Tokens (OAuth 2.0).",
            "Click New Application.",
            "Name: Campaign sender",
            "Access token expiration: 1 day",
            "Scopes: groups sms (these and no others)",
        )


@pytest.mark.parametrize(
    ("seen", "line"),
    [
        ({"scopes": ("sms",)}, "Scopes to add: groups"),
        ({"scopes": ("groups", "numbers", "sms")}, "Scopes to remove: numbers"),
        ({"token_lifetime": "never"}, "Access token expiration: 1 day (it is never)"),
        ({"token_lifetime": "fortnight"}, "Access token expiration: 1 day (it is fortnight)"),
        ({"name": ""}, "Name: Campaign sender (it is empty)"),
    ],
)
def test_an_edit_names_what_differs_and_nothing_else(seen: dict[str, object], line: str) -> None:
    """With the Application ID, because names are not unique there."""
    handoff = vendor("smscx").application_handoff(APP, replace(SEEN, **seen))  # type: ignore[arg-type]  # a row of the table
    assert handoff is not None
    assert handoff.instructions[2:-1] == (line,)
    assert "abc" in handoff.instructions[1]


@pytest.mark.parametrize(("ends", "words"), [(TOKEN.expires_at, "2026-01-02T00:00:00Z"), (None, "never")])
def test_a_token_is_killed_in_the_panel(ends: datetime | None, words: str) -> None:
    """All of its application's at once, and it says when this one dies by itself."""
    text = " ".join(vendor("smscx").kill_handoff(replace(TOKEN, expires_at=ends)).instructions)
    assert "Revoke all Access Tokens" in text
    assert words in text
    assert f"Open the application of {TOKEN.application} (Application ID abc)." in text


def test_deleting_and_topping_up_are_the_panels_too() -> None:
    """With the id, and with the amount that is missing."""
    cx = vendor("smscx")
    record = ApplicationRecord(
        id="a", address=APP.address, provider="cx", provider_type="smscx", name="Campaign sender", client_id="abc"
    )
    handoff = cx.delete_handoff(record)
    assert handoff is not None
    assert "Delete the application." in handoff.instructions
    floor = CreditFloor(address=Address("credits", "cx"), provider="cx", minimum=Decimal(25), target=Decimal(50))
    text = " ".join(cx.top_up_handoff(floor, Decimal("10.50"), "EUR").instructions)
    assert "39.50 EUR" in text
