"""EZ Texting, row by row of its vendor sheet: what is sent, what is understood, and what is never guessed."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent.parent / "net"))  # the server that misbehaves lies with the tests of `net`

from eztexting_account import NOBODY, NOW, PAIR, VALUES, Vendor, opened, sent
from hostile_server import Hostile, hostile, reply

from provisioner.address import Address
from provisioner.errors import CredentialsRefused, InDoubt, RateLimited, StepRefused, Unreachable
from provisioner.model.observed import ALIVE, DEAD, UNKNOWN, ProviderObservation
from provisioner.model.recorded import LOST, TokenRecord
from provisioner.net.answers import Answer
from provisioner.providers import vendor
from provisioner.providers._eztexting_answers import retry_after, said_by
from provisioner.providers._vendor_api import LONGEST_LIFE
from provisioner.providers.base import (
    Applications,
    Credits,
    Provider,
    Refresh,
    Revoke,
    Revoked,
    Scopes,
    TokenWish,
)
from provisioner.secret import Secret


@pytest.fixture
def server() -> Iterator[Hostile]:
    with hostile() as found:
        yield found


@pytest.fixture
def ez(server: Hostile) -> Iterator[Provider]:
    found = opened(server)
    yield found
    found.close()


def test_the_vendors_facts() -> None:
    """Section 6 of the sheet, as the planner reads it."""
    ez = vendor("eztexting")
    assert (ez.applications, ez.scopes, ez.credits) == (Applications.NONE, Scopes.NONE, Credits.PURCHASE)
    assert ez.refresh(None) is Refresh.ROTATES
    assert ez.revoke(ProviderObservation()) is Revoke.YES
    assert ez.refresh_lifetime() == timedelta(days=60)
    assert ez.latest_end(NOW, None) == NOW + timedelta(days=60)
    assert (ez.unit, ez.default_base_url) == ("credits", "https://a.eztexting.com")
    assert {s.name: (s.kind, s.required) for s in ez.settings} == {
        "username": ("secret", True),
        "password": ("secret", True),
        "credential_fields": ("choice", False),
    }


@pytest.mark.parametrize(
    ("spelling", "names"), [(None, ("appKey", "appSecret")), ("username", ("username", "password"))]
)
def test_both_spellings_of_the_token_request(server: Hostile, spelling: str | None, names: tuple[str, str]) -> None:
    """The portal's by default, the published page's where it is set; no authentication header either way."""
    server.behaviour = reply(200, PAIR)
    provider = opened(server, **({"credential_fields": spelling} if spelling else {}))
    grant = provider.create_token(NOBODY, TokenWish())
    provider.close()
    assert sent(server) == dict(zip(names, (VALUES["user"], VALUES["password"]), strict=True))
    assert server.seen[0].headers["content-type"] == "application/json"
    assert "authorization" not in server.seen[0].headers
    assert (grant.access_token, grant.refresh_token) == (Secret("a1"), Secret("r1"))
    assert grant.expires_in == timedelta(minutes=90)


@pytest.mark.parametrize(("life", "expected"), [(5400, 5400), ("5400", 5400), (60.0, 60), (10**30, 10**9)])
def test_the_life_of_an_access_token_is_in_seconds(
    server: Hostile, ez: Provider, life: float | str, expected: int
) -> None:
    """Numbers, digits in a string, and no overflow where it is absurd: then ten years."""
    server.behaviour = reply(200, {**PAIR, "expiresInSeconds": life})
    assert ez.create_token(NOBODY, TokenWish()).expires_in == min(timedelta(seconds=expected), LONGEST_LIFE)


def test_a_life_that_is_missing_is_the_published_one(server: Hostile, ez: Provider) -> None:
    """The token is good all the same: 90 minutes."""
    server.behaviour = reply(200, {"accessToken": "a1"})
    assert ez.create_token(NOBODY, TokenWish()).expires_in == timedelta(minutes=90)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        {},
        {"accessToken": ""},
        {"accessToken": 5},
        {"accessToken": "a\nb"},
        {**PAIR, "refreshToken": 7},
        {**PAIR, "expiresInSeconds": "soon"},
        {**PAIR, "expiresInSeconds": 0},
        {**PAIR, "expiresInSeconds": True},
    ],
)
def test_a_grant_that_cannot_be_understood_is_in_doubt(server: Hostile, ez: Provider, body: Any) -> None:
    """A pair may live out there: that is not a failure."""
    server.behaviour = reply(200, body)
    with pytest.raises(InDoubt):
        ez.create_token(NOBODY, TokenWish())


def test_a_refused_login_is_exit_8(server: Hostile, ez: Provider) -> None:
    """In the vendor's own words."""
    server.behaviour = reply(401, {"status": 401, "title": "Invalid username or password"})
    with pytest.raises(CredentialsRefused, match="Invalid username or password"):
        ez.create_token(NOBODY, TokenWish())


def test_a_refused_body_names_the_setting(server: Hostile, ez: Provider) -> None:
    """400 is what the other spelling gets."""
    server.behaviour = reply(400, {"errors": [{"code": "400", "message": "bad body"}]})
    with pytest.raises(StepRefused, match="bad body") as caught:
        ez.create_token(NOBODY, TokenWish())
    assert "credential_fields" in caught.value.diagnostics[0].detail


@pytest.mark.parametrize("status", [400, 401, 404])
def test_a_dead_refresh_token_is_invalid_grant(server: Hostile, ez: Provider, status: int) -> None:
    """Its failure is undocumented; the login may be right all the same, so this is not CredentialsRefused."""
    server.behaviour = reply(status, {"title": "no"})
    with pytest.raises(StepRefused) as caught:
        ez.refresh_token(NOBODY, Secret("r0"), TokenWish())
    assert caught.value.oauth_error == "invalid_grant"
    assert sent(server) == {"refreshToken": "r0"}


