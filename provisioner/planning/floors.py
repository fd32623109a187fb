"""Steps for credit floors: what is bought, what a person must buy, and what is only watched."""

from __future__ import annotations

from datetime import timedelta
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Any

from provisioner.address import Address
from provisioner.errors import Diagnostic
from provisioner.model.desired import CreditFloor
from provisioner.model.observed import ObservedCredits
from provisioner.model.plan import (
    CREATE,
    FORGET,
    FORGET_RECORD,
    HANDOFF,
    MOVE,
    NOOP,
    NOTHING,
    PURCHASE,
    READ,
    READ_CREDITS,
    RECORD_CREDITS,
    UPDATE,
    Handoff,
    Reason,
    Spend,
    Step,
)
from provisioner.model.recorded import CreditsRecord
from provisioner.planning.doubts import HAPPENED, blocking, settlement
from provisioner.planning.situation import Situation
from provisioner.planning.values import bought_since, of_record, of_wanted_floor
from provisioner.providers.base import Credits
from provisioner.records import dataclass
from provisioner.times import to_rfc3339


@dataclass(frozen=True, slots=True)
class FloorStep:
    step: Step
    spend: Spend | None = None
    diagnostics: tuple[Diagnostic, ...] = ()


def packs_to_buy(
    floor: CreditFloor, balance: Decimal, bought_today: Decimal, bought_in_apply: Decimal = Decimal(0)
) -> Decimal:
    """The amount of one purchase: whole packs up to the target, cut to what the guards leave. 0 where nothing is due.

    `bought_today` counts the last 24 hours, doubts included. The engine asks this again right before it buys.
    """
    if balance >= floor.minimum:
        return Decimal(0)
    wanted = ((floor.target - balance) / floor.pack).to_integral_value(ROUND_CEILING) * floor.pack
    limits = [wanted]
    if floor.max_per_apply is not None:
        limits.append(floor.max_per_apply - bought_in_apply)
    if floor.max_per_day is not None:
        limits.append(floor.max_per_day - bought_today)
    left = max(min(limits), Decimal(0))
    return (left / floor.pack).to_integral_value(ROUND_FLOOR) * floor.pack


def plan_floor(situation: Situation, floor: CreditFloor, providers_tokens: tuple[Step, ...]) -> FloorStep:
    """The step of one declared floor. `providers_tokens`: this plan's steps for tokens of the same provider."""
    return _Floor(situation, floor, providers_tokens).plan()


