"""Entries → `State`: the table of docs/architecture.md, and nothing that knows a vendor or a policy.

Two halves, so that a writer can refuse what would not open again before it is written: `decode` reads an entry's body
and may fail; `Change.apply` changes the state and cannot.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from provisioner.address import Address, parse_address
from provisioner.journal.entries import KINDS, plain
from provisioner.model.plan import PURCHASE
from provisioner.model.recorded import Operation, Purchase, ResourceRecord, State, record_from_json, record_to_json
from provisioner.records import dataclass, replace
from provisioner.times import from_rfc3339, to_rfc3339

KEPT = timedelta(days=35)  # purchases older than this guard nothing any more; those in doubt stay until settled

Apply = Callable[[State, datetime, str], None]  # (state, the entry's time, the entry's run)


class NotFoldable(ValueError):
    """A body that does not say what its kind must say. Its text never repeats the body."""


@dataclass(frozen=True, slots=True)
class Change:
    """What one entry does to a state. `special` is the kind's own part; `put` and `drop` go for every kind."""

    special: Apply | None
    put: tuple[ResourceRecord, ...]
    drop: tuple[str, ...]

    def apply(self, state: State, *, serial: int, head: str, time: datetime, run: str) -> None:
        if self.special is not None:
            self.special(state, time, run)
        for record in self.put:
            state.objects[record.id] = record
        for gone in self.drop:
            state.objects.pop(gone, None)
        state.serial, state.head, state.updated_at = serial, head, time
        _forget_old_purchases(state, time)


def decode(kind: str, address: str | None, body: Mapping[str, Any]) -> Change:
    """Raises NotFoldable where the body is not what the kind takes."""
    if kind not in KINDS:
        raise NotFoldable(f"{kind!r} is no kind of entry")
    try:
        special = _SPECIAL[kind](address, body) if kind in _SPECIAL else None
        put = tuple(map(record_from_json, body.get("put", ())))
        drop = tuple(map(_text, body.get("drop", ())))
        for record in put:
            _text(record.id)
    except (KeyError, ValueError, TypeError, ArithmeticError, AttributeError) as fault:
        # the fault's own text may quote a value; its class is enough to tell what is wrong
        raise NotFoldable(f"the body of this {kind} cannot be read ({type(fault).__name__})") from None
    return Change(special, put, drop)


# -- the kinds that do more than put and drop ------------------------------------------------------------------------


def _checkpoint(address: str | None, body: Mapping[str, Any]) -> Apply:
    saved = state_from_json(body["state"])

    def apply(state: State, time: datetime, run: str) -> None:
        state.stack = saved.stack
        state.objects, state.operations = dict(saved.objects), dict(saved.operations)
        state.purchases, state.handoffs = list(saved.purchases), dict(saved.handoffs)

    return apply


def _intent(address: str | None, body: Mapping[str, Any]) -> Apply:
    data = body["operation"]
    if address is None:
        raise ValueError("an intent names an address")
    operation, op, about = _text(data["id"]), _text(data["op"]), parse_address(address)
    object_id, provider = _optional_text(data.get("object_id")), _optional_text(data.get("provider"))
    provider_type, unit = _optional_text(data.get("provider_type")), _optional_text(data.get("unit"))
    amount, read = _decimal(data.get("amount")), dict(data.get("read") or {})

    def apply(state: State, time: datetime, run: str) -> None:
        state.operations[operation] = Operation(
            id=operation,
            address=about,
            op=op,
            run=run,
            since=time,
            object_id=object_id,
            provider=provider,
            provider_type=provider_type,
            amount=amount,
            unit=unit,
            read=read,
        )

    return apply


