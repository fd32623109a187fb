"""SMS.CX, row by row of its vendor sheet: what is sent, what is understood, and what a person is asked to do."""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "net"))  # the server that misbehaves lies with the tests of `net`

from hostile_server import Behaviour, Hostile, Seen, hostile, reply

from provisioner.address import Address
from provisioner.errors import BadAnswer, CredentialsRefused, InDoubt, RateLimited, StepRefused
from provisioner.model.desired import Application, ProviderConfig, SecretRef
from provisioner.model.observed import ALIVE, DEAD, UNKNOWN
from provisioner.model.recorded import ApplicationRecord, Sealed
from provisioner.net.session import Session
from provisioner.providers import vendor
from provisioner.providers._smscx_answers import retry_after
from provisioner.providers.base import ClientCredentials, Revoked, TokenWish
from provisioner.providers.smscx import Provider
from provisioner.secret import Secret

ID, SECRET = "3fd97176bd7e36c0e8fbd22b4b1ab5d29540b49c", "129e24048c46c3bcabed1f9f267aef73f5f8e1e4"
ONE = {
    "id": 7,
    "applicationId": ID,
    "applicationSecret": SECRET,
    "applicationName": "Campaign sender",
    "scopes": "sms groups ",
    "tokenExpiration": "1 day",
    "createdAt": "2026-01-01 00:00:00",
}
TOKEN = {"access_token": "a60e44", "expires_in": 86400, "token_type": "Bearer", "scope": "groups sms "}
BALANCE = {"balance": 25.5, "currency": "eur", "billing": "prepaid"}
APP = Application(
    address=Address("application", "campaigns"),
    provider="cx",
    name="Campaign sender",
    scopes=("groups", "sms"),
    token_lifetime="1d",
)
CREDENTIALS = ClientCredentials(client_id=ID, client_secret=Secret(SECRET))
WISH = TokenWish(scopes=("sms", "groups"))
RECORD = ApplicationRecord(
    id="a",
    address=APP.address,
    provider="cx",
    provider_type="smscx",
    name="Campaign sender",
    client_id=ID,
    secret=Sealed("k", 1, "b"),
)


def unsealed(_: Any, object_id: str, field: str) -> Secret:
    return Secret(f"sealed-{object_id}-{field}")


@pytest.fixture
def server() -> Iterator[Hostile]:
    with hostile() as found:
        yield found


@pytest.fixture
def cx(server: Hostile) -> Iterator[Provider]:
    config = ProviderConfig(name="cx", type="smscx", base_url=server.url, settings={"api_key": SecretRef("env", "KEY")})
    found = Provider(config, Session(provider="cx", retry_after=retry_after), lambda _: Secret("the-key"))
    yield found
    found.close()


def listing(*applications: dict[str, Any]) -> Behaviour:
    return reply(200, {"data": list(applications)})


def refusal(status: int, kind: str) -> Behaviour:
    """The vendor's envelope; all four errors of the token endpoint carry code 1600."""
    return reply(status, {"error": {"type": kind, "message": f"about {kind}", "uri": "u", "code": 1600}})


def test_applications_are_found_by_name(server: Hostile, cx: Provider) -> None:
    """With the API key alone, in one call; the secret shows as a fingerprint; strangers are named."""
    server.behaviour = listing(ONE, {**ONE, "applicationId": "b" * 40, "applicationName": "Reports"})
    found, others = cx.read_applications([APP], {})
    seen = found["application.campaigns"]
    assert (seen.exists, seen.client_id, seen.name) == (True, ID, "Campaign sender")
    assert (seen.scopes, seen.token_lifetime) == (("groups", "sms"), "1d")
    assert seen.secret_fingerprint == Secret(SECRET).fingerprint
    assert others == ("Reports",)
    assert SECRET not in repr(seen)
    assert server.seen[0].headers["x-api-key"] == "the-key"
    assert "authorization" not in server.seen[0].headers
    assert [seen.target for seen in server.seen] == ["/applications"]


