"""What every step of one run shares: who to call, where to record, whether to go on."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from provisioner import providers as registry
from provisioner.address import Address, parse_address
from provisioner.engine import threads
from provisioner.engine.events import Listener, Silent
from provisioner.engine.interrupts import StopFlag
from provisioner.engine.once import Once
from provisioner.errors import Interrupted, ProviderFailed, ProvisionerError, StateUntrusted, StoreFailed
from provisioner.model.desired import Application, Desired
from provisioner.model.observed import Observed
from provisioner.model.recorded import (
    LIVE,
    RETIRING,
    ApplicationRecord,
    Operation,
    ResourceRecord,
    State,
    TokenRecord,
)
from provisioner.providers.base import ClientCredentials, Provider, Vendor
from provisioner.records import dataclass
from provisioner.secret import Secret

if TYPE_CHECKING:
    from provisioner.journal.journal import Draft, Journal, RunInfo
    from provisioner.journal.seal import Sealer

Vendors = Callable[[str], Vendor]
Clock = Callable[[], datetime]
Rescue = Callable[["Draft"], object]  # keeps a draft that could not be appended in a file, and answers its path


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long the engine waits for what comes by itself; in seconds. Tests shorten it."""

    # The first reads after a purchase: nothing is bought again before one of them shows a rise, or a person decides.
    balance: tuple[float, ...] = (0.0, 0.2, 0.5, 1.0, 2.0, 4.0, 8.0)
    probe: tuple[float, ...] = (0.0, 0.2, 0.5, 1.0)  # a token may take a moment to be known everywhere
    rate_limits: int = 5  # how often one step waits for "slow down"
    longest_wait: float = 120.0


class Stopped(Exception):
    """Nothing new is started any more: somebody asked, or the recorded state cannot be trusted or written."""


