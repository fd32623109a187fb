"""The fake vendors of the engine's tests, and the ledger that says what really happened there."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from provisioner.errors import CredentialsRefused, StepRefused
from provisioner.model.desired import Application, CreditFloor, ProviderConfig
from provisioner.model.observed import (
    ALIVE,
    DEAD,
    UNKNOWN,
    ObservedApplication,
    ObservedCredits,
    ObservedToken,
    ProviderObservation,
)
from provisioner.model.plan import Handoff
from provisioner.model.recorded import ApplicationRecord, TokenRecord
from provisioner.providers.base import (
    Applications,
    ClientCredentials,
    Credits,
    Grant,
    Opener,
    Provider,
    PurchaseAnswer,
    Refresh,
    Revoke,
    Revoked,
    Scopes,
    TokenWish,
    Vendor,
)
from provisioner.secret import Secret

if TYPE_CHECKING:
    from engine_world import World

START = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
LIFE = timedelta(minutes=90)


class _Base(Vendor):
    default_base_url = "https://vendor.example"
    scopes = Scopes.OPTIONAL

    def kill_handoff(self, record: TokenRecord) -> Handoff:
        return Handoff(("Kill it in the panel.",))

    def top_up_handoff(self, floor: CreditFloor, balance: Decimal, unit: str) -> Handoff:
        return Handoff(("Add credits.",))

    def refresh(self, application: Application | None) -> Refresh:
        return Refresh.ROTATES

    def revoke(self, observation: ProviderObservation) -> Revoke:
        return Revoke.YES

    def latest_end(self, sent_at: datetime, application: Application | None) -> datetime | None:
        return sent_at + timedelta(days=60)


class Pairs(_Base):
    """Like EZ Texting: no applications, a rotating pair, revocable, credits sold."""

    type, title = "pairs", "Pairs"
    applications, credits, unit = Applications.NONE, Credits.PURCHASE, "credits"


class Person(_Base):
    """Like TextMaster: adopted, the first token takes a person, the wallet is read with a token."""

    type, title = "person", "Person"
    applications, credits, unit, credits_need_token = Applications.ADOPTED, Credits.MONITOR, "money", True

    def needs_person(self, application: Application) -> bool:
        return True


class Panel(_Base):
    """Like SMS.CX: no refresh and no revoke."""

    type, title = "panel", "Panel"
    applications, credits, unit = Applications.FOUND, Credits.MONITOR, "money"

    def refresh(self, application: Application | None) -> Refresh:
        return Refresh.NONE

    def revoke(self, observation: ProviderObservation) -> Revoke:
        return Revoke.NO


class Server(_Base):
    """Like an OAuth server that registers clients."""

    type, title = "server", "Server"
    applications = Applications.REGISTERED

    def refresh(self, application: Application | None) -> Refresh:
        return Refresh.NONE


VENDORS: dict[str, Vendor] = {vendor.type: vendor() for vendor in (Pairs, Person, Panel, Server)}


@dataclass(slots=True)
class Live:
    """One token pair as the vendor knows it."""

    access: str
    refresh: str | None
    client: str | None
    scopes: tuple[str, ...]
    ends: datetime
    alive: bool = True


@dataclass
class Ledger:
    """What really happened at the vendor."""

    pairs: list[Live] = field(default_factory=list)
    clients: dict[str, dict[str, Any]] = field(default_factory=dict)
    plan_credits: Decimal = Decimal(0)
    anytime: Decimal = Decimal(0)
    bought: list[Decimal] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    numbers: Any = field(default_factory=itertools.count)

    def fresh(self, prefix: str) -> str:
        return f"{prefix}-{next(self.numbers):06d}"

    def living(self, now: datetime) -> list[Live]:
        return [pair for pair in self.pairs if pair.alive and pair.ends > now]

    def find(self, access: str) -> Live | None:
        return next((pair for pair in self.pairs if pair.access == access), None)


class FakeProvider(Provider):
    """Every change passes `World.change`, where faults are injected around its effect on the ledger."""

    def __init__(self, name: str, world: World) -> None:
        self.config = ProviderConfig(name=name, type=name, base_url="https://vendor.example")
        self.world = world
        self.ledger = world.ledger
        self.vendor = VENDORS[name]

    # -- reads -------------------------------------------------------------------------------------------------------

    def read_applications(
        self, wanted: Sequence[Application], recorded: Mapping[str, ApplicationRecord]
    ) -> tuple[dict[str, ObservedApplication], tuple[str, ...]]:
        self.world.read("read_applications")
        if self.vendor.applications in (Applications.NONE, Applications.REGISTERED):
            return {}, ()
        seen = ObservedApplication(exists=True, client_id="client", secret_fingerprint="sha256:5")
        return {str(a.address): replace(seen, scopes=a.scopes) for a in wanted}, ()

    def read_credits(self, token: Secret | None) -> ObservedCredits:
        self.world.read("read_credits")
        if self.vendor.credits_need_token and (token is None or self.ledger.find(token.reveal()) is None):
            raise CredentialsRefused("credentials-refused", f"{self.config.name} refused the token")
        parts = {"planCredits": self.ledger.plan_credits, "anytimeCredits": self.ledger.anytime}
        total = self.ledger.plan_credits + self.ledger.anytime
        return ObservedCredits(balance=total, unit="credits", at=self.world.clock(), parts=parts)

    def probe_token(self, token: Secret, credentials: ClientCredentials | None) -> ObservedToken:
        self.world.read("probe_token")
        if self.world.blind:
            return ObservedToken(liveness=UNKNOWN)
        pair = self.ledger.find(token.reveal())
        now = self.world.clock()
        if pair is None or not pair.alive or pair.ends <= now or pair.access in self.world.not_accepted:
            return ObservedToken(liveness=DEAD)
        return ObservedToken(liveness=ALIVE, scopes=pair.scopes)

    def credentials(
        self, application: Application | None, record: ApplicationRecord | None, open_sealed: Opener
    ) -> ClientCredentials:
        client = record.client_id if record is not None else None
        return ClientCredentials(client_id=client)

    # -- changes -----------------------------------------------------------------------------------------------------

    def _issue(self, client: str | None, scopes: tuple[str, ...]) -> Grant:
        pairs = self.vendor.refresh(None) is not Refresh.NONE
        granted = tuple(s for s in scopes if s not in self.world.withheld)
        made = Live(
            access=self.ledger.fresh("access"),
            refresh=self.ledger.fresh("refresh") if pairs else None,
            client=client,
            scopes=granted,
            ends=self.world.clock() + self.world.life,
        )
        self.ledger.pairs.append(made)
        return Grant(
            access_token=Secret(made.access),
            refresh_token=Secret(made.refresh) if made.refresh else None,
            expires_in=self.world.life,
            scopes=granted,
        )

    def create_token(self, credentials: ClientCredentials, wish: TokenWish) -> Grant:
        if (
            credentials.client_id is not None
            and credentials.client_id.startswith("reg")
            and credentials.client_id not in self.ledger.clients
        ):
            raise CredentialsRefused("credentials-refused", "unknown client")
        return self.world.change("create_token", lambda: self._issue(credentials.client_id, wish.scopes))

    def refresh_token(self, credentials: ClientCredentials, refresh: Secret, wish: TokenWish) -> Grant:
        def effect() -> Grant:
            pair = next((p for p in self.ledger.pairs if p.refresh == refresh.reveal() and p.alive), None)
            if pair is None:
                raise StepRefused("invalid-grant", "the refresh token is dead", oauth_error="invalid_grant")
            pair.alive = False
            return self._issue(pair.client, pair.scopes)

        return self.world.change("refresh_token", effect)

    def revoke_token(self, credentials: ClientCredentials, access: Secret, refresh: Secret | None) -> Revoked:
        def effect() -> Revoked:
            if self.world.revoke_answers is not None:
                return self.world.revoke_answers
            pair = self.ledger.find(access.reveal())
            if pair is None or not pair.alive:
                return Revoked.ALREADY_DEAD
            pair.alive = False
            return Revoked.REVOKED

        return self.world.change("revoke_token", effect)

    def purchase(self, amount: Decimal, floor: CreditFloor) -> PurchaseAnswer:
        def effect() -> PurchaseAnswer:
            self.ledger.bought.append(amount)
            self.ledger.anytime += amount + self.world.bonus
            return PurchaseAnswer(status=200)

        return self.world.change("purchase", effect)

    def register_application(self, application: Application) -> tuple[ApplicationRecord, Mapping[str, Secret]]:
        def effect() -> tuple[ApplicationRecord, Mapping[str, Secret]]:
            client = self.ledger.fresh("reg")
            self.ledger.clients[client] = {"scopes": application.scopes}
            return self._client_record(application, client), {
                "secret": Secret(self.ledger.fresh("client-secret")),
                "registration_token": Secret(self.ledger.fresh("registration")),
            }

        return self.world.change("register_application", effect)

    def _client_record(self, application: Application, client: str) -> ApplicationRecord:
        return ApplicationRecord(
            id="",
            address=application.address,
            provider=self.config.name,
            provider_type=self.config.type,
            name=application.name,
            client_id=client,
            scopes=application.scopes,
        )

    def read_registration(
        self, record: ApplicationRecord, open_sealed: Opener
    ) -> tuple[ObservedApplication, Mapping[str, Secret]]:
        self.world.read("read_registration")
        known = self.ledger.clients.get(record.client_id or "")
        if known is None:
            return ObservedApplication(exists=False), {}
        return ObservedApplication(exists=True, client_id=record.client_id, scopes=tuple(known["scopes"])), {}

    def update_application(
        self, application: Application, record: ApplicationRecord, open_sealed: Opener
    ) -> tuple[ApplicationRecord, Mapping[str, Secret]]:
        def effect() -> tuple[ApplicationRecord, Mapping[str, Secret]]:
            self.ledger.clients[record.client_id or ""] = {"scopes": application.scopes}
            token = Secret(self.ledger.fresh("registration"))
            new = replace(record, scopes=application.scopes, name=application.name)
            return new, {"registration_token": token}

        return self.world.change("update_application", effect)

    def delete_application(self, record: ApplicationRecord, open_sealed: Opener) -> None:
        assert record.registration_token is not None
        open_sealed(record.registration_token, record.id, "registration_token")
        self.world.change("delete_application", lambda: self.ledger.clients.pop(record.client_id or "", None))

    def only_while(self, wanted: Callable[[], bool]) -> None:
        self.world.wanted = wanted

    def close(self) -> None:
        pass
