"""What the state says: the fold of the journal, as frozen records. Formats and storage are `journal/`'s.

Every managed thing has an `id` that never changes, whatever its address: sealed values are bound to it, and a deposed
token keeps its own. A secret is present only as `Sealed`, which this module can carry and not open.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

from provisioner.address import Address, parse_address
from provisioner.records import MISSING, dataclass, field, fields
from provisioner.times import from_rfc3339, to_rfc3339


class Sealed(NamedTuple):
    """One secret at rest: AES-256-GCM under the data key `key_id`, with lineage, object id, field and generation as
    associated data. Written as `v1:KEY_ID:GENERATION:BASE64(nonce + ciphertext)`."""

    key_id: str
    generation: int
    blob: str

    def __str__(self) -> str:
        return f"v1:{self.key_id}:{self.generation}:{self.blob}"


def parse_sealed(text: str) -> Sealed:
    version, key_id, generation, blob = text.split(":", 3)
    if version != "v1":
        raise ValueError(f"unknown seal {version!r}")
    return Sealed(key_id, int(generation), blob)


# What a token is recorded as. `expired` is derived: a live or retiring token past its end (`TokenRecord.status_at`).
LIVE, RETIRING, REVOKED, EXPIRED = "live", "retiring", "revoked", "expired"
LOST, IN_DOUBT, UNAUTHORIZED = "lost", "in_doubt", "unauthorized"

# How an application came to be ours.
CREATED, ADOPTED, HANDOFF = "created", "adopted", "handoff"


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplicationRecord:
    id: str
    address: Address
    provider: str
    provider_type: str
    name: str
    client_id: str | None
    scopes: tuple[str, ...] = ()  # as the vendor has them, sorted
    token_lifetime: str | None = None  # as the vendor has it, in our spelling
    managed: str = ADOPTED
    secret: Sealed | None = None
    secret_fingerprint: str | None = None
    prevent_destroy: bool = False
    # oauth2: registration_client_uri, token_endpoint_auth_method, redirect_uris, ... as the server answered them
    registration: Mapping[str, Any] = field(default_factory=dict)
    registration_token: Sealed | None = None
    created_at: datetime | None = None

    kind = "application"


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRecord:
    """`deposed` is None for the object that serves, else the key under which it is told from its siblings.
    `expires_at` None means that it never ends. A lost token has no fingerprint and no sealed value; its `expires_at` is
    the latest moment that it can live to."""

    id: str
    address: Address
    application: Address
    consumer: str | None
    provider: str
    provider_type: str
    status: str
    issued_at: datetime
    expires_at: datetime | None = None
    refresh_expires_at: datetime | None = None
    requested_scopes: tuple[str, ...] = ()
    issued_for: tuple[str, ...] = ()  # whom it was asked for: each `resource`, and `audience=...` (RFC 8707)
    scopes: tuple[str, ...] = ()  # granted, sorted
    fingerprint: str | None = None
    refresh_fingerprint: str | None = None
    generation: int = 1  # counts renewals and rotations at this address
    access_token: Sealed | None = None
    refresh_token: Sealed | None = None
    deposed: str | None = None
    retire_at: datetime | None = None  # a retiring token is revoked from then on
    client_id: str | None = None  # the client it was issued to
    on_destroy: str = "revoke"  # as declared when last applied: a removed block cannot say it any more
    prevent_destroy: bool = False
    operation: str | None = None  # the journaled operation that made it: how a lost one is told from another
    note: str | None = None
    created_at: datetime | None = None  # when this grant began: a refresh keeps it, a replacement starts anew
    application_scopes: tuple[str, ...] | None = None  # the application's scopes at the vendor when this was granted

    kind = "token"

    def status_at(self, moment: datetime) -> str:
        """`status`, or `expired` once a live or retiring token's end has passed."""
        if self.status in (LIVE, RETIRING) and self.expires_at is not None and self.expires_at <= moment:
            return EXPIRED
        return self.status


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditsRecord:
    """`balance` is in `unit`: `credits`, or an upper-case currency code. `parts` are the vendor's own sub-balances
    (EZ Texting: planCredits, anytimeCredits). The guards are recorded so that removing a block does not hide them."""

    id: str
    address: Address
    provider: str
    provider_type: str
    balance: Decimal | None
    unit: str | None
    minimum: Decimal
    target: Decimal | None = None
    observed_at: datetime | None = None
    parts: Mapping[str, Decimal] = field(default_factory=dict)
    max_per_apply: Decimal | None = None
    max_per_day: Decimal | None = None
    on_shortfall: str = "error"
    prevent_destroy: bool = False

    kind = "credits"


