"""Commands that look at the recorded state and change nothing: show, state list, show, pull, lock, verify; history."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from provisioner.address import Address, parse_address
from provisioner.commands.filing import FileOptions, load_file, read_file
from provisioner.commands.opening import Reveal, Secrets, StateOptions, open_journal, store_of
from provisioner.errors import Invalid
from provisioner.journal.fold import state_to_json
from provisioner.journal.journal import Journal
from provisioner.journal.lockinfo import LockInfo
from provisioner.model.recorded import ResourceRecord, State
from provisioner.records import dataclass
from provisioner.render.plan_file import SavedPlan, load


@dataclass(frozen=True, slots=True, kw_only=True)
class LookOptions:
    file: FileOptions
    state: StateOptions
    at: int | datetime | None = None  # as it was at this serial or moment


@dataclass(frozen=True, slots=True)
class Looked:
    """`running` is the run id whose announced operations are in flight and not in doubt; None where no lock is held."""

    state: State
    journal: Journal
    running: str | None


def look(options: LookOptions, reveal: Reveal) -> Looked:
    """The recorded state, now or as it was. No provider's secret is needed, nor any key."""
    desired = load_file(options.file)
    store = store_of(desired, Secrets(desired, reveal))
    journal = open_journal(store, desired, options.state, looking=True)
    state = journal.state if options.at is None else journal.state_at(options.at)
    # a look at the lock costs some stores a try at it, so only where it matters
    return Looked(state, journal, running_of(state, store.peek_lock() if state.operations else None))


def running_of(state: State, lock: LockInfo | None) -> str | None:
    """The run that announced last, while a lock is held: its operations may still be on their way."""
    if lock is None or lock.holder_died() or not state.operations:
        return None
    return max(state.operations.values(), key=lambda op: op.since).run


def look_at_plan(path: str) -> SavedPlan:
    """A saved plan, from its file alone. Raises Invalid (no such file) and PlanRefused (altered, unreadable)."""
    return load(read_file(path, "The plan file"))


def find(state: State, text: str, *, below: bool = False) -> list[ResourceRecord]:
    """What is recorded at an address: what serves, then what is deposed; `below`: and at all its instances. Raises
    Invalid with a suggestion."""
    wanted = parse(text)
    depth = len(wanted.keys)
    found = [
        record
        for record in state.resources()
        if record.address == wanted
        or (below and record.address[:2] == wanted[:2] and record.address.keys[:depth] == wanted.keys)
    ]
    if not found:
        raise unknown(text, state)
    return found


def parse(text: str) -> Address:
    """Raises Invalid with what an address looks like."""
    try:
        return parse_address(text)
    except ValueError as fault:
        raise Invalid("unknown-address", str(fault), "`provisioner state list` shows what is recorded.") from None


def unknown(text: str, state: State) -> Invalid:
    from difflib import get_close_matches

    known = sorted({str(record.address) for record in state.resources()})
    near = get_close_matches(text, known, 1, 0.6)
    hint = f"Did you mean {near[0]}?" if near else "`provisioner state list` shows what is recorded."
    return Invalid("unknown-address", f"Nothing is recorded at {text}", hint)


def pull(state: State) -> dict[str, Any]:
    """The whole state as a checkpoint holds it, secrets sealed, with what names it."""
    return {"format": 1, "lineage": state.lineage, "serial": state.serial, "head": state.head, **state_to_json(state)}


def lock_of(options: LookOptions, reveal: Reveal) -> LockInfo | None:
    """Who holds the lock. The state itself is not opened: a damaged one can still be asked."""
    desired = load_file(options.file)
    return store_of(desired, Secrets(desired, reveal)).peek_lock()
