"""Settling what is in doubt, at the start of every apply and refresh, and on a person's word."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from provisioner.address import Address
from provisioner.engine import drafts
from provisioner.engine.context import Vendors
from provisioner.engine.doubt import Verdict, by_reading, lost_token, of_previous, open_doubts, row, settle_at_once
from provisioner.engine.rotation import previous_ended
from provisioner.errors import Diagnostic, Invalid
from provisioner.model.desired import Application, Desired
from provisioner.model.observed import Observed
from provisioner.model.plan import CREATE_TOKEN, DELETE_APPLICATION, PURCHASE, REFRESH_TOKEN, REVOKE_TOKEN
from provisioner.model.recorded import REVOKED, ApplicationRecord, Operation, ResourceRecord, State, TokenRecord
from provisioner.records import replace
from provisioner.times import to_rfc3339

if TYPE_CHECKING:
    from provisioner.journal.journal import Draft, Journal

_DEAD_RUN = "its run ended before the outcome was recorded"


def drafts_to_settle(
    state: State, observed: Observed, desired: Desired, now: datetime, vendors: Vendors
) -> list[Draft]:
    """Everything that can be said now of what earlier runs left open; empty where nothing is new. Pure."""
    wanted = {a: (app, consumer) for app in desired.applications for a, consumer in app.token_addresses}
    serving = state.current() if state.operations else {}
    found: list[Draft] = []
    for operation in open_doubts(state):
        like = serving.get(operation.address)
        token = like if isinstance(like, TokenRecord) else None
        found += _of_one(operation, state, observed, desired, now, vendors, wanted, token)
    return found


def _of_one(
    operation: Operation,
    state: State,
    observed: Observed,
    desired: Desired,
    now: datetime,
    vendors: Vendors,
    wanted: Mapping[Address, tuple[Application, str | None]],
    like: TokenRecord | None,
) -> list[Draft]:
    opened: list[Draft] = []
    if not operation.in_doubt:
        opened.append(drafts.doubt(operation, {"at": to_rfc3339(now)}, _DEAD_RUN))
    at_once = settle_at_once(operation, wanted, vendors, like)
    if at_once is not None:
        return [*opened, at_once]
    verdict = by_reading(operation, state, observed, desired.credits, now)
    if verdict is not None:
        return [*opened, _settled(operation, verdict, state, observed, wanted, vendors, like)]
    evidence = _new_evidence(operation, observed)
    if evidence:
        opened.append(drafts.observed((), (), {operation.id: evidence}))
    return opened


def _settled(
    operation: Operation,
    verdict: Verdict,
    state: State,
    observed: Observed,
    wanted: Mapping[Address, tuple[Application, str | None]],
    vendors: Vendors,
    like: TokenRecord | None,
) -> Draft:
    put: list[ResourceRecord] = []
    drop: list[str] = []
    record = state.objects.get(operation.object_id or "")
    if verdict.gone and isinstance(record, TokenRecord) and record.deposed is None:
        put.append(
            replace(record, status=REVOKED)
        )  # it serves at its address: the planner says what comes in its place
    elif verdict.gone and record is not None:
        drop.append(record.id)
    if verdict.how == drafts.LOST and operation.op == REFRESH_TOKEN:
        lost = lost_token(operation, wanted, vendors, like)
        put += [lost] if lost else []
    evidence = {"at": to_rfc3339(observed.at), **_reading(operation, observed)}
    return drafts.settled(operation, verdict.how, verdict.by, evidence=evidence, put=put, drop=drop)


def _reading(operation: Operation, observed: Observed) -> dict[str, Any]:
    seen = observed.of(operation.provider or "").credits
    return drafts.reading(seen) if operation.op == PURCHASE and seen is not None else {}


def _new_evidence(operation: Operation, observed: Observed) -> dict[str, Any]:
    """What was read of it now, unless the last reading said the same: a quiet run writes nothing."""
    reading = _reading(operation, observed)
    if not reading:
        return {}
    readings = [item for item in (operation.read, *operation.evidence) if item.get("balance") is not None]
    last = readings[-1] if readings else {}
    same = last.get("balance") == reading["balance"] and (last.get("parts") or {}) == reading["parts"]
    return {} if same else reading


def settle(journal: Journal, observed: Observed, desired: Desired, now: datetime, vendors: Vendors) -> list[Diagnostic]:
    """Appends what `drafts_to_settle` finds, in one go, and says it. The lock is held and the run has begun, so
    whatever is announced without an outcome belongs to a run that is dead."""
    before = {operation.id: operation for operation in journal.state.operations.values()}
    found = drafts_to_settle(journal.state, observed, desired, now, vendors)
    if found:
        journal.append(*found)
    return [
        _said(before[draft.body["operation"]], draft.body["as"], draft.body["by"])
        for draft in found
        if draft.kind == "settled"
    ]


_SETTLED = {
    drafts.HAPPENED: "it happened",
    drafts.DID_NOT_HAPPEN: "it did not happen",
    drafts.LOST: "what it may have made is recorded as lost",
    drafts.RETRIED: "it was done again",
}


def _said(operation: Operation, how: str, by: str) -> Diagnostic:
    summary = f"{operation.op} of {to_rfc3339(operation.since)} is settled: {_SETTLED[how]} ({by})"
    detail = row(operation.op).meaning if how == drafts.LOST else f"Operation {operation.id}."
    return Diagnostic(
        name="doubt-settled", summary=summary, detail=detail, severity="note", address=str(operation.address)
    )


def resolve(
    journal: Journal,
    operation_id: str,
    *,
    as_happened: bool,
    now: datetime,
    desired: Desired | None,
    vendors: Vendors,
    evidence: Mapping[str, Any] | None = None,
) -> Diagnostic:
    """A person decides (`provisioner resolve`). The run has begun. Raises Invalid where the id names nothing open.

    A creation that happened leaves a lost object; a revocation that happened ends its object; a purchase counts, or
    not.
    """
    state = journal.state
    operation = state.operations.get(operation_id)
    if operation is None:
        known = ", ".join(op.id for op in open_doubts(state)) or "none"
        raise Invalid("unknown-address", f"no operation {operation_id} is in doubt", f"In doubt: {known}.")
    put, drop = _what_happened(operation, state, desired, vendors) if as_happened else ((), ())
    how = drafts.HAPPENED if as_happened else drafts.DID_NOT_HAPPEN
    said = {"at": to_rfc3339(now), **(evidence or {})}
    journal.append(drafts.settled(operation, how, "resolve", evidence=said, put=put, drop=drop))
    return _said(operation, how, "resolve")


def _what_happened(
    operation: Operation, state: State, desired: Desired | None, vendors: Vendors
) -> tuple[tuple[ResourceRecord, ...], tuple[str, ...]]:
    """What an operation that happened puts and drops."""
    record = state.objects.get(operation.object_id or "")
    if operation.op in (CREATE_TOKEN, REFRESH_TOKEN):
        applications = desired.applications if desired is not None else ()
        wanted = {a: (app, consumer) for app in applications for a, consumer in app.token_addresses}
        like = state.current().get(operation.address)
        lost = lost_token(operation, wanted, vendors, like if isinstance(like, TokenRecord) else None)
        return ((lost,) if lost else ()), ()
    if operation.op == REVOKE_TOKEN and isinstance(record, TokenRecord) and record.deposed is None:
        return (replace(record, status=REVOKED),), ()
    if operation.op == DELETE_APPLICATION and isinstance(record, ApplicationRecord) and of_previous(operation, state):
        return (previous_ended(record),), ()
    if operation.op in (REVOKE_TOKEN, DELETE_APPLICATION) and record is not None:
        return (), (record.id,)
    return (), ()