def _outcome(address: str | None, body: Mapping[str, Any]) -> Apply:
    operation, result, amount = _text(body["operation"]), body["result"], _decimal(body.get("amount"))
    if result not in ("done", "refused", "not-sent"):
        raise ValueError("an outcome is done, refused or not-sent")

    def apply(state: State, time: datetime, run: str) -> None:
        ended = state.operations.pop(operation, None)
        _drop_purchase(state, operation)
        if result == "done" and ended is not None and ended.op == PURCHASE:
            _add_purchase(state, _purchase(ended, amount, at=time, status="happened"))

    return apply


def _doubt(address: str | None, body: Mapping[str, Any]) -> Apply:
    operation, evidence = _text(body["operation"]), dict(body.get("evidence") or {})

    def apply(state: State, time: datetime, run: str) -> None:
        found = state.operations.get(operation)
        if found is None:
            return
        state.operations[operation] = replace(found, in_doubt=True, evidence=_with(found.evidence, evidence, time))
        if found.op == PURCHASE and not any(p.operation == operation for p in state.purchases):
            _add_purchase(state, _purchase(found, None, at=found.since, status="in_doubt"))

    return apply


def _settled(address: str | None, body: Mapping[str, Any]) -> Apply:
    operation, verdict, amount = _text(body["operation"]), body["as"], _decimal(body.get("amount"))
    if verdict not in ("happened", "did-not-happen", "lost", "retried"):
        raise ValueError("a doubt is settled as happened, did-not-happen, lost or retried")

    def apply(state: State, time: datetime, run: str) -> None:
        ended = state.operations.pop(operation, None)
        _drop_purchase(state, operation)
        if verdict == "happened" and ended is not None and ended.op == PURCHASE:
            _add_purchase(state, _purchase(ended, amount, at=ended.since, status="happened"))

    return apply


def _observed(address: str | None, body: Mapping[str, Any]) -> Apply:
    evidence = {_text(key): dict(value) for key, value in (body.get("evidence") or {}).items()}

    def apply(state: State, time: datetime, run: str) -> None:
        for operation, seen in evidence.items():
            found = state.operations.get(operation)
            if found is not None:
                state.operations[operation] = replace(found, evidence=_with(found.evidence, seen, time))

    return apply


def _handoff(address: str | None, body: Mapping[str, Any]) -> Apply:
    waiting = tuple(_text(item) for item in body.get("waiting", ()))
    done = tuple(_text(item) for item in body.get("done", ()))

    def apply(state: State, time: datetime, run: str) -> None:
        for item in waiting:
            state.handoffs.setdefault(item, time)
        for item in done:
            state.handoffs.pop(item, None)

    return apply


_SPECIAL: dict[str, Callable[[str | None, Mapping[str, Any]], Apply]] = {
    "checkpoint": _checkpoint,
    "intent": _intent,
    "outcome": _outcome,
    "doubt": _doubt,
    "settled": _settled,
    "observed": _observed,
    "handoff": _handoff,
}


def _with(
    evidence: tuple[Mapping[str, Any], ...], seen: Mapping[str, Any], time: datetime
) -> tuple[Mapping[str, Any], ...]:
    return (*evidence, seen if "at" in seen else {"at": to_rfc3339(time), **seen})


def _purchase(operation: Operation, amount: Decimal | None, *, at: datetime, status: str) -> Purchase:
    """What a purchase was announced to cost counts where the entry does not say what it cost."""
    return Purchase(
        operation=operation.id,
        provider=operation.provider or "",
        address=operation.address,
        amount=operation.amount or Decimal(0) if amount is None else amount,
        unit=operation.unit or "",
        at=at,
        run=operation.run,
        status=status,
    )


def _add_purchase(state: State, bought: Purchase) -> None:
    # sorted, so that a state that grew and one that came from a checkpoint are equal
    state.purchases = sorted((*state.purchases, bought), key=_purchase_order)


def _purchase_order(bought: Purchase) -> tuple[datetime, str]:
    return (bought.at, bought.operation)


def _drop_purchase(state: State, operation: str) -> None:
    if state.purchases and any(p.operation == operation for p in state.purchases):
        state.purchases = [p for p in state.purchases if p.operation != operation]


