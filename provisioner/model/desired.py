"""What the file says, after includes, variables and `for_each`: frozen data, no behaviour beyond what one fact implies.

Built only by `config.build`; everything to the right of it may trust the types and the cross-checks made there.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any

from provisioner.address import Address
from provisioner.records import dataclass, field


@dataclass(frozen=True, slots=True)
class SecretRef:
    """Where a secret is to be found; never the secret. `kind` is env, file or command. `whole`: it is a file with lines
    in it, as a PEM key is, and no bare value."""

    kind: str
    value: str | tuple[str, ...]
    whole: bool = False

    def __str__(self) -> str:
        return f"{self.kind} {self.value if isinstance(self.value, str) else ' '.join(self.value[:2])}"

    def to_json(self) -> dict[str, Any]:
        return {self.kind: self.value if isinstance(self.value, str) else list(self.value)}


# A client id is no secret and may stand in the file; a secret may not.
Reference = SecretRef | str


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderConfig:
    """`[providers.NAME]`. `settings` holds what the vendor's own table of settings (`Vendor.settings`) names:
    plain values as given, secrets as `SecretRef`. Absent optional settings are absent from the mapping."""

    name: str
    type: str
    base_url: str  # "sandbox" for the embedded vendor; never with a trailing slash
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenPolicy:
    name: str
    renew_before: timedelta | None = None  # None: a third of the granted life
    rotate_every: timedelta | None = None
    overlap: timedelta = timedelta()
    max_lifetime: timedelta | None = None
    on_destroy: str = "revoke"  # or "keep"


@dataclass(frozen=True, slots=True, kw_only=True)
class Application:
    """One application, one `for_each` instance each. `address` is `application.NAME[...]` even where the vendor has
    no applications (EZ Texting): then no application resource is planned, only its tokens."""

    address: Address
    provider: str
    name: str  # at the vendor
    scopes: tuple[str, ...] = ()  # sorted, unique
    token_lifetime: str | None = None  # "1d", "1w", "never"
    policy: TokenPolicy = TokenPolicy(name="built-in")
    consumers: tuple[str, ...] = ()  # in declared order; empty: one token without a consumer
    prevent_destroy: bool = False
    client_id: Reference | None = None
    client_secret: SecretRef | None = None
    redirect_uri: str | None = None
    offline_access: bool = False
    grant: str | None = None  # oauth2: client_credentials, authorization_code, device_code; None elsewhere
    token_endpoint_auth_method: str | None = None
    private_key: SecretRef | None = None  # for private_key_jwt: a PEM file or a JWK
    resource: tuple[str, ...] = ()
    audience: str | None = None
    file: str | None = None  # where it was declared, for diagnostics
    line: int | None = None

    @property
    def target(self) -> tuple[str, ...]:
        """Whom its tokens are for, as it is recorded with each: every `resource`, and the `audience`."""
        return (*self.resource, *((f"audience={self.audience}",) if self.audience else ()))

    @property
    def token_addresses(self) -> tuple[tuple[Address, str | None], ...]:
        """Each token that is wanted, with its consumer."""
        base = self.address.as_type("token")
        if not self.consumers:
            return ((base, None),)
        return tuple((base.child(consumer), consumer) for consumer in self.consumers)


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditFloor:
    """`[credits.NAME]`. Amounts are exact decimals in the vendor's unit: credits, or money."""

    address: Address
    provider: str
    minimum: Decimal
    target: Decimal
    pack: Decimal = Decimal(1)
    max_per_apply: Decimal | None = None
    max_per_day: Decimal | None = None
    card_last_four: SecretRef | None = None
    coupon: SecretRef | None = None
    unit_price: Decimal | None = None
    currency: str | None = None
    on_shortfall: str = "error"  # or "warn"
    doubt_settles_after: timedelta | None = None
    prevent_destroy: bool = False
    file: str | None = None
    line: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Safety:
    max_destroy: int | None = None  # None: 10, or 30 % of what is recorded, whichever is more
    max_spend: Mapping[str, Decimal] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Moved:
    origin: Address
    to: Address


@dataclass(frozen=True, slots=True)
class ImportBlock:
    to: Address
    id: str


@dataclass(frozen=True, slots=True)
class Removed:
    origin: Address


@dataclass(frozen=True, slots=True, kw_only=True)
class Encryption:
    recipients: tuple[str, ...] = ()
    identity: SecretRef = SecretRef("env", "PROVISIONER_IDENTITY")


@dataclass(frozen=True, slots=True, kw_only=True)
class Desired:
    """The whole declaration, its references unresolved. `model.digest` says whether two are the same."""

    stack: str
    run_interval: timedelta = timedelta()
    state_location: str
    state_settings: Mapping[str, Any] = field(default_factory=dict)  # [state] username, password
    encryption: Encryption = Encryption()
    variables: Mapping[str, str] = field(default_factory=dict)
    providers: Mapping[str, ProviderConfig] = field(default_factory=dict)
    applications: tuple[Application, ...] = ()  # by address
    credits: tuple[CreditFloor, ...] = ()  # by address
    safety: Safety = Safety()
    moved: tuple[Moved, ...] = ()
    imports: tuple[ImportBlock, ...] = ()
    removed: tuple[Removed, ...] = ()
    directory: str = "."  # where the file lies; .provisioner/ is made there
