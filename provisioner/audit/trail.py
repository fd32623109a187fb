"""Everything that rules and reports need to know of the past, gathered in one pass while the journal is verified."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from provisioner.audit.changes import Changes
from provisioner.audit.clear import Exposure
from provisioner.audit.lives import Lives
from provisioner.audit.money import Money
from provisioner.audit.seen import Mark, seen_of
from provisioner.audit.shape import Shape, entry_shape
from provisioner.journal.chain import Line
from provisioner.journal.fold import Change
from provisioner.model.recorded import State
from provisioner.records import dataclass


@dataclass(slots=True)
class Misshapen:
    """An entry that is not as the format's schema says, though its chain holds and it folds."""

    mark: Mark
    kind: str
    text: str


class Trail:
    """Give `watch` to `Journal.open`: it is told every entry, from the first on. Where the state is read twice, the
    second reading counts."""

    def __init__(self) -> None:
        self._shape: Shape = entry_shape()
        self._begin()

    def _begin(self) -> None:
        self.lives = Lives()
        self.money = Money()
        self.changes = Changes()
        self.exposure = Exposure()
        self.misshapen: list[Misshapen] = []
        self.serials: dict[str, int] = {}  # hash → serial, of every entry
        self.lineage = ""
        self.head = ""  # of the last entry that verified
        self.last: Mark | None = None
        self.started: datetime | None = None

    def watch(self, line: Line, data: Mapping[str, Any], change: Change, state: State) -> None:
        seen = seen_of(line, data, change, state)
        mark = seen.mark
        if mark.serial == 1:
            self._begin()
        self.last = mark
        self.started = self.started or mark.time
        self.lineage, self.head = line.links.lineage, line.links.hash
        self.serials[self.head] = mark.serial
        fault = self._shape(data, "")
        if fault is not None:
            self.misshapen.append(Misshapen(mark, seen.kind, fault))
        self.changes.see(seen)
        self.lives.see(seen)
        self.money.see(seen)
        self.exposure.see(seen, line.links.hash)

    @property
    def entries(self) -> int:
        return len(self.serials)
