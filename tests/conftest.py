"""Every test gets its own home and a scrubbed environment; sockets reach loopback only (pytest-socket,
pyproject.toml)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from cli_world import World

# The gate must give the same answer for the same commit; a developer's runs go on looking for new cases.
settings.register_profile("gate", deadline=None, derandomize=True)
settings.register_profile("developer", deadline=None)
settings.load_profile("gate" if os.environ.get("CI") else "developer")

# What a developer's machine or a pipeline may have set, and what would change the answer of a test.
_PREFIXES = ("PROVISIONER_", "EZ_", "SMSCX_", "TM_", "TK_", "IDP_", "PG", "AWS_", "GITHUB_", "GOOGLE_", "AZURE_")
_NAMES = {"CI", "NO_COLOR", "COLUMNS", "SSL_CERT_FILE", "SSL_CERT_DIR", "BROWSER"}
_PROXIES = {"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"}


@pytest.fixture(autouse=True, scope="session")
def _scrubbed() -> Iterator[None]:
    """What a pipeline sets is gone before any fixture of a wider scope than one test runs."""
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.startswith(_PREFIXES) or name in _NAMES or name.upper() in _PROXIES:
                patch.delenv(name)
        yield


@pytest.fixture(autouse=True)
def _own_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """HOME and the XDG folders lie in a temporary folder: no test sees the user's identity or remembered heads."""
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("HOME", str(home))
    for name, folder in (
        ("XDG_CONFIG_HOME", ".config"),
        ("XDG_DATA_HOME", ".local/share"),
        ("XDG_STATE_HOME", ".local/state"),
        ("XDG_CACHE_HOME", ".cache"),
        ("XDG_RUNTIME_DIR", ".run"),
    ):
        monkeypatch.setenv(name, str(home / folder))
    return home


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """The command line's world (tests/cli/cli_world.py)."""
    from cli_world import World

    made = World(tmp_path)
    yield made
    made.stop()
