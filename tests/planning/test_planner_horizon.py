"""What will fall due: agrees with the plans that would be made then, because it is made of them."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from planning_world import (
    NOW,
    VENDORS,
    application,
    balance,
    credits_record,
    desired,
    floor,
    observed,
    plan,
    state,
    token,
)

from provisioner.address import Address
from provisioner.model.desired import Desired, TokenPolicy
from provisioner.model.observed import Observed
from provisioner.model.plan import Due, PlanOptions
from provisioner.model.recorded import Purchase, State
from provisioner.planning.horizon import upcoming

HOUR = timedelta(hours=1)
EPSILON = timedelta(seconds=1)


def due(want: Desired, have: State, hours: float = 72, seen: Observed | None = None, **options: Any) -> tuple[Due, ...]:
    return upcoming(
        want, have, seen or observed(), NOW, NOW + hours * HOUR, PlanOptions(**options), vendors=VENDORS.__getitem__
    )


def test_each_is_told_once_in_the_order_of_time() -> None:
    """A renewal at two thirds of a life of three hours, with how often it recurs; a rotation by age at a later one."""
    slow = TokenPolicy(name="slow", rotate_every=timedelta(days=2))
    want = desired(application("rotating", "a"), application("rotating", "b", policy=slow))
    endless = token("rotating", "token.b", expires_at=None)
    have = state(token("rotating", "token.a", refresh_token=token("rotating").access_token), endless)
    found = due(want, have)
    assert [(d.step.id, d.at - NOW, d.step.action, d.again) for d in found] == [
        ("token.a", 1 * HOUR, ("update",), 2 * HOUR),
        ("token.b", 47 * HOUR, ("create", "delete"), 48 * HOUR),
    ]
    assert due(want, have, 0.5) == ()
    assert [d.step.id for d in due(want, have, targets=("token.b",))] == ["token.b"]
    assert due(want, have, mode="destroy") == ()


def test_an_overlap_that_ends_and_a_day_that_passes_are_due() -> None:
    """A retired token is revoked at the end of its overlap; a floor is topped up once the day's guard leaves room."""
    old = token("rotating", "token.a", id="old", status="retiring", deposed="1a2b3c4d", retire_at=NOW + 1 * HOUR)
    live = token("rotating", "token.a", expires_at=None)
    bought = Purchase(
        operation="op-1", provider="rotating", address=Address("credits", "ez"), amount=Decimal(3000), unit="credits",
        at=NOW - HOUR, status="happened", run="r",
    )  # fmt: skip
    want = desired(application("rotating", "a"), floors=(floor("rotating", max_per_day=3000),))
    have = state(old, live, credits_record("rotating", 4000, max_per_day=3000), purchases=[bought])
    found = due(want, have, seen=observed(rotating=balance(4000)))
    assert [(d.step.id, d.at - NOW, d.step.operation) for d in found] == [
        ("token.a#1a2b3c4d", 1 * HOUR, "token.revoke"),
        ("credits.ez", 23 * HOUR, "credits.purchase"),
    ]


@given(
    ages=st.lists(st.tuples(st.integers(1, 600), st.integers(10, 4000), st.integers(0, 3000)), min_size=1, max_size=4),
    interval=st.integers(0, 600),
    before=st.one_of(st.none(), st.integers(1, 500)),
    rotate=st.one_of(st.none(), st.integers(30, 5000)),
)
def test_what_is_due_is_what_a_plan_made_then_has(
    ages: list[tuple[int, int, int]], interval: int, before: int | None, rotate: int | None
) -> None:
    """At its moment a plan has exactly that change, a second earlier it has not, and nothing is due that is not
    told."""

    def minutes(n: int | None) -> timedelta | None:
        return None if n is None else timedelta(minutes=n)

    policy = TokenPolicy(name="p", renew_before=minutes(before), rotate_every=minutes(rotate))
    names = [f"t{n}" for n in range(len(ages))]
    want = desired(
        *(application("rotating", name, policy=policy) for name in names), run_interval=timedelta(minutes=interval)
    )
    have = state(
        *(
            token(
                "rotating",
                f"token.{name}",
                issued_at=NOW - timedelta(minutes=age),
                created_at=NOW - timedelta(minutes=age),
                expires_at=NOW + timedelta(minutes=left),
                refresh_token=token("rotating").access_token if refresh else None,
                refresh_expires_at=NOW + timedelta(minutes=refresh) if refresh else None,
            )
            for name, (age, left, refresh) in zip(names, ages, strict=True)
        )
    )
    found = due(want, have, 24)
    assert [d.at for d in found] == sorted(d.at for d in found)
    assert len({d.step.id for d in found}) == len(found)
    now = {s.id for s in plan(want, have).changes}
    for d in found:
        then = {s.id: s for s in plan(want, have, at=d.at).steps}
        assert then[d.step.id] == d.step
        just_before = {s.id: s for s in plan(want, have, at=d.at - EPSILON).steps}
        assert just_before[d.step.id].operation != d.step.operation
    told = now | {d.step.id for d in found}
    for hours in (1, 5, 12, 23, 24):
        assert {s.id for s in plan(want, have, at=NOW + hours * HOUR).changes} <= told
