"""docs/security.md names a test for each threat: each of them exists, and every row has one."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
ROWS = [
    line
    for line in (ROOT / "docs" / "security.md").read_text(encoding="utf-8").splitlines()
    if line.startswith("| ") and not line.startswith("| threat")
]
NAMED = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")


def functions(path: Path) -> set[str]:
    found = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    return {node.name for node in found if isinstance(node, ast.FunctionDef)}


def test_every_threat_has_its_test() -> None:
    """No row is a promise alone."""
    assert len(ROWS) > 25
    assert [row for row in ROWS if not NAMED.search(row)] == []


def test_every_named_test_exists() -> None:
    """In the file that is named, under the name that is given."""
    named = {match.groups() for row in ROWS for match in NAMED.finditer(row)}
    missing = {(file, name) for file, name in named if name not in functions(ROOT / file)}
    assert missing == set()
