"""Where the heavy tools are, and plans for them: one that keeps every policy, and one for each that it breaks.

The tools are the extra `consumers`, or stand in the folders that CONSUMERS_PATH names (like PATH), each perhaps in an
environment of its own: checkov alone pins a hundred packages.
"""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
POLICIES = ROOT / "examples" / "policies"

FILE = """
[stack]
name = "consumers"

[token_policies.default]
on_destroy = "revoke"

[providers.ez]
type = "eztexting"
base_url = "{base}/eztexting"
username = {{ env = "EZ_USERNAME" }}
password = {{ env = "EZ_PASSWORD" }}

[credits.ez]
provider = "ez"
minimum = {minimum}
pack = 500
max_per_apply = 5000
card_last_four = {{ env = "EZ_CARD_LAST_FOUR" }}

[providers.cx]
type = "smscx"
base_url = "{base}/smscx"
api_key = {{ env = "SMSCX_API_KEY" }}

[applications.campaigns]
provider = "cx"
name = "Campaign sender"
scopes = {scopes}
token_lifetime = "1d"

[providers.idp]
type = "oauth2"
issuer = "{base}/oauth2"
initial_access_token = {{ env = "IDP_INITIAL_ACCESS_TOKEN" }}
"""

GUARDED = """
[applications.texts]
provider = "ez"
prevent_destroy = true
"""

WORKER = """
[applications.worker]
provider = "idp"
for_each = ["eu", "us"]
name = "worker-${{each.key}}"
"""


def _folders() -> list[Path]:
    named = [Path(folder) for folder in os.environ.get("CONSUMERS_PATH", "").split(os.pathsep) if folder]
    return [Path(sys.executable).parent, *named]


def tool(name: str) -> str:
    """The path of a tool; skips the test, saying how to get it, where there is none."""
    for folder in _folders():
        if os.access(folder / name, os.X_OK):
            return str(folder / name)
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed: pip install '.[consumers]', or name its folder in CONSUMERS_PATH")
    return found


@functools.cache
def python_with(module: str) -> str | None:
    """An interpreter that can import `module`."""
    for folder in _folders():
        python = str(folder / "python")
        words = [python, "-c", f"import {module}"]
        if os.access(python, os.X_OK) and not subprocess.run(words, capture_output=True, check=False).returncode:
            return python
    return None


def run(words: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """A tool in a folder of its own, with a home of its own and no way to phone anybody."""
    environ = {"PATH": os.environ["PATH"], "HOME": str(folder), "LANG": "C.UTF-8", "NO_COLOR": "1"}
    return subprocess.run(
        words,
        cwd=folder,
        env=environ,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        stdin=subprocess.DEVNULL,
    )
