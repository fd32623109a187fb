"""A small world for the engine's tests: a vendor whose ledger is the judge, a clock, and faults at every step.

The journal, its directory store, the sealer and the planner are the real ones; only the vendor is a fake.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

import pyrage  # type: ignore[import-untyped, unused-ignore]  # ships no types

from provisioner.address import Address, parse_address
from provisioner.engine.apply import apply, has_work
from provisioner.engine.context import Patience
from provisioner.engine.events import ApplyResult, Silent
from provisioner.engine.interrupts import StopFlag
from provisioner.engine.observe import observe
from provisioner.errors import CredentialsRefused, InDoubt, RateLimited, StepRefused, StoreFailed, Unreachable
from provisioner.journal.identity import Identities
from provisioner.journal.journal import Draft, Journal
from provisioner.journal.run import RunInfo
from provisioner.journal.seal import Sealer
from provisioner.journal.stores.directory import DirectoryStore
from provisioner.model.desired import Application, CreditFloor, Desired, ProviderConfig, TokenPolicy
from provisioner.model.observed import (
    ALIVE,
    DEAD,
    UNKNOWN,
    ObservedApplication,
    ObservedCredits,
    ObservedToken,
    ProviderObservation,
)
from provisioner.model.plan import Handoff, Plan, PlanOptions
from provisioner.model.recorded import LOST, ApplicationRecord, TokenRecord
from provisioner.planning.planner import make_plan
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

START = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
LIFE = timedelta(minutes=90)
T = TypeVar("T")


class Killed(SystemExit):
    """The process dies here: no `except Exception` sees it, and nothing after it runs."""


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

    def close(self) -> None:
        pass


class Impatient(StopFlag):
    """Waits move the clock and take no time."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self.world = world

    def wait(self, seconds: float) -> bool:
        self.world.advance(timedelta(seconds=seconds))
        return self.stopping


