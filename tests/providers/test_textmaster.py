"""TextMaster: its published answers, its traps, and its flows against the sandbox."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from oauth_fakes import (
    CANARY,
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
    sealed,
    token_record,
)

from provisioner.address import Address
from provisioner.errors import BadAnswer, CredentialsRefused, ProviderFailed, StepRefused
from provisioner.model.desired import CreditFloor, SecretRef
from provisioner.model.observed import ALIVE, DEAD, UNKNOWN
from provisioner.net.session import Session
from provisioner.providers import base
from provisioner.providers.base import Revoked, TokenWish
from provisioner.providers.textmaster import SCOPES, VENDOR, Provider
from provisioner.sandbox.app import Sandbox, open_sandbox
from provisioner.secret import Secret

ME = "https://api.textmaster.com/v1/clients/users/me"
OOB = "urn:ietf:wg:oauth:2.0:oob"
WISH = TokenWish(scopes=("user:read", "project:read"))


def fake(table: dict[str, Any], **settings: str) -> tuple[Provider, FakeSession]:
    session = FakeSession(table)
    return Provider(config("textmaster", VENDOR.default_base_url, **settings), as_session(session), resolve), session


@dataclass
class World:
    provider: Provider
    sandbox: Sandbox
    client: base.ClientCredentials

    def authorized(self, scopes: tuple[str, ...] = WISH.scopes) -> base.Grant:
        request = self.provider.authorization_request(self.client, TokenWish(scopes=scopes), OOB)
        code = self.provider.read_callback(request, approve(self.sandbox, request.url))
        return self.provider.exchange_code(self.client, TokenWish(scopes=scopes), request, code)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    sandbox = open_sandbox(tmp_path)
    session = Session(provider="tm", sandbox=tmp_path)
    provider = Provider(config("textmaster", "sandbox"), session, resolve)
    yield World(provider, sandbox, provider.credentials(application(), None, opener))
    session.close()
    sandbox.close()


# -- where requests go -----------------------------------------------------------------------------------------------


def test_the_three_urls_default_to_the_published_page() -> None:
    """Browser and token at the app host, the API at its own."""
    one, _ = fake({})
    assert (one.authorize_url, one.token_url, one.api_url) == (
        "https://app.textmaster.com/oauth/authorize",
        "https://app.textmaster.com/oauth/token",
        "https://api.textmaster.com",
    )


def test_base_url_sets_all_three_and_each_may_be_set_alone() -> None:
    """The OpenAPI file and the cartridge post token requests to the API host."""
    staging = Provider(config("textmaster", "https://api.textmasterstaging.com"), as_session(FakeSession({})), resolve)
    assert (staging.token_url, staging.api_url) == (
        "https://api.textmasterstaging.com/oauth/token",
        "https://api.textmasterstaging.com",
    )
    one, _ = fake({}, token_url="https://api.textmaster.com/oauth/token", api_url="https://api.textmaster.com/v1/")
    assert one.token_url == "https://api.textmaster.com/oauth/token"
    assert one.authorize_url == "https://app.textmaster.com/oauth/authorize"
    assert one.api_url == "https://api.textmaster.com"


def test_a_setting_with_a_password_in_it_is_refused() -> None:
    """And not repeated."""
    found = VENDOR.check_provider(
        config("textmaster", "https://x.invalid", token_url=f"https://u:{CANARY}@x.invalid/t")
    )
    assert [problem.key_path for problem in found] == ["token_url"]
    assert CANARY not in repr(found)


# -- the code grant --------------------------------------------------------------------------------------------------


def test_scope_is_never_the_last_parameter_and_public_is_what_none_means() -> None:
    """The sign-in damages the last one; `scope` is required."""
    one, _ = fake({})
    for scopes, asked in (((), "public"), (("user:read",), "user:read")):
        url = one.authorization_request(CLIENT, TokenWish(scopes=scopes), OOB).url
        pairs = parse_qsl(urlsplit(url).query)
        assert pairs[-1][0] == "state"
        assert dict(pairs)["scope"] == asked


def test_the_exchange_is_a_form_with_the_secret_in_the_body() -> None:
    """Published parameters, urlencoded; PKCE is undocumented, so there is none."""
    one, session = fake(
        {"https://app.textmaster.com/oauth/token": answer(200, {"access_token": "t", "token_type": "Bearer"})}
    )
    client = one.credentials(application(client_id="cid", client_secret=SecretRef("env", "S")), None, opener)
    request = one.authorization_request(client, WISH, OOB)
    one.exchange_code(client, WISH, request, Secret("c"))
    one.refresh_token(client, Secret("r"), WISH)
    assert session.sent[0].fields == {
        "grant_type": "authorization_code",
        "code": "c",
        "redirect_uri": OOB,
        "client_id": "cid",
        "client_secret": "env-S",
    }
    assert session.sent[1].fields == {
        "grant_type": "refresh_token",
        "refresh_token": "r",
        "client_id": "cid",
        "client_secret": "env-S",
    }
    assert session.sent[0].basic is None


def test_a_grant_says_what_was_granted_not_what_was_asked(world: World) -> None:
    """The samples answer `public` to a request for `user:...` (trap 2)."""
    assert world.authorized().scopes == ("project:read", "user:read")
    world.sandbox.set_switch("textmaster.granted_scope", "public")
    assert world.authorized().scopes == ("public",)


def test_a_grant_lives_eight_hours_and_brings_a_refresh_token(world: World) -> None:
    """And the code is good for one use."""
    grant = world.authorized()
    assert grant.expires_in == timedelta(hours=8)
    assert grant.refresh_token is not None
    request = world.provider.authorization_request(world.client, WISH, OOB)
    code = world.provider.read_callback(request, approve(world.sandbox, request.url))
    world.provider.exchange_code(world.client, WISH, request, code)
    with pytest.raises(StepRefused) as caught:
        world.provider.exchange_code(world.client, WISH, request, code)
    assert caught.value.oauth_error == "invalid_grant"


def test_a_loopback_redirect_brings_code_and_state(world: World) -> None:
    """And a denial is a person's."""
    request = world.provider.authorization_request(world.client, WISH, "http://127.0.0.1:8123/cb")
    with pytest.raises(ProviderFailed) as denied:
        world.provider.read_callback(request, approve(world.sandbox, request.url, "deny"))
    assert denied.value.diagnostics[0].name == "denied"
    code = world.provider.read_callback(request, approve(world.sandbox, request.url))
    assert world.provider.exchange_code(world.client, WISH, request, code).access_token


