"""The planner's inputs, narrowed once: what every step maker needs, and nothing that changes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

from provisioner.address import Address
from provisioner.model.desired import Application, CreditFloor, Desired
from provisioner.model.observed import Observed
from provisioner.model.plan import PlanOptions
from provisioner.model.recorded import (
    ApplicationRecord,
    CreditsRecord,
    Operation,
    ResourceRecord,
    State,
    TokenRecord,
)
from provisioner.providers.base import Vendor
from provisioner.records import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """`records` are the objects that serve, by the address that they have after `moved` blocks; `previous` says where
    they were. `forgotten` are addresses that a `removed` block names."""

    desired: Desired
    state: State
    observed: Observed
    now: datetime
    options: PlanOptions
    vendors: Callable[[str], Vendor]
    records: Mapping[Address, ResourceRecord]
    deposed: tuple[tuple[Address, TokenRecord], ...]
    previous: Mapping[str, Address] = field(default_factory=dict)  # object id → address before a move
    forgotten: frozenset[str] = frozenset()  # object ids
    imports: Mapping[Address, str] = field(default_factory=dict)
    replaces: frozenset[Address] = frozenset()
    operations: Mapping[Address, tuple[Operation, ...]] = field(default_factory=dict)
    applications: Mapping[Address, Application] = field(default_factory=dict)  # as declared

    def vendor_of(self, application: Application | CreditFloor) -> Vendor:
        return self.vendors(self.desired.providers[application.provider].type)

    def provider_type(self, provider: str) -> str:
        return self.desired.providers[provider].type

    def application_record(self, address: Address) -> ApplicationRecord | None:
        found = self.records.get(address)
        return found if isinstance(found, ApplicationRecord) else None

    def token_record(self, address: Address) -> TokenRecord | None:
        found = self.records.get(address)
        return found if isinstance(found, TokenRecord) else None

    def gone(self, application: Address, consumer: str | None = None) -> tuple[str, str | None]:
        """Why something recorded is wanted no more, as a sentence and in Terraform's word for it. `consumer`: that of a
        token whose application is still declared."""
        if self.options.mode == "destroy":
            return "the whole stack is to be destroyed", None
        if application in self.applications:
            named = f"the consumer {consumer!r} is" if consumer else "a token without a consumer is"
            return f"{named} not declared any more", "delete_because_each_key"
        if application.keys and any(known.name == application.name for known in self.applications):
            return f"the key {application.instance_key!r} is not in for_each any more", "delete_because_each_key"
        return "recorded, and not declared any more", "delete_because_no_resource_config"

    def credits_record(self, address: Address) -> CreditsRecord | None:
        found = self.records.get(address)
        return found if isinstance(found, CreditsRecord) else None
