"""Steps that change the recorded state alone: forget, move, record what the file says.

`forget`  drops the record and leaves the thing where it is; with a handoff, a person is told how to end it
`move`    only the address changes
`record`  guards and `on_destroy`, as declared now
"""

from __future__ import annotations

from provisioner.engine.context import Context
from provisioner.engine.ended import Ended
from provisioner.engine.operation import record
from provisioner.model.plan import FORGET_RECORD, MOVE, RECORD, Step
from provisioner.model.recorded import ApplicationRecord, CreditsRecord, ResourceRecord, TokenRecord
from provisioner.planning.refactoring import follow
from provisioner.records import replace


def forget(ctx: Context, step: Step) -> Ended:
    found = ctx.record(step.object_id)
    if found is not None:
        record(ctx, step, FORGET_RECORD, drop=(found.id,))
    return Ended()


def move(ctx: Context, step: Step) -> Ended:
    found = ctx.record(step.object_id)
    if found is not None:
        record(ctx, step, MOVE, put=(placed(ctx, found, step),))
    return Ended()


def as_declared(ctx: Context, step: Step) -> Ended:
    found = ctx.record(step.object_id)
    if found is None:
        return Ended()
    new = placed(ctx, found, step)
    if isinstance(new, TokenRecord) and step.address in ctx.wanted:
        application = ctx.wanted[step.address][0]
        new = replace(new, prevent_destroy=application.prevent_destroy, on_destroy=application.policy.on_destroy)
    elif isinstance(new, ApplicationRecord) and step.address in ctx.applications:
        new = replace(new, prevent_destroy=ctx.applications[step.address].prevent_destroy)
    record(ctx, step, RECORD, put=(new,))
    return Ended()


def placed(ctx: Context, found: ResourceRecord, step: Step) -> ResourceRecord:
    """The record at the step's address. A token goes with its application, whose own `moved` block names it."""
    if isinstance(found, ApplicationRecord | CreditsRecord):
        return replace(found, address=step.address)
    if step.address in ctx.wanted:
        application, consumer = ctx.wanted[step.address]
        return replace(found, address=step.address, application=application.address, consumer=consumer)
    return replace(found, address=step.address, application=follow(ctx.desired, found.application))
