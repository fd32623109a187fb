"""Every rule, in the order of docs/audit-rules.md, and the one function that asks them all."""

from __future__ import annotations

from datetime import datetime
from itertools import chain

from provisioner.audit import rules_history, rules_money, rules_state, rules_tokens
from provisioner.audit.case import Case
from provisioner.audit.finding import ERROR, Finding, Found, Place, Rule
from provisioner.audit.policy import NO_POLICY, Policy
from provisioner.records import dataclass, field

RULES: tuple[Rule, ...] = (
    rules_state.schema_violation,
    rules_state.secret_in_clear,
    rules_tokens.token_expired,
    rules_tokens.token_near_expiry,
    rules_tokens.token_too_old,
    rules_tokens.token_lives_too_long,
    rules_tokens.token_never_expires,
    rules_tokens.token_scopes_broader,
    rules_tokens.token_scopes_narrower,
    rules_tokens.token_orphaned,
    rules_tokens.token_retirement_overdue,
    rules_tokens.token_lost,
    rules_tokens.token_revoked_outside,
    rules_tokens.token_unauthorized,
    rules_tokens.token_value_shredded,
    rules_state.operation_in_doubt,
    rules_state.operation_in_doubt_overdue,
    rules_state.handoff_overdue,
    rules_money.floor_unmet,
    rules_money.purchase_over_guard,
    rules_money.purchase_outside_run,
    rules_state.application_undeclared,
    rules_state.application_scopes_broader,
    rules_state.recipient_undeclared,
    rules_state.recipients_unlisted,
    rules_history.edit_by_hand,
    rules_history.prevent_destroy_lifted,
    rules_history.rollback_accepted,
    rules_history.entry_unexpected,
    rules_history.clock_went_back,
)
BY_ID = {rule.id: rule for rule in RULES}

# Findings that come before any rule can be asked, under the names of their diagnostics (docs/diagnostics.md): exit 7.
UNVERIFIED = ("state-damaged", "state-rolled-back", "state-foreign", "state-newer-format", "head-unexpected")
SILENCE_EXPIRED = "silence-expired"


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What the rules say. `skipped` are the ids of rules that need a desired-state file where there is none; `unused`
    the silences of the policy that silence nothing."""

    findings: tuple[Finding, ...] = ()
    silenced: tuple[Finding, ...] = ()
    skipped: tuple[str, ...] = ()
    unused: tuple[str, ...] = field(default=())


def judge(case: Case, policy: Policy = NO_POLICY, *, journal: str | None = None) -> Judged:
    """Asks every rule. `journal` is where the segments lie, for places in reports; None where they are no files."""
    reviewed = case.trail.serials.get(policy.reviewed or "", 0)
    skipped = tuple(rule.id for rule in RULES if rule.needs_file and case.desired is None)
    asked = (rule for rule in RULES if rule.id not in skipped)
    said = chain.from_iterable(_ask(rule, case, policy, reviewed, journal) for rule in asked)
    findings: list[Finding] = []
    silenced: list[Finding] = []
    used: set[int] = set()
    for finding in said:
        silence = policy.silence_of(finding, case.now)
        if silence is None:
            findings.append(finding)
        else:
            used.add(id(silence))
            silenced.append(silence.applied(finding))
    findings.extend(_expired_silences(policy, case.now))
    unused = tuple(s.text for s in policy.silences if id(s) not in used and not s.expired(case.now))
    return Judged(
        findings=tuple(sorted(findings, key=lambda f: f.order)),
        silenced=tuple(sorted(silenced, key=lambda f: f.order)),
        skipped=skipped,
        unused=unused,
    )


def _ask(rule: Rule, case: Case, policy: Policy, reviewed: int, journal: str | None) -> list[Finding]:
    found = rule.check(case)
    if rule.history and reviewed:
        found = (item for item in found if item.mark is None or item.mark.serial > reviewed)
    return [_finding(rule, item, policy, _place(case, item, journal)) for item in found]


def _finding(rule: Rule, found: Found, policy: Policy, place: Place | None) -> Finding:
    remedy = found.remedy or rule.remedy
    return Finding(
        rule_id=rule.id,
        severity=policy.severity_of(rule.id, found.severity or rule.severity),
        address=found.address,
        message=found.message,
        remedy=remedy.replace("ADDRESS", f"'{found.address}'") if found.address else remedy,
        since=found.since,
        key=found.key,
        place=place,
    )


def _place(case: Case, found: Found, journal: str | None) -> Place | None:
    """The entry that it is about, where that lies in a file; else where its application or floor is declared."""
    if found.mark is not None and journal is not None:
        return Place(file=f"{journal}/{found.mark.segment}.jsonl", line=found.mark.line)
    for application in case.desired.applications if case.desired else ():
        names = {str(a) for a in (application.address, *(address for address, _ in application.token_addresses))}
        if application.file is not None and found.address in names:
            return Place(file=application.file, line=max(application.line or 1, 1))
    for floor in case.desired.credits if case.desired else ():
        if floor.file is not None and found.address == str(floor.address):
            return Place(file=floor.file, line=max(floor.line or 1, 1))
    return None


def _expired_silences(policy: Policy, now: datetime) -> list[Finding]:
    return [
        Finding(
            rule_id=SILENCE_EXPIRED,
            severity=ERROR,
            address=silence.address,
            message=f"The silence of {silence.text} ended on {silence.until.isoformat()}. Its reason was: "
            f"{silence.reason}",
            remedy="Put right what it silenced and take it out of the policy file; or look at it again and set "
            "another date.",
            since=silence.ends,
            key=silence.text,
        )
        for silence in policy.silences
        if silence.expired(now)
    ]
