"""TextMaster's embedded vendor over real sockets."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest
from sandbox_world import LOOPBACK, TM, World, serving

from provisioner.sandbox.accounts import OUT_OF_BAND

ASK = {"client_id": TM["client_id"], "response_type": "code", "redirect_uri": LOOPBACK, "scope": "user:read"}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with serving(tmp_path / "sandbox") as found:
        yield found


def test_the_pair_has_six_members(world: World) -> None:
    """The published answer, `created_at` by the vendor's clock."""
    world.sandbox.set_clock(1000)
    found = world.tm_pair("user:read project:read")
    assert set(found) == {"access_token", "token_type", "expires_in", "refresh_token", "scope", "created_at"}
    assert (found["token_type"], found["expires_in"], found["scope"]) == ("Bearer", 28800, "user:read project:read")
    assert isinstance(found["created_at"], int)
    assert re.fullmatch(r"[0-9a-f]+", found["access_token"])


def test_the_three_published_encodings(world: World) -> None:
    """Urlencoded, multipart and JSON bodies exchange a code alike."""
    fields = {
        "client_id": TM["client_id"], "client_secret": TM["client_secret"], "grant_type": "authorization_code",
    }  # fmt: skip
    assert world.post("/textmaster/oauth/token", json={**fields, "code": world.tm_code()}).status == 200
    assert world.post("/textmaster/oauth/token", form={**fields, "code": world.tm_code()}).status == 200
    parts = "".join(
        f'--xyz\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in {**fields, "code": world.tm_code()}.items()
    )
    head = {"Content-Type": "multipart/form-data; boundary=xyz"}
    answer = world.post("/textmaster/oauth/token", body=f"{parts}--xyz--\r\n".encode(), headers=head)
    assert answer.status == 200


@pytest.mark.parametrize("head", ["multipart/form-data", "multipart/form-data; boundary=abc", "text/plain"])
def test_bodies_that_cannot_be_read(world: World, head: str) -> None:
    """A body without its boundary or of another type is invalid_request."""
    answer = world.post("/textmaster/oauth/token", body=b"--xyz\r\nnothing", headers={"Content-Type": head})
    assert (answer.status, answer.json()["error"]) == (400, "invalid_request")


def test_credentials_never_belong_into_the_query(world: World) -> None:
    """The page calls them query parameters, and RFC 6749 forbids that."""
    query = urlencode({"client_id": TM["client_id"], "client_secret": TM["client_secret"]})
    assert world.post(f"/textmaster/oauth/token?{query}", form={"grant_type": "authorization_code"}).status == 400


def test_a_code_is_good_once_and_for_ten_minutes(world: World) -> None:
    """A second use, an old code and an unknown one are invalid_grant."""
    code = world.tm_code()
    assert world.tm_exchange(code).status == 200
    assert world.tm_exchange(code).json()["error"] == "invalid_grant"
    old = world.tm_code()
    world.sandbox.set_clock(601)
    assert world.tm_exchange(old).json()["error"] == "invalid_grant"
    assert world.tm_exchange("unknown").json()["error"] == "invalid_grant"


def test_the_redirect_uri_must_be_the_same_twice(world: World) -> None:
    """Optional in the exchange, equal where given."""
    assert world.tm_exchange(world.tm_code(), redirect_uri=f"{LOOPBACK}/").json()["error"] == "invalid_grant"


def test_state_comes_back_unchanged(world: World) -> None:
    """Undocumented and echoed, awkward characters included; a denial names itself."""
    state = 'a&b=c+d/e?"ü'
    answer = world.authorize("/textmaster/oauth/authorize", **ASK, state=state)
    assert (answer.status, answer.sent_back["state"]) == (303, state)
    denied = world.authorize("/textmaster/oauth/authorize", button="deny", **ASK, state=state)
    assert denied.sent_back == {"error": "access_denied", "state": state}


@pytest.mark.parametrize(
    "wrong",
    [
        {"client_id": "nobody"},
        {"redirect_uri": "https://example.com/"},
        {"redirect_uri": "http://127.0.0.1.example.com/"},
        {"response_type": "token"},
        {"scope": "user:everything"},
    ],
)
def test_a_bad_request_is_a_page_and_no_redirect(world: World, wrong: dict[str, str]) -> None:
    """HTML, status 200, no Location and no form: who waits for a redirect needs a deadline."""
    answer = world.get(f"/textmaster/oauth/authorize?{urlencode({**ASK, **wrong})}")
    assert (answer.status, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "location" not in answer.headers
    assert "<form" not in answer.text


def test_out_of_band_shows_the_code_on_a_page(world: World) -> None:
    """In an element with the id `code`, not in the title; the code works."""
    page = world.authorize("/textmaster/oauth/authorize", **{**ASK, "redirect_uri": OUT_OF_BAND})
    found = re.search(r'<code id="code">([^<]+)</code>', page.text)
    assert found
    assert found[1] not in page.text.split("</title>")[0]
    assert world.tm_exchange(found[1], redirect_uri=OUT_OF_BAND).status == 200


def test_a_dead_refresh_token_wins_over_a_wrong_secret(world: World) -> None:
    """invalid_grant proves nothing about the secret; without one it is invalid_grant too."""
    form = {"grant_type": "refresh_token", "refresh_token": "dead", **ASK, "client_secret": "wrong"}
    assert world.post("/textmaster/oauth/token", form=form).json()["error"] == "invalid_grant"
    form["refresh_token"] = world.tm_pair()["refresh_token"]
    assert world.post("/textmaster/oauth/token", form=form).json()["error"] == "invalid_client"
    del form["client_secret"]
    assert world.post("/textmaster/oauth/token", form=form).json()["error"] == "invalid_grant"


def test_401_and_403_carry_the_same_body(world: World) -> None:
    """Only the status tells a dead token from a missing scope."""
    dead = world.tm_me("dead")
    narrow = world.tm_me(world.tm_pair("project:read")["access_token"])
    assert (dead.status, narrow.status) == (401, 403)
    assert dead.body == narrow.body
    assert "WWW-Authenticate".lower() in dead.headers


def test_the_wallet_is_a_float_and_may_be_negative(world: World) -> None:
    """Money and an ISO currency; the address only with its scope; other Accept headers are 406."""
    access = world.tm_pair("user:read")["access_token"]
    world.sandbox.panel("textmaster", "set_wallet", money=-12.5, currency="USD")
    found = world.tm_me(access).json()
    assert found["wallet"] == {"current_money": -12.5, "currency_code": "USD"}
    assert "email" not in found
    assert "email" in world.tm_me(world.tm_pair("user:manage")["access_token"]).json()
    answer = world.get("/textmaster/v1/clients/users/me", bearer=access, headers={"Accept": "text/xml"})
    assert answer.status == 406


def test_the_user_can_shrink_and_revoke(world: World) -> None:
    """Drift without any change of ours: a scope goes from a live token, then the token."""
    access = world.tm_pair("user:read project:read")["access_token"]
    world.sandbox.panel("textmaster", "shrink_scopes", scopes="project:read")
    assert world.tm_me(access).status == 403
    world.sandbox.panel("textmaster", "revoke")
    assert world.tm_me(access).status == 401


def test_unknown_paths_and_grants(world: World) -> None:
    """`errors.base` for a path, RFC 6749's words for a grant."""
    assert world.get("/textmaster/v1/nothing").json() == {"errors": {"base": ["Not found"]}}
    answer = world.post("/textmaster/oauth/token", form={"grant_type": "client_credentials"})
    assert answer.json()["error"] == "unsupported_grant_type"
    assert world.get("/textmaster/ping").json() == {"message": "pong"}
