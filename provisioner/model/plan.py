"""A plan is data: steps with reasons, in the order that they may run. It holds no secret and no closure.

The engine executes `operation` with `params` and nothing else; `reason` explains and never steers (design section 1).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from provisioner.address import Address
from provisioner.errors import Diagnostic
from provisioner.model.observed import Observed
from provisioner.records import dataclass, field

# Actions, in Terraform's words.
NOOP: tuple[str, ...] = ("no-op",)
CREATE: tuple[str, ...] = ("create",)
READ: tuple[str, ...] = ("read",)
UPDATE: tuple[str, ...] = ("update",)
DELETE: tuple[str, ...] = ("delete",)
REPLACE: tuple[str, ...] = ("create", "delete")  # the new one first: at every moment one token works
FORGET: tuple[str, ...] = ("forget",)

# Operations: what the engine does for a step.
ADOPT_APPLICATION = "application.adopt"  # record what exists at the vendor; also re-records what a person changed
REGISTER_APPLICATION = "application.register"  # RFC 7591
UPDATE_APPLICATION = "application.update"  # RFC 7592 PUT
ROTATE_APPLICATION = "application.rotate"  # register anew, switch, delete the old
DELETE_APPLICATION = "application.delete"  # RFC 7592 DELETE
CREATE_TOKEN = "token.create"  # noqa: S105  # an operation's name
REFRESH_TOKEN = "token.refresh"  # noqa: S105  # an operation's name
REPLACE_TOKEN = "token.replace"  # noqa: S105  # an operation's name: create, verify, then depose the old one (and revoke it where overlap is 0)
REVOKE_TOKEN = "token.revoke"  # noqa: S105  # an operation's name: the current one (destroy) or a deposed one (retire)
RECORD_CREDITS = "credits.record"  # take up the floor, with the balance that was read
READ_CREDITS = "credits.read"  # read a balance that only a token made in this apply can read
PURCHASE = "credits.purchase"
FORGET_RECORD = "forget"  # drop the record, leave the thing at the vendor
MOVE = "move"  # only the address changes
RECORD = "record"  # nothing is sent; what the file says of a recorded thing is recorded (guards, on_destroy)
HANDOFF = "handoff"  # nothing is sent; a person must act
NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Reason:
    """Why. `code` is a policy's name (`expiring`, `scopes-narrower`, `below-floor`); `sentence` is for people."""

    code: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Handoff:
    """What a person must do: exact page, field and value, one instruction a line."""

    instructions: tuple[str, ...]
    url: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One change of one address.

    `before` and `after` are the resource's public values (contract section 5), with `access_token`, `refresh_token`
    and `client_secret` always None; `after_unknown` names the keys of `after` that only apply will know.
    `after_sensitive` and `before_sensitive` name keys. Amounts are Decimal. `params` is what the operation needs
    beyond the desired and recorded states: numbers and texts, documented at each operation in `engine/`.
    A step with a `handoff` and an operation other than `HANDOFF` is executed, and then waits for the person.
    `depends_on` holds ids of steps that must have succeeded; a step whose dependency did not is `not_started`.
    """

    id: str  # the address, and `#deposed-key` for a deposed object: unique in a plan
    address: Address
    action: tuple[str, ...]
    operation: str
    reason: Reason
    provider: str
    provider_type: str
    object_id: str | None = None
    deposed: str | None = None
    action_reason: str | None = None  # one of Terraform's words, or None
    before: Mapping[str, Any] | None = None
    after: Mapping[str, Any] | None = None
    after_unknown: tuple[str, ...] = ()
    before_sensitive: tuple[str, ...] = ()
    after_sensitive: tuple[str, ...] = ()
    replace_paths: tuple[tuple[str, ...], ...] = ()
    importing: str | None = None
    previous_address: Address | None = None
    handoff: Handoff | None = None
    depends_on: tuple[str, ...] = ()
    params: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_change(self) -> bool:
        """Whether a reader must be told: everything but an untouched object. An import, a move and a handoff count."""
        return (
            self.action != NOOP
            or self.importing is not None
            or self.previous_address is not None
            or self.handoff is not None
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """One difference between recorded and observed, whatever the file says. `code` is the class: revoked-outside,
    scope-changed, lifetime-shortened, application-changed, application-gone, secret-changed, balance-below-floor,
    purchased-outside. docs/drift.md says what each means."""

    address: Address
    code: str
    sentence: str
    provider_type: str
    action: tuple[str, ...] = UPDATE  # DELETE where the thing is gone
    before: Mapping[str, Any] | None = None
    after: Mapping[str, Any] | None = None
    object_id: str | None = None
    deposed: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Spend:
    """The most that one floor may buy in this apply, for the lines about money."""

    address: Address
    provider: str
    amount: Decimal
    unit: str
    cost: Decimal | None = None
    currency: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """One change that time alone will bring: from `at` on a run plans `step` (`--horizon`).

    `again`: how long after that the same is due once more, as far as the life that was last granted tells."""

    at: datetime
    step: Step
    again: timedelta | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanOptions:
    """What the command line asked of the planner; part of a saved plan, because deriving it again needs it."""

    mode: str = "normal"  # "destroy", "refresh-only"
    targets: tuple[str, ...] = ()
    excludes: tuple[str, ...] = ()
    replaces: tuple[str, ...] = ()
    allows: tuple[str, ...] = ()  # "max_destroy", "max_spend", "prevent_destroy:ADDRESS"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """`steps` covers every resource of the file and the state, untouched ones as no-ops, ordered by address and then
    by what must come first. `diagnostics` are warnings and refusals; any of severity error makes it not applyable."""

    stack: str
    now: datetime  # the time planned for: `--at`, or the clock
    lineage: str
    serial: int
    head: str
    options: PlanOptions
    observed: Observed
    desired_digest: str = ""  # of the declaration (`model.digest`), once the plan is saved: else nobody asks
    steps: tuple[Step, ...] = ()
    drift: tuple[Drift, ...] = ()
    spends: tuple[Spend, ...] = ()
    diagnostics: tuple[Diagnostic, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict)

    @property
    def changes(self) -> tuple[Step, ...]:
        return tuple(step for step in self.steps if step.is_change)

    @property
    def has_changes(self) -> bool:
        """A step that changes something; of a refresh-only plan, a difference that it would record."""
        if self.options.mode == "refresh-only":
            return bool(self.drift)
        return any(step.is_change for step in self.steps)

    @property
    def applyable(self) -> bool:
        """There is something to do and nothing forbids it."""
        return self.has_changes and not self.refused

    @property
    def refused(self) -> bool:
        return any(d.severity == "error" for d in self.diagnostics)

    @property
    def complete(self) -> bool:
        """False where part of the file was left out: after this apply another plan will have changes."""
        return not (self.options.targets or self.options.excludes)

    def counts(self) -> dict[str, int]:
        """`import`, `add`, `change`, `destroy`, `forget`, `move`, `handoff`, counted as Terraform counts.

        A step that only waits for a person counts as the change that it will be."""
        found = {"import": 0, "add": 0, "change": 0, "destroy": 0, "forget": 0, "move": 0, "handoff": 0}
        for step in self.changes:
            found["import"] += step.importing is not None
            found["add"] += "create" in step.action
            found["change"] += step.action == UPDATE
            found["destroy"] += "delete" in step.action
            found["forget"] += step.action == FORGET
            found["move"] += step.previous_address is not None
            found["handoff"] += step.handoff is not None
        return found
