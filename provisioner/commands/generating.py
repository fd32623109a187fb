"""TOML for what exists at a vendor and is not declared: `--generate-config-out`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import tomli_w

from provisioner.address import parse_address
from provisioner.commands.filing import write_private
from provisioner.errors import Invalid
from provisioner.model.desired import Application, Desired, ImportBlock
from provisioner.model.observed import Observed, ObservedApplication
from provisioner.providers.base import Provider
from provisioner.records import dataclass, replace

_HEAD = """\
# Written by provisioner from what the vendors show. Review it, and move what you keep into your file or name this one
# in [stack] include.
"""


@dataclass(frozen=True, slots=True)
class Found:
    """One application at a vendor, under the name that its table is to have."""

    key: str
    provider: str
    seen: ObservedApplication


class Generator:
    """One file to write. Raises Invalid where it is there already: what was generated before may have been edited."""

    def __init__(self, path: str) -> None:
        if Path(path).exists():
            summary = f"{path} is there already"
            raise Invalid("usage", summary, "Name a file that does not exist for --generate-config-out.")
        self.path = path
        self.found: list[Found] = []

    def look(
        self, desired: Desired, observed: Observed, providers: Mapping[str, Provider], imports: Sequence[ImportBlock]
    ) -> None:
        """What each vendor lists and nobody declared, looked at once more by name, because a list says names alone.
        Those that an import block names by id take its name. Raises Invalid for a block whose id is nowhere."""
        declared = {application.address for application in desired.applications}
        wanted = {block.id: block for block in imports if block.to not in declared}
        for to in (block.to for block in wanted.values() if block.to.keys):
            raise Invalid(
                "unsupported",
                f"No TOML can be generated for {to}: it is an instance of a for_each, which says of more than one",
                f"Declare application.{to.name} with its for_each by hand; then this import needs no generated file.",
                address=str(to),
            )
        taken = {address.name for address in declared} | {block.to.name for block in wanted.values()}
        for provider, seen in sorted(observed.providers.items()):
            for name, shown in _shown(providers[provider], provider, seen.unmanaged):
                block = wanted.pop(shown.client_id, None) if shown.client_id else None
                key = block.to.name if block else _key(name, taken)
                taken.add(key)
                self.add(key, provider, shown if shown.name else replace(shown, name=name))
        for block in wanted.values():
            held = _declared_with(block.id, observed)
            if held is not None:
                raise Invalid(
                    "duplicate",
                    f"The application with the id {block.id} is declared already, as {held}",
                    "One thing has one address: a [[moved]] block gives it another.",
                    address=str(block.to),
                )
            raise Invalid(
                "unknown-address",
                f"No provider lists an application with the id {block.id}",
                "Only SMS.CX lists applications. Elsewhere declare it with its client_id; no import block is needed.",
                address=str(block.to),
            )

    def add(self, key: str, provider: str, seen: ObservedApplication) -> None:
        self.found.append(Found(key, provider, seen))

    def write(self) -> None:
        """One `[applications.NAME]` each, as it is at the vendor; no file where there is none."""
        if not self.found:
            return
        tables = {one.key: _table(one) for one in self.found}
        write_private(self.path, (_HEAD + "\n" + tomli_w.dumps({"applications": tables})).encode())


def _declared_with(vendors_id: str, observed: Observed) -> str | None:
    """The address of a declared application that has this id at its vendor."""
    for provider in observed.providers.values():
        for address, seen in provider.applications.items():
            if seen.client_id == vendors_id:
                return address
    return None


def _shown(provider: Provider, name: str, unmanaged: Sequence[str]) -> Iterator[tuple[str, ObservedApplication]]:
    if not unmanaged:
        return
    asked = {f"application.generated_{n}": one for n, one in enumerate(unmanaged)}
    wanted = [Application(address=parse_address(address), provider=name, name=one) for address, one in asked.items()]
    shown, _ = provider.read_applications(wanted, {})
    for address, seen in shown.items():
        yield asked[address], seen


def _table(one: Found) -> dict[str, Any]:
    seen = one.seen
    table: dict[str, Any] = {"provider": one.provider}
    if seen.name != one.key:
        table["name"] = seen.name
    if seen.scopes:
        table["scopes"] = list(seen.scopes)
    if seen.token_lifetime:
        table["token_lifetime"] = seen.token_lifetime
    return table


def _key(name: str, taken: set[str]) -> str:
    """A table's name from a vendor's: `Campaign sender` → `campaign_sender`."""
    base = "".join(c if c.isascii() and c.isalnum() else "_" for c in name.lower()).strip("_") or "application"
    base = base if base[0].isalpha() else f"application_{base}"
    found, number = base, 2
    while found in taken:
        found, number = f"{base}_{number}", number + 1
    return found
