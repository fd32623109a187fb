"""A registered client that is replaced (`application.rotate`): the old one ends once no recorded token needs it.

Its record travels inside its successor's `registration["previous"]`, sealed values and all, because an address holds
one
application. Tokens issued to it are revoked as it; then it is deleted, in this apply or, after an overlap, a later one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from provisioner.engine import drafts
from provisioner.engine.context import Context
from provisioner.engine.operation import Outcome, announce, patiently, perform
from provisioner.model.plan import DELETE_APPLICATION, Reason, Step
from provisioner.model.recorded import (
    ApplicationRecord,
    ResourceRecord,
    TokenRecord,
    record_from_json,
    record_to_json,
)

PREVIOUS = "previous"


def with_previous(new: Mapping[str, Any], old: ApplicationRecord) -> dict[str, Any]:
    """A registration that remembers the client that it supersedes. One that has a predecessor of its own still keeps
    it."""
    return {**new, PREVIOUS: record_to_json(old)}


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


def application_record_of(ctx: Context, token: TokenRecord) -> ApplicationRecord | None:
    """The record of the client that a token was issued to; the one that serves where none of them fits."""
    serving = ctx.application_record(token.application)
    fitting = (record for record in chain_of(serving) if record.client_id == token.client_id)
    return next(fitting, serving)


def ready(objects: Iterable[ResourceRecord]) -> list[ApplicationRecord]:
    """Applications whose previous client no recorded token needs any more."""
    found = [r for r in objects if isinstance(r, ApplicationRecord) and r.registration.get(PREVIOUS)]
    if not found:
        return []
    needed = {(r.provider, r.client_id) for r in objects if isinstance(r, TokenRecord)}
    return [r for r in found if (p := previous_of(r)) is not None and (p.provider, p.client_id) not in needed]


def delete_previous(ctx: Context, record: ApplicationRecord) -> None:
    """Deletes the client that was superseded. Raises what the provider raises; the next apply tries again."""
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
    kept = without_previous(record)
    if (before := previous_of(old)) is not None:
        kept = replace(kept, registration=with_previous(kept.registration, before))

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
        )

    patiently(ctx, attempt)
