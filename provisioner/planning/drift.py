"""What changed at the providers behind the recorded state's back, whatever the file says.

A balance that falls by sending is no drift: it is what credits are for. One that fell below its recorded floor is, and
so is one that rose by a purchase which no run made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any

from provisioner.address import Address
from provisioner.errors import Diagnostic
from provisioner.model.observed import DEAD, Observed, ObservedApplication, ObservedToken
from provisioner.model.plan import DELETE, UPDATE, Drift
from provisioner.model.recorded import CREATED, LIVE, ApplicationRecord, CreditsRecord, State, TokenRecord
from provisioner.planning.doubts import blocking, only_bought
from provisioner.planning.registered import changed_at_server
from provisioner.planning.values import of_record
from provisioner.times import to_rfc3339

# A server's clock and ours differ; an end that moved by less than this is the same end.
_CLOCK_SKEW = timedelta(minutes=2)


def find_drift(state: State, observed: Observed, moves: Mapping[str, Address] | None = None) -> tuple[Drift, ...]:
    """Every difference, by recorded address. `moves`: object id → where a `moved` block takes it, because that is the
    address that it was looked at by. Empty where nobody looked."""
    if not observed.providers:
        return ()
    taken = moves or {}
    found: list[Drift] = []
    for record in state.resources():
        observation = observed.of(record.provider)
        if isinstance(record, ApplicationRecord):
            seen = observation.applications.get(str(taken.get(record.id, record.address)))
            if seen is not None:
                found.extend(_application(record, seen, observed))
        elif isinstance(record, TokenRecord):
            token = observation.tokens.get(record.id)
            if token is not None:
                found.extend(_token(record, token, observed))
        elif observation.credits is not None:
            found.extend(_credits(record, state, observed))
    return tuple(found)


def _application(record: ApplicationRecord, seen: ObservedApplication, observed: Observed) -> Iterator[Drift]:
    before = of_record(record, observed.at)

    def drift(code: str, sentence: str, **after: Any) -> Drift:
        return Drift(
            address=record.address,
            code=code,
            sentence=sentence,
            provider_type=record.provider_type,
            before=before,
            after=before | after,
            object_id=record.id,
        )

    if not seen.exists:
        sentence = seen.problem or f"{record.name!r} is not at the provider any more"
        yield Drift(
            address=record.address,
            code="application-gone",
            sentence=sentence,
            provider_type=record.provider_type,
            action=DELETE,
            before=before,
            object_id=record.id,
        )
        return
    if record.managed == CREATED:
        yield from _registered(record, seen, drift)
    elif seen.scopes is not None and seen.scopes != record.scopes:
        yield drift("application-changed", "its scopes were changed at the provider", scopes=list(seen.scopes))
    if seen.token_lifetime is not None and seen.token_lifetime != record.token_lifetime:
        sentence = "its token lifetime was changed at the provider"
        yield drift("application-changed", sentence, token_lifetime=seen.token_lifetime)
    if seen.client_id is not None and record.client_id is not None and seen.client_id != record.client_id:
        yield drift("application-changed", "another client answers to its name", client_id=seen.client_id)
    if seen.secret_fingerprint is not None and seen.secret_fingerprint != record.secret_fingerprint:
        yield drift(
            "secret-changed", "its secret was reset at the provider", secret_fingerprint=seen.secret_fingerprint
        )


def _registered(record: ApplicationRecord, seen: ObservedApplication, drift: Callable[..., Drift]) -> Iterator[Drift]:
    if seen.problem is not None:
        yield drift("application-changed", seen.problem)
    changed = changed_at_server(record, seen)
    if changed:
        sentence = f"its registration was changed at the server: {', '.join(sorted(changed))}"
        yield drift("application-changed", sentence, **{name: after for name, (_, after) in changed.items()})


def _token(record: TokenRecord, seen: ObservedToken, observed: Observed) -> Iterator[Drift]:
    if record.status_at(observed.at) != LIVE:
        return
    before = of_record(record, observed.at)

    def drift(code: str, sentence: str, action: tuple[str, ...] = UPDATE, **after: Any) -> Drift:
        return Drift(
            address=record.address,
            code=code,
            sentence=sentence,
            provider_type=record.provider_type,
            action=action,
            before=before,
            after=None if action == DELETE else before | after,
            object_id=record.id,
            deposed=record.deposed,
        )

    if seen.liveness == DEAD:
        yield drift("revoked-outside", "the provider no longer accepts it", DELETE)
        return
    if seen.scopes is not None and seen.scopes != record.scopes:
        yield drift("scope-changed", "its scopes were changed at the provider", scopes=list(seen.scopes))
    if seen.expires_at is not None and (record.expires_at is None or record.expires_at - seen.expires_at > _CLOCK_SKEW):
        yield drift("lifetime-shortened", "it ends earlier than was granted", expires_at=to_rfc3339(seen.expires_at))


def _credits(record: CreditsRecord, state: State, observed: Observed) -> Iterator[Drift]:
    seen = observed.of(record.provider).credits
    if seen is None:
        return
    before = of_record(record, observed.at, state.purchases)

    def drift(code: str, sentence: str) -> Drift:
        return Drift(
            address=record.address,
            code=code,
            sentence=sentence,
            provider_type=record.provider_type,
            before=before,
            after=before | {"balance": seen.balance, "unit": seen.unit},
            object_id=record.id,
        )

    recorded = record.balance if record.balance is not None else Decimal(0)
    if seen.balance < record.minimum and (record.balance is None or recorded >= record.minimum):
        yield drift("balance-below-floor", f"the balance fell to {seen.balance}, below the floor {record.minimum}")
    known = only_bought(record.parts, recorded)
    if (
        record.parts
        and only_bought(seen.parts, seen.balance) > known
        and not blocking(state.operations.values(), record.provider)
    ):
        yield drift("purchased-outside", "credits were bought outside any run")


def strangers(state: State, observed: Observed) -> tuple[Diagnostic, ...]:
    """Applications at a vendor that nobody declared, as a note a provider. An account may have others than ours for
    good reasons, so they are no drift: nothing has changed. Told only where some application of that provider is
    ours."""
    ours = {r.provider for r in state.objects.values() if isinstance(r, ApplicationRecord)}
    found = []
    for provider in sorted(ours):
        names = observed.of(provider).unmanaged
        if names:
            shown = ", ".join(repr(name) for name in names[:10]) + (", ..." if len(names) > 10 else "")
            summary = f"at {provider} there are applications that nobody declared: {shown}"
            detail = "That is no drift. `provisioner plan --generate-config-out FILE` writes TOML for what exists."
            found.append(Diagnostic(name="unmanaged-application", summary=summary, detail=detail, severity="note"))
    return tuple(found)
