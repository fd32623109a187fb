"""Every test gets its own home and a scrubbed environment; sockets reach loopback only (pytest-socket, pyproject.toml)."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

# What a developer's machine or a pipeline may have set, and what would change the answer of a test.
_PREFIXES = ("PROVISIONER_", "EZ_", "SMSCX_", "TM_", "TK_", "IDP_", "PG", "AWS_", "GITHUB_", "GOOGLE_", "AZURE_")
_NAMES = ("CI", "NO_COLOR", "COLUMNS", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy",
          "SSL_CERT_FILE", "SSL_CERT_DIR", "BROWSER")  # fmt: skip


@pytest.fixture(autouse=True)
def _own_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """HOME and the XDG folders lie in a temporary folder: no test sees the user's identity or remembered heads."""
    home = tmp_path_factory.mktemp("home")
    for name in list(os.environ):
        if name.startswith(_PREFIXES) or name in _NAMES:
            monkeypatch.delenv(name)
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
