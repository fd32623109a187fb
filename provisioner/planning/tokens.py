"""Steps for tokens: the policies' verdict turned into an action, an operation and what the engine needs for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from provisioner.address import Address
from provisioner.errors import Diagnostic
from provisioner.model.desired import Application
from provisioner.model.plan import (
    CREATE,
    CREATE_TOKEN,
    DELETE,
    FORGET,
    FORGET_RECORD,
    HANDOFF,
    MOVE,
    NOOP,
    NOTHING,
    RECORD,
    REFRESH_TOKEN,
    REGISTER_APPLICATION,
    REPLACE,
    REPLACE_TOKEN,
    REVOKE_TOKEN,
    ROTATE_APPLICATION,
    UPDATE,
    UPDATE_APPLICATION,
    Handoff,
    Reason,
    Step,
)
from provisioner.model.recorded import EXPIRED, LIVE, LOST, RETIRING, REVOKED, UNAUTHORIZED, TokenRecord
from provisioner.planning import policies, refactoring
from provisioner.planning.policies import TokenCase, Verdict, judge
from provisioner.planning.situation import Situation
from provisioner.planning.values import SENSITIVE, TOKEN_UNKNOWN, AsRecorded, of_record, of_wanted_token
from provisioner.providers.base import Revoke
from provisioner.records import dataclass
from provisioner.times import format_duration

_SECRETS = SENSITIVE["token"]
_ANOTHER_CLIENT = (REGISTER_APPLICATION, ROTATE_APPLICATION)
# Steps of an application that its tokens must wait for; an adoption is not one of them, because it sends nothing.
_MAKES_CLIENT = (REGISTER_APPLICATION, UPDATE_APPLICATION, ROTATE_APPLICATION)


@dataclass(frozen=True, slots=True)
class TokenStep:
    step: Step
    diagnostics: tuple[Diagnostic, ...] = ()


def plan_token(
    situation: Situation, application: Application, address: Address, consumer: str | None, parent: Step | None
) -> TokenStep:
    """The step of one wanted token. `parent` is its application's step, None at a vendor without applications."""
    case = _case(situation, application, address)
    verdict = judge(case)
    begins_anew = verdict.remedy in (policies.CREATE, policies.AUTHORIZE)
    if parent is not None and parent.operation in _ANOTHER_CLIENT and case.record is not None and not begins_anew:
        remedy = policies.REAUTHORIZE if case.vendor.needs_person(application) else policies.REPLACE
        verdict = Verdict("client-changed", remedy, "its application is registered anew")
    depends = (parent.id,) if parent is not None and parent.operation in _MAKES_CLIENT else ()
    builder = _Builder(situation, case, address, consumer, verdict, depends)
    blocked = _held_back(case, parent) if verdict.remedy in (policies.CREATE, policies.REPLACE) else None
    if blocked is not None:
        return TokenStep(builder.waits(blocked, "application-missing", "; its application waits for a person"))
    return TokenStep(builder.build(), builder.warnings())


def _case(situation: Situation, application: Application, address: Address) -> TokenCase:
    record = situation.token_record(address)
    observation = situation.observed.of(application.provider)
    seen = observation.applications.get(str(application.address)) if observation.applications else None
    return TokenCase(
        application=application,
        vendor=situation.vendor_of(application),
        record=record,
        observed=observation.tokens.get(record.id) if record else None,
        application_record=situation.application_record(application.address),
        observed_application=seen,
        operations=situation.operations.get(address, ()),
        requested=address in situation.replaces,
        run_interval=situation.desired.run_interval,
        now=situation.now,
    )


def _held_back(case: TokenCase, parent: Step | None) -> Handoff | None:
    """A handoff of the application that this token really needs: a missing application, or scopes that it lacks.

    A token whose scopes the vendor's application already has is minted although the application itself differs.
    """
    if parent is None or parent.handoff is None:
        return None
    seen = case.observed_application
    if seen is None or not seen.exists:
        return parent.handoff
    if seen.scopes is not None and not case.vendor.covers(seen.scopes, case.application.scopes):
        return parent.handoff
    return None


def authorize_handoff(application: Application, consumer: str | None) -> Handoff:
    """What a person does once."""
    return Handoff((f"Run `{authorize_command(application.address, consumer)}` and approve in the browser.",))


def authorize_command(application: Address, consumer: str | None) -> str:
    """The command line that authorizes one token, as a shell takes it."""
    name = str(application).removeprefix("application.")
    quoted = f"'{name}'" if application.keys else name
    return f"provisioner authorize {quoted}" + (f" --consumer '{consumer}'" if consumer else "")


