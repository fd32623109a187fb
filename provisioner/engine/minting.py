"""A secret that was minted and cannot be recorded: kept in a rescue file, else revoked, else said to be lost.

Sealed values stand in the outcome that could not be appended, so a rescue file is those drafts. The next run appends it
first.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from provisioner.engine.context import Context
from provisioner.errors import ProvisionerError, StoreFailed
from provisioner.model.recorded import Operation
from provisioner.providers.base import ClientCredentials, Grant, Provider, Revoked

if TYPE_CHECKING:
    from provisioner.journal.journal import Draft

_GO_ON = "Nothing was sent after it. Repair the store of the recorded state and run `provisioner apply` again"


def unrecorded_grant(
    ctx: Context,
    operation: Operation,
    written: Sequence[Draft],
    grant: Grant,
    provider: Provider,
    credentials: ClientCredentials,
) -> ProvisionerError:
    """Saves or kills a token whose outcome could not be written, and returns what to tell the user."""
    kept = keep(ctx, written)
    if kept is not None:
        return _error(operation, f"the token was sealed into {kept}", f"{_GO_ON}: it records that file first.")
    if _killed(provider, grant, credentials):
        return _error(operation, "the token was revoked again", f"{_GO_ON}: it makes another.")
    detail = (
        f"{_GO_ON}: operation {operation.id} is then recorded as lost, with the latest time that the token can live to."
    )
    return _error(operation, "the token is lost: it could neither be saved nor be revoked", detail)


def unrecorded(ctx: Context, operation: Operation, written: Sequence[Draft]) -> ProvisionerError:
    """The same for what cannot be taken back by a request (a registered client)."""
    kept = keep(ctx, written)
    if kept is not None:
        return _error(operation, f"it was sealed into {kept}", f"{_GO_ON}: it records that file first.")
    return _error(operation, "it could not be saved", f"{_GO_ON}: operation {operation.id} is then in doubt.")


def keep(ctx: Context, written: Sequence[Draft]) -> str | None:
    """The rescue file's path; None where even that could not be written. Only the outcome itself is kept: what it would
    have settled beside it stays in doubt, and is settled by the next run."""
    if not written or ctx.rescue is None:
        return None
    try:
        return str(ctx.rescue(written[0]))
    except Exception:  # noqa: BLE001  # a full disk, a foreign key, anything: the token must then be revoked
        return None


def _killed(provider: Provider, grant: Grant, credentials: ClientCredentials) -> bool:
    try:
        found = provider.revoke_token(credentials, grant.access_token, grant.refresh_token)
    except Exception:  # noqa: BLE001  # whatever it is, the token may live, and that is what the user is told
        return False
    return found in (Revoked.REVOKED, Revoked.ALREADY_DEAD)


def _error(operation: Operation, what: str, detail: str) -> StoreFailed:
    summary = f"{operation.op} was answered and could not be recorded; {what}"
    return StoreFailed("not-recorded", summary, detail, address=str(operation.address))
