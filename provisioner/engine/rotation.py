"""A registered client that another takes the place of: the old one ends once no recorded token needs it.

Its record travels inside its successor's `registration["previous"]`, sealed values and all, because an address holds
one application. Tokens issued to it are refreshed and revoked as it; then it is deleted, in this apply or, after an
overlap, a later one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from provisioner.engine import drafts
from provisioner.engine.context import Context
from provisioner.engine.operation import Outcome, announce, patiently, perform
from provisioner.errors import NeedsPerson, StepRefused
from provisioner.model.desired import Application
from provisioner.model.plan import DELETE_APPLICATION, Reason, Step
from provisioner.model.recorded import (
    CREATED,
    LOST,
    ApplicationRecord,
    ResourceRecord,
    TokenRecord,
    record_from_json,
    record_to_json,
)
from provisioner.providers.base import ClientCredentials
from provisioner.records import replace

PREVIOUS = "previous"
READABLE = "readable"  # reading this registration changes nothing: the server gave out no new token when it was tried


def with_previous(new: Mapping[str, Any], old: ApplicationRecord | None) -> dict[str, Any]:
    """A registration that remembers the client that it supersedes. One that has a predecessor of its own still keeps
    it."""
    return {**new, PREVIOUS: record_to_json(old)} if old is not None else dict(new)


def previous_of(record: ApplicationRecord) -> ApplicationRecord | None:
    data = record.registration.get(PREVIOUS)
    found = record_from_json(data) if isinstance(data, Mapping) else None
    return found if isinstance(found, ApplicationRecord) else None


def chain_of(record: ApplicationRecord | None) -> Iterable[ApplicationRecord]:
    """The client that serves, then those before it that still have tokens."""
    while record is not None:
        yield record
        record = previous_of(record)


def without_previous(record: ApplicationRecord) -> ApplicationRecord:
    """As a provider knows it."""
    return replace(record, registration={k: v for k, v in record.registration.items() if k != PREVIOUS})


def previous_ended(record: ApplicationRecord) -> ApplicationRecord:
    """The record once the client before it is deleted; one that has a predecessor of its own leaves that."""
    kept, old = without_previous(record), previous_of(record)
    return replace(kept, registration=with_previous(kept.registration, previous_of(old) if old else None))


def issued_to(record: ApplicationRecord | None, token: TokenRecord) -> ApplicationRecord | None:
    """The record of the client that a token was issued to: `record`, which serves, or one before it. None where it is
    neither, so that nobody here can speak for that client."""
    if token.client_id is None or record is None:
        return record
    return next((r for r in chain_of(record) if (r.provider, r.client_id) == (token.provider, token.client_id)), None)


def client_of(ctx: Context, application: Application | None, token: TokenRecord) -> ClientCredentials | None:
    """Who may refresh and revoke this token: the client that it was issued to, and no other (RFC 6749 section 6,
    RFC 7009 section 2.1). None where that client is not ours any more, or was deleted at the server.

    Raises what `Provider.credentials` raises."""
    serving = ctx.application_record(token.application)
    if application is not None and application.provider != token.provider:
        application = None
    if serving is None or token.client_id is None:
        return ctx.credentials(application, serving)
    record = issued_to(serving, token)
    if record is None or record is not serving:
        return ctx.credentials(None, record) if record is not None else None
    return None if _gone(ctx, serving) else ctx.credentials(application, serving)


def superseded_client(ctx: Context, token: TokenRecord) -> bool:
    """Whether another client of ours serves in the place of the one that it was issued to."""
    serving = ctx.application_record(token.application)
    return serving is not None and serving.managed == CREATED and issued_to(serving, token) is not serving


def _gone(ctx: Context, record: ApplicationRecord) -> bool:
    """The server showed that it does not know a client of ours; one registered since then is not meant."""
    seen = ctx.observed.of(record.provider).applications.get(str(record.address))
    looked_since = record.created_at is None or record.created_at < ctx.observed.at
    return seen is not None and not seen.exists and record.managed == CREATED and looked_since


def superseded(ctx: Context, old: ApplicationRecord | None) -> ApplicationRecord | None:
    """What a new registration at an address must remember of the record that it replaces: a client that we made and
    that may still be there, else the one before it. People's own clients are theirs to delete."""
    if old is None:
        return None
    return previous_of(old) if _gone(ctx, old) or old.managed != CREATED else old


def ready(objects: Collection[ResourceRecord]) -> list[ApplicationRecord]:
    """Applications whose previous client no recorded token needs any more. A lost one needs nothing: nobody has the
    value that a revocation would take."""
    found = [r for r in objects if isinstance(r, ApplicationRecord) and r.registration.get(PREVIOUS)]
    if not found:
        return []
    tokens = [r for r in objects if isinstance(r, TokenRecord) and r.status != LOST]
    needed = {(r.provider, r.client_id) for r in tokens}
    return [r for r in found if (p := previous_of(r)) is not None and (p.provider, p.client_id) not in needed]


def delete_previous(ctx: Context, record: ApplicationRecord) -> None:
    """Deletes the client that was superseded. Raises what the provider raises, and the next apply tries again; and
    NeedsPerson, once, where the token that manages it is lost or never was: then only a person can."""
    old = previous_of(record)
    if old is None:
        return
    provider = ctx.provider(old.provider)
    step = Step(
        id=f"{record.address}#previous",
        address=record.address,
        action=("delete",),
        operation=DELETE_APPLICATION,
        reason=Reason("superseded", f"client {old.client_id} was registered anew, and none of its tokens is left"),
        provider=old.provider,
        provider_type=old.provider_type,
        object_id=old.id,
    )
    kept = previous_ended(record)

    def attempt() -> None:
        operation = announce(ctx, step, DELETE_APPLICATION, object_id=record.id, read={"client_id": old.client_id})
        settled = tuple(
            drafts.settled(earlier, drafts.RETRIED, "delete-is-repeatable")
            for earlier in ctx.pending(record.id, DELETE_APPLICATION)
        )
        perform(
            ctx,
            operation,
            lambda: provider.delete_application(without_previous(old), ctx.sealer.open),
            lambda _: Outcome(put=(kept,), also=settled),
            reason=step.reason.sentence,
            refused=lambda error: Outcome(put=(kept,), also=settled) if _unmanageable(error) else Outcome(),
        )

    try:
        patiently(ctx, attempt)
    except StepRefused as error:
        if not _unmanageable(error):
            raise
        summary = f"the client {old.client_id}, which was registered anew, lives on at {old.provider}"
        why = (
            "The token that manages it was lost with an answer." if error.oauth_error else error.diagnostics[0].summary
        )
        detail = f"{why.rstrip('.')}. Delete it in the server's administration."
        raise NeedsPerson("handoff", summary, detail, address=str(record.address)) from None


def _unmanageable(error: StepRefused) -> bool:
    return error.oauth_error == "invalid_token" or error.diagnostics[0].name == "unsupported"
