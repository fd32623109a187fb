"""Text for people, on the streams that Terraform uses: errors on standard error; plans, progress and, for commands that
plan, warnings on standard output. Where standard output is data (`token`, `show --json`), warnings go to standard
error.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence

from provisioner.cli import reports
from provisioner.cli.console import Console
from provisioner.engine.events import DONE, IN_DOUBT, ApplyResult, StepResult
from provisioner.errors import Diagnostic
from provisioner.model.plan import PURCHASE, Due, Plan, Step
from provisioner.render import human_apply, human_due, human_plan, human_state
from provisioner.render.diagnostics import compact_text, diagnostic_text, grouped
from provisioner.render.style import Style

_CLEAR = "\r\x1b[2K"
_ALIKE = 20  # problems of one kind that a long apply tells
_COUNT_EVERY = 5.0  # seconds between two counts of a long apply


class HumanView:
    """`planning`: a command whose result is a plan or an apply. `full`: draw and tell everything. `compact`: warnings
    by their summaries alone, unless an error comes with them."""

    def __init__(self, console: Console, *, full: bool = False, compact: bool = False, planning: bool = False) -> None:
        self._console = console
        self._full = full
        self._planning = planning
        self._held: list[Diagnostic] | None = [] if compact else None
        self._counts: _Counts | None = None
        self._out = Style(color=console.colour(console.stdout))
        self._err = Style(color=console.colour(console.stderr))
        self._live = console.colour(console.stderr)  # a line that is written over takes escapes, too
        self._showing = False
        self._shown_at = 0.0

    # -- the engine's listener -----------------------------------------------------------------------------------------

    def reading(self, done: int, total: int) -> None:
        """One line that is written over, on a terminal, a few times a second."""
        if not self._live or total < 2:
            return
        moment = time.monotonic()
        if done < total and moment - self._shown_at < 0.1:
            return
        self._shown_at = moment
        with self._console.turn():
            if done >= total:
                self._wipe()
            else:
                self._console.progress(_CLEAR + human_apply.reading(done, total))
                self._showing = True

    def started(self, step: Step) -> None:
        if self._counts is None and step.is_change:  # what only records ends without a word, too
            self._tell(human_apply.started(step, self._out))

    def progress(self, step: Step, elapsed: float) -> None:
        self._tell(human_apply.progress(step, elapsed, self._out))

    def finished(self, result: StepResult) -> None:
        if result.step.is_change and (self._counts is None or self._counts.must_tell(result)):
            self._tell(human_apply.finished(result, self._out))
        for found in result.diagnostics:
            if self._counts is None or self._counts.must_explain(found):
                self.diagnostic(found)
        if self._counts is not None and self._counts.due():
            self._tell(human_apply.so_far(self._counts.ended, self._counts.total))

    def notice(self, diagnostic: Diagnostic) -> None:
        self.diagnostic(diagnostic)

    # -- the commands ------------------------------------------------------------------------------------------------

    def diagnostic(self, found: Diagnostic) -> None:
        if self._held is not None and found.severity != "error":
            self._held.append(found)
            return
        self._write(found)

    def plan(
        self,
        plan: Plan,
        *,
        saved_to: str | None = None,
        will_apply: bool = False,
        reviewed: bool = False,
        due: Sequence[Due] | None = None,
    ) -> None:
        self._wipe()
        if reviewed and not self._full and not plan.refused:
            self._console.out(human_plan.brief(plan, self._out))
        else:
            self._console.out(human_plan.human_plan(plan, style=self._out, full=self._full))
        if due is not None:
            self._console.out(human_due.due_section(due, self._out, full=self._full))
        for found in plan.diagnostics if self._full else grouped(plan.diagnostics):
            self.diagnostic(found)
        self._release()
        if will_apply:
            if plan.applyable:
                self._console.line()
        elif not self._console.environment.get("PROVISIONER_IN_AUTOMATION"):
            self._hint(plan, saved_to)
        changes = len(plan.changes)
        if will_apply and changes > human_plan.CALM and not self._full:
            self._counts = _Counts(changes)

    def _hint(self, plan: Plan, saved_to: str | None) -> None:
        """What to type next; a pipeline that says so (PROVISIONER_IN_AUTOMATION, as TF_IN_AUTOMATION) need not read
        it."""
        if saved_to is not None:
            self._console.out(human_plan.saved_hint(saved_to))
        elif plan.applyable:
            self._console.out(human_plan.unsaved_hint())

    def drift(self, plan: Plan) -> None:
        self._wipe()
        self._console.out(human_state.drift_text(plan.drift, self._out, full=self._full))
        for found in plan.diagnostics:
            self.diagnostic(found)

    def applied(self, result: ApplyResult, *, operation: str = "apply") -> None:
        for found in result.diagnostics if self._full else grouped(result.diagnostics):
            self.diagnostic(found)
        self._release()
        if self._counts is not None:
            self._tell(self._counts.unexplained())
        self._console.out(human_apply.apply_end(result, self._out, destroying=operation == "destroy", full=self._full))

    def say(self, text: str) -> None:
        self._tell(text + "\n")

    def close(self, code: int) -> None:
        self._wipe()
        self._release(whole=True)

    def _release(self, *, whole: bool = False) -> None:
        """The warnings that `--compact-warnings` held back: by their summaries, or whole where the run ended in an
        error."""
        if not self._held:
            return
        held, self._held = self._held, []
        if whole:
            for found in held:
                self._write(found)
        else:
            self._tell(self._console.masker.mask(compact_text(held)))

    def _write(self, found: Diagnostic) -> None:
        to_results = self._planning and found.severity != "error"
        text = diagnostic_text(found, self._out if to_results else self._err).rstrip("\n")
        with self._console.turn():
            self._wipe()
            if to_results:
                self._console.line(self._console.masker.mask(text))
            else:
                self._console.err(text)
        reports.annotate(found, self._console)

    def _tell(self, text: str) -> None:
        with self._console.turn():
            self._wipe()
            self._console.out(text)

    def _wipe(self) -> None:
        if self._showing:
            self._console.progress(_CLEAR)
            self._showing = False


class _Counts:
    """A long apply is told by its exceptions and by a count every few seconds. What thousands have in common is no
    exception: of each kind of end a hundred are told, of each kind of problem twenty. A purchase and a doubt always
    are."""

    def __init__(self, total: int) -> None:
        self.total = total
        self.ended = 0
        self._ends: Counter[str] = Counter()
        self._problems: Counter[tuple[str, str]] = Counter()
        self._told = time.monotonic()

    def must_tell(self, result: StepResult) -> bool:
        self.ended += 1
        if result.status == DONE and not human_plan.is_exceptional(result.step):
            return False
        self._ends[result.status] += 1
        always = result.status == IN_DOUBT or result.step.operation == PURCHASE
        return always or self._ends[result.status] <= human_plan.CALM

    def must_explain(self, found: Diagnostic) -> bool:
        self._problems[found.code, found.name] += 1
        return found.name == "in-doubt" or self._problems[found.code, found.name] <= _ALIKE

    def unexplained(self) -> str:
        """How many problems of each kind were not told; empty where all were."""
        left = [(f"{code} {name}", count - _ALIKE) for (code, name), count in self._problems.items()]
        lines = [f"  and {count} more of {kind}\n" for kind, count in left if count > 0 and "in-doubt" not in kind]
        return "\n" + "".join(lines) + "  (--full tells them all)\n" if lines else ""

    def due(self) -> bool:
        moment = time.monotonic()
        if moment - self._told < _COUNT_EVERY and self.ended < self.total:
            return False
        self._told = moment
        return True
