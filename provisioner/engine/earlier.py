"""What an answer settles beside its own operation: earlier ones on the same token that were never answered."""

from __future__ import annotations

from provisioner.engine import drafts
from provisioner.engine.context import Context
from provisioner.engine.doubt import lost_token
from provisioner.journal.journal import Draft
from provisioner.model.plan import REFRESH_TOKEN, REVOKE_TOKEN
from provisioner.model.recorded import TokenRecord


def refreshes_settled(ctx: Context, record: TokenRecord, how: str) -> tuple[Draft, ...]:
    """The pair that each of them may have made is recorded as lost with it. To be asked when the record is renewed
    (`retried`), or when its refresh token has turned out dead or another token takes its place (`lost`)."""
    found = []
    for operation in ctx.pending(record.id, REFRESH_TOKEN):
        lost = lost_token(operation, ctx.wanted, ctx.vendors, record)
        found.append(drafts.settled(operation, how, "tried-once-more", put=(lost,) if lost else ()))
    return tuple(found)


def revocations_settled(ctx: Context, record: TokenRecord) -> tuple[Draft, ...]:
    """A revocation that was answered says all that the earlier ones would have."""
    pending = ctx.pending(record.id, REVOKE_TOKEN)
    return tuple(drafts.settled(operation, drafts.RETRIED, "revoke-is-repeatable") for operation in pending)
