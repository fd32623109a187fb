"""What is wrong with a token, as an ordered chain of small functions, each named for the fault that it finds.

Each takes one frozen `TokenCase` and returns a `Verdict` or nothing; the first verdict wins. The code and the sentence
are what plan, audit, drift and history show. Nothing here does I/O, reads a clock or relies on what an earlier function
proved.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from provisioner.model.desired import Application
from provisioner.model.observed import DEAD, ObservedApplication, ObservedToken
from provisioner.model.recorded import LOST, REVOKED, UNAUTHORIZED, ApplicationRecord, Operation, TokenRecord
from provisioner.planning.renewal import due_at, rotation_due_at
from provisioner.providers.base import Refresh, Vendor
from provisioner.records import dataclass
from provisioner.times import format_duration, to_rfc3339


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenCase:
    """Everything that is known of one wanted token."""

    application: Application
    vendor: Vendor
    record: TokenRecord | None
    observed: ObservedToken | None
    application_record: ApplicationRecord | None
    observed_application: ObservedApplication | None
    operations: tuple[Operation, ...]  # announced for this address and not settled
    requested: bool  # named by --replace
    run_interval: timedelta
    now: datetime

    @property
    def client_id(self) -> str | None:
        """The client that a token would be issued to now, as far as it is known without a secret."""
        if self.observed_application is not None and self.observed_application.client_id:
            return self.observed_application.client_id
        if isinstance(self.application.client_id, str):
            return self.application.client_id
        return self.application_record.client_id if self.application_record else None

    @property
    def can_refresh(self) -> bool:
        """The vendor refreshes, and a refresh token is at hand that has not lapsed."""
        record = self.record
        return (
            record is not None
            and record.refresh_token is not None
            and self.vendor.refresh(self.application) is not Refresh.NONE
            and (record.refresh_expires_at is None or record.refresh_expires_at > self.now)
        )


CREATE, REFRESH, REPLACE, AUTHORIZE, REAUTHORIZE, KEEP = (
    "create",
    "refresh",
    "replace",
    "authorize",
    "reauthorize",
    "keep",
)


@dataclass(frozen=True, slots=True)
class Verdict:
    """`remedy` is one of the words above; `code` and `sentence` are for people and tools. `warning` names a diagnostic
    that a kept token brings with it."""

    code: str
    remedy: str
    sentence: str
    warning: str | None = None


Policy = Callable[[TokenCase], Verdict | None]


def missing(case: TokenCase) -> Verdict | None:
    if case.record is not None:
        return None
    pending = next((op for op in case.operations if op.op in ("token.create", "token.replace")), None)
    if pending is not None:
        sentence = (
            f"operation {pending.id} of {to_rfc3339(pending.since)} may have made a token whose answer never came"
        )
        return _anew(case, "lost", sentence)
    return _anew(case, "missing", "declared, and no token is recorded")


def provider_changed(case: TokenCase) -> Verdict | None:
    if case.record is None or case.record.provider == case.application.provider:
        return None
    sentence = f"issued by provider {case.record.provider}, and {case.application.provider} is declared"
    return _instead(case, "provider-changed", sentence)


def unauthorized(case: TokenCase) -> Verdict | None:
    if case.record is None or case.record.status != UNAUTHORIZED:
        return None
    if case.can_refresh:
        return Verdict("unauthorized", REFRESH, "its refresh was refused without a reason; it is tried again")
    return _anew(case, "unauthorized", "its grant is dead: the server took neither the token nor its refresh token")


def lost(case: TokenCase) -> Verdict | None:
    if case.record is None or case.record.status != LOST:
        return None
    return _anew(case, "lost", "its value was never received")


def revoked_outside(case: TokenCase) -> Verdict | None:
    record, observed = case.record, case.observed
    if record is None:
        return None
    if record.status == REVOKED:
        return _anew(case, "revoked-outside", "it was revoked behind the recorded state's back")
    if observed is None or observed.liveness != DEAD:
        return None
    if case.can_refresh:
        # The vendor may have ended the access token alone, and a refresh in doubt may never have arrived; the pair is
        # only given up once a refresh is refused. That refusal also settles the doubt, which waiting for a person does
        # not: what trying once more could kill is already lost.
        return refresh_in_doubt(case) or Verdict(
            "revoked-outside", REFRESH, "the provider no longer accepts it; its refresh token may still serve"
        )
    return _anew(case, "revoked-outside", "the provider no longer accepts it")


def replacement_requested(case: TokenCase) -> Verdict | None:
    if case.record is None or not case.requested:
        return None
    if case.vendor.needs_person(case.application) and case.can_refresh and scopes_narrower(case) is None:
        # A pair that nobody need be asked for; wider scopes than were granted are a person's to give.
        return Verdict("requested", REFRESH, "named by --replace; a refresh gives another pair without a person")
    return _instead(case, "requested", "named by --replace")


def client_changed(case: TokenCase) -> Verdict | None:
    record = case.record
    if record is None or record.client_id is None or case.client_id in (None, record.client_id):
        return None
    return _instead(
        case, "client-changed", f"issued to client {record.client_id}, and {case.client_id} is the client now"
    )


def scopes_changed(case: TokenCase) -> Verdict | None:
    record = case.record
    if record is None or record.requested_scopes == case.application.scopes:
        return None
    return _instead(case, "scopes-changed", "the declared scopes are not those that it was asked with")


def target_changed(case: TokenCase) -> Verdict | None:
    record = case.record
    if record is None or set(record.issued_for) == set(case.application.target):
        return None
    return _instead(case, "target-changed", "the declared resource or audience is not the one that it was asked for")


def scopes_now_possible(case: TokenCase) -> Verdict | None:
    """Narrower than declared, and the application at the vendor has changed since: asking again can help now."""
    record, seen = case.record, case.observed_application
    if record is None or seen is None or seen.scopes is None or record.application_scopes is None:
        return None
    if case.vendor.covers(record.scopes, case.application.scopes) or seen.scopes == record.application_scopes:
        return None
    if not case.vendor.covers(seen.scopes, case.application.scopes):
        return None
    return _instead(case, "scopes-narrower", "granted fewer scopes than declared, and the application has them now")


def too_old(case: TokenCase) -> Verdict | None:
    record, policy = case.record, case.application.policy
    if record is None:
        return None
    person = case.vendor.needs_person(case.application)
    # Where only a person can start a grant anew, a refresh is the rotation, and age counts from the last one.
    began = record.issued_at if person else record.created_at or record.issued_at
    due = rotation_due_at(began, policy, case.run_interval)
    if due is None or due > case.now or policy.rotate_every is None:
        return None
    sentence = f"older than rotate_every = {format_duration(policy.rotate_every)} at or before the next run"
    if person:
        return Verdict("too-old", REFRESH, sentence) if case.can_refresh else _anew(case, "too-old", sentence)
    return Verdict("too-old", REPLACE, sentence)


def refresh_in_doubt(case: TokenCase) -> Verdict | None:
    if case.record is None or not _refresh_pending(case):
        return None
    sentence = "a refresh was sent and never answered; it is tried once more with the refresh token that is recorded"
    if case.can_refresh:
        return Verdict("refresh-in-doubt", REFRESH, sentence)
    return _anew(case, "refresh-in-doubt", "a refresh was sent and never answered")


def expired(case: TokenCase) -> Verdict | None:
    record = case.record
    if record is None or record.expires_at is None or record.expires_at > case.now:
        return None
    sentence = f"ended at {to_rfc3339(record.expires_at)}"
    return Verdict("expired", REFRESH, sentence) if case.can_refresh else _anew(case, "expired", sentence)


def expiring(case: TokenCase) -> Verdict | None:
    record = case.record
    if record is None or record.expires_at is None:
        return None
    due = due_at(record.issued_at, record.expires_at, case.application.policy, case.run_interval)
    if due > case.now:
        return None
    sentence = f"ends at {to_rfc3339(record.expires_at)}, and is due since {to_rfc3339(due)}"
    if case.can_refresh:
        return Verdict("expiring", REFRESH, sentence)
    if case.vendor.needs_person(case.application):
        return Verdict("expiring", REAUTHORIZE, f"{sentence}; it cannot be refreshed, so a person must authorize again")
    return Verdict("expiring", REPLACE, sentence)


def refresh_lapsing(case: TokenCase) -> Verdict | None:
    """The refresh token's own end nears while the access token still has time: renew while it can be renewed."""
    record = case.record
    if record is None or record.refresh_expires_at is None or not case.can_refresh:
        return None
    due = due_at(record.issued_at, record.refresh_expires_at, case.application.policy, case.run_interval)
    if due > case.now:
        return None
    return Verdict("expiring", REFRESH, f"its refresh token ends at {to_rfc3339(record.refresh_expires_at)}")


