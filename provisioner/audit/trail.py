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
from provisioner.records import dataclass, field


@dataclass(slots=True)
class Misshapen:
    """An entry that is not as the format's schema says, though its chain holds and it folds."""

    mark: Mark
    kind: str
    text: str


@dataclass(slots=True)
class Trail:
    """Give `watch` to `journal.load`, with nothing that this machine remembers, so that it is told every entry."""

    lives: Lives = field(default_factory=Lives)
    money: Money = field(default_factory=Money)
    changes: Changes = field(default_factory=Changes)
    exposure: Exposure = field(default_factory=Exposure)
    misshapen: list[Misshapen] = field(default_factory=list)
    serials: dict[str, int] = field(default_factory=dict)  # hash → serial, of every entry
    lineage: str = ""
    head: str = ""  # of the last entry that verified
    last: Mark | None = None
    started: datetime | None = None
    _shape: Shape = field(default_factory=entry_shape)

    def watch(self, line: Line, data: Mapping[str, Any], change: Change, state: State) -> None:
        seen = seen_of(line, data, change, state)
        mark = self.last = seen.mark
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