@pytest.mark.parametrize("rotation", ["immediate", "on_use"])
def test_a_refresh_brings_a_new_pair_in_both_modes(world: World, rotation: str) -> None:
    """After the new access token's first use the old pair is dead, whichever mode the server is in."""
    world.sandbox.set_switch("textmaster.rotation", rotation)
    old = world.authorized()
    assert old.refresh_token is not None
    new = world.provider.refresh_token(world.client, old.refresh_token, WISH)
    assert new.refresh_token not in (None, old.refresh_token)
    assert world.provider.probe_token(new.access_token, world.client).liveness == ALIVE
    assert world.provider.probe_token(old.access_token, world.client).liveness == DEAD
    with pytest.raises(StepRefused) as caught:
        world.provider.refresh_token(world.client, old.refresh_token, WISH)
    assert caught.value.oauth_error == "invalid_grant"
    assert world.provider.probe_token(new.access_token, world.client).liveness == ALIVE


def test_a_wrong_secret_is_the_credentials_fault(world: World) -> None:
    """401 `invalid_client`, exit 8."""
    request = world.provider.authorization_request(world.client, WISH, OOB)
    code = world.provider.read_callback(request, approve(world.sandbox, request.url))
    wrong = base.ClientCredentials(
        client_id=world.client.client_id, client_secret=Secret(CANARY), auth_method="client_secret_post"
    )
    with pytest.raises(CredentialsRefused) as caught:
        world.provider.exchange_code(wrong, WISH, request, code)
    assert CANARY not in everything_said(caught.value)


