"""SMS.CX: applications that people make in the panel, tokens by client credentials, money that is only watched.

Sources: the vendor's "Create new Application ID & Secret (Oauth 2.0)" article and its published API clients (1.0.2).
Three GETs on applications, one token call, a balance; everything else is the panel's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from threading import Event, Lock
from typing import TYPE_CHECKING

from provisioner import times
from provisioner.errors import CredentialsRefused, Diagnostic, ProviderFailed, StepRefused
from provisioner.model.desired import Application, CreditFloor, ProviderConfig
from provisioner.model.observed import ObservedApplication, ObservedCredits, ObservedToken
from provisioner.model.plan import Handoff
from provisioner.model.recorded import ApplicationRecord, TokenRecord
from provisioner.net import embedded
from provisioner.net.answers import Answer, NotJson
from provisioner.providers import _smscx_panel as panel
from provisioner.providers import _vendor_api as api
from provisioner.providers import base
from provisioner.providers._smscx_answers import (
    LIFETIMES,
    NEVER,
    Listed,
    balance_in,
    error_in,
    grant_in,
    listed_in,
    retry_after,
)
from provisioner.providers._smscx_declared import check_application
from provisioner.providers.base import ClientCredentials, Grant, Refresh, Revoked, TokenWish
from provisioner.secret import Secret, named

if TYPE_CHECKING:
    from provisioner.net.session import Session

PER_MINUTE = None  # there is a limit, and its size is published nowhere
RETRY_AFTER = retry_after
_ADDRESSES = "and the panel's list of allowed IP addresses."
_POSTPAID = "the account is postpaid: its balance may be negative, and a floor means a credit limit"


class SmsCx(base.Vendor):
    type = "smscx"
    title = "SMS.CX"
    default_base_url = "https://api.sms.cx"
    settings = (
        base.Setting(
            name="api_key",
            kind="secret",
            help="an API key of the account: reads applications and the balance",
            required=True,
        ),
    )
    application_keys = frozenset({"scopes", "token_lifetime", "client_id", "client_secret"})
    applications = base.Applications.FOUND
    scopes = base.Scopes.REQUIRED
    credits = base.Credits.MONITOR
    unit = "money"
    table = (
        ("applications", "made in the panel (handoff), found by name with GET /applications, compared, never written"),
        ("application secrets", "read with the list, so a reset in the panel is noticed"),
        ("scopes", "required: the vendor reads none as all"),
        ("create a token", "POST /oauth/token (client credentials) with exactly the declared scopes"),
        ("token's life", "1 day, 1 week or never: a setting of the application in the panel"),
        ("refresh a token", "none: another one is created"),
        ("revoke a token", "none by API; the panel revokes all tokens of an application"),
        ("list tokens", "none"),
        ("read credits", "GET /account/balance: money, in EUR or USD"),
        ("buy credits", "none by API: a person tops up"),
        ("rate limit", "unpublished; X-Rate-Limit-Reset, an absolute second"),
    )

    def refresh(self, application: Application | None) -> Refresh:
        return Refresh.NONE

    def token_lifetime(self, application: Application) -> timedelta | None:
        return LIFETIMES.get(application.token_lifetime or "")

    def never_expires(self, application: Application) -> bool:
        return application.token_lifetime == NEVER

    def latest_end(self, sent_at: datetime, application: Application | None) -> datetime | None:
        life = LIFETIMES.get(application.token_lifetime or "") if application else None
        return sent_at + life if life else None

    def check_application(self, application: Application) -> list[Diagnostic]:
        return check_application(application)

    def application_handoff(self, application: Application, observed: ObservedApplication | None) -> Handoff | None:
        return panel.create_or_edit(application, observed)

    def delete_handoff(self, record: ApplicationRecord) -> Handoff | None:
        return panel.delete(record)

    def kill_handoff(self, record: TokenRecord) -> Handoff:
        return panel.revoke_all(record)

    def top_up_handoff(self, floor: CreditFloor, balance: Decimal, unit: str) -> Handoff:
        return panel.top_up(floor, balance, unit)


VENDOR = SmsCx()


class Provider(base.Provider):
    """One SMS.CX account. The list of applications carries every secret in clear: it is kept here alone."""

    def __init__(self, config: ProviderConfig, session: Session, resolve: base.Resolve) -> None:
        super().__init__(config, session, resolve)
        self._at_sandbox = config.base_url == "sandbox"
        root = embedded.base_url("smscx") if self._at_sandbox else (config.base_url or VENDOR.default_base_url)
        self._root = root.rstrip("/")
        self._listed: list[Listed] | None = None
        self._listing = Lock()
        self._account_answered = Event()  # the API key was taken in this run

    # -- reads -------------------------------------------------------------------------------------------------------

    def read_applications(
        self, wanted: Sequence[Application], recorded: Mapping[str, ApplicationRecord]
    ) -> tuple[dict[str, ObservedApplication], tuple[str, ...]]:
        listed = self._list(anew=True)
        found: dict[str, ObservedApplication] = {}
        taken: set[str] = set()
        for application in wanted:
            candidates = self._candidates(application, recorded.get(str(application.address)), listed)
            taken |= {one.client_id for one in candidates}
            found[str(application.address)] = _observed(application, candidates)
        others = sorted(one.name or one.client_id for one in listed if one.client_id not in taken)
        return found, tuple(others)

    def read_credits(self, token: Secret | None) -> ObservedCredits:
        what = "reading the balance"
        answer = self._read("/account/balance", what)
        try:
            balance, currency, postpaid = balance_in(answer)
        except (NotJson, api.Unreadable) as error:
            problem = str(error)
        else:
            note = _POSTPAID if postpaid else None
            return ObservedCredits(balance=balance, unit=currency, at=times.now(), note=note)
        raise api.bad_answer(self.config.name, what, answer, problem)

    def probe_token(self, token: Secret, credentials: ClientCredentials | None) -> ObservedToken:
        """By the balance, with the bearer alone: which of two credentials the server prefers is not documented. A 403
        means that the token lives and lacks the scope `account`."""
        return api.probe(
            lambda: self.session.read("GET", f"{self._root}/account/balance", bearer=token),
            self._account_answers,
            forbidden_is_alive=True,
        )

    def credentials(
        self, application: Application | None, record: ApplicationRecord | None, open_sealed: base.Opener
    ) -> ClientCredentials:
        client_id = self._declared_id(application)
        if application is not None and application.client_secret is not None and client_id is not None:
            return ClientCredentials(client_id=client_id, client_secret=self.resolve(application.client_secret))
        try:
            listed = self._list()
        except ProviderFailed:
            if record is None or record.secret is None:
                raise
            listed = []
        candidates = self._candidates(application, record, listed)
        if len(candidates) == 1 and candidates[0].secret is not None:
            return ClientCredentials(client_id=candidates[0].client_id, client_secret=candidates[0].secret)
        if record is not None and record.secret is not None:
            return ClientCredentials(
                client_id=record.client_id, client_secret=open_sealed(record.secret, record.id, "secret")
            )
        name = application.name if application is not None else record.name if record is not None else "?"
        raise ProviderFailed(
            "credentials-refused",
            f"provider {self.config.name}: there is no one application called {name!r} with a secret",
            "Run plan: it shows what to do in the panel.",
        )

    # -- changes -----------------------------------------------------------------------------------------------------

    def create_token(self, credentials: ClientCredentials, wish: TokenWish) -> Grant:
        """A missing or empty scope would mint a token with every right, so it is refused here, before it is sent."""
        what = "creating a token"
        if not wish.scopes or not credentials.client_id or credentials.client_secret is None:
            raise StepRefused(
                "refused",
                f"provider {self.config.name}: a token is never asked for without scopes and credentials",
                "Nothing was sent. Declare the scopes that are needed.",
                oauth_error="invalid_scope" if not wish.scopes else None,
            )
        answer = self.session.change(
            "POST",
            f"{self._root}/oauth/token",
            basic=(credentials.client_id, credentials.client_secret),
            form=(("grant_type", "client_credentials"), ("scope", " ".join(sorted(set(wish.scopes))))),
            fresh=False,
        )
        if answer.status >= 400:
            raise self._token_refused(answer, what, credentials.client_id)
        try:
            return grant_in(answer)
        except (NotJson, api.Unreadable) as error:
            problem = str(error)
        raise api.in_doubt(self.config.name, what, answer, problem)

    def revoke_token(self, credentials: ClientCredentials, access: Secret, refresh: Secret | None) -> Revoked:
        return Revoked.UNSUPPORTED

    # -- inside ------------------------------------------------------------------------------------------------------

    def setting(self, name: str) -> Secret:
        """A secret setting; at the sandbox, its own account's where the file gives none."""
        if self._at_sandbox and name not in self.config.settings:
            return Secret(embedded.account("smscx", name))
        return super().setting(name)

    def _read(self, path: str, what: str) -> Answer:
        """A read with the API key and nothing beside it. Raises CredentialsRefused, BadAnswer, Unreachable."""
        answer = self.session.read("GET", self._root + path, headers={"X-API-KEY": self.setting("api_key")})
        _, said = error_in(answer)
        if answer.status in (401, 403):
            advice = f"Check {named('api_key', self.setting('api_key'))}, {_ADDRESSES}"
            raise api.credentials_refused(self.config.name, what, said, advice)
        if not 200 <= answer.status < 300:
            raise api.unexpected(self.config.name, what, answer, said)
        self._account_answered.set()
        return answer

    def _account_answers(self) -> bool:
        """Whether the API key is taken: asked once a run."""
        if not self._account_answered.is_set():
            try:
                self._read("/account/balance", "reading the balance")
            except CredentialsRefused:
                return False
        return True

    def _list(self, *, anew: bool = False) -> list[Listed]:
        """The applications, read once by whoever comes first; `anew` reads them again."""
        with self._listing:
            if self._listed is None or anew:
                what = "listing applications"
                answer = self._read("/applications", what)
                try:
                    self._listed, problem = listed_in(answer), ""
                except (NotJson, api.Unreadable) as error:
                    problem = str(error)
                if problem:
                    raise api.bad_answer(self.config.name, what, answer, problem)
            return self._listed or []

    def _declared_id(self, application: Application | None) -> str | None:
        if application is None or application.client_id is None:
            return None
        if isinstance(application.client_id, str):
            return application.client_id.strip()
        return self.resolve(application.client_id).reveal().strip()

    def _candidates(
        self, application: Application | None, record: ApplicationRecord | None, listed: Sequence[Listed]
    ) -> list[Listed]:
        """Which of the list is meant: the declared id, else the name, and the recorded id among several of one name."""
        declared = self._declared_id(application)
        if declared is not None:
            return [one for one in listed if one.client_id == declared]
        if application is None:
            return [one for one in listed if record is not None and one.client_id == record.client_id]
        named = [one for one in listed if one.name == application.name.strip()]
        recorded = [one for one in named if record is not None and one.client_id == record.client_id]
        return recorded or named

    def _token_refused(self, answer: Answer, what: str, client_id: str) -> ProviderFailed | StepRefused:
        kind, said = error_in(answer)
        if kind == "invalid_client" or (answer.status == 401 and kind != "invalid_scope"):
            advice = (
                f"The secret of application {client_id} was reset, or the application is gone, or this address is not "
                "among the allowed ones. The next plan reads the list of applications again."
            )
            return api.credentials_refused(self.config.name, what, said, advice)
        advice = {
            "invalid_scope": "The application in the panel lacks a scope that is declared. The next plan names it.",
        }.get(kind or "", "Run plan to see how the application differs from what is declared.")
        return api.refused(self.config.name, what, answer, said, advice, oauth_error=kind)


def _observed(application: Application, candidates: Sequence[Listed]) -> ObservedApplication:
    if len(candidates) > 1:
        ids = ", ".join(one.client_id for one in candidates)
        return ObservedApplication(
            exists=False, problem=f"SMS.CX has {len(candidates)} applications called {application.name!r}: {ids}"
        )
    if not candidates:
        return ObservedApplication(exists=False)
    one = candidates[0]
    return ObservedApplication(
        exists=True,
        client_id=one.client_id,
        name=one.name,
        scopes=one.scopes,
        token_lifetime=one.token_lifetime,
        secret_fingerprint=one.secret.fingerprint if one.secret is not None else None,
    )
