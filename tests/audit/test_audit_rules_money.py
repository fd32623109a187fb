"""Rules about credits: floors, guards, and rises of a balance that no purchase explains."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from audit_world import DAY, HOUR, Past, application, credit_floor, desired

from provisioner.audit.finding import Finding
from provisioner.audit.rules import judge
from provisioner.engine import drafts
from provisioner.model.desired import Desired


def found(past: Past, rule: str, declared: Desired | None = None) -> list[Finding]:
    return [finding for finding in judge(past.case(declared)).findings if finding.rule_id == rule]


def test_a_balance_below_its_floor_is_found(past: Past) -> None:
    """By the declared floor where there is one; since the first reading below it."""
    floor = past.floor("credits.ez", 4100)
    assert found(past, "floor-unmet") == []
    assert len(found(past, "floor-unmet", desired(floors=(credit_floor(minimum=Decimal(5000)),)))) == 1
    past.wait(DAY)
    first = past.at
    floor = past.read(floor, 3900)
    past.wait(DAY)
    past.read(floor, 3800)
    unmet = found(past, "floor-unmet")
    assert [(f.severity, f.since) for f in unmet] == [("error", first)]
    past.read(floor, 4000)
    assert found(past, "floor-unmet") == []


def test_a_floor_that_only_warns_is_a_warning(past: Past) -> None:
    """As recorded, or as declared now."""
    past.floor("credits.ez", 100, on_shortfall="warn")
    assert [f.severity for f in found(past, "floor-unmet")] == ["warning"]
    declared = desired(floors=(credit_floor(on_shortfall="error"),))
    assert [f.severity for f in found(past, "floor-unmet", declared)] == ["error"]


def test_more_than_one_apply_may_buy_is_found(past: Past) -> None:
    """All purchases of one run together; exactly the guard is none."""
    floor = past.floor("credits.ez", 1000)
    with past.run():
        floor = past.buy(floor, 2000)
        floor = past.buy(floor, 1000)
    assert found(past, "purchase-over-guard") == []
    past.wait(2 * DAY)
    with past.run():
        floor = past.buy(floor, 2000)
        past.buy(floor, 1500)
    over = found(past, "purchase-over-guard")
    assert [f.address for f in over] == ["credits.ez"]
    assert "3500 credits were bought in one run" in over[0].message


def test_more_than_a_day_may_cost_is_found(past: Past) -> None:
    """Any 24 hours, doubts counted; what did not happen does not count."""
    floor = past.floor("credits.ez", 1000)
    floor = past.buy(floor, 3000)
    past.wait(20 * HOUR)
    with past.run():
        operation = past.buying(floor, 2500)
        past.append(drafts.doubt(operation, {}, "no answer"))
    assert ["within 24 hours" in f.message for f in found(past, "purchase-over-guard")] == [True]
    past.append(drafts.settled(operation, "did-not-happen", "resolve"))
    assert found(past, "purchase-over-guard") == []
    past.wait(5 * HOUR)
    past.buy(floor, 2500)
    assert found(past, "purchase-over-guard") == []


def test_a_rise_without_a_purchase_is_found(past: Past) -> None:
    """With what it rose by and between which readings; consumption and our own purchases are none."""
    floor = past.floor("credits.ez", 5000)
    floor = past.read(floor, 4500)
    floor = past.buy(floor, 500)
    assert found(past, "purchase-outside-run") == []
    past.wait(DAY)
    past.read(floor, 5800)
    rises = found(past, "purchase-outside-run")
    assert [f.severity for f in rises] == ["error"]
    assert "rose by 800 credits" in rises[0].message


def test_bought_credits_are_told_from_the_monthly_ones(past: Past) -> None:
    """At EZ Texting the plan's own credits come anew each month: only the others are bought."""
    floor = past.floor("credits.ez", 5000, parts={"planCredits": Decimal(1000), "anytimeCredits": Decimal(4000)})
    floor = past.read(floor, 6000, planCredits=2000, anytimeCredits=4000)
    assert found(past, "purchase-outside-run") == []
    past.read(floor, 5500, planCredits=500, anytimeCredits=5000)
    assert len(found(past, "purchase-outside-run")) == 1


def test_a_rise_that_is_read_right_before_a_purchase_is_found(past: Past) -> None:
    """Somebody bought between two runs, and the next run read it only as it began to buy."""
    floor = past.floor("credits.ez", 3000)
    past.wait(DAY)
    past.buy(replace(floor, balance=Decimal(3500)), 500)
    assert "rose by 500" in found(past, "purchase-outside-run")[0].message


def test_more_than_was_bought_is_found(past: Past) -> None:
    """The vendor added more than the purchase asked for."""
    past.buy(past.floor("credits.ez", 3000), 1000, added=3000)
    assert "rose by 2000" in found(past, "purchase-outside-run")[0].message


def test_a_rise_that_settles_a_doubt_is_explained(past: Past) -> None:
    """Whether the balance is read in the entry that settles it, after it, or before."""
    for evidence in ({}, {"balance": "5000", "unit": "credits"}):
        floor = past.floor("credits.ez", 3000)
        with past.run():
            operation = past.buying(floor, 2000)
            past.append(drafts.doubt(operation, {"balance": "3000"}, "no answer"))
        with past.run():
            past.append(drafts.settled(operation, "happened", "balance-rise", evidence=evidence))
            past.read(floor, 5000)
        past.edit("state rm", drop=(floor.id,))
        past.floor("credits.ez", 3000)
    assert found(past, "purchase-outside-run") == []


def test_a_doubt_explains_one_rise_alone(past: Past) -> None:
    """A second one of the same size is somebody else's."""
    floor = past.floor("credits.ez", 3000)
    with past.run():
        operation = past.buying(floor, 1000)
        past.append(drafts.doubt(operation, {}, "no answer"))
    floor = past.read(floor, 4000)
    assert found(past, "purchase-outside-run") == []
    past.read(floor, 5000)
    assert len(found(past, "purchase-outside-run")) == 1


def test_who_was_asked_to_buy_may_buy(past: Past) -> None:
    """A rise while a person is waited for, or at a vendor that sells none by API while its floor is unmet, is no fault;
    any other there is a warning."""
    floor = past.floor("credits.ez", 3000)
    past.append(drafts.handoff(["credits.ez"], []))
    floor = past.read(floor, 6000)
    assert found(past, "purchase-outside-run") == []
    past.append(drafts.handoff([], ["credits.ez"]))
    tm = past.floor("credits.tm", 50, provider="tm", provider_type="textmaster", unit="EUR", minimum=Decimal(100))
    tm = past.read(tm, 150)
    assert found(past, "purchase-outside-run") == []
    past.read(tm, 250)
    assert [f.severity for f in found(past, "purchase-outside-run")] == ["warning"]


def test_findings_lie_where_the_floor_is_declared(past: Past) -> None:
    """A reader of a report is led to the line."""
    past.floor("credits.ez", 100)
    places = [f.place for f in found(past, "floor-unmet", desired(application(), floors=(credit_floor(),)))]
    assert [(p.file, p.line) for p in places if p is not None] == [("provisioner.toml", 30)]
