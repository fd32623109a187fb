"""Token records out of grants: when they end, what they are sealed with, what becomes of the one that they replace."""

from __future__ import annotations

import secrets
import uuid
from datetime import datetime, timedelta
from typing import Any

from provisioner.address import Address
from provisioner.engine.context import Context
from provisioner.model.desired import Application
from provisioner.model.observed import ObservedToken
from provisioner.model.recorded import (
    EXPIRED,
    LIVE,
    LOST,
    RETIRING,
    REVOKED,
    Sealed,
    TokenRecord,
)
from provisioner.providers.base import Grant, TokenWish
from provisioner.records import dataclass, replace
from provisioner.secret import Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class Issue:
    """One token that is being made: what is known of it before it is asked for."""

    address: Address
    application: Application
    consumer: str | None
    provider_type: str
    object_id: str
    generation: int
    sent_at: datetime
    client_id: str | None
    operation: str
    application_scopes: tuple[str, ...] | None = None


def new_id() -> str:
    return uuid.uuid4().hex


def wish_for(application: Application) -> TokenWish:
    return TokenWish(
        scopes=application.scopes,
        token_lifetime=application.token_lifetime,
        offline_access=application.offline_access,
        redirect_uri=application.redirect_uri,
        resource=application.resource,
        audience=application.audience,
        grant=application.grant,
    )


def end_of(ctx: Context, application: Application | None, grant: Grant, sent_at: datetime) -> datetime | None:
    """Counted from the clock before the request, so that it errs towards too early. None: never, or nobody says."""
    if grant.never_expires:
        return None
    life = grant.expires_in
    if life is None and application is not None:
        life = ctx.vendor_of(application).token_lifetime(application)
    return None if life is None else sent_at + life


def refresh_end(ctx: Context, provider_type: str, sent_at: datetime) -> datetime | None:
    life: timedelta | None = ctx.vendors(provider_type).refresh_lifetime()
    return None if life is None else sent_at + life


def minted(ctx: Context, issue: Issue, grant: Grant) -> TokenRecord:
    """The record of a token just granted, its secrets sealed. Raises what sealing raises."""
    refresh = grant.refresh_token
    return TokenRecord(
        id=issue.object_id,
        address=issue.address,
        application=issue.application.address,
        consumer=issue.consumer,
        provider=issue.application.provider,
        provider_type=issue.provider_type,
        status=LIVE,
        issued_at=issue.sent_at,
        created_at=issue.sent_at,
        expires_at=end_of(ctx, issue.application, grant, issue.sent_at),
        refresh_expires_at=refresh_end(ctx, issue.provider_type, issue.sent_at) if refresh else None,
        requested_scopes=issue.application.scopes,
        issued_for=issue.application.target,
        scopes=granted_scopes(grant, issue.application.scopes),
        application_scopes=issue.application_scopes,
        fingerprint=grant.access_token.fingerprint,
        refresh_fingerprint=refresh.fingerprint if refresh else None,
        generation=issue.generation,
        access_token=_seal(ctx, grant.access_token, issue.object_id, "access_token", issue.generation),
        refresh_token=_seal(ctx, refresh, issue.object_id, "refresh_token", issue.generation) if refresh else None,
        client_id=issue.client_id,
        on_destroy=issue.application.policy.on_destroy,
        prevent_destroy=issue.application.prevent_destroy,
        operation=issue.operation,
    )


def renewed(
    ctx: Context, old: TokenRecord, application: Application | None, grant: Grant, sent_at: datetime, operation: str
) -> TokenRecord:
    """The same object after a refresh; the refresh token is kept where none came back (RFC 6749 section 6)."""
    generation = old.generation + 1
    halves: dict[str, Any] = {}
    if grant.refresh_token is not None:
        halves = {
            "refresh_token": _seal(ctx, grant.refresh_token, old.id, "refresh_token", generation),
            "refresh_fingerprint": grant.refresh_token.fingerprint,
            "refresh_expires_at": refresh_end(ctx, old.provider_type, sent_at),
        }
    return replace(
        old,
        status=LIVE,
        issued_at=sent_at,
        created_at=old.created_at or old.issued_at,
        expires_at=end_of(ctx, application, grant, sent_at),
        scopes=granted_scopes(grant, old.scopes),
        fingerprint=grant.access_token.fingerprint,
        generation=generation,
        access_token=_seal(ctx, grant.access_token, old.id, "access_token", generation),
        operation=operation,
        note=None,
        **halves,
    )


def granted_scopes(grant: Grant, asked: tuple[str, ...]) -> tuple[str, ...]:
    """RFC 6749 section 5.1: an answer without a scope grants what was asked."""
    return asked if grant.scopes is None else tuple(sorted(set(grant.scopes)))


def _seal(ctx: Context, secret: Secret, object_id: str, field: str, generation: int) -> Sealed:
    sealed: Sealed = ctx.sealer.seal(secret, object_id=object_id, field=field, generation=generation)
    return sealed


def depose(old: TokenRecord, address: Address, application: Application, now: datetime) -> TokenRecord | None:
    """What a replaced token becomes in the entry that records its successor; None where it is dead and just goes.

    It keeps the address even where a `moved` block changes that in the same step.
    """
    dead = old.status in (REVOKED, LOST) or (old.status_at(now) == EXPIRED and old.refresh_token is None)
    unauthorized_and_over = old.refresh_token is None and old.expires_at is not None and old.expires_at <= now
    if dead or unauthorized_and_over:
        return None
    return replace(
        old,
        address=address,
        application=application.address if old.application.name != application.address.name else old.application,
        status=RETIRING,
        deposed=secrets.token_hex(4),
        retire_at=now + application.policy.overlap,
    )


def as_seen(record: TokenRecord, seen: ObservedToken) -> TokenRecord:
    """A record corrected by introspection: scopes, and an end that the answer did not say."""
    scopes = record.scopes if seen.scopes is None else tuple(sorted(set(seen.scopes)))
    expires = record.expires_at or seen.expires_at
    return replace(record, scopes=scopes, expires_at=expires)
