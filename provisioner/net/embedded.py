"""The one way from a provider to the embedded vendors: where they answer, and which account to use there.

The house lets only `net` know the sandbox; what it holds is loaded only where `base_url = "sandbox"` asks for it.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

HOST = "sandbox.invalid"  # a name that no resolver knows (RFC 6761)


def base_url(vendor_type: str) -> str:
    """Where the embedded vendor of this type answers, in process."""
    return f"http://{HOST}/{vendor_type}"


def account(vendor_type: str, name: str) -> str:
    """A setting of the account that every sandbox starts with: it guards nothing. Raises KeyError."""
    value: str = import_module("provisioner.sandbox.accounts").ACCOUNTS[vendor_type][name]
    return value


def open_sandbox(folder: Path) -> Any:
    """The embedded vendors kept in `folder`: an object with `handle(method, url, headers, body)` and `close()`."""
    return import_module("provisioner.sandbox.app").open_sandbox(folder)
