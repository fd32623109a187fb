"""Credits: take up a floor, read a balance, buy.

`credits.record`    no params; what was observed is recorded with the floor's guards
`credits.read`      no params; reads the balance with a token of the account where the vendor wants one
`credits.purchase`  `amount`, the most that was reviewed, as a decimal string. Never sent again by itself
"""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

from provisioner.engine import drafts
from provisioner.engine.context import Context
from provisioner.engine.ended import Ended, note, warning
from provisioner.engine.events import IN_DOUBT
from provisioner.engine.operation import Outcome, Unproven, announce, perform, record
from provisioner.engine.tokens import new_id
from provisioner.engine.verify import Rise, watch_balance
from provisioner.errors import (
    CredentialsRefused,
    Diagnostic,
    InDoubt,
    NeedsPerson,
    StepRefused,
)
from provisioner.model.desired import CreditFloor
from provisioner.model.observed import ObservedCredits
from provisioner.model.plan import PURCHASE, READ_CREDITS, RECORD_CREDITS, Step
from provisioner.model.recorded import LIVE, CreditsRecord, TokenRecord
from provisioner.planning.doubts import blocking
from provisioner.planning.floors import packs_to_buy
from provisioner.planning.values import bought_since
from provisioner.providers.base import Provider
from provisioner.records import replace
from provisioner.secret import Secret

_DAY = timedelta(hours=24)


def take_up(ctx: Context, step: Step) -> Ended:
    floor = ctx.floors[step.address]
    seen = ctx.observed.of(floor.provider).credits
    record(ctx, step, RECORD_CREDITS, put=(_recorded(ctx, step, floor, seen),), drop=_dropped(ctx, step, floor))
    return Ended(diagnostics=_judged(floor, seen))


def _dropped(ctx: Context, step: Step, floor: CreditFloor) -> tuple[str, ...]:
    """A floor that is declared for another account now: its record is another object."""
    found = ctx.record(step.object_id) or ctx.serving(step.address)
    return (found.id,) if isinstance(found, CreditsRecord) and found.provider != floor.provider else ()


def _recorded(ctx: Context, step: Step, floor: CreditFloor, seen: ObservedCredits | None) -> CreditsRecord:
    found = ctx.record(step.object_id) or ctx.serving(step.address)
    old = found if isinstance(found, CreditsRecord) and found.provider == floor.provider else None
    new = CreditsRecord(
        id=old.id if old else new_id(),
        address=step.address,
        provider=floor.provider,
        provider_type=step.provider_type,
        balance=old.balance if old else None,
        unit=old.unit if old else None,
        observed_at=old.observed_at if old else None,
        parts=old.parts if old else {},
        minimum=floor.minimum,
        target=floor.target,
        max_per_apply=floor.max_per_apply,
        max_per_day=floor.max_per_day,
        on_shortfall=floor.on_shortfall,
        prevent_destroy=floor.prevent_destroy,
    )
    return new if seen is None else with_balance(new, seen)


def with_balance(old: CreditsRecord, seen: ObservedCredits) -> CreditsRecord:
    return replace(old, balance=seen.balance, unit=seen.unit, observed_at=seen.at, parts=dict(seen.parts))


def _judged(floor: CreditFloor, seen: ObservedCredits | None) -> tuple[Diagnostic, ...]:
    """The floor, judged again by the last balance read. Exit 3, or a warning where the owner said so."""
    if seen is None or seen.balance >= floor.minimum:
        return ()
    name = "floor-unmet" if floor.on_shortfall == "error" else "floor-unmet-warn"
    summary = f"the balance of {floor.provider} is {seen.balance} {seen.unit}, below the floor {floor.minimum}"
    detail = "Raise the spend guards, or buy by hand; a later apply goes on from the balance that it reads."
    return (warning(name, floor.address, summary, detail),)


# -- read ------------------------------------------------------------------------------------------------------------


def read(ctx: Context, step: Step) -> Ended:
    floor = ctx.floors[step.address]
    provider = ctx.provider(floor.provider)
    vendor = ctx.vendors(step.provider_type)
    seen = _with_some_token(ctx, provider, floor) if vendor.credits_need_token else provider.read_credits(None)
    record(ctx, step, READ_CREDITS, put=(_recorded(ctx, step, floor, seen),), drop=_dropped(ctx, step, floor))
    return Ended(diagnostics=_judged(floor, seen))


def _with_some_token(ctx: Context, provider: Provider, floor: CreditFloor) -> ObservedCredits:
    """The balance, by the first of the account's tokens that may read it. Raises NeedsPerson where there is none."""
    refused: str | None = None
    for token in _tokens_of(ctx, floor.provider):
        try:
            return provider.read_credits(token)
        except (CredentialsRefused, StepRefused) as error:
            refused = f"{error.diagnostics[0].summary}. {error.diagnostics[0].detail}"
    detail = refused or f"No token of provider {floor.provider} lives."
    summary = f"the balance of {floor.provider} can only be read with one of its tokens, and none may"
    raise NeedsPerson("no-valid-token", summary, detail, address=str(floor.address))


