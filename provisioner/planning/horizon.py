"""What time alone will bring (`plan --horizon 72h`): all that falls due until then, in order.

Nothing here knows a rule of its own. Each resource is planned, by the very functions that a plan is made of, at the few
moments at which a rule about time can change its answer; the first at which it does is when it is due. Each is told
once, because what an apply in between is granted is not known beforehand: `again` says how soon it would be due once
more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from functools import partial

from provisioner import providers
from provisioner.address import Address
from provisioner.model.desired import Application, CreditFloor, Desired
from provisioner.model.observed import Observed
from provisioner.model.plan import REFRESH_TOKEN, REPLACE_TOKEN, Due, PlanOptions, Step
from provisioner.model.recorded import State, TokenRecord
from provisioner.planning import applications, floors, refactoring, renewal, tokens
from provisioner.planning.doubts import blocking
from provisioner.planning.planner import situation_of
from provisioner.planning.selection import select
from provisioner.planning.situation import Situation
from provisioner.providers.base import Vendor
from provisioner.records import replace

_DAY = timedelta(hours=24)  # how long a purchase counts against max_per_day


def upcoming(
    desired: Desired,
    state: State,
    observed: Observed,
    now: datetime,
    until: datetime,
    options: PlanOptions = PlanOptions(),  # noqa: B008  # frozen, so sharing it is safe
    *,
    vendors: Callable[[str], Vendor] = providers.vendor,
) -> tuple[Due, ...]:
    """By time, then by address. What a plan at `now` changes already is not in it. Empty in any mode but the normal."""
    if options.mode != "normal":
        return ()
    situation = situation_of(desired, state, observed, now, options, vendors)
    found = [*_tokens(situation, until), *_deposed(situation, until), *_floors(situation, until)]
    wanted = {step.id for step in select(tuple(due.step for due in found), options, _known(situation))}
    kept = [due for due in found if due.step.id in wanted]
    return tuple(sorted(kept, key=lambda due: (due.at, due.step.address.sort_key, due.step.deposed or "")))


def _known(situation: Situation) -> set[Address]:
    declared = {address for a in situation.applications.values() for address, _ in a.token_addresses}
    return {*situation.records, *declared, *situation.applications}


def _first(
    situation: Situation, moments: Iterable[datetime], until: datetime, plan: Callable[[Situation], Step]
) -> Due | None:
    """The first of `moments` at which `plan` makes a change that it does not make now."""
    known = plan(situation).operation
    for moment in sorted({moment for moment in moments if situation.now < moment <= until}):
        step = plan(replace(situation, now=moment))
        if step.is_change and step.operation != known:
            return Due(at=moment, step=step)
    return None


def _tokens(situation: Situation, until: datetime) -> Iterator[Due]:
    for application in situation.desired.applications:
        parent = applications.plan_application(situation, application)
        for address, consumer in application.token_addresses:
            record = situation.token_record(address)
            if record is None:
                continue
            plan = partial(_token, application=application, address=address, consumer=consumer, parent=parent)
            due = _first(situation, _moments(situation, application, record), until, plan)
            if due is not None:
                yield replace(due, again=_again(situation, application, record, due.step))


def _token(
    situation: Situation, *, application: Application, address: Address, consumer: str | None, parent: Step | None
) -> Step:
    return tokens.plan_token(situation, application, address, consumer, parent).step


def _moments(situation: Situation, application: Application, record: TokenRecord) -> Iterator[datetime]:
    """Every moment that a rule about a token's time looks at."""
    policy, interval = application.policy, situation.desired.run_interval
    for end in (record.expires_at, record.refresh_expires_at):
        if end is not None:
            yield end
            yield renewal.due_at(record.issued_at, end, policy, interval)
    for began in (record.issued_at, record.created_at or record.issued_at):
        rotation = renewal.rotation_due_at(began, policy, interval)
        if rotation is not None:
            yield rotation


def _again(situation: Situation, application: Application, record: TokenRecord, step: Step) -> timedelta | None:
    """How long after a renewal the next would be due, were the same life granted again."""
    if step.operation not in (REFRESH_TOKEN, REPLACE_TOKEN) or step.handoff is not None:
        return None
    policy, interval, start = application.policy, situation.desired.run_interval, record.issued_at
    moments = [renewal.rotation_due_at(start, policy, interval)]
    if record.expires_at is not None:
        moments.append(renewal.due_at(start, record.expires_at, policy, interval))
    return min((moment - start for moment in moments if moment is not None), default=None)


def _deposed(situation: Situation, until: datetime) -> Iterator[Due]:
    for address, record in situation.deposed:
        declared = refactoring.follow(situation.desired, record.application) in situation.applications
        if record.retire_at is not None and declared:
            plan = partial(tokens.retire, address=address, record=record)
            due = _first(situation, (record.retire_at,), until, plan)
            if due is not None:
                yield due


def _floors(situation: Situation, until: datetime) -> Iterator[Due]:
    """A floor that a guard kept unmet, and a doubt that its owner lets time settle."""
    for floor in situation.desired.credits:
        due = _first(situation, _room(situation, floor), until, partial(_floor, floor=floor))
        if due is not None:
            yield due


def _floor(situation: Situation, *, floor: CreditFloor) -> Step:
    return floors.plan_floor(situation, floor, ()).step


def _room(situation: Situation, floor: CreditFloor) -> Iterator[datetime]:
    for purchase in situation.state.purchases:
        if purchase.provider == floor.provider:
            yield purchase.at + _DAY
    if floor.doubt_settles_after is not None:
        for operation in blocking(situation.state.operations.values(), floor.provider):
            yield operation.since + floor.doubt_settles_after
