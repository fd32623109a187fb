"""Applications: adopt, register, update, rotate, delete.

`application.adopt`     records what exists at the vendor, and records anew what a person changed there; sends nothing
`application.register`  RFC 7591; `application.update` and `application.delete` RFC 7592; no params
`application.rotate`    registers anew; tokens follow by their own steps, and the old client goes when none needs it
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from provisioner.engine import drafts
from provisioner.engine.context import Context
from provisioner.engine.ended import Ended
from provisioner.engine.minting import unrecorded
from provisioner.engine.operation import Outcome, announce, patiently, perform, record
from provisioner.engine.rotation import (
    PREVIOUS,
    READABLE,
    delete_previous,
    previous_of,
    superseded,
    with_previous,
    without_previous,
)
from provisioner.engine.tokens import new_id
from provisioner.errors import ProviderFailed, ProvisionerError, StateUntrusted, StepRefused
from provisioner.journal.journal import Draft
from provisioner.model.desired import Application
from provisioner.model.observed import ObservedApplication
from provisioner.model.plan import (
    ADOPT_APPLICATION,
    DELETE_APPLICATION,
    REGISTER_APPLICATION,
    UPDATE_APPLICATION,
    Step,
)
from provisioner.model.recorded import ADOPTED, CREATED, ApplicationRecord, Sealed
from provisioner.planning.registered import declared
from provisioner.providers.base import Provider
from provisioner.records import replace
from provisioner.secret import Secret

Registered = tuple[ApplicationRecord, Mapping[str, Secret]]


def adopt(ctx: Context, step: Step) -> Ended:
    application = ctx.applications[step.address]
    found = _recorded(ctx, step)
    old = found if found is not None and found.provider == application.provider else None
    if old is not None and old.managed == CREATED and application.client_id is None:
        return _take_secret(ctx, step, old)
    seen = ctx.observed.of(application.provider).applications.get(str(step.address)) or ObservedApplication(exists=True)
    client_id, fingerprint = _client(ctx, application, seen, old)
    managed = (step.after or {}).get("managed") or (old.managed if old else ADOPTED)
    base = old
    if old is not None and client_id is not None and old.client_id not in (None, client_id):
        base = None  # another client now: what is sealed and registered belongs to the one before it
    fresh = ApplicationRecord(
        id=old.id if old else new_id(),
        address=step.address,
        provider=application.provider,
        provider_type=step.provider_type,
        name=application.name,
        client_id=client_id,
        managed=managed,
    )
    new = replace(
        base or fresh,
        address=step.address,
        name=seen.name or application.name,
        client_id=client_id,
        scopes=seen.scopes if seen.scopes is not None else (base.scopes if base else application.scopes),
        token_lifetime=seen.token_lifetime or (base.token_lifetime if base else application.token_lifetime),
        secret_fingerprint=fingerprint,
        prevent_destroy=application.prevent_destroy,
        registration={**(base.registration if base else {}), **seen.registration},
    )
    if found is not None and base is None:
        new = replace(new, registration=with_previous(new.registration, superseded(ctx, found)))
    dropped = (found.id,) if found is not None and found.id != new.id else ()
    record(ctx, step, ADOPT_APPLICATION, put=(new,), drop=dropped)
    return Ended()


def _recorded(ctx: Context, step: Step) -> ApplicationRecord | None:
    found = ctx.record(step.object_id) or ctx.serving(step.address)
    return found if isinstance(found, ApplicationRecord) else None


def _client(
    ctx: Context, application: Application, seen: ObservedApplication, old: ApplicationRecord | None
) -> tuple[str | None, str | None]:
    """The client's id and its secret's fingerprint: the vendor's word, else what the file refers to, else the
    record's."""
    client_id = seen.client_id or (application.client_id if isinstance(application.client_id, str) else None)
    fingerprint = seen.secret_fingerprint
    known = client_id is not None and (fingerprint is not None or application.client_secret is None)
    if not known and application.client_id is not None:
        credentials = ctx.credentials(application, old)
        client_id = client_id or credentials.client_id
        if fingerprint is None and credentials.client_secret is not None:
            fingerprint = credentials.client_secret.fingerprint
    if old is not None:
        client_id, fingerprint = client_id or old.client_id, fingerprint or old.secret_fingerprint
    return client_id, fingerprint


def _take_secret(ctx: Context, step: Step, old: ApplicationRecord) -> Ended:
    """The server shows another secret than the recorded one: somebody reset it there. Read once more, and sealed."""
    _, secrets = ctx.provider(old.provider).read_registration(without_previous(old), ctx.sealer.open)
    if secrets:
        ctx.sealer.prepare()
        new = _sealed(ctx, (old, secrets), old.id, generation=_next_generation(old))
        record(ctx, step, ADOPT_APPLICATION, put=(new,))
    return Ended()


def register(ctx: Context, step: Step) -> Ended:
    """A new client. One of ours that it takes the place of (a rotation, another provider) is remembered, and deleted
    once no token needs it."""
    application = ctx.applications[step.address]
    provider = ctx.provider(application.provider)
    old = _recorded(ctx, step)
    answered: list[Registered] = []
    made: list[ApplicationRecord] = []

    ctx.sealer.prepare()

    def attempt() -> None:
        operation = announce(ctx, step, REGISTER_APPLICATION, object_id=new_id(), read={"name": application.name})

        def outcome(answer: Registered) -> Outcome:
            new = _sealed(ctx, answer, operation.object_id or new_id(), generation=1)
            registration = {**new.registration, "declared": declared(application, ctx.vendor_of(application))}
            new = replace(
                new,
                address=step.address,
                provider=application.provider,
                provider_type=step.provider_type,
                managed=CREATED,
                prevent_destroy=application.prevent_destroy,
                created_at=operation.since,
                registration=with_previous(registration, superseded(ctx, old)),
            )
            answered.append(answer)
            made.append(new)
            # What was never answered about the client before it concerns nobody any more.
            earlier = _earlier(ctx, old, UPDATE_APPLICATION, "registered-anew", drafts.LOST) if old else ()
            return Outcome(put=(new,), drop=(old.id,) if old is not None else (), also=earlier)

        def saved(_answer: Registered, written: tuple[Draft, ...]) -> ProvisionerError:
            return unrecorded(ctx, operation, written)

        perform(
            ctx,
            operation,
            lambda: provider.register_application(application),
            outcome,
            reason=step.reason.sentence,
            unrecorded=saved,
        )

    patiently(ctx, attempt)
    _look(ctx, provider, made[-1], answered[-1][1])
    return Ended()


