"""The end of a token: revoked and proven, or forgotten with how a person kills it.

`token.revoke`  the current one (destroy) or a deposed one (its overlap is over); harmless to repeat
"""

from __future__ import annotations

from provisioner.engine import drafts
from provisioner.engine.context import Context
from provisioner.engine.earlier import refreshes_settled, revocations_settled
from provisioner.engine.ended import Ended, note, warning
from provisioner.engine.events import HANDOFF
from provisioner.engine.operation import Outcome, announce, patiently, perform, record
from provisioner.engine.rotation import client_of, superseded_client
from provisioner.engine.verify import prove
from provisioner.errors import CredentialsRefused, StepRefused
from provisioner.model.plan import FORGET_RECORD, REVOKE_TOKEN, Step
from provisioner.model.recorded import LIVE, TokenRecord
from provisioner.planning.tokens import authorize_command
from provisioner.providers.base import Revoked
from provisioner.records import replace
from provisioner.times import to_rfc3339


def revoke(ctx: Context, step: Step) -> Ended:
    """A token that is gone from the recorded state meanwhile needs nothing more."""
    found = ctx.record(step.object_id)
    return end_token(ctx, step, found) if isinstance(found, TokenRecord) else Ended()


def end_token(ctx: Context, step: Step, token: TokenRecord) -> Ended:
    """Revokes one recorded token. Raises StepRefused `revocation-unproven` where it survived a revocation."""
    if token.access_token is None and token.refresh_token is None:
        record(ctx, step, FORGET_RECORD, drop=(token.id,))
        return Ended()
    with ctx.forgetting:
        other = ctx.sharing(token)
        if other is not None:
            record(ctx, step, FORGET_RECORD, drop=(token.id,))
    if other is not None:
        summary = f"not revoked: {other.address} is served by the very same token"
        return Ended(diagnostics=(note("token-shared", token.address, summary, "The last of them to go ends it."),))
    try:
        found = patiently(ctx, lambda: _revoke_once(ctx, step, token))
    except CredentialsRefused:
        if not superseded_client(ctx, token):
            raise
        found = _nobody_can(ctx, step, token)
    if found is Revoked.SURVIVED:
        summary = "the server answered the revocation, and the token still lives"
        detail = "It stays recorded; the next apply tries again. " + _by_hand(ctx, token)
        raise StepRefused("revocation-unproven", summary, detail, address=str(token.address))
    if found is not Revoked.UNSUPPORTED:
        return _successor(ctx, token)
    orphan = superseded_client(ctx, token) or client_of(ctx, ctx.applications.get(token.application), token) is None
    why = f"client {token.client_id}, which it was issued to, is gone" if orphan else "no API of the vendor revokes it"
    if token.deposed is not None:
        until = f"until {to_rfc3339(token.expires_at)}" if token.expires_at else "with no known end"
        return Ended(diagnostics=(note("retiring", token.address, f"{why}; it lives on {until}"),))
    said = warning("handoff", token.address, f"forgotten, and perhaps alive: {why}", _by_hand(ctx, token))
    return Ended(status=HANDOFF, diagnostics=(said,))


def _successor(ctx: Context, ended: TokenRecord) -> Ended:
    """Some servers keep one grant for a person and a client (RFC 7009 section 2.1), and end the pair that serves along
    with the one that it replaced. That is looked at, because only a person can mend it."""
    application, serving = ctx.applications.get(ended.application), ctx.token(ended.address)
    if ended.deposed is None or application is None or serving is None or serving.access_token is None:
        return Ended()
    if not ctx.vendor_of(application).needs_person(application) or serving.status != LIVE:
        return Ended()
    credentials, secret = client_of(ctx, application, serving), ctx.open_token(serving, "access_token")
    if credentials is None or secret is None:
        return Ended()
    proof = prove(ctx, ctx.provider(serving.provider), credentials, secret)
    if not proof.dead:
        return Ended()
    ctx.append(
        drafts.observed([replace(serving, expires_at=ctx.clock())])
    )  # its refresh token is tried by the next apply
    consumer = next((name for address, name in application.token_addresses if address == serving.address), None)
    summary = "the server ended it together with the one that it replaced: it keeps one grant for a person and a client"
    again = f"Run `{authorize_command(application.address, consumer)}` once more: nothing is left to be ended then."
    return Ended(status=HANDOFF, diagnostics=(warning("needs-authorization", serving.address, summary, again),))


def _revoke_once(ctx: Context, step: Step, token: TokenRecord) -> Revoked:
    provider = ctx.provider(token.provider)
    credentials = client_of(ctx, ctx.applications.get(token.application), token)
    if credentials is None:
        return _nobody_can(ctx, step, token)
    refresh = ctx.open_token(token, "refresh_token")
    access = ctx.open_token(token, "access_token") or refresh
    if access is None:
        raise AssertionError("a token without a sealed value is never revoked")
    operation = announce(
        ctx,
        step,
        REVOKE_TOKEN,
        object_id=token.id,
        provider=token.provider,
        provider_type=token.provider_type,
        read={"fingerprint": token.fingerprint},
    )
    return perform(
        ctx,
        operation,
        lambda: provider.revoke_token(credentials, access, refresh),
        lambda answer: _outcome(ctx, token, answer),
        reason=step.reason.sentence,
    )


def _nobody_can(ctx: Context, step: Step, token: TokenRecord) -> Revoked:
    """Its client was deleted at the server, or is not ours any more: a server takes a revocation from no other, so
    nothing is sent. What it may still open ends when the token does."""
    if token.deposed is None:
        record(ctx, step, FORGET_RECORD, drop=(token.id,))
    else:
        record(ctx, step, FORGET_RECORD, put=(replace(token, retire_at=token.expires_at),))
    return Revoked.UNSUPPORTED


def _outcome(ctx: Context, token: TokenRecord, answer: Revoked) -> Outcome:
    also = revocations_settled(ctx, token)
    if answer in (Revoked.REVOKED, Revoked.ALREADY_DEAD):
        gone = (*also, *refreshes_settled(ctx, token, drafts.LOST))
        return Outcome(drop=(token.id,), detail=answer.value, also=gone)
    if answer is Revoked.SURVIVED:
        return Outcome(result=drafts.REFUSED, detail=answer.value, also=also)
    if token.deposed is None:
        return Outcome(result=drafts.REFUSED, drop=(token.id,), detail=answer.value, also=also)
    # It cannot be revoked, so asking again before it expires is of no use; then housekeeping drops it.
    return Outcome(
        result=drafts.REFUSED, put=(replace(token, retire_at=token.expires_at),), detail=answer.value, also=also
    )


def _by_hand(ctx: Context, token: TokenRecord) -> str:
    return " ".join(ctx.vendor_of(token).kill_handoff(token).instructions)