class Context:
    """One run. Thread-safe: dictionaries are only ever set key by key, and everything durable goes through the
    journal."""

    def __init__(
        self,
        desired: Desired,
        journal: Journal,
        sealer: Sealer,
        providers: Mapping[str, Provider],
        *,
        run: RunInfo,
        clock: Clock,
        observed: Observed,
        listener: Listener | None = None,
        stop: StopFlag | None = None,
        vendors: Vendors = registry.vendor,
        patience: Patience | None = None,
        rescue: Rescue | None = None,
        parallelism: int = 1,
    ) -> None:
        self.desired = desired
        self.journal = journal
        self.sealer = sealer
        self.providers = providers
        self.run = run
        self.clock = clock
        self.observed = observed
        self.listener = listener or Silent()
        self.stop = stop or StopFlag()
        self.vendors = vendors
        self.patience = patience or Patience()
        self.rescue = rescue
        self.halted: ProvisionerError | None = None
        self.applications = {application.address: application for application in desired.applications}
        self.wanted = {
            address: (application, consumer)
            for application in desired.applications
            for address, consumer in application.token_addresses
        }
        self.floors = {floor.address: floor for floor in desired.credits}
        self._serving = {address: record.id for address, record in journal.state.current().items()}
        self._pending: dict[str, list[Operation]] = {}
        for operation in journal.state.operations.values():
            if operation.object_id is not None:
                self._pending.setdefault(operation.object_id, []).append(operation)
        self._fresh: dict[str, Secret] = {}  # by fingerprint: minted in this run, so readable without an identity
        self._credentials: Once[ClientCredentials] = Once()
        self._issued: dict[str, set[str]] = {}  # ids of the token records that ever had a fingerprint
        for record in journal.state.objects.values():
            if isinstance(record, TokenRecord) and record.fingerprint is not None:
                self._issued.setdefault(record.fingerprint, set()).add(record.id)
        # held from an intent to its answer
        self.under_way = threading.BoundedSemaphore(threads.most_announced(parallelism))
        self.announced: set[Address] = set()  # what this run sent something for, or was about to
        self.forgetting = threading.Lock()  # of two records that share a token, one forgets it and the other ends it
        self._buying: dict[str, threading.Lock] = {name: threading.Lock() for name in providers}
        for provider in providers.values():
            provider.only_while(self.still_wanted)

    # -- going on --------------------------------------------------------------------------------------------------

    def gate(self) -> None:
        """Passed before every announcement and every request. Raises Stopped."""
        if self.halted is not None or self.stop.stopping:
            raise Stopped

    def may_send(self) -> None:
        """Asked right before every request, once its intent is durable. Raises Stopped where nothing may be sent:
        another thread lost the state, or this process slept past its lease and another run may have begun."""
        if self.halted is None:
            try:
                self.journal.still_ours()
            except StoreFailed as error:
                self.halt(error)
        if self.halted is not None:
            raise Stopped

    def still_wanted(self) -> bool:
        """Asked of a change whose intent is durable and that waits for its turn at the provider: a vendor may make it
        wait for a minute, in which somebody may ask to stop and this process may sleep."""
        try:
            self.may_send()
        except Stopped:
            return False
        return not self.stop.stopping

    def why_stopped(self) -> ProvisionerError:
        """What a command without steps says in the place of Stopped."""
        return self.halted or Interrupted("interrupted", "stopped by a signal", "Nothing more was sent.")

    def halt(self, error: ProvisionerError) -> None:
        if self.halted is None:
            self.halted = error

    def wait(self, seconds: float) -> None:
        """Raises Interrupted as soon as somebody asks to stop."""
        if seconds > 0 and self.stop.wait(seconds):
            raise Interrupted("interrupted", "stopped while waiting", "The next apply goes on from here.")

    # -- recording -------------------------------------------------------------------------------------------------

    @property
    def state(self) -> State:
        return self.journal.state

    def append(self, *drafts: Draft) -> None:
        """Durable when it returns. A failure stops the whole run before its next request, and is raised."""
        try:
            self.journal.append(*drafts)
        except (StoreFailed, StateUntrusted) as error:
            self.halt(error)
            raise
        for draft in drafts:
            self._index(draft)

    def _index(self, draft: Draft) -> None:
        for data in draft.body.get("put", ()):
            if data.get("deposed") is None:
                self._serving[parse_address(data["address"])] = data["id"]
            if data.get("fingerprint") is not None:
                self._issued.setdefault(data["fingerprint"], set()).add(data["id"])

    # -- finding ---------------------------------------------------------------------------------------------------

    def record(self, object_id: str | None) -> ResourceRecord | None:
        return None if object_id is None else self.state.objects.get(object_id)

    def serving(self, address: Address) -> ResourceRecord | None:
        """What serves at an address now; the index may still name what moved away or was dropped since."""
        found = self.record(self._serving.get(address))
        if found is None or found.address != address or getattr(found, "deposed", None) is not None:
            return None
        return found

    def token(self, address: Address) -> TokenRecord | None:
        found = self.serving(address)
        return found if isinstance(found, TokenRecord) else None

    def application_record(self, address: Address) -> ApplicationRecord | None:
        found = self.serving(address)
        return found if isinstance(found, ApplicationRecord) else None

    def sharing(self, token: TokenRecord) -> TokenRecord | None:
        """Another record that serves by the very same access token: some servers answer with the one that they issued
        before (Doorkeeper's `reuse_access_token`)."""
        for object_id in tuple(self._issued.get(token.fingerprint or "", ())):
            found = self.record(object_id)
            if not isinstance(found, TokenRecord) or found.id == token.id or found.status not in (LIVE, RETIRING):
                continue
            if (found.provider, found.fingerprint) == (token.provider, token.fingerprint) and found.access_token:
                return found
        return None

    def pending(self, object_id: str | None, op: str) -> list[Operation]:
        """Operations of this kind on this object that were announced by an earlier run and are not settled."""
        found = self._pending.get(object_id or "", ())
        return [operation for operation in found if operation.op == op and operation.id in self.state.operations]

    def provider(self, name: str) -> Provider:
        """Raises ProviderFailed where the account that an object was made with is not configured any more."""
        if name not in self.providers:
            summary = f"provider {name} is not configured any more"
            raise ProviderFailed(
                "unreachable", summary, f"Put [providers.{name}] back until nothing recorded needs it."
            )
        return self.providers[name]

    def vendor_of(self, record: ResourceRecord | Application) -> Vendor:
        if isinstance(record, Application):
            return self.vendors(self.desired.providers[record.provider].type)
        return self.vendors(record.provider_type)

    def buying(self, provider: str) -> threading.Lock:
        """One purchase at a time an account: two that watched the same balance would take each other's rise for
        theirs."""
        return self._buying[provider]

    # -- secrets ---------------------------------------------------------------------------------------------------

    def remember(self, secrets: Iterable[Secret | None]) -> None:
        """What was minted in this run can be used in it without opening what is sealed."""
        for secret in secrets:
            if secret is not None:
                self._fresh[secret.fingerprint] = secret

    def open_token(self, record: TokenRecord, field: str) -> Secret | None:
        """`access_token` or `refresh_token` of a record; None where there is none. Raises StateUntrusted."""
        sealed = getattr(record, field)
        if sealed is None:
            return None
        marked = record.fingerprint if field == "access_token" else record.refresh_fingerprint
        if marked is not None and marked in self._fresh:
            return self._fresh[marked]
        opened: Secret = self.sealer.open(sealed, record.id, field)
        return opened

    def credentials(self, application: Application | None, record: ApplicationRecord | None) -> ClientCredentials:
        """Who asks for this application's tokens; asked of the provider once a run and client."""
        key = (
            application.address if application else None,
            record.id if record else None,
            record.secret_fingerprint if record else None,
        )
        provider_name = application.provider if application else (record.provider if record else None)
        if provider_name is None:
            return ClientCredentials()
        provider = self.provider(provider_name)
        return self._credentials.get(key, lambda: provider.credentials(application, record, self.sealer.open))