class _Builder:
    """Makes the one step of a token from its verdict."""

    def __init__(
        self,
        situation: Situation,
        case: TokenCase,
        address: Address,
        consumer: str | None,
        verdict: Verdict,
        depends_on: tuple[str, ...],
    ) -> None:
        self.situation = situation
        self.case = case
        self.address = address
        self.consumer = consumer
        self.verdict = verdict
        self.depends_on = depends_on

    @property
    def wanted(self) -> dict[str, Any]:
        generation = self.case.record.generation + 1 if self.case.record else 1
        return of_wanted_token(self.case.application, self.consumer, generation)

    def build(self) -> Step:
        match self.verdict.remedy:
            case policies.CREATE:
                return self._issue(CREATE, CREATE_TOKEN)
            case policies.REPLACE:
                return self._issue(REPLACE, REPLACE_TOKEN)
            case policies.REFRESH:
                return self._issue(UPDATE, REFRESH_TOKEN)
            case policies.AUTHORIZE | policies.REAUTHORIZE:
                return self.waits(authorize_handoff(self.case.application, self.consumer), self.verdict.code)
            case _:
                return self._kept()

    def _issue(self, action: tuple[str, ...], operation: str) -> Step:
        application, record = self.case.application, self.case.record
        params: dict[str, Any] = {}
        if operation == REFRESH_TOKEN and not self.case.vendor.needs_person(application):
            params["fallback"] = CREATE_TOKEN  # a dead refresh token costs no person: the same step asks anew
        if operation == REPLACE_TOKEN:
            params["overlap"] = format_duration(application.policy.overlap)
        after = self.wanted
        if operation == REFRESH_TOKEN and record is not None:
            after["scopes"] = list(record.scopes)
        # A record that is no token any more (revoked outside, lost, expired) is history, not something to replace.
        gone = operation == CREATE_TOKEN
        return self._step(
            action,
            operation,
            after=after,
            after_unknown=TOKEN_UNKNOWN,
            before=None if gone else self._before(),
            action_reason="replace_by_request" if self.verdict.code == "requested" else self._terraform_reason(action),
            params=params,
        )

    def _terraform_reason(self, action: tuple[str, ...]) -> str | None:
        return "replace_because_cannot_update" if action == REPLACE else None

    def waits(self, handoff: Handoff, code: str, more: str = "") -> Step:
        record = self.case.record
        serves = record is not None and record.status_at(self.situation.now) in (LIVE, UNAUTHORIZED)
        renewing = self._renews_while_waiting()
        return self._step(
            UPDATE if serves else CREATE,
            REFRESH_TOKEN if renewing else HANDOFF,
            after=self.wanted,
            after_unknown=TOKEN_UNKNOWN,
            before=self._before() if serves else None,
            handoff=handoff,
            reason=Reason(code, self.verdict.sentence + more),
        )

    def _renews_while_waiting(self) -> bool:
        """A token that waits for a person with other scopes is kept alive meanwhile, where it is due."""
        case = self.case
        if self.verdict.remedy != policies.REAUTHORIZE or not case.can_refresh:
            return False
        return any(check(case) is not None for check in (policies.expired, policies.expiring, policies.refresh_lapsing))

    def _kept(self) -> Step:
        record = self.case.record
        if record is None:
            raise AssertionError("a token without a record is never kept")
        before = AsRecorded(record, self.situation.now)
        application = self.case.application
        declared = {"prevent_destroy": application.prevent_destroy, "on_destroy": application.policy.on_destroy}
        changed = sorted(key for key, value in declared.items() if getattr(record, key) != value)
        if changed:
            reason = Reason("guard-changed", f"declared otherwise than recorded: {', '.join(changed)}")
            return self._step(UPDATE, RECORD, after={**before, **declared}, before=before, reason=reason)
        moved = record.id in self.situation.previous
        told = Reason("moved", f"was {self.situation.previous[record.id]}") if moved else None
        return self._step(NOOP, MOVE if moved else NOTHING, after=before, before=before, reason=told)

    def warnings(self) -> tuple[Diagnostic, ...]:
        if self.verdict.warning is None:
            return ()
        summary = f"{self.address} was {self.verdict.sentence}"
        detail = (
            "It is kept, and not asked for again until the declaration or the application changes; "
            f"`provisioner apply --replace '{self.address}'` asks again now."
        )
        name = self.verdict.warning
        return (Diagnostic(name=name, summary=summary, detail=detail, severity="warning", address=str(self.address)),)

    def _before(self) -> dict[str, Any] | None:
        return of_record(self.case.record, self.situation.now) if self.case.record else None

    def _step(
        self,
        action: tuple[str, ...],
        operation: str,
        *,
        after: Mapping[str, Any],
        before: Mapping[str, Any] | None,
        after_unknown: tuple[str, ...] = (),
        action_reason: str | None = None,
        params: dict[str, Any] | None = None,
        handoff: Handoff | None = None,
        reason: Reason | None = None,
    ) -> Step:
        case = self.case
        seen = case.observed_application
        scopes = seen.scopes if seen is not None and seen.scopes is not None else None
        if scopes is None and case.application_record is not None:
            scopes = case.application_record.scopes
        given = dict(params or {})
        if operation in (CREATE_TOKEN, REPLACE_TOKEN, REFRESH_TOKEN) and scopes is not None:
            given["application_scopes"] = list(scopes)
        return Step(
            id=str(self.address),
            address=self.address,
            action=action,
            operation=operation,
            reason=reason or Reason(self.verdict.code, self.verdict.sentence),
            provider=case.application.provider,
            provider_type=self.situation.provider_type(case.application.provider),
            object_id=case.record.id if case.record else None,
            action_reason=action_reason,
            before=before,
            after=after,
            after_unknown=after_unknown,
            before_sensitive=_SECRETS if before is not None else (),
            after_sensitive=_SECRETS,
            previous_address=self.situation.previous.get(case.record.id) if case.record else None,
            handoff=handoff,
            depends_on=self.depends_on,
            params=given,
        )


