"""One verified entry as the collectors see it: where it stands, what it says, and the state right before it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from provisioner.journal.chain import Line
from provisioner.journal.fold import Change
from provisioner.model.recorded import ResourceRecord, State
from provisioner.times import from_rfc3339


class Mark(NamedTuple):
    """An entry by what names it: enough to find it again, and to say who did it when."""

    serial: int
    time: datetime
    actor: str
    run: str
    segment: str
    line: int


class Seen(NamedTuple):
    """`state` is as it was before this entry, and must not be kept: it moves on."""

    mark: Mark
    kind: str
    address: str | None
    body: Mapping[str, Any]
    change: Change
    state: State

    @property
    def operation(self) -> str | None:
        """The operation that this entry ends, or says something of."""
        found = self.body.get("operation")
        return found if isinstance(found, str) else None

    def before(self, record: ResourceRecord) -> ResourceRecord | None:
        return self.state.objects.get(record.id)


def seen_of(line: Line, data: Mapping[str, Any], change: Change, state: State) -> Seen:
    links = line.links
    mark = Mark(links.serial, from_rfc3339(links.time), data["actor"], links.run, line.segment, line.number)
    return Seen(mark, links.kind, data["address"], data["body"], change, state)
