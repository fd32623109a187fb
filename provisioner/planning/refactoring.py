"""`moved`, `import` and `removed`: which recorded object answers to which address in this plan."""

from __future__ import annotations

from provisioner.address import Address
from provisioner.errors import Diagnostic
from provisioner.model.desired import Desired
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
        address = destination(desired, record)
        if address == record.address:
            continue
        if not _is_deposed(record):
            if address in taken:
                summary = f"{record.address} cannot move to {address}: that address is recorded already"
                detail = "Remove the moved block, or free the target with `provisioner state rm`."
                problems.append(
                    Diagnostic(name="bad-refactoring", summary=summary, detail=detail, address=str(address))
                )
                continue
            taken.add(address)  # a chain of blocks brings everything on it to one end
        moves[record.id] = address
    return moves, problems


def relocated(desired: Desired, state: State) -> list[ResourceRecord]:
    """Every recorded object at the address that it has after all `moved` blocks, its tokens' application too."""
    if not desired.moved:
        return list(state.objects.values())
    found: list[ResourceRecord] = []
    for record in state.objects.values():
        address = destination(desired, record)
        if isinstance(record, TokenRecord):
            record = replace(record, application=follow(desired, record.application))
        found.append(replace(record, address=address))
    return found


def follow(desired: Desired, address: Address) -> Address:
    """Where the `moved` block that names this very address takes it; the address itself where none does.

    A block names one instance and nothing below it: `application.worker` is the one without a key, so that a block to
    `application.worker["eu"]` leaves alone what a `for_each` has made at that address since.
    """
    return next((block.to for block in desired.moved if block.origin == address), address)


def destination(desired: Desired, record: ResourceRecord) -> Address:
    """The address that a recorded object has after all `moved` blocks: by one that names it, else a token's by one that
    names its application."""
    address = follow(desired, record.address)
    if address != record.address or not isinstance(record, TokenRecord):
        return address
    origin = record.application
    application = follow(desired, origin)
    depth = len(origin.keys)
    if application == origin or address.name != origin.name or address.keys[:depth] != origin.keys:
        return address
    return Address("token", application.name, (*application.keys, *address.keys[depth:]))


def _is_deposed(record: ResourceRecord) -> bool:
    return getattr(record, "deposed", None) is not None


def forgotten(desired: Desired, state: State) -> frozenset[str]:
    """Ids of the objects that a `removed` block names: an application with its instances and tokens, or a token or
    floor. What is still declared is not among them."""
    if not desired.removed:
        return frozenset()
    declared = {address for application in desired.applications for address, _ in application.token_addresses}
    return frozenset(
        record.id
        for record in state.objects.values()
        if record.address not in declared and any(_names(block.origin, record) for block in desired.removed)
    )


def _names(origin: Address, record: ResourceRecord) -> bool:
    """Whether an address of a `removed` block stands for this object: it is that, or lies below it."""
    address = record.address
    if isinstance(record, TokenRecord) and origin.type == "application":
        address = record.application
    return address[:2] == origin[:2] and address.keys[: len(origin.keys)] == origin.keys


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
