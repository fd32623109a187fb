"""TEXTKING's embedded vendor over real sockets."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest
from sandbox_world import LOOPBACK, TK, World, serving

ASK = {"client_id": TK["client_id"], "response_type": "code", "redirect_uri": LOOPBACK}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with serving(tmp_path / "sandbox") as found:
        yield found


def test_the_published_answer(world: World) -> None:
    """A string for a lifetime, `bearer` in lower case, a refresh token, and never a scope."""
    found = world.tk_pair()
    assert set(found) == {"access_token", "token_type", "expires_in", "refresh_token"}
    assert (found["token_type"], found["expires_in"]) == ("bearer", "2592000")
    assert world.tk_alive(found["access_token"])


def test_codes_need_encoding(world: World) -> None:
    """A `!` in the code, percent-encoded on the wire, and the state echoed."""
    answer = world.authorize("/textking/oauth/authorize", **ASK, state="x y")
    assert "!" in answer.sent_back["code"]
    assert "!" not in answer.headers["location"]
    assert answer.sent_back["state"] == "x y"


def test_offline_access_has_two_members_and_no_end(world: World) -> None:
    """No lifetime, no refresh token; a hundred years later it lives."""
    found = world.tk_exchange(world.tk_code(), offline_access="1").json()
    assert set(found) == {"access_token", "token_type"}
    world.sandbox.set_clock(100 * 365 * 86400)
    assert world.tk_alive(found["access_token"])


def test_a_plus_that_is_not_encoded_is_refused(world: World) -> None:
    """The secret's `+` arrives as a blank, as the published page warns."""
    form = {"grant_type": "authorization_code", "code": world.tk_code(), "redirect_uri": LOOPBACK, **ASK}
    raw = urlencode(form) + f"&client_secret={TK['client_secret']}"
    head = {"Content-Type": "application/x-www-form-urlencoded"}
    assert world.post("/textking/oauth/token", body=raw.encode(), headers=head).status == 400


def test_redirect_uri_is_required_and_equal(world: World) -> None:
    """Exactly the one of step 2."""
    assert world.tk_exchange(world.tk_code(), redirect_uri="http://127.0.0.1:10/callback").status == 400
    assert world.tk_exchange(world.tk_code(), redirect_uri="").status == 400


def test_codes_are_single_use_and_expire(world: World) -> None:
    """A second exchange and a late one are refused with an empty body."""
    code = world.tk_code()
    assert world.tk_exchange(code).status == 200
    second = world.tk_exchange(code)
    assert (second.status, second.body) == (400, b"")
    late = world.tk_code()
    world.sandbox.set_clock(601)
    assert world.tk_exchange(late).status == 400


def test_a_dead_token_is_403_with_an_empty_body(world: World) -> None:
    """Missing, invalid, expired and revoked alike."""
    access = world.tk_pair()["access_token"]
    for bearer in (None, "nonsense"):
        answer = world.get("/textking/v1/projects", bearer=bearer)
        assert (answer.status, answer.body) == (403, b"")
    world.sandbox.panel("textking", "revoke")
    assert world.get("/textking/v1/projects", bearer=access).status == 403
    fresh = world.tk_pair()["access_token"]
    world.sandbox.set_clock(2592001)
    assert world.get("/textking/v1/projects", bearer=fresh).status == 403


def test_the_probe_is_a_page_of_projects(world: World) -> None:
    """`per_page` from 1 to 100."""
    access = world.tk_pair()["access_token"]
    answer = world.get("/textking/v1/projects?per_page=1", bearer=access)
    assert answer.json() == {"page": 1, "per_page": 1, "total": 0, "items": []}
    for wrong in ("0", "101", "x", "1e1"):
        assert world.get(f"/textking/v1/projects?per_page={wrong}", bearer=access).status == 400
    assert world.get("/textking/v1/price-info").status == 200


@pytest.mark.parametrize("form", [{"grant_type": "client_credentials"}, {}])
def test_other_grants_are_refused(world: World, form: dict[str, str]) -> None:
    """Only a code and a refresh token buy anything, and only as a form."""
    pair = {"client_id": TK["client_id"], "client_secret": TK["client_secret"]}
    assert world.post("/textking/oauth/token", form={**pair, **form}).status == 400
    assert world.post("/textking/oauth/token", json={**pair, **form}).status == 400
