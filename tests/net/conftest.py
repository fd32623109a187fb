from __future__ import annotations

from collections.abc import Iterator

import pytest
from hostile_server import Hostile, hostile


@pytest.fixture
def server() -> Iterator[Hostile]:
    with hostile() as found:
        yield found
