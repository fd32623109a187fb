"""One stack with something of everything: what the tests of `render/` draw."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

from render_world import CANARY, HEAD, LINEAGE, NOW, address, desired, observed, records, state, token_record

from provisioner.engine.events import DONE, FAILED, IN_DOUBT, NOT_STARTED, ApplyResult, StepResult
from provisioner.engine.events import HANDOFF as WAITING
from provisioner.errors import Diagnostic
from provisioner.model.plan import (
    CREATE,
    DELETE,
    FORGET,
    HANDOFF,
    NOOP,
    PURCHASE,
    REPLACE,
    UPDATE,
    Drift,
    Handoff,
    Plan,
    PlanOptions,
    Reason,
    Spend,
    Step,
)
from provisioner.planning import values

__all__ = ["CANARY", "HEAD", "LINEAGE", "NOW", "address", "desired", "observed", "records", "state", "token_record"]


def step(text: str, action: tuple[str, ...], **changes: Any) -> Step:
    where = address(text)
    defaults: dict[str, Any] = {
        "id": text,
        "address": where,
        "action": action,
        "operation": "token.create",
        "reason": Reason("missing", "No token is recorded."),
        "provider": "ez" if where.type == "credits" else "cx",
        "provider_type": "eztexting" if where.type == "credits" else "smscx",
    }
    return Step(**{**defaults, **changes})


def steps() -> tuple[Step, ...]:
    known = {record.id: record for record in records()}
    application = values.of_record(known["o1"], NOW)
    token = values.of_record(known["o2"], NOW)
    floor = values.of_record(known["o6"], NOW, state().purchases)
    fresh = {**token, **dict.fromkeys(values.TOKEN_UNKNOWN), "generation": 1}
    return (
        step(
            "application.campaigns",
            UPDATE,
            operation=HANDOFF,
            reason=Reason("scopes-differ", "SMS.CX has other scopes than the file."),
            before=application,
            after={**application, "scopes": ["groups", "numbers", "sms"]},
            handoff=Handoff(
                ("Open Applications.", "Choose Campaign sender.", 'Tick "numbers", and save'), "https://sms.cx/apps"
            ),
        ),
        step(
            "application.imported",
            NOOP,
            operation="application.adopt",
            reason=Reason("found", "It exists at SMS.CX."),
            before=application,
            after=application,
            importing="3fd97176",
        ),
        step(
            "application.renamed",
            NOOP,
            operation="move",
            reason=Reason("moved", "The file says so."),
            before=application,
            after=application,
            previous_address=address("application.former"),
        ),
        step(
            'token.campaigns["web"]',
            REPLACE,
            operation="token.replace",
            reason=Reason("scopes-changed", "The declared scopes changed."),
            action_reason="replace_because_cannot_update",
            before=token,
            after={**fresh, "generation": 4, "scopes": ["groups", "numbers", "sms"]},
            after_unknown=values.TOKEN_UNKNOWN,
            replace_paths=(("scopes",),),
        ),
        step(
            'token.campaigns["web"]',
            DELETE,
            id='token.campaigns["web"]#1a2b3c4d',
            operation="token.revoke",
            deposed="1a2b3c4d",
            reason=Reason("overlap-over", "Its overlap is over."),
            before=token,
        ),
        step("token.fresh", CREATE, after=fresh, after_unknown=values.TOKEN_UNKNOWN),
        step(
            "token.gone",
            FORGET,
            operation="forget",
            reason=Reason("not-declared", "It is not declared any more."),
            before=token,
        ),
        step(
            "token.asked",
            REPLACE,
            operation="token.replace",
            action_reason="replace_by_request",
            reason=Reason("requested", "--replace names it."),
            before=token,
            after={**fresh, "generation": 4},
            after_unknown=values.TOKEN_UNKNOWN,
        ),
        step(
            "token.steady",
            NOOP,
            operation="nothing",
            reason=Reason("current", "It is current."),
            before=token,
            after=token,
        ),
        step(
            "credits.ez",
            UPDATE,
            operation=PURCHASE,
            reason=Reason("below-floor", "The balance of 4100.5 is below 5000."),
            before=floor,
            after={**floor, "purchase": Decimal(2000), "minimum": Decimal(5000)},
            after_unknown=("balance",),
        ),
    )


def plan(**changes: Any) -> Plan:
    base = Plan(
        stack="messaging",
        now=NOW,
        lineage=LINEAGE,
        serial=42,
        head=HEAD,
        options=PlanOptions(replaces=("token.asked",)),
        observed=observed(),
        steps=steps(),
        drift=(
            Drift(
                address=address('token.campaigns["web"]'),
                code="scope-changed",
                sentence="SMS.CX grants only sms.",
                provider_type="smscx",
                before={"scopes": ["groups", "sms"]},
                after={"scopes": ["sms"]},
                object_id="o2",
            ),
        ),
        spends=(
            Spend(
                address=address("credits.ez"),
                provider="ez",
                amount=Decimal(2000),
                unit="credits",
                cost=Decimal(40),
                currency="USD",
            ),
        ),
        diagnostics=(
            Diagnostic(
                name="lives-too-short",
                summary="A token cannot live until the next run",
                detail="It lives an hour. Run apply more often, or set run_interval to what is true.",
                severity="warning",
                address="token.fresh",
                file="provisioner.toml",
                line=12,
                key_path="stack.run_interval",
            ),
        ),
        variables={"region": "eu"},
    )
    return replace(base, **changes)


def empty_plan(**changes: Any) -> Plan:
    return plan(**{"steps": (), "drift": (), "spends": (), "diagnostics": (), **changes})


def result() -> ApplyResult:
    by_id = {s.id: s for s in steps()}
    problem = Diagnostic(name="refused", summary="The provider refused one request", address="token.fresh")
    return ApplyResult(
        results=(
            StepResult(step=by_id["application.campaigns"], status=WAITING),
            StepResult(step=by_id["application.imported"], status=DONE),
            StepResult(step=by_id['token.campaigns["web"]'], status=DONE, elapsed=1.2),
            StepResult(step=by_id["token.fresh"], status=FAILED, diagnostics=(problem,), elapsed=71.0),
            StepResult(step=by_id["token.gone"], status=NOT_STARTED),
            StepResult(step=by_id["credits.ez"], status=IN_DOUBT, elapsed=30.0),
        ),
        exit_code=1,
    )