@pytest.mark.parametrize("data", [[], {}, None])
def test_an_account_without_applications(server: Hostile, cx: Provider, data: Any) -> None:
    """Described as empty data, in whichever shape."""
    server.behaviour = reply(200, {"data": data})
    found, others = cx.read_applications([APP], {})
    assert not found["application.campaigns"].exists
    assert others == ()


@pytest.mark.parametrize("name", [None, "", "  "])
def test_a_nameless_application_is_told_by_its_id(server: Hostile, cx: Provider, name: str | None) -> None:
    """Names are optional in the panel."""
    server.behaviour = listing({**ONE, "applicationName": name})
    assert cx.read_applications([], {}) == ({}, (ID,))


def test_two_applications_of_one_name_are_a_problem(server: Hostile, cx: Provider) -> None:
    """Unless the recorded or the declared id says which; nobody guesses."""
    other = {**ONE, "applicationId": "c" * 40}
    server.behaviour = listing(ONE, other)
    seen = cx.read_applications([APP], {})[0]["application.campaigns"]
    assert seen.problem is not None
    assert ID in seen.problem
    assert not seen.exists
    handoff = vendor("smscx").application_handoff(APP, seen)
    assert handoff is not None
    assert "rename or delete" in " ".join(handoff.instructions)
    recorded = cx.read_applications([APP], {"application.campaigns": RECORD})[0]["application.campaigns"]
    assert recorded.client_id == ID
    declared = cx.read_applications([replace(APP, client_id="c" * 40)], {})[0]["application.campaigns"]
    assert declared.client_id == "c" * 40


def test_pasted_white_space_is_stripped(server: Hostile, cx: Provider) -> None:
    """The vendor's own sample has a trailing space in its pair (trap 2)."""
    server.behaviour = listing({**ONE, "applicationId": f"{ID} ", "applicationSecret": f" {SECRET}\n"})
    cx.read_applications([APP], {})
    found = cx.credentials(APP, None, unsealed)
    assert (found.client_id, found.client_secret) == (ID, Secret(SECRET))


@pytest.mark.parametrize(
    "item",
    [
        {**ONE, "applicationId": "a b"},
        {**ONE, "applicationSecret": "a b"},
        {**ONE, "applicationId": "a:b"},
        {**ONE, "applicationId": None},
        {**ONE, "applicationSecret": 5},
        {**ONE, "scopes": 5},
        "text",
    ],
)
def test_a_list_that_cannot_be_trusted_is_a_bad_answer(server: Hostile, cx: Provider, item: Any) -> None:
    """Without a word of it in the message: it is full of secrets."""
    server.behaviour = listing(ONE, item)
    with pytest.raises(BadAnswer) as caught:
        cx.read_applications([APP], {})
    assert SECRET not in str(caught.value.diagnostics)


@pytest.mark.parametrize(
    ("wire", "word"),
    [
        *[(w, "1d") for w in ("1 day", "1d", "1D", "day", "1_day", "24h", "86400", 86400, "86400 seconds", "1-day")],
        *[(w, "1w") for w in ("1 week", "1w", "week", "7 days", "604800", 604800, "1 Week ")],
        *[(w, "never") for w in ("never", "Never", 0, "0", None, "", -1, "-1", "no expiration", False, 3153600000)],
        ("2 days", "2 days"),
        ("fortnight", "fortnight"),
    ],
)
def test_every_spelling_of_an_expiration(server: Hostile, cx: Provider, wire: Any, word: str) -> None:
    """The wire values are undocumented; what is none of the three stays the vendor's own word."""
    server.behaviour = listing({**ONE, "tokenExpiration": wire})
    assert cx.read_applications([APP], {})[0]["application.campaigns"].token_lifetime == word


def test_credentials_come_from_the_list_once(server: Hostile, cx: Provider) -> None:
    """One call a run, however many tokens are minted; a reset secret is thus the new one."""
    server.behaviour = listing(ONE)
    for _ in range(3):
        assert cx.credentials(APP, RECORD, unsealed).client_secret == Secret(SECRET)
    assert len(server.seen) == 1


