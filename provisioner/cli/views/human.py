"""Text for people: results on standard output, problems on standard error, progress on a terminal only."""

from __future__ import annotations

import threading

from provisioner.cli.console import Console
from provisioner.engine.events import ApplyResult, StepResult
from provisioner.errors import Diagnostic
from provisioner.model.plan import Plan, Step
from provisioner.render import human_apply, human_plan, human_state
from provisioner.render.diagnostics import diagnostic_text
from provisioner.render.style import Style

_CLEAR = "\r\x1b[2K"


class HumanView:
    def __init__(self, console: Console, *, verbose: bool = False) -> None:
        self._console = console
        self._verbose = verbose
        self._out = Style(color=console.colour(console.stdout))
        self._err = Style(color=console.colour(console.stderr))
        self._live = console.interactive(console.stderr) and not console.plain
        self._showing = False
        self._shown_at = 0.0
        self._lock = threading.Lock()

    # -- the engine's listener -----------------------------------------------------------------------------------------

    def reading(self, done: int, total: int) -> None:
        """One line that is written over, on a terminal, a few times a second."""
        if not self._live or total < 2:
            return
        import time

        moment = time.monotonic()
        if done < total and moment - self._shown_at < 0.1:
            return
        self._shown_at = moment
        with self._lock:
            if done >= total:
                self._wipe()
            else:
                self._console.progress(_CLEAR + human_apply.reading(done, total))
                self._showing = True

    def started(self, step: Step) -> None:
        self._tell(human_apply.started(step, self._out))

    def progress(self, step: Step, elapsed: float) -> None:
        self._tell(human_apply.progress(step, elapsed, self._out))

    def finished(self, result: StepResult) -> None:
        if result.step.is_change:
            self._tell(human_apply.finished(result, self._out))
        for found in result.diagnostics:
            self.diagnostic(found)

    def notice(self, diagnostic: Diagnostic) -> None:
        self.diagnostic(diagnostic)

    # -- the commands
    # ----------------------------------------------------------------------------------------------------

    def diagnostic(self, found: Diagnostic) -> None:
        with self._lock:
            self._wipe()
            self._console.err(diagnostic_text(found, self._err))

    def plan(self, plan: Plan, *, saved_to: str | None = None, will_apply: bool = False) -> None:
        self._wipe()
        self._console.out(human_plan.human_plan(plan, style=self._out, full=self._verbose))
        for found in plan.diagnostics:
            self.diagnostic(found)
        if saved_to is not None:
            self._console.out(human_plan.saved_hint(saved_to))
        elif plan.applyable and not will_apply:
            self._console.out(human_plan.unsaved_hint())
        elif plan.applyable:
            self._console.line()

    def drift(self, plan: Plan) -> None:
        self._wipe()
        self._console.out(human_state.drift_text(plan.drift, self._out))

    def applied(self, result: ApplyResult, *, operation: str = "apply") -> None:
        for found in result.diagnostics:
            self.diagnostic(found)
        self._console.out(human_apply.apply_end(result, self._out, destroying=operation == "destroy"))

    def say(self, text: str) -> None:
        self._tell(text + "\n")

    def close(self, code: int) -> None:
        self._wipe()

    def _tell(self, text: str) -> None:
        with self._lock:
            self._wipe()
            self._console.out(text)

    def _wipe(self) -> None:
        if self._showing:
            self._console.progress(_CLEAR)
            self._showing = False
