"""TextMaster: applications made by people, tokens of eight hours with rotating refresh, a wallet of money to watch.

Source: "Authorizing OAuth Apps" (developer.textmaster.com), TextMaster's OpenAPI file and its own Salesforce cartridge.
Its server is Doorkeeper by every sign, whose /oauth/revoke is documented nowhere: tried, and never assumed.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from difflib import get_close_matches
from typing import Any, ClassVar

from provisioner import times
from provisioner.errors import BadAnswer, CredentialsRefused, Diagnostic
from provisioner.model.desired import Application, CreditFloor, ProviderConfig
from provisioner.model.observed import (
    ALIVE,
    DEAD,
    UNKNOWN,
    ObservedApplication,
    ObservedCredits,
    ObservedToken,
    ProviderObservation,
)
from provisioner.model.plan import Handoff
from provisioner.model.recorded import ApplicationRecord, TokenRecord
from provisioner.providers import base
from provisioner.providers._adopted import CODE_FLOW_SETTINGS, CodeFlowProvider, pair_problems, url_problems
from provisioner.providers._authorization import OUT_OF_BAND
from provisioner.providers._revocation import liveness_after, revoke_pair
from provisioner.providers._urls import JSON_ONLY, Endpoint, json_object, shows_json
from provisioner.secret import Secret

WEB = "https://app.textmaster.com"
BUY_PAGE = f"{WEB}/clients/payment_requests/new"

_VERBS = {
    "user": ("manage", "read", "write", "email"),
    "glossary": ("manage", "read", "write"),
    "project": ("manage", "read", "write", "launch", "quote"),
    "discussion": ("manage", "read", "write"),
    "transaction": ("manage", "read", "write"),
    "preferred_author": ("manage", "read", "write"),
}
SCOPES = ("public", *(f"{resource}:{verb}" for resource, verbs in _VERBS.items() for verb in verbs))


def expand(scopes: Sequence[str]) -> frozenset[str]:
    """`X:manage` gives every scope of X (`user:manage` gives `user:email`, `project:manage` spends money)."""
    found = set(scopes)
    for scope in scopes:
        resource, _, verb = scope.partition(":")
        if verb == "manage":
            found.update(f"{resource}:{each}" for each in _VERBS.get(resource, ()))
    return frozenset(found)


def expand_all(resource: str) -> tuple[str, ...]:
    """Every scope of one resource."""
    return tuple(f"{resource}:{verb}" for verb in _VERBS[resource])


class TextMaster(base.Vendor):
    type = "textmaster"
    title = "TextMaster"
    default_base_url = WEB
    settings = CODE_FLOW_SETTINGS
    application_keys: ClassVar[frozenset[str]] = frozenset({"client_id", "client_secret", "redirect_uri", "scopes"})
    default_redirect_uri = OUT_OF_BAND
    applications = base.Applications.ADOPTED
    scopes = base.Scopes.OPTIONAL
    credits = base.Credits.MONITOR
    credits_need_token = True
    unit = "money"
    table = (
        ("applications", "adopted by client_id and client_secret; made and changed in TextMaster's web application"),
        ("first token", "a person authorizes once: provisioner authorize APPLICATION"),
        ("renewal", "by refresh; every refresh answers a new pair; access tokens live 8 hours"),
        ("revocation", "undocumented: tried at /oauth/revoke and proven by a probe, else a person revokes it"),
        ("token probe", "GET /v1/clients/users/me"),
        ("scopes", "22 names; resource:manage includes the others of its resource"),
        ("balance", "read with a token of scope user:read; money, in the wallet's currency"),
        ("purchase", "none by API: TextMaster's web page only"),
    )

    def refresh(self, application: Application | None) -> base.Refresh:
        return base.Refresh.ROTATES

    def needs_person(self, application: Application) -> bool:
        return True

    def revoke(self, observation: ProviderObservation) -> base.Revoke:
        return base.Revoke.TRY

    def token_lifetime(self, application: Application) -> timedelta | None:
        return timedelta(hours=8)

    def latest_end(self, sent_at: datetime, application: Application | None) -> datetime | None:
        """None: with its refresh token, which never expires, a lost pair can be renewed without end."""
        return None

    def check_provider(self, config: ProviderConfig) -> list[Diagnostic]:
        return url_problems(config, ("authorize_url", "token_url", "api_url"))

    def check_application(self, application: Application) -> list[Diagnostic]:
        found = pair_problems(application, self.title)
        for scope in application.scopes:
            if scope not in SCOPES:
                near = get_close_matches(scope, SCOPES, n=1)
                advice = f"Did you mean {near[0]!r}?" if near else f"TextMaster has: {', '.join(SCOPES)}."
                found.append(
                    Diagnostic(
                        name="bad-value", summary=f"TextMaster has no scope {scope!r}", detail=advice, key_path="scopes"
                    )
                )
        return found

    def covers(self, granted: Sequence[str], wanted: Sequence[str]) -> bool:
        return expand(wanted) <= expand(granted)

    def shows_credits(self, scopes: Sequence[str]) -> bool:
        """`GET /v1/clients/users/me` takes any scope of the user (API reference, users)."""
        return not expand(scopes).isdisjoint(expand_all("user"))

    def application_handoff(self, application: Application, observed: ObservedApplication | None) -> Handoff | None:
        if observed is not None and observed.exists:
            return None
        return Handoff(
            (
                f"Sign in at {WEB} and open API & Loop in the top bar, then the list of OAuth applications.",
                f"Create an application named {application.name!r}.",
                f"Set its callback URL to {application.redirect_uri or OUT_OF_BAND}",
                "Store the client id and client secret that the page shows where your references will find them.",
                "Declare them as client_id and client_secret of this application, and run apply again.",
            ),
            WEB,
        )

    def delete_handoff(self, record: ApplicationRecord) -> Handoff | None:
        return Handoff(
            (
                f"Sign in at {WEB} and open API & Loop in the top bar, then the list of OAuth applications.",
                f"Delete the application {record.name!r} (client id {record.client_id}).",
            ),
            WEB,
        )

    def kill_handoff(self, record: TokenRecord) -> Handoff:
        end = f"at {times.to_rfc3339(record.expires_at)}" if record.expires_at else "within 8 hours of its issue"
        return Handoff(
            (
                f"Sign in at {WEB} as the user who authorized the application with client id {record.client_id}.",
                "Open API & Loop in the top bar and revoke that application's access.",
                f"The access token ends by itself {end}; its refresh token never does.",
            ),
            WEB,
        )

    def top_up_handoff(self, floor: CreditFloor, balance: Decimal, unit: str) -> Handoff:
        return Handoff(
            (
                f"Sign in at {WEB} with the account of provider {floor.provider} and open {BUY_PAGE}",
                f"The wallet holds {balance} {unit}; the floor is {floor.minimum} and the target {floor.target}.",
                f"Buy at least {floor.target - balance} {unit}.",
                "A card or PayPal counts at once, a bank transfer takes days. Then run apply again.",
            ),
            BUY_PAGE,
        )


class Provider(CodeFlowProvider):
    vendor_type = "textmaster"
    default_base_url = WEB
    default_api_url = "https://api.textmaster.com"

    def authorization_request(
        self, credentials: base.ClientCredentials, wish: base.TokenWish, redirect_uri: str
    ) -> base.AuthorizationRequest:
        """`scope` is a required parameter here, and `public` is what no scope means (scopes page)."""
        asked = base.TokenWish(scopes=wish.scopes or ("public",))
        return super().authorization_request(credentials, asked, redirect_uri)

    def probe_token(self, token: Secret, credentials: base.ClientCredentials | None) -> ObservedToken:
        """401 and 403 carry the same body: 401 is a dead token, 403 one that lives without a `user` scope, as after its
        user has taken that away."""
        answer = self._me(token)
        if answer.status == 401:
            return ObservedToken(liveness=DEAD)
        if shows_json(answer):
            return ObservedToken(liveness=ALIVE)
        if answer.status == 403:
            detail = "the token lives, and has no scope that reads the user"
            return ObservedToken(liveness=ALIVE, detail=detail, without=expand_all("user"))
        return ObservedToken(liveness=UNKNOWN, detail=f"the probe was answered with status {answer.status}")

    def read_credits(self, token: Secret | None) -> ObservedCredits:
        """The wallet: money, exact. Raises CredentialsRefused (dead token, no `user:read`) and BadAnswer."""
        if token is None:
            raise CredentialsRefused(
                "credentials-refused",
                f"{self.config.name}: the balance is read with a token, and there is none yet",
                "Authorize an application of this provider with the scope user:read.",
            )
        answer = self._me(token)
        if answer.status in (401, 403):
            why = "the token is dead" if answer.status == 401 else "the token has no scope user:read"
            raise CredentialsRefused(
                "credentials-refused",
                f"{self.config.name} does not show the balance: {why}",
                "Declare user:read for the application and authorize it again.",
            )
        body = json_object(answer) if answer.status == 200 else None
        wallet = body.get("wallet") if body else None
        amount, currency = _money(wallet) if isinstance(wallet, dict) else (None, None)
        if amount is None or currency is None:
            raise BadAnswer(
                "bad-answer",
                f"{self.config.name} answered the balance with status {answer.status} and no wallet in it",
                "Check api_url. The balance was not changed and is not known.",
            )
        return ObservedCredits(balance=amount, unit=currency, at=times.now())

    def revoke_token(self, credentials: base.ClientCredentials, access: Secret, refresh: Secret | None) -> base.Revoked:
        """Tried at the token URL's sibling. A 200 comes for unknown tokens too, so a probe has the last word."""
        url = self.token_url.rpartition("/")[0] + "/revoke"
        claimed = revoke_pair(Endpoint(self.session, self.config.name, url), credentials, access, refresh)
        alive = liveness_after(self.config.name, lambda: self.probe_token(access, credentials))
        if claimed is base.Revoked.UNSUPPORTED:
            # an access token may be dead of age while its refresh token mints the next one
            return base.Revoked.ALREADY_DEAD if alive == DEAD and refresh is None else claimed
        return base.Revoked.SURVIVED if alive == ALIVE else claimed

    def _me(self, token: Secret) -> Any:
        return self.session.read("GET", f"{self.api_url}/v1/clients/users/me", headers=JSON_ONLY, bearer=token)


def _money(wallet: dict[str, Any]) -> tuple[Decimal | None, str | None]:
    """`current_money` is a JSON number, may be negative, and was read without floats (`Answer.json`)."""
    amount, currency = wallet.get("current_money"), wallet.get("currency_code")
    if not isinstance(currency, str) or not (len(currency) == 3 and currency.isascii() and currency.isalpha()):
        return None, None
    if isinstance(amount, bool) or not isinstance(amount, int | str | Decimal):
        return None, None
    try:
        exact = Decimal(amount)
    except InvalidOperation:
        return None, None
    # beyond this no arithmetic on it is exact, and no wallet holds it
    return (exact, currency.upper()) if exact.is_finite() and abs(exact.adjusted()) < 20 else (None, None)


VENDOR = TextMaster()
