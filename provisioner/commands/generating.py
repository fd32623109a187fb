"""TOML for what exists: `--generate-config-out`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import tomli_w

from provisioner.address import Address
from provisioner.model.desired import Desired
from provisioner.model.observed import Observed, ObservedApplication

_HEAD = """\
# Written by provisioner from what the vendors show. Review it and move what you keep into your file:
# an application that is declared twice is an error.
"""


def generated(desired: Desired, observed: Observed) -> bytes:
    """One `[applications.NAME]` for each application that an import names or that nobody declared, as it is there."""
    tables: dict[str, Any] = {}
    imported = {block.to for block in desired.imports}
    for application in desired.applications:
        seen = observed.of(application.provider).applications.get(str(application.address))
        if application.address in imported and seen is not None and seen.exists:
            tables[application.address.name] = _table(application.provider, application.address, seen)
    for provider, found in sorted(observed.providers.items()):
        for name in found.unmanaged:
            tables.setdefault(_key(name, tables), {"provider": provider, "name": name})
    return (_HEAD + "\n" + tomli_w.dumps({"applications": tables})).encode()


def _table(provider: str, address: Address, seen: ObservedApplication) -> Mapping[str, Any]:
    table: dict[str, Any] = {"provider": provider}
    if seen.name and seen.name != address.name:
        table["name"] = seen.name
    if seen.scopes:
        table["scopes"] = list(seen.scopes)
    if seen.token_lifetime:
        table["token_lifetime"] = seen.token_lifetime
    return table


def _key(name: str, taken: Mapping[str, Any]) -> str:
    """A table's name from a vendor's: `Campaign sender` → `campaign_sender`."""
    base = "".join(c if c.isascii() and c.isalnum() else "_" for c in name.lower()).strip("_") or "application"
    base = base if base[0].isalpha() else f"application_{base}"
    found, number = base, 2
    while found in taken:
        found, number = f"{base}_{number}", number + 1
    return found
