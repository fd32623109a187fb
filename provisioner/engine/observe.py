"""Reads every provider once, in parallel: features, applications, balances, and whether recorded tokens live.

Nothing is written and nothing is sent that changes anything. Whoever gives no `open_sealed` needs no key: then recorded
tokens are not probed.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime
from typing import TypeVar

from provisioner import providers as registry
from provisioner.engine.context import Vendors
from provisioner.engine.events import Listener, Silent
from provisioner.engine.once import Once
from provisioner.engine.rotation import READABLE, issued_to, without_previous
from provisioner.errors import (
    BadAnswer,
    CredentialsRefused,
    Diagnostic,
    ProviderFailed,
    ProvisionerError,
    StateUntrusted,
    StepRefused,
    Unreachable,
)
from provisioner.model.desired import Desired
from provisioner.model.observed import (
    UNKNOWN,
    Observed,
    ObservedApplication,
    ObservedCredits,
    ObservedToken,
    ProviderObservation,
)
from provisioner.model.plan import PURCHASE
from provisioner.model.recorded import CREATED, LIVE, RETIRING, ApplicationRecord, State, TokenRecord
from provisioner.planning.refactoring import relocated
from provisioner.planning.registered import another_key, another_secret
from provisioner.providers.base import Applications, ClientCredentials, Opener, Provider
from provisioner.records import dataclass, field, replace

T = TypeVar("T")


@dataclass(slots=True)
class _Seen:
    """What was read of one provider so far."""

    features: Mapping[str, bool] = field(default_factory=dict)
    applications: Mapping[str, ObservedApplication] = field(default_factory=dict)
    registered: dict[str, ObservedApplication] = field(default_factory=dict)
    unmanaged: tuple[str, ...] = ()
    credits: ObservedCredits | None = None
    credits_problem: str | None = None
    tokens: dict[str, ObservedToken] = field(default_factory=dict)

    def frozen(self) -> ProviderObservation:
        shown = dict(self.applications)
        for address, seen in self.registered.items():
            said = self.applications.get(address)  # what the declaration alone says of it: its key
            shown[address] = replace(seen, registration={**seen.registration, **said.registration}) if said else seen
        return ProviderObservation(
            applications=shown,
            tokens=dict(sorted(self.tokens.items())),
            credits=self.credits,
            credits_problem=self.credits_problem,
            features=self.features,
            unmanaged=self.unmanaged,
        )


def observe(
    desired: Desired,
    state: State,
    providers: Mapping[str, Provider],
    *,
    now: datetime,
    open_sealed: Opener | None,
    listener: Listener | None = None,
    parallelism: int = 10,
    vendors: Vendors = registry.vendor,
    given_up: Callable[[TokenRecord], bool] = lambda _: False,
) -> Observed:
    """One look at every provider of `providers`; not at tokens that are `given_up`. Raises ProviderFailed with what
    failed at all of them, each named; StateUntrusted where a recorded token cannot be opened."""
    reader = _Reader(desired, state, providers, now, open_sealed, listener or Silent(), vendors, given_up)
    pool = ThreadPoolExecutor(max_workers=max(1, parallelism), thread_name_prefix="observe")
    try:
        reader.run(pool, list(reader.discoveries()))
        # Before the probes: a client that is gone cannot ask about its tokens.
        reader.run(pool, list(reader.registrations()))
        reader.run(pool, list(reader.reads()))
    finally:
        # Nothing is left to wait for, unless somebody interrupts: then not even for a vendor that is silent.
        pool.shutdown(wait=False, cancel_futures=True)
    return Observed(at=now, providers={name: seen.frozen() for name, seen in reader.seen.items()})


class _Reader:
    def __init__(
        self,
        desired: Desired,
        state: State,
        providers: Mapping[str, Provider],
        now: datetime,
        open_sealed: Opener | None,
        listener: Listener,
        vendors: Vendors,
        given_up: Callable[[TokenRecord], bool],
    ) -> None:
        self.desired = desired
        self.providers = providers
        self.now = now
        self.open_sealed = open_sealed
        self.listener = listener
        self.vendors = vendors
        self.given_up = given_up
        self.seen = {name: _Seen() for name in providers}
        self.declared = {application.address: application for application in desired.applications}
        records = relocated(desired, state)  # what a `moved` block takes elsewhere is looked at as what it will be
        self.applications = {r.address: r for r in records if isinstance(r, ApplicationRecord)}
        self.tokens: dict[str, list[TokenRecord]] = {}
        for record in records:
            if isinstance(record, TokenRecord) and record.provider in providers and self._lives(record):
                self.tokens.setdefault(record.provider, []).append(record)
        self.doubted = {op.provider for op in state.operations.values() if op.op == PURCHASE}
        self._clients: Once[ClientCredentials] = Once()
        self._lock = threading.Lock()
        self._done = self._total = 0

    def _lives(self, record: TokenRecord) -> bool:
        """Worth a probe: it should live, and its value is at hand."""
        should_live = record.access_token is not None and record.status_at(self.now) in (LIVE, RETIRING)
        return should_live and not self.given_up(record)

    # -- scheduling ------------------------------------------------------------------------------------------------

    def run(self, pool: ThreadPoolExecutor, tasks: list[tuple[str, Callable[[], None]]]) -> None:
        """Runs all, then raises everything that failed at once."""
        with self._lock:
            self._total += len(tasks)
        futures: list[tuple[str, Future[None]]] = [(name, pool.submit(self._counted, task)) for name, task in tasks]
        failures: list[tuple[str, ProvisionerError]] = []
        for name, future in futures:
            try:
                future.result()
            except ProvisionerError as error:
                failures.append((name, error))
        if failures:
            raise _all_of(failures)

    def _counted(self, task: Callable[[], None]) -> None:
        try:
            task()
        finally:
            with self._lock:
                self._done += 1
                self.listener.reading(self._done, self._total)

    # -- the reads -------------------------------------------------------------------------------------------------

    def discover(self, name: str) -> None:
        self.seen[name].features = self.providers[name].discover()

    def discoveries(self) -> Iterator[tuple[str, Callable[[], None]]]:
        for name in self.providers:
            yield name, self._task(self.discover, name)

    def registrations(self) -> Iterator[tuple[str, Callable[[], None]]]:
        """Clients that we registered, each shown to its own registration token only: without a key they are not looked
        at. Nor are those of a server that answered a reading with another token, which a plan could not record."""
        for name in self.providers:
            if self._registers(name):
                yield name, self._task(self._read_applications, name)
        opener = self.open_sealed
        for record in self.applications.values() if opener is not None else ():
            declared = self.declared.get(record.address)
            readable = record.registration_token is not None and record.registration.get(READABLE)
            another = declared is not None and (declared.client_id is not None or declared.provider != record.provider)
            if opener is not None and readable and not another and record.provider in self.providers:
                yield record.provider, self._registration_task(record, opener)

    def _registration_task(self, record: ApplicationRecord, open_sealed: Opener) -> Callable[[], None]:
        def read() -> None:
            try:
                found, _ = self.providers[record.provider].read_registration(without_previous(record), open_sealed)
            except StepRefused:
                return  # it lets nobody read any more; what is recorded stands
            with self._lock:
                self.seen[record.provider].registered[str(record.address)] = found

        return read

    def _registers(self, name: str) -> bool:
        return self.vendors(self.providers[name].config.type).applications is Applications.REGISTERED

    def reads(self) -> Iterator[tuple[str, Callable[[], None]]]:
        floors = {floor.provider for floor in self.desired.credits} | self.doubted
        for name in self.providers:
            if not self._registers(name):
                yield name, self._task(self._read_applications, name)
            if name in floors:
                yield name, self._task(self._read_credits, name)
            if self.open_sealed is not None:
                for token in self.tokens.get(name, ()):
                    yield name, self._probe_task(name, token, self.open_sealed)

    def _task(self, read: Callable[[str], None], name: str) -> Callable[[], None]:
        return lambda: read(name)

    def _probe_task(self, name: str, token: TokenRecord, open_sealed: Opener) -> Callable[[], None]:
        return lambda: self._probe(name, token, open_sealed)

    def _read_applications(self, name: str) -> None:
        wanted = [application for application in self.desired.applications if application.provider == name]
        recorded = {str(address): r for address, r in self.applications.items() if r.provider == name}
        found, unmanaged = self.providers[name].read_applications(wanted, recorded)
        self.seen[name].applications, self.seen[name].unmanaged = found, tuple(unmanaged)

    def _read_credits(self, name: str) -> None:
        seen, provider = self.seen[name], self.providers[name]
        if not self.vendors(provider.config.type).credits_need_token:
            seen.credits = replace(provider.read_credits(None), at=self.now)
            return
        if self.open_sealed is None:
            return  # nobody asked, so what is recorded stands
        seen.credits_problem = "the balance is read with a token of the account, and none is recorded that lives"
        for token in self.tokens.get(name, ()):
            if token.access_token is None:
                continue
            try:
                secret = self.open_sealed(token.access_token, token.id, "access_token")
                seen.credits = replace(provider.read_credits(secret), at=self.now)
            except (CredentialsRefused, StepRefused) as error:
                seen.credits_problem = error.diagnostics[0].summary
                continue
            seen.credits_problem = None
            return

    def _probe(self, name: str, token: TokenRecord, open_sealed: Opener) -> None:
        if token.access_token is None:
            return
        secret = open_sealed(token.access_token, token.id, "access_token")
        try:
            found = self.providers[name].probe_token(secret, self._credentials(name, token, open_sealed))
        except CredentialsRefused as refused:
            serving = self.applications.get(token.application)
            if serving is None or serving.managed != CREATED:
                if self._registers(name):  # elsewhere it is the account that is refused, and no client of it
                    refused.at(token.application)
                raise
            # A client of ours: nobody can correct its secret in the file, so a plan must not end with it.
            found = ObservedToken(liveness=UNKNOWN, detail="the server refuses its client's credentials")
            self._refused(name, serving)
        if found.without:
            left = tuple(scope for scope in token.scopes if scope not in found.without)
            found = replace(found, scopes=left if left != token.scopes else found.scopes, without=())
        with self._lock:
            self.seen[name].tokens[token.id] = found

    def _refused(self, name: str, record: ApplicationRecord) -> None:
        address = str(record.address)
        problem = (
            "the server refuses its client's credentials, as after a reset there; "
            f"`provisioner apply --replace '{address}'` registers another client"
        )
        with self._lock:
            seen = self.seen[name].registered.get(address) or ObservedApplication(exists=True)
            self.seen[name].registered[address] = replace(seen, problem=problem)

    def _credentials(self, name: str, token: TokenRecord, open_sealed: Opener) -> ClientCredentials | None:
        """Who introspects. Only the client that it was issued to may, so another's are not used; None: the provider
        probes without, or cannot tell."""
        application = self.declared.get(token.application)
        if application is not None and application.provider != name:
            application = None
        serving = self.applications.get(token.application)
        record = issued_to(serving, token)
        if record is not serving:
            application = None  # of a client that was rotated: its own record says who it is
        elif serving is not None and self._out_of_date(name, serving):
            return None
        try:
            ask = self.providers[name].credentials
            key = (name, token.application, record.id if record else None)
            found = self._clients.get(key, lambda: ask(application, record, open_sealed))
        except (CredentialsRefused, Unreachable, BadAnswer):
            raise
        except ProviderFailed:
            # The application is gone, or its secret is no longer declared: the plan says so better than a failed probe.
            return None
        return None if token.client_id not in (None, found.client_id) else found

    def _out_of_date(self, name: str, record: ApplicationRecord) -> bool:
        """A client that we registered, and that is gone, or has another secret or key than the recorded one."""
        seen = self.seen[name].registered.get(str(record.address))
        said = self.seen[name].applications.get(str(record.address))
        if record.managed != CREATED:
            return False
        changed = seen is not None and (not seen.exists or another_secret(record, seen))
        return changed or (said is not None and another_key(record, said))


def _all_of(failures: list[tuple[str, ProvisionerError]]) -> ProvisionerError:
    """All failures as one error, each naming its provider. A state that cannot be opened outranks any provider."""
    untrusted = next((error for _, error in failures if isinstance(error, StateUntrusted)), None)
    if untrusted is not None:
        return untrusted
    found: list[Diagnostic] = []
    for name, error in failures:
        for diagnostic in error.diagnostics:
            named = (
                diagnostic
                if name in diagnostic.summary
                else replace(diagnostic, summary=f"{name}: {diagnostic.summary}")
            )
            if named not in found:
                found.append(named)
    kinds = {type(error) for _, error in failures}
    kind = kinds.pop() if len(kinds) == 1 else ProviderFailed
    return kind.of(found) if issubclass(kind, ProviderFailed) else ProviderFailed.of(found)
