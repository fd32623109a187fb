"""The recorded, declared and observed halves of the sample stack; `render_samples` has its plan."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from provisioner.address import Address, parse_address
from provisioner.model.desired import Application, CreditFloor, Desired, ProviderConfig, SecretRef, TokenPolicy
from provisioner.model.observed import (
    Observed,
    ObservedApplication,
    ObservedCredits,
    ObservedToken,
    ProviderObservation,
)
from provisioner.model.recorded import (
    ApplicationRecord,
    CreditsRecord,
    Operation,
    Purchase,
    ResourceRecord,
    Sealed,
    State,
    TokenRecord,
)

NOW = datetime(2026, 12, 1, 12, 0, tzinfo=UTC)
CANARY = "canary-5ecret-ZmFrZQ"
LINEAGE = "6e5ef4ee-8a6f-4a52-bd67-0d30b6d0a1f2"
HEAD = "ab" * 32
SEALED = Sealed("k1", 1, CANARY)


def address(text: str) -> Address:
    return parse_address(text)


def token_record(text: str, object_id: str, **changes: Any) -> TokenRecord:
    where = address(text)
    consumer = where.keys[-1] if where.keys else None
    base = TokenRecord(
        id=object_id,
        address=where,
        application=Address("application", where.name, where.keys[:-1] if consumer else ()),
        consumer=consumer,
        provider="cx",
        provider_type="smscx",
        status="live",
        issued_at=NOW - timedelta(hours=20),
        expires_at=NOW + timedelta(hours=4),
        scopes=("groups", "sms"),
        fingerprint="sha256:0011223344556677",
        generation=3,
        access_token=SEALED,
        refresh_token=SEALED,
        client_id="c-1",
    )
    return replace(base, **changes)


def records() -> list[ResourceRecord]:
    return [
        ApplicationRecord(
            id="o1",
            address=address("application.campaigns"),
            provider="cx",
            provider_type="smscx",
            name="Campaign sender",
            client_id="c-1",
            scopes=("groups", "sms"),
            token_lifetime="1d",
            secret=SEALED,
            secret_fingerprint="sha256:8899aabbccddeeff",
            prevent_destroy=True,
        ),
        token_record('token.campaigns["web"]', "o2"),
        token_record(
            'token.campaigns["web"]', "o3", deposed="1a2b3c4d", status="retiring", retire_at=NOW, generation=2
        ),
        token_record('token.campaigns["u\\"s"]', "o4", expires_at=None),
        token_record(
            "token.old",
            "o5",
            status="lost",
            deposed="9f9f9f9f",
            fingerprint=None,
            access_token=None,
            refresh_token=None,
        ),
        CreditsRecord(
            id="o6",
            address=address("credits.ez"),
            provider="ez",
            provider_type="eztexting",
            balance=Decimal("4100.5"),
            unit="credits",
            minimum=Decimal(5000),
            target=Decimal(6000),
            observed_at=NOW - timedelta(days=1),
            parts={"planCredits": Decimal(100), "anytimeCredits": Decimal("4000.5")},
            max_per_apply=Decimal(3000),
        ),
    ]


def state() -> State:
    doubt = Operation(
        id="op-1",
        address=address("credits.ez"),
        op="credits.purchase",
        run="run-1",
        since=NOW - timedelta(hours=1),
        provider="ez",
        provider_type="eztexting",
        amount=Decimal(500),
        unit="credits",
        read={"balance": "4100.5"},
        evidence=({"at": "2026-12-01T11:05:00Z", "balance": "4100.5"},),
        in_doubt=True,
    )
    bought = [
        Purchase(
            operation=name,
            provider="ez",
            address=address("credits.ez"),
            amount=Decimal(amount),
            unit="credits",
            at=NOW - timedelta(hours=hours),
            run="run-1",
            status=status,
        )
        for name, amount, hours, status in (
            ("op-0", 1000, 30, "happened"),
            ("op-1", 500, 1, "in_doubt"),
            ("op-2", 250, 2, "happened"),
        )
    ]
    return State(
        stack="messaging",
        lineage=LINEAGE,
        serial=42,
        head=HEAD,
        objects={record.id: record for record in records()},
        operations={doubt.id: doubt},
        purchases=bought,
    )


def desired() -> Desired:
    policy = TokenPolicy(name="daily", renew_before=timedelta(minutes=15), overlap=timedelta(minutes=10))
    return Desired(
        stack="messaging",
        state_location="state/messaging",
        variables={"region": "eu"},
        providers={
            "ez": ProviderConfig(
                name="ez",
                type="eztexting",
                base_url="https://a.eztexting.com",
                settings={"username": SecretRef("env", "EZ_USERNAME"), "credential_fields": "app_key"},
            ),
            "cx": ProviderConfig(
                name="cx",
                type="smscx",
                base_url="https://api.sms.cx",
                settings={"api_key": SecretRef("command", ("op", "read", "op://vault/item"))},
            ),
        },
        applications=(
            Application(
                address=address("application.campaigns"),
                provider="cx",
                name="Campaign sender",
                scopes=("groups", "sms"),
                token_lifetime="1d",
                policy=policy,
                consumers=("web", 'u"s'),
                prevent_destroy=True,
                client_secret=SecretRef("file", "secrets/cx"),
            ),
        ),
        credits=(
            CreditFloor(
                address=address("credits.ez"),
                provider="ez",
                minimum=Decimal(5000),
                target=Decimal(6000),
                pack=Decimal(500),
                max_per_apply=Decimal(3000),
                unit_price=Decimal("0.02"),
                currency="USD",
            ),
        ),
    )


def observed() -> Observed:
    return Observed(
        at=NOW,
        providers={
            "ez": ProviderObservation(
                credits=ObservedCredits(
                    balance=Decimal("4100.50"), unit="credits", at=NOW, parts={"planCredits": Decimal("100.0")}
                )
            ),
            "cx": ProviderObservation(
                applications={
                    "application.campaigns": ObservedApplication(
                        exists=True, client_id="c-1", scopes=("groups", "sms"), registration={"n": 1, "l": ["x"]}
                    )
                },
                tokens={"o2": ObservedToken(liveness="alive", scopes=("sms",), expires_at=NOW + timedelta(hours=4))},
                unmanaged=("Stranger",),
                features={"revocation": True},
            ),
        },
    )
