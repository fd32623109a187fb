"""Tokens: create, replace.

`token.create`   params: `application_scopes`, the application's scopes at the vendor when this was planned
`token.replace`  the same; the old one becomes deposed in the entry that records the new one, and with no overlap
                 is revoked as an operation of its own once the new one was proven
"""

from __future__ import annotations

from collections.abc import Callable

from provisioner.engine import drafts
from provisioner.engine.context import Context, Stopped
from provisioner.engine.earlier import refreshes_settled
from provisioner.engine.ended import Ended, note, warning
from provisioner.engine.minting import unrecorded_grant
from provisioner.engine.operation import Outcome, announce, patiently, perform
from provisioner.engine.retire import end_token
from provisioner.engine.tokens import (
    Issue,
    as_seen,
    depose,
    minted,
    new_id,
    wish_for,
)
from provisioner.engine.verify import Proof, prove
from provisioner.errors import Diagnostic, StepRefused
from provisioner.model.desired import Application
from provisioner.model.plan import CREATE_TOKEN, Step
from provisioner.model.recorded import LIVE, RETIRING, REVOKED, Operation, TokenRecord
from provisioner.providers.base import ClientCredentials, Grant, Provider, Revoke, TokenWish
from provisioner.records import dataclass, replace
from provisioner.times import format_duration, to_rfc3339


def create(ctx: Context, step: Step) -> Ended:
    """A token where none serves. What is recorded at the address goes with it."""
    return issue(ctx, step)


def replace_token(ctx: Context, step: Step) -> Ended:
    """Create, verify, then retire the old one: at every moment one token works."""
    return issue(ctx, step)


@dataclass(frozen=True, slots=True, kw_only=True)
class Minting:
    """Who asks for a token, in whose place, and how."""

    application: Application
    consumer: str | None
    provider: Provider
    credentials: ClientCredentials
    old: TokenRecord | None
    send: Callable[[TokenWish], Grant]
    op: str = CREATE_TOKEN


@dataclass(frozen=True, slots=True)
class Minted:
    """A token just recorded, and what it replaced (None: nothing that still lives)."""

    asked: Minting
    new: TokenRecord
    deposed: TokenRecord | None
    grant: Grant


def issue(ctx: Context, step: Step) -> Ended:
    application, consumer = ctx.wanted[step.address]
    provider = ctx.provider(application.provider)
    credentials = ctx.credentials(application, ctx.application_record(application.address))
    asked = Minting(
        application=application,
        consumer=consumer,
        provider=provider,
        credentials=credentials,
        old=ctx.token(step.address) or own_record(ctx, step),
        send=lambda wish: provider.create_token(credentials, wish),
    )
    return prove_and_retire(ctx, step, patiently(ctx, lambda: mint(ctx, step, asked)))


def own_record(ctx: Context, step: Step) -> TokenRecord | None:
    """The step's own object, which still stands at another address where the step moves it."""
    found = ctx.record(step.object_id)
    return found if isinstance(found, TokenRecord) and found.deposed is None else None


def mint(ctx: Context, step: Step, asked: Minting) -> Minted:
    """One announced creation. The successor and the deposed one are recorded in the same entry, so that no crash can
    leave two that serve, or none."""
    old, application = asked.old, asked.application
    ctx.sealer.prepare()  # so that sealing cannot fail once something was minted
    read = {"fingerprint": old.fingerprint, "object_id": old.id} if old else {}
    if asked.credentials.client_id is not None:
        read["client_id"] = asked.credentials.client_id
    operation = announce(ctx, step, asked.op, object_id=new_id(), read=read)
    issued = _issue_of(ctx, step, asked, operation)
    made: list[tuple[TokenRecord, TokenRecord | None]] = []

    def outcome(grant: Grant) -> Outcome:
        new = minted(ctx, issued, grant)
        deposed = _readable(ctx, depose(old, step.address, application, ctx.clock())) if old else None
        made.append((new, deposed))
        dropped = (old.id,) if old and deposed is None else ()
        also = refreshes_settled(ctx, old, drafts.LOST) if old else ()
        return Outcome(put=(new, deposed) if deposed else (new,), drop=dropped, also=also)

    grant = perform(
        ctx,
        operation,
        lambda: asked.send(wish_for(application)),
        outcome,
        reason=step.reason.sentence,
        unrecorded=lambda answer, draft: unrecorded_grant(
            ctx, operation, draft, answer, asked.provider, asked.credentials
        ),
    )
    ctx.remember((grant.access_token, grant.refresh_token))
    return Minted(asked, *made[0], grant)


def _readable(ctx: Context, deposed: TokenRecord | None) -> TokenRecord | None:
    """A replaced token whose value nobody can open any more cannot be revoked by any run: it is kept without it, until
    it ends."""
    if deposed is None or not ctx.sealer.gone(deposed.access_token or deposed.refresh_token):
        return deposed
    return replace(deposed, access_token=None, refresh_token=None, retire_at=deposed.expires_at)


def _issue_of(ctx: Context, step: Step, asked: Minting, operation: Operation) -> Issue:
    scopes = step.params.get("application_scopes")
    if scopes is None and (parent := ctx.application_record(asked.application.address)) is not None:
        scopes = parent.scopes
    return Issue(
        address=step.address,
        application=asked.application,
        consumer=asked.consumer,
        provider_type=step.provider_type,
        object_id=operation.object_id or new_id(),
        generation=asked.old.generation + 1 if asked.old else 1,
        sent_at=operation.since,
        client_id=asked.credentials.client_id,
        operation=operation.id,
        application_scopes=tuple(scopes) if scopes is not None else None,
    )


