"""A long apply whose steps fail by the thousand is as calm as one that goes well."""

from __future__ import annotations

import io

from provisioner.address import Address
from provisioner.cli.console import Console
from provisioner.cli.views.human import HumanView
from provisioner.engine.events import DONE, FAILED, IN_DOUBT, NOT_STARTED, ApplyResult, StepResult
from provisioner.errors import Diagnostic
from provisioner.model.observed import Observed
from provisioner.model.plan import CREATE, CREATE_TOKEN, Plan, PlanOptions, Reason, Step
from provisioner.times import from_rfc3339

NOW = from_rfc3339("2026-11-21T12:00:00Z")
MANY = 3000


def _step(number: int) -> Step:
    where = Address("token", "t", (f"{number:04}",))
    return Step(
        id=str(where),
        address=where,
        action=CREATE,
        operation=CREATE_TOKEN,
        reason=Reason("missing", "none is recorded"),
        provider="ez",
        provider_type="eztexting",
    )


STEPS = tuple(map(_step, range(MANY)))
PLAN = Plan(
    stack="s",
    now=NOW,
    lineage="",
    serial=0,
    head="",
    options=PlanOptions(),
    observed=Observed(at=NOW),
    steps=STEPS,
)


def _told(*, full: bool) -> tuple[str, str]:
    """A third is unreachable, a third waits for it, three are in doubt, the rest is done."""
    out, err = io.StringIO(), io.StringIO()
    view = HumanView(Console({}, out, err), full=full, planning=True)
    view.plan(PLAN, will_apply=True)
    results = []
    for number, step in enumerate(STEPS):
        status = (FAILED, NOT_STARTED, DONE)[number % 3] if number >= 3 else IN_DOUBT
        names = {FAILED: "unreachable", IN_DOUBT: "in-doubt"}
        said = (Diagnostic(name=names[status], summary="no answer", address=step.id),) if status in names else ()
        results.append(StepResult(step=step, status=status, diagnostics=said))
        view.started(step)
        view.finished(results[-1])
    view.applied(ApplyResult(results=tuple(results), exit_code=1))
    view.close(1)
    return out.getvalue(), err.getvalue()


def test_what_thousands_have_in_common_is_counted() -> None:
    """Twenty problems of a kind, a hundred ends of a kind, then how many more; every doubt; --full tells all."""
    out, err = _told(full=False)
    assert err.count("E0502 unreachable") == 20
    assert err.count("E0703 in-doubt") == 3
    assert "  and 979 more of E0502 unreachable\n" in out
    assert (out.count("Creation errored"), out.count(": Not started")) == (100, 100)
    assert out.count("Creation in doubt") == 3
    assert "Apply incomplete. Resources: 999 added" in out
    assert "999 steps failed: " in out
    assert (out + err).count("\n") < 500
    loud, cries = _told(full=True)
    assert (loud.count("Creation errored"), cries.count("E0502 unreachable")) == (999, 999)
