"""`diff A B`: what changed from one recorded state to another: two moments of this one, or another one altogether."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

from provisioner import times
from provisioner.commands.filing import FileOptions, load_file, read_file
from provisioner.commands.opening import Reveal, Secrets, StateOptions, read_state, store_of
from provisioner.errors import Invalid
from provisioner.journal.fold import state_from_json
from provisioner.journal.journal import Journal
from provisioner.journal.load import load
from provisioner.model.desired import Desired
from provisioner.model.recorded import State
from provisioner.records import dataclass
from provisioner.render.diff import StateDiff, state_diff

Side = int | datetime | str  # a serial, a moment, or where another state lies


@dataclass(frozen=True, slots=True, kw_only=True)
class DiffOptions:
    """`before` and `after`: a serial or a moment of this state; or another one's location, or a file that `state pull`
    wrote. `after` None: this state now."""

    file: FileOptions
    state: StateOptions
    before: Side
    after: Side | None = None


def diff(options: DiffOptions, reveal: Reveal) -> StateDiff:
    """No provider is asked and no key is needed: values that are secret are never compared, only their fingerprints.

    Raises Invalid (no such serial, no such state), StateUntrusted, StoreFailed."""
    desired = load_file(options.file)
    secrets = Secrets(desired, reveal)
    journal = read_state(desired, options.state, secrets)
    before = _state(options.before, journal, desired, secrets)
    after = journal.state if options.after is None else _state(options.after, journal, desired, secrets)
    return state_diff(before, after, now=_moment(before, after, ends_now=options.after is None))


def _moment(before: State, after: State, *, ends_now: bool) -> datetime:
    """When statuses are judged, on both sides: what lived then is compared as living, however long ago that was."""
    if ends_now or before.updated_at is None or after.updated_at is None:
        return times.now()
    return max(before.updated_at, after.updated_at)


def _state(side: Side, journal: Journal, desired: Desired, secrets: Secrets) -> State:
    if not isinstance(side, str):
        return journal.state_at(side)
    if Path(side).is_file():
        return _pulled(side)
    place = side
    if "://" not in side:
        if Path(side).is_dir():
            place = str(Path(side).absolute())
        elif not (Path(desired.directory) / side).is_dir():  # where `state migrate` and [state] location look
            raise _nowhere(side, "there is no such directory or file")
    state = load(store_of(desired, secrets, place), stack=None).state
    if not state.serial:
        raise _nowhere(side, "nothing is recorded there")
    return state


def _pulled(path: str) -> State:
    """What `state pull` printed. It carries no proof of its own: only a store's chain can be verified."""
    try:
        data = json.loads(read_file(path, "The state file"))
        state = state_from_json(data)
        state.lineage, state.serial, state.head = data["lineage"], data["serial"], data["head"]
    except (ValueError, KeyError, TypeError, AttributeError, ArithmeticError):
        raise _nowhere(path, "it is no output of `provisioner state pull`") from None
    return state


def _nowhere(side: str, why: str) -> Invalid:
    return Invalid(
        "no-state",
        f"{side} names no recorded state: {why}",
        "Give a serial (12), a time (2026-12-01T00:00:00Z, or 7d for a week ago), the location of a state, or a file "
        "that `provisioner state pull` wrote.",
    )
