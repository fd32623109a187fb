"""Amounts as people read them."""

from __future__ import annotations

from decimal import Decimal

from provisioner.model.plan import Plan, Spend
from provisioner.render.style import counted, one_line

_CENT = Decimal("0.01")


def amount_text(amount: Decimal | float) -> str:
    """The exact amount without an exponent or idle zeros: `3000`, `0.5`."""
    exact = amount if isinstance(amount, Decimal) else Decimal(str(amount))
    text = format(exact, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def money_text(amount: Decimal) -> str:
    """The exact amount with at least two decimals: `60.00`, `0.0205`."""
    text = amount_text(amount)
    return format(Decimal(text).quantize(_CENT), "f") if len(text.partition(".")[2]) < 2 else text


def spend_text(spend: Spend) -> str:
    """`Buys up to 3000 credits at ez (60.00 USD).`"""
    amount = amount_text(spend.amount) if spend.unit == "credits" else money_text(spend.amount)
    cost = ""
    if spend.cost is not None:
        cost = f" ({money_text(spend.cost)}{f' {spend.currency}' if spend.currency else ''})"
    return one_line(f"Buys up to {amount} {spend.unit} at {spend.provider}{cost}.")


def money_and_people(plan: Plan) -> list[str]:
    """The lines that end a plan: what it may spend and how many steps wait for somebody."""
    waiting = sum(step.handoff is not None for step in plan.steps)
    lines = [spend_text(spend) for spend in plan.spends]
    if waiting:
        lines.append(f"{counted(waiting, 'step waits', 'steps wait')} for a person.")
    return lines
