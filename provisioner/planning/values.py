"""The public values of resources: what plans, states and views show (contract section 5). A secret is always None."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from provisioner.model.desired import Application, CreditFloor
from provisioner.model.recorded import ApplicationRecord, CreditsRecord, Purchase, ResourceRecord, TokenRecord
from provisioner.planning.registered import shown
from provisioner.times import to_rfc3339

SENSITIVE: dict[str, tuple[str, ...]] = {
    "application": ("client_secret",),
    "token": ("access_token", "refresh_token"),
    "credits": (),
}


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else to_rfc3339(moment)


def of_record(record: ResourceRecord, now: datetime, purchases: Iterable[Purchase] = ()) -> dict[str, Any]:
    """The values of one recorded object at `now`. Amounts are Decimal, times RFC 3339."""
    if isinstance(record, ApplicationRecord):
        return {
            "name": record.name,
            "provider": record.provider,
            "client_id": record.client_id,
            "client_secret": None,
            "secret_fingerprint": record.secret_fingerprint,
            "scopes": list(record.scopes),
            "token_lifetime": record.token_lifetime,
            "managed": record.managed,
            "prevent_destroy": record.prevent_destroy,
            **shown(record.registration),
        }
    if isinstance(record, TokenRecord):
        return {
            "application": str(record.application).removeprefix("application."),
            "consumer": record.consumer,
            "provider": record.provider,
            "status": record.status_at(now),
            "issued_at": _time(record.issued_at),
            "expires_at": _time(record.expires_at),
            "refresh_expires_at": _time(record.refresh_expires_at),
            "retire_at": _time(record.retire_at),
            "scopes": list(record.scopes),
            "fingerprint": record.fingerprint,
            "generation": record.generation,
            "access_token": None,
            "refresh_token": None,
            "prevent_destroy": record.prevent_destroy,
            "on_destroy": record.on_destroy,
        }
    return _of_credits(record, now, purchases)


class AsRecorded(Mapping[str, Any]):
    """`of_record` of what a step leaves as it is, made when somebody looks: of a plan without changes nobody does, and
    of 10,000 tokens they are 50 of its 640 ms."""

    __slots__ = ("_found", "_now", "_record")

    def __init__(self, record: ResourceRecord, now: datetime) -> None:
        self._record, self._now = record, now
        self._found: dict[str, Any] | None = None

    def _made(self) -> dict[str, Any]:
        if self._found is None:
            self._found = of_record(self._record, self._now)
        return self._found

    def __getitem__(self, key: str) -> Any:
        return self._made()[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._made())

    def __len__(self) -> int:
        return len(self._made())

    def __repr__(self) -> str:
        return repr(self._made())


def _of_credits(record: CreditsRecord, now: datetime, purchases: Iterable[Purchase]) -> dict[str, Any]:
    return {
        "provider": record.provider,
        "balance": record.balance,
        "unit": record.unit,
        "minimum": record.minimum,
        "target": record.target,
        "max_per_apply": record.max_per_apply,
        "max_per_day": record.max_per_day,
        "on_shortfall": record.on_shortfall,
        "observed_at": _time(record.observed_at),
        "purchased_last_24h": bought_since(purchases, record.provider, now - timedelta(hours=24)),
        "prevent_destroy": record.prevent_destroy,
    }


def bought_since(purchases: Iterable[Purchase], provider: str, since: datetime) -> Decimal:
    """What was bought for this account since then, doubts included: they count against every guard."""
    return sum((p.amount for p in purchases if p.provider == provider and p.at > since), Decimal(0))


# What only apply will know of a new or renewed token.
TOKEN_UNKNOWN = ("issued_at", "expires_at", "refresh_expires_at", "fingerprint", "access_token", "refresh_token")


def of_wanted_token(application: Application, consumer: str | None, generation: int) -> dict[str, Any]:
    """A token as it will be once created; what `TOKEN_UNKNOWN` names is None."""
    return {
        "application": str(application.address).removeprefix("application."),
        "consumer": consumer,
        "provider": application.provider,
        "status": "live",
        "issued_at": None,
        "expires_at": None,
        "refresh_expires_at": None,
        "retire_at": None,
        "scopes": list(application.scopes),
        "fingerprint": None,
        "generation": generation,
        "access_token": None,
        "refresh_token": None,
        "prevent_destroy": application.prevent_destroy,
        "on_destroy": application.policy.on_destroy,
    }


def of_wanted_application(application: Application, managed: str, known: Mapping[str, Any]) -> dict[str, Any]:
    """An application as declared; `known` fills in what the vendor or the record says (client_id, fingerprint)."""
    return {
        "name": application.name,
        "provider": application.provider,
        "client_id": None,
        "client_secret": None,
        "secret_fingerprint": None,
        "scopes": list(application.scopes),
        "token_lifetime": application.token_lifetime,
        "managed": managed,
        "prevent_destroy": application.prevent_destroy,
        **known,
    }


def of_wanted_floor(floor: CreditFloor, known: Mapping[str, Any]) -> dict[str, Any]:
    """A floor as declared; `known` fills in what was observed or recorded."""
    return {
        "provider": floor.provider,
        "balance": None,
        "unit": None,
        "minimum": floor.minimum,
        "target": floor.target,
        "max_per_apply": floor.max_per_apply,
        "max_per_day": floor.max_per_day,
        "on_shortfall": floor.on_shortfall,
        "observed_at": None,
        "purchased_last_24h": Decimal(0),
        "prevent_destroy": floor.prevent_destroy,
        **known,
    }
