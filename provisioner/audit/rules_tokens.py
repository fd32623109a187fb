"""Rules about tokens: whether each is what it should be, and whether one lives that should not."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from provisioner.audit.case import Case
from provisioner.audit.datakeys import sealed_under
from provisioner.audit.finding import ERROR, WARNING, Found, rule
from provisioner.model.desired import TokenPolicy
from provisioner.model.recorded import EXPIRED, LIVE, LOST, RETIRING, REVOKED, UNAUTHORIZED, TokenRecord
from provisioner.planning import policies
from provisioner.planning.renewal import due_at
from provisioner.planning.tokens import authorize_command
from provisioner.times import format_duration, to_rfc3339

APPLY = "Run `provisioner apply`."
_BUILT_IN = TokenPolicy(name="built-in")


def authorize(record: TokenRecord) -> str:
    return f"A person must agree again: `{authorize_command(record.application, record.consumer)}`."


def _renewal(case: Case, record: TokenRecord) -> str:
    """How this token is renewed."""
    can_refresh = record.refresh_token is not None and (
        record.refresh_expires_at is None or record.refresh_expires_at > case.now
    )
    return (
        authorize(record)
        if case.person_authorizes(record) and not can_refresh
        else "Run `provisioner apply`, which renews it."
    )


def _alive(record: TokenRecord, now: datetime) -> bool:
    return record.status_at(now) in (LIVE, RETIRING)


def _usable(record: TokenRecord, now: datetime) -> bool:
    """Alive, or renewable by whoever holds its refresh token."""
    ends = record.refresh_expires_at
    renewable = (
        record.status in (LIVE, RETIRING) and record.refresh_token is not None and ends is not None and ends > now
    )
    return _alive(record, now) or renewable


def _ends(record: TokenRecord) -> str:
    if record.expires_at is not None and record.refresh_expires_at is not None:
        return (
            f"until {to_rfc3339(record.expires_at)} (its refresh token until {to_rfc3339(record.refresh_expires_at)})"
        )
    return f"until {to_rfc3339(record.expires_at)}" if record.expires_at else "with no known end"


# -- its time --------------------------------------------------------------------------------------------------------


@rule(
    "token-expired",
    ERROR,
    "A token that serves has expired",
    reason="Whoever uses this token is refused by now. Runs of `apply` renew tokens before they end, so either none "
    "ran in time or a person has to authorize.",
    remedy=APPLY,
)
def token_expired(case: Case) -> Iterator[Found]:
    for record in case.tokens:
        if record.status_at(case.now) == EXPIRED and record.expires_at is not None:
            gone = format_duration(_whole(case.now - record.expires_at))
            message = f"It ended at {to_rfc3339(record.expires_at)}, {gone} ago."
            yield _of(record, message, since=record.expires_at, remedy=_renewal(case, record))


@rule(
    "token-near-expiry",
    WARNING,
    "A token is due for renewal",
    reason="Less than the policy's `renew_before` is left of it, or it would end before the run after the next "
    "(`stack.run_interval`): it is renewed by the next `apply`, and lapses if none comes. Without a desired-state file "
    "the built-in window is taken: a third of the life that was granted.",
    remedy=APPLY,
)
def token_near_expiry(case: Case) -> Iterator[Found]:
    judged = {token_case.record.id: token_case for token_case in case.token_cases() if token_case.record is not None}
    for record in case.tokens:
        if record.status_at(case.now) != LIVE:
            continue
        known = judged.get(record.id)
        if known is not None:
            verdict = policies.expiring(known) or policies.refresh_lapsing(known)
            sentence = verdict.sentence if verdict is not None else None
        else:
            sentence = _due_by_default(record, case.now)
        if sentence is not None:
            yield _of(
                record,
                f"{sentence[0].upper()}{sentence[1:]}.",
                since=_due(known, record, case.now),
                remedy=_renewal(case, record),
            )


def _due_by_default(record: TokenRecord, now: datetime) -> str | None:
    if record.expires_at is None:
        return None
    due = due_at(record.issued_at, record.expires_at, _BUILT_IN, timedelta())
    return None if due > now else f"ends at {to_rfc3339(record.expires_at)}, and is due since {to_rfc3339(due)}"


def _due(known: policies.TokenCase | None, record: TokenRecord, now: datetime) -> datetime | None:
    """Since when a token that is due is: by its own end, else by its refresh token's."""
    policy = known.application.policy if known is not None else _BUILT_IN
    interval = known.run_interval if known is not None else timedelta()
    ends = (record.expires_at, record.refresh_expires_at if known is not None and known.can_refresh else None)
    dues = (due_at(record.issued_at, end, policy, interval) for end in ends if end is not None)
    return next((due for due in dues if due <= now), None)


