"""A small world for the engine's tests: a vendor whose ledger is the judge, a clock, and faults at every step.

The journal, its directory store, the sealer and the planner are the real ones; only the vendor is a fake.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

import pyrage  # type: ignore[import-untyped, unused-ignore]  # ships no types
from engine_vendor import LIFE, START, VENDORS, FakeProvider, Ledger

from provisioner.address import Address, parse_address
from provisioner.engine.apply import apply, has_work
from provisioner.engine.context import Patience
from provisioner.engine.events import ApplyResult, Silent
from provisioner.engine.interrupts import StopFlag
from provisioner.engine.observe import observe
from provisioner.errors import InDoubt, RateLimited, StepRefused, StoreFailed, Unreachable
from provisioner.journal.identity import Identities
from provisioner.journal.journal import Draft, Journal
from provisioner.journal.run import RunInfo
from provisioner.journal.seal import Sealer
from provisioner.journal.stores.directory import DirectoryStore
from provisioner.model.desired import Application, CreditFloor, Desired, TokenPolicy
from provisioner.model.plan import Plan, PlanOptions
from provisioner.model.recorded import LOST, TokenRecord
from provisioner.planning.planner import make_plan
from provisioner.providers.base import Revoked
from provisioner.secret import Secret

T = TypeVar("T")


class Killed(SystemExit):
    """The process dies here: no `except Exception` sees it, and nothing after it runs."""


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
        self.wanted: Callable[[], bool] = lambda: True
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


def statuses(result: ApplyResult) -> dict[str, str]:
    return {r.step.id: r.status for r in result.results}


def names(result: ApplyResult) -> set[str]:
    said = [d for r in result.results for d in r.diagnostics]
    return {d.name for d in (*said, *result.diagnostics)}
