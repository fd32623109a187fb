"""EZ Texting: token pairs that the account's login buys, and integer credits charged to a stored card.

Sources: the vendor's "Account Management" page, the portal's authentication and error pages, and what is known of
answers that neither documents (docs/providers). No applications, no scopes, no list of tokens, no idempotency key.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from decimal import Decimal
from threading import Event
from typing import TYPE_CHECKING, Any

from provisioner import times
from provisioner.errors import InDoubt, ProviderFailed, RateLimited, StepRefused, Unreachable
from provisioner.model.desired import Application, CreditFloor, ProviderConfig
from provisioner.model.observed import ALIVE, DEAD, ObservedCredits, ObservedToken, ProviderObservation
from provisioner.model.plan import Handoff
from provisioner.model.recorded import TokenRecord
from provisioner.net import embedded
from provisioner.net.answers import Answer, NotJson
from provisioner.providers import _vendor_api as api
from provisioner.providers import base
from provisioner.providers._eztexting_answers import (
    ACCESS_LIFE,
    access_life,
    credits_in,
    evidence,
    retry_after,
    said_by,
)
from provisioner.providers.base import ClientCredentials, Grant, PurchaseAnswer, Refresh, Revoke, Revoked, TokenWish
from provisioner.secret import Secret, named

if TYPE_CHECKING:
    from provisioner.net.session import Session

REFRESH_LIFE = timedelta(days=60)  # in no answer: counted from our own issue time
PER_MINUTE = 200  # https://developers.eztexting.com/docs/errors
RETRY_AFTER = retry_after

_PARTS: tuple[str, ...] = ("planCredits", "anytimeCredits")  # only a purchase raises the second
_FIELDS = {"app_key": ("appKey", "appSecret"), "username": ("username", "password")}
_DEAD_GRANT = (400, 401, 404, 410, 422)  # the failure of a refresh is undocumented; 403, 415 say something else
_WEB_SITE = "https://www.eztexting.com"


class EzTexting(base.Vendor):
    type = "eztexting"
    title = "EZ Texting"
    default_base_url = "https://a.eztexting.com"
    settings = (
        base.Setting(
            name="username", kind="secret", help="the login of the account: user name or e-mail address", required=True
        ),
        base.Setting(name="password", kind="secret", help="the password of the account", required=True),
        base.Setting(
            name="credential_fields",
            kind="choice",
            help="the spelling of the token request: appKey and appSecret (the portal), or username and password",
            default="app_key",
            choices=("app_key", "username"),
        ),
    )
    applications = base.Applications.NONE
    scopes = base.Scopes.NONE
    credits = base.Credits.PURCHASE
    unit = "credits"
    table = (
        ("applications", "none: the vendor has no such thing; an application is the name that tokens are held under"),
        ("scopes", "none: every token has the account's full rights"),
        ("create a token", "POST /v1/tokens/create with the account's login; lives 90 minutes"),
        ("refresh a token", "POST /v1/tokens/refresh; both halves are new, the old ones are taken for dead"),
        ("refresh token's life", "60 days, kept by our own clock: no answer says it"),
        ("revoke a token", "POST /v1/tokens/revoke, proven by a read with the access token"),
        ("list tokens", "none: a token whose value is lost can be neither seen nor revoked"),
        ("read credits", "GET /v1/credits: whole credits, plan and bought ones"),
        ("buy credits", "POST /v1/credits/purchase: charges a stored card at once; never sent twice"),
        ("rate limit", "200 requests a minute; X-Rate-Limit-Retry-After-Milliseconds"),
    )

    def refresh(self, application: Application | None) -> Refresh:
        return Refresh.ROTATES

    def revoke(self, observation: ProviderObservation) -> Revoke:
        return Revoke.YES

    def token_lifetime(self, application: Application) -> timedelta | None:
        return ACCESS_LIFE

    def refresh_lifetime(self) -> timedelta | None:
        return REFRESH_LIFE

    def latest_end(self, sent_at: datetime, application: Application | None) -> datetime | None:
        """Whoever holds a lost pair can refresh it until the refresh token ends; whether that slides is not known."""
        return sent_at + REFRESH_LIFE

    def kill_handoff(self, record: TokenRecord) -> Handoff:
        """For a token whose value is lost: the API revokes any other."""
        ends = record.refresh_expires_at or record.expires_at or self.latest_end(record.issued_at, None)
        return Handoff(
            (
                "EZ Texting revokes a token only to whoever has its value, and lists none.",
                "If it must die now, log in and change the account's password.",
                "Then put the new password where `password` of the provider refers to.",
                f"By itself it ends, refreshes included, on {times.to_rfc3339(ends)}."
                if ends
                else "When it ends is not known.",
            ),
            _WEB_SITE,
        )

    def top_up_handoff(self, floor: CreditFloor, balance: Decimal, unit: str) -> Handoff:
        return Handoff(
            (
                "Log in to EZ Texting and open Billing.",
                f"Buy at least {max(floor.target - balance, Decimal())} {unit}.",
                f"The balance is {balance}; {floor.address} wants {floor.target}.",
            ),
            _WEB_SITE,
        )


VENDOR = EzTexting()


class Provider(base.Provider):
    """One EZ Texting account."""

    def __init__(self, config: ProviderConfig, session: Session, resolve: base.Resolve) -> None:
        super().__init__(config, session, resolve)
        self._at_sandbox = config.base_url == "sandbox"
        root = embedded.base_url("eztexting") if self._at_sandbox else (config.base_url or VENDOR.default_base_url)
        self._root = root.rstrip("/")
        self._account_answered = Event()  # the login was taken in this run

    # -- reads -------------------------------------------------------------------------------------------------------

    def read_credits(self, token: Secret | None) -> ObservedCredits:
        answer = self.session.read("GET", self._url("credits"), basic=self._login())
        what = "reading the balance"
        if answer.status in (401, 403):
            raise api.credentials_refused(self.config.name, what, said_by(answer), self._look())
        if not 200 <= answer.status < 300:
            raise api.unexpected(self.config.name, what, answer, said_by(answer))
        try:
            body = answer.object()
            total = credits_in(body, "totalCredits")
            parts = {name: credits_in(body, name) for name in _PARTS if body.get(name) is not None}
        except (NotJson, api.Unreadable) as error:
            problem = str(error)
        else:
            self._account_answered.set()
            return ObservedCredits(balance=total, unit="credits", at=times.now(), parts=parts)
        raise api.bad_answer(self.config.name, what, answer, problem)

    def probe_token(self, token: Secret, credentials: ClientCredentials | None) -> ObservedToken:
        """By the balance. A 403 says nothing here: a token has all the rights that its account has."""
        return api.probe(
            lambda: self.session.read("GET", self._url("credits"), bearer=token),
            self._account_answers,
            forbidden_is_alive=False,
        )

    # -- changes -----------------------------------------------------------------------------------------------------

    def create_token(self, credentials: ClientCredentials, wish: TokenWish) -> Grant:
        user, password = self._login()
        names = _FIELDS[str(self.config.settings.get("credential_fields", "app_key"))]
        answer = self.session.change(
            "POST", self._url("tokens/create"), json={names[0]: Secret(user), names[1]: password}, fresh=False
        )
        what = "creating a token"
        if answer.status == 401:
            raise api.credentials_refused(self.config.name, what, said_by(answer), self._look())
        if answer.status >= 400:
            advice = f"If the account is right, set credential_fields: {names[0]} and {names[1]} were sent."
            raise api.refused(self.config.name, what, answer, said_by(answer), advice)
        return self._grant(answer, what)

    def refresh_token(self, credentials: ClientCredentials, refresh: Secret, wish: TokenWish) -> Grant:
        """Both halves of the pair are replaced, so this is sent once whatever comes of it."""
        answer = self.session.change("POST", self._url("tokens/refresh"), json={"refreshToken": refresh})
        what = "refreshing a token"
        if answer.status in _DEAD_GRANT:
            advice = "The refresh token is dead; a new token can be created with the account's login."
            raise api.refused(self.config.name, what, answer, said_by(answer), advice, oauth_error="invalid_grant")
        if answer.status >= 400:
            raise api.refused(self.config.name, what, answer, said_by(answer), "Run again later.")
        return self._grant(answer, what)

    def revoke_token(self, credentials: ClientCredentials, access: Secret, refresh: Secret | None) -> Revoked:
        """The refresh token first, because no read can tell whether it lives; then the access token, if it outlived
        that. The portal says that either revocation kills the pair, the published page says it of none."""
        answers = [self._revoke(refresh, "REFRESH_TOKEN")] if refresh is not None else []
        alive = self._still_alive(access) if answers else True
        if alive:
            answers.append(self._other_half(access) if answers else self._revoke(access, "ACCESS_TOKEN"))
            alive = self._still_alive(access)
        taken = [answer for answer in answers if answer.status < 400]
        if alive and taken:
            return Revoked.SURVIVED
        if alive:
            last = answers[-1]
            raise api.refused(self.config.name, "revoking a token", last, said_by(last), "The token lives on.")
        return Revoked.REVOKED if taken else Revoked.ALREADY_DEAD

    def purchase(self, amount: Decimal, floor: CreditFloor) -> PurchaseAnswer:
        """Charges the card once. What a 2xx answer claims is for evidence; the balance proves it."""
        body = self._order(amount, floor)
        what = f"buying {body['credits']} credits"
        try:
            answer = self.session.change("POST", self._url("credits/purchase"), basic=self._login(), json=body)
        except RateLimited:
            # money: a 429 may come from a gateway behind which the order went through
            limited = InDoubt(
                "in-doubt",
                f"provider {self.config.name}: {what} was answered 429",
                "Whether the card was charged is not known. It is not sent again; the balance will tell.",
            )
        else:
            return self._receipt(answer, what)
        raise limited

    # -- inside ------------------------------------------------------------------------------------------------------

    def _url(self, path: str) -> str:
        return f"{self._root}/v1/{path}"

    def setting(self, name: str) -> Secret:
        """A secret setting; at the sandbox, its own account's where the file gives none."""
        if self._at_sandbox and name not in self.config.settings:
            return Secret(embedded.account("eztexting", name))
        return super().setting(name)

    def _login(self) -> tuple[str, Secret]:
        return self.setting("username").reveal(), self.setting("password")

    def _look(self) -> str:
        """Where to look when the login is refused."""
        user, password = (named(name, self.setting(name)) for name in ("username", "password"))
        return f"Check {user} and {password}; EZ Texting takes the login of the web site."

    def _account_answers(self) -> bool:
        """Whether the login is taken: asked once a run."""
        if not self._account_answered.is_set():
            answer = self.session.read("GET", self._url("credits"), basic=self._login())
            if 200 <= answer.status < 300:
                self._account_answered.set()
        return self._account_answered.is_set()

    def _grant(self, answer: Answer, what: str) -> Grant:
        try:
            body = answer.object()
            refresh = api.token(body, "refreshToken") if body.get("refreshToken") is not None else None
            return Grant(
                access_token=api.token(body, "accessToken"), refresh_token=refresh, expires_in=access_life(body)
            )
        except (NotJson, api.Unreadable) as error:
            problem = str(error)
        raise api.in_doubt(self.config.name, what, answer, problem)

    def _revoke(self, token: Secret, kind: str) -> Answer:
        """A 2xx, or a 4xx that says that the token is unknown, or that the vendor will not."""
        return self.session.change(
            "POST", self._url("tokens/revoke"), json={"token": token, "type": kind}, repeatable=True
        )

    def _other_half(self, access: Secret) -> Answer:
        """The access token's, after the refresh token's was answered: what is not sent now leaves a half revoked."""
        try:
            return self._revoke(access, "ACCESS_TOKEN")
        except Unreachable as error:
            problem = error.diagnostics[0].summary
        raise InDoubt(
            "in-doubt",
            f"{problem}, and the refresh token was revoked before that",
            "Run apply again: a revocation is harmless to repeat.",
        )

    def _still_alive(self, access: Secret) -> bool:
        """Proof after a revocation. A proof that cannot be had is a doubt: the revocation was sent."""
        try:
            found = self.probe_token(access, None)
        except ProviderFailed as error:
            problem = str(error)
        else:
            if found.liveness in (ALIVE, DEAD):
                return found.liveness == ALIVE
            problem = found.detail or "it cannot be told whether the token lives"
        raise InDoubt(
            "in-doubt",
            f"provider {self.config.name}: a revocation was sent, and its effect could not be read: {problem}",
            "Run apply again: a revocation is harmless to repeat.",
        )

    def _order(self, amount: Decimal, floor: CreditFloor) -> dict[str, Any]:
        """The body of a purchase. Raises StepRefused where it cannot be a right one; nothing was sent then."""
        if amount != amount.to_integral_value() or amount <= 0:
            raise StepRefused(
                "refused", f"{amount} is no number of credits to buy", "Nothing was sent. Declare whole numbers."
            )
        body: dict[str, Any] = {"credits": int(amount), "creditCardLastFour": self._card(floor)}
        if floor.coupon is not None:
            body["couponCode"] = self.resolve(floor.coupon)
        return body

    def _card(self, floor: CreditFloor) -> Secret:
        """Four digits as text: as a number, 0042 would lose its zeros."""
        if floor.card_last_four is not None:
            card = self.resolve(floor.card_last_four)
        elif self._at_sandbox:
            card = self.setting("card_last_four")
        else:
            raise StepRefused(
                "refused",
                f"{floor.address} names no card to charge",
                "Nothing was sent. Set card_last_four to the last four digits of a card that is stored on the account.",
            )
        if not re.fullmatch(r"[0-9]{4}", card.reveal()):
            raise StepRefused(
                "refused",
                f"card_last_four of {floor.address} is not four digits",
                "Nothing was sent. Zeros in front count: 0042, not 42.",
            )
        return card

    def _receipt(self, answer: Answer, what: str) -> PurchaseAnswer:
        if answer.status == 401:
            raise api.credentials_refused(self.config.name, what, said_by(answer), self._look())
        if answer.status == 408:  # a gateway's word, not the shop's
            raise api.in_doubt(self.config.name, what, answer, "that does not say whether the card was charged")
        if answer.status >= 400:
            raise api.refused(self.config.name, what, answer, said_by(answer), "The card was not charged.")
        if not answer.body.strip():
            return PurchaseAnswer(status=answer.status)
        try:
            return PurchaseAnswer(status=answer.status, reported=evidence(answer.object()))
        except NotJson as error:
            problem = str(error)
        raise api.in_doubt(self.config.name, what, answer, problem)
