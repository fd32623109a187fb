"""`apply`: lock, read, plan, approve, begin, execute, unlock. With a saved plan: check that it is still what it was.

Destroy and refresh are this command with another mode.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from provisioner import times
from provisioner.commands import planning
from provisioner.commands.filing import FileOptions, load_file
from provisioner.commands.looking import look_at_plan
from provisioner.commands.opening import (
    Interrupts,
    Reveal,
    Secrets,
    StateOptions,
    accounts,
    begin_sealing,
    held,
    new_run,
    open_journal,
    rescued,
    rescuer,
    sealer_of,
    store_of,
    tell,
)
from provisioner.commands.saved import check
from provisioner.engine.apply import apply as execute
from provisioner.engine.apply import has_work
from provisioner.engine.events import ApplyResult, Listener
from provisioner.engine.interrupts import StopFlag
from provisioner.journal.journal import Journal
from provisioner.journal.run import RunInfo
from provisioner.model.desired import Desired
from provisioner.model.plan import (
    ADOPT_APPLICATION,
    CREATE_TOKEN,
    REFRESH_TOKEN,
    REGISTER_APPLICATION,
    REPLACE_TOKEN,
    ROTATE_APPLICATION,
    UPDATE_APPLICATION,
    Plan,
    PlanOptions,
)
from provisioner.records import dataclass, replace

if TYPE_CHECKING:
    from provisioner.journal.locks import HeldLock
    from provisioner.journal.seal import Sealer
    from provisioner.providers.base import Provider

# Operations whose answer may hold a secret: it must be certain beforehand that it can be sealed.
_SEALING = frozenset(
    {
        ADOPT_APPLICATION,
        REGISTER_APPLICATION,
        UPDATE_APPLICATION,
        ROTATE_APPLICATION,
        CREATE_TOKEN,
        REFRESH_TOKEN,
        REPLACE_TOKEN,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplyRequest:
    file: FileOptions
    state: StateOptions
    planning: PlanOptions
    at: datetime | None = None
    refresh: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplyPlanRequest:
    file: FileOptions
    state: StateOptions
    planfile: str


@dataclass(frozen=True, slots=True)
class Applied:
    """`result` None: safety refused the plan, or nobody approved it; nothing was sent."""

    plan: Plan
    result: ApplyResult | None


def apply(
    request: ApplyRequest,
    listener: Listener,
    *,
    approve: Callable[[Plan], bool],
    interrupts: Interrupts,
    reveal: Reveal,
    command: str | None = None,
    desired: Desired | None = None,
) -> Applied:
    """`approve` shows the plan and says whether it may run. `desired`: another declaration than the file's (import)."""
    desired = desired or load_file(request.file)
    secrets = Secrets(desired, reveal)
    store = store_of(desired, secrets)
    run = new_run(command or _COMMANDS[request.planning.mode], request.state)
    with held(store, request.state, run) as lock, open_journal(store, desired, request.state) as journal:
        _first(journal, run, lock, listener)
        now = planning.moment(request.at)
        sealer = sealer_of(desired, journal, secrets)
        carry_out = _executor(desired, journal, sealer, run, listener, request.state.parallelism)
        with accounts(desired, request.state, secrets) as providers:
            if request.refresh:
                observed = planning.look(
                    desired,
                    journal.state,
                    providers,
                    sealer,
                    now,
                    request.state,
                    listener,
                    replaces=request.planning.replaces,
                )
            else:
                observed = planning.unseen(now)
            plan = planning.derive(desired, journal.snapshot(), observed, now, request.planning)
            if not approve(plan) or plan.refused:
                return Applied(plan, None)
            _begin(plan, desired, journal, sealer, secrets, run, lock, listener)
            stop = StopFlag()
            with interrupts(stop.ask):
                result = carry_out(plan, providers, stop)
        return Applied(plan, _closed(journal, lock, listener, result))


_COMMANDS = {"normal": "apply", "destroy": "destroy", "refresh-only": "refresh"}


def apply_plan(
    request: ApplyPlanRequest,
    listener: Listener,
    *,
    show: Callable[[Plan], None],
    interrupts: Interrupts,
    reveal: Reveal,
) -> Applied:
    """A saved plan's steps and no others. Never asks. Raises PlanRefused where it is not what was reviewed any more."""
    saved = look_at_plan(request.planfile)
    desired = load_file(request.file)
    secrets = Secrets(desired, reveal)
    store = store_of(desired, secrets)
    run = new_run("apply", request.state)
    with held(store, request.state, run) as lock, open_journal(store, desired, request.state) as journal:
        _first(journal, run, lock, listener)
        check(saved, desired, journal.snapshot())
        plan = saved.plan
        show(plan)
        if plan.refused:
            return Applied(plan, None)
        sealer = sealer_of(desired, journal, secrets)
        carry_out = _executor(desired, journal, sealer, run, listener, request.state.parallelism)
        with accounts(desired, request.state, secrets) as providers:
            _begin(plan, desired, journal, sealer, secrets, run, lock, listener)
            stop = StopFlag()
            with interrupts(stop.ask):
                result = carry_out(plan, providers, stop)
        return Applied(plan, _closed(journal, lock, listener, result))


def _executor(
    desired: Desired, journal: Journal, sealer: Sealer, run: RunInfo, listener: Listener, parallelism: int
) -> Callable[[Plan, Mapping[str, Provider], StopFlag], ApplyResult]:
    """Executes a reviewed plan in this run: one way for a fresh plan and a saved one."""

    def carry_out(plan: Plan, providers: Mapping[str, Provider], stop: StopFlag) -> ApplyResult:
        return execute(
            plan,
            desired,
            journal,
            sealer,
            providers,
            run=run,
            clock=times.now,
            listener=listener,
            parallelism=parallelism,
            stop=stop,
            rescue=rescuer(journal, sealer),
        )

    return carry_out


def _first(journal: Journal, run: RunInfo, lock: HeldLock | None, listener: Listener) -> None:
    tell(journal, listener)
    for notice in rescued(journal, run, lock):
        listener.notice(notice)


def _begin(
    plan: Plan,
    desired: Desired,
    journal: Journal,
    sealer: Sealer,
    secrets: Secrets,
    run: RunInfo,
    lock: HeldLock | None,
    listener: Listener,
) -> None:
    """Only where there is something to record: a run in which nothing differs leaves the state as it was, unless it
    accepted an older copy."""
    if any(step.operation in _SEALING for step in plan.steps):
        for notice in begin_sealing(desired, journal, sealer, secrets, run, lock):
            listener.notice(notice)
    elif journal.run is None and (journal.owes_a_record or has_work(plan, desired, journal.state)):
        journal.begin(run, lock)
    tell(journal, listener)


def _closed(journal: Journal, lock: HeldLock | None, listener: Listener, result: ApplyResult) -> ApplyResult:
    """With the head to keep elsewhere: who has it can show later that nothing up to here was changed."""
    if journal.run is None and lock is not None:
        journal.notices.extend(lock.notices)  # nothing was to do, and a dead run's lock was in the way all the same
    journal.close()
    tell(journal, listener)
    return replace(result, recorded=(journal.state.serial, journal.state.head))
