"""What the engine tells whoever watches: a protocol, so that human and JSON views are peers."""

from __future__ import annotations

from typing import Protocol

from provisioner.errors import Diagnostic
from provisioner.model.plan import Step
from provisioner.records import dataclass, field

DONE, FAILED, IN_DOUBT, NOT_STARTED, HANDOFF = "done", "failed", "in_doubt", "not_started", "handoff"


@dataclass(frozen=True, slots=True, kw_only=True)
class StepResult:
    """How one step ended: one of the five words above. `elapsed` is in seconds."""

    step: Step
    status: str
    diagnostics: tuple[Diagnostic, ...] = ()
    elapsed: float = 0.0
    bought: object | None = None  # Decimal of a purchase that happened


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplyResult:
    """`exit_code` follows the contract's table: interrupted, then the state, then failures, then what waits."""

    results: tuple[StepResult, ...]
    exit_code: int
    diagnostics: tuple[Diagnostic, ...] = field(default=())
    interrupted: bool = False
    recorded: tuple[int, str] | None = None  # serial and head of the recorded state once the run was over

    def counts(self) -> dict[str, int]:
        """Resources really `added`, `changed`, `destroyed`, `imported`: only steps that are done count."""
        done = [r.step for r in self.results if r.status == DONE and r.step.is_change]
        return {
            "imported": sum(s.importing is not None for s in done),
            "added": sum("create" in s.action for s in done),
            "changed": sum(s.action == ("update",) for s in done),
            "destroyed": sum("delete" in s.action for s in done),
        }


class Listener(Protocol):
    """Called from worker threads, one call at a time (the engine serialises them). Must not raise."""

    def reading(self, done: int, total: int) -> None:
        """Progress of observation: reads finished and reads known of."""

    def started(self, step: Step) -> None: ...

    def progress(self, step: Step, elapsed: float) -> None:
        """A step still runs; called about every ten seconds."""

    def finished(self, result: StepResult) -> None: ...

    def notice(self, diagnostic: Diagnostic) -> None:
        """Something the user should hear that belongs to no step: a takeover, a torn tail, a rescue file."""


class Silent:
    """A listener that listens to nothing."""

    def reading(self, done: int, total: int) -> None: ...

    def started(self, step: Step) -> None: ...

    def progress(self, step: Step, elapsed: float) -> None: ...

    def finished(self, result: StepResult) -> None: ...

    def notice(self, diagnostic: Diagnostic) -> None: ...
