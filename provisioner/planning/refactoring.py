"""`moved`, `import` and `removed`: which recorded object answers to which address in this plan."""

from __future__ import annotations

from provisioner.address import Address
from provisioner.errors import Diagnostic
from provisioner.model.desired import Desired, Moved
from provisioner.model.observed import Observed
from provisioner.model.recorded import ResourceRecord, State, TokenRecord
from provisioner.records import replace


def relocate(desired: Desired, state: State) -> tuple[dict[str, Address], list[Diagnostic]]:
    """Object id → its address after all `moved` blocks, for the objects that move.

    A block about an application moves its tokens too. A target that another object already holds is an error, because
    one of the two would have to be destroyed without anybody having said so.
    """
    moves: dict[str, Address] = {}
    problems: list[Diagnostic] = []
    if not desired.moved:
        return moves, problems
    taken = {record.address for record in state.current().values()}
    for record in state.resources():
        address = follow(desired, record.address)
        if address == record.address:
            continue
        if address in taken and not _is_deposed(record):
            summary = f"{record.address} cannot move to {address}: that address is recorded already"
            detail = "Remove the moved block, or free the target with `provisioner state rm`."
            problems.append(Diagnostic(name="bad-refactoring", summary=summary, detail=detail, address=str(address)))
            continue
        moves[record.id] = address
    return moves, problems


def relocated(desired: Desired, state: State) -> list[ResourceRecord]:
    """Every recorded object at the address that it has after all `moved` blocks, its tokens' application too."""
    if not desired.moved:
        return list(state.objects.values())
    found: list[ResourceRecord] = []
    for record in state.objects.values():
        if isinstance(record, TokenRecord):
            record = replace(record, application=follow(desired, record.application))
        found.append(replace(record, address=follow(desired, record.address)))
    return found


def follow(desired: Desired, address: Address) -> Address:
    """Where all `moved` blocks together take an address; the address itself where none concerns it."""
    for block in desired.moved:
        address = _moved(address, block)
    return address


def _moved(address: Address, block: Moved) -> Address:
    """Where one block takes one address; the address itself where the block does not concern it."""
    origin = block.origin
    same_kind = address.type == origin.type or (origin.type == "application" and address.type == "token")
    if not same_kind or address.name != origin.name or address.keys[: len(origin.keys)] != origin.keys:
        return address
    return Address(address.type, block.to.name, (*block.to.keys, *address.keys[len(origin.keys) :]))


def _is_deposed(record: ResourceRecord) -> bool:
    return getattr(record, "deposed", None) is not None


def forgotten(desired: Desired, state: State) -> frozenset[str]:
    """Ids of the objects that a `removed` block names: an application with its tokens, or one token or floor."""
    return frozenset(
        record.id
        for record in state.objects.values()
        for block in desired.removed
        if _moved(record.address, Moved(block.origin, Address(block.origin.type, ".", block.origin.keys))).name == "."
    )


def import_problems(desired: Desired, state: State, observed: Observed) -> list[Diagnostic]:
    """An `[[import]]` block whose id is not that of what the vendor shows under the declared name.

    Taking over another application than the one that was named would hand its tokens to the wrong people.
    """
    if not desired.imports:
        return []
    recorded = {record.address for record in state.current().values()}
    declared = {application.address: application for application in desired.applications}
    found = []
    for block in desired.imports:
        application = declared.get(block.to)
        if application is None or block.to in recorded:
            continue
        seen = observed.of(application.provider).applications.get(str(block.to))
        if seen is None or not seen.exists or seen.client_id in (None, block.id):
            continue
        summary = (
            f"{block.to} is to be imported as {block.id}, and {application.name!r} at the provider is {seen.client_id}"
        )
        detail = "Correct the id of the import block, or the name of the application."
        found.append(Diagnostic(name="bad-refactoring", summary=summary, detail=detail, address=str(block.to)))
    return found
