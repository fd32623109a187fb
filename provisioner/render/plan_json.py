"""A plan in the shape of `terraform show -json PLAN`, format_version 1.2 (docs/plan-json.md, contract section 4)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from provisioner.address import Address
from provisioner.model.desired import Desired
from provisioner.model.plan import DELETE, FORGET, NOOP, Drift, Handoff, Plan, Step
from provisioner.model.recorded import State
from provisioner.render.checks_json import checks
from provisioner.render.configuration_json import configuration
from provisioner.render.json_text import TERRAFORM_VERSION
from provisioner.render.resource_values import (
    after_values,
    before_values,
    sensitive_keys,
    without_secrets,
)
from provisioner.render.state_json import prior_state
from provisioner.times import to_rfc3339


def plan_json(
    plan: Plan, state: State, *, desired: Desired | None, version: str, timestamp: datetime
) -> dict[str, Any]:
    """What `show --json PLANFILE` prints, for a plan just made. `version` is ours; `timestamp` alone may differ between
    two plans of the same inputs. `desired` None leaves `configuration` without resources."""
    return document(plan, prior_state(state, plan.now), configuration(desired), version=version, timestamp=timestamp)


def document(
    plan: Plan, prior: dict[str, Any], config: dict[str, Any], *, version: str, timestamp: datetime
) -> dict[str, Any]:
    """The same from the parts that a saved plan carries."""
    # A deposed object before what serves at its address: readers that keep one change an address keep the last.
    steps = sorted(plan.steps, key=lambda step: (step.address.sort_key, step.deposed is None, step.deposed or ""))
    return {
        "format_version": "1.2",
        "terraform_version": TERRAFORM_VERSION,
        "provisioner_version": version,
        "variables": {name: {"value": value} for name, value in sorted(plan.variables.items())},
        "planned_values": {
            "outputs": {},
            "root_module": {"resources": [_planned(step) for step in steps if _stays(step)]},
        },
        "resource_drift": [_drift(drift) for drift in plan.drift],
        "resource_changes": [_change(step) for step in steps],
        "output_changes": {},
        "prior_state": prior,
        "configuration": config,
        "checks": checks(plan),
        "timestamp": to_rfc3339(timestamp),
        "applyable": plan.applyable,
        "complete": plan.complete,
        "errored": False,
    }


def identity(address: Address, provider_type: str, deposed: str | None = None) -> dict[str, Any]:
    """The keys by which readers know a resource."""
    found: dict[str, Any] = {"mode": "managed", "type": address.type, "name": address.name}
    if address.keys:
        found["index"] = address.instance_key
    found["provider_name"] = provider_type
    if deposed is not None:
        found["deposed"] = deposed
    return found


def _stays(step: Step) -> bool:
    """Whether the thing is still there, and ours, after this apply."""
    return step.deposed is None and step.action not in (DELETE, FORGET) and step.after is not None


def _planned(step: Step) -> dict[str, Any]:
    return {
        "address": str(step.address),
        **identity(step.address, step.provider_type),
        "schema_version": 0,
        "values": after_values(step),
        "sensitive_values": sensitive_keys(step.address.type, step.after_sensitive),
    }


def _change(step: Step) -> dict[str, Any]:
    found: dict[str, Any] = {"address": str(step.address)}
    if step.previous_address is not None:
        found["previous_address"] = str(step.previous_address)
    found.update(identity(step.address, step.provider_type, step.deposed))
    kind = step.address.type
    change: dict[str, Any] = {
        "actions": list(step.action),
        "before": before_values(step),
        "after": after_values(step),
        "after_unknown": dict.fromkeys(step.after_unknown, True),
        "before_sensitive": sensitive_keys(kind, step.before_sensitive) if step.before is not None else False,
        "after_sensitive": sensitive_keys(kind, step.after_sensitive) if step.after is not None else False,
    }
    if step.replace_paths:
        change["replace_paths"] = [list(path) for path in step.replace_paths]
    if step.importing is not None:
        change["importing"] = {"id": step.importing}
    found["change"] = change
    if step.action_reason is not None:
        found["action_reason"] = step.action_reason
    found["reason"] = step.reason.sentence
    found["handoff"] = handoff_json(step.handoff)
    return found


def handoff_json(handoff: Handoff | None) -> dict[str, Any] | None:
    return None if handoff is None else {"instructions": list(handoff.instructions), "url": handoff.url}


def _drift(drift: Drift) -> dict[str, Any]:
    kind = drift.address.type
    return {
        "address": str(drift.address),
        **identity(drift.address, drift.provider_type, drift.deposed),
        "change": {
            "actions": list(drift.action or NOOP),
            "before": without_secrets(drift.before),
            "after": without_secrets(drift.after),
            "after_unknown": {},
            "before_sensitive": sensitive_keys(kind) if drift.before is not None else False,
            "after_sensitive": sensitive_keys(kind) if drift.after is not None else False,
        },
        "reason": drift.sentence,
        "drift": drift.code,
    }
