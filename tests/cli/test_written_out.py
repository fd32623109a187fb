"""What a failing state machine leaves behind: a test of its own that fails the same way."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

MACHINE = """
from pathlib import Path
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from written_out import WritesOut, check, step

class Counts(WritesOut, RuleBasedStateMachine):
    folder = Path(__file__).parent
    total = 0

    @rule(more=st.integers(0, 9))
    @step
    def add(self, more):
        self.total += more

    @invariant()
    @check
    def is_small(self):
        assert self.total < LIMIT

Counts.TestCase.settings = settings(max_examples=200, database=None, deadline=None)
TestCounts = Counts.TestCase
"""


def run(folder: Path, name: str) -> subprocess.CompletedProcess[str]:
    environ = {"PYTHONPATH": f"{Path(__file__).parent}:{folder}", "PATH": "/usr/bin:/bin"}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:randomly", name],
        cwd=folder, env=environ, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_a_failing_sequence_is_written_out_and_fails_again(tmp_path: Path) -> None:
    """The shortest one, as a test beside the machine; once the fault is mended it passes."""
    (tmp_path / "test_counts.py").write_text(MACHINE.replace("LIMIT", "10"))
    assert run(tmp_path, "test_counts.py").returncode == 1
    found = tmp_path / "test_found_counts.py"
    text = found.read_text()
    assert 2 <= text.count("machine.add(") <= 3
    assert "AssertionError" in text
    again = run(tmp_path, found.name)
    assert (again.returncode, "is_small" in again.stdout) == (1, True)
    (tmp_path / "test_counts.py").write_text(MACHINE.replace("LIMIT", "1000000"))
    assert run(tmp_path, found.name).returncode == 0