class World:
    """One stack at fake vendors, over a real journal in a directory."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ledger = Ledger()
        self.now = START
        self.life = LIFE
        self.faults: dict[str, list[str]] = {}
        self.kill_at: int | None = None
        self.points: list[str] = []
        self.fail_append_at: int | None = None
        self.appends = 0
        self.dead = False
        self.withheld: set[str] = set()
        self.not_accepted: set[str] = set()
        self.blind = False
        self.bonus = Decimal(0)
        self.revoke_answers: Revoked | None = None
        self.rescued: list[Draft] | None = None
        self.applications: tuple[Application, ...] = ()
        self.floors: tuple[CreditFloor, ...] = ()
        self.identity = pyrage.x25519.Identity.generate()
        self.providers = {name: FakeProvider(name, self) for name in VENDORS}
        self.runs = itertools.count(1)
        self.parallelism = 1
        self.during: Callable[[str], None] = lambda _what: None
        self._lock = threading.Lock()

    # -- time and faults ---------------------------------------------------------------------------------------------

    def clock(self) -> datetime:
        with self._lock:
            self.now += timedelta(milliseconds=1)
            return self.now

    def advance(self, span: timedelta) -> None:
        with self._lock:
            self.now += timedelta(milliseconds=span // timedelta(milliseconds=1))

    def point(self, name: str) -> None:
        """A place where the process can die."""
        with self._lock:
            self.points.append(name)
            dies = self.kill_at is not None and len(self.points) - 1 == self.kill_at
        if dies:
            self.dead = True
            raise Killed(name)
        self.during(name)

    def read(self, what: str) -> None:
        self.ledger.calls.append(what)
        fault = self.faults.get(what)
        if fault and fault.pop(0) == "unreachable":
            raise Unreachable("unreachable", f"{what} got no answer")

    def change(self, what: str, effect: Callable[[], T]) -> T:
        self.point(f"{what}:before")
        self.ledger.calls.append(what)
        waiting = self.faults.get(what)
        fault = waiting.pop(0) if waiting else None
        match fault:
            case "lost-request":
                raise InDoubt("in-doubt", "no answer")
            case "unreachable":
                raise Unreachable("unreachable", "refused the connection")
            case "refused":
                raise StepRefused("refused", "the vendor says no")
            case "limited":
                raise RateLimited("rate-limited", "slow down", retry_after=1.5)
            case "broken":
                raise ZeroDivisionError("a fault of ours, after the bytes left")
        result = effect()
        self.point(f"{what}:after")
        if fault == "lost-answer":
            raise InDoubt("in-doubt", "no answer")
        return result

    # -- the stack ---------------------------------------------------------------------------------------------------

    @property
    def desired(self) -> Desired:
        used = {a.provider for a in self.applications} | {f.provider for f in self.floors} | {"pairs"}
        return Desired(
            stack="test",
            state_location=str(self.folder),
            providers={name: self.providers[name].config for name in sorted(used)},
            applications=tuple(sorted(self.applications, key=lambda a: a.address.sort_key)),
            credits=self.floors,
            digest="0" * 64,
        )

    def open(self) -> tuple[Journal, Sealer]:
        store = DirectoryStore(self.folder)
        journal = Journal.open(store, stack="test", memory=None, clock=self.clock)
        identity = Secret(str(self.identity))
        sealer = Sealer(
            store,
            lineage=lambda: journal.lineage,
            recipients=lambda: [str(self.identity.to_public())],
            identities=Identities(lambda: [identity]),
        )
        return journal, sealer

    def plan(self, journal: Journal, sealer: Sealer, **options: Any) -> Plan:
        used = {name: self.providers[name] for name in self.desired.providers}
        now = self.clock()
        observed = observe(
            self.desired,
            journal.state,
            used,
            now=now,
            open_sealed=sealer.open,
            parallelism=1,
            vendors=VENDORS.__getitem__,
        )
        return make_plan(
            self.desired, journal.snapshot(), observed, now, PlanOptions(**options), vendors=VENDORS.__getitem__
        )

    def apply(self, *, listener: Any = None, stop: StopFlag | None = None, **options: Any) -> ApplyResult:
        """One whole run: open, look, plan, begin where there is work, apply, close. A `Killed` run closes nothing."""
        self.dead = False
        journal, sealer = self.open()
        plan = self.plan(journal, sealer, **options)
        if not has_work(plan, self.desired, journal.state, VENDORS.__getitem__):
            return ApplyResult(results=(), exit_code=0)
        run = RunInfo(id=f"run-{next(self.runs)}", actor="tester", command="apply", started=self.clock())
        journal.begin(run)
        self._watch(journal)
        result = apply(
            plan,
            self.desired,
            journal,
            sealer,
            self.providers,
            run=run,
            clock=self.clock,
            listener=listener or Silent(),
            parallelism=self.parallelism,
            stop=stop or Impatient(self),
            vendors=VENDORS.__getitem__,
            patience=Patience(),
            rescue=self._rescue if self.rescued is not None else None,
        )
        if self.dead:
            raise Killed  # a dead process closes nothing
        journal.close()
        return result

    def _rescue(self, draft: Draft) -> str:
        assert self.rescued is not None
        self.rescued.append(draft)
        return "rescue.json"

    def _watch(self, journal: Journal) -> None:
        """Around every append: a place to die, and a place where the disk is full."""
        real = journal.append

        def append(*drafts: Draft) -> None:
            kinds = "+".join(draft.kind for draft in drafts)
            self.point(f"append {kinds}:before")
            self.appends += 1
            if self.fail_append_at is not None and self.appends >= self.fail_append_at:
                raise StoreFailed("state-unreachable", "no space left on the device")
            real(*drafts)
            self.point(f"append {kinds}:after")

        journal.append = append  # type: ignore[method-assign]  # a test's seam

    # -- judging -----------------------------------------------------------------------------------------------------

    def state(self) -> Any:
        return self.open()[0].state

    def kinds(self) -> list[str]:
        return [entry.kind for entry in self.open()[0].entries()]

    def token(self, address: str) -> TokenRecord:
        found = self.state().current()[parse_address(address)]
        assert isinstance(found, TokenRecord)
        return found

    def quiet(self) -> bool:
        journal, sealer = self.open()
        plan = self.plan(journal, sealer)
        return not plan.has_changes and not has_work(plan, self.desired, journal.state, VENDORS.__getitem__)

    def unknown_tokens(self) -> int:
        """Living tokens at the vendor that no record stands for; a lost record stands for one."""
        state = self.state()
        tokens = [r for r in state.objects.values() if isinstance(r, TokenRecord)]
        known = {r.fingerprint for r in tokens}
        lost = sum(r.status == LOST for r in tokens)
        strangers = [p for p in self.ledger.living(self.now) if Secret(p.access).fingerprint not in known]
        return max(0, len(strangers) - lost)

    def serves(self) -> bool:
        """Every wanted token is recorded, and the vendor accepts it."""
        current = self.state().current()
        living = {Secret(pair.access).fingerprint for pair in self.ledger.living(self.now)}
        wanted = [address for application in self.applications for address, _ in application.token_addresses]
        return all(
            isinstance(record := current.get(address), TokenRecord) and record.fingerprint in living
            for address in wanted
        )


def an_application(provider: str = "pairs", name: str = "app", **changes: Any) -> Application:
    given: dict[str, Any] = {"policy": TokenPolicy(name="built-in")}
    return Application(address=Address("application", name), provider=provider, name=name, **(given | changes))


def a_floor(**changes: Any) -> CreditFloor:
    given: dict[str, Any] = {
        "minimum": Decimal(5000),
        "target": Decimal(6000),
        "pack": Decimal(500),
        "max_per_apply": Decimal(3000),
        "max_per_day": Decimal(5000),
    }
    return CreditFloor(address=Address("credits", "ez"), provider="pairs", **(given | changes))