@rule(
    "token-too-old",
    WARNING,
    "A token is older than its policy allows",
    reason="The policy's `rotate_every` says after what time a token is replaced however long it would live, so that "
    "one that leaked without anybody noticing stops being of use.",
    remedy=APPLY,
    needs_file=True,
)
def token_too_old(case: Case) -> Iterator[Found]:
    for known in case.token_cases():
        record, policy = known.record, known.application.policy
        if record is None or policy.rotate_every is None or not _alive(record, case.now):
            continue
        # Where only a person can start a grant anew, a refresh is the rotation, and age counts from the last one.
        person = known.vendor.needs_person(known.application)
        began = record.issued_at if person else record.created_at or record.issued_at
        if case.now - began > policy.rotate_every:
            age = format_duration(_whole(case.now - began))
            limit = format_duration(policy.rotate_every)
            message = f"It is {age} old; policy {policy.name} has rotate_every = {limit}."
            yield _of(
                record, message, since=began + policy.rotate_every, remedy="Run `provisioner apply`, which replaces it."
            )


@rule(
    "token-lives-too-long",
    WARNING,
    "A token lives longer than its policy allows",
    reason="The policy's `max_lifetime` bounds what a leaked token is good for. This one was granted a longer life, "
    "or one without an end.",
    remedy="Set a shorter token lifetime at the vendor (SMS.CX: `token_lifetime`) and replace the token: "
    "`provisioner apply --replace ADDRESS`; or raise max_lifetime.",
    needs_file=True,
)
def token_lives_too_long(case: Case) -> Iterator[Found]:
    for known in case.token_cases():
        record, limit = known.record, known.application.policy.max_lifetime
        if record is None or limit is None or not _alive(record, case.now):
            continue
        life = record.expires_at - record.issued_at if record.expires_at is not None else None
        if life is None or life > limit:
            lives = "never ends" if life is None else f"was granted {format_duration(_whole(life))}"
            message = f"It {lives}; policy {known.application.policy.name} has max_lifetime = {format_duration(limit)}."
            yield _of(record, message, since=record.issued_at)


@rule(
    "token-never-expires",
    WARNING,
    "A token never expires",
    reason="Whoever finds this token can use it for ever, or until somebody revokes it. Some vendors have no other "
    "kind; then silence this for the address, with a date on which it is looked at again.",
    remedy="Choose a lifetime where the vendor has one (SMS.CX: `token_lifetime`; TEXTKING: no `offline_access`; an "
    "OAuth server: its own settings) and replace the token: `provisioner apply --replace ADDRESS`.",
)
def token_never_expires(case: Case) -> Iterator[Found]:
    for record in (*case.tokens, *case.deposed):
        if record.expires_at is None and record.status in (LIVE, RETIRING):
            serves = "It serves" if record.deposed is None else "It was replaced, and lives on"
            yield _of(
                record, f"{serves} with no known end since {to_rfc3339(record.issued_at)}.", since=record.issued_at
            )


# -- what it may do --------------------------------------------------------------------------------------------------


