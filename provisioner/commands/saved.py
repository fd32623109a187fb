"""Whether a saved plan may still be applied (contract section 4): each refusal has its own words.

A plan is derived again from the recorded state, the file, and the observations, time and options that it carries.
What does not come out the same was edited, so no key is needed to know it.
"""

from __future__ import annotations

from provisioner.commands.planning import derive
from provisioner.errors import PlanRefused
from provisioner.model.desired import Desired
from provisioner.model.digest import digest
from provisioner.model.recorded import State
from provisioner.render.plan_file import SavedPlan, differences, saved_plan

_AGAIN = "Make the plan again with `provisioner plan --out FILE`, and review it."


def check(saved: SavedPlan, desired: Desired, state: State) -> None:
    """Raises PlanRefused: foreign, stale, config changed, altered; in that order."""
    plan = saved.plan
    if plan.stack != desired.stack or (plan.lineage and state.lineage and plan.lineage != state.lineage):
        raise PlanRefused(
            "plan-foreign",
            f"The plan belongs to another stack or recorded state: {plan.stack}",
            f"This is the stack {desired.stack}. Name the right file with --config or --chdir. {_AGAIN}",
        )
    if (plan.lineage, plan.serial, plan.head) != (state.lineage, state.serial, state.head):
        raise PlanRefused(
            "plan-stale",
            f"The recorded state has moved on since the plan was made: from serial {plan.serial} to {state.serial}",
            f"Something was recorded in between; `provisioner history` says what. {_AGAIN}",
        )
    if plan.desired_digest != digest(desired):
        raise PlanRefused(
            "plan-config-changed",
            "The desired-state file has changed since the plan was made",
            f"A variable that was given by --var counts too: give the same ones. {_AGAIN}",
        )
    derived = derive(desired, state, plan.observed, plan.now, plan.options)
    found = differences(saved, saved_plan(derived, desired, state))
    if found:
        shown = "\n".join(f"  {sentence}" for sentence in found[:10])
        raise PlanRefused(
            "plan-altered",
            "The plan does not derive again from its own contents",
            f"Nothing was sent.\n{shown}\n{_AGAIN}",
        )
