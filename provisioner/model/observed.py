"""What the providers say now. Not having looked is a value of its own: `None` where an answer would stand.

Serialisable in full, because a saved plan carries it; it never holds a secret, only fingerprints.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from provisioner.records import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservedApplication:
    """One application as the vendor shows it. `exists` False: looked for, and not there."""

    exists: bool
    client_id: str | None = None
    name: str | None = None
    scopes: tuple[str, ...] | None = None  # sorted; None: the vendor does not say
    token_lifetime: str | None = None  # "1d", "1w", "never", or the vendor's own word where it is none of these
    secret_fingerprint: str | None = None
    registration: Mapping[str, Any] = field(default_factory=dict)
    problem: str | None = None  # a sentence: two applications of that name, a refused client secret, ...


ALIVE, DEAD, UNKNOWN = "alive", "dead", "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservedToken:
    """A probe or an introspection of one recorded token. `scopes` None: not said. `without`: scopes that it was shown
    to lack, where a vendor tells no more; the reader takes them off those that are recorded."""

    liveness: str  # ALIVE, DEAD, UNKNOWN
    scopes: tuple[str, ...] | None = None
    expires_at: datetime | None = None
    detail: str | None = None
    without: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservedCredits:
    balance: Decimal
    unit: str  # "credits", or an upper-case currency code
    at: datetime
    parts: Mapping[str, Decimal] = field(default_factory=dict)
    note: str | None = None  # a sentence about how to read it: a postpaid account


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderObservation:
    """Everything read of one provider. Keys: application addresses as text; token object ids."""

    applications: Mapping[str, ObservedApplication] = field(default_factory=dict)
    tokens: Mapping[str, ObservedToken] = field(default_factory=dict)
    credits: ObservedCredits | None = None  # None: not read; `credits_problem` says why where it was tried
    credits_problem: str | None = None
    features: Mapping[str, bool] = field(default_factory=dict)  # oauth2: what the metadata announces, e.g. "revocation"
    unmanaged: tuple[str, ...] = ()  # names of applications at the vendor that nobody declared (SMS.CX lists all)


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """`refreshed` False: nobody looked (`--refresh=false`); then every provider is absent from `providers`."""

    at: datetime
    refreshed: bool = True
    providers: Mapping[str, ProviderObservation] = field(default_factory=dict)

    def of(self, provider: str) -> ProviderObservation:
        return self.providers.get(provider, _NOTHING)


_NOTHING = ProviderObservation()
