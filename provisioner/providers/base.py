"""What a vendor is to the rest of the house, in two halves.

`Vendor` is knowledge: capabilities, settings, wording of handoffs. It is pure and imports no I/O, so that config and
planner use it. `Provider` is calls: one instance a configured account and run, used from many threads at once.

To add a vendor: one module here with `VENDOR: Vendor` and `class Provider(base.Provider)`, one test file, one example.

Rules of a Provider method
- A read MAY be repeated; it raises `CredentialsRefused`, `Unreachable` or `BadAnswer` (all exit 8).
- A change MUST be sent at most once. It raises `Unreachable` only when nothing was sent, `StepRefused` (or
  `RateLimited`, `CredentialsRefused`) only on a definite no, and `InDoubt` in every other case: no answer, half an
  answer, a 5xx, a redirect, HTML with 200, a shape that cannot be understood.
- A secret MUST go into a `Secret` where the answer is parsed, and MUST NOT enter a message, a log or an exception.
- A method MUST NOT read the clock for a decision: `issued_at` is stamped before the request by the caller's clock.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from enum import Enum
from typing import TYPE_CHECKING, Any, ClassVar

from provisioner.errors import Diagnostic
from provisioner.model.desired import Application, CreditFloor, ProviderConfig, Reference
from provisioner.model.observed import ObservedApplication, ObservedCredits, ObservedToken, ProviderObservation
from provisioner.model.plan import Handoff
from provisioner.model.recorded import ApplicationRecord, TokenRecord
from provisioner.records import dataclass, field
from provisioner.secret import Secret

if TYPE_CHECKING:
    from provisioner.net.session import Session


class Applications(Enum):
    """Where applications come from."""

    NONE = "none"  # the vendor has no such thing: only tokens are managed (EZ Texting)
    FOUND = "found"  # made by people in a panel, found by name, read but never written (SMS.CX)
    ADOPTED = "adopted"  # made by people, given by client_id and client_secret (TextMaster, TEXTKING)
    REGISTERED = "registered"  # created by API where no client_id is given, else adopted (oauth2)


class Scopes(Enum):
    NONE = "none"  # declaring any is an error
    REQUIRED = "required"  # declaring none is an error: the vendor would read it as all
    OPTIONAL = "optional"


class Refresh(Enum):
    NONE = "none"
    ROTATES = "rotates"  # each refresh answers a new refresh token, and the old one may be dead
    MAY_ROTATE = "may-rotate"


class Revoke(Enum):
    YES = "yes"
    TRY = "try"  # undocumented: tried, never assumed, proven by a probe
    NO = "no"


class Credits(Enum):
    NONE = "none"
    MONITOR = "monitor"  # a balance can be read and none bought
    PURCHASE = "purchase"


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One key of `[providers.NAME]` beside `type` and `base_url`. `kind`: text, secret, url, choice, boolean."""

    name: str
    kind: str
    help: str
    required: bool = False
    default: str | None = None
    choices: tuple[str, ...] = ()


