"""How one operation ended, before the scheduler adds times."""

from __future__ import annotations

from decimal import Decimal

from provisioner.engine.events import DONE
from provisioner.errors import Diagnostic
from provisioner.records import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """`status` is one of `events`' five words; an exception stands for the failures."""

    status: str = DONE
    diagnostics: tuple[Diagnostic, ...] = ()
    bought: Decimal | None = None

    def saying(self, *more: Diagnostic) -> Ended:
        return Ended(status=self.status, diagnostics=(*self.diagnostics, *more), bought=self.bought)


def warning(name: str, address: object | None, summary: str, detail: str = "") -> Diagnostic:
    return Diagnostic(name=name, summary=summary, detail=detail, severity="warning", address=_text(address))


def note(name: str, address: object, summary: str, detail: str = "") -> Diagnostic:
    return Diagnostic(name=name, summary=summary, detail=detail, severity="note", address=_text(address))


def _text(address: object | None) -> str | None:
    return None if address is None else str(address)
