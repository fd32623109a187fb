"""JSON lines of Terraform's machine-readable UI. Whatever happens, one `change_summary` is the last line."""

from __future__ import annotations

from collections.abc import Sequence

from provisioner import __version__, times
from provisioner.cli import reports
from provisioner.cli.console import Console
from provisioner.engine.events import DONE, IN_DOUBT, NOT_STARTED, ApplyResult, StepResult
from provisioner.errors import Diagnostic
from provisioner.model.plan import Due, Plan, Step
from provisioner.render import stream
from provisioner.render.json_text import json_text


class StreamView:
    """Results and diagnostics alike go to standard output: a reader of the stream reads one stream."""

    def __init__(self, console: Console, operation: str) -> None:
        self._console = console
        self._operation = "apply" if operation == "refresh" else operation  # as Terraform calls it
        self._ended = False
        self._planned: Plan | None = None
        self._applying = False
        self._started: set[str] = set()
        self._finished: dict[str, StepResult] = {}
        self._write(stream.version_line(__version__, times.now()))

    def _write(self, line: stream.Line) -> None:
        with self._console.turn():
            self._console.line(json_text(line))

    # -- the engine's listener -----------------------------------------------------------------------------------------

    def reading(self, done: int, total: int) -> None:
        """Terraform's stream has no line for it."""

    def started(self, step: Step) -> None:
        self._started.add(step.id)
        if step.is_change:  # who counts starts waits for as many ends
            self._write(stream.apply_start(step, times.now()))

    def progress(self, step: Step, elapsed: float) -> None:
        self._write(stream.apply_progress(step, elapsed, times.now()))

    def finished(self, result: StepResult) -> None:
        self._finished[result.step.id] = result
        if result.step.is_change or result.status != DONE:
            self._write(stream.apply_end(result, times.now()))
        for found in result.diagnostics:
            self.diagnostic(found)

    def notice(self, diagnostic: Diagnostic) -> None:
        self.diagnostic(diagnostic)

    # -- the commands ------------------------------------------------------------------------------------------------

    def diagnostic(self, found: Diagnostic) -> None:
        # Masked before it is JSON: over the finished line, a card's four digits would blot out an amount or a time.
        masked = found.masked(self._console.masker.mask)
        self._write(stream.diagnostic(masked, times.now()))
        reports.annotate(masked, self._console)

    def plan(
        self,
        plan: Plan,
        *,
        saved_to: str | None = None,
        will_apply: bool = False,
        reviewed: bool = False,
        due: Sequence[Due] | None = None,
    ) -> None:
        now = times.now()
        self._planned = plan
        for drift in plan.drift:
            self._write(stream.resource_drift(drift, now))
        for step in plan.changes:
            self._write(stream.planned_change(step, now))
        for item in due or ():
            self._write(stream.due(item, now))
        for found in plan.diagnostics:
            self.diagnostic(found)
        if not will_apply:
            self._write(stream.outputs(plan.steps, now))
        self._applying = will_apply
        self._write(stream.plan_summary(plan, now))
        self._ended = not will_apply

    def drift(self, plan: Plan) -> None:
        now = times.now()
        for drift in plan.drift:
            self._write(stream.resource_drift(drift, now))
        for found in plan.diagnostics:
            self.diagnostic(found)
        self._write(stream.drift_summary(plan, now))
        self._ended = True

    def applied(self, result: ApplyResult, *, operation: str = "apply") -> None:
        now = times.now()
        for found in result.diagnostics:
            self.diagnostic(found)
        self._write(stream.outputs(self._all(result), now))
        self._write(stream.apply_summary(result, now, operation=operation))
        self._ended = True

    def say(self, text: str) -> None:
        """People read text; this is a stream."""

    def close(self, code: int) -> None:
        """The closing line of a run that ended before its own: which steps are known to have ended how."""
        if self._ended:
            return
        results: tuple[StepResult, ...] = ()
        if self._planned is not None and self._applying:
            results = tuple(self._finished.get(step.id) or self._left(step) for step in self._planned.changes)
        result = ApplyResult(results=results, exit_code=code)
        self._write(stream.failed_summary(self._operation, times.now(), result))
        self._ended = True

    def _all(self, result: ApplyResult) -> list[Step | StepResult]:
        """Every step of the plan, with its end where it had one: a token that nothing happened to is handed out too."""
        ends = {item.step.id: item for item in result.results}
        steps = self._planned.steps if self._planned is not None else ()
        return [ends.get(step.id, step) for step in steps]

    def _left(self, step: Step) -> StepResult:
        """A step that nobody heard the end of: its request may have been sent."""
        return StepResult(step=step, status=IN_DOUBT if step.id in self._started else NOT_STARTED)
