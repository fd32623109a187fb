"""Buying: proven by the balance, never repeated, cut by guards."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from engine_world import World, a_floor, an_application, names, statuses

from provisioner.address import Address
from provisioner.errors import HeadMoved
from provisioner.journal.journal import Journal

if TYPE_CHECKING:
    import pytest


def test_a_purchase_is_proven_by_the_balance(world: World) -> None:
    """Whole packs up to the target; the outcome holds the amount, and the record the balance after."""
    world.floors = (a_floor(),)
    world.ledger.anytime = Decimal(4000)
    result = world.apply()
    assert result.exit_code == 0
    assert world.ledger.bought == [Decimal(2000)]
    (bought,) = world.state().purchases
    assert (bought.amount, bought.status) == (Decimal(2000), "happened")
    assert next(iter(world.state().objects.values())).balance == Decimal(6000)
    assert [r.bought for r in result.results] == [Decimal(2000)]
    assert world.quiet()


def test_nothing_is_bought_where_the_balance_rose_meanwhile(world: World) -> None:
    """The balance is read again right before, and then nothing is announced."""
    world.floors = (a_floor(),)
    world.ledger.anytime = Decimal(4000)
    journal, sealer = world.open()
    world.plan(journal, sealer)

    def top_up(_point: str) -> None:
        world.ledger.plan_credits = Decimal(9000)

    world.floors = (a_floor(),)
    world.applications = (an_application(name="aaa"),)
    world.during = top_up
    result = world.apply()
    assert world.ledger.bought == []
    assert result.exit_code == 0
    assert "no-longer-needed" in names(result)


def test_a_guard_cuts_a_purchase_and_says_that_the_floor_stays_unmet(world: World) -> None:
    """Buys what is left under the guard, in whole packs; exit 3, or a warning where the owner said so."""
    world.floors = (a_floor(max_per_apply=Decimal(1200)),)
    result = world.apply()
    assert world.ledger.bought == [Decimal(1000)]
    assert result.exit_code == 3
    assert "floor-unmet" in names(result)
    world.floors = (a_floor(max_per_apply=Decimal(1200), on_shortfall="warn"),)
    assert world.apply().exit_code == 0


def test_a_vendor_that_adds_more_than_was_bought_is_noticed(world: World) -> None:
    """Overspent is a warning, with what to compare."""
    world.floors = (a_floor(),)
    world.bonus = Decimal(1)
    result = world.apply()
    assert "overspent" in names(result)


def test_a_purchase_in_doubt_that_happened_is_proven_within_the_run(world: World) -> None:
    """No answer, but the bought credits rose: that is proof, and nothing stays in doubt."""
    world.floors = (a_floor(),)
    world.ledger.anytime = Decimal(4000)
    world.faults["purchase"] = ["lost-answer"]
    assert world.apply().exit_code == 0
    assert world.ledger.bought == [Decimal(2000)]
    assert world.state().operations == {}


def test_a_purchase_in_doubt_is_never_sent_again(world: World) -> None:
    """It blocks buying, counts against the guards, exits 3 every time, and appends no news of the same balance."""
    world.floors = (a_floor(),)
    world.faults["purchase"] = ["lost-request"]
    assert world.apply().exit_code == 3
    (operation,) = world.state().operations.values()
    assert operation.in_doubt
    assert len(operation.evidence[-1]["readings"]) >= 5
    assert [p.status for p in world.state().purchases] == ["in_doubt"]
    serial = world.state().serial
    world.advance(timedelta(hours=3))
    world.apply()
    assert (world.ledger.calls.count("purchase"), world.state().serial) == (1, serial)


def test_a_late_rise_settles_a_purchase_as_happened(world: World) -> None:
    """The next run reads it, and nothing more is bought."""
    world.floors = (a_floor(),)
    world.faults["purchase"] = ["lost-request"]
    world.apply()
    world.ledger.anytime += Decimal(6000)
    result = world.apply()
    assert result.exit_code == 0
    assert world.state().operations == {}
    assert [p.status for p in world.state().purchases] == ["happened"]
    assert world.ledger.calls.count("purchase") == 1


def test_an_unchanged_balance_settles_only_where_the_owner_opted_in(world: World) -> None:
    """With `doubt_settles_after`, an exactly unchanged balance for that long says that it did not happen."""
    world.floors = (a_floor(doubt_settles_after=timedelta(minutes=30)),)
    world.ledger.anytime = Decimal(4000)
    world.faults["purchase"] = ["lost-request"]
    world.apply()
    world.advance(timedelta(minutes=10))
    world.apply()
    assert len(world.state().operations) == 1
    world.advance(timedelta(minutes=30))
    world.apply()
    world.apply()
    assert world.state().operations == {}
    assert world.ledger.bought == [Decimal(2000)]


def test_a_doubt_that_arises_in_this_apply_blocks_the_account_at_once(world: World) -> None:
    """Two floors of one account: the second plan step was reviewed before the first purchase went unanswered."""
    second = replace(a_floor(), address=Address("credits", "zz"), minimum=Decimal(9000), target=Decimal(9000))
    world.floors = (a_floor(), second)
    world.faults["purchase"] = ["lost-request", "lost-request"]
    result = world.apply()
    assert world.ledger.calls.count("purchase") == 1
    assert "purchase-blocked" in names(result)
    assert (result.exit_code, set(statuses(result).values())) == (3, {"in_doubt"})


def test_a_purchase_that_was_announced_and_is_not_sent_is_not_in_doubt(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store that hung for longer than the lease while it took the announcement: the next apply buys, and nobody has
    to resolve anything."""
    world.floors = (a_floor(),)
    world.ledger.anytime = Decimal(4000)

    def lapsed(_journal: Journal) -> None:
        raise HeadMoved("head-moved", "the lease is over")

    with monkeypatch.context() as patch:
        patch.setattr(Journal, "still_ours", lapsed)
        result = world.apply()
    assert (result.exit_code, statuses(result)) == (1, {"credits.ez": "not_started"})
    assert (world.state().operations, world.ledger.bought) == ({}, [])
    assert world.apply().exit_code == 0
    assert world.ledger.bought == [2000]
