"""The workflows as actionlint reads them: expressions, contexts, runners, the ages of actions."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

WORKFLOWS = sorted((Path(__file__).parent.parent.parent / "examples" / "ci" / "github").glob("*.yml"))


def _actionlint() -> str:
    """From a folder of CONSUMERS_PATH or the PATH; skips the test, saying how to get it, where there is none."""
    folders = [*os.environ.get("CONSUMERS_PATH", "").split(os.pathsep), *os.environ["PATH"].split(os.pathsep)]
    found = next((f"{f}/actionlint" for f in folders if f and os.access(f"{f}/actionlint", os.X_OK)), None)
    if found is None:
        pytest.skip("actionlint is not installed: pip install '.[consumers]', or name its folder in CONSUMERS_PATH")
    return found


def _lint(*files: Path) -> subprocess.CompletedProcess[str]:
    words = [_actionlint(), "-no-color", *map(str, files)]
    return subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)


def test_actionlint_accepts_the_workflows() -> None:
    """Every one, without a word."""
    ended = _lint(*WORKFLOWS)
    assert (len(WORKFLOWS) > 3, ended.returncode, ended.stdout) == (True, 0, ""), ended.stderr


@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        ("${{ github.token }}", "${{ github.tokn }}", '"tokn" is not defined'),
        ("runs-on: ubuntu-latest", "runs-on: ubuntu-lates", "is unknown"),
        ("steps.plan.outputs.changes", "steps.plam.outputs.changes", '"plam" is not defined'),
        ("actions/checkout@v5", "actions/checkout@v2", "checkout@v2"),
    ],
)
def test_actionlint_finds_what_is_planted(right: str, wrong: str, said: str, tmp_path: Path) -> None:
    """So that its silence means something."""
    text = next(text for path in WORKFLOWS if right in (text := path.read_text()))
    file = tmp_path / "planted.yml"
    file.write_text(text.replace(right, wrong, 1))
    ended = _lint(file)
    assert (ended.returncode, said in ended.stdout) == (1, True), ended.stdout
