"""One night a worker, and the figures of the whole at the end: points tried and survived."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
from night import Night

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="session")
def _night_of_worker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Night]:
    with Night(tmp_path_factory.mktemp("night")) as made:
        made.photograph("empty")
        yield made


@pytest.fixture
def night(_night_of_worker: Night) -> Night:
    """Nothing declared, nothing recorded, the vendors as they came, no fault armed."""
    _night_of_worker.put_back("empty")
    return _night_of_worker


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Night]:
    """A night of its own, for tests that leave processes or locks behind."""
    with Night(tmp_path / "night") as made:
        made.photograph("empty")
        yield made


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """`record_property("night", (what, tried, survived))` of each test, added up."""
    totals: dict[str, list[int]] = {}
    for outcome in ("passed", "failed"):
        for report in terminalreporter.stats.get(outcome, ()):
            for name, value in getattr(report, "user_properties", ()):
                if name == "night" and report.when == "call":
                    what, tried, survived = value
                    total = totals.setdefault(what, [0, 0])
                    total[0] += tried
                    total[1] += survived
    for what, (tried, survived) in sorted(totals.items()):
        terminalreporter.write_line(f"{what}: {tried} tried, {survived} survived")
