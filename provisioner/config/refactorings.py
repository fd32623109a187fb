"""`[[moved]]`, `[[import]]`, `[[removed]]` → addresses, refused where they contradict the rest of the file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from provisioner.address import Address, parse_address
from provisioner.config.instances import Instance
from provisioner.config.lines import KeyPath
from provisioner.config.parts import Parts
from provisioner.config.problems import did_you_mean
from provisioner.model.desired import Application, CreditFloor, ImportBlock, Moved, Removed
from provisioner.providers.base import Applications

Blocks = tuple[tuple[Moved, ...], tuple[ImportBlock, ...], tuple[Removed, ...]]


def build_refactorings(
    tables: Mapping[str, Any],
    instances: Sequence[Instance],
    floors: Sequence[CreditFloor],
    applications: Sequence[Application],
    parts: Parts,
) -> Blocks:
    """The three kinds of block, in the file's order. A chain of moves is shortened to its end: `to` is declared."""
    if not any(tables.get(kind) for kind in ("moved", "import", "removed")):
        return (), (), ()
    checker = _Checker(tables, instances, floors, applications, parts)
    return checker.moved(), checker.imports(), checker.removed()


class _Checker:
    def __init__(
        self,
        tables: Mapping[str, Any],
        instances: Sequence[Instance],
        floors: Sequence[CreditFloor],
        applications: Sequence[Application],
        parts: Parts,
    ) -> None:
        self.tables = tables
        self.parts = parts
        self.applications = {application.address: application for application in applications}
        self.declared: set[Address] = {instance.address for instance in instances}
        self.declared |= {floor.address for floor in floors}
        for application in applications:
            self.declared |= {address for address, _ in application.token_addresses}
        self.keyed = {instance.name for instance in instances if instance.key is not None}

    def moved(self) -> tuple[Moved, ...]:
        found: dict[Address, tuple[Address, KeyPath]] = {}
        for path, block in self._blocks("moved"):
            origin, to = self._address(block, path, "from"), self._address(block, path, "to")
            if origin is None or to is None:
                continue
            if origin.type != to.type:
                self._bad((*path, "to"), f"{origin} cannot become {to}: they are of two types", "Name one type.")
            elif origin in self.declared:
                advice = f"Take the block or the declaration of {origin} out."
                self._bad((*path, "from"), f"{origin} is moved away and still declared", advice)
            elif origin in found:
                self._bad((*path, "from"), f"{origin} is moved twice", "Keep one of the blocks.")
            else:
                found[origin] = (to, path)
        return tuple(
            Moved(origin, end)
            for origin, (_, path) in found.items()
            if (end := self._end(origin, found, path)) is not None
        )

    def imports(self) -> tuple[ImportBlock, ...]:
        found: list[ImportBlock] = []
        for path, block in self._blocks("import"):
            to, given = self._address(block, path, "to"), block.get("id")
            if to is None or not isinstance(given, str):
                continue
            if to.type != "application":
                advice = "Tokens are made anew, and a floor is taken up by declaring it."
                self._bad((*path, "to"), f"{to} cannot be imported: only applications can", advice)
            elif to in {one.to for one in found}:
                self._bad((*path, "to"), f"{to} is imported twice", "Keep one of the blocks.")
            elif self._to_generate(to) or (self._is_declared(to, (*path, "to")) and self._can_import(to, path)):
                found.append(ImportBlock(to, given))
        return tuple(found)

    def _to_generate(self, to: Address) -> bool:
        return self.parts.generating and to not in self.declared

    def removed(self) -> tuple[Removed, ...]:
        found = []
        for path, block in self._blocks("removed"):
            origin = self._address(block, path, "from")
            if origin is None:
                continue
            whole = not origin.keys and origin.type == "application" and origin.name in self.keyed
            if origin in self.declared or whole:
                advice = f"Take the declaration of {origin} out, or the block."
                self._bad((*path, "from"), f"{origin} is to be forgotten and still declared", advice)
            else:
                found.append(Removed(origin))
        return tuple(found)

    def _blocks(self, kind: str) -> Iterator[tuple[KeyPath, dict[str, Any]]]:
        blocks = self.tables.get(kind)
        for position, block in enumerate(blocks if isinstance(blocks, list) else ()):
            if isinstance(block, dict):
                yield (kind, position), block

    def _address(self, block: Mapping[str, Any], path: KeyPath, key: str) -> Address | None:
        text = block.get(key)
        if not isinstance(text, str):
            return None
        try:
            return parse_address(text)
        except ValueError as wrong:
            self._bad((*path, key), f"{key} is not an address", str(wrong))
            return None

    def _end(self, origin: Address, found: Mapping[Address, tuple[Address, KeyPath]], path: KeyPath) -> Address | None:
        """Where a chain of moves ends; None, and reported, where it never does or ends at nothing declared."""
        seen, at = {origin}, found[origin][0]
        while at in found:
            if at in seen:
                self._bad((*path, "from"), f"{origin} is moved in a circle", "Take one of the blocks out.")
                return None
            seen.add(at)
            at = found[at][0]
        last = path if found[origin][0] == at else next(p for to, p in found.values() if to == at)
        return at if self._is_declared(at, (*last, "to")) else None

    def _is_declared(self, address: Address, path: KeyPath) -> bool:
        if address in self.declared or self.parts.problems.incomplete:
            return True
        if address.type != "credits" and not address.keys and address.name in self.keyed:
            keys = [str(one) for one in self.declared if one.type == address.type and one.name == address.name]
            advice = f"It has a for_each: name one of them, as in {min(keys)}."
        else:
            advice = f"{did_you_mean(str(address), map(str, self.declared))} Declare it.".strip()
        self._bad(path, f"{address} is not declared", advice)
        return False

    def _can_import(self, to: Address, path: KeyPath) -> bool:
        application = self.applications.get(to)
        vendor = self.parts.vendors.get(application.provider) if application is not None else None
        if vendor is None or application is None:
            return True
        if vendor.applications is Applications.REGISTERED and application.client_id is None:
            advice = "Declare its `client_id` (and secret): without one, an application is registered anew."
            self._bad((*path, "to"), f"{to} has no client_id to import by", advice)
            return False
        if vendor.applications is not Applications.NONE:
            return True
        advice = "Take the block out: its tokens are made by apply."
        self._bad((*path, "to"), f"{vendor.title} has no applications to import", advice)
        return False

    def _bad(self, path: KeyPath, summary: str, detail: str) -> None:
        self.parts.problems.add("bad-refactoring", summary, detail, path=path)