def test_credentials_fall_back_to_what_is_sealed(server: Hostile, cx: Provider) -> None:
    """A key that may not list still has what was recorded; with nothing recorded, the refusal is told."""
    server.behaviour = refusal(403, "insufficient_scope")
    assert cx.credentials(APP, RECORD, unsealed).client_secret == Secret("sealed-a-secret")
    with pytest.raises(CredentialsRefused, match="about insufficient_scope"):
        cx.credentials(APP, None, unsealed)


def test_declared_credentials_come_first(server: Hostile, cx: Provider) -> None:
    """And need no call."""
    application = replace(APP, client_id=ID, client_secret=SecretRef("env", "S"))
    assert cx.credentials(application, RECORD, unsealed).client_secret == Secret("the-key")
    assert server.seen == []


def test_a_token_request(server: Hostile, cx: Provider) -> None:
    """Basic on one line, a form, exactly the declared scopes."""
    server.behaviour = reply(200, TOKEN)
    grant = cx.create_token(CREDENTIALS, WISH)
    seen = server.seen[0]
    assert (seen.method, seen.target) == ("POST", "/oauth/token")
    assert seen.headers["content-type"] == "application/x-www-form-urlencoded"
    assert base64.b64decode(seen.headers["authorization"].removeprefix("Basic ")).decode() == f"{ID}:{SECRET}"
    assert parse_qs(seen.body.decode()) == {"grant_type": ["client_credentials"], "scope": ["groups sms"]}
    assert "x-api-key" not in seen.headers
    assert (grant.scopes, grant.expires_in, grant.refresh_token) == (("groups", "sms"), timedelta(days=1), None)


def test_no_scope_is_never_sent(server: Hostile, cx: Provider) -> None:
    """The vendor reads a missing or empty scope as all of them (trap 5)."""
    with pytest.raises(StepRefused):
        cx.create_token(CREDENTIALS, TokenWish())
    assert server.seen == []


@pytest.mark.parametrize("value", [0, -1, "0", None, 3653 * 86400 + 1, 10**20])
def test_never_has_many_spellings(server: Hostile, cx: Provider, value: Any) -> None:
    """`expires_in` of a token that never ends is undocumented (trap 10)."""
    server.behaviour = reply(200, {**TOKEN, "expires_in": value})
    grant = cx.create_token(CREDENTIALS, WISH)
    assert (grant.never_expires, grant.expires_in) == (True, None)


@pytest.mark.parametrize("value", [604800, "604800", 604800.0])
def test_a_life_is_a_number_or_its_digits(server: Hostile, cx: Provider, value: Any) -> None:
    """A week, however it is written."""
    server.behaviour = reply(200, {**TOKEN, "expires_in": value})
    assert cx.create_token(CREDENTIALS, WISH).expires_in == timedelta(weeks=1)


@pytest.mark.parametrize(
    "body",
    [
        {**TOKEN, "token_type": "mac"},
        {**TOKEN, "expires_in": "soon"},
        {**TOKEN, "expires_in": True},
        {**TOKEN, "access_token": ""},
        {**TOKEN, "scope": 5},
        {},
    ],
)
def test_a_grant_that_cannot_be_understood_is_in_doubt(server: Hostile, cx: Provider, body: Any) -> None:
    """A token may live out there."""
    server.behaviour = reply(200, body)
    with pytest.raises(InDoubt):
        cx.create_token(CREDENTIALS, WISH)


def test_errors_are_told_by_type(server: Hostile, cx: Provider) -> None:
    """One code stands for four of them."""
    server.behaviour = refusal(400, "invalid_scope")
    with pytest.raises(StepRefused, match="about invalid_scope") as caught:
        cx.create_token(CREDENTIALS, WISH)
    assert caught.value.oauth_error == "invalid_scope"
    server.behaviour = refusal(401, "invalid_client")
    with pytest.raises(CredentialsRefused):
        cx.create_token(CREDENTIALS, WISH)
    server.behaviour = reply(400, {"error": "invalid_scope", "error_description": "flat"})
    with pytest.raises(StepRefused, match="flat") as flat:
        cx.create_token(CREDENTIALS, WISH)
    assert flat.value.oauth_error == "invalid_scope"


