"""Floors and purchases (contract sections 2 and 4, and what issue 3 says of guards under fire).

Every docstring is the sentence which the test checks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from acc_messaging import ez_tables
from acc_stack import Stack, summary

if TYPE_CHECKING:
    from acc_eztexting import EzTexting
    from acc_server import Request


def bought(ez: EzTexting) -> list[object]:
    return [purchase["credits"] for purchase in ez.purchases]


@pytest.mark.parametrize("lag", [1, 2])
def test_a_purchase_that_is_booked_late(stack: Stack, ez: EzTexting, lag: int) -> None:
    """A purchase is proven by a rise of the balance, which may come a moment later."""
    ez.bought_credits, ez.booking_lag = 0, lag
    stack.write(ez_tables(stack, ez))
    stack.run("apply", "--auto-approve")
    assert bought(ez) == [2000]
    assert stack.values("credits.ez")["balance"] == 2100
    stack.quiet()


@pytest.mark.slow
def test_a_purchase_that_is_booked_much_later(stack: Stack, ez: EzTexting) -> None:
    """Answered 200 and not seen in the balance: in doubt (3), never sent again; the rise that comes settles it."""
    ez.bought_credits, ez.booking_lag = 0, 1000
    stack.write(ez_tables(stack, ez))
    stack.run("apply", "--auto-approve", code=3)
    stack.run("apply", "--auto-approve", code=3)
    assert bought(ez) == [2000]
    ez._unbooked[0][0] = 0
    stack.run("apply", "--auto-approve")
    assert bought(ez) == [2000]
    assert stack.values("credits.ez")["purchased_last_24h"] == 2000
    assert stack.state()["in_doubt"] == []
    stack.quiet()


@pytest.mark.slow
def test_a_vendor_that_sells_fewer(stack: Stack, ez: EzTexting) -> None:
    """A vendor that adds fewer credits than were bought: nothing is bought beyond the guards, and it ends."""
    ez.bought_credits, ez.plan_credits, ez.sells_fewer = 0, 0, 100
    stack.write(ez_tables(stack, ez, floor="minimum = 1000\npack = 100\nmax_per_apply = 1000\nmax_per_day = 2000"))
    for _ in range(3):
        stack.run("apply", "--auto-approve", code=None)
    assert sum(int(str(n)) for n in bought(ez)) <= 2000
    assert len(bought(ez)) <= 2


def test_sends_while_buying(stack: Stack, ez: EzTexting) -> None:
    """Concurrent sends lower the balance meanwhile: a rise of the bought credits, the kind that only purchases raise,
    settles a purchase as happened."""
    ez.bought_credits, ez.plan_credits = 0, 1500
    ez.purchase_answer = "empty"

    def send(request: Request) -> None:
        if ez.purchases:
            ez.plan_credits = max(0, ez.plan_credits - 700)

    ez.before = send
    stack.write(ez_tables(stack, ez))
    stack.run("apply", "--auto-approve", code=None)
    assert bought(ez) == [500]
    assert stack.state()["in_doubt"] == []
    assert stack.values("credits.ez")["purchased_last_24h"] == 500


def test_a_pack_larger_than_the_guard(stack: Stack, ez: EzTexting) -> None:
    """Whole packs, cut to what the guards leave: none fits, so nothing is bought and a person is told: 3."""
    ez.bought_credits = 0
    stack.write(ez_tables(stack, ez, floor="minimum = 2000\npack = 5000\nmax_per_apply = 3000"))
    change = stack.changes()["credits.ez"]
    assert change["handoff"]["instructions"]
    ran = stack.run("apply", "--auto-approve", "--json", code=3)
    assert summary(ran.lines())["results"]["credits.ez"] == "handoff"
    assert bought(ez) == []


def test_defaults(stack: Stack, ez: EzTexting) -> None:
    """`target`: default minimum; `pack`: default 1."""
    ez.bought_credits = 0
    stack.write(ez_tables(stack, ez, floor="minimum = 2001\nmax_per_apply = 3000"))
    stack.run("apply", "--auto-approve")
    assert bought(ez) == [1901]


def test_an_amount_as_text(stack: Stack, ez: EzTexting) -> None:
    """Amounts are credits, or a decimal string; what the vendor has no fraction of is refused before anything runs."""
    stack.write(ez_tables(stack, ez, floor='minimum = "2000"\nmax_per_apply = "3000"'))
    stack.run("apply", "--auto-approve")
    stack.write(ez_tables(stack, ez, floor='minimum = "2000.5"\nmax_per_apply = "3000"'))
    stack.run("validate", code=4)


def test_buys_less_than_reviewed(stack: Stack, ez: EzTexting) -> None:
    """A balance that has risen above the floor since the plan: nothing is bought, and that is said (0)."""
    ez.bought_credits = 0
    stack.write(ez_tables(stack, ez))
    stack.run("plan", "--out", "p.plan")
    ez.bought_credits = 5000
    ran = stack.run("apply", "p.plan")
    assert bought(ez) == []
    assert "nothing was bought" in ran.text.lower()


@pytest.mark.slow
def test_a_purchase_by_somebody_else(stack: Stack, ez: EzTexting) -> None:
    """A purchase in doubt counts against every guard until it is settled."""
    ez.bought_credits, ez.plan_credits = 0, 0
    ez.arm("/v1/credits/purchase", 504)
    stack.write(ez_tables(stack, ez, floor="minimum = 1000\nmax_per_apply = 1000\nmax_per_day = 1500"))
    stack.run("apply", "--auto-approve", code=3)
    assert stack.values("credits.ez")["purchased_last_24h"] == 1000
    shown = stack.run("show").stdout
    assert "doubt" in shown
    assert "doubt" in stack.run("plan").text
    assert "doubt" in stack.run("history").stdout
    (doubt,) = stack.state()["in_doubt"]
    assert any("balance" in item for item in doubt["evidence"])
    assert "T" in doubt["since"]
    stack.run("resolve", doubt["operation"], "--as", "did-not-happen")
    assert stack.values("credits.ez")["purchased_last_24h"] == 0
    stack.run("apply", "--auto-approve")
    assert bought(ez) == [1000]


def test_two_floors_over_one_spend_limit(stack: Stack, ez: EzTexting) -> None:
    """`max_spend` needs a price: one that is missing where a purchase comes is told."""
    ez.bought_credits = 0
    stack.write('[safety]\nmax_spend = { USD = "1" }\n' + ez_tables(stack, ez))
    ran = stack.run("plan", code=None)
    assert "max_spend" in ran.text
