"""An EZ Texting account for tests, whose vendor is a server of ours."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent / "net"))  # the server that misbehaves lies with the tests of `net`

from hostile_server import Behaviour, Hostile, Seen, reply

from provisioner.address import Address
from provisioner.model.desired import CreditFloor, ProviderConfig, SecretRef
from provisioner.net.session import Session
from provisioner.providers._eztexting_answers import retry_after
from provisioner.providers.base import (
    ClientCredentials,
    Provider,
)
from provisioner.providers.eztexting import Provider as EzProvider
from provisioner.secret import Secret

VALUES = {"user": "ann@example.com", "password": "p:ass +word/é", "card": "0042", "coupon": "SPRING"}
CONFIG = ProviderConfig(
    name="ez",
    type="eztexting",
    base_url="",
    settings={"username": SecretRef("env", "user"), "password": SecretRef("env", "password")},
)
FLOOR = CreditFloor(
    address=Address("credits", "ez"),
    provider="ez",
    minimum=Decimal(5000),
    target=Decimal(6000),
    card_last_four=SecretRef("env", "card"),
)
NOBODY = ClientCredentials()
BALANCE = {"planCredits": 15, "anytimeCredits": 138, "totalCredits": 153}
PAIR = {"accessToken": "a1", "refreshToken": "r1", "expiresInSeconds": 5400}
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def opened(server: Hostile, **settings: Any) -> Provider:
    config = replace(CONFIG, base_url=server.url, settings={**CONFIG.settings, **settings})
    session = Session(provider="ez", retry_after=retry_after)
    return EzProvider(config, session, lambda ref: Secret(VALUES[str(ref.value)]))  # type: ignore[union-attr]  # all are SecretRefs


def sent(server: Hostile, number: int = 0) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(server.seen[number].body)
    return found


class Vendor:
    """Enough of EZ Texting to revoke and probe at: `pair` says whether one revocation kills both halves."""

    def __init__(self, *, pair: bool, obeys: bool = True, login: bool = True) -> None:
        self.live = {"a1", "r1"}
        self.pair, self.obeys, self.login = pair, obeys, login
        self.revoked: list[str] = []

    def __call__(self, seen: Seen) -> Behaviour:
        if seen.target == "/v1/tokens/revoke":
            return self._revoke(json.loads(seen.body))
        given = seen.headers["authorization"]
        if given.startswith("Basic "):
            return reply(200, BALANCE) if self.login else reply(401)
        return reply(200, BALANCE) if given.removeprefix("Bearer ") in self.live else reply(401)

    def _revoke(self, body: dict[str, str]) -> Behaviour:
        self.revoked.append(body["type"])
        if body["token"] not in self.live:
            return reply(400, {"title": "Token not found"})
        if self.obeys:
            self.live -= {"a1", "r1"} if self.pair else {body["token"]}
        return reply(200)
