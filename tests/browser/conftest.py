"""A real browser: Debian's chromium, driven by Playwright. Where one is missing, the tests of this folder are skipped.

`apt-get install chromium` and `pip install playwright`; the browsers that Playwright downloads by itself are not used.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from browser_rig import World

if TYPE_CHECKING:
    from playwright.sync_api import Browser

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    if find_spec("playwright") is None:
        pytest.skip("playwright is not installed (pip install playwright)")
    if CHROMIUM is None:
        pytest.skip("chromium is not installed (apt-get install chromium)")
    from playwright.sync_api import sync_playwright

    quiet = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=quiet)
        yield browser
        browser.close()


@pytest.fixture
def world(tmp_path: Path, chromium: Any) -> Iterator[World]:
    """A stack at the sandbox, and the browser of its person."""
    made = World(tmp_path, chromium)
    yield made
    made.close()
