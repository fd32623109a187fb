"""Edits of the recorded state: mv, rm, replace-provider, resolve, force-unlock. Each is an entry like any other change.

No vendor is asked and no key is needed: an object keeps its id, which is what its sealed values are bound to.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from provisioner import providers, times
from provisioner.address import Address
from provisioner.commands.filing import FileOptions, load_file
from provisioner.commands.looking import parse, unknown
from provisioner.commands.opening import Reveal, Secrets, StateOptions, new_run, read_state, store_of, writing
from provisioner.engine.doubt import open_doubts
from provisioner.engine.settle import resolve as settle
from provisioner.errors import Diagnostic, Invalid, LockHeld, Unsafe
from provisioner.journal.journal import Draft
from provisioner.journal.lockinfo import LockInfo
from provisioner.journal.locks import force_unlock as break_lock
from provisioner.model.desired import Desired
from provisioner.model.recorded import ResourceRecord, State, TokenRecord, record_to_json
from provisioner.records import dataclass, replace


@dataclass(frozen=True, slots=True, kw_only=True)
class EditOptions:
    file: FileOptions
    state: StateOptions


def move(options: EditOptions, origin: str, to: str, reveal: Reveal, *, dry_run: bool = False) -> list[str]:
    """An application moves with its tokens. Returns `FROM to TO` lines. Raises Invalid where FROM is not recorded,
    where the types differ, or where TO is taken."""
    source, target = parse(origin), parse(to)
    if source.type != target.type:
        raise Invalid(
            "bad-refactoring", f"{origin} cannot become {to}: they are of different types", "Move within one type."
        )

    desired = load_file(options.file)

    def moves(state: State) -> list[tuple[ResourceRecord, ResourceRecord]]:
        moved = _moved(state, source, target, desired)
        if not moved:
            raise unknown(origin, state)
        taken = {r.address for r in state.objects.values()} - {old.address for old, _ in moved}
        for _, new in moved:
            if new.address in taken:
                raise Invalid("duplicate", f"{new.address} is recorded already", "Move or `state rm` that one first.")
        return moved

    secrets = Secrets(desired, reveal)
    if dry_run:
        moved = moves(read_state(desired, options.state, secrets).state)
    else:
        with writing(desired, options.state, secrets, new_run("state mv", options.state), check=moves) as journal:
            moved = moves(journal.state)
            journal.append(_edit("state mv", source, {"from": origin, "to": to}, put=[new for _, new in moved]))
    return [f"{old.address} to {new.address}" for old, new in moved]


def _moved(
    state: State, source: Address, target: Address, desired: Desired
) -> list[tuple[ResourceRecord, ResourceRecord]]:
    """What moves, before and after: of an application without a key all instances, where the target has none either."""
    declared = {address: (a.address, who) for a in desired.applications for address, who in a.token_addresses}
    found: list[tuple[ResourceRecord, ResourceRecord]] = []
    for record in state.resources():
        new = _at(record.address, source, target)
        if isinstance(record, TokenRecord):
            application = _at(record.application, source, target)
            if source.type == "application" and application is not None:
                moved_to = _at(record.address, source.as_type("token"), target.as_type("token"), below=True)
                found.append((record, replace(record, address=moved_to or record.address, application=application)))
            elif new is not None:
                owner, consumer = declared.get(new) or _owner(record, new)
                found.append((record, replace(record, address=new, application=owner, consumer=consumer)))
        elif new is not None:
            found.append((record, replace(record, address=new)))
    return found


def _owner(record: TokenRecord, address: Address) -> tuple[Address, str | None]:
    """Application and consumer of a token at an address that is not declared yet, as far as that tells."""
    application = record.application
    depth = len(application.keys)
    if address.name != application.name or address.keys[:depth] != application.keys or len(address.keys) > depth + 1:
        return application, record.consumer
    return application, address.keys[depth] if len(address.keys) > depth else None


def _at(address: Address, source: Address, target: Address, *, below: bool = False) -> Address | None:
    """Where `address` goes when `source` becomes `target`: itself, and what lies below it (instances, consumers) where
    both have as many keys, or `below` says so; else `application.a` is the one without a key."""
    below = below or len(source.keys) == len(target.keys)
    keys = address.keys[: len(source.keys)] if below else address.keys
    if address.type != source.type or address.name != source.name or keys != source.keys:
        return None
    return Address(target.type, target.name, (*target.keys, *address.keys[len(source.keys) :]))


def remove(options: EditOptions, addresses: tuple[str, ...], reveal: Reveal, *, dry_run: bool = False) -> list[str]:
    """Forget, and leave everything at the vendor. Returns the addresses that went. Raises Invalid for any not
    recorded."""
    wanted = [parse(text) for text in addresses]

    def goners(state: State) -> list[ResourceRecord]:
        gone: list[ResourceRecord] = []
        for text, address in zip(addresses, wanted, strict=True):
            found = [r for r in state.resources() if _at(r.address, address, address) is not None]
            if not found:
                raise unknown(text, state)
            gone += [record for record in found if record not in gone]
        return gone

    desired = load_file(options.file)
    secrets = Secrets(desired, reveal)
    if dry_run:
        gone = goners(read_state(desired, options.state, secrets).state)
    else:
        with writing(desired, options.state, secrets, new_run("state rm", options.state), check=goners) as journal:
            gone = goners(journal.state)
            address = wanted[0] if len(wanted) == 1 else None
            journal.append(_edit("state rm", address, {"addresses": list(addresses)}, drop=[r.id for r in gone]))
    return list(dict.fromkeys(str(record.address) for record in gone))


def replace_provider(options: EditOptions, origin: str, to: str, reveal: Reveal) -> list[str]:
    """Recorded resources of provider FROM belong to provider TO from now on. Both are names of `[providers]` tables; TO
    must be declared, and of the same type as what is recorded. Returns the addresses."""
    desired = load_file(options.file)
    if to not in desired.providers:
        known = ", ".join(sorted(desired.providers)) or "none"
        raise Invalid("unknown-reference", f"No provider is called {to}", f"The file declares: {known}.")
    kind = desired.providers[to].type

    def movers(state: State) -> list[ResourceRecord]:
        found = [record for record in state.resources() if record.provider == origin]
        if not found:
            known = ", ".join(sorted({r.provider for r in state.resources()})) or "none"
            raise Invalid("unknown-reference", f"Nothing is recorded of provider {origin}", f"Recorded: {known}.")
        other = next((record for record in found if record.provider_type != kind), None)
        if other is not None:
            raise Invalid(
                "unsupported",
                f"{other.address} was made at {other.provider_type}, and {to} is {kind}",
                "A token of one vendor is none of another's. Let `provisioner apply` make it anew there.",
            )
        return found

    run = new_run("state replace-provider", options.state)
    with writing(desired, options.state, Secrets(desired, reveal), run, check=movers) as journal:
        found = movers(journal.state)
        put: list[ResourceRecord] = [replace(record, provider=to) for record in found]
        journal.append(_edit("state replace-provider", None, {"from": origin, "to": to}, put=put))
    return list(dict.fromkeys(str(record.address) for record in found))


def resolve(options: EditOptions, operation: str, *, happened: bool, reveal: Reveal) -> Diagnostic:
    """A person decides what is in doubt. Raises Invalid where no operation of that id is open."""

    def known(state: State) -> None:
        if operation not in state.operations:
            ids = ", ".join(found.id for found in open_doubts(state)) or "none"
            raise Invalid("unknown-address", f"no operation {operation} is in doubt", f"In doubt: {ids}.")

    desired = load_file(options.file)
    run = new_run("resolve", options.state)
    with writing(desired, options.state, Secrets(desired, reveal), run, check=known) as journal:
        return settle(
            journal, operation, as_happened=happened, now=times.now(), desired=desired, vendors=providers.vendor
        )


def force_unlock(options: EditOptions, lock_id: str, reveal: Reveal) -> LockInfo:
    """Break the lock of this id. The id is the confirmation: raises Unsafe where it names another, or none is held."""
    desired = load_file(options.file)
    try:
        return break_lock(store_of(desired, Secrets(desired, reveal)), lock_id)
    except LockHeld as fault:
        first = fault.diagnostics[0]
        raise Unsafe(first.name, first.summary, first.detail) from None


def _edit(
    command: str,
    address: Address | None,
    body: Mapping[str, Any],
    *,
    put: list[ResourceRecord] | None = None,
    drop: list[str] | None = None,
) -> Draft:
    changes = {"put": [record_to_json(record) for record in put or ()], "drop": drop or []}
    return Draft("edit", None if address is None else str(address), {"command": command, **body, **changes})