class Vendor:
    """Knowledge of one vendor type. Class attributes are facts; the methods are pure and may be overridden."""

    type: ClassVar[str]
    title: ClassVar[str]  # as the vendor writes its own name
    default_base_url: ClassVar[str]  # "" where there is none (oauth2)
    settings: ClassVar[tuple[Setting, ...]] = ()
    # which keys of [applications.NAME] mean something here, beside provider, name, token_policy, consumers,
    # prevent_destroy, for_each, which every vendor takes; any other is refused by `validate`
    application_keys: ClassVar[frozenset[str]] = frozenset()
    default_redirect_uri: ClassVar[str | None] = None  # where an application declares none and a person authorizes it
    applications: ClassVar[Applications]
    scopes: ClassVar[Scopes]
    credits: ClassVar[Credits] = Credits.NONE
    credits_need_token: ClassVar[bool] = False  # the balance is read with an application's token (TextMaster)
    unit: ClassVar[str | None] = None  # "credits" or "money"
    # `provisioner providers` prints these: (operation, what can be done and how)
    table: ClassVar[tuple[tuple[str, str], ...]] = ()

    def refresh(self, application: Application | None) -> Refresh:
        raise NotImplementedError

    def needs_person(self, application: Application) -> bool:
        """Whether the first token takes a person in a browser (`authorize`)."""
        return False

    def revoke(self, observation: ProviderObservation) -> Revoke:
        """For oauth2 this depends on what the server's metadata announced."""
        return Revoke.NO

    def token_lifetime(self, application: Application) -> timedelta | None:
        """How long a new access token will live, as far as it is known before it is granted. None: not known, or
        for ever; `never_expires` tells which."""
        return None

    def never_expires(self, application: Application) -> bool:
        return False

    def refresh_lifetime(self) -> timedelta | None:
        """How long a refresh token lives from its issue, where the vendor says so. None: no end known."""
        return None

    def latest_end(self, sent_at: datetime, application: Application | None) -> datetime | None:
        """The latest moment that a token can live to (with its refreshes) whose creation was sent at `sent_at` and
        never answered. None: no end is known."""
        return None

    def check_provider(self, config: ProviderConfig) -> list[Diagnostic]:
        """Rules between settings. `key_path` is relative to the provider's table; `file` and `line` are filled in."""
        return []

    def check_application(self, application: Application) -> list[Diagnostic]:
        """What the vendor cannot do for this declaration, beyond what `scopes` and `application_keys` say already."""
        return []

    def check_floor(self, floor: CreditFloor) -> list[Diagnostic]:
        return []

    def shows_credits(self, scopes: Sequence[str]) -> bool:
        """Whether a token of these scopes can read the balance, where `credits_need_token`."""
        return True

    def registration(self, application: Application) -> Mapping[str, Any]:
        """What a registration asks for beside name and scopes, in the server's words, as far as the file decides it."""
        return {}

    def covers(self, granted: Sequence[str], wanted: Sequence[str]) -> bool:
        """Whether `granted` gives everything in `wanted` (TextMaster: `user:manage` includes `user:read`)."""
        return set(wanted) <= set(granted)

    def application_handoff(self, application: Application, observed: ObservedApplication | None) -> Handoff | None:
        """What a person must do so that the vendor's application is as declared; None where the API can do it."""
        return None

    def registration_handoff(self, application: Application, observation: ProviderObservation) -> Handoff | None:
        """What a person must do where this server registers no clients; None where it does, or nobody looked."""
        return None

    def delete_handoff(self, record: ApplicationRecord) -> Handoff | None:
        """How a person deletes an application that no API can delete; None where it can, or none exists."""
        return None

    def kill_handoff(self, record: TokenRecord) -> Handoff:
        """How a person kills a token that no API can revoke, and when it dies by itself."""
        raise NotImplementedError

    def top_up_handoff(self, floor: CreditFloor, balance: Decimal, unit: str) -> Handoff:
        """How a person adds credits where none are sold by API."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientCredentials:
    """Who asks at the token endpoint. All None at a vendor that has no applications."""

    client_id: str | None = None
    client_secret: Secret | None = None
    auth_method: str | None = None
    private_key: Secret | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenWish:
    """What is asked of the token endpoint."""

    scopes: tuple[str, ...] = ()
    token_lifetime: str | None = None
    offline_access: bool = False
    redirect_uri: str | None = None
    resource: tuple[str, ...] = ()
    audience: str | None = None
    grant: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """What a token endpoint answered. `expires_in` None with `never_expires` False: the server did not say.
    `scopes` None: not said, which RFC 6749 section 5.1 reads as granted as asked."""

    access_token: Secret
    refresh_token: Secret | None = None
    expires_in: timedelta | None = None
    never_expires: bool = False
    scopes: tuple[str, ...] | None = None


class Revoked(Enum):
    """How a revocation ended; all are definite. `SURVIVED`: the server said yes and a probe says that it lives."""

    REVOKED = "revoked"
    ALREADY_DEAD = "already-dead"
    UNSUPPORTED = "unsupported"
    SURVIVED = "survived"


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizationRequest:
    """RFC 6749 section 4.1.1. `verifier` is PKCE's (RFC 7636), None where the vendor knows none."""

    url: str
    state: str
    redirect_uri: str
    verifier: Secret | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceAuthorization:
    """RFC 8628 section 3.2. `user_code` and the URLs are for the person to see; poll every `interval`."""

    device_code: Secret
    user_code: str
    verification_uri: str
    verification_uri_complete: str | None = None
    expires_in: timedelta
    interval: timedelta = timedelta(seconds=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class DevicePending:
    """Nobody has decided yet (RFC 8628 section 3.5). Poll again after `interval`, which only ever grows."""

    interval: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class PurchaseAnswer:
    """A 2xx answer to a purchase, whatever its body: a claim, to be proven by the balance. `reported` is evidence."""

    status: int
    reported: Mapping[str, Any] = field(default_factory=dict)


Resolve = Callable[[Reference], Secret]  # raises ProviderFailed "secret-unavailable", naming the reference
Opener = Callable[
    [Any, str, str], Secret
]  # (sealed, object id, field) → Secret; raises StateUntrusted "cannot-decrypt"


class Provider:
    """Calls to one configured account. Subclasses override what their vendor can do; calling what it cannot is a
    programming error. Instances are shared by threads: no mutable state without a lock."""

    def __init__(self, config: ProviderConfig, session: Session, resolve: Resolve) -> None:
        self.config = config
        self.session = session
        self.resolve = resolve

    def setting(self, name: str) -> Secret:
        """A secret setting of the provider's table, resolved now."""
        return self.resolve(self.config.settings[name])

    # -- reads -------------------------------------------------------------------------------------------------------

    def discover(self) -> Mapping[str, bool]:
        """Features that only the server knows (oauth2 metadata). Called once before anything else of a run."""
        return {}

    def read_applications(
        self, wanted: Sequence[Application], recorded: Mapping[str, ApplicationRecord]
    ) -> tuple[dict[str, ObservedApplication], tuple[str, ...]]:
        """What the vendor shows of each wanted application, by address as text (one list call where there is one),
        and the names of applications there that are not among `wanted`. `recorded` is by address as text."""
        return {}, ()

    def read_credits(self, token: Secret | None) -> ObservedCredits:
        """The balance. `token` is an access token where `Vendor.credits_need_token`."""
        raise NotImplementedError

    def probe_token(self, token: Secret, credentials: ClientCredentials | None) -> ObservedToken:
        """Whether the token lives, by a harmless read or introspection. UNKNOWN where it cannot be told."""
        raise NotImplementedError

    def credentials(
        self, application: Application | None, record: ApplicationRecord | None, open_sealed: Opener
    ) -> ClientCredentials:
        """Who asks for this application's tokens: declared references first, then what the vendor lists (SMS.CX),
        then what is sealed in the record. Raises ProviderFailed where none is to be had."""
        return ClientCredentials()

    # -- changes: each sent at most once -----------------------------------------------------------------------------

    def create_token(self, credentials: ClientCredentials, wish: TokenWish) -> Grant:
        raise NotImplementedError

    def refresh_token(self, credentials: ClientCredentials, refresh: Secret, wish: TokenWish) -> Grant:
        """Raises StepRefused with `oauth_error="invalid_grant"` where the refresh token is dead."""
        raise NotImplementedError

    def revoke_token(self, credentials: ClientCredentials, access: Secret, refresh: Secret | None) -> Revoked:
        """Harmless to repeat, so it may be. An unknown token is dead. Verified by a probe where there is one."""
        raise NotImplementedError

    def purchase(self, amount: Decimal, floor: CreditFloor) -> PurchaseAnswer:
        """Charges a card. Raises `StepRefused` or `CredentialsRefused` on a definite no; 408, 429, 5xx and silence are
        `InDoubt`."""
        raise NotImplementedError

    def register_application(self, application: Application) -> tuple[ApplicationRecord, Mapping[str, Secret]]:
        """RFC 7591. The record (its `id` and `address` are filled in by the caller) and its secrets by field name."""
        raise NotImplementedError

    def update_application(
        self, application: Application, record: ApplicationRecord, open_sealed: Opener
    ) -> tuple[ApplicationRecord, Mapping[str, Secret]]:
        """RFC 7592 PUT: replaces everything. Any answer may carry new secrets."""
        raise NotImplementedError

    def delete_application(self, record: ApplicationRecord, open_sealed: Opener) -> None:
        """RFC 7592 DELETE. A 401 means that it is gone, unless the server still knows the client: StepRefused."""
        raise NotImplementedError

    # -- a person ----------------------------------------------------------------------------------------------------

    def authorization_request(
        self, credentials: ClientCredentials, wish: TokenWish, redirect_uri: str
    ) -> AuthorizationRequest:
        raise NotImplementedError

    def exchange_code(
        self, credentials: ClientCredentials, wish: TokenWish, request: AuthorizationRequest, code: Secret
    ) -> Grant:
        """A change like any other: a code is good for one use, and the answer holds the pair."""
        raise NotImplementedError

    def read_callback(self, request: AuthorizationRequest, answer: str) -> Secret:
        """The code in what came back: the redirect's URL or query, or the code alone where a person pasted it.

        Raises ProviderFailed "denied", "issuer-mismatch" or "bad-answer", and StepRefused with the `oauth_error`."""
        raise NotImplementedError

    def device_authorization(self, credentials: ClientCredentials, wish: TokenWish) -> DeviceAuthorization:
        """RFC 8628 section 3.1. A read: it may be repeated, and what is not used lapses."""
        raise NotImplementedError

    def poll_device(
        self, credentials: ClientCredentials, wish: TokenWish, device: DeviceAuthorization, interval: timedelta
    ) -> Grant | DevicePending:
        """One poll, a change: its answer may hold the tokens. `interval` is the one that was waited.

        Raises ProviderFailed "denied", and NeedsPerson "authorize-timeout" once the code has expired."""
        raise NotImplementedError

    def read_registration(
        self, record: ApplicationRecord, open_sealed: Opener
    ) -> tuple[ObservedApplication, Mapping[str, Secret]]:
        """RFC 7592 GET: a registered application as the server has it. Any answer may carry new secrets, by field."""
        raise NotImplementedError

    def only_while(self, wanted: Callable[[], bool]) -> None:
        """A change that has to wait for its turn is sent only while `wanted` says yes; else Unreachable "interrupted"
        is raised. Asked from many threads; holds no lock."""
        self.session.wanted = wanted

    def close(self) -> None:
        self.session.close()
