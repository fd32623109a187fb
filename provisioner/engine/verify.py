"""Proof by reading: that a new token works, that a balance has risen. Reads only; nothing here is recorded."""

from __future__ import annotations

from decimal import Decimal

from provisioner.engine.context import Context
from provisioner.errors import Interrupted, ProviderFailed, StepRefused
from provisioner.model.observed import ALIVE, DEAD, UNKNOWN, ObservedCredits, ObservedToken
from provisioner.planning.doubts import only_bought
from provisioner.providers.base import ClientCredentials, Provider
from provisioner.records import dataclass
from provisioner.secret import Secret


@dataclass(frozen=True, slots=True)
class Proof:
    """What a probe showed. `asked` False: it got no answer, which says nothing of the token."""

    seen: ObservedToken
    asked: bool = True

    @property
    def works(self) -> bool:
        """Good enough to retire the old one: alive, or a vendor that cannot tell and has just granted it."""
        return self.asked and self.seen.liveness in (ALIVE, UNKNOWN)

    @property
    def dead(self) -> bool:
        return self.asked and self.seen.liveness == DEAD


def prove(ctx: Context, provider: Provider, credentials: ClientCredentials, access: Secret) -> Proof:
    """Probes a token just granted; "dead" is believed only after some repetitions, because servers replicate."""
    seen = ObservedToken(liveness=UNKNOWN)
    for pause in ctx.patience.probe:
        if pause and ctx.stop.wait(pause):
            return Proof(seen, asked=False)
        try:
            seen = provider.probe_token(access, credentials)
        except (ProviderFailed, StepRefused) as error:
            return Proof(ObservedToken(liveness=UNKNOWN, detail=error.diagnostics[0].summary), asked=False)
        if seen.liveness != DEAD:
            break
    return Proof(seen)


@dataclass(frozen=True, slots=True)
class Rise:
    """The balances read after a purchase was sent, oldest first. `by` None: nothing rose, which proves nothing."""

    readings: tuple[ObservedCredits, ...]
    by: Decimal | None
    problem: str | None = None

    @property
    def last(self) -> ObservedCredits | None:
        return self.readings[-1] if self.readings else None


def watch_balance(ctx: Context, provider: Provider, before: ObservedCredits) -> Rise:
    """Reads until the part of the balance that only purchases raise has risen, or patience ends, or a stop is asked."""
    floor = only_bought(before.parts, before.balance)
    readings: list[ObservedCredits] = []
    problem: str | None = None
    for pause in ctx.patience.balance:
        try:
            ctx.wait(pause)
            seen = provider.read_credits(None)
        except Interrupted:
            return Rise(tuple(readings), None, "stopped while waiting for the balance to rise")
        except (ProviderFailed, StepRefused) as error:
            problem = error.diagnostics[0].summary
            continue
        readings.append(seen)
        rise = only_bought(seen.parts, seen.balance) - floor
        if rise > 0:
            return Rise(tuple(readings), rise)
    return Rise(tuple(readings), None, problem)