class _Floor:
    def __init__(self, situation: Situation, floor: CreditFloor, tokens: tuple[Step, ...]) -> None:
        self.situation = situation
        self.floor = floor
        self.tokens = tokens
        self.vendor = situation.vendor_of(floor)
        record = situation.credits_record(floor.address)
        self.record = record if record is not None and record.provider == floor.provider else None
        observation = situation.observed.of(floor.provider)
        self.seen: ObservedCredits | None = observation.credits
        self.problem = observation.credits_problem

    def plan(self) -> FloorStep:
        balance, unit = self._balance()
        if balance is None or unit is None:
            return self._unread()
        if self.seen is None and self._token_comes():
            return self._read_after_token()
        if self.problem is not None:
            return self._not_shown(balance, unit)
        blocked = self._blocked()
        if blocked is not None:
            return blocked
        if balance >= self.floor.minimum:
            return FloorStep(self._met())
        if self.vendor.credits is not Credits.PURCHASE:
            handoff = self.vendor.top_up_handoff(self.floor, balance, unit)
            return self._unmet(balance, unit, handoff, f"{self.vendor.title} sells none by API")
        if self.seen is None:
            return self._not_looked(balance, unit)
        return self._purchase(balance, unit)

    def _balance(self) -> tuple[Decimal | None, str | None]:
        if self.seen is not None:
            return self.seen.balance, self.seen.unit
        if self.record is not None:
            return self.record.balance, self.record.unit
        return None, None

    def _token_comes(self) -> bool:
        return self.vendor.credits_need_token and any(self._issues(step) for step in self.tokens)

    def _issues(self, step: Step) -> bool:
        return step.operation in ("token.create", "token.refresh", "token.replace")

    def _unread(self) -> FloorStep:
        """Not read now: by a token that this apply makes, once a person authorized, or simply not asked for."""
        if self._token_comes() or not self.situation.observed.refreshed or not self.vendor.credits_need_token:
            return self._read_after_token()
        waiting = next((s for s in self.tokens if s.handoff is not None), None)
        handoff = waiting.handoff if waiting is not None else None
        if handoff is None:
            no_key = "its balance is read with a token of the account, and no key to open one is at hand"
            reason = Reason("not-looked", self.problem or no_key)
            return FloorStep(self._step(READ, READ_CREDITS, reason, unknown=("balance", "unit", "observed_at")))
        reason = Reason("needs-authorization", "its balance is read with a token that a person must authorize first")
        step = self._step(READ, HANDOFF, reason, unknown=("balance", "unit", "observed_at"), handoff=handoff)
        return FloorStep(step)

    def _not_shown(self, balance: Decimal, unit: str) -> FloorStep:
        """Asked for, and refused: what the balance was once says nothing of what it is. Nothing is bought on it."""
        if self.floor.on_shortfall != "warn" or self.record is None:
            return self._unread()
        summary = f"{self.floor.address}: the balance cannot be known: {self.problem}"
        detail = f"The recorded one is {balance} {unit}, and nobody knows whether the floor {self.floor.minimum} holds."
        address = str(self.floor.address)
        said = Diagnostic(name="not-refreshed", summary=summary, detail=detail, severity="warning", address=address)
        return FloorStep(self._met(), diagnostics=(said,))

    def _read_after_token(self) -> FloorStep:
        depends = tuple(step.id for step in self.tokens if self._issues(step)) if self.vendor.credits_need_token else ()
        sentence = (
            "its balance is read with a token that this apply makes" if depends else "its balance was not read yet"
        )
        unknown = ("balance", "unit", "observed_at")
        step = self._step(READ, READ_CREDITS, Reason("not-looked", sentence), unknown=unknown, depends_on=depends[:1])
        return FloorStep(step)

    def _not_looked(self, balance: Decimal, unit: str) -> FloorStep:
        """Below the floor by the recorded balance alone: nothing is bought on a memory, so it is read first."""
        sentence = f"the recorded balance {balance} is below the floor {self.floor.minimum}, and nobody looked again"
        return FloorStep(
            self._step(READ, READ_CREDITS, Reason("not-looked", sentence), unknown=("balance", "observed_at"))
        )

    def _blocked(self) -> FloorStep | None:
        """A purchase in doubt: nothing is bought for this account until it is settled."""
        open_doubts = [
            op
            for op in blocking(self.situation.state.operations.values(), self.floor.provider)
            if settlement(op, self.seen, self.floor, self.situation.now) is None
        ]
        if not open_doubts:
            return None
        op = open_doubts[0]
        since = to_rfc3339(op.since)
        summary = f"{self.floor.address}: a purchase of {op.amount} is in doubt since {since}"
        detail = (
            "Nothing more is bought for this account until it is settled: by a rise of the balance, or by a person who "
            f"looked at the vendor's invoices: `provisioner resolve {op.id} --as happened` or `--as did-not-happen`."
        )
        if not op.in_doubt:
            summary = f"{self.floor.address}: a purchase of {op.amount}, announced at {since}, has no outcome yet"
            detail = f"If its run still goes on, it ends by itself. If that run died: {detail[0].lower()}{detail[1:]}"
        # A warning, because the rest of the plan can go on; apply exits 3 for it.
        warning = Diagnostic(
            name="purchase-blocked", summary=summary, detail=detail, severity="warning", address=str(self.floor.address)
        )
        step = self._step(NOOP, NOTHING, Reason("in-doubt", "a purchase for this account is in doubt"))
        return FloorStep(step, diagnostics=(warning,))

    def _met(self) -> Step:
        record = self.record
        if record is None:
            return self._step(CREATE, RECORD_CREDITS, self._new())
        if self._redeclared(record):
            return self._step(UPDATE, RECORD_CREDITS, Reason("guard-changed", "declared otherwise than recorded"))
        moved = record.id in self.situation.previous
        reason = (
            Reason("moved", f"was {self.situation.previous[record.id]}")
            if moved
            else Reason("current", "the floor is met")
        )
        return self._step(NOOP, MOVE if moved else NOTHING, reason)

    def _new(self) -> Reason:
        other = self.situation.credits_record(self.floor.address)
        if other is None:
            return Reason("missing", "declared, and not recorded; the floor is met")
        sentence = f"recorded of provider {other.provider}, and {self.floor.provider} is declared; the floor is met"
        return Reason("provider-changed", sentence)

    def _redeclared(self, record: CreditsRecord) -> bool:
        floor = self.floor
        return (
            record.minimum,
            record.target,
            record.max_per_apply,
            record.max_per_day,
            record.on_shortfall,
            record.prevent_destroy,
        ) != (
            floor.minimum,
            floor.target,
            floor.max_per_apply,
            floor.max_per_day,
            floor.on_shortfall,
            floor.prevent_destroy,
        )

    def _bought_today(self) -> Decimal:
        now = self.situation.now
        # A doubt that this plan's own reading settles as not happened does not count any more; any other does.
        settled = {
            op.id
            for op in blocking(self.situation.state.operations.values(), self.floor.provider)
            if (verdict := settlement(op, self.seen, self.floor, now)) is not None and verdict[0] != HAPPENED
        }
        counted = (p for p in self.situation.state.purchases if p.operation not in settled)
        return bought_since(counted, self.floor.provider, now - timedelta(hours=24))

    def _purchase(self, balance: Decimal, unit: str) -> FloorStep:
        floor = self.floor
        amount = packs_to_buy(floor, balance, self._bought_today())
        if amount == 0:
            handoff = Handoff(
                (
                    f"Buy at least {floor.minimum - balance} {unit} for provider {floor.provider} by hand.",
                    f"Or raise max_per_apply or max_per_day of {floor.address}, and apply again.",
                )
            )
            return self._unmet(balance, unit, handoff, "a spend guard leaves no room for a pack")
        sentence = f"the balance {balance} is below the floor {floor.minimum}"
        step = self._step(
            UPDATE,
            PURCHASE,
            Reason("below-floor", sentence),
            after_extra={"purchase": amount},
            unknown=("balance", "observed_at"),
            params={"amount": str(amount)},
        )
        cost = floor.unit_price * amount if floor.unit_price is not None else None
        spend = Spend(
            address=floor.address, provider=floor.provider, amount=amount, unit=unit, cost=cost, currency=floor.currency
        )
        return FloorStep(step, spend, self._still_short(balance + amount, unit))

    def _still_short(self, reached: Decimal, unit: str) -> tuple[Diagnostic, ...]:
        if reached >= self.floor.minimum:
            return ()
        summary = f"{self.floor.address} reaches {reached} {unit} at most, and the floor is {self.floor.minimum}"
        detail = (
            "A spend guard cuts the purchase. Raise max_per_apply or max_per_day, or apply again when the day is over."
        )
        return (
            Diagnostic(
                name="floor-unmet-warn",
                summary=summary,
                detail=detail,
                severity="warning",
                address=str(self.floor.address),
            ),
        )

    def _unmet(self, balance: Decimal, unit: str, handoff: Handoff, why: str) -> FloorStep:
        sentence = f"the balance {balance} {unit} is below the floor {self.floor.minimum}, and {why}"
        reason = Reason("below-floor", sentence)
        if self.floor.on_shortfall == "warn":
            detail = " ".join(handoff.instructions)
            address = str(self.floor.address)
            summary = f"{address}: {sentence}"
            warning = Diagnostic(
                name="floor-unmet-warn", summary=summary, detail=detail, severity="warning", address=address
            )
            record = self.record
            settled = record is not None and not self._redeclared(record)
            action, operation = (NOOP, NOTHING) if settled else (CREATE if record is None else UPDATE, RECORD_CREDITS)
            return FloorStep(self._step(action, operation, reason), diagnostics=(warning,))
        record_too = self.record is None or self._redeclared(self.record)
        step = self._step(UPDATE, RECORD_CREDITS if record_too else HANDOFF, reason, handoff=handoff)
        return FloorStep(step)

    def _step(
        self,
        action: tuple[str, ...],
        operation: str,
        reason: Reason,
        *,
        after_extra: dict[str, Any] | None = None,
        unknown: tuple[str, ...] = (),
        params: dict[str, Any] | None = None,
        handoff: Handoff | None = None,
        depends_on: tuple[str, ...] = (),
    ) -> Step:
        situation, floor, record = self.situation, self.floor, self.record
        bought = bought_since(situation.state.purchases, floor.provider, situation.now - timedelta(hours=24))
        known: dict[str, Any] = {"purchased_last_24h": bought}
        before = None
        if record is not None:
            before = of_record(record, situation.now, situation.state.purchases)
            known |= {key: before[key] for key in ("balance", "unit", "observed_at")}
        if self.seen is not None:
            known |= {"balance": self.seen.balance, "unit": self.seen.unit, "observed_at": to_rfc3339(self.seen.at)}
        if action == NOOP and before is not None:
            known |= {key: before[key] for key in ("balance", "observed_at")}
        if action == UPDATE:
            # What a reader compares with is the balance now, recorded before or not.
            before = (before or of_wanted_floor(floor, known)) | {
                "balance": known.get("balance"),
                "unit": known.get("unit"),
            }
        after = of_wanted_floor(floor, known) | dict.fromkeys(unknown) | (after_extra or {})
        return Step(
            id=str(floor.address),
            address=floor.address,
            action=action,
            operation=operation,
            reason=reason,
            provider=floor.provider,
            provider_type=situation.provider_type(floor.provider),
            object_id=record.id if record else None,
            before=before,
            after=after,
            after_unknown=unknown,
            previous_address=situation.previous.get(record.id) if record else None,
            handoff=handoff,
            depends_on=depends_on,
            params=params or {},
        )


def drop_floor(situation: Situation, address: Address, record: CreditsRecord) -> Step:
    """A floor that is not declared any more is forgotten; the account keeps its credits."""
    removed = record.id in situation.forgotten
    reason = (
        Reason("removed", "a removed block says to forget it")
        if removed
        else Reason("not-declared", "not declared any more")
    )
    return Step(
        id=str(address),
        address=address,
        action=FORGET,
        operation=FORGET_RECORD,
        reason=reason,
        provider=record.provider,
        provider_type=record.provider_type,
        object_id=record.id,
        before=of_record(record, situation.now, situation.state.purchases),
    )
