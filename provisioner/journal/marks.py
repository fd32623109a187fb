"""What a copy of a state is, beside its chain: being copied, moved away, or arrived from elsewhere.

A chain cannot say that it is a half: the first half of a chain verifies. So `state migrate` marks the target before the
first byte is copied and the source before the target is let go, and whoever opens either is told (exit 7).

    {"at", "by", "format", "head", "kind", "lineage", "other", "serial", "stack"}
"""

from __future__ import annotations

import json
from datetime import datetime

from provisioner.errors import Diagnostic, StateUntrusted
from provisioner.journal.entries import FORMAT, canonical
from provisioner.journal.stores.base import Store
from provisioner.records import dataclass
from provisioner.times import from_rfc3339, to_rfc3339

COPYING, MOVED, ARRIVED = "copying", "moved", "arrived"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """`kind` is COPYING (this is not whole yet), MOVED (the state lives at `other` now) or ARRIVED (it is whole, and
    its first run here records whence). `serial` and `head` are the chain's end at that time; `by` is who ran it."""

    kind: str
    other: str
    lineage: str
    stack: str
    serial: int
    head: str
    at: datetime
    by: str

    def to_bytes(self) -> bytes:
        data = {
            "at": self.at,
            "by": self.by,
            "format": FORMAT,
            "head": self.head,
            "kind": self.kind,
            "lineage": self.lineage,
            "other": self.other,
            "serial": self.serial,
            "stack": self.stack,
        }
        return (canonical(data) + "\n").encode("ascii")


def read(store: Store) -> Mark | None:
    """Raises StateUntrusted where the mark says nothing that this version understands."""
    data = store.read_mark()
    if data is None:
        return None
    try:
        found = json.loads(data)
        if isinstance(found["format"], int) and found["format"] > FORMAT:
            raise StateUntrusted(
                "state-newer-format",
                f"The mark of the recorded state at {store.location} was written by a newer version.",
                "Use the version that wrote it, or a newer one. Nothing was changed.",
            )
        fields = {name: found[name] for name in ("kind", "other", "lineage", "stack", "serial", "head", "by")}
        mark = Mark(**fields, at=from_rfc3339(found["at"]))
    except (ValueError, KeyError, TypeError):
        mark = None
    if mark is None or mark.kind not in (COPYING, MOVED, ARRIVED):
        raise StateUntrusted(
            "state-damaged",
            f"The mark of the recorded state at {store.location} cannot be read.",
            "It says whether this copy is whole. Restore it from a backup of the state, or take it away if you know "
            "that no migration was under way.",
        )
    return mark


def half_migrated(mark: Mark, location: str) -> StateUntrusted:
    return StateUntrusted(
        "state-half-migrated",
        f"The recorded state at {location} is the beginning of a copy of {mark.other} that was never finished "
        f"(begun by {mark.by} at {to_rfc3339(mark.at)}).",
        f"Nothing was sent. Finish it: provisioner state migrate {mark.other} {location}",
    )


def moved_away(mark: Mark, location: str) -> StateUntrusted:
    return StateUntrusted(
        "state-moved",
        f"The recorded state at {location} was moved to {mark.other} by {mark.by} at {to_rfc3339(mark.at)}.",
        f'Nothing was sent. Set [state] location = "{mark.other}". Where that one is lost for good, go on from this '
        "copy with --accept-rollback.",
    )


def moved_notice(mark: Mark, location: str) -> Diagnostic:
    return Diagnostic(
        name="state-moved-away",
        severity="warning",
        summary=f"This is an old copy: the recorded state was moved from {location} to {mark.other} at "
        f"{to_rfc3339(mark.at)}.",
        detail="It can be read, and nothing is recorded here any more.",
    )