def test_a_refresh_answers_both_halves(server: Hostile, ez: Provider) -> None:
    """The old pair is to be forgotten."""
    server.behaviour = reply(200, PAIR)
    grant = ez.refresh_token(NOBODY, Secret("r0"), TokenWish())
    assert (grant.access_token, grant.refresh_token) == (Secret("a1"), Secret("r1"))


@pytest.mark.parametrize("pair", [True, False])
def test_no_half_of_a_revoked_pair_lives(server: Hostile, ez: Provider, pair: bool) -> None:
    """Whether one revocation kills both (the portal) or its own half only (the page): both are dead in the end."""
    there = Vendor(pair=pair)
    server.script = there
    assert ez.revoke_token(NOBODY, Secret("a1"), Secret("r1")) is Revoked.REVOKED
    assert there.live == set()
    assert there.revoked == (["REFRESH_TOKEN"] if pair else ["REFRESH_TOKEN", "ACCESS_TOKEN"])


def test_a_pair_of_which_one_half_is_revoked_is_in_doubt(
    server: Hostile, ez: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other half could not be sent: "nothing was sent" would be a lie."""
    server.script = Vendor(pair=False)
    change, times = ez.session.change, iter((True, False))

    def once(*words: Any, **named: Any) -> Any:
        if next(times):
            return change(*words, **named)
        raise Unreachable("interrupted", "the run is stopping")

    monkeypatch.setattr(ez.session, "change", once)
    with pytest.raises(InDoubt, match="the refresh token was revoked"):
        ez.revoke_token(NOBODY, Secret("a1"), Secret("r1"))


def test_an_unknown_token_counts_as_dead(server: Hostile, ez: Provider) -> None:
    """4xx to a second revocation, and a probe that agrees."""
    there = Vendor(pair=True)
    there.live = set()
    server.script = there
    assert ez.revoke_token(NOBODY, Secret("a1"), Secret("r1")) is Revoked.ALREADY_DEAD


def test_a_token_that_survives_is_said_to(server: Hostile, ez: Provider) -> None:
    """200 is not proof."""
    server.script = Vendor(pair=True, obeys=False)
    assert ez.revoke_token(NOBODY, Secret("a1"), Secret("r1")) is Revoked.SURVIVED


def test_a_revocation_whose_effect_cannot_be_read_is_in_doubt(server: Hostile, ez: Provider) -> None:
    """The account itself is refused, so a 401 to the token proves nothing."""
    server.script = Vendor(pair=True, login=False)
    with pytest.raises(InDoubt, match="effect"):
        ez.revoke_token(NOBODY, Secret("a1"), Secret("r1"))


def test_a_probe_tells_dead_from_account_refused(server: Hostile, ez: Provider) -> None:
    """Two 401s and a login that is taken: dead. A login that is refused: unknown."""
    server.script = Vendor(pair=True)
    assert ez.probe_token(Secret("a1"), None).liveness == ALIVE
    assert ez.probe_token(Secret("other"), None).liveness == DEAD
    assert [seen.headers["authorization"][:6] for seen in server.seen[1:]] == ["Bearer", "Basic ", "Bearer"]


def test_a_probe_of_a_refused_account_is_unknown(server: Hostile, ez: Provider) -> None:
    """One 401 never marks a credential dead (trap 4)."""
    server.script = Vendor(pair=True, login=False)
    assert ez.probe_token(Secret("other"), None).liveness == UNKNOWN
    server.script = lambda _: reply(403)
    assert ez.probe_token(Secret("a1"), None).liveness == UNKNOWN


def test_waits_are_milliseconds(server: Hostile, ez: Provider) -> None:
    """1500 is a second and a half, not twenty-five minutes."""
    server.behaviour = reply(429, b"", {"X-Rate-Limit-Retry-After-Milliseconds": "1500"})
    with pytest.raises(RateLimited) as caught:
        ez.create_token(NOBODY, TokenWish())
    assert caught.value.retry_after == 1.5


@given(st.text(max_size=30))
def test_any_header_is_a_number_or_nothing(text: str) -> None:
    """What is no number is not guessed at."""
    found = retry_after({"x-rate-limit-retry-after-milliseconds": text})
    assert found is None or isinstance(found, float)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"title": "T", "detail": "D", "errors": [{"title": "t", "message": "M"}]}, "M"),
        ({"title": "T", "errors": [{"code": "401", "message": "M"}]}, "M"),
        ({"title": "T", "detail": "D", "errors": []}, "D"),
        ({"title": "T", "errors": "none"}, "T"),
        ({"errors": [None]}, ""),
        ({}, ""),
    ],
)
def test_both_shapes_of_an_error_are_read(body: dict[str, Any], words: str) -> None:
    """Documented and observed differ (trap 24)."""
    assert said_by(Answer(400, {}, json.dumps(body).encode())) == words


def test_a_lost_pair_can_be_ended_by_a_person() -> None:
    """How, and when it ends by itself."""
    record = TokenRecord(
        id="t",
        address=Address("token", "x"),
        application=Address("application", "x"),
        consumer=None,
        provider="ez",
        provider_type="eztexting",
        status=LOST,
        issued_at=NOW,
        expires_at=NOW + timedelta(days=60),
    )
    text = " ".join(vendor("eztexting").kill_handoff(record).instructions)
    assert "password" in text
    assert "2026-03-02T00:00:00Z" in text
