"""Judging a plan as a whole: what would be destroyed, what would be spent, what is guarded (contract `[safety]`).

Refusals are diagnostics of severity error: the plan is shown, is not applyable, and exits 9. `--allow NAME` lifts one.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from provisioner.errors import Diagnostic
from provisioner.model.desired import Safety
from provisioner.model.plan import REPLACE, PlanOptions, Spend, Step
from provisioner.model.recorded import State

SAFETY_NAMES = frozenset({"prevent-destroy", "max-destroy", "max-spend"})


def judge(
    steps: Iterable[Step], spends: Iterable[Spend], state: State, safety: Safety, options: PlanOptions
) -> list[Diagnostic]:
    """Every refusal, each with the flag that lifts it for one run."""
    steps = tuple(steps)
    return [
        *_guarded(steps, state, options),
        *_destroying(steps, state, safety, options),
        *_spending(spends, safety, options),
    ]


def _destroys(step: Step) -> bool:
    """Whether something that serves ends. A rotation's retirement of the old token is no destruction."""
    return (
        "delete" in step.action
        and step.deposed is None
        and not (step.action == REPLACE and step.address.type == "token")
    )


def _guarded(steps: tuple[Step, ...], state: State, options: PlanOptions) -> list[Diagnostic]:
    found = []
    for step in steps:
        record = state.objects.get(step.object_id or "")
        ends = _destroys(step) or step.action == ("forget",)
        removed = step.reason.code == "removed"  # a removed block is the owner's explicit word
        if record is None or not ends or removed or not record.prevent_destroy:
            continue
        if f"prevent_destroy:{step.address}" in options.allows:
            continue
        summary = f"{step.address} has prevent_destroy, and the plan would end it"
        detail = (
            "The guard is recorded, so removing the block does not remove it. Set prevent_destroy = false, apply that "
            f"first, or lift it for one run with --allow 'prevent_destroy:{step.address}'."
        )
        found.append(Diagnostic(name="prevent-destroy", summary=summary, detail=detail, address=str(step.address)))
    return found


def _destroying(steps: tuple[Step, ...], state: State, safety: Safety, options: PlanOptions) -> list[Diagnostic]:
    count = sum(_destroys(step) for step in steps)
    limit = safety.max_destroy if safety.max_destroy is not None else max(10, len(state.objects) * 3 // 10)
    if count <= limit or "max_destroy" in options.allows:
        return []
    named = (
        "max_destroy"
        if safety.max_destroy is not None
        else "the default of max_destroy (10, or 30 % of what is recorded)"
    )
    summary = f"The plan would destroy {count} resources, and {named} allows {limit}"
    detail = (
        "Look at the plan; if it is meant, raise safety.max_destroy or lift it for one run with --allow max_destroy."
    )
    return [Diagnostic(name="max-destroy", summary=summary, detail=detail)]


def _spending(spends: Iterable[Spend], safety: Safety, options: PlanOptions) -> list[Diagnostic]:
    if not safety.max_spend or "max_spend" in options.allows:
        return []
    totals: dict[str, Decimal] = {}
    found = []
    for spend in spends:
        if spend.cost is None or spend.currency is None:
            summary = f"{spend.address} would buy {spend.amount} {spend.unit}, and what that costs is not declared"
            detail = (
                "max_spend cannot be judged without it: give the floor unit_price and currency, or --allow max_spend."
            )
            found.append(Diagnostic(name="max-spend", summary=summary, detail=detail, address=str(spend.address)))
            continue
        totals[spend.currency] = totals.get(spend.currency, Decimal(0)) + spend.cost
    for currency, total in sorted(totals.items()):
        limit = safety.max_spend.get(currency)
        if limit is not None and total > limit:
            summary = f"The plan would spend up to {total} {currency}, and max_spend allows {limit} {currency}"
            detail = "Raise safety.max_spend, buy less with --target or --exclude, or lift it with --allow max_spend."
            found.append(Diagnostic(name="max-spend", summary=summary, detail=detail))
    return found
