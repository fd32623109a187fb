"""Which function executes which operation, and how an exception becomes one of the five words of a result."""

from __future__ import annotations

from collections.abc import Callable

from provisioner.engine import retire, steps_application, steps_credits, steps_record, steps_refresh, steps_token
from provisioner.engine.context import Context, Stopped
from provisioner.engine.ended import Ended, warning
from provisioner.engine.events import DONE, FAILED, HANDOFF, IN_DOUBT, NOT_STARTED
from provisioner.errors import (
    Diagnostic,
    InDoubt,
    Interrupted,
    NeedsPerson,
    ProvisionerError,
    StateUntrusted,
    StoreFailed,
)
from provisioner.model import plan
from provisioner.model.plan import Step
from provisioner.records import dataclass

Operate = Callable[[Context, Step], Ended]


def _waits(_ctx: Context, _step: Step) -> Ended:
    """Nothing is sent; a person must act."""
    return Ended(status=HANDOFF)


OPERATIONS: dict[str, Operate] = {
    plan.ADOPT_APPLICATION: steps_application.adopt,
    plan.REGISTER_APPLICATION: steps_application.register,
    plan.UPDATE_APPLICATION: steps_application.update,
    plan.ROTATE_APPLICATION: steps_application.register,
    plan.DELETE_APPLICATION: steps_application.delete,
    plan.CREATE_TOKEN: steps_token.create,
    plan.REFRESH_TOKEN: steps_refresh.refresh,
    plan.REPLACE_TOKEN: steps_token.replace_token,
    plan.REVOKE_TOKEN: retire.revoke,
    plan.RECORD_CREDITS: steps_credits.take_up,
    plan.READ_CREDITS: steps_credits.read,
    plan.PURCHASE: steps_credits.purchase,
    plan.FORGET_RECORD: steps_record.forget,
    plan.MOVE: steps_record.move,
    plan.RECORD: steps_record.as_declared,
    plan.HANDOFF: _waits,
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a step ended, and the error that a failure stands for."""

    ended: Ended
    error: ProvisionerError | None = None


def execute(ctx: Context, step: Step) -> Outcome:
    """Runs one step to its end. Never raises."""
    try:
        ended = OPERATIONS[step.operation](ctx, step)
    except Stopped:
        return Outcome(Ended(status=NOT_STARTED))
    except Interrupted:
        return Outcome(Ended(status=NOT_STARTED))
    except InDoubt as error:
        return Outcome(_told(step, IN_DOUBT, error), error)
    except NeedsPerson as error:
        return Outcome(_told(step, HANDOFF, error), error)
    except ProvisionerError as error:
        if isinstance(error, StoreFailed | StateUntrusted):
            ctx.halt(error)
        return Outcome(_told(step, FAILED, error), error)
    except Exception as fault:  # noqa: BLE001  # a fault of ours fails this step alone; its text may hold a secret
        what = f"{type(fault).__name__} in {step.operation}"
        broken = ProvisionerError("internal", what, "Please report it; `-v` shows more.")
        broken.__cause__ = fault
        return Outcome(_told(step, FAILED, broken), broken)
    if step.handoff is not None and ended.status == DONE:
        ended = Ended(status=HANDOFF, diagnostics=ended.diagnostics, bought=ended.bought)
    if step.handoff is not None and ended.status == HANDOFF:
        ended = ended.saying(_handoff(step))
    return Outcome(ended)


def _told(step: Step, status: str, error: ProvisionerError) -> Ended:
    error.at(step.address)
    return Ended(status=status, diagnostics=error.diagnostics)


def _handoff(step: Step) -> Diagnostic:
    """What a person must do, as a diagnostic. The name is chosen by what waits; it steers nothing."""
    instructions = step.handoff.instructions if step.handoff is not None else ()
    url = f" ({step.handoff.url})" if step.handoff is not None and step.handoff.url else ""
    name = "handoff"
    if step.operation == plan.HANDOFF and step.address.type == "credits":
        name = "needs-authorization" if step.reason.code == "needs-authorization" else "floor-unmet"
    elif step.address.type == "token" and step.operation in (plan.HANDOFF, plan.REFRESH_TOKEN):
        name = "handoff" if step.reason.code == "application-missing" else "needs-authorization"
    summary = f"Waits for a person: {step.reason.sentence}"
    return warning(name, step.address, summary, "\n".join(instructions) + url)
