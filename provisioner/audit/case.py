"""Everything that rules judge, in one frozen place: the recorded state, its past, what is declared, and a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from functools import cached_property
from typing import Any

from provisioner.address import Address
from provisioner.audit.datakeys import DataKeys
from provisioner.audit.trail import Trail
from provisioner.model.desired import Application, CreditFloor, Desired
from provisioner.model.recorded import ApplicationRecord, CreditsRecord, Operation, State, TokenRecord
from provisioner.planning.policies import TokenCase
from provisioner.planning.refactoring import destination, follow, forgotten
from provisioner.records import dataclass


@dataclass(frozen=True, slots=True)
class Facts:
    """What the rules need to know of one vendor type. `may_revoke` None: only the server's metadata would tell.
    `vendor` is the planner's `Vendor`, for its policies."""

    title: str
    has_applications: bool
    may_revoke: bool | None
    sells_credits: bool
    vendor: Any


class Case:
    """`desired` None: no desired-state file; rules that need it are skipped. `facts` of an unknown vendor type is None.
    `running` is the run whose announced operations are still on their way. Nothing in it changes."""

    def __init__(
        self,
        *,
        state: State,
        trail: Trail,
        desired: Desired | None,
        facts: Callable[[str], Facts | None],
        now: datetime,
        running: str | None = None,
        keys: DataKeys | None = None,
    ) -> None:
        self.state = state
        self.trail = trail
        self.desired = desired
        self.facts = facts
        self.now = now
        self.running = running
        self.keys = keys or DataKeys()

    @cached_property
    def tokens(self) -> list[TokenRecord]:
        """Those that serve, by address."""
        found = (record for record in self.state.resources() if isinstance(record, TokenRecord))
        return [record for record in found if record.deposed is None]

    @cached_property
    def deposed(self) -> list[TokenRecord]:
        return sorted(self.state.deposed(), key=lambda token: (token.address.sort_key, token.deposed or ""))

    @cached_property
    def applications(self) -> dict[Address, ApplicationRecord]:
        found = (record for record in self.state.resources() if isinstance(record, ApplicationRecord))
        return {record.address: record for record in found}

    @cached_property
    def floors(self) -> list[CreditsRecord]:
        return [record for record in self.state.resources() if isinstance(record, CreditsRecord)]

    @cached_property
    def open_operations(self) -> list[Operation]:
        """Announced and not settled, oldest first, without those that are on their way right now."""
        found = (op for op in self.state.operations.values() if op.in_doubt or op.run != self.running)
        return sorted(found, key=lambda op: (op.since, op.id))

    # -- against the declaration -------------------------------------------------------------------------------------

    @cached_property
    def _declared_tokens(self) -> dict[Address, tuple[Application, str | None]]:
        applications = self.desired.applications if self.desired else ()
        return {address: (app, consumer) for app in applications for address, consumer in app.token_addresses}

    @cached_property
    def _declared_floors(self) -> dict[Address, CreditFloor]:
        return {floor.address: floor for floor in (self.desired.credits if self.desired else ())}

    @cached_property
    def _let_go(self) -> frozenset[str]:
        """Ids of what a `removed` block names: its owner has said what becomes of it."""
        return forgotten(self.desired, self.state) if self.desired is not None else frozenset()

    def declared_token(self, record: TokenRecord) -> tuple[Application, str | None] | None:
        """The application and consumer that this token is for, wherever a `moved` block takes it."""
        address = record.address if self.desired is None else destination(self.desired, record)
        return self._declared_tokens.get(address)

    def declared_application(self, address: Address) -> Application | None:
        applications = self.desired.applications if self.desired else ()
        moved = self._moved(address)
        return next((application for application in applications if application.address == moved), None)

    def declared_floor(self, address: Address) -> CreditFloor | None:
        return self._declared_floors.get(self._moved(address))

    def is_let_go(self, object_id: str) -> bool:
        return object_id in self._let_go

    def _moved(self, address: Address) -> Address:
        return address if self.desired is None else follow(self.desired, address)

    def token_cases(self) -> Iterator[TokenCase]:
        """The planner's own case of each token that serves, is declared, and lives, as nobody has looked."""
        for record in self.tokens:
            declared, facts = self.declared_token(record), self.facts(record.provider_type)
            if declared is None or facts is None or self.desired is None:
                continue
            yield TokenCase(
                application=declared[0],
                vendor=facts.vendor,
                record=record,
                observed=None,
                application_record=self.applications.get(record.application),
                observed_application=None,
                operations=(),
                requested=False,
                run_interval=self.desired.run_interval,
                now=self.now,
            )

    # -- for messages ------------------------------------------------------------------------------------------------

    def person_authorizes(self, record: TokenRecord) -> bool:
        """Whether only a person can start another grant for this token."""
        declared, facts = self.declared_token(record), self.facts(record.provider_type)
        return declared is not None and facts is not None and bool(facts.vendor.needs_person(declared[0]))
