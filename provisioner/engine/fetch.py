"""A token that is valid now, for whoever needs one: read, renewed first where it must be, by the same protocol."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from provisioner import providers as registry
from provisioner.address import Address
from provisioner.engine.context import Clock, Context, Patience, Rescue, Stopped, Vendors
from provisioner.engine.ended import Ended
from provisioner.engine.interrupts import StopFlag
from provisioner.engine.settle import settle
from provisioner.engine.steps_refresh import refresh
from provisioner.engine.steps_token import create, replace_token
from provisioner.errors import Diagnostic, NeedsPerson
from provisioner.model.desired import Desired
from provisioner.model.observed import Observed
from provisioner.model.plan import CREATE, CREATE_TOKEN, REFRESH_TOKEN, REPLACE, REPLACE_TOKEN, UPDATE, Reason, Step
from provisioner.model.recorded import LIVE, State, TokenRecord
from provisioner.planning.tokens import authorize_command
from provisioner.providers.base import Provider, Refresh
from provisioner.records import dataclass
from provisioner.secret import Secret
from provisioner.times import format_duration

if TYPE_CHECKING:
    from provisioner.journal.journal import Journal, RunInfo
    from provisioner.journal.seal import Sealer


@dataclass(frozen=True, slots=True)
class Fetched:
    """A token to hand out. `renewed`: a request was sent for it."""

    secret: Secret
    record: TokenRecord
    diagnostics: tuple[Diagnostic, ...] = ()
    renewed: bool = False


def serves(record: TokenRecord | None, now: datetime, min_ttl: timedelta) -> bool:
    """Whether it is live, and will be for that long. Pure: a caller that finds True needs no lock and no provider."""
    if record is None or record.status != LIVE or record.access_token is None:
        return False
    return record.expires_at is None or record.expires_at - now > min_ttl


def recorded_token(state: State, address: Address) -> TokenRecord | None:
    """The token that serves at an address."""
    found = state.current().get(address)
    return found if isinstance(found, TokenRecord) else None


def fetch_token(
    address: Address,
    desired: Desired,
    journal: Journal,
    sealer: Sealer,
    providers: Mapping[str, Provider],
    *,
    run: RunInfo,
    clock: Clock,
    min_ttl: timedelta = timedelta(),
    begin: Callable[[], None] = lambda: None,
    stop: StopFlag | None = None,
    vendors: Vendors = registry.vendor,
    patience: Patience | None = None,
    rescue: Rescue | None = None,
) -> Fetched:
    """The access token at `address`, renewed first where less than `min_ttl` of it is left.

    `begin` takes the lock and begins the run; it is called only where something must be sent. Raises NeedsPerson
    `no-valid-token` or `needs-authorization` where none is to be had without a person, Interrupted where `stop` was
    asked before anything was sent, and what a step raises.
    """
    now = clock()
    record = recorded_token(journal.state, address)
    if record is not None and record.access_token is not None and serves(record, now, min_ttl):
        return Fetched(sealer.open(record.access_token, record.id, "access_token"), record)
    begin()
    observed = Observed(at=now, refreshed=False)
    settle(journal, observed, desired, now, vendors)
    ctx = Context(
        desired,
        journal,
        sealer,
        providers,
        run=run,
        clock=clock,
        observed=observed,
        stop=stop,
        vendors=vendors,
        patience=patience,
        rescue=rescue,
    )
    try:
        ended = _renew(ctx, address, now)
    except Stopped:
        raise ctx.why_stopped() from None
    record = ctx.token(address)
    secret = ctx.open_token(record, "access_token") if record is not None else None
    if record is None or secret is None:
        raise _none(address, "it could not be renewed")
    return Fetched(secret, record, ended.diagnostics, renewed=True)


def _renew(ctx: Context, address: Address, now: datetime) -> Ended:
    """What a plan would do for a token that is due: refresh it, else ask for another, else say who must act."""
    if address not in ctx.wanted:
        raise _none(address, "it is not declared, so it is not renewed")
    application, consumer = ctx.wanted[address]
    vendor = ctx.vendor_of(application)
    record = ctx.token(address)
    person = vendor.needs_person(application)
    refreshable = (
        record is not None
        and record.refresh_token is not None
        and vendor.refresh(application) is not Refresh.NONE
        and (record.refresh_expires_at is None or record.refresh_expires_at > now)
    )
    if refreshable:
        fallback = {} if person else {"fallback": CREATE_TOKEN}
        return refresh(ctx, _step(ctx, address, UPDATE, REFRESH_TOKEN, record, fallback))
    if person:
        detail = f"Run `{authorize_command(application.address, consumer)}` and approve in the browser."
        raise NeedsPerson("needs-authorization", f"{address}: a person must authorize it", detail, address=str(address))
    if record is not None and record.status_at(now) == LIVE:
        return replace_token(ctx, _step(ctx, address, REPLACE, REPLACE_TOKEN, record, {}))
    return create(ctx, _step(ctx, address, CREATE, CREATE_TOKEN, record, {}))


def _step(
    ctx: Context,
    address: Address,
    action: tuple[str, ...],
    operation: str,
    record: TokenRecord | None,
    params: Mapping[str, str],
) -> Step:
    application, _ = ctx.wanted[address]
    left = "nothing"
    if record is not None and record.expires_at is not None:
        left = format_duration(max(record.expires_at - ctx.clock(), timedelta()))
    parent = ctx.application_record(application.address)
    scopes = {"application_scopes": list(parent.scopes)} if parent is not None else {}
    return Step(
        id=str(address),
        address=address,
        action=action,
        operation=operation,
        reason=Reason("asked-for", f"somebody asked for a token that is valid now, and {left} is left of this one"),
        provider=application.provider,
        provider_type=ctx.desired.providers[application.provider].type,
        object_id=record.id if record else None,
        params={**scopes, **params},
    )


def _none(address: Address, why: str) -> NeedsPerson:
    detail = "Run `provisioner plan` to see what it needs."
    return NeedsPerson(
        "no-valid-token", f"{address}: there is no token that is valid now; {why}", detail, address=str(address)
    )
