"""Credit floors and safety guards in the shape of Terraform's `checks`, so that policy tools find them by name."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from provisioner.model.plan import FORGET, NOOP, PURCHASE, Plan, Step

# diagnostics that are a guard's verdict on the plan, by the name that `--allow` takes
_GUARDS = {"max-destroy": "max_destroy", "max-spend": "max_spend", "prevent-destroy": "prevent_destroy"}


def checks(plan: Plan) -> list[dict[str, Any]]:
    """One check a credit floor (kind `resource`) and one a guard of `[safety]` (kind `check`).

    `status`: `pass`; `fail` with its `problems`; `unknown` where only the apply will tell.
    """
    floors = [_floor(step) for step in plan.steps if step.address.type == "credits" and step.action != FORGET]
    return floors + [_guard(name, plan) for name in _GUARDS]


def _floor(step: Step) -> dict[str, Any]:
    problems = [{"message": message} for message in _problems(step)]
    status = "fail" if problems else ("unknown" if step.action != NOOP and _balance(step) is None else "pass")
    display = str(step.address)
    instance: dict[str, Any] = {"address": {"to_display": display}, "status": status}
    if problems:
        instance["problems"] = problems
    return {
        "address": {
            "kind": "resource",
            "mode": "managed",
            "type": "credits",
            "name": step.address.name,
            "to_display": display,
        },
        "status": status,
        "instances": [instance],
    }


def _balance(step: Step) -> Any:
    return (step.after or step.before or {}).get("balance")


def _problems(step: Step) -> Iterator[str]:
    values = step.after or step.before or {}
    balance, minimum = values.get("balance"), values.get("minimum")
    if balance is not None and minimum is not None and balance < minimum and step.operation != PURCHASE:
        yield f"The balance is {balance}, below the floor of {minimum}: {step.reason.sentence}"


def _guard(name: str, plan: Plan) -> dict[str, Any]:
    option = _GUARDS[name]
    problems = [
        {"message": f"{d.summary}" + (f" ({d.address})" if d.address else "")}
        for d in plan.diagnostics
        if d.name == name and d.severity == "error"
    ]
    address = {"kind": "check", "name": option, "to_display": f"safety.{option}"}
    status = "fail" if problems else "pass"
    instance: dict[str, Any] = {"address": {"to_display": f"safety.{option}"}, "status": status}
    if problems:
        instance["problems"] = problems
    return {"address": address, "status": status, "instances": [instance]}
