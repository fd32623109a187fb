"""The fault matrix's part of every test run: each change that is sent, at each vendor, against every kind of fault."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from matrix import matrix
from night import Night
from scenes import SCENES, Scene

pytestmark = pytest.mark.slow

# One scene for each request that changes something at a vendor.
QUICK = (
    "eztexting-first-apply", "eztexting-refresh", "eztexting-retire", "smscx-replace", "textmaster-authorize",
    "textmaster-refresh", "textking-refresh", "oauth2-register", "oauth2-update", "oauth2-refresh", "oauth2-delete",
)  # fmt: skip


@pytest.mark.parametrize("scene", [s for s in SCENES if s.name in QUICK], ids=lambda scene: scene.name)
def test_a_change_whose_answer_fails_in_any_way_is_survived(
    night: Night, scene: Scene, record_property: Callable[[str, object], None]
) -> None:
    """Nothing is sent twice that counts, nothing is lost unknowingly, and the run after it makes it whole."""
    cells = matrix(night, scene, lambda asked: asked.changes)
    tried, survived = sum(cell.tried for cell in cells), sum(cell.survived for cell in cells)
    record_property("night", ("faults of the matrix", tried, survived))
    failures = [failure for cell in cells for failure in cell.failures]
    assert not failures, "\n\n".join(failures)
    assert (sum(cell.beyond for cell in cells), sum(cell.orphans for cell in cells)) == (0, 0)
    assert tried > 0
