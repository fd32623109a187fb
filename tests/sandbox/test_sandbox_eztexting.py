"""EZ Texting's embedded vendor over real sockets."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sandbox_world import EZ, World, serving

from provisioner.secret import fingerprint

LOGIN = (EZ["username"], EZ["password"])


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with serving(tmp_path / "sandbox") as found:
        yield found


@pytest.mark.parametrize("names", [("appKey", "appSecret"), ("username", "password")])
def test_both_spellings_buy_a_pair(world: World, names: tuple[str, str]) -> None:
    """The login pair is taken under either published spelling, and the access token reads the balance."""
    answer = world.post("/eztexting/v1/tokens/create", json=dict(zip(names, LOGIN, strict=True)))
    assert answer.status == 200
    assert set(answer.json()) == {"accessToken", "refreshToken", "expiresInSeconds"}
    assert answer.json()["expiresInSeconds"] == 5400
    assert world.ez_alive(answer.json()["accessToken"])


@pytest.mark.parametrize(
    "body",
    [
        {"appKey": EZ["username"], "password": EZ["password"]},
        {"username": EZ["username"], "password": EZ["password"], "appKey": "x"},
        {"appKey": EZ["username"]},
        {"appKey": 1, "appSecret": EZ["password"]},
        ["appKey", "appSecret"],
    ],
)
def test_a_mixed_or_partial_login_is_refused(world: World, body: object) -> None:
    """Fields of two spellings, missing fields and fields of another type are 400."""
    assert world.post("/eztexting/v1/tokens/create", json=body).status == 400


def test_a_repeated_json_name_is_refused(world: World) -> None:
    """A body that says a field twice is no body."""
    body = b'{"refreshToken": "a", "refreshToken": "b"}'
    answer = world.post("/eztexting/v1/tokens/refresh", body=body, headers={"Content-Type": "application/json"})
    assert answer.status == 400


def test_other_media_types_are_415(world: World) -> None:
    """Token and purchase bodies are JSON, and said to be."""
    form = {"appKey": EZ["username"], "appSecret": EZ["password"]}
    assert world.post("/eztexting/v1/tokens/create", form=form).status == 415


@pytest.mark.parametrize("amount", ["1000", 1000.0, 0, -5, True, None, 10**12])
def test_credits_must_be_a_positive_integer(world: World, amount: object) -> None:
    """A string, a float, a boolean or a senseless number of credits buys nothing."""
    before = world.ez_balance()
    assert world.ez_buy(amount).status == 400
    assert world.ez_balance() == before
    assert world.sandbox.purchases() == []


def test_the_card_is_a_string_of_four_digits(world: World) -> None:
    """`0042` is not 42, and another card is declined."""
    for card in (42, "42", "9999", "00042"):
        assert world.ez_buy(100, creditCardLastFour=card).status == 400
    assert world.sandbox.purchases() == []


def test_a_purchase_raises_the_bought_credits_only(world: World) -> None:
    """Plan credits stay, anytime credits rise by exactly what was bought, once."""
    before = world.get("/eztexting/v1/credits", basic=LOGIN).json()
    answer = world.ez_buy(1000)
    after = world.get("/eztexting/v1/credits", basic=LOGIN).json()
    assert (answer.status, answer.body) == (200, b"")
    assert after["anytimeCredits"] == before["anytimeCredits"] + 1000
    assert after["planCredits"] == before["planCredits"]
    assert after["totalCredits"] == after["planCredits"] + after["anytimeCredits"]
    assert [p["credits"] for p in world.sandbox.purchases()] == [1000]


def test_credentials_of_every_kind(world: World) -> None:
    """Basic and bearer have the same rights; none, a wrong one and a malformed one are 401 in the observed shape."""
    access = world.ez_pair()["accessToken"]
    assert world.get("/eztexting/v1/credits", bearer=access).status == 200
    missing = world.get("/eztexting/v1/credits")
    assert missing.json() == {
        "status": 401,
        "title": "Missing authorization header",
        "errors": [{"code": "401", "message": "Authorization header is required"}],
    }
    wrong = world.get("/eztexting/v1/credits", basic=(LOGIN[0], "no"))
    assert wrong.json()["title"] == "Invalid username or password"
    for header in ("Basic !!!", "Basic bm9jb2xvbg==", "Digest x", "Bearer"):
        assert world.get("/eztexting/v1/credits", headers={"Authorization": header}).status == 401


def test_tokens_expire_by_the_vendors_clock(world: World) -> None:
    """The access token ends after 90 minutes, the refresh token after 60 days."""
    pair = world.ez_pair()
    world.sandbox.set_clock(5401)
    assert not world.ez_alive(pair["accessToken"])
    fresh = world.ez_refresh(pair["refreshToken"]).json()
    assert world.ez_alive(fresh["accessToken"])
    world.sandbox.set_clock(61 * 86400)
    assert world.ez_refresh(fresh["refreshToken"]).status == 401


def test_revoke_wants_the_right_type(world: World) -> None:
    """An access token that is called a refresh token is not found, and lives on."""
    pair = world.ez_pair()
    assert world.ez_revoke(pair["accessToken"], "REFRESH_TOKEN").status == 400
    assert world.ez_revoke(pair["accessToken"], "TOKEN").status == 400
    assert world.ez_alive(pair["accessToken"])
    assert world.ez_revoke(pair["accessToken"]).status == 200
    assert not world.ez_alive(pair["accessToken"])


def test_the_ledger_tells_what_happened_and_no_secret(world: World) -> None:
    """Creates, refreshes, revokes and purchases stand in order, with fingerprints of what was made and killed."""
    first = world.ez_pair()
    second = world.ez_refresh(first["refreshToken"]).json()
    world.ez_revoke(second["accessToken"])
    world.ez_revoke(second["accessToken"])
    world.ez_buy(250)
    world.ez_buy(250, creditCardLastFour="9999")
    entries = world.sandbox.ledger("eztexting")
    assert [(e["operation"], e["outcome"]) for e in entries] == [
        ("token.create", "done"),
        ("token.refresh", "done"),
        ("token.revoke", "done"),
        ("token.revoke", "already-dead"),
        ("credits.purchase", "done"),
        ("credits.purchase", "declined"),
    ]
    assert entries[0]["made"] == [fingerprint(first["accessToken"]), fingerprint(first["refreshToken"])]
    assert sorted(entries[2]["killed"]) == sorted(map(fingerprint, (second["accessToken"], second["refreshToken"])))
    assert entries[4]["credits"] == 250
    assert "credits" not in entries[5]
    for value in (*first.values(), *second.values(), EZ["password"]):
        assert str(value) not in str(world.get("/_sandbox/ledger").json()) or isinstance(value, int)


def test_unknown_paths_and_methods(world: World) -> None:
    """404 and 405 carry the vendor's envelope too."""
    assert world.get("/eztexting/v1/nothing").json()["status"] == 404
    assert world.get("/eztexting/v1/tokens/create").json()["status"] == 405
    assert world.get("/nobody/v1").status == 404