def _look(ctx: Context, provider: Provider, new: ApplicationRecord, fresh: Mapping[str, Secret]) -> None:
    """What the server shows of a client that was just registered or changed: plans compare with that, because a server
    may show more than it answered. A server that hands out another registration token with each reading (RFC 7592
    section 2.1 lets it) is read here, where that can be recorded, and by no plan. Nothing depends on this reading."""

    def opened(sealed: Sealed, object_id: str, field: str) -> Secret:
        found: Secret = fresh[field] if field in fresh else ctx.sealer.open(sealed, object_id, field)
        return found

    if new.registration_token is None:
        return
    try:
        seen, secrets = provider.read_registration(without_previous(new), opened)
        known = opened(new.registration_token, new.id, "registration_token")
    except (ProviderFailed, StepRefused, StateUntrusted):
        return
    if not seen.exists:
        return
    kept = secrets.get("registration_token", known) == known
    changed = {field: secret for field, secret in secrets.items() if field not in fresh or fresh[field] != secret}
    new = _sealed(ctx, (new, changed), new.id, generation=_next_generation(new))
    ctx.append(
        drafts.observed(
            [
                replace(
                    new,
                    name=seen.name or new.name,
                    scopes=new.scopes if seen.scopes is None else seen.scopes,
                    registration={**new.registration, **seen.registration, READABLE: kept},
                )
            ]
        )
    )


def _next_generation(record: ApplicationRecord) -> int:
    sealed = [half.generation for half in (record.registration_token, record.secret) if half is not None]
    return max(sealed, default=0) + 1


def _sealed(ctx: Context, answer: Registered, object_id: str, *, generation: int) -> ApplicationRecord:
    """The server's record with its secrets sealed under our id; `answer[1]` is by the record's own field names."""
    found, secrets = answer
    halves: dict[str, Any] = {
        field: ctx.sealer.seal(secret, object_id=object_id, field=field, generation=generation)
        for field, secret in secrets.items()
    }
    fingerprint = secrets["secret"].fingerprint if "secret" in secrets else found.secret_fingerprint
    return replace(found, id=object_id, secret_fingerprint=fingerprint, **halves)


def update(ctx: Context, step: Step) -> Ended:
    """A replacement of the whole registration, whose answer may carry new secrets."""
    application = ctx.applications[step.address]
    old = _recorded(ctx, step)
    if old is None:
        return register(ctx, step)
    provider = ctx.provider(application.provider)
    answered: list[Registered] = []
    made: list[ApplicationRecord] = []

    ctx.sealer.prepare()

    def attempt() -> None:
        operation = announce(ctx, step, UPDATE_APPLICATION, object_id=old.id, read={"client_id": old.client_id})

        def outcome(answer: Registered) -> Outcome:
            new = _sealed(ctx, answer, old.id, generation=_next_generation(old))
            kept = {PREVIOUS: old.registration[PREVIOUS]} if PREVIOUS in old.registration else {}
            asked = declared(application, ctx.vendor_of(application))
            new = replace(
                new,
                address=step.address,
                prevent_destroy=application.prevent_destroy,
                registration={**new.registration, **kept, "declared": asked},
            )
            answered.append(answer)
            made.append(new)
            return Outcome(put=(new,), also=_earlier(ctx, old, UPDATE_APPLICATION, "update-is-repeatable"))

        perform(
            ctx,
            operation,
            lambda: provider.update_application(application, without_previous(old), ctx.sealer.open),
            outcome,
            reason=step.reason.sentence,
            unrecorded=lambda _answer, written: unrecorded(ctx, operation, written),
        )

    patiently(ctx, attempt)
    _look(ctx, provider, made[-1], answered[-1][1])
    return Ended()


def delete(ctx: Context, step: Step) -> Ended:
    """After its tokens: on some servers they outlive their client, and nobody could revoke them then."""
    while (old := _recorded(ctx, step)) is not None and previous_of(old) is not None:
        delete_previous(ctx, old)  # its tokens are revoked by now, as this one's are
    if old is None:
        return Ended()
    provider = ctx.provider(old.provider)

    def attempt() -> None:
        operation = announce(ctx, step, DELETE_APPLICATION, object_id=old.id, read={"client_id": old.client_id})
        perform(
            ctx,
            operation,
            lambda: provider.delete_application(without_previous(old), ctx.sealer.open),
            lambda _: Outcome(drop=(old.id,), also=_earlier(ctx, old, DELETE_APPLICATION, "delete-is-repeatable")),
            reason=step.reason.sentence,
        )

    patiently(ctx, attempt)
    return Ended()


def _earlier(ctx: Context, old: ApplicationRecord, op: str, by: str, how: str = drafts.RETRIED) -> tuple[Draft, ...]:
    return tuple(drafts.settled(operation, how, by) for operation in ctx.pending(old.id, op))
