"""The life of every secret that was ever recorded, by its fingerprint: who held it, since when, and how it ended.

A token object has one span a generation: a refresh ends one and begins the next, a rotation begins another object at
the same address. The values themselves are sealed, so a fingerprint is all that is seen of them, and all that is
needed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from provisioner.address import Address
from provisioner.audit.seen import Mark, Seen
from provisioner.model.plan import REVOKE_TOKEN
from provisioner.model.recorded import (
    LOST,
    RETIRING,
    REVOKED,
    UNAUTHORIZED,
    ApplicationRecord,
    ResourceRecord,
    TokenRecord,
)
from provisioner.records import dataclass, field

ACCESS, REFRESH, CLIENT_SECRET = "access_token", "refresh_token", "client_secret"

# How a span or a value ended. RENEWED and ROTATED: another took its place, and whether the vendor ended it is not
# known.
RENEWED, ROTATED, FORGOTTEN = "renewed", "rotated", "forgotten"


@dataclass(slots=True)
class Span:
    """One generation of one token. `ended` is when it was known to have stopped serving, whatever its `expires`;
    `retiring` since when another served in its place."""

    generation: int
    fingerprint: str | None
    began: datetime
    expires: datetime | None
    mark: Mark
    scopes: tuple[str, ...] = ()
    ended: datetime | None = None
    how: str | None = None
    retiring: datetime | None = None

    def last(self, now: datetime) -> datetime:
        """Until when it could serve, as far as `now` tells."""
        ends = [moment for moment in (self.ended, self.expires, now) if moment is not None]
        return min(ends)


@dataclass(slots=True)
class Life:
    """One token object. `dropped` is the entry by which it left the recorded state."""

    id: str
    address: Address
    provider: str
    provider_type: str
    spans: list[Span] = field(default_factory=list)
    lost: bool = False
    dropped: Mark | None = None


@dataclass(slots=True)
class Value:
    """One secret by its fingerprint. `ended` and `how` as of a span's; None while it is the recorded one."""

    kind: str
    fingerprint: str
    object_id: str
    address: Address
    issued: datetime
    expires: datetime | None
    ended: datetime | None = None
    how: str | None = None


