"""Cassettes play without a socket, say what the vendors published or the sandbox answered, and hold no secret."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import pytest
import yaml  # type: ignore[import-untyped]  # comes with vcrpy, without types
from recording import CASSETTES, FLOOR, PLAYS, SCRUBBED, opened, recorder, scrub_body

from provisioner.model.observed import DEAD
from provisioner.providers.base import ClientCredentials, Revoked, TokenWish
from provisioner.sandbox.accounts import ACCOUNTS, SMSCX_APPLICATIONS
from provisioner.secret import Secret

ACCOUNT = {"username": "u@example.com", "password": "p", "card_last_four": "4242", "api_key": "k"}
FILES = sorted(CASSETTES.glob("*.yaml"))
TOLD = {
    "eztexting": ["2500 credits", "1:30:00", "alive", "revoked", "invalid_grant", "200", "bought 500"],
    "smscx": [
        "('groups', 'sms')",
        "1d",
        "('Reports',)",
        "('sms',)",
        "1 day, 0:00:00",
        "alive",
        "invalid_scope",
        "25.5 EUR",
    ],
}


@pytest.mark.parametrize("kind", PLAYS)
def test_what_was_recorded_over_a_socket_plays_again(kind: str) -> None:
    """The same calls, the same outcomes, every recorded exchange used, and no socket."""
    provider = opened(kind, "", ACCOUNT)
    with recorder().use_cassette(f"{kind}-sandbox.yaml") as cassette:
        told = PLAYS[kind](provider)
        assert cassette.all_played
    provider.close()
    assert told == TOLD[kind]


def test_eztexting_asks_as_its_page_shows() -> None:
    """Method, address and every member of every body of the published page, in its second spelling."""
    provider = opened("eztexting", "", ACCOUNT)
    provider.config.settings["credential_fields"] = "username"  # type: ignore[index]  # a dict, made by `opened`
    client = ClientCredentials()
    with recorder(bodies=True).use_cassette("eztexting-published.yaml") as cassette:
        assert provider.read_credits(None).balance == 1210
        assert provider.purchase(Decimal(1000), FLOOR).status == 201
        grant = provider.create_token(client, TokenWish())
        assert grant.expires_in == timedelta(minutes=90)
        assert grant.refresh_token is not None
        provider.refresh_token(client, grant.refresh_token, TokenWish())
        assert provider.revoke_token(client, grant.access_token, None) is Revoked.REVOKED
        assert cassette.all_played
    provider.close()


def test_smscx_reads_its_published_answer() -> None:
    """The fifteen scopes and the day of the article."""
    provider = opened("smscx", "", ACCOUNT)
    with recorder().use_cassette("smscx-published.yaml") as cassette:
        credentials = ClientCredentials(client_id="i", client_secret=Secret("s"))
        grant = provider.create_token(credentials, TokenWish(scopes=("sms",)))
        assert cassette.all_played
    provider.close()
    assert grant.expires_in == timedelta(days=1)
    assert grant.scopes is not None
    assert len(grant.scopes) == 15


def test_a_published_dead_token_needs_two_refusals() -> None:
    """What is left of the published cassette after everything else: 401 twice is dead."""
    provider = opened("eztexting", "", ACCOUNT)
    with recorder(bodies=True).use_cassette("eztexting-published.yaml"):
        provider.read_credits(None)
        assert provider.probe_token(Secret("dead"), None).liveness == DEAD
    provider.close()


@pytest.mark.parametrize("file", FILES, ids=lambda f: f.name)
def test_no_cassette_holds_a_secret(file: Path) -> None:
    """No header that authenticates, no secret of the sandbox, nothing that looks random: whoever recorded it."""
    text = file.read_text()
    exchanges = yaml.safe_load(text)["interactions"]
    headers = [item for e in exchanges for side in ("request", "response") for item in e[side]["headers"].items()]
    for name, value in headers:
        assert not _AUTHENTICATES.search(name) or value in _MASKED, name
    secrets = {value for account in ACCOUNTS.values() for name, value in account.items() if name in _SECRET_SETTINGS}
    secrets |= {application["client_secret"] for application in SMSCX_APPLICATIONS}
    assert not [secret for secret in secrets if secret in text]
    if "published" not in file.name:  # what a vendor prints on its page is no secret
        assert not [word for word in _WORD.findall(text) if _looks_random(word)]


def test_there_are_cassettes() -> None:
    """A loop over nothing proves nothing."""
    assert {f"{kind}-{origin}.yaml" for kind in PLAYS for origin in ("sandbox", "published")} <= {f.name for f in FILES}


@pytest.mark.parametrize(
    "body",
    [
        b'{"accessToken": "S3CRET", "a": [{"applicationSecret": "S3CRET"}], "kept": 1}',
        b"grant_type=refresh_token&refresh_token=S3CRET",
        '{"token": "S3CRET", "password": "S3CRET", "creditCardLastFour": "S3CRET"}',
        b"not json S3CRET",
    ],
)
def test_scrubbing_finds_secrets_in_every_body(body: bytes | str) -> None:
    """Members of JSON however deep, fields of forms, and all of what is neither."""
    scrubbed = scrub_body(body)
    assert b"S3CRET" not in (scrubbed or b"")
    if b"accessToken" in scrubbed:
        assert json.loads(scrubbed)["kept"] == 1
        assert SCRUBBED in json.loads(scrubbed)["accessToken"]


_AUTHENTICATES = re.compile(r"authori[sz]ation|api-key|cookie|token|secret", re.IGNORECASE)
_MASKED: tuple[object, ...] = ([], ["FILTERED"], [SCRUBBED], "FILTERED", SCRUBBED)
_SECRET_SETTINGS = {"username", "password", "api_key", "client_secret", "initial_access_token"}
_PUBLIC = {application["client_id"] for application in SMSCX_APPLICATIONS}
_WORD = re.compile(r"[A-Za-z0-9+/=_-]{16,}")


def _looks_random(word: str) -> bool:
    """Letters and digits in turn, as in hex, base64 and UUIDs: words, paths and dates change over seldom."""
    turns = sum(a.isdigit() != b.isdigit() for a, b in pairwise(word))
    return turns >= 5 and word not in _PUBLIC and "example" not in word and not re.fullmatch(r"[\d-]+T[\d:]+.*", word)


def test_what_looks_random_is_known_as_such() -> None:
    """The check that guards the cassettes finds each vendor's own kind of token."""
    for value in (
        "a60e4455ec782fd54f37b8b9684dfa7a01c503c0",
        "gAAAAMmcvm7glkOV4YJCJZZgcPpeHW7lDbtJCtCQcNE7ui40D7gfe3y",
    ):
        assert _looks_random(value)
    for value in ("grant_type=client_credentials", "x-rate-limit-remaining", "token_endpoint_auth_methods_supported"):
        assert not _looks_random(value)
