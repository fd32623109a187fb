"""Vendors on loopback ports and a stranger's machine, one a test."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from acc_eztexting import EzTexting
from acc_oauth import OAuth
from acc_smscx import SmsCx
from acc_stack import Stack
from acc_textking import TextKing
from acc_textmaster import TextMaster

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    made = Stack(tmp_path)
    yield made
    made.stop()


@pytest.fixture
def ez() -> Iterator[EzTexting]:
    made = EzTexting()
    yield made
    made.close()


@pytest.fixture
def cx() -> Iterator[SmsCx]:
    made = SmsCx()
    yield made
    made.close()


@pytest.fixture
def tm() -> Iterator[TextMaster]:
    made = TextMaster()
    yield made
    made.close()


@pytest.fixture
def tk() -> Iterator[TextKing]:
    made = TextKing()
    yield made
    made.close()


@pytest.fixture
def idp() -> Iterator[OAuth]:
    made = OAuth()
    yield made
    made.close()
