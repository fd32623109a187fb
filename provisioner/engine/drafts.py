"""What the engine appends, as the journal's kinds and bodies (docs/architecture.md, "The recorded state").

The only file here that spells a body, so that format and engine can be compared side by side.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from provisioner.journal.journal import Draft
from provisioner.model.observed import ObservedCredits
from provisioner.model.recorded import Operation, ResourceRecord, record_to_json
from provisioner.times import to_rfc3339

DONE, REFUSED, NOT_SENT = "done", "refused", "not-sent"  # an outcome's `result`
HAPPENED, DID_NOT_HAPPEN, LOST, RETRIED = "happened", "did-not-happen", "lost", "retried"  # settled `as`


def intent(operation: Operation, reason: str) -> Draft:
    """What will be sent, and what was read before. Never a secret."""
    announced: dict[str, Any] = {
        "id": operation.id,
        "op": operation.op,
        "object_id": operation.object_id,
        "provider": operation.provider,
        "provider_type": operation.provider_type,
        "amount": None if operation.amount is None else str(operation.amount),
        "unit": operation.unit,
        "read": dict(operation.read),
    }
    return Draft("intent", str(operation.address), {"operation": announced, "reason": reason})


def outcome(
    operation: Operation,
    result: str,
    *,
    put: Iterable[ResourceRecord] = (),
    drop: Iterable[str] = (),
    amount: Any = None,
    detail: str | None = None,
) -> Draft:
    body: dict[str, Any] = {"operation": operation.id, "result": result, **_changes(put, drop)}
    if amount is not None:
        body["amount"] = str(amount)
    if detail is not None:
        body["detail"] = detail
    return Draft("outcome", str(operation.address), body)


def doubt(operation: Operation, evidence: Mapping[str, Any], detail: str) -> Draft:
    body = {"operation": operation.id, "evidence": dict(evidence), "detail": detail}
    return Draft("doubt", str(operation.address), body)


def settled(
    operation: Operation,
    how: str,
    by: str,
    *,
    evidence: Mapping[str, Any] | None = None,
    put: Iterable[ResourceRecord] = (),
    drop: Iterable[str] = (),
) -> Draft:
    body = {"operation": operation.id, "as": how, "by": by, "evidence": dict(evidence or {}), **_changes(put, drop)}
    return Draft("settled", str(operation.address), body)


def observed(
    put: Sequence[ResourceRecord], drop: Sequence[str] = (), evidence: Mapping[str, Mapping[str, Any]] | None = None
) -> Draft:
    """`evidence` is by operation id. One address is named where the entry concerns one alone."""
    addresses = {str(record.address) for record in put}
    body = {**_changes(put, drop), "evidence": {key: dict(value) for key, value in (evidence or {}).items()}}
    return Draft("observed", addresses.pop() if len(addresses) == 1 else None, body)


def handoff(waiting: Sequence[str], done: Sequence[str]) -> Draft:
    return Draft("handoff", None, {"waiting": list(waiting), "done": list(done)})


def note(detail: str, *, put: Iterable[ResourceRecord] = (), drop: Iterable[str] = (), **more: Any) -> Draft:
    return Draft("note", None, {"detail": detail, **_changes(put, drop), **more})


def _changes(put: Iterable[ResourceRecord], drop: Iterable[str]) -> dict[str, Any]:
    return {"put": [record_to_json(record) for record in put], "drop": list(drop)}


def reading(seen: ObservedCredits) -> dict[str, Any]:
    """A balance as evidence: `{"at", "balance", "unit", "parts"}`, amounts as strings."""
    return {
        "at": to_rfc3339(seen.at),
        "balance": str(seen.balance),
        "unit": seen.unit,
        "parts": {name: str(value) for name, value in seen.parts.items()},
    }
