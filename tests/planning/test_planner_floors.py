"""What the planner decides about credit floors."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from planning_world import NOW, balance, credits_record, desired, floor, observed, outline, plan, state, step

from provisioner.address import Address
from provisioner.model.desired import Safety
from provisioner.model.observed import ObservedCredits, ProviderObservation
from provisioner.model.recorded import Operation, Purchase
from provisioner.planning.floors import packs_to_buy

CREDITS = Address("credits", "ez")


def test_met_floor_is_taken_up_and_then_quiet() -> None:
    """A floor that is met is recorded once; afterwards the plan has no changes."""
    seen = observed(rotating=balance(5000))
    first = plan(desired(floors=(floor("rotating"),)), state(), seen)
    again = plan(desired(floors=(floor("rotating"),)), state(credits_record("rotating", 5000)), seen)
    assert outline(first)["credits.ez"] == (("create",), "credits.record", "missing")
    assert not again.has_changes


def test_purchase_is_whole_packs_up_to_the_target() -> None:
    """Below the floor, whole packs are bought until the target is met."""
    made = plan(
        desired(floors=(floor("rotating", unit_price=Decimal("0.02"), currency="USD"),)),
        state(),
        observed(rotating=balance(4999)),
    )
    bought = step(made, "credits.ez")
    assert (bought.action, bought.operation) == (("update",), "credits.purchase")
    assert bought.after is not None
    assert bought.after["purchase"] == Decimal(1500)
    assert made.spends[0].cost == Decimal("30.00")


def test_guard_per_day_counts_doubts_and_other_runs() -> None:
    """What was bought in the last 24 hours, certain or not, leaves that much less."""
    old = Purchase(
        operation="a",
        provider="rotating",
        address=CREDITS,
        amount=Decimal(9000),
        unit="credits",
        at=NOW - timedelta(hours=25),
        run="r",
    )
    recent = Purchase(
        operation="b",
        provider="rotating",
        address=CREDITS,
        amount=Decimal(1200),
        unit="credits",
        at=NOW - timedelta(hours=1),
        run="r",
    )
    have = state(purchases=[old, recent])
    made = plan(desired(floors=(floor("rotating", max_per_day=Decimal(2000)),)), have, observed(rotating=balance(0)))
    after = step(made, "credits.ez").after
    assert after is not None
    assert after["purchase"] == Decimal(500)
    assert [d.name for d in made.diagnostics] == ["floor-unmet-warn"]


def test_exhausted_guard_waits_for_a_person() -> None:
    """With no room for a pack nothing is bought, and a person is told."""
    made = plan(
        desired(floors=(floor("rotating", max_per_apply=Decimal(400)),)), state(), observed(rotating=balance(0))
    )
    waiting = step(made, "credits.ez")
    assert waiting.handoff is not None
    assert waiting.after is not None
    assert "purchase" not in waiting.after


def test_purchase_in_doubt_blocks_the_account() -> None:
    """While a purchase is in doubt none is planned, and the plan says what to do."""
    operation = Operation(
        id="op1",
        address=CREDITS,
        op="credits.purchase",
        run="r",
        since=NOW - timedelta(days=3),
        provider="rotating",
        amount=Decimal(500),
        read={"balance": "0", "parts": {"anytimeCredits": "0"}},
        in_doubt=True,
    )
    have = state(credits_record("rotating", 0), operations={"op1": operation})
    made = plan(desired(floors=(floor("rotating"),)), have, observed(rotating=balance(0, anytimeCredits=0)))
    assert outline(made)["credits.ez"] == (("no-op",), "nothing", "in-doubt")
    assert "resolve op1" in made.diagnostics[0].detail
    risen = plan(desired(floors=(floor("rotating"),)), have, observed(rotating=balance(500, anytimeCredits=500)))
    assert outline(risen)["credits.ez"][1] == "credits.purchase"


def test_unchanged_balance_settles_only_where_the_owner_opted_in() -> None:
    """doubt_settles_after makes an exactly unchanged balance count as proof, and only after that long."""
    operation = Operation(
        id="op1",
        address=CREDITS,
        op="credits.purchase",
        run="r",
        since=NOW - timedelta(minutes=30),
        provider="rotating",
        amount=Decimal(500),
        read={"balance": "0", "parts": {"anytimeCredits": "0"}},
        in_doubt=True,
    )
    have = state(operations={"op1": operation})
    seen = observed(rotating=balance(0, anytimeCredits=0))
    soon = plan(desired(floors=(floor("rotating", doubt_settles_after=timedelta(minutes=31)),)), have, seen)
    late = plan(desired(floors=(floor("rotating", doubt_settles_after=timedelta(minutes=30)),)), have, seen)
    assert (outline(soon)["credits.ez"][1], outline(late)["credits.ez"][1]) == ("nothing", "credits.purchase")


@pytest.mark.parametrize(("on_shortfall", "handed_off"), [("error", True), ("warn", False)])
def test_vendor_without_sales_needs_a_person(on_shortfall: str, handed_off: bool) -> None:
    """A floor that no API can repair is a handoff, or a warning where the file says so."""
    seen = ProviderObservation(credits=ObservedCredits(balance=Decimal("12.50"), unit="EUR", at=NOW))
    made = plan(desired(floors=(floor("panel", on_shortfall=on_shortfall),)), state(), observed(panel=seen))
    assert (step(made, "credits.ez").handoff is not None) is handed_off
    assert ("floor-unmet-warn" in [d.name for d in made.diagnostics]) is not handed_off


@pytest.mark.parametrize(("on_shortfall", "action"), [("error", ("read",)), ("warn", ("no-op",))])
def test_a_balance_that_is_not_shown_is_not_remembered(on_shortfall: str, action: tuple[str, ...]) -> None:
    """Asked for and refused: the recorded balance meets no floor. It waits for a person, or is a warning."""
    seen = observed(person=ProviderObservation(credits_problem="the token has no scope for it"))
    record = credits_record("person", 5000, on_shortfall=on_shortfall)
    made = plan(desired(floors=(floor("person", on_shortfall=on_shortfall),)), state(record), seen)
    assert outline(made)["credits.ez"][0] == action
    said = [made.diagnostics[0].summary] if made.diagnostics else [step(made, "credits.ez").reason.sentence]
    assert "the token has no scope for it" in said[0]
    assert [d.name for d in made.diagnostics] == (["not-refreshed"] if on_shortfall == "warn" else [])


def test_a_balance_that_nobody_asked_for_is_the_recorded_one() -> None:
    """A pipeline that plans without a key asks no token-read balance, and that is no change."""
    record = credits_record("person", 5000)
    made = plan(desired(floors=(floor("person"),)), state(record), observed(person=ProviderObservation()))
    assert not made.has_changes


def test_max_spend_refuses_the_plan() -> None:
    """A plan that would spend more than [safety] allows is shown, and is not applyable."""
    want = desired(
        floors=(floor("rotating", unit_price=Decimal("0.02"), currency="USD"),),
        safety=Safety(max_spend={"USD": Decimal(29)}),
    )
    refused = plan(want, state(), observed(rotating=balance(4999)))
    allowed = plan(want, state(), observed(rotating=balance(4999)), allows=("max_spend",))
    assert (refused.applyable, allowed.applyable) == (False, True)
    assert [d.name for d in refused.diagnostics] == ["max-spend"]


amounts = st.decimals(min_value=0, max_value=100000, places=2)


@given(
    start=amounts,
    bought=amounts,
    minimum=amounts,
    extra=amounts,
    pack=st.integers(1, 1000),
    per_apply=amounts,
    per_day=amounts,
)
def test_a_purchase_never_exceeds_what_guards_leave(
    start: Decimal, bought: Decimal, minimum: Decimal, extra: Decimal, pack: int, per_apply: Decimal, per_day: Decimal
) -> None:
    """Whatever the numbers: whole packs, within both guards, none while the floor is met, less than a pack too much."""
    wanted = floor(
        "rotating",
        minimum=minimum,
        target=minimum + extra,
        pack=Decimal(pack),
        max_per_apply=per_apply,
        max_per_day=per_day,
    )
    amount = packs_to_buy(wanted, start, bought)
    assert amount % pack == 0
    assert 0 <= amount <= per_apply
    assert amount <= max(per_day - bought, Decimal(0))
    assert amount == 0 or start < minimum
    assert start + amount < wanted.target + pack or amount == 0
