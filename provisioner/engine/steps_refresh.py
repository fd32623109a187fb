"""Tokens: refresh.

`token.refresh`  `fallback` = `token.create`: a dead refresh token costs no person, so the same step asks anew
"""

from __future__ import annotations

from provisioner.engine import drafts
from provisioner.engine.context import Context
from provisioner.engine.earlier import refreshes_settled
from provisioner.engine.ended import Ended
from provisioner.engine.minting import unrecorded_grant
from provisioner.engine.operation import Outcome, announce, patiently, perform
from provisioner.engine.rotation import client_of
from provisioner.engine.steps_token import after_proof, issue, narrower, own_record
from provisioner.engine.tokens import renewed, wish_for
from provisioner.engine.verify import prove
from provisioner.errors import UNSPECIFIED, Diagnostic, NeedsPerson, StepRefused
from provisioner.model.desired import Application
from provisioner.model.observed import DEAD
from provisioner.model.plan import CREATE_TOKEN, REFRESH_TOKEN, Step
from provisioner.model.recorded import EXPIRED, UNAUTHORIZED, TokenRecord
from provisioner.planning.tokens import authorize_command
from provisioner.providers.base import ClientCredentials, Grant, Provider, TokenWish
from provisioner.records import replace


def refresh(ctx: Context, step: Step) -> Ended:
    """The pair is stored before the new access token is first used: some servers end the old pair at that moment."""
    record = own_record(ctx, step) or ctx.token(step.address)
    if record is None or record.refresh_token is None:
        if step.params.get("fallback") == CREATE_TOKEN:
            return issue(ctx, step)
        raise _authorize(ctx, step, "there is no refresh token")
    application, _ = ctx.wanted.get(step.address, (None, None))
    provider = ctx.provider(record.provider)
    credentials = client_of(ctx, application, record)
    if credentials is None:
        if step.params.get("fallback") == CREATE_TOKEN:
            return issue(ctx, step)
        raise _authorize(ctx, step, f"client {record.client_id}, which it was issued to, is gone")
    try:
        new, grant = patiently(ctx, lambda: _refresh_once(ctx, step, record, application, provider, credentials))
    except StepRefused as error:
        if error.oauth_error == UNSPECIFIED:
            what = "its refresh was refused, and the vendor names no reason: look at the client's id and secret first"
            raise _authorize(ctx, step, what) from None
        if error.oauth_error != "invalid_grant":
            raise
        if step.params.get("fallback") == CREATE_TOKEN:
            return issue(ctx, step)
        raise _authorize(ctx, step, "the server no longer takes its refresh token") from None
    proof = prove(ctx, provider, credentials, grant.access_token)
    new = after_proof(ctx, new, None, proof)
    return Ended(diagnostics=_lost_scopes(ctx, application, record, new))


def _refresh_once(
    ctx: Context,
    step: Step,
    record: TokenRecord,
    application: Application | None,
    provider: Provider,
    credentials: ClientCredentials,
) -> tuple[TokenRecord, Grant]:
    secret = ctx.open_token(record, "refresh_token")
    if secret is None:
        raise _authorize(ctx, step, "there is no refresh token")
    ctx.sealer.prepare()
    read = {"fingerprint": record.fingerprint, "refresh_fingerprint": record.refresh_fingerprint}
    operation = announce(ctx, step, REFRESH_TOKEN, object_id=record.id, read=read)
    placed = replace(
        record, address=step.address, application=application.address if application else record.application
    )
    made: list[TokenRecord] = []

    def outcome(grant: Grant) -> Outcome:
        new = renewed(ctx, placed, application, grant, operation.since, operation.id)
        made.append(new)
        return Outcome(put=(new,), also=refreshes_settled(ctx, record, drafts.RETRIED))

    def refused(error: StepRefused) -> Outcome:
        if error.oauth_error == UNSPECIFIED and _over(ctx, record):
            # It may have been the client's secret, so the refresh token is kept, and tried again by every apply.
            barred = replace(placed, status=UNAUTHORIZED)
            return Outcome(put=(barred,), also=refreshes_settled(ctx, record, drafts.LOST))
        if error.oauth_error != "invalid_grant":
            return Outcome()
        dead = replace(placed, refresh_token=None, refresh_fingerprint=None, refresh_expires_at=None)
        if step.params.get("fallback") != CREATE_TOKEN:
            dead = replace(dead, status=UNAUTHORIZED)
        return Outcome(put=(dead,), detail="invalid_grant", also=refreshes_settled(ctx, record, drafts.LOST))

    wish = wish_for(application) if application else TokenWish(scopes=record.requested_scopes)
    if application is not None and record.issued_for != application.target:
        wish = replace(wish, resource=(), audience=None)  # RFC 8707 section 2.2: none means those of the grant
    grant = perform(
        ctx,
        operation,
        lambda: provider.refresh_token(credentials, secret, wish),
        outcome,
        reason=step.reason.sentence,
        refused=refused,
        unrecorded=lambda answer, draft: unrecorded_grant(ctx, operation, draft, answer, provider, credentials),
    )
    ctx.remember((grant.access_token, grant.refresh_token))
    return made[0], grant


def _over(ctx: Context, record: TokenRecord) -> bool:
    """Whether the access token serves nobody any more: ended, or not accepted when it was looked at."""
    seen = ctx.observed.of(record.provider).tokens.get(record.id)
    dead = seen is not None and seen.liveness == DEAD
    return dead or record.status_at(ctx.clock()) == EXPIRED


def _lost_scopes(
    ctx: Context, application: Application | None, old: TokenRecord, new: TokenRecord
) -> tuple[Diagnostic, ...]:
    """Scopes that a refresh took away (RFC 6749 section 6 lets it); those that were missing before were said before."""
    if application is None or set(new.scopes) >= set(old.scopes):
        return ()
    return narrower(ctx, application, new)


def _authorize(ctx: Context, step: Step, why: str) -> NeedsPerson:
    application, consumer = ctx.wanted.get(step.address, (None, None))
    address = application.address if application is not None else step.address.as_type("application")
    detail = f"Run `{authorize_command(address, consumer)}` and approve in the browser."
    return NeedsPerson(
        "needs-authorization", f"{why}; a person must authorize again", detail, address=str(step.address)
    )