# -- probe, wallet, revocation ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (200, {"id": "x"}, ALIVE),
        (401, {"error": "invalid_token"}, DEAD),
        (403, {"error": "invalid_token"}, ALIVE),
        (401, None, DEAD),
        (200, b"<html>maintenance", UNKNOWN),
        (404, {"errors": {"base": ["Not found"]}}, UNKNOWN),
        (302, None, UNKNOWN),
    ],
)
def test_the_status_and_not_the_body_tells_dead_from_narrow(status: int, body: object, expected: str) -> None:
    """401 and 403 carry the same body (section 1.8)."""
    one, session = fake({ME: answer(status, body)})
    assert one.probe_token(Secret("tok"), None).liveness == expected
    assert session.sent[0].bearer == "tok"


@pytest.mark.parametrize(
    ("money", "expected"),
    [("12.3", "12.3"), ("-0.05", "-0.05"), ("0", "0"), ("8000000", "8000000"), ('"7.10"', "7.10")],
)
def test_the_wallet_is_exact_money(money: str, expected: str) -> None:
    """A float in a currency, parsed as a decimal; negative and zero too."""
    body = f'{{"wallet": {{"current_money": {money}, "currency_code": "eur"}}}}'.encode()
    found = fake({ME: answer(200, body)})[0].read_credits(Secret("t"))
    assert (str(found.balance), found.unit) == (expected, "EUR")


@pytest.mark.parametrize(
    "wallet",
    [
        None,
        {},
        {"current_money": 1},
        {"current_money": True, "currency_code": "EUR"},
        {"current_money": "lots", "currency_code": "EUR"},
        {"current_money": 1, "currency_code": "credits"},
        {"current_money": float("nan"), "currency_code": "EUR"},
        {"current_money": "1e999", "currency_code": "EUR"},
        {"current_money": "Infinity", "currency_code": "EUR"},
    ],
)
def test_a_wallet_that_cannot_be_read_is_a_bad_answer(wallet: object) -> None:
    """Never zero: zero would look like a floor unmet."""
    with pytest.raises(BadAnswer):
        fake({ME: answer(200, {"wallet": wallet})})[0].read_credits(Secret("t"))


@pytest.mark.parametrize("status", [401, 403])
def test_a_balance_that_the_token_may_not_see_says_what_is_missing(status: int) -> None:
    """`user:read` is what it takes."""
    with pytest.raises(CredentialsRefused) as caught:
        fake({ME: answer(status)})[0].read_credits(Secret("t"))
    assert "user:read" in caught.value.diagnostics[0].detail


def test_the_sandbox_wallet_is_read_with_a_token(world: World) -> None:
    """Without the scope it is refused, and a probe still tells that the token lives."""
    found = world.provider.read_credits(world.authorized().access_token)
    assert (found.balance, found.unit) == (Decimal("120.0"), "EUR")
    narrow = world.authorized(("project:read",)).access_token
    assert world.provider.probe_token(narrow, None).liveness == ALIVE
    with pytest.raises(CredentialsRefused):
        world.provider.read_credits(narrow)
    with pytest.raises(CredentialsRefused):
        world.provider.read_credits(None)


def test_revocation_is_tried_and_proven(world: World) -> None:
    """Off: 404, unsupported, and the token lives. On: both halves are dead."""
    grant = world.authorized()
    assert world.provider.revoke_token(world.client, grant.access_token, grant.refresh_token) is Revoked.UNSUPPORTED
    assert world.provider.probe_token(grant.access_token, None).liveness == ALIVE
    world.sandbox.set_switch("textmaster.revoke", "on")
    assert world.provider.revoke_token(world.client, grant.access_token, grant.refresh_token) is Revoked.REVOKED
    assert world.sandbox.live_tokens("textmaster") == []


def test_a_200_that_revokes_nothing_is_seen() -> None:
    """The probe has the last word."""
    url = "https://app.textmaster.com/oauth/revoke"
    client = base.ClientCredentials(client_id="c", client_secret=Secret("s"), auth_method="client_secret_post")
    assert (
        fake({url: answer(200, {}), ME: answer(200, {})})[0].revoke_token(client, Secret("a"), None) is Revoked.SURVIVED
    )
    assert fake({url: answer(404), ME: answer(401)})[0].revoke_token(client, Secret("a"), None) is Revoked.ALREADY_DEAD
    found = fake({url: answer(404), ME: answer(401)})[0].revoke_token(client, Secret("a"), Secret("r"))
    assert found is Revoked.UNSUPPORTED  # the refresh token may live


