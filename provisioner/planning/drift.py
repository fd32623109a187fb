"""What changed at the providers behind the recorded state's back, whatever the file says.

A balance that falls by sending is no drift: it is what credits are for. One that fell below its recorded floor is, and
so is one that rose by a purchase which no run made.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

from provisioner.address import Address
from provisioner.model.observed import DEAD, Observed, ObservedApplication, ObservedToken
from provisioner.model.plan import DELETE, UPDATE, Drift
from provisioner.model.recorded import LIVE, ApplicationRecord, CreditsRecord, State, TokenRecord
from provisioner.planning.doubts import blocking, only_bought
from provisioner.planning.values import of_record

# A server's clock and ours differ; an end that moved by less than this is the same end.
_CLOCK_SKEW = timedelta(minutes=2)


def find_drift(state: State, observed: Observed) -> tuple[Drift, ...]:
    """Every difference, by address. Empty where nobody looked."""
    found: list[Drift] = []
    for record in state.resources():
        observation = observed.of(record.provider)
        if isinstance(record, ApplicationRecord):
            seen = observation.applications.get(str(record.address))
            if seen is not None:
                found.extend(_application(record, seen, observed))
        elif isinstance(record, TokenRecord):
            token = observation.tokens.get(record.id)
            if token is not None:
                found.extend(_token(record, token, observed))
        elif observation.credits is not None:
            found.extend(_credits(record, state, observed))
    return (*found, *_unmanaged(state, observed))


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
    if seen.scopes is not None and seen.scopes != record.scopes:
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
        yield drift("lifetime-shortened", "it ends earlier than was granted", expires_at=seen.expires_at.isoformat())


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


def _unmanaged(state: State, observed: Observed) -> Iterator[Drift]:
    """Applications at a vendor that nobody declared; told only where some application of that provider is ours."""
    types = {r.provider: r.provider_type for r in state.objects.values() if isinstance(r, ApplicationRecord)}
    for provider in sorted(types):
        for name in observed.of(provider).unmanaged:
            yield Drift(
                address=Address("application", _slug(name)),
                code="unmanaged-application",
                sentence=f"{name!r} exists at provider {provider}, and nobody declared it",
                provider_type=types[provider],
                after={"name": name, "provider": provider},
            )


def _slug(name: str) -> str:
    """An address for what has none: the name, with what addresses cannot hold replaced."""
    cleaned = "".join(c if c.isascii() and (c.isalnum() or c in "_-") else "_" for c in name)
    return cleaned if cleaned and (cleaned[0].isalpha() or cleaned[0] == "_") else f"_{cleaned}"