def _forget_old_purchases(state: State, now: datetime) -> None:
    if state.purchases and any(p.status != "in_doubt" and p.at < now - KEPT for p in state.purchases):
        state.purchases = [p for p in state.purchases if p.status == "in_doubt" or p.at >= now - KEPT]


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("a string belongs here")
    return value


def _optional_text(value: Any) -> str | None:
    return None if value is None else _text(value)


def _decimal(value: Any) -> Decimal | None:
    return None if value is None else Decimal(_text(value))


# -- a whole state as JSON: what a checkpoint holds ------------------------------------------------------------------


def state_to_json(state: State) -> dict[str, Any]:
    """Everything that later entries build on. Equal states have equal JSON, whatever order they grew in.

    Serial, head, lineage and time are the checkpoint entry's own members and are not repeated here.
    """
    found: dict[str, Any] = {
        "handoffs": {address: to_rfc3339(since) for address, since in state.handoffs.items()},
        "objects": [record_to_json(state.objects[key]) for key in sorted(state.objects)],
        "operations": [_operation_to_json(state.operations[key]) for key in sorted(state.operations)],
        "purchases": [_purchase_to_json(p) for p in sorted(state.purchases, key=_purchase_order)],
        "stack": state.stack,
    }
    return found


def state_from_json(data: Mapping[str, Any]) -> State:
    """Raises KeyError, ValueError or TypeError on what is no state."""
    return State(
        stack=_text(data["stack"]),
        objects={record.id: record for record in map(record_from_json, data["objects"])},
        operations={made.id: made for made in map(_operation_from_json, data["operations"])},
        purchases=[_purchase_from_json(item) for item in data["purchases"]],
        handoffs={_text(key): from_rfc3339(since) for key, since in data["handoffs"].items()},
    )


def _operation_to_json(made: Operation) -> dict[str, Any]:
    found: dict[str, Any] = {
        "address": str(made.address),
        "id": made.id,
        "op": made.op,
        "run": made.run,
        "since": to_rfc3339(made.since),
    }
    optional = {
        "object_id": made.object_id,
        "provider": made.provider,
        "provider_type": made.provider_type,
        "amount": made.amount,
        "unit": made.unit,
        "read": made.read,
        "evidence": made.evidence,
        "in_doubt": made.in_doubt,
    }
    found.update({name: plain(value) for name, value in optional.items() if value})
    if made.amount is not None:
        found["amount"] = str(made.amount)
    return found


def _operation_from_json(data: Mapping[str, Any]) -> Operation:
    return Operation(
        id=_text(data["id"]),
        address=parse_address(data["address"]),
        op=_text(data["op"]),
        run=_text(data["run"]),
        since=from_rfc3339(data["since"]),
        object_id=data.get("object_id"),
        provider=data.get("provider"),
        provider_type=data.get("provider_type"),
        amount=_decimal(data.get("amount")),
        unit=data.get("unit"),
        read=dict(data.get("read", {})),
        evidence=tuple(data.get("evidence", ())),
        in_doubt=bool(data.get("in_doubt", False)),
    )


def _purchase_to_json(bought: Purchase) -> dict[str, Any]:
    return {
        "address": str(bought.address),
        "amount": str(bought.amount),
        "at": to_rfc3339(bought.at),
        "operation": bought.operation,
        "provider": bought.provider,
        "run": bought.run,
        "status": bought.status,
        "unit": bought.unit,
    }


def _purchase_from_json(data: Mapping[str, Any]) -> Purchase:
    address: Address = parse_address(data["address"])
    return Purchase(
        operation=_text(data["operation"]),
        provider=_text(data["provider"]),
        address=address,
        amount=Decimal(_text(data["amount"])),
        unit=_text(data["unit"]),
        at=from_rfc3339(data["at"]),
        run=_text(data["run"]),
        status=_text(data["status"]),
    )
