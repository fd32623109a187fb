"""Why a state that verifies is not simply gone on from. `--accept-rollback` goes on all the same, and records why not.

Older or other than what this machine saw (`load.judge`), moved away (`marks.py`), or written by a clock that is ahead.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from provisioner.errors import Diagnostic, StateUntrusted
from provisioner.journal.marks import Mark, moved_away, moved_notice
from provisioner.model.recorded import State
from provisioner.records import dataclass
from provisioner.times import format_duration, to_rfc3339

SKEW = timedelta(minutes=5)  # what clocks of one team may differ by: as much as Kerberos allows (RFC 4120)


@dataclass(frozen=True, slots=True)
class Objection:
    """`text` is what a `rollback-accepted` entry says. `notice` is told instead of `error` to whoever only looks; None:
    looking is refused too."""

    text: str
    error: StateUntrusted
    notice: Diagnostic | None = None


def of_mark(mark: Mark, location: str) -> Objection:
    """The old copy of a state that was moved."""
    return Objection(
        f"it was moved to {mark.other} at {to_rfc3339(mark.at)}",
        moved_away(mark, location),
        moved_notice(mark, location),
    )


def of_clock(state: State, now: datetime, location: str) -> Objection | None:
    """Whether the newest entry is further in the future than clocks differ."""
    if state.updated_at is None or state.updated_at - now <= SKEW:
        return None
    ahead = format_duration((state.updated_at - now) // timedelta(seconds=1) * timedelta(seconds=1))
    summary = (
        f"The newest entry of the recorded state at {location} is of {to_rfc3339(state.updated_at)}, which by this "
        f"machine's clock is {ahead} from now."
    )
    return Objection(
        f"its newest entry is of {to_rfc3339(state.updated_at)}, {ahead} ahead of this machine's clock",
        StateUntrusted(
            "clock-went-back",
            summary,
            "Nothing was sent: what falls due cannot be judged by a clock that went back. Set this machine's clock. "
            "Where an earlier run's clock was wrong, go on with --accept-rollback.",
        ),
        Diagnostic(
            name="clock-behind",
            severity="warning",
            summary=summary,
            detail="Ages and remaining lives are shown by this machine's clock. Set it.",
        ),
    )