def drop_token(situation: Situation, address: Address, record: TokenRecord, reason: Reason | None = None) -> Step:
    """The step of a recorded token that is to go: revoked, or forgotten with how a person kills it."""
    vendor = situation.vendors(record.provider_type)
    keep = record.deposed is None and _on_destroy(situation, record) == "keep"
    status = record.status_at(situation.now)
    sentence, terraforms = situation.gone(refactoring.follow(situation.desired, record.application), record.consumer)
    why: Reason = reason or Reason("not-declared", sentence)
    dead = status in (EXPIRED, REVOKED, UNAUTHORIZED) and record.refresh_token is None
    handoff: Handoff | None = None
    if record.id in situation.forgotten:
        action, operation, why = FORGET, FORGET_RECORD, Reason("removed", "a removed block says to forget it")
    elif keep:
        action, operation, why = FORGET, FORGET_RECORD, Reason(why.code, f"{why.sentence}; on_destroy keeps it alive")
    elif dead or status == REVOKED:
        action, operation = DELETE, FORGET_RECORD
    elif _revoke(situation, record) is Revoke.NO or (status == LOST):
        action, operation, handoff = FORGET, FORGET_RECORD, vendor.kill_handoff(record)
    else:
        action, operation = DELETE, REVOKE_TOKEN
    return Step(
        id=str(address) + (f"#{record.deposed}" if record.deposed else ""),
        address=address,
        action=action,
        operation=operation,
        reason=why,
        provider=record.provider,
        provider_type=record.provider_type,
        object_id=record.id,
        deposed=record.deposed,
        action_reason=terraforms if action == DELETE and record.deposed is None else None,
        before=of_record(record, situation.now),
        before_sensitive=_SECRETS,
        handoff=handoff,
    )


def retire(situation: Situation, address: Address, record: TokenRecord) -> Step:
    """The step of a deposed token: revoked once its overlap is over, else left alone."""
    due = record.status == RETIRING and record.retire_at is not None and record.retire_at <= situation.now
    if due and record.status_at(situation.now) != EXPIRED and _revoke(situation, record) is not Revoke.NO:
        over = Reason("overlap-over", "its replacement serves, and the overlap is over")
        return drop_token(situation, address, record, over)
    moved = record.id in situation.previous
    sentence = {
        RETIRING: "its replacement serves; it lives on for the overlap or until it expires",
        LOST: "made by a request that was never answered; it may live until the time shown",
    }.get(record.status, "deposed")
    return Step(
        id=f"{address}#{record.deposed}",
        address=address,
        action=NOOP,
        operation=MOVE if moved else NOTHING,
        reason=Reason(record.status, sentence),
        provider=record.provider,
        provider_type=record.provider_type,
        object_id=record.id,
        deposed=record.deposed,
        before=of_record(record, situation.now),
        after=of_record(record, situation.now),
        before_sensitive=_SECRETS,
        after_sensitive=_SECRETS,
        previous_address=situation.previous.get(record.id),
    )


def _revoke(situation: Situation, record: TokenRecord) -> Revoke:
    return situation.vendors(record.provider_type).revoke(situation.observed.of(record.provider))


def _on_destroy(situation: Situation, record: TokenRecord) -> str:
    """As declared where the application still is, else as it was when last applied."""
    application = situation.applications.get(record.application)
    return application.policy.on_destroy if application is not None else record.on_destroy
