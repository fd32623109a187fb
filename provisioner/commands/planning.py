"""From an opened state to a plan: look, then decide. What plan, apply, drift, token and import share."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from provisioner import times
from provisioner.commands.opening import StateOptions
from provisioner.config.advise import check_warnings
from provisioner.engine.events import Listener
from provisioner.model.desired import Desired
from provisioner.model.observed import Observed
from provisioner.model.plan import Due, Plan, PlanOptions
from provisioner.model.recorded import State, TokenRecord
from provisioner.planning.planner import make_plan
from provisioner.records import dataclass, replace

if TYPE_CHECKING:
    from provisioner.journal.seal import Sealer
    from provisioner.providers.base import Provider


@dataclass(frozen=True, slots=True)
class Planned:
    """A plan with what it was made from, and what falls due until the horizon that was asked for."""

    plan: Plan
    desired: Desired
    state: State
    due: tuple[Due, ...] = ()


def look(
    desired: Desired,
    state: State,
    providers: Mapping[str, Provider],
    sealer: Sealer,
    now: datetime,
    options: StateOptions,
    listener: Listener,
    *,
    replaces: tuple[str, ...] = (),
) -> Observed:
    """Every provider, read once. Where no identity is at hand recorded tokens are not probed: a pipeline that plans
    needs no key that can read. Nor is one that `replaces` names (`--replace`) and that nobody can open any more: its
    replacement must not fail for want of it."""
    from provisioner.engine.observe import observe

    opener = sealer.open if sealer.can_open else None

    def given_up(token: TokenRecord) -> bool:
        return str(token.address) in replaces and sealer.gone(token.access_token)

    return observe(
        desired,
        state,
        providers,
        now=now,
        open_sealed=opener,
        given_up=given_up,
        listener=listener,
        parallelism=options.parallelism,
    )


def derive(desired: Desired, state: State, observed: Observed, now: datetime, options: PlanOptions) -> Plan:
    """The plan, with what the declaration alone deserves to be warned of. The same inputs give the same plan, which is
    what a saved plan is checked by."""
    plan = make_plan(desired, state, observed, now, options)
    if options.mode != "normal":
        return plan
    said = {(d.name, d.address) for d in plan.diagnostics}
    granted = {
        address
        for address, record in state.current().items()
        if isinstance(record, TokenRecord) and record.expires_at is not None
    }
    more = tuple(w for w in check_warnings(desired, granted=granted) if (w.name, w.address) not in said)
    return replace(plan, diagnostics=(*plan.diagnostics, *more)) if more else plan


def unseen(now: datetime) -> Observed:
    """What is known where nobody looked (`--refresh=false`)."""
    return Observed(at=now, refreshed=False)


def moment(at: datetime | None) -> datetime:
    return at if at is not None else times.now()