# -- knowledge -------------------------------------------------------------------------------------------------------


def test_there_are_22_scopes_and_an_unknown_one_gets_a_suggestion() -> None:
    """Section 1.6."""
    assert len(SCOPES) == len(set(SCOPES)) == 22
    assert VENDOR.check_application(application(scopes=SCOPES)) == []
    (problem,) = VENDOR.check_application(application(scopes=("user:raed",)))
    assert problem.key_path == "scopes"
    assert "'user:read'" in problem.detail


@pytest.mark.parametrize(
    ("granted", "wanted", "expected"),
    [
        (("user:manage",), ("user:email", "user:read"), True),
        (("project:manage",), ("project:launch",), True),
        (("user:read",), ("user:email",), False),
        (("user:manage",), ("project:read",), False),
        (("user:read", "user:write", "user:email"), ("user:manage",), False),
        ((), (), True),
    ],
)
def test_manage_includes_the_others_of_its_resource(
    granted: tuple[str, ...], wanted: tuple[str, ...], expected: bool
) -> None:
    """Sets are compared after expanding `manage`."""
    assert VENDOR.covers(granted, wanted) is expected


def test_half_a_client_is_an_error() -> None:
    """Both or neither."""
    (problem,) = VENDOR.check_application(application(client_id="x"))
    assert problem.key_path == "client_secret"
    (problem,) = VENDOR.check_application(application(client_secret=SecretRef("env", "S")))
    assert problem.key_path == "client_id"


def test_credentials_come_from_the_file_then_from_the_record() -> None:
    """And their absence names the application."""
    one, _ = fake({})
    declared = application(client_id=SecretRef("env", "ID"), client_secret=SecretRef("file", "s"))
    found = one.credentials(declared, record("textmaster", secret=sealed("old")), opener)
    assert (found.client_id, found.client_secret) == ("env-ID", Secret("file-s"))
    found = one.credentials(None, record("textmaster", secret=sealed("sec")), opener)
    assert (found.client_id, found.client_secret) == ("cid", Secret("sec:obj-1:secret"))
    for nothing in (record("textmaster"), None):
        with pytest.raises(ProviderFailed) as caught:
            one.credentials(application(), nothing, opener)
        assert caught.value.diagnostics[0].address == "application.app"


def test_what_is_observed_is_the_declared_pair() -> None:
    """A changed fingerprint is how a reset secret shows; without a client_id nothing exists yet."""
    one, session = fake({})
    wanted = [application(client_id="cid", client_secret=SecretRef("env", "S"))]
    seen = one.read_applications(wanted, {})[0]["application.app"]
    assert (seen.exists, seen.client_id, seen.secret_fingerprint) == (True, "cid", Secret("env-S").fingerprint)
    assert not one.read_applications([application()], {})[0]["application.app"].exists
    assert session.sent == []


def test_handoffs_name_page_field_and_value() -> None:
    """What no API can do is said exactly."""
    floor = CreditFloor(address=Address("credits", "tm"), provider="tm", minimum=Decimal(100), target=Decimal(150))
    top_up = VENDOR.top_up_handoff(floor, Decimal("12.50"), "EUR")
    assert top_up.url == "https://app.textmaster.com/clients/payment_requests/new"
    assert any("137.50 EUR" in line for line in top_up.instructions)
    made = VENDOR.application_handoff(application(redirect_uri="http://127.0.0.1/cb"), None)
    assert made is not None
    assert any("http://127.0.0.1/cb" in line for line in made.instructions)
    assert any("never" in line for line in VENDOR.kill_handoff(token_record()).instructions)
    deleted = VENDOR.delete_handoff(record("textmaster"))
    assert deleted is not None
    assert any("cid" in line for line in deleted.instructions)
