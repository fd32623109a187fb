"""The sweep's and the matrix's part of every test run: each kind of step at every vendor, at the moments that count.

The whole of both is `make sweep`; all points and all faults of each change are the slow tests beside this one.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from matrix import KINDS, meet, requests
from night import Night
from rehearsal import rehearse
from scenes import SCENES, Scene
from sweep import sweep, vital

# The change made and its answer lost; an answer that claims success and is none.
WORST = [KINDS[name] for name in ("reset-after", "html-before")]


@pytest.mark.parametrize("scene", [s for s in SCENES if s.quick], ids=lambda scene: scene.name)
def test_the_worst_moments_of_every_step_are_survived(
    night: Night, scene: Scene, record_property: Callable[[str, object], None]
) -> None:
    """Killed, and left without an answer: nothing is bought twice, every live token is known or lost, the chain
    verifies, the run after it makes it whole, and the next plan is quiet."""
    faultless = rehearse(night, scene)
    killed = sweep(night, scene, vital, "kill", faultless)
    changes = [asked for asked in requests(faultless.points, scene.vendor) if asked.changes]
    cells = [meet(night, scene, faultless, asked, WORST) for asked in changes]
    tried = killed.tried + sum(cell.tried for cell in cells)
    survived = killed.survived + sum(cell.survived for cell in cells)
    record_property("night", ("the worst moments", tried, survived))
    failures = [*killed.failures, *(failure for cell in cells for failure in cell.failures)]
    assert not failures, "\n\n".join(failures)
    assert killed.beyond + sum(cell.beyond for cell in cells) == 0
    assert killed.orphans + sum(cell.orphans for cell in cells) == 0
    assert tried >= 1 or "forget" in scene.steps or "application.adopt" in scene.steps


def test_each_kind_of_step_and_every_vendor_has_a_scene() -> None:
    """What the engine can do, by its own table of what no answer means; a new kind of step needs a scene of its own."""
    from provisioner.engine.doubt import NEVER_SENT, TABLE
    from provisioner.providers import types

    quick = [scene for scene in SCENES if scene.quick]
    played = {step for scene in quick for step in scene.steps}
    sending = {op for op, row in TABLE.items() if row.ends != NEVER_SENT}
    assert sending - played == set()
    assert {scene.vendor for scene in quick} == set(types())
