"""Small declarations, records and vendors for planner tests: facts only, no I/O."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from provisioner.address import Address, parse_address
from provisioner.model.desired import Application, CreditFloor, Desired, ProviderConfig, TokenPolicy
from provisioner.model.observed import Observed, ObservedApplication, ObservedCredits, ProviderObservation
from provisioner.model.plan import Handoff, Plan, PlanOptions, Step
from provisioner.model.recorded import (
    ApplicationRecord,
    CreditsRecord,
    ResourceRecord,
    Sealed,
    State,
    TokenRecord,
)
from provisioner.planning.planner import make_plan
from provisioner.providers.base import Applications, Credits, Refresh, Revoke, Scopes, Vendor

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


class _Base(Vendor):
    default_base_url = "https://vendor.example"
    scopes = Scopes.OPTIONAL

    def kill_handoff(self, record: TokenRecord) -> Handoff:
        return Handoff((f"Kill the token of {record.address} in the panel; it dies at {record.expires_at}.",))

    def top_up_handoff(self, floor: CreditFloor, balance: Decimal, unit: str) -> Handoff:
        return Handoff((f"Add {floor.minimum - balance} {unit}.",))


class Rotating(_Base):
    """Like EZ Texting: no applications, a rotating pair, revocable, credits sold."""

    type, title = "rotating", "Rotating"
    applications, credits, unit = Applications.NONE, Credits.PURCHASE, "credits"

    def refresh(self, application: Application | None) -> Refresh:
        return Refresh.ROTATES

    def revoke(self, observation: ProviderObservation) -> Revoke:
        return Revoke.YES


class Panel(_Base):
    """Like SMS.CX: applications made by people, found by name, no refresh, no revoke, a monitored balance."""

    type, title = "panel", "Panel"
    applications, credits, unit = Applications.FOUND, Credits.MONITOR, "money"

    def refresh(self, application: Application | None) -> Refresh:
        return Refresh.NONE

    def application_handoff(self, application: Application, observed: ObservedApplication | None) -> Handoff | None:
        if observed is not None and observed.scopes == application.scopes:
            return None
        return Handoff((f"Create or edit {application.name}.",), "https://panel.example")


class Person(_Base):
    """Like TextMaster: adopted, the first token takes a person, the wallet is read with a token."""

    type, title = "person", "Person"
    applications, credits, unit, credits_need_token = Applications.ADOPTED, Credits.MONITOR, "money", True

    def refresh(self, application: Application | None) -> Refresh:
        return Refresh.ROTATES

    def needs_person(self, application: Application) -> bool:
        return True

    def revoke(self, observation: ProviderObservation) -> Revoke:
        return Revoke.TRY


class Server(_Base):
    """Like an OAuth server that registers clients."""

    type, title = "server", "Server"
    applications = Applications.REGISTERED

    def refresh(self, application: Application | None) -> Refresh:
        return Refresh.NONE

    def revoke(self, observation: ProviderObservation) -> Revoke:
        return Revoke.YES


VENDORS: dict[str, Vendor] = {vendor.type: vendor() for vendor in (Rotating, Panel, Person, Server)}


def application(provider: str, name: str = "app", **changes: Any) -> Application:
    keys: tuple[str, ...] = changes.pop("keys", ())
    given: dict[str, Any] = {"policy": TokenPolicy(name="built-in"), "scopes": ()}
    return Application(address=Address("application", name, keys), provider=provider, name=name, **(given | changes))


def floor(provider: str, **changes: Any) -> CreditFloor:
    given: dict[str, Any] = {"minimum": Decimal(5000), "target": Decimal(6000), "pack": Decimal(500)}
    given |= {"max_per_apply": Decimal(3000)}
    return CreditFloor(address=Address("credits", "ez"), provider=provider, **(given | changes))


def desired(*applications: Application, floors: tuple[CreditFloor, ...] = (), **changes: Any) -> Desired:
    """Providers are named for their types."""
    return Desired(
        stack="test",
        state_location="state/test",
        providers={name: ProviderConfig(name=name, type=name, base_url="https://vendor.example") for name in VENDORS},
        applications=tuple(sorted(applications, key=lambda a: a.address.sort_key)),
        credits=floors,
        **changes,
    )


def token(provider: str, address: str = "token.app", **changes: Any) -> TokenRecord:
    """A live token issued an hour ago that lives three hours."""
    where = parse_address(address)
    given: dict[str, Any] = {
        "id": f"id-{address}",
        "application": where.as_type("application"),
        "consumer": None,
        "status": "live",
        "issued_at": NOW - timedelta(hours=1),
        "expires_at": NOW + timedelta(hours=2),
        "fingerprint": "sha256:0000000000000000",
        "access_token": Sealed("k", 1, "AAAA"),
    }
    return TokenRecord(address=where, provider=provider, provider_type=provider, **(given | changes))


def credits_record(provider: str, balance: int, **changes: Any) -> CreditsRecord:
    given: dict[str, Any] = {"minimum": Decimal(5000), "target": Decimal(6000), "max_per_apply": Decimal(3000)}
    return CreditsRecord(
        id="id-credits.ez",
        address=Address("credits", "ez"),
        provider=provider,
        provider_type=provider,
        balance=Decimal(balance),
        unit="credits",
        **(given | changes),
    )


def application_record(provider: str, address: str = "application.app", **changes: Any) -> ApplicationRecord:
    where = parse_address(address)
    given: dict[str, Any] = {"id": f"id-{address}", "name": where.name, "client_id": "client"}
    return ApplicationRecord(address=where, provider=provider, provider_type=provider, **(given | changes))


def state(*records: ResourceRecord, **changes: Any) -> State:
    return State(
        stack="test", lineage="lineage", serial=7, head="f" * 64, objects={r.id: r for r in records}, **changes
    )


def observed(refreshed: bool = True, **providers: ProviderObservation) -> Observed:
    return Observed(at=NOW, refreshed=refreshed, providers=providers)


def balance(amount: int, **parts: int) -> ProviderObservation:
    found = {key: Decimal(value) for key, value in parts.items()}
    return ProviderObservation(credits=ObservedCredits(balance=Decimal(amount), unit="credits", at=NOW, parts=found))


def plan(want: Desired, have: State, seen: Observed | None = None, at: datetime = NOW, **options: Any) -> Plan:
    return make_plan(want, have, seen or observed(), at, PlanOptions(**options), vendors=VENDORS.__getitem__)


def step(made: Plan, step_id: str) -> Step:
    return {found.id: found for found in made.steps}[step_id]


def outline(made: Plan) -> Mapping[str, tuple[tuple[str, ...], str, str]]:
    """id → (action, operation, reason code), for comparing whole plans."""
    return {s.id: (s.action, s.operation, s.reason.code) for s in made.steps}
