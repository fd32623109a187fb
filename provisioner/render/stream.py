"""Lines of Terraform's machine-readable UI, version 1.2, as one function an event (contract section 4).

Each returns the object of one line; `json_text` writes it. Times are arguments, like everywhere in this room.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from provisioner.address import Address
from provisioner.engine.events import DONE, FAILED, HANDOFF, IN_DOUBT, NOT_STARTED, ApplyResult, StepResult
from provisioner.errors import Diagnostic
from provisioner.model.plan import CREATE, DELETE, NOOP, UPDATE, Drift, Due, Plan, Step
from provisioner.render.human_plan import summary_line
from provisioner.render.json_text import TERRAFORM_VERSION
from provisioner.render.plan_json import handoff_json
from provisioner.render.resource_values import after_values, before_values, without_secrets
from provisioner.render.sentences import applied_line, finished_sentence, progress_sentence, started_sentence
from provisioner.times import to_rfc3339

Line = dict[str, Any]
UI_VERSION = "1.2"
_LEVELS = {"error": "error", "warning": "warn", "note": "info"}
_VERBS = {CREATE: "create", UPDATE: "update", DELETE: "delete", ("read",): "read", ("forget",): "remove"}
_REASONS = {
    "replace_because_cannot_update": "cannot_update",
    "replace_because_tainted": "tainted",
    "replace_by_request": "requested",
    "replace_by_triggers": "replace_by_triggers",
}
_ENDS = {
    DONE: ("apply_complete", "info"),
    HANDOFF: ("apply_progress", "info"),
    FAILED: ("apply_errored", "error"),
    IN_DOUBT: ("apply_errored", "error"),
    NOT_STARTED: ("apply_errored", "warn"),
}


def _line(kind: str, message: str, at: datetime, *, level: str = "info", **members: Any) -> Line:
    return {
        "@level": level,
        "@message": message,
        "@module": "provisioner.ui",
        "@timestamp": to_rfc3339(at),
        **members,
        "type": kind,
    }


def version_line(version: str, at: datetime) -> Line:
    """Always the first. `terraform` and `ui` name the formats that readers of such streams know."""
    members = {"provisioner": version, "terraform": TERRAFORM_VERSION, "ui": UI_VERSION}
    return _line("version", f"Provisioner {version}", at, **members)


def resource(address: Address, provider_type: str, deposed: str | None = None) -> Line:
    """How Terraform's lines name a resource; `deposed` is ours."""
    text = str(address)
    found: Line = {
        "addr": text,
        "module": "",
        "resource": text,
        "implied_provider": provider_type,
        "resource_type": address.type,
        "resource_name": address.name,
        "resource_key": address.instance_key,
    }
    return found if deposed is None else {**found, "deposed": deposed}


def planned_change(step: Step, at: datetime) -> Line:
    """One per step that is a change, with what was and what will be; secrets are null there, and named as sensitive."""
    verb = verb_of(step)
    change: Line = {"resource": resource(step.address, step.provider_type, step.deposed)}
    if step.previous_address is not None:
        change["previous_resource"] = resource(step.previous_address, step.provider_type)
    change["action"] = verb
    if step.action_reason is not None:
        change["reason"] = _REASONS.get(step.action_reason, step.action_reason)
    if step.importing is not None:
        change["importing"] = {"id": step.importing}
    change.update(
        before=before_values(step),
        after=after_values(step),
        after_unknown=dict.fromkeys(step.after_unknown, True),
        sentence=step.reason.sentence,
        handoff=handoff_json(step.handoff),
    )
    return _line("planned_change", f"{name_of(step)}: Plan to {verb}", at, change=change)


def resource_drift(drift: Drift, at: datetime) -> Line:
    """One difference between recorded and observed; `drift` is its class."""
    verb = _VERBS.get(drift.action, "update")
    change = {
        "resource": resource(drift.address, drift.provider_type, drift.deposed),
        "action": verb,
        "drift": drift.code,
        "sentence": drift.sentence,
        "before": without_secrets(drift.before),
        "after": without_secrets(drift.after),
    }
    return _line("resource_drift", f"{drift.address}: Drift detected ({verb})", at, change=change)


def due(found: Due, at: datetime) -> Line:
    """One change that time alone will bring (`--horizon`); of a type of our own, so that no reader counts it."""
    change: Line = {
        "resource": resource(found.step.address, found.step.provider_type, found.step.deposed),
        "action": verb_of(found.step),
        "due_at": to_rfc3339(found.at),
        "again_seconds": None if found.again is None else int(found.again.total_seconds()),
        "sentence": found.step.reason.sentence,
        "handoff": handoff_json(found.step.handoff),
    }
    message = f"{name_of(found.step)}: Due to {verb_of(found.step)} at {to_rfc3339(found.at)}"
    return _line("due", message, at, change=change)


