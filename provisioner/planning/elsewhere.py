"""An application that is recorded of another provider than the declared one: what becomes of the client there.

The new one takes its address, and the engine deletes the old one once no token needs it, if it was ours: a plan says
so, and the guards look at it as at any other end.
"""

from __future__ import annotations

from provisioner.model.desired import Application
from provisioner.model.plan import ADOPT_APPLICATION, REGISTER_APPLICATION, REPLACE, ROTATE_APPLICATION, Reason, Step
from provisioner.model.recorded import CREATED
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
