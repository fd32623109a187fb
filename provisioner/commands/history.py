"""`history`: the recorded changes, all or some: of an address, a run, an actor, a stretch of time."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from provisioner.address import Address, parse_address
from provisioner.commands.filing import FileOptions, load_file
from provisioner.commands.looking import parse
from provisioner.commands.opening import Reveal, Secrets, StateOptions, read_state
from provisioner.journal.entries import Entry
from provisioner.journal.history import row
from provisioner.records import dataclass

Point = int | datetime  # a serial, or a moment


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryOptions:
    """`addresses`: any of them, with what lies below (`token.campaigns` has all its consumers). `run` may be cut short
    at its end. `since` and `until` take part in what they name."""

    file: FileOptions
    state: StateOptions
    addresses: tuple[str, ...] = ()
    run: str | None = None
    actor: str | None = None
    since: Point | None = None
    until: Point | None = None


def history(options: HistoryOptions, reveal: Reveal) -> Iterator[dict[str, Any]]:
    """The entries as `history --json` shows them, oldest first, verified on the way. Raises Invalid (an address that is
    none), StateUntrusted, StoreFailed."""
    desired = load_file(options.file)
    wanted = [parse(text) for text in options.addresses]
    journal = read_state(desired, options.state, Secrets(desired, reveal))
    touches = _Touched(wanted)
    return (row(entry) for entry in journal.entries() if touches(entry) and _fits(entry, options))


def _fits(entry: Entry, options: HistoryOptions) -> bool:
    if options.run is not None and not entry.run.startswith(options.run):
        return False
    if options.actor is not None and entry.actor != options.actor:
        return False
    return _after(entry, options.since) and _before(entry, options.until)


def _after(entry: Entry, point: Point | None) -> bool:
    return point is None or (entry.serial >= point if isinstance(point, int) else entry.time >= point)


def _before(entry: Entry, point: Point | None) -> bool:
    return point is None or (entry.serial <= point if isinstance(point, int) else entry.time <= point)


class _Touched:
    """Whether an entry is about any of the wanted addresses: by its own, or by what it puts or drops. An object that is
    dropped is known by its id alone, so ids are remembered as they pass."""

    def __init__(self, wanted: list[Address]) -> None:
        self._wanted = wanted
        self._ids: dict[str, str] = {}

    def __call__(self, entry: Entry) -> bool:
        if not self._wanted:
            return True
        touched = set(self._records(entry)) | ({entry.address} if entry.address else set())
        return any(_is_below(text, address) for text in touched for address in self._wanted)

    def _records(self, entry: Entry) -> Iterator[str]:
        if entry.kind == "checkpoint":
            return  # repeats everything, and changes nothing
        for record in entry.body.get("put", ()):
            before = self._ids.get(record["id"])
            if before is not None:
                yield before  # where it was before it moved
            self._ids[record["id"]] = record["address"]
            yield record["address"]
        for gone in entry.body.get("drop", ()):
            if gone in self._ids:
                yield self._ids[gone]
        if entry.kind == "handoff":
            yield from (*entry.body.get("waiting", ()), *entry.body.get("done", ()))


def _is_below(text: str, wanted: Address) -> bool:
    try:
        address = parse_address(text)
    except ValueError:
        return False
    same = (address.type, address.name) == (wanted.type, wanted.name)
    return same and address.keys[: len(wanted.keys)] == wanted.keys
