"""Balances, purchases, and rises of a balance that no purchase of ours explains."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from provisioner.address import Address, parse_address
from provisioner.audit.seen import Mark, Seen
from provisioner.model.plan import PURCHASE
from provisioner.model.recorded import CreditsRecord, Operation
from provisioner.planning.doubts import only_bought
from provisioner.records import dataclass, field
from provisioner.times import from_rfc3339

DAY = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Reading:
    """One balance as it was recorded. `minimum` is the floor at that moment."""

    at: datetime
    balance: Decimal
    minimum: Decimal


@dataclass(slots=True)
class Floor:
    """One floor over time, by its unchanging id. Where it was forgotten, `record` is the last that was known of it."""

    record: CreditsRecord
    readings: list[Reading] = field(default_factory=list)
    since_unmet: datetime | None = None
    gone: bool = False

    @property
    def address(self) -> Address:
        return self.record.address

    @property
    def minimum(self) -> Decimal:
        return self.record.minimum

    def read(self, reading: Reading) -> None:
        """One more balance, unless it says again what the last one said. An older one than that changes nothing."""
        last = self.readings[-1] if self.readings else None
        if last is not None and (last == reading or reading.at < last.at):
            return
        self.readings.append(reading)
        unmet = reading.balance < reading.minimum
        self.since_unmet = (self.since_unmet or reading.at) if unmet else None


@dataclass(slots=True)
class Bought:
    """One purchase that was announced. `status`: open, happened, in_doubt or not (it did not happen). The guards are
    those recorded for its floor when it ended; None: there was none."""

    operation: str
    address: Address
    provider: str
    unit: str
    amount: Decimal
    at: datetime
    run: str
    mark: Mark
    status: str = "open"
    max_per_apply: Decimal | None = None
    max_per_day: Decimal | None = None

    @property
    def counts(self) -> bool:
        return self.status in ("happened", "in_doubt")


@dataclass(frozen=True, slots=True)
class Rise:
    """A balance that rose by more than what was bought. `expected`: a person had been asked to buy, or the floor of a
    vendor that sells none by API was unmet."""

    address: Address
    provider: str
    provider_type: str
    by: Decimal
    unit: str
    since: datetime
    mark: Mark
    waited_for: bool
    was_unmet: bool


@dataclass(slots=True)
class _Account:
    """What is known of one account: the level that only purchases raise, when it was read, and what may still raise
    it."""

    level: Decimal | None = None
    unit: str | None = None
    read_at: datetime | None = None
    pending: dict[str, Decimal] = field(default_factory=dict)  # operation → what it has not yet been seen to add
    allowed: Decimal = Decimal(0)  # settled as happened, and not yet seen


class Money:
    """A collector: see `trail.Trail`."""

    def __init__(self) -> None:
        self.floors: dict[str, Floor] = {}
        self.purchases: dict[str, Bought] = {}
        self.rises: list[Rise] = []
        self._accounts: dict[str, _Account] = {}

    def see(self, seen: Seen) -> None:
        if seen.kind == "checkpoint":
            return
        if seen.kind == "intent":
            self._announced(seen)
        operation = seen.state.operations.get(seen.operation or "")
        buying = operation if operation is not None and operation.op == PURCHASE else None
        if buying is not None:
            self._evidence(seen, buying, seen.body.get("evidence"))
        if seen.kind == "observed":
            for key, evidence in (seen.body.get("evidence") or {}).items():
                found = seen.state.operations.get(key)
                if found is not None and found.op == PURCHASE:
                    self._evidence(seen, found, evidence)
        for record in seen.change.put:
            if isinstance(record, CreditsRecord):
                self._recorded(seen, record)
        if buying is not None:
            self._ended(seen, buying)
        for gone in seen.change.drop:
            if gone in self.floors:
                self.floors[gone].gone = True

    # -- purchases ---------------------------------------------------------------------------------------------------

    def _announced(self, seen: Seen) -> None:
        data = seen.body["operation"]
        if data.get("op") != PURCHASE or seen.address is None:
            return
        floor = self._floor_of(seen.address)
        made = Operation(
            id=data["id"],
            address=parse_address(seen.address),
            op=PURCHASE,
            run=seen.mark.run,
            since=seen.mark.time,
            provider=data.get("provider"),
            provider_type=data.get("provider_type"),
            amount=_number(data.get("amount")),
            unit=data.get("unit"),
        )
        self._evidence(seen, made, data.get("read"))
        amount = made.amount or Decimal(0)
        self._account(made.provider).pending[made.id] = amount
        bought = Bought(
            made.id, made.address, made.provider or "", made.unit or "", amount, made.since, made.run, seen.mark
        )
        self.purchases[made.id] = _guarded(bought, floor.record if floor else None)

    def _ended(self, seen: Seen, operation: Operation) -> None:
        """After the entry's own balance was looked at: what its purchase added has been seen by then."""
        bought = self.purchases.get(operation.id)
        account = self._account(operation.provider)
        if bought is None:
            return
        for record in seen.change.put:
            if isinstance(record, CreditsRecord) and record.provider == bought.provider:
                _guarded(bought, record)
        amount = _number(seen.body.get("amount"))
        if seen.kind == "doubt":
            bought.status = "in_doubt"
            return
        happened = seen.body.get("result") == "done" or seen.body.get("as") == "happened"
        bought.status = "happened" if happened else "not"
        if seen.kind == "outcome":
            bought.at = seen.mark.time
        if happened and amount is not None:
            bought.amount = amount
        left = account.pending.pop(operation.id, Decimal(0))
        if happened:
            account.allowed += left

    # -- balances ----------------------------------------------------------------------------------------------------

    def _recorded(self, seen: Seen, record: CreditsRecord) -> None:
        floor = self.floors.setdefault(record.id, Floor(record))
        floor.record, floor.gone = record, False
        if record.balance is None:
            return
        reading = Reading(record.observed_at or seen.mark.time, record.balance, record.minimum)
        floor.read(reading)
        self._level(
            seen, record.provider, record.address, record.provider_type, record.unit or "", reading, record.parts
        )

    def _evidence(self, seen: Seen, operation: Operation, evidence: Any) -> None:
        """A balance that was read before or after a purchase was sent."""
        if not isinstance(evidence, Mapping) or operation.provider is None:
            return
        balance = _number(evidence.get("balance"))
        if balance is None:
            return
        parts = {
            key: number for key, item in (evidence.get("parts") or {}).items() if (number := _number(item)) is not None
        }
        floor = self._floor_of(str(operation.address))
        reading = Reading(_time(evidence.get("at")) or seen.mark.time, balance, floor.minimum if floor else Decimal(0))
        if floor is not None:
            floor.read(reading)
        unit = str(evidence.get("unit") or operation.unit or "")
        kind = operation.provider_type or ""
        self._level(seen, operation.provider, operation.address, kind, unit, reading, parts)

    def _level(
        self,
        seen: Seen,
        provider: str,
        address: Address,
        provider_type: str,
        unit: str,
        reading: Reading,
        parts: Mapping[str, Decimal],
    ) -> None:
        account = self._account(provider)
        level = only_bought(parts, reading.balance)
        if account.level is not None and account.unit == unit and level > account.level:
            rest = _take(account, level - account.level)
            if rest > 0:
                self.rises.append(
                    Rise(
                        address,
                        provider,
                        provider_type,
                        rest,
                        unit,
                        account.read_at or reading.at,
                        seen.mark,
                        waited_for=str(address) in seen.state.handoffs,
                        was_unmet=self._was_unmet(address),
                    )
                )
        account.level, account.unit, account.read_at = level, unit, reading.at

    def _was_unmet(self, address: Address) -> bool:
        """By the reading before the one that is being looked at."""
        for floor in self.floors.values():
            if floor.address == address and not floor.gone:
                return any(r.balance < r.minimum for r in floor.readings[-2:])
        return False

    def _floor_of(self, address: str) -> Floor | None:
        return next((f for f in self.floors.values() if str(f.address) == address and not f.gone), None)

    def _account(self, provider: str | None) -> _Account:
        return self._accounts.setdefault(provider or "", _Account())

    # -- what rules ask ----------------------------------------------------------------------------------------------

    def counted(self) -> list[Bought]:
        """What was bought, doubts included, oldest first."""
        return sorted((b for b in self.purchases.values() if b.counts), key=lambda b: (b.at, b.operation))

    def over_guard(self) -> Iterator[tuple[Bought, str, Decimal, Decimal]]:
        """(the purchase that went over, which guard, what was bought with it, the guard)."""
        days: dict[str, deque[Bought]] = defaultdict(deque)
        runs: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
        for bought in self.counted():
            day, key = days[bought.provider], (bought.provider, bought.run)
            day.append(bought)
            while day[0].at <= bought.at - DAY:
                day.popleft()
            runs[key] += bought.amount
            in_day = sum((b.amount for b in day), Decimal(0))
            if bought.max_per_apply is not None and runs[key] > bought.max_per_apply:
                yield bought, "max_per_apply", runs[key], bought.max_per_apply
            if bought.max_per_day is not None and in_day > bought.max_per_day:
                yield bought, "max_per_day", in_day, bought.max_per_day


def _take(account: _Account, rise: Decimal) -> Decimal:
    """What is left of a rise once everything that may have caused it took its share."""
    for operation, amount in account.pending.items():
        share = min(rise, amount)
        account.pending[operation] = amount - share
        rise -= share
    share = min(rise, account.allowed)
    account.allowed -= share
    return rise - share


def _guarded(bought: Bought, record: CreditsRecord | None) -> Bought:
    if record is not None:
        bought.max_per_apply, bought.max_per_day = record.max_per_apply, record.max_per_day
    return bought


def _time(value: Any) -> datetime | None:
    try:
        return from_rfc3339(value)
    except (TypeError, ValueError):
        return None


def _number(value: Any) -> Decimal | None:
    if not isinstance(value, str):
        return None
    try:
        found = Decimal(value)
    except InvalidOperation:
        return None
    return found if found.is_finite() else None
