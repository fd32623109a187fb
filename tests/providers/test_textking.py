"""TEXTKING: strings for numbers, 403 for a dead token, refreshes that may or may not rotate."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from oauth_fakes import (
    CLIENT,
    FakeSession,
    answer,
    application,
    approve,
    as_session,
    config,
    everything_said,
    opener,
    record,
    resolve,
    token_record,
)

from provisioner.errors import InDoubt, StepRefused
from provisioner.model.desired import SecretRef
from provisioner.model.observed import ALIVE, DEAD, UNKNOWN
from provisioner.net.session import Session
from provisioner.providers import base
from provisioner.providers.base import Refresh, Revoked, TokenWish
from provisioner.providers.textking import VENDOR, Provider
from provisioner.sandbox.app import Sandbox, open_sandbox
from provisioner.secret import Secret
from provisioner.times import from_rfc3339

PROBE = "https://api.textking.com/v1/projects?per_page=1"
TOKEN = "https://www.textking.com/oauth/token"
REDIRECT = "http://127.0.0.1:8123/callback"
WISH = TokenWish()
OFFLINE = TokenWish(offline_access=True)


def fake(table: dict[str, Any], **settings: str) -> tuple[Provider, FakeSession]:
    session = FakeSession(table)
    return Provider(config("textking", VENDOR.default_base_url, **settings), as_session(session), resolve), session


@dataclass
class World:
    provider: Provider
    sandbox: Sandbox
    client: base.ClientCredentials

    def authorized(self, wish: TokenWish = WISH) -> base.Grant:
        request = self.provider.authorization_request(self.client, wish, REDIRECT)
        code = self.provider.read_callback(request, approve(self.sandbox, request.url))
        return self.provider.exchange_code(self.client, wish, request, code)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    sandbox = open_sandbox(tmp_path)
    session = Session(provider="tk", sandbox=tmp_path)
    provider = Provider(config("textking", "sandbox"), session, resolve)
    yield World(provider, sandbox, provider.credentials(application(), None, opener))
    session.close()
    sandbox.close()


def test_the_three_urls_default_to_the_published_page() -> None:
    """base_url sets all three at once."""
    one, _ = fake({})
    assert (one.authorize_url, one.token_url, one.api_url) == (
        "https://www.textking.com/oauth/authorize",
        "https://www.textking.com/oauth/token",
        "https://api.textking.com",
    )
    other = Provider(config("textking", "http://127.0.0.1:1/textking"), as_session(FakeSession({})), resolve)
    assert (other.token_url, other.api_url) == (
        "http://127.0.0.1:1/textking/oauth/token",
        "http://127.0.0.1:1/textking",
    )


def test_the_authorize_url_has_no_scope() -> None:
    """There is no such parameter; `state` is always sent."""
    url = fake({})[0].authorization_request(CLIENT, TokenWish(scopes=("x",)), REDIRECT).url
    assert [name for name, _ in parse_qsl(urlsplit(url).query)] == [
        "response_type",
        "client_id",
        "redirect_uri",
        "state",
    ]


def test_offline_access_is_asked_for_at_the_exchange_only() -> None:
    """And never when refreshing, where it is not listed. The client says who it is, which the sample leaves out."""
    one, session = fake({TOKEN: answer(200, {"access_token": "t", "token_type": "bearer"})})
    client = one.credentials(application(client_id="cid", client_secret=SecretRef("env", "S+/=")), None, opener)
    request = one.authorization_request(client, OFFLINE, REDIRECT)
    one.exchange_code(client, OFFLINE, request, Secret("CC0M!IA"))
    one.exchange_code(client, WISH, request, Secret("CC0M!IA"))
    one.refresh_token(client, Secret("W1fl!"), OFFLINE)
    offline, plain, refresh = (sent.fields for sent in session.sent)
    assert offline == {**plain, "offline_access": "1"}
    assert plain["redirect_uri"] == REDIRECT
    assert refresh == {
        "grant_type": "refresh_token",
        "refresh_token": "W1fl!",
        "client_id": "cid",
        "client_secret": "env-S+/=",
    }
    assert "offline_access" not in request.url


def test_the_published_answer_is_read() -> None:
    """`"2592000"` and `bearer`, as the page shows them."""
    body = {"access_token": "gAAA+/=", "token_type": "bearer", "expires_in": "2592000", "refresh_token": "W1fl!IAAA-pb"}
    one, _ = fake({TOKEN: answer(200, body)})
    grant = one.refresh_token(CLIENT, Secret("r"), WISH)
    assert grant.expires_in == timedelta(days=30)
    assert not grant.never_expires
    assert grant.refresh_token == Secret("W1fl!IAAA-pb")


def test_a_lifetime_that_is_no_number_is_in_doubt() -> None:
    """A token was issued all the same."""
    one, _ = fake(
        {TOKEN: answer(200, {"access_token": "c4n4ry-tk-1", "token_type": "bearer", "expires_in": "a month"})}
    )
    with pytest.raises(InDoubt) as caught:
        one.refresh_token(CLIENT, Secret("r"), WISH)
    assert "c4n4ry-tk-1" not in everything_said(caught.value)


def test_an_offline_token_never_ends_and_brings_no_refresh_token(world: World) -> None:
    """Two members only: here silence means for ever."""
    grant = world.authorized(OFFLINE)
    assert (grant.never_expires, grant.expires_in, grant.refresh_token) == (True, None, None)
    grant = world.authorized()
    assert (grant.never_expires, grant.expires_in) == (False, timedelta(days=30))
    assert grant.refresh_token is not None
    assert grant.scopes is None


@pytest.mark.parametrize("answered", ["new", "absent", "same"])
def test_a_refresh_may_or_may_not_rotate(world: World, answered: str) -> None:
    """No refresh token in the answer is `None`: the one that is recorded stays good."""
    world.sandbox.set_switch("textking.refresh_token", answered)
    old = world.authorized()
    assert old.refresh_token is not None
    new = world.provider.refresh_token(world.client, old.refresh_token, WISH)
    assert (new.refresh_token is None) is (answered == "absent")
    again = world.provider.refresh_token(world.client, new.refresh_token or old.refresh_token, WISH)
    assert world.provider.probe_token(again.access_token, world.client).liveness == ALIVE


@pytest.mark.parametrize("body", ["empty", "xml", "json"])
@pytest.mark.parametrize("status", ["400", "403"])
def test_a_dead_refresh_token_is_a_refused_step_in_any_body(world: World, body: str, status: str) -> None:
    """Error bodies are undocumented; none of them crashes or is taken for doubt."""
    world.sandbox.set_switch("textking.error_body", body)
    world.sandbox.set_switch("textking.token_refusal", status)
    with pytest.raises(StepRefused):
        world.provider.refresh_token(world.client, Secret("W1fl!dead"), WISH)


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (200, {"items": []}, ALIVE),
        (403, None, DEAD),
        (401, None, DEAD),
        (200, b"<html>", UNKNOWN),
        (404, None, UNKNOWN),
        (406, b"<error/>", UNKNOWN),
    ],
)
def test_403_of_the_probe_is_a_dead_token(status: int, body: object, expected: str) -> None:
    """Not a missing scope: there are none."""
    one, session = fake({PROBE: answer(status, body)})
    assert one.probe_token(Secret("t"), None).liveness == expected
    assert [(sent.method, sent.url) for sent in session.sent] == [("GET", PROBE)]


def test_the_sandbox_tells_live_from_dead(world: World) -> None:
    """A read that changes nothing and starts no order."""
    assert world.provider.probe_token(world.authorized().access_token, None).liveness == ALIVE
    assert world.provider.probe_token(Secret("gAAAAdead"), None).liveness == DEAD


def test_nothing_is_sent_to_revoke() -> None:
    """There is nowhere to send it; the handoff says what a person does and when it dies by itself."""
    one, session = fake({})
    assert one.revoke_token(CLIENT, Secret("a"), Secret("r")) is Revoked.UNSUPPORTED
    assert session.sent == []
    ends = VENDOR.kill_handoff(token_record(expires_at=from_rfc3339("2026-12-01T00:00:00Z"))).instructions
    assert any("2026-12-01T00:00:00Z" in line for line in ends)
    assert any("never ends" in line for line in VENDOR.kill_handoff(token_record()).instructions)


def test_what_the_vendor_is() -> None:
    """No scopes, no credits, thirty days; offline tokens have no refresh."""
    offline, usual = application(offline_access=True), application()
    assert (VENDOR.scopes, VENDOR.credits) == (base.Scopes.NONE, base.Credits.NONE)
    assert "scopes" not in VENDOR.application_keys
    assert (VENDOR.refresh(offline), VENDOR.refresh(usual)) == (Refresh.NONE, Refresh.MAY_ROTATE)
    assert (VENDOR.never_expires(offline), VENDOR.never_expires(usual)) == (True, False)
    assert (VENDOR.token_lifetime(offline), VENDOR.token_lifetime(usual)) == (None, timedelta(days=30))
    assert VENDOR.latest_end(from_rfc3339("2026-11-01T00:00:00Z"), usual) is None
    assert VENDOR.delete_handoff(record("textking")) is not None
    assert [d.key_path for d in VENDOR.check_application(application(client_id="x"))] == ["client_secret"]
