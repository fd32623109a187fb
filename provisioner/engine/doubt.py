"""What an unanswered request means, and how it is settled: one table, and pure decisions over it.

Nothing here sends, waits or reads a clock. `settle.py` writes what these functions decide; `operation.py` asks
`settle_at_once` when an answer does not come; commands show `view`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from provisioner.address import Address
from provisioner.engine import drafts
from provisioner.errors import InDoubt
from provisioner.journal.journal import Draft
from provisioner.model.desired import Application, CreditFloor
from provisioner.model.observed import Observed
from provisioner.model.plan import (
    ADOPT_APPLICATION,
    CREATE_TOKEN,
    DELETE_APPLICATION,
    FORGET_RECORD,
    MOVE,
    PURCHASE,
    READ_CREDITS,
    RECORD,
    RECORD_CREDITS,
    REFRESH_TOKEN,
    REGISTER_APPLICATION,
    REVOKE_TOKEN,
    UPDATE_APPLICATION,
)
from provisioner.model.recorded import LOST, ApplicationRecord, Operation, State, TokenRecord
from provisioner.planning.doubts import settlement
from provisioner.providers.base import Vendor
from provisioner.records import dataclass, replace
from provisioner.times import to_rfc3339

AUTHORIZE_TOKEN = "token.authorize"  # noqa: S105  # an operation's name: the exchange of a code, or of a device's approval

# How a doubt ends.
AT_ONCE = "at-once"  # not destructive: what may exist is recorded as lost, and another is made
NEVER_SENT = "never-sent"  # it only changes the recorded state: it did not happen, and is planned again
BY_REPEATING = "by-repeating"  # harmless to repeat: the next step that does it settles this one
BY_READING = "by-reading"  # only what is read afterwards, or a person, settles it: it is never sent again
BY_A_PERSON = "by-a-person"  # nothing can be read that would tell


@dataclass(frozen=True, slots=True)
class Row:
    """`meaning` is for people: what may have happened, and what happens next by itself."""

    ends: str
    by: str
    meaning: str


TABLE: dict[str, Row] = {
    CREATE_TOKEN: Row(
        AT_ONCE,
        "create-is-repeatable",
        "A token may exist that nobody holds. It is recorded as lost, with the latest time that it can live to; "
        "the next apply makes another.",
    ),
    AUTHORIZE_TOKEN: Row(
        AT_ONCE,
        "code-is-spent",
        "A token may exist that nobody holds, and the code is spent. It is recorded as lost; authorize once more.",
    ),
    REFRESH_TOKEN: Row(
        BY_REPEATING,
        "tried-once-more",
        "The pair may have been replaced. The recorded refresh token is kept and tried once more by the next "
        "apply: what that could kill is already lost.",
    ),
    REVOKE_TOKEN: Row(
        BY_REPEATING,
        "revoke-is-repeatable",
        "It may live or be dead. The next apply revokes it again, which is harmless.",
    ),
    REGISTER_APPLICATION: Row(
        BY_A_PERSON,
        "resolve",
        "A client may exist at the server that nobody holds the secret of. The next apply registers another; look for "
        "the first at the server, delete it there, and settle this.",
    ),
    UPDATE_APPLICATION: Row(
        BY_REPEATING,
        "update-is-repeatable",
        "The registration may be as before or as asked. The next update replaces all of it.",
    ),
    DELETE_APPLICATION: Row(
        BY_REPEATING,
        "delete-is-repeatable",
        "It may be gone. The next apply deletes it again, which is harmless.",
    ),
    PURCHASE: Row(
        BY_READING,
        "balance",
        "Credits may have been bought. The purchase is never sent again by itself, its amount counts against every "
        "guard, and nothing is bought for this account until the balance rises or a person says what happened.",
    ),
}

# Announced and recorded in one append; a crash in the middle of the write can leave the announcement alone.
TABLE |= dict.fromkeys(
    (ADOPT_APPLICATION, FORGET_RECORD, MOVE, RECORD, RECORD_CREDITS, READ_CREDITS),
    Row(NEVER_SENT, "nothing-was-sent", "Only the recorded state was to change. The next apply does it again."),
)

_ELSE = Row(
    BY_A_PERSON, "resolve", "It may have happened. Look at the provider, then settle it with `provisioner resolve`."
)


def row(op: str) -> Row:
    return TABLE.get(op, _ELSE)


def unanswered(operation: Operation, what: str) -> InDoubt:
    """The error of a change whose outcome is not known, once that is recorded."""
    found = row(operation.op)
    detail = f"Operation {operation.id}: {found.meaning}"
    if found.ends in (BY_READING, BY_A_PERSON):
        detail += f" (`provisioner resolve {operation.id} --as happened|did-not-happen`)"
    return InDoubt("in-doubt", f"{operation.address}: {what}", detail, address=str(operation.address))


def lost_token(
    operation: Operation,
    wanted: Mapping[Address, tuple[Application, str | None]],
    vendors: Callable[[str], Vendor],
    like: TokenRecord | None,
) -> TokenRecord | None:
    """The token that an unanswered request may have made: no value, no fingerprint, and the latest end that it can
    have.

    `like` is what serves at the address, for what the file does not say any more. None where the provider is not known.
    """
    if operation.provider is None or operation.provider_type is None:
        return None
    application, consumer = wanted.get(operation.address, (None, None))
    parent = operation.address.as_type("application")
    scopes: tuple[str, ...] = ()
    if application is not None:
        parent, scopes = application.address, application.scopes
    elif like is not None:
        parent, scopes, consumer = like.application, like.requested_scopes, like.consumer
    vendor = vendors(operation.provider_type)
    # A refresh announces the object that it renews, which lives on under its own id.
    made = operation.object_id if operation.op in (CREATE_TOKEN, AUTHORIZE_TOKEN) else None
    bare = TokenRecord(
        id=made or f"lost-{operation.id}",
        address=operation.address,
        application=parent,
        consumer=consumer,
        provider=operation.provider,
        provider_type=operation.provider_type,
        status=LOST,
        issued_at=operation.since,
        expires_at=vendor.latest_end(operation.since, application),
        requested_scopes=scopes,
        generation=like.generation if like else 1,
        deposed=operation.id[:8],
        client_id=operation.read.get("client_id") or (like.client_id if like else None),
        operation=operation.id,
    )
    how = " ".join(vendor.kill_handoff(bare).instructions)
    return replace(bare, note=f"Its request was never answered (operation {operation.id}). {how}".strip())


def settle_at_once(
    operation: Operation,
    wanted: Mapping[Address, tuple[Application, str | None]],
    vendors: Callable[[str], Vendor],
    like: TokenRecord | None,
    evidence: Mapping[str, Any] | None = None,
) -> Draft | None:
    """The entry that settles it without looking, where the table says so; None where it stays in doubt."""
    found = row(operation.op)
    if found.ends == NEVER_SENT:
        return drafts.settled(operation, drafts.DID_NOT_HAPPEN, found.by, evidence=evidence)
    if found.ends != AT_ONCE:
        return None
    lost = lost_token(operation, wanted, vendors, like)
    return drafts.settled(operation, drafts.LOST, found.by, evidence=evidence, put=(lost,) if lost else ())


@dataclass(frozen=True, slots=True)
class Verdict:
    """A doubt that is settled by what was read: `how` and `by` as the entry says it. `gone`: its object has ended."""

    how: str
    by: str
    gone: bool = False


def by_reading(
    operation: Operation, state: State, observed: Observed, floors: Sequence[CreditFloor], now: datetime
) -> Verdict | None:
    """What the observation proves of one operation in doubt; None where it proves nothing."""
    seen = observed.of(operation.provider or "")
    if operation.op == PURCHASE:
        floor = next((f for f in floors if f.address == operation.address), None)
        found = settlement(operation, seen.credits, floor, now)
        return None if found is None else Verdict(*found)
    if operation.op == REVOKE_TOKEN:
        if operation.object_id not in state.objects:
            return Verdict(drafts.HAPPENED, "object-gone")
        token = seen.tokens.get(operation.object_id or "")
        if token is not None and token.liveness == "dead":
            return Verdict(drafts.HAPPENED, "probe", gone=True)
        if token is not None and token.liveness == "alive":
            return Verdict(drafts.DID_NOT_HAPPEN, "probe")
    if operation.op in (REFRESH_TOKEN, UPDATE_APPLICATION) and operation.object_id not in state.objects:
        return Verdict(drafts.LOST, "object-gone")
    if operation.op == DELETE_APPLICATION and operation.object_id not in state.objects:
        return Verdict(drafts.HAPPENED, "object-gone")
    if operation.op == DELETE_APPLICATION and not of_previous(operation, state):
        application = seen.applications.get(str(operation.address))
        if application is not None and not application.exists:
            return Verdict(drafts.HAPPENED, "read", gone=True)
    return None


def of_previous(operation: Operation, state: State) -> bool:
    """Whether a deletion was of the client that the recorded one took the place of: the one that serves is not meant,
    and reading it says nothing."""
    record = state.objects.get(operation.object_id or "")
    client_id = operation.read.get("client_id")
    return isinstance(record, ApplicationRecord) and client_id not in (None, record.client_id)


def open_doubts(state: State) -> list[Operation]:
    """Everything that was announced and has no outcome, oldest first."""
    return sorted(state.operations.copy().values(), key=lambda op: (op.since, op.id))


def view(state: State, observed: Observed | None, now: datetime) -> list[dict[str, Any]]:
    """The contract's `in_doubt[]`: `operation`, `address`, `kind`, `since`, `evidence`; and `amount`, `unit`,
    `meaning`, `for_seconds`. What was read just now stands last in the evidence. Nothing in it is secret."""
    found = []
    for operation in open_doubts(state):
        evidence = [dict(operation.read), *(dict(item) for item in operation.evidence)]
        seen = observed.of(operation.provider or "").credits if observed is not None else None
        if operation.op == PURCHASE and seen is not None:
            evidence.append(drafts.reading(seen))
        found.append(
            {
                "operation": operation.id,
                "address": str(operation.address),
                "kind": operation.kind,
                "since": to_rfc3339(operation.since),
                "for_seconds": int((now - operation.since).total_seconds()),
                "amount": operation.amount,
                "unit": operation.unit,
                "meaning": row(operation.op).meaning,
                "evidence": [item for item in evidence if item],
            }
        )
    return found