@rule(
    "token-scopes-broader",
    ERROR,
    "A token may do more than is declared",
    reason="The vendor granted scopes that nobody declared. Whoever gets hold of the token can do more than was "
    "agreed. Without a desired-state file, the scopes that were asked for are compared with.",
    remedy="Narrow the application's scopes at the vendor, then replace the token: `provisioner apply --replace "
    "ADDRESS`; or declare the scopes.",
)
def token_scopes_broader(case: Case) -> Iterator[Found]:
    for record in case.tokens:
        wanted = _wanted_scopes(case, record)
        if wanted and _alive(record, case.now) and not _covers(case, record, wanted, record.scopes):
            beyond = ", ".join(sorted(set(record.scopes) - set(wanted)))
            yield _of(record, f"It was granted {beyond} beyond what is declared.", since=record.issued_at)


@rule(
    "token-scopes-narrower",
    WARNING,
    "A token may do less than is declared",
    reason="The vendor granted fewer scopes than declared; what needs the others is refused. It is kept, and not "
    "asked for again until the declaration or the application at the vendor changes.",
    remedy="Give the application the scopes at the vendor and run `provisioner apply`; or take them out of the file.",
)
def token_scopes_narrower(case: Case) -> Iterator[Found]:
    for record in case.tokens:
        wanted = _wanted_scopes(case, record)
        if _alive(record, case.now) and not _covers(case, record, record.scopes, wanted):
            lacking = ", ".join(sorted(set(wanted) - set(record.scopes)))
            yield _of(record, f"It was granted without {lacking}.", since=record.issued_at)


def _wanted_scopes(case: Case, record: TokenRecord) -> tuple[str, ...]:
    declared = case.declared_token(record)
    return declared[0].scopes if declared is not None else record.requested_scopes


def _covers(case: Case, record: TokenRecord, granted: tuple[str, ...], wanted: tuple[str, ...]) -> bool:
    facts = case.facts(record.provider_type)
    return bool(facts.vendor.covers(granted, wanted)) if facts is not None else set(wanted) <= set(granted)


# -- tokens that nobody should have ----------------------------------------------------------------------------------


@rule(
    "token-orphaned",
    ERROR,
    "A token lives that nobody declares",
    reason="Its application or its consumer is not in the desired-state file, or the application that it was issued "
    "to is not recorded any more: nobody renews it, and nobody would miss it. Without a file only the second is "
    "looked at.",
    remedy="Run `provisioner apply`, which revokes it; or declare its application again.",
)
def token_orphaned(case: Case) -> Iterator[Found]:
    for record in (*case.tokens, *case.deposed):
        if not _usable(record, case.now) or case.is_let_go(record.id):
            continue
        facts = case.facts(record.provider_type)
        if case.desired is not None and case.declared_token(record) is None:
            if record.deposed is None or case.declared_application(record.application) is None:
                message = f"Nobody declares it (any more), and it lives {_ends(record)}."
                yield _of(record, message, since=record.issued_at)
        elif facts is not None and facts.has_applications and record.application not in case.applications:
            message = f"{record.application} is not recorded any more, and its token lives {_ends(record)}."
            yield _of(record, message, since=record.issued_at)


@rule(
    "token-retirement-overdue",
    ERROR,
    "A replaced token should have been revoked by now",
    reason="Its overlap is over and another token serves in its place, but no run has revoked it. (Where the vendor "
    "has no revoke, a replaced token lives until it expires, and this rule does not look at it.)",
    remedy="Run `provisioner apply`, which revokes it.",
)
def token_retirement_overdue(case: Case) -> Iterator[Found]:
    for record in case.deposed:
        facts = case.facts(record.provider_type)
        due = record.retire_at
        if record.status != RETIRING or not _usable(record, case.now) or due is None or due > case.now:
            continue
        may = facts.may_revoke if facts is not None else None
        if may is not False:
            unsure = "" if may else " (Whether its server revokes at all is not recorded.)"
            message = f"It was to be revoked from {to_rfc3339(due)} on, and lives {_ends(record)}.{unsure}"
            yield _of(record, message, since=due, severity=None if may else WARNING)


