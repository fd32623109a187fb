"""Rules about credits: floors, guards, and money that nobody announced."""

from __future__ import annotations

from collections.abc import Iterator

from provisioner.audit.case import Case
from provisioner.audit.finding import ERROR, WARNING, Found, rule
from provisioner.times import to_rfc3339


@rule(
    "floor-unmet",
    ERROR,
    "A balance is below its floor",
    reason="By the balance that was read last, less is left than the floor asks for. `apply` buys where the vendor "
    "sells by API and the guards leave room; otherwise a person has to. (A warning where the floor's `on_shortfall` is "
    "`warn`.)",
    remedy="Run `provisioner apply`; where it cannot buy, it says what a person has to do.",
)
def floor_unmet(case: Case) -> Iterator[Found]:
    for record in case.floors:
        declared = case.declared_floor(record.address)
        minimum = declared.minimum if declared is not None else record.minimum
        known = case.trail.money.floors.get(record.id)
        last = known.readings[-1] if known is not None and known.readings else None
        if known is None or last is None or last.balance >= minimum:
            continue
        on_shortfall = declared.on_shortfall if declared is not None else record.on_shortfall
        read = f"when it was last read, at {to_rfc3339(last.at)}"
        message = f"The balance was {last.balance} {record.unit} {read}; the floor is {minimum}."
        yield Found(
            message=message,
            address=str(record.address),
            since=known.since_unmet or last.at,
            key=record.id,
            severity=WARNING if on_shortfall == "warn" else None,
        )


@rule(
    "purchase-over-guard",
    ERROR,
    "More was bought than a spend guard allows",
    reason="The purchases of one run went over `max_per_apply`, or those of 24 hours over `max_per_day`, by the "
    "guards that were recorded with them. Purchases in doubt count, as they do for the guards themselves.",
    remedy="Compare the vendor's invoices with `provisioner history`, and find out who ran with which file.",
    history=True,
)
def purchase_over_guard(case: Case) -> Iterator[Found]:
    for bought, guard, total, limit in case.trail.money.over_guard():
        span = "in one run" if guard == "max_per_apply" else "within 24 hours"
        message = (
            f"{total} {bought.unit} were bought {span} for provider {bought.provider}; {guard} was {limit}. The "
            f"purchase that went over it is operation {bought.operation} of run {bought.run} (serial "
            f"{bought.mark.serial})."
        )
        yield Found(
            message=message,
            address=str(bought.address),
            since=bought.at,
            mark=bought.mark,
            key=f"{bought.operation}:{guard}",
        )


@rule(
    "purchase-outside-run",
    ERROR,
    "A balance rose without a purchase of ours",
    reason="Credits that only purchases raise are more than before, and no run announced it: somebody bought them "
    "past the plan and its guards, or the vendor added more than was bought. (A warning where the vendor sells none "
    "by API; nothing where a person had been asked to buy, or its floor was unmet.)",
    remedy="Compare the vendor's invoices with `provisioner history`; then record why: silence this finding in the "
    "policy file, with the reason.",
    history=True,
)
def purchase_outside_run(case: Case) -> Iterator[Found]:
    for rise in case.trail.money.rises:
        facts = case.facts(rise.provider_type)
        sells = facts is None or facts.sells_credits
        if rise.waited_for or (rise.was_unmet and not sells):
            continue
        message = (
            f"The balance of provider {rise.provider} rose by {rise.by} {rise.unit} between {to_rfc3339(rise.since)} "
            f"and {to_rfc3339(rise.mark.time)} (serial {rise.mark.serial}), and no purchase explains it."
        )
        yield Found(
            message=message,
            address=str(rise.address),
            since=rise.since,
            mark=rise.mark,
            key=str(rise.mark.serial),
            severity=None if sells else WARNING,
        )
