"""What a run records beside its steps: what was observed, what has ended by itself, whom it waits for. Pure.

A run in which nothing differs appends nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from provisioner.address import Address
from provisioner.engine import drafts
from provisioner.engine.context import Vendors
from provisioner.engine.events import HANDOFF, StepResult
from provisioner.journal.journal import Draft
from provisioner.model.desired import Application, Desired
from provisioner.model.observed import DEAD, Observed, ObservedApplication, ObservedToken
from provisioner.model.plan import DELETE_APPLICATION, FORGET_RECORD, NOTHING, REVOKE_TOKEN, Plan
from provisioner.model.recorded import (
    EXPIRED,
    LIVE,
    LOST,
    RETIRING,
    REVOKED,
    ApplicationRecord,
    CreditsRecord,
    ResourceRecord,
    State,
    TokenRecord,
)
from provisioner.planning.refactoring import follow
from provisioner.providers.base import Refresh, Revoke
from provisioner.records import dataclass, replace

# A server's clock and ours differ; an end that moved by less than this is the same end.
_SKEW = timedelta(minutes=2)


def moment(plan: Plan) -> datetime:
    """When this is judged: never later than the look at the providers, whatever time was planned for (`--at`)."""
    return min(plan.now, plan.observed.at)


@dataclass(frozen=True, slots=True)
class Changes:
    put: tuple[ResourceRecord, ...] = ()
    drop: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.put or self.drop)


def observed_changes(plan: Plan, desired: Desired, state: State, vendors: Vendors) -> Changes:
    """Where what was read differs from what is recorded, for objects that no step of the plan is about to change."""
    observed = plan.observed
    if not observed.refreshed:
        return Changes()
    refresh_only = plan.options.mode == "refresh-only"
    busy = {step.object_id for step in plan.steps if step.operation != NOTHING and step.object_id is not None}
    applications = {application.address: application for application in desired.applications}
    put: list[ResourceRecord] = []
    drop: list[str] = []
    for record in state.objects.values():
        if record.id in busy or record.provider not in observed.providers:
            continue
        new = _seen(record, desired, observed, applications, vendors, refresh_only=refresh_only)
        if new is None:
            drop.append(record.id)
        elif new is not record:
            put.append(new)
    return Changes(tuple(sorted(put, key=lambda r: r.id)), tuple(sorted(drop)))


def _seen(
    record: ResourceRecord,
    desired: Desired,
    observed: Observed,
    applications: Mapping[Address, Application],
    vendors: Vendors,
    *,
    refresh_only: bool,
) -> ResourceRecord | None:
    """The record as it was seen: the very same object where nothing differs, None where it is gone."""
    seen = observed.of(record.provider)
    if isinstance(record, TokenRecord):
        token = seen.tokens.get(record.id)
        application = applications.get(follow(desired, record.application))
        return record if token is None else _token(record, token, observed, application, vendors)
    if isinstance(record, ApplicationRecord):
        shown = seen.applications.get(str(follow(desired, record.address)))
        # In an ordinary apply the plan's own steps say what becomes of an application.
        return _application(record, shown) if shown is not None and refresh_only else record
    if seen.credits is None:
        return record
    same = (record.balance, record.unit, dict(record.parts)) == (
        seen.credits.balance,
        seen.credits.unit,
        dict(seen.credits.parts),
    )
    return record if same else _balance(record, observed)


def _balance(record: CreditsRecord, observed: Observed) -> CreditsRecord:
    seen = observed.of(record.provider).credits
    if seen is None:
        return record
    return replace(record, balance=seen.balance, unit=seen.unit, observed_at=seen.at, parts=dict(seen.parts))


def _token(
    record: TokenRecord, seen: ObservedToken, observed: Observed, application: Application | None, vendors: Vendors
) -> TokenRecord | None:
    if record.status not in (LIVE, RETIRING):
        return record
    if seen.liveness == DEAD:
        if record.deposed is not None:
            return None
        return _dead(record, observed, application, vendors)
    found = record
    if seen.scopes is not None and tuple(sorted(seen.scopes)) != record.scopes:
        found = replace(found, scopes=tuple(sorted(seen.scopes)))
    ends = seen.expires_at
    if ends is not None and (record.expires_at is None or record.expires_at - ends > _SKEW):
        found = replace(found, expires_at=ends)
    return found


def _dead(record: TokenRecord, observed: Observed, application: Application | None, vendors: Vendors) -> TokenRecord:
    """Revoked. Where a first token takes a person and a refresh token is left, it counts as ended instead: a refresh
    may still serve, and only its refusal is worth a person's time."""
    vendor = vendors(record.provider_type)
    spares_a_person = (
        application is not None
        and vendor.needs_person(application)
        and record.refresh_token is not None
        and vendor.refresh(application) is not Refresh.NONE
    )
    if spares_a_person:
        return record if record.status_at(observed.at) == EXPIRED else replace(record, expires_at=observed.at)
    return replace(record, status=REVOKED)


def _application(record: ApplicationRecord, seen: ObservedApplication) -> ApplicationRecord | None:
    if not seen.exists:
        return None
    found = {
        "client_id": seen.client_id,
        "scopes": seen.scopes,
        "token_lifetime": seen.token_lifetime,
        "secret_fingerprint": seen.secret_fingerprint,
        "name": seen.name,
    }
    changed = {key: value for key, value in found.items() if value is not None and value != getattr(record, key)}
    return replace(record, **changed) if changed else record  # type: ignore[arg-type]  # each value has its field's type


def ended(plan: Plan, state: State, vendors: Vendors, now: datetime) -> tuple[str, ...]:
    """Ids of deposed tokens that are over: retiring ones that no revocation can reach and that have expired, and lost
    ones past the latest end that they can have. What a step of the plan is about is left to it."""
    busy = {step.object_id for step in plan.steps if step.operation != NOTHING}
    found = []
    for token in state.deposed():
        if token.id in busy:
            continue
        if token.status == LOST:
            over = token.expires_at is not None and token.expires_at <= now
        elif token.status == RETIRING and token.status_at(now) == EXPIRED:
            unreachable = vendors(token.provider_type).revoke(plan.observed.of(token.provider)) is Revoke.NO
            over = unreachable or token.refresh_token is None or _refresh_over(token, now)
        else:
            over = token.status == REVOKED
        if over:
            found.append(token.id)
    return tuple(sorted(found))


def _refresh_over(token: TokenRecord, now: datetime) -> bool:
    """The other half too; where its end is not known, the planner no longer plans for an expired one, so it goes."""
    return token.refresh_expires_at is None or token.refresh_expires_at <= now


# What a person is told once, when it happens: no later plan has a step that could say that it is done.
_TOLD_ONCE = (FORGET_RECORD, REVOKE_TOKEN, DELETE_APPLICATION)


def handoff_change(results: Sequence[StepResult], plan: Plan, state: State) -> Draft | None:
    """The entry for who is waited for now, where that differs from what is recorded."""
    waiting = {
        str(result.step.address)
        for result in results
        if result.status == HANDOFF and result.step.operation not in _TOLD_ONCE
    }
    planned = {str(step.address) for step in plan.steps}
    untouched = {str(r.step.address) for r in results if r.status not in ("done", HANDOFF)}
    known = set(state.handoffs)
    gone = known - planned if plan.complete and plan.options.mode != "refresh-only" else set()
    # One address has several steps: its deposed tokens'. It waits as long as one of them does.
    done = ((known & planned) - waiting - untouched) | gone
    new = waiting - known
    if not new and not done:
        return None
    return drafts.handoff(sorted(new), sorted(done))