def test_waits_are_absolute_seconds(server: Hostile, cx: Provider) -> None:
    """Against the answer's own clock: ours may be a year off, and the wait stays what was meant."""
    at = int(datetime(2020, 1, 1, 12, 0, 7, tzinfo=UTC).timestamp())
    headers = {"X-Rate-Limit-Reset": str(at), "Date": "Wed, 01 Jan 2020 12:00:00 GMT"}
    server.behaviour = reply(429, b"", headers)
    with pytest.raises(RateLimited) as caught:
        cx.create_token(CREDENTIALS, WISH)
    assert caught.value.retry_after == 7
    server.behaviour = reply(429, b"", {"X-Rate-Limit-Reset": "1664103086"})
    with pytest.raises(RateLimited) as past:
        cx.create_token(CREDENTIALS, WISH)
    assert past.value.retry_after == 0


def live(*tokens: str, key: bool = True) -> Any:
    """A vendor at which these tokens live, and the API key is taken or not."""

    def script(seen: Seen) -> Behaviour:
        if "x-api-key" in seen.headers:
            return reply(200, BALANCE) if key else reply(401)
        return reply(200, BALANCE) if seen.headers["authorization"].removeprefix("Bearer ") in tokens else reply(401)

    return script


def test_a_probe_needs_two_refusals_and_an_account_that_is_taken(server: Hostile, cx: Provider) -> None:
    """With the bearer alone; 403 is a living token without the scope `account`."""
    server.script = live("t")
    assert cx.probe_token(Secret("t"), None).liveness == ALIVE
    assert cx.probe_token(Secret("x"), None).liveness == DEAD
    assert all(("x-api-key" in seen.headers) != ("authorization" in seen.headers) for seen in server.seen)
    assert len(server.seen) == 4
    server.script = lambda _: refusal(403, "insufficient_scope")
    assert cx.probe_token(Secret("t"), None).liveness == ALIVE


def test_a_probe_of_a_refused_account_is_unknown(server: Hostile, cx: Provider) -> None:
    """An address that is not allowed any more kills no token in the record."""
    server.script = live("t", key=False)
    assert cx.probe_token(Secret("t2"), None).liveness == UNKNOWN


@pytest.mark.parametrize("text", ["10.10", "-3.25", "7", "0.1"])
@pytest.mark.parametrize("quote", ["", '"'])
def test_a_balance_is_exact_money(server: Hostile, cx: Provider, text: str, quote: str) -> None:
    """Decimals, as a number or in a string; upper-case currency (trap 11)."""
    body = f'{{"balance": {quote}{text}{quote}, "currency": "eur", "billing": "prepaid"}}'
    server.behaviour = reply(200, body.encode())
    found = cx.read_credits(None)
    assert (str(found.balance), found.unit, found.note) == (str(Decimal(text)), "EUR", None)


def test_a_postpaid_balance_says_so(server: Hostile, cx: Provider) -> None:
    """A floor means something else there."""
    server.behaviour = reply(200, {**BALANCE, "billing": "postpaid"})
    assert "postpaid" in str(cx.read_credits(None).note)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {**BALANCE, "balance": "25 EUR"},
        {**BALANCE, "currency": None},
        b"NaN",
        {"balance": True},
        b'{"balance": 1e400, "currency": "eur"}',
        b'{"balance": 1e99999999999999999999, "currency": "eur"}',
    ],
)
def test_a_balance_that_is_none_is_a_bad_answer(server: Hostile, cx: Provider, body: Any) -> None:
    """Not nought."""
    server.behaviour = reply(200, body if isinstance(body, bytes) else json.dumps(body).encode())
    with pytest.raises(BadAnswer):
        cx.read_credits(None)


def test_nothing_revokes_a_token(server: Hostile, cx: Provider) -> None:
    """There is no such call; none is made up."""
    assert cx.revoke_token(CREDENTIALS, Secret("t"), None) is Revoked.UNSUPPORTED
    assert server.seen == []
