"""What settles a purchase in doubt without a person (design section 3): a rise of the balance, or, where the owner
opted in, an exactly unchanged balance for long enough.

Pure; the engine records what this decides, and the planner counts on it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from provisioner.model.desired import CreditFloor
from provisioner.model.observed import ObservedCredits
from provisioner.model.recorded import Operation

HAPPENED, DID_NOT_HAPPEN = "happened", "did-not-happen"


def only_bought(parts: Mapping[str, Decimal], balance: Decimal) -> Decimal:
    """The sub-balance that only purchases raise (EZ Texting: anytimeCredits), else the whole balance."""
    return parts.get("anytimeCredits", balance)


def settlement(
    operation: Operation, seen: ObservedCredits | None, floor: CreditFloor | None, now: datetime
) -> tuple[str, str] | None:
    """(`happened` or `did-not-happen`, why in a word), or None while nothing is proven.

    Any rise counts, not only one of the exact amount: messages sent meanwhile lower the balance, and taking somebody
    else's purchase for ours buys too little, never twice.
    """
    before = _reading(operation.read)
    if seen is None or before is None:
        return None
    current = only_bought(seen.parts, seen.balance)
    if current > before:
        return (HAPPENED, "balance-rise")
    if floor is None or floor.doubt_settles_after is None or now - operation.since < floor.doubt_settles_after:
        return None
    if all(reading == before for reading in (*_readings(operation.evidence), current)):
        return (DID_NOT_HAPPEN, "balance-unchanged")
    return None


def _reading(data: Mapping[str, Any]) -> Decimal | None:
    """What was bought-only in one reading: `{"balance": "500", "parts": {"anytimeCredits": "0"}}`."""
    if data.get("balance") is None:
        return None
    parts = {key: Decimal(str(value)) for key, value in (data.get("parts") or {}).items()}
    return only_bought(parts, Decimal(str(data["balance"])))


def _readings(evidence: Iterable[Mapping[str, Any]]) -> list[Decimal]:
    return [reading for item in evidence if (reading := _reading(item)) is not None]


def blocking(operations: Iterable[Operation], provider: str) -> list[Operation]:
    """The purchases of this account that are announced and not settled; while there is one, nothing is bought."""
    return [op for op in operations if op.op == "credits.purchase" and op.provider == provider]