def plan_summary(plan: Plan, at: datetime) -> Line:
    """`operation` plan; `results` says `planned` of every change."""
    counts = plan.counts()
    changes = {
        "add": counts["add"],
        "change": counts["change"],
        "import": counts["import"],
        "remove": counts["destroy"],
        "operation": "plan",
    }
    results = {step.id: "planned" for step in plan.changes}
    return _line("change_summary", summary_line(plan), at, changes=changes, results=results)


def apply_summary(result: ApplyResult, at: datetime, *, operation: str = "apply") -> Line:
    """The last line of an apply or destroy. Only what is done counts in `changes`."""
    counts = result.counts()
    changes = {
        "add": counts["added"],
        "change": counts["changed"],
        "import": counts["imported"],
        "remove": counts["destroyed"],
        "operation": operation,
    }
    results = {r.step.id: r.status for r in result.results if r.step.is_change or r.status != DONE}
    level = "info" if result.exit_code in (0, 3) else "error"
    message = applied_line(result, destroying=operation == "destroy")
    recorded = {} if result.recorded is None else {"serial": result.recorded[0], "head": result.recorded[1]}
    return _line("change_summary", message, at, level=level, changes=changes, results=results, **recorded)


def failed_summary(operation: str, at: datetime, result: ApplyResult) -> Line:
    """The last line of a run that did not come to its end: an error in the file, a held lock, a refused plan."""
    line = apply_summary(result, at, operation=operation)
    began = sum(item.status != NOT_STARTED for item in result.results)
    so_far = f"{began} of {len(result.results)} steps were begun" if began else "nothing was changed"
    return {**line, "@level": "error", "@message": f"{operation.capitalize()} did not finish; {so_far}."}


def drift_summary(plan: Plan, at: datetime) -> Line:
    """The last line of `drift --json`: nothing is ever changed, and `results` says `drifted` of what differs."""
    changes = {"add": 0, "change": 0, "import": 0, "remove": 0, "operation": "drift"}
    count = len(plan.drift)
    message = f"Drift: {count} found." if count else "No drift."
    results = {str(drift.address): "drifted" for drift in plan.drift}
    return _line("change_summary", message, at, changes=changes, results=results)


def apply_start(step: Step, at: datetime) -> Line:
    return _line("apply_start", started_sentence(step), at, hook=_hook(step))


def apply_progress(step: Step, elapsed: float, at: datetime) -> Line:
    hook = {**_hook(step), "elapsed_seconds": int(elapsed)}
    return _line("apply_progress", progress_sentence(step, elapsed), at, hook=hook)


def apply_end(result: StepResult, at: datetime) -> Line:
    """`apply_complete` of what is done alone, because readers count these; `apply_errored` of what failed, is in doubt
    or was not started; a last `apply_progress` of what waits for a person. `result` is the word for it."""
    hook = {**_hook(result.step), "elapsed_seconds": int(result.elapsed), "result": result.status}
    if result.bought is not None:
        hook["bought"] = result.bought
    kind, level = _ENDS[result.status]
    return _line(kind, finished_sentence(result), at, level=level, hook=hook)


def diagnostic(found: Diagnostic, at: datetime) -> Line:
    message = f"{found.severity.capitalize()}: {found.summary}"
    return _line("diagnostic", message, at, level=_LEVELS[found.severity], diagnostic=found.to_json())


def outputs(steps: Iterable[Step | StepResult], at: datetime) -> Line:
    """The tokens by address: all sensitive, so only that they are there and what happened to them."""
    found = {}
    for item in steps:
        step = item.step if isinstance(item, StepResult) else item
        gone = step.deposed is not None or step.after is None or step.address.type != "token"
        if gone or (isinstance(item, StepResult) and item.status != DONE and step.action != NOOP):
            continue
        found[str(step.address)] = {"sensitive": True, "type": "string", "action": verb_of(step)}
    return _line("outputs", f"Outputs: {len(found)}", at, outputs=found)


def verb_of(step: Step) -> str:
    """Terraform's verb of a planned change: `replace`, `remove` (forget), `import`, `move`, `noop`, ..."""
    if step.action == NOOP:
        return "import" if step.importing is not None else "move" if step.previous_address is not None else "noop"
    return "replace" if len(step.action) > 1 else _VERBS.get(step.action, step.action[0])


def name_of(step: Step) -> str:
    return f"{step.address} (deposed object {step.deposed})" if step.deposed else str(step.address)


def _hook(step: Step) -> Line:
    return {"resource": resource(step.address, step.provider_type, step.deposed), "action": verb_of(step)}
