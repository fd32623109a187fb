"""A plan of five thousand changes is read in a minute: counts, what nobody may miss, and a way to see all."""

from __future__ import annotations

from decimal import Decimal

import pytest
import render_samples as sample

from provisioner.model.plan import CREATE, DELETE, PURCHASE, UPDATE, PlanOptions, Step
from provisioner.render.human_plan import CALM, FEW, brief, human_plan
from provisioner.render.markdown import LIMIT, plan_markdown

MANY = 5000


def _many(action: tuple[str, ...]) -> tuple[Step, ...]:
    values = {"application": "t", "status": "live"}
    return tuple(
        sample.step(
            f'token.t["{n:04}"]',
            action,
            before=values if action == DELETE else None,
            after=None if action == DELETE else values,
        )
        for n in range(MANY)
    )


PURCHASES = tuple(
    sample.step(
        f"credits.c{n}",
        UPDATE,
        operation=PURCHASE,
        before={"balance": Decimal(1)},
        after={"balance": Decimal(1), "purchase": Decimal(500)},
    )
    for n in range(3)
)


@pytest.mark.parametrize("action", [CREATE, DELETE])
def test_five_thousand_changes_are_counted(action: tuple[str, ...]) -> None:
    """Creations are counted alone; of as many destroys twenty are drawn. Every purchase is, and --full draws all."""
    made = sample.plan(steps=(*_many(action), *PURCHASES), drift=(), diagnostics=())
    text = human_plan(made)
    drawn = text.count("  # token.t")
    assert f"{MANY} token to {'destroy' if action == DELETE else 'create'} at cx (smscx)" in text
    assert text.count("# credits.c") == len(PURCHASES)
    assert drawn == (FEW if action == DELETE else 0)
    assert (f"and {MANY - FEW} more exceptional ones (--full draws them all)." in text) is (action == DELETE)
    assert text.count("\n") < 2 * CALM
    assert max(map(len, text.splitlines())) < 120
    assert human_plan(made, full=True).count("  # token.t") == MANY


def test_its_comment_fits_a_pull_request() -> None:
    """GitHub cuts a comment off at 65,536 characters: ours is shorter however long the plan is."""
    made = sample.plan(steps=_many(DELETE), drift=(), diagnostics=())
    text = plan_markdown(made)
    assert len(text) < LIMIT
    assert f"{MANY} to destroy." in text


def test_a_refresh_only_plan_is_not_told_as_no_changes() -> None:
    """What differs is drawn, that nothing is undone is said, and `No changes.` stands there only where nothing
    differs."""
    only = PlanOptions(mode="refresh-only")
    made = sample.plan(steps=(), options=only)
    text = human_plan(made)
    assert made.has_changes
    assert "This is a refresh-only plan, so Provisioner will not take any actions to undo these." in text
    assert "difference will be recorded." in text or "differences will be recorded." in text
    assert "No changes." not in text + brief(made) + plan_markdown(made)
    assert "No changes." in human_plan(sample.plan(steps=(), drift=(), options=only))
