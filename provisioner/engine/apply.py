"""Executes exactly a plan's steps: independent chains in parallel, the steps of one chain in order.

Scheduling only. What a step does is in `steps_*`, how a change is announced and recorded in `operation`, what an
unanswered one means in `doubt`. docs/reliability.md is the protocol as a reader can check it.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from provisioner import providers as registry
from provisioner.engine import drafts, housekeeping, rotation, threads
from provisioner.engine.context import Clock, Context, Patience, Rescue, Stopped, Vendors
from provisioner.engine.dispatch import execute
from provisioner.engine.doubt import unanswered
from provisioner.engine.ended import Ended, warning
from provisioner.engine.events import (
    DONE,
    FAILED,
    HANDOFF,
    IN_DOUBT,
    NOT_STARTED,
    ApplyResult,
    Listener,
    Silent,
    StepResult,
)
from provisioner.engine.exits import asks_a_person, exit_code
from provisioner.engine.interrupts import StopFlag
from provisioner.engine.settle import drafts_to_settle, settle
from provisioner.errors import Diagnostic, ProvisionerError, StateUntrusted, StoreFailed
from provisioner.model.desired import Desired
from provisioner.model.plan import NOTHING, Plan, Step
from provisioner.model.recorded import ApplicationRecord, Operation, State
from provisioner.providers.base import Provider
from provisioner.records import dataclass, field, replace
from provisioner.times import to_rfc3339

if TYPE_CHECKING:
    from provisioner.journal.journal import Journal, RunInfo
    from provisioner.journal.seal import Sealer

_LOOK = 0.05  # seconds between two looks at the stop flag
_TELL = 10.0  # seconds between two "still running" of one step


def to_run(plan: Plan) -> tuple[Step, ...]:
    """The steps that something is done for: all changes, and what only records (an adoption that no reader is told
    of)."""
    if plan.options.mode == "refresh-only":
        return ()
    return tuple(step for step in plan.steps if step.operation != NOTHING)


def has_work(plan: Plan, desired: Desired, state: State, vendors: Vendors = registry.vendor) -> bool:
    """Whether an apply of this plan would append anything. Where it is False, a caller need not take the lock."""
    now = housekeeping.moment(plan)
    return bool(
        to_run(plan)
        or drafts_to_settle(state, plan.observed, desired, now, vendors)
        or housekeeping.observed_changes(plan, desired, state, vendors)
        or housekeeping.ended(plan, state, vendors, now)
        or housekeeping.handoff_change((), plan, state)
        or (plan.options.mode != "refresh-only" and rotation.ready(state.objects.values()))
    )


def apply(
    plan: Plan,
    desired: Desired,
    journal: Journal,
    sealer: Sealer,
    providers: Mapping[str, Provider],
    *,
    run: RunInfo,
    clock: Clock,
    listener: Listener | None = None,
    parallelism: int = 10,
    stop: StopFlag | None = None,
    vendors: Vendors = registry.vendor,
    patience: Patience | None = None,
    rescue: Rescue | None = None,
) -> ApplyResult:
    """Executes `plan`. The caller holds the lock and has called `journal.begin(run)`, unless `has_work` says no.

    Never raises for what happens to steps: the result names each of them, whatever stopped the run. `rescue` keeps an
    outcome that could not be appended.
    """
    told = _Serial(listener or Silent())
    ctx = Context(
        desired,
        journal,
        sealer,
        providers,
        run=run,
        clock=clock,
        observed=plan.observed,
        listener=told,
        stop=stop,
        vendors=vendors,
        patience=patience,
        rescue=rescue,
        parallelism=parallelism,
    )
    said: list[Diagnostic] = []
    try:
        _before(ctx, plan)
    except (StoreFailed, StateUntrusted) as error:
        ctx.halt(error)
    work = _Work(ctx, to_run(plan))
    if ctx.halted is None:
        work.run(parallelism)
    results = work.results()
    left = ctx.stop.leaving
    errors = list(work.errors)
    if ctx.halted is None and not left:
        failed = _after(ctx, plan, results)
        said += [diagnostic for error in failed for diagnostic in error.diagnostics]
        errors += failed
    return _result(ctx, results, errors, said)


def _result(
    ctx: Context, results: tuple[StepResult, ...], errors: list[ProvisionerError], said: list[Diagnostic]
) -> ApplyResult:
    interrupted = ctx.stop.stopping
    if ctx.halted is not None:
        told = {d for result in results for d in result.diagnostics}
        said += [d for d in ctx.halted.diagnostics if d not in told]
    left = list(ctx.state.operations.values())
    told_of = {str(result.step.address) for result in results if result.status == IN_DOUBT}
    said += [_asked(doubt) for doubt in left if asks_a_person(doubt) and str(doubt.address) not in told_of]
    if interrupted:
        said.append(warning("interrupted", None, "stopped by a signal", "What is recorded is complete up to here."))
    code = exit_code(
        results,
        errors,
        halted=ctx.halted,
        interrupted=interrupted,
        doubts=left,
        desired=ctx.desired,
    )
    return ApplyResult(results=results, exit_code=code, diagnostics=tuple(said), interrupted=interrupted)


def _asked(doubt: Operation) -> Diagnostic:
    """Why this run and each one after it exits 3, until somebody has looked."""
    error = unanswered(doubt, f"{doubt.op} of {to_rfc3339(doubt.since)} is in doubt")
    return replace(error.diagnostics[0], severity="warning")


def _before(ctx: Context, plan: Plan) -> None:
    """Before the first request: what dead runs left open is settled, what was read is recorded, what is over goes."""
    now = min(housekeeping.moment(plan), ctx.clock())
    for diagnostic in settle(ctx.journal, plan.observed, ctx.desired, now, ctx.vendors):
        ctx.listener.notice(diagnostic)
    seen = housekeeping.observed_changes(plan, ctx.desired, ctx.state, ctx.vendors)
    over = housekeeping.ended(plan, ctx.state, ctx.vendors, now)
    found = []
    if seen:
        found.append(drafts.observed(seen.put, seen.drop))
    if gone := tuple(key for key in over if key not in seen.drop):
        found.append(drafts.note("deposed tokens that have ended", drop=gone))
    if found:
        ctx.append(*found)


def _after(ctx: Context, plan: Plan, results: Sequence[StepResult]) -> list[ProvisionerError]:
    """After the last step: superseded clients go, and who waits for whom is recorded. Returns what failed."""
    failed: list[ProvisionerError] = []
    try:
        if plan.options.mode != "refresh-only" and not ctx.stop.stopping:
            for record in rotation.ready(list(ctx.state.objects.values())):
                failed += _end_previous(ctx, record)
        change = housekeeping.handoff_change(results, plan, ctx.state)
        if change is not None:
            ctx.append(change)
    except Stopped:
        pass
    except (StoreFailed, StateUntrusted) as error:
        ctx.halt(error)
    return failed


def _end_previous(ctx: Context, record: ApplicationRecord) -> list[ProvisionerError]:
    try:
        rotation.delete_previous(ctx, record)
    except (StoreFailed, StateUntrusted):
        raise
    except ProvisionerError as error:
        return [error.at(record.address)]
    return []


@dataclass(slots=True)
class _Task:
    step: Step
    waits_for: int = 0
    dependents: list[_Task] = field(default_factory=list)
    blocked: bool = False  # a step that it depends on did not succeed
    began: float | None = None
    told: float = 0.0
    result: StepResult | None = None


class _Work:
    """The steps as a graph. Constant work a step: no global lock is held around anything that waits."""

    def __init__(self, ctx: Context, steps: Sequence[Step]) -> None:
        self.ctx = ctx
        self.tasks = [_Task(step) for step in steps]
        by_id = {task.step.id: task for task in self.tasks}
        for task in self.tasks:
            for key in task.step.depends_on:
                if key in by_id:
                    by_id[key].dependents.append(task)
                    task.waits_for += 1
        self.errors: list[ProvisionerError] = []
        self._ready: queue.SimpleQueue[_Task | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._left = len(self.tasks)
        self._over = threading.Event()
        self._running: set[int] = set()
        self._many = False

    def run(self, parallelism: int) -> None:
        """Returns when every step has ended, or at once where somebody asked twice to stop.

        The threads are daemons: one that still waits for an answer must not keep the process from leaving.
        """
        if not self.tasks:
            return
        count = threads.count(parallelism, len(self.tasks))
        self._many = count > threads.FEW
        for task in self.tasks:
            if task.waits_for == 0:
                self._ready.put(task)
        workers = [threading.Thread(target=self._serve, name=f"apply-{n}", daemon=True) for n in range(count)]
        for worker in workers:
            worker.start()
        while not self._over.wait(_LOOK):
            if self.ctx.stop.leaving:
                return
            self._tell()
        for _ in workers:
            self._ready.put(None)
        for worker in workers:
            worker.join()

    def _serve(self) -> None:
        if self._many:
            threads.together()
        while (task := self._ready.get()) is not None:
            if self.ctx.stop.leaving:
                return
            self._one(task)

    def _one(self, task: _Task) -> None:
        if task.blocked or self.ctx.halted is not None or self.ctx.stop.stopping:
            self._end(task, Ended(status=NOT_STARTED), None)
            return
        began = time.monotonic()
        task.told = task.began = began
        with self._lock:
            self._running.add(id(task))
        self.ctx.listener.started(task.step)
        try:
            outcome = execute(self.ctx, task.step)
        except BaseException as fault:  # noqa: BLE001  # even a library that exits must not leave the run waiting for it
            # What it announced is in doubt by its intent, and nothing is sent after it.
            broken = ProvisionerError("internal", f"{type(fault).__name__} in {task.step.operation}")
            self.ctx.halt(broken)
            self._end(task, Ended(status=FAILED, diagnostics=broken.diagnostics), broken)
            return
        self._end(task, outcome.ended, outcome.error)

    def _end(self, task: _Task, ended: Ended, error: ProvisionerError | None) -> None:
        elapsed = time.monotonic() - task.began if task.began is not None else 0.0
        task.result = StepResult(
            step=task.step, status=ended.status, diagnostics=ended.diagnostics, elapsed=elapsed, bought=ended.bought
        )
        if task.began is not None:
            self.ctx.listener.finished(task.result)
        # What waits for a person holds nothing back by itself: the planner hands over what really needs it.
        failed = ended.status not in (DONE, HANDOFF)
        with self._lock:
            self._running.discard(id(task))
            if error is not None and ended.status == FAILED:
                self.errors.append(error)
            for dependent in task.dependents:
                dependent.waits_for -= 1
                dependent.blocked = dependent.blocked or failed
                if dependent.waits_for == 0:
                    self._ready.put(dependent)
            self._left -= 1
            if self._left == 0:
                self._over.set()

    def _tell(self) -> None:
        """About every ten seconds, for each step that still runs."""
        if not self._running:
            return
        now = time.monotonic()
        with self._lock:
            running = [task for task in self.tasks if id(task) in self._running] if self._due(now) else []
        for task in running:
            if task.began is not None and now - task.told >= _TELL:
                task.told = now
                self.ctx.listener.progress(task.step, now - task.began)

    def _due(self, now: float) -> bool:
        """Looked at about once a second, because it walks over all steps."""
        due = now - self._looked >= 1.0
        if due:
            self._looked = now
        return due

    _looked = 0.0

    def results(self) -> tuple[StepResult, ...]:
        """Every step, in the plan's order. One still in flight when the process leaves is in doubt by its intent; one
        that waits to announce anything, or reads, was not started."""
        found = []
        for task in self.tasks:
            if task.result is not None:
                found.append(task.result)
                continue
            in_flight = task.began is not None and task.step.address in self.ctx.announced
            status = IN_DOUBT if in_flight else NOT_STARTED
            found.append(StepResult(step=task.step, status=status))
        return tuple(found)


class _Serial:
    """One call at a time to a listener that knows nothing of threads."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._lock = threading.Lock()

    def reading(self, done: int, total: int) -> None:
        with self._lock:
            self._listener.reading(done, total)

    def started(self, step: Step) -> None:
        with self._lock:
            self._listener.started(step)

    def progress(self, step: Step, elapsed: float) -> None:
        """Told by the thread that looks for a second signal: it waits for no other that is stuck in telling."""
        if self._lock.acquire(timeout=_LOOK):
            try:
                self._listener.progress(step, elapsed)
            finally:
                self._lock.release()

    def finished(self, result: StepResult) -> None:
        with self._lock:
            self._listener.finished(result)

    def notice(self, diagnostic: Diagnostic) -> None:
        with self._lock:
            self._listener.notice(diagnostic)