ResourceRecord = ApplicationRecord | TokenRecord | CreditsRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class Purchase:
    """One purchase that happened, or may have: a doubt counts against every guard (contract section 2, design 3)."""

    operation: str
    provider: str
    address: Address
    amount: Decimal
    unit: str
    at: datetime
    run: str
    status: str = "happened"  # or "in_doubt"


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """A change that was announced and has no outcome: in flight while its run holds the lock, otherwise in doubt.

    `op` is the engine's verb (`token.create`, `token.refresh`, `token.revoke`, `application.register`,
    `credits.purchase`, ...). `read` is what was read before it was sent (fingerprint, balances); `evidence` is what was
    seen since, oldest first: objects with `at` and what was read. Neither holds a secret."""

    id: str
    address: Address
    op: str
    run: str
    since: datetime
    object_id: str | None = None
    provider: str | None = None
    provider_type: str | None = None
    amount: Decimal | None = None  # purchases
    unit: str | None = None
    read: Mapping[str, Any] = field(default_factory=dict)
    evidence: tuple[Mapping[str, Any], ...] = ()
    in_doubt: bool = False  # a `doubt` entry was written; False: an intent and nothing after it

    @property
    def kind(self) -> str:
        """`token`, `application` or `credits`, and the verb, as the contract's `in_doubt[].kind`."""
        return self.op


@dataclass(slots=True, kw_only=True)
class State:
    """The fold. Only `journal.fold` changes it; everybody else reads.

    `serial` 0 and `head` "" : nothing was ever recorded, and `lineage` is not fixed yet ("")."""

    stack: str = ""
    lineage: str = ""
    serial: int = 0
    head: str = ""
    objects: dict[str, ResourceRecord] = field(default_factory=dict)  # by id
    operations: dict[str, Operation] = field(default_factory=dict)  # announced and not settled, by operation id
    purchases: list[Purchase] = field(default_factory=list)  # of the last 35 days, oldest first
    handoffs: dict[str, datetime] = field(default_factory=dict)  # address → since when a person has been asked
    updated_at: datetime | None = None

    def current(self) -> dict[Address, ResourceRecord]:
        """The objects that serve, by address: no deposed ones."""
        return {r.address: r for r in self.objects.values() if not (isinstance(r, TokenRecord) and r.deposed)}

    def deposed(self) -> list[TokenRecord]:
        return [r for r in self.objects.values() if isinstance(r, TokenRecord) and r.deposed]

    def resources(self) -> list[ResourceRecord]:
        """Everything in the order that it is shown in: by address, what serves before what is deposed."""
        return sorted(self.objects.values(), key=lambda r: (r.address.sort_key, getattr(r, "deposed", None) or ""))


# -- JSON, as it stands in journal entries ---------------------------------------------------------------------------


def record_to_json(record: ResourceRecord) -> dict[str, Any]:
    """Only what differs from the defaults, so that an entry costs its own bytes. Decimals are strings."""
    found: dict[str, Any] = {"kind": record.kind}
    for name, default in _FIELDS[record.kind].items():
        value = getattr(record, name)
        if value != default:
            found[name] = _encode(value)
    return found


def record_from_json(data: Mapping[str, Any]) -> ResourceRecord:
    """Raises KeyError, ValueError or TypeError on what is no record; the journal turns that into a damaged state."""
    values = dict(data)
    kind = values.pop("kind")
    for name, decode in _DECODERS[kind]:
        if (value := values.get(name)) is not None:
            values[name] = decode(value)
    record: ResourceRecord = _CLASSES[kind](**values)
    return record


def _encode(value: Any) -> Any:
    if isinstance(value, str | int):
        return value
    if isinstance(value, Address | Sealed | Decimal):
        return str(value)
    if isinstance(value, datetime):
        return to_rfc3339(value)
    if isinstance(value, tuple):
        return [_encode(item) for item in value]
    if isinstance(value, Mapping):
        return {key: _encode(item) for key, item in value.items()}
    return value


def _decimals(value: Mapping[str, str]) -> dict[str, Decimal]:
    return {key: Decimal(item) for key, item in value.items()}


_MISSING = object()
_CLASSES: dict[str, Any] = {"application": ApplicationRecord, "token": TokenRecord, "credits": CreditsRecord}


def _defaults(cls: Any) -> dict[str, Any]:
    found = {}
    for f in fields(cls):
        if f.default is not MISSING:
            found[f.name] = f.default
        elif f.default_factory is not MISSING:
            found[f.name] = f.default_factory()
        else:
            found[f.name] = _MISSING
    return found


_FIELDS: dict[str, dict[str, Any]] = {kind: _defaults(cls) for kind, cls in _CLASSES.items()}
_DECODE: dict[str, Any] = {
    "address": parse_address,
    "application": parse_address,
    "scopes": tuple,
    "application_scopes": tuple,
    "requested_scopes": tuple,
    "issued_for": tuple,
    "secret": parse_sealed,
    "registration_token": parse_sealed,
    "access_token": parse_sealed,
    "refresh_token": parse_sealed,
    "issued_at": from_rfc3339,
    "expires_at": from_rfc3339,
    "refresh_expires_at": from_rfc3339,
    "retire_at": from_rfc3339,
    "observed_at": from_rfc3339,
    "created_at": from_rfc3339,
    "balance": Decimal,
    "minimum": Decimal,
    "target": Decimal,
    "max_per_apply": Decimal,
    "max_per_day": Decimal,
    "parts": _decimals,
}
_DECODERS: dict[str, tuple[tuple[str, Any], ...]] = {
    kind: tuple((name, _DECODE[name]) for name in members if name in _DECODE) for kind, members in _FIELDS.items()
}