def _tokens_of(ctx: Context, provider: str) -> list[Secret]:
    now = ctx.clock()
    found = [
        token
        for address, (application, _) in ctx.wanted.items()
        if application.provider == provider and (token := ctx.token(address)) is not None
    ]
    opened = (ctx.open_token(token, "access_token") for token in found if _serves(token, now))
    return [secret for secret in opened if secret is not None]


def _serves(token: TokenRecord, now: datetime) -> bool:
    return token.status_at(now) == LIVE


# -- buy -------------------------------------------------------------------------------------------------------------


def purchase(ctx: Context, step: Step) -> Ended:
    floor = ctx.floors[step.address]
    with ctx.buying(floor.provider):
        return _buy(ctx, step, floor, ctx.provider(floor.provider))


def _buy(ctx: Context, step: Step, floor: CreditFloor, provider: Provider) -> Ended:
    blocked = blocking(list(ctx.state.operations.values()), floor.provider)
    if blocked:
        summary = f"nothing is bought: operation {blocked[0].id} of {blocked[0].amount} is in doubt"
        detail = f"Look at the account, then `provisioner resolve {blocked[0].id} --as happened|did-not-happen`."
        return Ended(status=IN_DOUBT, diagnostics=(warning("purchase-blocked", floor.address, summary, detail),))
    before = provider.read_credits(None)
    amount = _amount(ctx, step, floor, before)
    if amount <= 0:
        record(ctx, step, RECORD_CREDITS, put=(_recorded(ctx, step, floor, before),), drop=_dropped(ctx, step, floor))
        short = _judged(floor, before)
        return Ended(diagnostics=short or (_not_needed(floor, before),))
    return _bought(ctx, step, floor, provider, before, amount)


def _amount(ctx: Context, step: Step, floor: CreditFloor, before: ObservedCredits) -> Decimal:
    """Never more than was reviewed, than is needed now, or than the guards leave now by the recorded state."""
    reviewed = Decimal(str(step.params.get("amount") or (step.after or {}).get("purchase") or 0))
    purchases = list(ctx.state.purchases)
    in_apply = sum((p.amount for p in purchases if p.run == ctx.run.id and p.provider == floor.provider), Decimal(0))
    today = bought_since(purchases, floor.provider, ctx.clock() - _DAY)
    return min(reviewed, packs_to_buy(floor, before.balance, today, in_apply))


def _not_needed(floor: CreditFloor, before: ObservedCredits) -> Diagnostic:
    summary = f"nothing was bought: the balance of {floor.provider} is {before.balance} {before.unit} by now"
    return note("no-longer-needed", floor.address, summary)


def _bought(
    ctx: Context, step: Step, floor: CreditFloor, provider: Provider, before: ObservedCredits, amount: Decimal
) -> Ended:
    _known_before_it_buys(ctx, step, floor, before)
    operation = announce(
        ctx,
        step,
        PURCHASE,
        object_id=step.object_id,
        amount=amount,
        unit=before.unit,
        read=drafts.reading(before),
    )

    def outcome(rise: Rise) -> Outcome:
        put = (_recorded(ctx, step, floor, rise.last),)
        return Outcome(put=put, drop=_dropped(ctx, step, floor), amount=amount, detail=f"the balance rose by {rise.by}")

    rise = perform(
        ctx,
        operation,
        lambda: _send_and_watch(ctx, provider, floor, before, amount),
        outcome,
        reason=step.reason.sentence,
    )
    said = _judged(floor, rise.last)
    if rise.by is not None and rise.by > amount:
        summary = f"{amount} {before.unit} were bought, and the balance rose by {rise.by}"
        detail = (
            "Somebody else may have bought at the same time; compare the vendor's invoices with `provisioner history`."
        )
        said = (*said, warning("overspent", floor.address, summary, detail))
    return Ended(diagnostics=said, bought=amount)


def _known_before_it_buys(ctx: Context, step: Step, floor: CreditFloor, before: ObservedCredits) -> None:
    """A floor's first step may be a purchase, and that may end in doubt: what it is about stands recorded before."""
    found = ctx.record(step.object_id) or ctx.serving(step.address)
    if not isinstance(found, CreditsRecord) or found.provider != floor.provider:
        ctx.gate()
        ctx.append(drafts.observed((_recorded(ctx, step, floor, before),), _dropped(ctx, step, floor)))


def _send_and_watch(
    ctx: Context, provider: Provider, floor: CreditFloor, before: ObservedCredits, amount: Decimal
) -> Rise:
    """One purchase. A 2xx is a claim and silence is none; only a balance that rose proves either. Raises Unproven."""
    answered: dict[str, object] = {}
    try:
        answer = provider.purchase(amount, floor)
        answered = {"status": answer.status, "reported": {key: str(value) for key, value in answer.reported.items()}}
        doubt = InDoubt("in-doubt", f"{provider.config.name} answered {answer.status}, and the balance has not risen")
    except InDoubt as error:
        doubt = error
    rise = watch_balance(ctx, provider, before)
    if rise.by is not None:
        return rise
    evidence: dict[str, object] = {"answered": answered, "readings": [drafts.reading(seen) for seen in rise.readings]}
    if rise.last is not None:
        evidence |= drafts.reading(rise.last)
    if rise.problem is not None:
        evidence["problem"] = rise.problem
    raise Unproven(doubt, evidence) from None