class Lives:
    """A collector: see `trail.Trail`. Objects by id, values by fingerprint (the newest bearer of one wins)."""

    def __init__(self) -> None:
        self.tokens: dict[str, Life] = {}
        self.values: dict[str, Value] = {}

    def see(self, seen: Seen) -> None:
        if seen.kind == "checkpoint":
            return  # says again what the entries before it said
        for record in seen.change.put:
            if isinstance(record, TokenRecord):
                self._token(seen, record)
            elif isinstance(record, ApplicationRecord):
                self._application(seen, record)
        for gone in seen.change.drop:
            ended = seen.state.objects.get(gone)
            if ended is not None:
                self._dropped(seen, ended)

    # -- tokens ------------------------------------------------------------------------------------------------------

    def _token(self, seen: Seen, record: TokenRecord) -> None:
        before = seen.before(record)
        old = before if isinstance(before, TokenRecord) else None
        life = self.tokens.get(record.id)
        if life is None:
            life = self.tokens[record.id] = Life(record.id, record.address, record.provider, record.provider_type)
        life.address, life.provider = record.address, record.provider
        life.lost, life.dropped = record.status == LOST, None
        if old is None or old.fingerprint != record.fingerprint or not life.spans:
            if life.spans:
                _end(life.spans[-1], seen.mark.time, RENEWED)
            life.spans.append(
                Span(record.generation, record.fingerprint, record.issued_at, record.expires_at, seen.mark)
            )
        span = life.spans[-1]
        span.expires, span.scopes = record.expires_at, record.scopes
        _follow_status(span, record, seen.mark.time)
        self._value(ACCESS, record.fingerprint, record, record.expires_at, seen, old.fingerprint if old else None)
        self._value(
            REFRESH,
            record.refresh_fingerprint,
            record,
            record.refresh_expires_at,
            seen,
            old.refresh_fingerprint if old else None,
        )
        self._follow_values(record, span)

    def _value(
        self,
        kind: str,
        fingerprint: str | None,
        record: TokenRecord,
        expires: datetime | None,
        seen: Seen,
        before: str | None,
    ) -> None:
        if before is not None and before != fingerprint:
            how = REVOKED if record.status == UNAUTHORIZED or fingerprint is None else RENEWED
            _end(self.values.get(before), seen.mark.time, how)
        if fingerprint is None:
            return
        known = self.values.get(fingerprint)
        if known is None or known.object_id != record.id:
            self.values[fingerprint] = Value(kind, fingerprint, record.id, record.address, record.issued_at, expires)
        else:
            known.address, known.expires = record.address, expires

    def _follow_values(self, record: TokenRecord, span: Span) -> None:
        """A revoked or dead grant takes both halves with it; one that serves again has none of that."""
        for fingerprint in (record.fingerprint, record.refresh_fingerprint):
            value = self.values.get(fingerprint or "")
            if value is not None:
                value.ended, value.how = span.ended, span.how
                if span.how == ROTATED:
                    value.ended = None  # it lives on until it is revoked or expires
                    value.how = ROTATED

    # -- client secrets ----------------------------------------------------------------------------------------------

    def _application(self, seen: Seen, record: ApplicationRecord) -> None:
        before = seen.before(record)
        held = set(_secrets(before)) if isinstance(before, ApplicationRecord) else set()
        kept = dict.fromkeys(_secrets(record))
        for fingerprint in held - set(kept):
            _end(self.values.get(fingerprint), seen.mark.time, REVOKED, again=True)
        for position, fingerprint in enumerate(kept):
            value = self.values.get(fingerprint)
            if value is None:
                began = (record.created_at if position == 0 and not held else None) or seen.mark.time
                value = Value(CLIENT_SECRET, fingerprint, record.id, record.address, began, None)
                self.values[fingerprint] = value
            value.address, value.object_id = record.address, record.id
            value.how, value.ended = (ROTATED, None) if position else (None, None)

    # -- the end -----------------------------------------------------------------------------------------------------

    def _dropped(self, seen: Seen, record: ResourceRecord) -> None:
        how = _how_dropped(seen, record)
        if isinstance(record, TokenRecord):
            life = self.tokens.get(record.id)
            if life is not None:
                life.dropped = seen.mark
                if life.spans and life.spans[-1].how in (None, ROTATED):
                    _end(life.spans[-1], seen.mark.time, how, again=True)
            for fingerprint in (record.fingerprint, record.refresh_fingerprint):
                _end(self.values.get(fingerprint or ""), seen.mark.time, how, again=True)
        elif isinstance(record, ApplicationRecord):
            kept = {f for new in seen.change.put if isinstance(new, ApplicationRecord) for f in _secrets(new)}
            for fingerprint in set(_secrets(record)) - kept:  # a client that was superseded lives on in its successor
                _end(self.values.get(fingerprint), seen.mark.time, how, again=True)


def _follow_status(span: Span, record: TokenRecord, moment: datetime) -> None:
    if record.status in (REVOKED, UNAUTHORIZED):
        _end(span, moment, record.status)
    elif record.status == RETIRING:
        span.retiring = span.retiring or moment
        span.how, span.ended = ROTATED, None
    else:
        span.retiring, span.ended, span.how = None, None, None


def _end(what: Span | Value | None, moment: datetime, how: str, *, again: bool = False) -> None:
    """`again`: a later word on one that was replaced: how it really ended."""
    if what is not None and (what.how is None or (again and what.how in (RENEWED, ROTATED))):
        what.ended, what.how = moment, how


def _how_dropped(seen: Seen, record: ResourceRecord) -> str:
    """Revoked (or deleted) by us, seen dead at the vendor, or only forgotten: then it lives as long as it lives."""
    if seen.kind == "observed":
        return REVOKED
    operation = seen.state.operations.get(seen.operation or "")
    ended_it = operation is not None and operation.op in (REVOKE_TOKEN, "application.delete")
    if seen.kind == "outcome" and ended_it and seen.body.get("result") == "done":
        return REVOKED
    if seen.kind == "settled" and ended_it and seen.body.get("as") == "happened":
        return REVOKED
    return FORGOTTEN


def _secrets(record: ApplicationRecord) -> Iterator[str]:
    """The client's secret, then those of the clients that it superseded and that still have tokens."""
    if record.secret_fingerprint:
        yield record.secret_fingerprint
    previous: Any = record.registration.get("previous")
    while isinstance(previous, Mapping):
        if previous.get("secret_fingerprint"):
            yield previous["secret_fingerprint"]
        previous = (previous.get("registration") or {}).get("previous")
