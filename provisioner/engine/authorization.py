"""A first token by a person: the exchange of a code, or of a device's approval, as one announced operation.

The command line talks to the person; this records. A second authorization replaces the first safely: the old token
becomes deposed in the entry that records the new one, and is revoked once that was proven.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from provisioner import providers as registry
from provisioner.address import Address
from provisioner.engine import drafts
from provisioner.engine.context import Clock, Context, Patience, Rescue, Stopped, Vendors
from provisioner.engine.doubt import AUTHORIZE_TOKEN
from provisioner.engine.ended import Ended, warning
from provisioner.engine.interrupts import StopFlag
from provisioner.engine.settle import settle
from provisioner.engine.steps_token import Minting, mint, prove_and_retire
from provisioner.errors import Diagnostic, Invalid
from provisioner.model.desired import Application, Desired
from provisioner.model.observed import Observed
from provisioner.model.plan import CREATE, Reason, Step
from provisioner.model.recorded import TokenRecord
from provisioner.providers.base import ClientCredentials, Grant, Provider, TokenWish

if TYPE_CHECKING:
    from provisioner.journal.journal import Journal, RunInfo
    from provisioner.journal.seal import Sealer

Exchange = Callable[[Provider, ClientCredentials, TokenWish], Grant]


def complete(
    desired: Desired,
    journal: Journal,
    sealer: Sealer,
    providers: Mapping[str, Provider],
    *,
    application: Application,
    consumer: str | None,
    exchange: Exchange,
    run: RunInfo,
    clock: Clock,
    stop: StopFlag | None = None,
    vendors: Vendors = registry.vendor,
    patience: Patience | None = None,
    rescue: Rescue | None = None,
) -> Ended:
    """Exchanges and records. The lock is held and the run has begun.

    `exchange` sends the one request (a code's, or polls a device's until somebody decided). Its `scopes-narrower`
    diagnostic means exit 3. Raises StepRefused, ProviderFailed (a denial), NeedsPerson (nobody came in time), InDoubt
    (recorded as lost; the code is spent), StoreFailed, Interrupted where `stop` was asked before anything was sent.
    """
    now = clock()
    observed = Observed(at=now, refreshed=False)
    settle(journal, observed, desired, now, vendors)
    ctx = Context(
        desired,
        journal,
        sealer,
        providers,
        run=run,
        clock=clock,
        observed=observed,
        stop=stop,
        vendors=vendors,
        patience=patience,
        rescue=rescue,
    )
    step = _step(desired, application, consumer)
    provider = ctx.provider(application.provider)
    credentials = ctx.credentials(application, ctx.application_record(application.address))
    minting = Minting(
        application=application,
        consumer=consumer,
        provider=provider,
        credentials=credentials,
        old=ctx.token(step.address),
        op=AUTHORIZE_TOKEN,
        send=lambda wish: exchange(provider, credentials, wish),
    )
    try:
        made = mint(ctx, step, minting)
    except Stopped:
        raise ctx.why_stopped() from None
    if str(step.address) in ctx.state.handoffs:
        ctx.append(drafts.handoff((), (str(step.address),)))
    ended = prove_and_retire(ctx, step, made, always=True)
    serving = ctx.token(step.address)
    return ended if serving is None else ended.saying(*_broader(ctx, application, serving))


def _broader(ctx: Context, application: Application, token: TokenRecord) -> tuple[Diagnostic, ...]:
    """More than was asked for: kept, and a finding of every plan and audit until somebody narrows it."""
    beyond = sorted(set(token.scopes) - set(application.scopes))
    if not application.scopes or not beyond or ctx.vendor_of(application).covers(application.scopes, token.scopes):
        return ()
    detail = "The token is kept. Narrow the application at the vendor and authorize again, or declare what it has."
    return (warning("scopes-broader", token.address, f"granted {', '.join(beyond)} beyond what is declared", detail),)


def token_address(application: Application, consumer: str | None) -> Address:
    """The token that an authorization is for. Raises Invalid where the consumer is not one of the application's."""
    for address, name in application.token_addresses:
        if name == consumer:
            return address
    known = ", ".join(application.consumers) or "none"
    name = str(application.address).removeprefix("application.")
    summary = f"{name} has no consumer {consumer}" if consumer else f"{name} has consumers: name one"
    raise Invalid("unknown-address", summary, f"Its consumers: {known}. Pass one with --consumer.")


def _step(desired: Desired, application: Application, consumer: str | None) -> Step:
    address = token_address(application, consumer)
    return Step(
        id=str(address),
        address=address,
        action=CREATE,
        operation=AUTHORIZE_TOKEN,
        reason=Reason("authorized", "a person authorized it"),
        provider=application.provider,
        provider_type=desired.providers[application.provider].type,
    )
