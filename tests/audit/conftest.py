"""A fresh past for each test."""

from __future__ import annotations

from pathlib import Path

import pytest
from audit_world import Past


@pytest.fixture
def past(tmp_path: Path) -> Past:
    return Past(tmp_path)
