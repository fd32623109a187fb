"""An application that is recorded of another provider than the declared one: what becomes of the client there.

The new one takes its address, and the engine deletes the old one once no token needs it, if it was ours: a plan says
so, and the guards look at it as at any other end.
"""

from __future__ import annotations

from provisioner.model.desired import Application
from provisioner.model.plan import (
    ADOPT_APPLICATION,
    NOOP,
    NOTHING,
    REGISTER_APPLICATION,
    REPLACE,
    REPLACE_TOKEN,
    ROTATE_APPLICATION,
    Reason,
    Step,
)
from provisioner.model.recorded import CREATED, LIVE, RETIRING, ApplicationRecord, TokenRecord
from provisioner.planning.situation import Situation
from provisioner.planning.values import SENSITIVE, of_record
from provisioner.records import replace


def with_its_end(situation: Situation, application: Application, step: Step | None) -> Step | None:
    """The application's step; a replacement where it ends a client of ours at the provider that it is recorded of."""
    old = situation.application_record(application.address)
    if step is None or old is None or old.provider == application.provider:
        return step
    why = f"recorded of provider {old.provider}, and {application.provider} is declared"
    if step.operation not in (REGISTER_APPLICATION, ADOPT_APPLICATION) or old.managed != CREATED:
        return replace(step, reason=Reason("provider-changed", why)) if step.reason.code == "missing" else step
    return replace(
        step,
        action=REPLACE,
        operation=ROTATE_APPLICATION if step.operation == REGISTER_APPLICATION else step.operation,
        reason=Reason("provider-changed", f"{why}: its tokens are issued anew, and then the client there is deleted"),
        object_id=old.id,
        action_reason="replace_because_cannot_update",
        before=of_record(old, situation.now),
        before_sensitive=SENSITIVE["application"],
        importing=None,
        previous_address=situation.previous.get(old.id),
    )


def left_behind(situation: Situation, old: ApplicationRecord, drop: Step, steps: list[Step]) -> Step:
    """The step of a recorded application that is declared at a vendor which has none: `drop`, after all that was issued
    to it has ended. Its tokens are revoked as that client, so it stays for as long as an overlap keeps one alive.

    `steps`: those of all tokens. `drop` itself where the application is not declared at all."""
    application = situation.applications.get(drop.address)
    if application is None:
        return drop
    why = f"recorded of provider {old.provider}, and {application.provider} is declared, which has no applications"
    issued = {
        record.id: record
        for record in situation.state.objects.values()
        if isinstance(record, TokenRecord) and (record.application, record.provider) == (old.address, old.provider)
    }
    theirs = [step for step in steps if step.object_id in issued]
    if any(_lives_on(situation, step, issued[step.object_id or ""]) for step in theirs):
        stays = Reason("superseded", f"{why}; it stays until its tokens have ended")
        return replace(
            drop,
            action=NOOP,
            operation=NOTHING,
            reason=stays,
            action_reason=None,
            after=drop.before,
            after_sensitive=drop.before_sensitive,
            handoff=None,
            depends_on=(),
        )
    ends = tuple(step.id for step in theirs if step.operation != NOTHING)
    return replace(drop, reason=Reason("provider-changed", why), depends_on=(*drop.depends_on, *ends))


def _lives_on(situation: Situation, step: Step, record: TokenRecord) -> bool:
    """Whether a token still serves somebody after this plan."""
    if record.status_at(situation.now) not in (LIVE, RETIRING):
        return False
    return step.operation == NOTHING or (step.operation == REPLACE_TOKEN and step.params.get("overlap") != "0s")
