"""What a view is told. It is the engine's Listener too, so that progress and results come one way."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from provisioner.engine.events import ApplyResult, Listener
from provisioner.errors import Diagnostic
from provisioner.model.plan import Due, Plan


class View(Listener, Protocol):
    """One run's teller. Nothing here raises: a reader that went away does not stop work (console.py)."""

    def diagnostic(self, found: Diagnostic) -> None:
        """A problem, a warning or a note, as soon as it is known."""

    def plan(
        self,
        plan: Plan,
        *,
        saved_to: str | None = None,
        will_apply: bool = False,
        reviewed: bool = False,
        due: Sequence[Due] | None = None,
    ) -> None:
        """A finished plan and what it warns of. `saved_to`: the file it was written to. `reviewed`: it came from a
        file, so somebody has read it; people are told in short. `due`: what falls due until the horizon, where one was
        asked."""

    def drift(self, plan: Plan) -> None:
        """What changed behind the recorded state's back."""

    def applied(self, result: ApplyResult, *, operation: str = "apply") -> None:
        """The end of an apply."""

    def say(self, text: str) -> None:
        """A sentence for people; no part of a stream."""

    def close(self, code: int) -> None:
        """Always the last call, whatever happened."""


def each(view: View, found: Iterable[Diagnostic]) -> None:
    for diagnostic in found:
        view.diagnostic(diagnostic)
