"""The public values of resources as views print them: what a secret was is null, whoever filled in the mapping.

What the values *are* is `planning.values`' knowledge (contract section 5). This module is the last gate before text: it
nulls the sensitive keys again and marks them, so that no view can print what a step or a record should not have held.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from provisioner.model.plan import Step
from provisioner.model.recorded import Operation, ResourceRecord, State, TokenRecord
from provisioner.planning import values
from provisioner.times import to_rfc3339

SENSITIVE = values.SENSITIVE
_ALWAYS = frozenset(key for keys in SENSITIVE.values() for key in keys)


def record_values(record: ResourceRecord, state: State, now: datetime) -> dict[str, Any]:
    """The public values of one recorded object at `now` (contract section 5). Amounts are Decimal."""
    return values.of_record(record, now, state.purchases)


def all_record_values(state: State, now: datetime) -> list[tuple[ResourceRecord, dict[str, Any]]]:
    """Every record in the order shown, with its public values. Old purchases are left out once, not once a floor."""
    day_ago = now - timedelta(hours=24)
    recent = [purchase for purchase in state.purchases if purchase.at > day_ago]
    return [(record, values.of_record(record, now, recent)) for record in state.resources()]


def sensitive_keys(kind: str, extra: Iterable[str] = ()) -> dict[str, bool]:
    """Terraform's `sensitive_values`: the keys that are null because they are secret."""
    return dict.fromkeys((*SENSITIVE[kind], *extra), True)


def before_values(step: Step) -> dict[str, Any] | None:
    """`step.before` without any secret."""
    return None if step.before is None else _without_secrets(step.before, step.before_sensitive)


def after_values(step: Step) -> dict[str, Any] | None:
    """`step.after` as Terraform prints it: what only apply will know is absent, what is secret is null."""
    if step.after is None:
        return None
    found = _without_secrets(step.after, step.after_sensitive)
    for key in step.after_unknown:
        if key not in _ALWAYS:
            found.pop(key, None)
    return found


def _without_secrets(given: Mapping[str, Any], sensitive: tuple[str, ...]) -> dict[str, Any]:
    found = dict(given)
    for key in _ALWAYS:
        if key in found:
            found[key] = None
    for key in sensitive:
        found[key] = None
    return found


def without_secrets(given: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Any other mapping of public values (drift) with the same guarantee."""
    return None if given is None else _without_secrets(given, ())


def deposed_key(record: ResourceRecord) -> str | None:
    return record.deposed if isinstance(record, TokenRecord) else None


def in_doubt(state: State, *, running: str | None = None) -> list[dict[str, Any]]:
    """What was sent and has no known outcome, oldest first. `running`: the run that holds the lock, whose announced
    operations are in flight and not yet in doubt."""
    found = [op for op in state.operations.values() if op.in_doubt or op.run != running]
    return [_doubt(op) for op in sorted(found, key=lambda op: (op.since, op.id))]


def _doubt(op: Operation) -> dict[str, Any]:
    evidence: list[dict[str, Any]] = [{"at": to_rfc3339(op.since), "before": dict(op.read)}] if op.read else []
    found: dict[str, Any] = {
        "operation": op.id,
        "address": str(op.address),
        "kind": op.kind,
        "since": to_rfc3339(op.since),
        "evidence": [*evidence, *(dict(item) for item in op.evidence)],
    }
    if op.provider is not None:
        found["provider"] = op.provider
    if op.amount is not None:
        found["amount"] = op.amount
        found["unit"] = op.unit
    return found
