"""The kill sweep's part of every test run: before and after everything durable and every change that is sent."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from night import Night
from scenes import SCENES, Scene
from sweep import essential, in_flight, sweep

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("scene", [s for s in SCENES if s.quick], ids=lambda scene: scene.name)
def test_a_run_killed_at_any_point_is_survived(
    night: Night, scene: Scene, record_property: Callable[[str, object], None]
) -> None:
    """Nothing is bought twice, every live token is known or lost, the chain verifies, and the next plan is quiet."""
    tally = sweep(night, scene, essential)
    record_property("night", ("points of the kill sweep", tally.tried, tally.survived))
    assert not tally.failures, "\n\n".join(tally.failures)
    assert (tally.beyond, tally.orphans) == (0, 0)
    assert tally.tried >= 4


def test_only_what_was_in_flight_may_be_lost() -> None:
    """Between a durable intent and its durable outcome, and nowhere else."""
    points = [
        "store append intent(token.create):before", "bytes:torn", "store append intent(token.create):after",
        "send POST /x:before", "send POST /x:after", "store append outcome:before", "store append outcome:after",
        "store append intent(forget)+outcome:after",
    ]  # fmt: skip
    assert [in_flight(points, at) for at in range(8)] == [False, False, True, True, True, True, False, False]
