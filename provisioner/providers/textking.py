"""TEXTKING: applications made by people, tokens of thirty days, no scopes, no balance, nothing to revoke by API.

Source: "Authorization and authentication" (TextKing/textking-api wiki) and TEXTKING's PHP SDK.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import ClassVar

from provisioner import times
from provisioner.errors import UNSPECIFIED, Diagnostic
from provisioner.model.desired import Application, ProviderConfig
from provisioner.model.observed import ALIVE, DEAD, UNKNOWN, ObservedApplication, ObservedToken
from provisioner.model.plan import Handoff
from provisioner.model.recorded import ApplicationRecord, TokenRecord
from provisioner.providers import base
from provisioner.providers._adopted import CODE_FLOW_SETTINGS, CodeFlowProvider, pair_problems, url_problems
from provisioner.providers._oauth import code_fields, refresh_fields, request_token
from provisioner.providers._urls import JSON_ONLY, Field, shows_json
from provisioner.secret import Secret

WEB = "https://www.textking.com"
_PANEL = "open API Configuration under My Data"


class TextKing(base.Vendor):
    type = "textking"
    title = "TEXTKING"
    default_base_url = WEB
    settings = CODE_FLOW_SETTINGS
    application_keys: ClassVar[frozenset[str]] = frozenset(
        {"client_id", "client_secret", "redirect_uri", "offline_access"}
    )
    applications = base.Applications.ADOPTED
    scopes = base.Scopes.NONE
    table = (
        ("applications", "adopted by client_id and client_secret; made in TEXTKING's panel"),
        ("first token", "a person authorizes once: provisioner authorize APPLICATION"),
        ("renewal", "by refresh; access tokens live 30 days; with offline_access for ever, and then no refresh"),
        ("revocation", "none by API: a person removes the application in the panel"),
        ("token probe", "GET /v1/projects?per_page=1; 403 means dead"),
        ("scopes", "none"),
        ("balance", "none: TEXTKING invoices its orders"),
        ("purchase", "none"),
    )

    def refresh(self, application: Application | None) -> base.Refresh:
        if application is not None and application.offline_access:
            return base.Refresh.NONE
        return base.Refresh.MAY_ROTATE

    def needs_person(self, application: Application) -> bool:
        return True

    def token_lifetime(self, application: Application) -> timedelta | None:
        return None if application.offline_access else timedelta(days=30)

    def never_expires(self, application: Application) -> bool:
        return application.offline_access

    def latest_end(self, sent_at: datetime, application: Application | None) -> datetime | None:
        """None: how long a refresh token lives is documented nowhere, and an offline token lives for ever."""
        return None

    def check_provider(self, config: ProviderConfig) -> list[Diagnostic]:
        return url_problems(config, ("authorize_url", "token_url", "api_url"))

    def check_application(self, application: Application) -> list[Diagnostic]:
        return pair_problems(application, self.title)

    def application_handoff(self, application: Application, observed: ObservedApplication | None) -> Handoff | None:
        if observed is not None and observed.exists:
            return None
        return Handoff(
            (
                f"Log in at {WEB} and {_PANEL}.",
                f"Click Register new application and name it {application.name!r}.",
                "Store the App ID and App Secret of the new entry where your references will find them.",
                "Declare them as client_id and client_secret of this application, and run apply again.",
            ),
            WEB,
        )

    def delete_handoff(self, record: ApplicationRecord) -> Handoff | None:
        return Handoff(
            (f"Log in at {WEB} and {_PANEL}.", f"Remove the application with the App ID {record.client_id}."), WEB
        )

    def kill_handoff(self, record: TokenRecord) -> Handoff:
        end = (
            f"The token ends by itself at {times.to_rfc3339(record.expires_at)}; its refresh token has no known end."
            if record.expires_at
            else "The token never ends by itself: it was issued with offline_access."
        )
        return Handoff(
            (
                f"Log in at {WEB} as the user who authorized it and {_PANEL}.",
                f"Remove the application with the App ID {record.client_id}: TEXTKING has no other way to end a token.",
                "Every token of that application ends with it.",
                end,
            ),
            WEB,
        )


class Provider(CodeFlowProvider):
    vendor_type = "textking"
    default_base_url = WEB
    default_api_url = "https://api.textking.com"

    def grant(self, credentials: base.ClientCredentials, fields: Sequence[Field]) -> base.Grant:
        """No `expires_in` means that the token never ends, here and nowhere else. An answer without `refresh_token`
        leaves the one that we have: whether it rotates is documented nowhere."""
        return request_token(self.token_endpoint, credentials, fields, silence_is_forever=True)

    def refresh_token(self, credentials: base.ClientCredentials, refresh: Secret, wish: base.TokenWish) -> base.Grant:
        """Neither errors nor their bodies are documented: a no that gives no reason may be about the refresh token or
        about the client. A person must look; the refresh token is kept, in case it was the client's secret."""
        return request_token(
            self.token_endpoint,
            credentials,
            refresh_fields(refresh, base.TokenWish()),
            silence_is_forever=True,
            nameless=UNSPECIFIED,
        )

    def authorization_request(
        self, credentials: base.ClientCredentials, wish: base.TokenWish, redirect_uri: str
    ) -> base.AuthorizationRequest:
        """There is no scope parameter."""
        return super().authorization_request(credentials, base.TokenWish(), redirect_uri)

    def exchange_code(
        self,
        credentials: base.ClientCredentials,
        wish: base.TokenWish,
        request: base.AuthorizationRequest,
        code: Secret,
    ) -> base.Grant:
        offline: tuple[Field, ...] = (("offline_access", "1"),) if wish.offline_access else ()
        fields = code_fields(code, request.redirect_uri, request.verifier, base.TokenWish())
        return self.grant(credentials, (*fields, *offline))

    def probe_token(self, token: Secret, credentials: base.ClientCredentials | None) -> ObservedToken:
        """A missing or invalid token is answered with 403, not 401. Elsewhere 403 means "not in this state", so only
        this read tells anything."""
        url = f"{self.api_url}/v1/projects?per_page=1"
        answer = self.session.read("GET", url, headers=JSON_ONLY, bearer=token)
        if answer.status in (401, 403):
            return ObservedToken(liveness=DEAD)
        if shows_json(answer):
            return ObservedToken(liveness=ALIVE)
        return ObservedToken(liveness=UNKNOWN, detail=f"the probe was answered with status {answer.status}")

    def revoke_token(self, credentials: base.ClientCredentials, access: Secret, refresh: Secret | None) -> base.Revoked:
        """Sends nothing: there is nowhere to send it."""
        return base.Revoked.UNSUPPORTED


VENDOR = TextKing()
