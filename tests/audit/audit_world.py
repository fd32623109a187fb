"""A past for the audit's tests: a real journal, written entry by entry as the engine writes it, at times that a test
chooses.

Nothing is random: the same story gives the same bytes, so that golden files can be compared. The secrets are canaries.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any

from provisioner.address import Address, parse_address
from provisioner.audit.case import Case
from provisioner.audit.datakeys import read_keys
from provisioner.audit.trail import Trail
from provisioner.commands.audit import facts_of
from provisioner.engine import drafts
from provisioner.journal.journal import Draft, Journal
from provisioner.journal.keys import DataKeyFile
from provisioner.journal.load import load
from provisioner.journal.run import RunInfo
from provisioner.journal.stores.directory import DirectoryStore
from provisioner.model.desired import Application, CreditFloor, Desired, Encryption, ProviderConfig, TokenPolicy
from provisioner.model.observed import ObservedCredits
from provisioner.model.recorded import (
    LIVE,
    LOST,
    RETIRING,
    ApplicationRecord,
    CreditsRecord,
    Operation,
    ResourceRecord,
    Sealed,
    TokenRecord,
    record_to_json,
)
from provisioner.secret import Secret

NOW = datetime(2026, 12, 1, 12, 0, tzinfo=UTC)
LINEAGE = "6e5ef4ee-8a6f-4a52-bd67-0d30b6d0a1f2"
KEY = "a1b2c3d4e5f60718"
RECIPIENT = "age10208jqg5fw0g6v4jehk9782u8l0euwz82jjqj6nj3sdkfvyuxv8sjskd9h"
ARMORED = """-----BEGIN AGE ENCRYPTED FILE-----
YWdlLWVuY3J5cHRpb24ub3JnL3YxCi0+IFgyNTUxOSBEeFdsUkh0UG1yMjVmQ2Y2
d0pHbnlGazJLVTdHaEhTdi92dWhUQ05kdFFNCk94ZkRkakVBdTE1WFhEUnpmNVdL
cFFKZThrSjAvVzBheUs1Ulo4R2hpbGsKLT4gRj9cQi1ncmVhc2UgMkV2eCBhYGIg
eDt7eTg1alEgSQpGT2tsTCtGeHIxZ2hKQ2RtekVyNjYrQkh1U3FTeWQwcEpCQWhT
VFlkZDdLd1FIV0NFL0lRUHNici80SVlYNmFRCkIzOFdCY0pLTDk0VllmTjFLb0Zl
YmNJVGJTOE5zaFJZUFJKcG0zYXAKLS0tIDlMZG9jRFpFaEVRcUVLd2xaRjNHSVRz
b1R4bjhndTlLVVRLb3NaWm9vdzgKbm/Yi4cLxXVbiEGNPdVQRnFvBxri/VUBn0Ph
s4e/V1IGAthwK8b3sw/e1jWjAdGGu58ibeu2uBDezzMw4k41sw==
-----END AGE ENCRYPTED FILE-----
"""
DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)


def secret(kind: str, number: int) -> Secret:
    """The canary that stands behind a recorded fingerprint: `canary-access-0007`."""
    return Secret(f"canary-{kind}-{number:04d}")


class Past:
    """Writes a state under `folder`. `at` is the clock; each verb below is one announced operation, done."""

    def __init__(
        self, folder: Path, at: datetime = NOW - 30 * DAY, *, stack: str = "messaging", first: int = 1
    ) -> None:
        self.store = DirectoryStore(folder / "state" / stack, f"state/{stack}")
        self.at = at
        self.stack = stack
        self.journal: Journal | None = None
        self.command = "apply"
        self._numbers = count(first)
        self._runs = count(1)
        self.store.put_key(KEY, DataKeyFile(id=KEY, lineage=LINEAGE, recipients=(RECIPIENT,), age=ARMORED).to_bytes())

    @contextmanager
    def run(self, command: str = "apply", *, accept_rollback: bool = False, **more: Any) -> Iterator[Journal]:
        """One run, from its lock to its unlock; the clock moves on by a second at its end."""
        number = next(self._runs)
        run = RunInfo(
            id=f"{self.at:%Y%m%dT%H%M%SZ}-{number:08x}",
            actor=more.pop("actor", "ann"),
            command=command,
            started=self.at,
            **more,
        )
        opened = Journal.open(
            self.store, stack=self.stack, memory=None, accept_rollback=accept_rollback, clock=lambda: self.at
        )
        with opened as journal:
            journal.state.lineage = LINEAGE
            journal.begin(run)
            self.journal = journal
            try:
                yield journal
            finally:
                self.journal = None
        self.at += timedelta(seconds=1)

    def wait(self, length: timedelta) -> None:
        self.at += length

    def append(self, *written: Draft) -> None:
        if self.journal is not None:
            self.journal.append(*written)
            return
        with self.run(self.command) as journal:
            journal.append(*written)

    # -- operations ----------------------------------------------------------------------------------------------------

    def operation(self, op: str, address: str, **more: Any) -> Operation:
        number = next(self._numbers)
        fields: dict[str, Any] = {"provider": "cx", "provider_type": "smscx", **more}
        return Operation(id=f"{number:016x}", address=parse_address(address), op=op, run="", since=self.at, **fields)

    def did(self, operation: Operation, *, put: tuple[ResourceRecord, ...] = (), **more: Any) -> None:
        self.append(drafts.intent(operation, "because"), drafts.outcome(operation, "done", put=put, **more))

    def token(self, address: str, *, life: timedelta | None = DAY, **more: Any) -> TokenRecord:
        """A token made now, not yet written."""
        number = next(self._numbers)
        where = parse_address(address)
        consumer = where.keys[-1] if where.keys else None
        fields: dict[str, Any] = {
            "id": f"{number:032x}",
            "address": where,
            "application": Address("application", where.name, where.keys[:-1]),
            "consumer": consumer,
            "provider": "cx",
            "provider_type": "smscx",
            "status": LIVE,
            "issued_at": self.at,
            "created_at": self.at,
            "expires_at": None if life is None else self.at + life,
            "requested_scopes": ("groups", "sms"),
            "scopes": ("groups", "sms"),
            "fingerprint": secret("access", number).fingerprint,
            "access_token": Sealed(KEY, 1, "QUFBQQ=="),
            "client_id": "3fd97176bd7e36c0e8fbd22b4b1ab5d29540b49c",
        }
        return TokenRecord(**{**fields, **more})

    def create(self, address: str, **more: Any) -> TokenRecord:
        record = self.token(address, **more)
        self.did(self.operation("token.create", address, object_id=record.id, **_where(record)), put=(record,))
        return record

    def pair(self, address: str, *, life: timedelta = HOUR, **more: Any) -> TokenRecord:
        """At EZ Texting: with a refresh token, and no scopes."""
        number = next(self._numbers)
        halves = {
            "refresh_token": Sealed(KEY, 1, "QkJCQg=="),
            "refresh_fingerprint": secret("refresh", number).fingerprint,
        }
        at_ez: dict[str, Any] = {"provider": "ez", "provider_type": "eztexting", "scopes": (), "requested_scopes": ()}
        fields = {**at_ez, **halves, "refresh_expires_at": self.at + 60 * DAY, "client_id": None, **more}
        return self.create(address, life=life, **fields)

    def refresh(self, old: TokenRecord, *, life: timedelta = HOUR) -> TokenRecord:
        number = next(self._numbers)
        new = replace(
            old,
            generation=old.generation + 1,
            issued_at=self.at,
            expires_at=self.at + life,
            fingerprint=secret("access", number).fingerprint,
            refresh_fingerprint=secret("refresh", number).fingerprint,
        )
        self.did(self.operation("token.refresh", str(old.address), object_id=old.id, **_where(old)), put=(new,))
        return new

    def rotate(
        self, old: TokenRecord, *, overlap: timedelta = timedelta(), **more: Any
    ) -> tuple[TokenRecord, TokenRecord]:
        """The new one, and the old one as it retires."""
        new = replace(self.token(str(old.address), **more), generation=old.generation + 1)
        deposed = replace(old, status=RETIRING, deposed=new.id[-8:], retire_at=self.at + overlap, prevent_destroy=False)
        self.did(self.operation("token.create", str(old.address), object_id=new.id, **_where(old)), put=(new, deposed))
        return new, deposed

    def revoke(self, old: TokenRecord) -> None:
        operation = self.operation("token.revoke", str(old.address), object_id=old.id, **_where(old))
        self.did(operation, drop=(old.id,), detail="revoked")

    def lose(self, address: str, *, until: datetime | None) -> TokenRecord:
        """A creation that was never answered."""
        bare = self.token(address, fingerprint=None, access_token=None, status=LOST, deposed="10570000")
        record = replace(bare, expires_at=until)
        operation = self.operation("token.create", address, object_id=record.id)
        self.append(drafts.intent(operation, "because"))
        self.append(drafts.settled(operation, "lost", "create-is-repeatable", put=(record,)))
        return record

    def application(self, address: str, **more: Any) -> ApplicationRecord:
        number = next(self._numbers)
        fields: dict[str, Any] = {
            "id": f"{number:032x}",
            "address": parse_address(address),
            "provider": "cx",
            "provider_type": "smscx",
            "name": "Campaign sender",
            "client_id": "3fd97176bd7e36c0e8fbd22b4b1ab5d29540b49c",
            "scopes": ("groups", "sms"),
            "secret_fingerprint": secret("client", number).fingerprint,
            "created_at": self.at,
        }
        record = ApplicationRecord(**{**fields, **more})
        self.did(self.operation("application.adopt", address, object_id=record.id, **_where(record)), put=(record,))
        return record

    # -- money ---------------------------------------------------------------------------------------------------------

    def floor(self, address: str, balance: int | str, **more: Any) -> CreditsRecord:
        number = next(self._numbers)
        fields: dict[str, Any] = {
            "id": f"{number:032x}",
            "address": parse_address(address),
            "provider": "ez",
            "provider_type": "eztexting",
            "balance": Decimal(balance),
            "unit": "credits",
            "minimum": Decimal(4000),
            "observed_at": self.at,
            "max_per_apply": Decimal(3000),
            "max_per_day": Decimal(5000),
        }
        record = CreditsRecord(**{**fields, **more})
        self.did(self.operation("credits.record", address, object_id=record.id, **_where(record)), put=(record,))
        return record

    def read(self, record: CreditsRecord, balance: int | str, **parts: int) -> CreditsRecord:
        """A balance that a run saw, and that differs."""
        seen = {name: Decimal(value) for name, value in parts.items()}
        new = replace(record, balance=Decimal(balance), observed_at=self.at, parts=seen)
        self.append(drafts.observed([new]))
        return new

    def buying(self, record: CreditsRecord, amount: int) -> Operation:
        """A purchase announced, with the balance that was read before."""
        before = ObservedCredits(balance=record.balance or Decimal(0), unit="credits", at=self.at, parts=record.parts)
        operation = self.operation(
            "credits.purchase",
            str(record.address),
            object_id=record.id,
            amount=Decimal(amount),
            unit="credits",
            read=drafts.reading(before),
            **_where(record),
        )
        self.append(drafts.intent(operation, "below the floor"))
        return operation

    def buy(self, record: CreditsRecord, amount: int, *, added: int | None = None) -> CreditsRecord:
        operation = self.buying(record, amount)
        new = replace(
            record, balance=(record.balance or Decimal(0)) + (amount if added is None else added), observed_at=self.at
        )
        self.append(drafts.outcome(operation, "done", put=(new,), amount=Decimal(amount)))
        return new

    def edit(self, command: str, *, put: tuple[ResourceRecord, ...] = (), drop: tuple[str, ...] = ()) -> None:
        body = {"command": command, "put": [record_to_json(record) for record in put], "drop": list(drop)}
        with self.run(command) as journal:
            journal.append(Draft("edit", None, body))

    # -- judging -------------------------------------------------------------------------------------------------------

    def case(self, desired: Desired | None = None, *, now: datetime | None = None) -> Case:
        """As `audit` would judge it, `now` by default when the story ends."""
        trail = Trail()
        loaded = load(self.store, stack=None, watch=trail.watch)
        files = {key: self.store.get_key(key) or b"" for key in self.store.list_keys()}
        return Case(
            state=loaded.state,
            trail=trail,
            desired=desired,
            facts=facts_of,
            now=now or self.at,
            keys=read_keys(files, loaded.state.lineage),
        )


def _where(record: ResourceRecord) -> dict[str, Any]:
    return {"provider": record.provider, "provider_type": record.provider_type}


def desired(*applications: Application, floors: tuple[CreditFloor, ...] = (), **more: Any) -> Desired:
    names = {app.provider for app in applications} | {floor.provider for floor in floors}
    kinds = {"cx": "smscx", "ez": "eztexting", "tm": "textmaster", "tk": "textking", "idp": "oauth2"}
    fields: dict[str, Any] = {
        "stack": "messaging",
        "state_location": "state/messaging",
        "providers": {
            name: ProviderConfig(name=name, type=kinds[name], base_url="https://v.example") for name in names
        },
        "applications": applications,
        "credits": floors,
        "encryption": Encryption(recipients=(RECIPIENT,)),
    }
    return Desired(**{**fields, **more})


def application(name: str = "campaigns", **more: Any) -> Application:
    fields: dict[str, Any] = {
        "address": Address("application", name),
        "provider": "cx",
        "name": "Campaign sender",
        "scopes": ("groups", "sms"),
        "token_lifetime": "1d",
        "file": "provisioner.toml",
        "line": 12,
    }
    return Application(**{**fields, **more})


def policy(**more: Any) -> TokenPolicy:
    return TokenPolicy(name="daily", **more)


def credit_floor(**more: Any) -> CreditFloor:
    fields: dict[str, Any] = {
        "address": Address("credits", "ez"),
        "provider": "ez",
        "minimum": Decimal(4000),
        "target": Decimal(6000),
        "max_per_apply": Decimal(3000),
        "max_per_day": Decimal(5000),
        "file": "provisioner.toml",
        "line": 30,
    }
    return CreditFloor(**{**fields, **more})