def prove_and_retire(ctx: Context, step: Step, made: Minted, *, always: bool = False) -> Ended:
    """Where nothing is retired and the answer said what it grants, the next observation is proof enough; `always` asks
    all the same, because a person waits."""
    application, new, deposed = made.asked.application, made.new, made.deposed
    unsaid = made.grant.scopes is None and bool(application.scopes)
    if deposed is None and not unsaid and not always:
        return Ended(diagnostics=_said(ctx, application, new))
    proof = prove(ctx, made.asked.provider, made.asked.credentials, made.grant.access_token)
    new = after_proof(ctx, new, deposed, proof)
    ended = Ended(diagnostics=_said(ctx, application, new))
    return ended if deposed is None else _retire_old(ctx, step, application, deposed, proof, ended)


def _said(ctx: Context, application: Application, new: TokenRecord) -> tuple[Diagnostic, ...]:
    """What a person should know of a token that was just granted."""
    return (*narrower(ctx, application, new), *too_long(application, new), *_issued_before(ctx, new))


def _issued_before(ctx: Context, new: TokenRecord) -> tuple[Diagnostic, ...]:
    """The server answered with a token that another record has already, so nothing was rotated and nothing is apart."""
    other = ctx.sharing(new)
    if other is None:
        return ()
    whose = "the one that it was to replace" if other.address == new.address else str(other.address)
    summary = f"the server answered with the token that it had issued before, {whose}"
    detail = (
        "It is kept, and revoked only with the last record that has it. Have the server issue a new token for each "
        "request (Doorkeeper: no `reuse_access_token`); until then consumers share it and a rotation changes nothing."
    )
    return (warning("token-shared", new.address, summary, detail),)


def after_proof(ctx: Context, new: TokenRecord, deposed: TokenRecord | None, proof: Proof) -> TokenRecord:
    """Records what the probe added. A new token that the provider does not take gives its place back to the old one."""
    if proof.dead:
        now = ctx.clock()
        if deposed is None:
            ctx.append(drafts.observed([replace(new, status=REVOKED)]))
        else:
            back = replace(deposed, status=LIVE, deposed=None, retire_at=None)
            aside = replace(new, status=RETIRING, deposed=deposed.deposed, retire_at=now)
            ctx.append(drafts.observed([back, aside]))
        summary = "the provider granted a token and does not accept it"
        detail = "The one before it serves on." if deposed else "The next apply asks for another."
        raise StepRefused("refused", summary, detail, address=str(new.address))
    seen = as_seen(new, proof.seen)
    if seen != new:
        ctx.append(drafts.observed([seen]))
    return seen


def _retire_old(
    ctx: Context, step: Step, application: Application, deposed: TokenRecord, proof: Proof, ended: Ended
) -> Ended:
    overlap = application.policy.overlap
    if deposed.access_token is None and deposed.refresh_token is None:
        return ended.saying(_unreadable(ctx, deposed))
    if ctx.vendor_of(deposed).revoke(ctx.observed.of(deposed.provider)) is Revoke.NO:
        return ended.saying(_lives_on(deposed, "the vendor cannot revoke it"))
    if overlap:
        return ended
    if not proof.works:
        return ended.saying(_lives_on(deposed, "the new one could not be proven; the next apply revokes the old one"))
    try:
        return ended.saying(*end_token(ctx, step, deposed).diagnostics)
    except Stopped:
        return ended.saying(_lives_on(deposed, "stopped before it was revoked; the next apply does that"))


def _lives_on(deposed: TokenRecord, why: str) -> Diagnostic:
    until = f"until {to_rfc3339(deposed.expires_at)}" if deposed.expires_at else "with no known end"
    return note("retiring", deposed.address, f"the replaced token lives on {until}", f"{why[0].upper()}{why[1:]}.")


def _unreadable(ctx: Context, deposed: TokenRecord) -> Diagnostic:
    until = f"until {to_rfc3339(deposed.expires_at)}" if deposed.expires_at else "with no known end"
    why = "the replaced token was not revoked: nobody can open its value any more"
    by_hand = " ".join(ctx.vendor_of(deposed).kill_handoff(deposed).instructions)
    return warning("handoff", deposed.address, f"{why}; it lives on {until}", by_hand)


def narrower(ctx: Context, application: Application, new: TokenRecord) -> tuple[Diagnostic, ...]:
    """What was granted less than declared, said once, when it is granted."""
    if ctx.vendor_of(application).covers(new.scopes, application.scopes):
        return ()
    lacking = ", ".join(sorted(set(application.scopes) - set(new.scopes))) or "part of what is declared"
    detail = (
        "The token is kept. Give the application these scopes at the vendor, or take them out of the file; "
        "a later apply asks again once either has changed."
    )
    return (warning("scopes-narrower", new.address, f"granted without {lacking}", detail),)


def too_long(application: Application, new: TokenRecord) -> tuple[Diagnostic, ...]:
    """A longer life than the policy allows, where only the grant could tell. The token is kept: ending it would leave
    nothing that serves, and another would live as long."""
    limit = application.policy.max_lifetime
    if limit is None or new.expires_at is None or new.expires_at - new.issued_at <= limit:
        return ()
    life = format_duration(new.expires_at - new.issued_at)
    summary = f"granted {life}, and max_lifetime is {format_duration(limit)}"
    detail = "The token is kept. Have the vendor issue shorter-lived ones, or raise max_lifetime of the policy."
    return (warning("lifetime-exceeded", new.address, summary, detail),)
