"""The pages a person sees: self-contained, safe against other sites, and free of secrets."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest
from sandbox_world import IDP, LOOPBACK, TK, TM, Reply, World, serving

from provisioner.sandbox.accounts import ACCOUNTS

ASK = {
    "/textmaster/oauth/authorize": {"client_id": TM["client_id"], "scope": "user:read"},
    "/textking/oauth/authorize": {"client_id": TK["client_id"]},
    "/oauth2/authorize": {"client_id": IDP["client_id"], "scope": "jobs:run"},
}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with serving(tmp_path / "sandbox") as found:
        yield found


def shown(world: World, path: str, **more: str) -> Reply:
    query = {**ASK[path], "response_type": "code", "redirect_uri": LOOPBACK, **more}
    return world.get(f"{path}?{urlencode(query)}")


@pytest.mark.parametrize("path", ASK)
def test_a_page_stands_alone(world: World, path: str) -> None:
    """No script, nothing loaded, both buttons, light and dark, small screens, headers that forbid framing."""
    page = shown(world, path)
    assert page.status == 200
    for needed in ('id="approve"', 'id="deny"', 'name="viewport"', "prefers-color-scheme: dark", '<html lang="en">'):
        assert needed in page.text
    for banned in ("<script", "src=", "http-equiv", "<link", "@import", "url(", "onclick"):
        assert banned not in page.text
    assert page.headers["x-frame-options"] == "DENY"
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert page.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("path", ASK)
def test_no_secret_is_on_a_page(world: World, path: str) -> None:
    """Neither the account's secrets nor the state, which is the client's own."""
    page = shown(world, path, state="the-state-of-the-client")
    secrets = [value for account in ACCOUNTS.values() for name, value in account.items() if "secret" in name]
    assert not [value for value in [*secrets, "the-state-of-the-client"] if value in page.text]


@pytest.mark.parametrize("path", ASK)
def test_a_form_is_good_once_and_for_ten_minutes(world: World, path: str) -> None:
    """A second press, an old form, a made-up ticket and a press of no button authorize nothing."""
    page = shown(world, path)
    assert world.submit(page, "approve").status == 303
    assert world.submit(page, "approve").status == 400
    assert world.submit(shown(world, path), "nothing").status == 400
    assert world.post(path, form={"ticket": "x", "decision": "approve"}).status == 400
    old = shown(world, path)
    world.sandbox.set_clock(601)
    assert world.submit(old, "approve").status == 400


def test_another_site_cannot_press_the_button(world: World) -> None:
    """A cross-site form is refused even with a ticket, and the ticket survives that."""
    page = shown(world, "/oauth2/authorize")
    ticket = re.search(r'name="ticket" value="([^"]+)"', page.text)
    assert ticket
    form = {"ticket": ticket[1], "decision": "approve"}
    assert world.post("/oauth2/authorize", form=form, headers={"Sec-Fetch-Site": "cross-site"}).status == 400
    assert world.submit(page, "approve").status == 303


def test_a_ticket_of_one_vendor_is_none_of_another(world: World) -> None:
    """Tickets do not cross."""
    page = shown(world, "/oauth2/authorize")
    ticket = re.search(r'name="ticket" value="([^"]+)"', page.text)
    assert ticket
    assert world.post("/textking/oauth/authorize", form={"ticket": ticket[1], "decision": "approve"}).status == 400


def test_what_comes_from_outside_is_escaped(world: World) -> None:
    """A client's name, a scope and a typed code are text."""
    evil = '"><script>alert(1)</script>'
    made = world.idp_register(
        client_name=evil, grant_types=["authorization_code"], redirect_uris=[LOOPBACK], scope="<b>"
    ).json()
    page = shown(world, "/oauth2/authorize", client_id=made["client_id"], scope="<b>")
    assert page.status == 200
    assert "<script" not in page.text
    assert "<b>" not in page.text
    device = world.get(f"/oauth2/device?{urlencode({'user_code': evil})}")
    assert "<script" not in device.text
    assert "&lt;script&gt;" in device.text


@pytest.mark.parametrize("path", ASK)
@pytest.mark.parametrize(
    "uri",
    ["http://[", "http://127.0.0.1:99999/", "http://127.0.0.1/ü", "http://127.0.0.1/\r\nX: y", "", "//127.0.0.1/"],
)
def test_a_redirect_that_is_no_uri_is_a_page(world: World, path: str, uri: str) -> None:
    """Never a crash, never a header of the asker's choosing."""
    answer = shown(world, path, redirect_uri=uri)
    assert answer.status in (200, 400)
    assert "location" not in answer.headers
    assert 'id="approve"' not in answer.text


def test_the_clients_own_query_is_kept(world: World) -> None:
    """RFC 6749 section 3.1.2."""
    page = shown(world, "/textmaster/oauth/authorize", redirect_uri=f"{LOOPBACK}?keep=1")
    assert world.submit(page, "approve").sent_back["keep"] == "1"
