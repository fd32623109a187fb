"""A leaked secret → whose it was, since when, and whether it still lives (`audit --find-token -`).

Every token, refresh token and client secret that was ever recorded is known by its fingerprint, so one that was
replaced, revoked or forgotten years ago is found too. A stranger's is not.
"""

from __future__ import annotations

from datetime import datetime

from provisioner.audit.case import Case
from provisioner.audit.lives import ACCESS, CLIENT_SECRET, FORGOTTEN, RENEWED, ROTATED, Value
from provisioner.model.recorded import EXPIRED, IN_DOUBT, LIVE, RETIRING, REVOKED, UNAUTHORIZED, TokenRecord
from provisioner.records import dataclass
from provisioner.times import to_rfc3339


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """`status` in the contract's words. `ended` None: it is not known to have ended, so it is to be taken for alive.
    `detail` is for people: what happened to it, and what to do."""

    address: str
    kind: str
    status: str
    issued: datetime
    expires: datetime | None
    ended: datetime | None
    detail: str


def find(case: Case, fingerprints: list[str]) -> Match | None:
    """`fingerprints` of what was given, and of the same without what people paste around it; the first that is
    known."""
    values = case.trail.lives.values
    value = next((values[f] for f in fingerprints if f in values), None)
    if value is None:
        return None
    status, ended = _status(case, value)
    return Match(
        address=str(value.address),
        kind=value.kind,
        status=status,
        issued=value.issued,
        expires=value.expires,
        ended=ended,
        detail=_detail(case, value, status, ended),
    )


def _status(case: Case, value: Value) -> tuple[str, datetime | None]:
    if value.how in (REVOKED, UNAUTHORIZED):
        return value.how, value.ended
    if value.expires is not None and value.expires <= case.now:
        return EXPIRED, value.expires
    # What is in doubt may have ended it, and may not: it must not be taken for dead.
    if any(op.object_id == value.object_id for op in case.open_operations):
        return IN_DOUBT, None
    if value.how in (RENEWED, ROTATED):
        return RETIRING, None
    return LIVE, None


def _detail(case: Case, value: Value, status: str, ended: datetime | None) -> str:
    until = f"until {to_rfc3339(value.expires)}" if value.expires is not None else "with no known end"
    if status in (REVOKED, UNAUTHORIZED):
        how = "It was revoked" if status == REVOKED else "Its grant was found dead"
        return f"{how} at {to_rfc3339(ended)}." if ended else f"{how}."
    if status == EXPIRED:
        return f"It expired at {to_rfc3339(value.expires)}." if value.expires else "It expired."
    if status == IN_DOUBT:
        ids = ", ".join(op.id for op in case.open_operations if op.object_id == value.object_id)
        return f"An operation on it is in doubt ({ids}), so take it for alive. {_replace(value)}"
    if value.how == FORGOTTEN:
        when = to_rfc3339(value.ended) if value.ended else "some time"
        return f"It was forgotten at {when} and not revoked: it may live {until}. End it at the vendor."
    if value.how in (RENEWED, ROTATED):
        when = f" at {to_rfc3339(value.ended)}" if value.ended else ""
        alive = f"no revocation of it is recorded, so it may live {until}"
        return f"Another took its place{when}; {alive}. {_end(case, value)}"
    return f"It is the one that serves, {until}. {_replace(value)}"


def _replace(value: Value) -> str:
    if value.kind == CLIENT_SECRET:
        return "Reset the secret at the vendor, then run `provisioner apply`."
    return f"Replace it now: `provisioner apply --replace '{value.address}'`."


def _end(case: Case, value: Value) -> str:
    record = case.state.objects.get(value.object_id)
    revocable = isinstance(record, TokenRecord) and record.deposed is not None and record.access_token is not None
    if revocable and value.kind == ACCESS:
        return "`provisioner apply` revokes it once its overlap is over, where the vendor can."
    return "Revoke it at the vendor."