def scopes_narrower(case: TokenCase) -> Verdict | None:
    granted = _granted(case)
    if granted is None or case.vendor.covers(granted, case.application.scopes):
        return None
    lacking = ", ".join(sorted(set(case.application.scopes) - set(granted)))
    return Verdict("scopes-narrower", KEEP, f"granted without {lacking}", "scopes-narrower-kept")


def lives_too_long(case: TokenCase) -> Verdict | None:
    """A vendor whose lifetime only a grant tells: `validate` refuses the others."""
    record, limit = case.record, case.application.policy.max_lifetime
    if record is None or limit is None or record.expires_at is None or record.expires_at - record.issued_at <= limit:
        return None
    life = format_duration(record.expires_at - record.issued_at)
    sentence = f"granted {life}, and max_lifetime is {format_duration(limit)}"
    return Verdict("lifetime-exceeded", KEEP, sentence, "lifetime-exceeded-kept")


def scopes_broader(case: TokenCase) -> Verdict | None:
    granted = _granted(case)
    if granted is None or not case.application.scopes or case.vendor.covers(case.application.scopes, granted):
        return None
    beyond = ", ".join(sorted(set(granted) - set(case.application.scopes)))
    return Verdict("scopes-broader", KEEP, f"granted {beyond} beyond what is declared", "scopes-broader")