@rule(
    "token-lost",
    ERROR,
    "A token may exist that nobody holds",
    reason="Its creation was sent and never answered. If the vendor made it, it lives until its end, and no API call "
    "can find or revoke it.",
    remedy="Look for it at the vendor and end it there; it leaves the record once its latest possible end has passed.",
)
def token_lost(case: Case) -> Iterator[Found]:
    for record in (*case.tokens, *case.deposed):
        if record.status == LOST and (record.expires_at is None or record.expires_at > case.now):
            note = f" {record.note}" if record.note else ""
            message = f"It may live {_ends(record)}.{note}"
            yield _of(record, message, since=record.issued_at)


@rule(
    "token-revoked-outside",
    ERROR,
    "A token was revoked behind the recorded state's back",
    reason="The provider does not accept a token that is recorded as the one that serves. Somebody revoked it there, "
    "or the account or application was changed.",
    remedy="Find out who revoked it and why; then run `provisioner apply`, which makes another.",
)
def token_revoked_outside(case: Case) -> Iterator[Found]:
    for record in case.tokens:
        if record.status == REVOKED:
            since = _ended(case, record)
            yield _of(record, "The provider does not accept it any more.", since=since, remedy=_renewal(case, record))


@rule(
    "token-unauthorized",
    ERROR,
    "A token's grant is dead",
    reason="The server took neither the token nor its refresh token, and only a person can start another grant.",
    remedy="Run `provisioner authorize`.",
)
def token_unauthorized(case: Case) -> Iterator[Found]:
    for record in case.tokens:
        if record.status == UNAUTHORIZED:
            message = "The server took neither it nor its refresh token."
            yield _of(record, message, since=_ended(case, record), remedy=authorize(record))


@rule(
    "token-value-shredded",
    WARNING,
    "A recorded value cannot be opened by anybody any more",
    reason="The data key that sealed it does not lie beside the chain. Deleting one is how a value is shredded; for a "
    "token that serves, it means that nobody can be given the token, renew it or revoke it.",
    remedy="Restore keys/ from a backup of the state; or replace it: `provisioner apply --replace ADDRESS`.",
)
def token_value_shredded(case: Case) -> Iterator[Found]:
    shredded: dict[tuple[str, str, str], list[str]] = {}
    tokens = {record.id for record in (*case.tokens, *case.deposed)}
    for record, name, key_id in sealed_under(case.state.resources()):
        if key_id in case.keys.files or case.keys.fault is not None:
            continue
        if not isinstance(record, TokenRecord) or _usable(record, case.now):
            shredded.setdefault((str(record.address), record.id, key_id), []).append(name)
    for (address, object_id, key_id), names in shredded.items():
        verb = "is" if len(names) == 1 else "are"
        message = f"Its {' and '.join(names)} {verb} sealed under data key {key_id}, which is not there."
        remedy = None if object_id in tokens else "Restore keys/ from a backup of the state; or see docs/keys.md."
        yield Found(message=message, address=address, key=f"{object_id}:{key_id}", remedy=remedy)


def _ended(case: Case, record: TokenRecord) -> datetime | None:
    life = case.trail.lives.tokens.get(record.id)
    return life.spans[-1].ended if life is not None and life.spans else None


def _of(
    record: TokenRecord,
    message: str,
    *,
    since: datetime | None,
    remedy: str | None = None,
    severity: str | None = None,
) -> Found:
    text = f"Deposed object {record.deposed}: {message}" if record.deposed else message
    address = str(record.address)
    return Found(message=text, address=address, since=since, key=record.id, remedy=remedy, severity=severity)


def _whole(span: timedelta) -> timedelta:
    """To the second; days and hours where it is long."""
    seconds = int(span.total_seconds())
    step = 3600 if seconds >= 172800 else 60 if seconds >= 3600 else 1
    return timedelta(seconds=seconds - seconds % step)