CHAIN: tuple[Policy, ...] = (
    missing,
    provider_changed,
    unauthorized,
    lost,
    replacement_requested,
    client_changed,
    scopes_changed,
    target_changed,
    scopes_now_possible,
    revoked_outside,
    too_old,
    refresh_in_doubt,
    expired,
    expiring,
    refresh_lapsing,
    scopes_narrower,
    lives_too_long,
    scopes_broader,
)

CURRENT = Verdict("current", KEEP, "as declared, and not due")


def judge(case: TokenCase) -> Verdict:
    """The first verdict of the chain; `CURRENT` where nothing is wrong."""
    for policy in CHAIN:
        verdict = policy(case)
        if verdict is not None:
            return verdict
    return CURRENT


def _granted(case: TokenCase) -> tuple[str, ...] | None:
    if case.record is None:
        return None
    if case.observed is not None and case.observed.scopes is not None:
        return case.observed.scopes
    return case.record.scopes


def _refresh_pending(case: TokenCase) -> bool:
    return any(op.op == "token.refresh" and _concerns(op, case.record) for op in case.operations)


def _concerns(operation: Operation, record: TokenRecord | None) -> bool:
    return record is not None and operation.object_id in (None, record.id)


def _anew(case: TokenCase, code: str, sentence: str) -> Verdict:
    """A first token: by the machine where the vendor lets it, else by a person."""
    return Verdict(code, AUTHORIZE if case.vendor.needs_person(case.application) else CREATE, sentence)


def _instead(case: TokenCase, code: str, sentence: str) -> Verdict:
    """Another token in the place of one that may still serve."""
    return Verdict(code, REAUTHORIZE if case.vendor.needs_person(case.application) else REPLACE, sentence)
