"""Any server that follows the OAuth RFCs, where servers differ in ways that docs/oauth2.md lists one by one."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from functools import partial
from threading import Lock
from typing import TYPE_CHECKING, Any, TypeVar

from provisioner.errors import CredentialsRefused, ProviderFailed, ProvisionerError, StepRefused
from provisioner.model.desired import Application, ProviderConfig
from provisioner.model.observed import ALIVE, DEAD, UNKNOWN, ObservedApplication, ObservedToken
from provisioner.model.recorded import ApplicationRecord
from provisioner.net import embedded
from provisioner.providers import _authorization, _device, _oauth, _registration, base
from provisioner.providers._adopted import declared_credentials, no_credentials, observe, sealed_secret
from provisioner.providers._client_auth import BASIC, NONE, POST, method_at, settle_method
from provisioner.providers._introspection import ACCESS, REFRESH, Unexplained, introspect
from provisioner.providers._metadata import ENDPOINTS, ServerMetadata, discover
from provisioner.providers._oauth2_vendor import OAuth2
from provisioner.providers._revocation import liveness_after, revoke_pair
from provisioner.providers._urls import Endpoint, Field
from provisioner.records import replace
from provisioner.secret import Secret

if TYPE_CHECKING:
    from provisioner.net.session import Session

VENDOR = OAuth2()

Result = TypeVar("Result")


def _openid(wish: base.TokenWish) -> tuple[Field, ...]:
    """OpenID Connect Core section 11: `offline_access` is ignored where the person is not asked for it anew. Section
    3.1.2.1: some servers insist on a `nonce`, whose ID token nobody looks at here."""
    consent = (("prompt", "consent"),) if "offline_access" in wish.scopes else ()
    return (*consent, ("nonce", secrets.token_urlsafe(24))) if "openid" in wish.scopes else consent


def _with_commas(grant: base.Grant, wish: base.TokenWish) -> base.Grant:
    """GitHub joins scopes by commas. A comma is a letter of a scope like any other (RFC 6749 section 3.3), so they
    separate only where no scope that was asked for has one."""
    if grant.scopes is None or any("," in scope for scope in wish.scopes):
        return grant
    return replace(grant, scopes=tuple(sorted({part for scope in grant.scopes for part in scope.split(",") if part})))


class Provider(base.Provider):
    """One authorization server. What it is able to do is read once, before anything else."""

    def __init__(self, config: ProviderConfig, session: Session, resolve: base.Resolve) -> None:
        super().__init__(config, session, resolve)
        self._lock = Lock()
        self._metadata: ServerMetadata | None = None

    # -- the server --------------------------------------------------------------------------------------------------

    @property
    def issuer(self) -> str | None:
        """As configured, to the letter. A `base_url` is taken for one where there is neither issuer nor token_url."""
        configured: str | None = self.config.settings.get("issuer")
        if configured is not None:
            return configured
        if self.config.base_url == "sandbox":
            return embedded.base_url(VENDOR.type)
        return None if "token_url" in self.config.settings else self.config.base_url or None

    def metadata(self) -> ServerMetadata:
        """Discovered once; URLs that are configured take precedence. Raises what `_metadata.discover` does."""
        with self._lock:
            if self._metadata is None:
                found = (
                    discover(self.session, self.config.name, self.issuer)
                    if self.issuer
                    else ServerMetadata(endpoints={})
                )
                given = {
                    name: self.config.settings[name] for name in ENDPOINTS.values() if name in self.config.settings
                }
                self._metadata = replace(found, endpoints={**found.endpoints, **given})
            return self._metadata

    def discover(self) -> Mapping[str, bool]:
        known = self.metadata().endpoints
        return {
            "revocation": "revocation_url" in known,
            "introspection": "introspection_url" in known,
            "registration": "registration_url" in known,
            "device": "device_authorization_url" in known,
        }

    def _endpoint(self, setting: str) -> Endpoint:
        url = self.metadata().endpoints.get(setting)
        if url is None:
            raise ProviderFailed(
                "unsupported",
                f"{self.config.name} has no endpoint for this: its metadata announces none",
                f"Configure `{setting}` where the server has one all the same.",
            )
        return Endpoint(self.session, self.config.name, url)

    def _has(self, setting: str) -> bool:
        return setting in self.metadata().endpoints

    def _audience(self) -> str:
        """Whom an assertion is for: the issuer where it is known and not configured away (RFC 7523 section 3)."""
        token_url = self._endpoint("token_url").url
        if self.config.settings.get("assertion_audience") == "token_endpoint":
            return token_url
        return self.issuer or token_url

    def _settled(self, credentials: base.ClientCredentials) -> base.ClientCredentials:
        return settle_method(credentials, self.metadata().auth_methods)

    def _asked_at(
        self, setting: str, credentials: base.ClientCredentials, ask: Callable[[base.ClientCredentials], Result]
    ) -> Result:
        """`ask`, as the client is known at the revocation or introspection endpoint. Where neither announces methods,
        RFC 8414 section 2 means client_secret_basic, which is tried after a refusal of what the token endpoint takes:
        both requests may be repeated."""
        announced = self.metadata().methods_at.get(setting)
        settled = method_at(self._settled(credentials), announced)
        try:
            return ask(settled)
        except CredentialsRefused:
            if settled.auth_method != POST or announced is not None:
                raise
        return ask(replace(settled, auth_method=BASIC))

    # -- who asks ----------------------------------------------------------------------------------------------------

    def _declared(self, application: Application) -> base.ClientCredentials | None:
        if application.client_id is not None:
            return declared_credentials(application, self.resolve)
        return None

    def credentials(
        self, application: Application | None, record: ApplicationRecord | None, open_sealed: base.Opener
    ) -> base.ClientCredentials:
        found = self._declared(application) if application is not None else None
        if found is not None:
            return found
        if record is None or record.client_id is None:
            raise no_credentials(application or record)
        method = record.registration.get("token_endpoint_auth_method")
        key = application.private_key if application is not None else None
        found = base.ClientCredentials(
            client_id=record.client_id,
            client_secret=sealed_secret(record, open_sealed),
            auth_method=str(method) if method else None,
            private_key=self.resolve(key) if key is not None else None,
        )
        confidential = method not in (None, NONE) or record.secret_fingerprint is not None
        if found.client_secret is None and found.private_key is None and confidential:
            raise no_credentials(application or record)
        return found

    def read_applications(
        self, wanted: Sequence[Application], recorded: Mapping[str, ApplicationRecord]
    ) -> tuple[dict[str, ObservedApplication], tuple[str, ...]]:
        """A registered client is shown only to its registration token, which a plan may have no key to open: then it
        is left out, which means not looked at. `read_registration` looks. Which key is declared for it is said here."""
        found = {}
        for application in wanted:
            address = str(application.address)
            declared = self._declared(application)
            if declared is not None:
                found[address] = observe(declared)
            elif address not in recorded:
                found[address] = ObservedApplication(exists=False)
            elif application.private_key is not None:
                found[address] = ObservedApplication(
                    exists=True, registration=_registration.marked(self._public_key(application))
                )
        return found, ()

    # -- tokens ------------------------------------------------------------------------------------------------------

    def _request(self, credentials: base.ClientCredentials, fields: Sequence[Field]) -> base.Grant:
        at = self._endpoint("token_url")
        return _oauth.request_token(at, self._settled(credentials), fields, audience=self._audience())

    def create_token(self, credentials: base.ClientCredentials, wish: base.TokenWish) -> base.Grant:
        grant = self._request(credentials, _oauth.client_credentials_fields(wish))
        return self._with_true_scopes(grant, credentials, wish)

    def refresh_token(self, credentials: base.ClientCredentials, refresh: Secret, wish: base.TokenWish) -> base.Grant:
        return _with_commas(self._request(credentials, _oauth.refresh_fields(refresh, wish)), wish)

    def _with_true_scopes(
        self, grant: base.Grant, credentials: base.ClientCredentials, wish: base.TokenWish
    ) -> base.Grant:
        """RFC 6749 section 5.1 reads an absent `scope` as "as asked", and a server that drops unknown scopes in silence
        makes that a lie. Whatever happens here, the grant is not lost. A refreshed pair is not looked at: it must be
        recorded before anything else happens."""
        grant = _with_commas(grant, wish)
        if grant.scopes is not None or not wish.scopes or not self._has("introspection_url"):
            return grant
        try:
            seen = self.probe_token(grant.access_token, credentials)
        except ProvisionerError:
            return grant
        return replace(grant, scopes=seen.scopes) if seen.liveness == ALIVE and seen.scopes is not None else grant

    def probe_token(self, token: Secret, credentials: base.ClientCredentials | None) -> ObservedToken:
        return self._introspect(token, credentials, ACCESS)

    def _introspect(self, token: Secret, credentials: base.ClientCredentials | None, hint: str) -> ObservedToken:
        if credentials is None or not self._has("introspection_url"):
            return ObservedToken(liveness=UNKNOWN, detail="the server has no introspection that this client may use")
        at, audience = self._endpoint("introspection_url"), self._audience()
        try:
            return self._asked_at(
                "introspection_url", credentials, lambda who: introspect(at, who, token, hint, audience=audience)
            )
        except Unexplained as no:
            return ObservedToken(liveness=UNKNOWN, detail=no.diagnostics[0].summary)

    def revoke_token(self, credentials: base.ClientCredentials, access: Secret, refresh: Secret | None) -> base.Revoked:
        """Both halves, then looked at: some servers answer 200 and revoke nothing."""
        if not self._has("revocation_url"):
            return base.Revoked.UNSUPPORTED
        at, audience = self._endpoint("revocation_url"), self._audience()
        claimed = self._asked_at(
            "revocation_url", credentials, lambda who: revoke_pair(at, who, access, refresh, audience=audience)
        )
        halves = [(access, ACCESS)] if refresh is None else [(access, ACCESS), (refresh, REFRESH)]
        left = set()
        for token, hint in halves:
            left.add(liveness_after(self.config.name, partial(self._introspect, token, credentials, hint)))
        if ALIVE in left:
            return base.Revoked.UNSUPPORTED if claimed is base.Revoked.UNSUPPORTED else base.Revoked.SURVIVED
        if claimed is base.Revoked.UNSUPPORTED and left == {DEAD}:
            return base.Revoked.REVOKED  # one half could not be named, and died with the other
        return claimed

    # -- a person ----------------------------------------------------------------------------------------------------

    def authorization_request(
        self, credentials: base.ClientCredentials, wish: base.TokenWish, redirect_uri: str
    ) -> base.AuthorizationRequest:
        """With PKCE S256, always: a server that knows none ignores it (RFC 6749 section 3.1)."""
        if credentials.client_id is None:
            raise no_credentials(None)
        return _authorization.authorization_request(
            self._endpoint("authorize_url").url,
            credentials.client_id,
            redirect_uri,
            wish.scopes,
            pkce=self._pkce(credentials),
            extra=(*_oauth.target_fields(wish), *_openid(wish)),
        )

    def _pkce(self, credentials: base.ClientCredentials) -> bool:
        """A server that announces methods and S256 not among them gets no `plain` instead (RFC 7636 section 7.2)."""
        announced = self.metadata().pkce_methods
        if announced is None or "S256" in announced:
            return True
        if credentials.client_secret is None and credentials.private_key is None:
            raise ProviderFailed(
                "unsupported",
                f"{self.config.name} offers no PKCE with S256, which a public client must use",
                "RFC 9700 section 2.1.1 asks for it. Give the application a client_secret, or use another grant.",
            )
        return False

    def read_callback(self, request: base.AuthorizationRequest, answer: str) -> Secret:
        announced = self.metadata().iss_in_callback
        return _authorization.read_callback(
            request, answer, self.config.name, issuer=self.issuer, iss_announced=announced
        )

    def exchange_code(
        self,
        credentials: base.ClientCredentials,
        wish: base.TokenWish,
        request: base.AuthorizationRequest,
        code: Secret,
    ) -> base.Grant:
        fields = _oauth.code_fields(code, request.redirect_uri, request.verifier, wish)
        return self._with_true_scopes(self._request(credentials, fields), credentials, wish)

    def device_authorization(
        self, credentials: base.ClientCredentials, wish: base.TokenWish
    ) -> base.DeviceAuthorization:
        at = self._endpoint("device_authorization_url")
        fields = (*_oauth.scope_field(wish.scopes), *_oauth.target_fields(wish))
        return _device.start_device(at, self._settled(credentials), fields, audience=self._audience())

    def poll_device(
        self,
        credentials: base.ClientCredentials,
        wish: base.TokenWish,
        device: base.DeviceAuthorization,
        interval: timedelta,
    ) -> base.Grant | base.DevicePending:
        at, fields = self._endpoint("token_url"), _oauth.target_fields(wish)
        settled = self._settled(credentials)
        found = _device.poll_device(at, settled, fields, device, interval, audience=self._audience())
        return found if isinstance(found, base.DevicePending) else self._with_true_scopes(found, credentials, wish)

    # -- registered applications -------------------------------------------------------------------------------------

    def register_application(self, application: Application) -> tuple[ApplicationRecord, Mapping[str, Secret]]:
        at, jwk = self._endpoint("registration_url"), self._public_key(application)
        wanted = _registration.wanted_metadata(application, jwk)
        client = _registration.register(at, wanted, self._initial_access_token(), self.metadata().auth_methods)
        record = _registration.as_record(
            client, application, jwk, provider=self.config.name, provider_type=self.config.type
        )
        return record, client.secrets

    def read_registration(
        self, record: ApplicationRecord, open_sealed: base.Opener
    ) -> tuple[ObservedApplication, Mapping[str, Secret]]:
        at, token = self._management(record, open_sealed)
        client = _registration.read(at, token)
        if client is not None:
            return _registration.as_observed(client), client.secrets
        if not self._knows(record, open_sealed):
            return ObservedApplication(exists=False), {}
        problem = "the server still knows its client, and no longer takes the token that manages it"
        return ObservedApplication(exists=True, client_id=record.client_id, problem=problem), {}

    def _knows(self, record: ApplicationRecord, open_sealed: base.Opener) -> bool:
        """Whether the server authenticates the client all the same: a 401 says that the client is gone or that its
        registration token is (RFC 7592 section 2.1), and to take the second for the first would orphan it."""
        if record.secret is None:
            return False
        credentials = self.credentials(None, record, open_sealed)
        try:
            return self._introspect(Secret(secrets.token_urlsafe(24)), credentials, ACCESS).liveness == DEAD
        except CredentialsRefused:
            return False

    def update_application(
        self, application: Application, record: ApplicationRecord, open_sealed: base.Opener
    ) -> tuple[ApplicationRecord, Mapping[str, Secret]]:
        (at, token), jwk = self._management(record, open_sealed), self._public_key(application)
        wanted = _registration.wanted_metadata(application, jwk)
        client = _registration.update(
            at, record, wanted, token, lambda: open_sealed(record.secret, record.id, "secret")
        )
        return _registration.renewed_record(record, client, application, jwk), client.secrets

    def delete_application(self, record: ApplicationRecord, open_sealed: base.Opener) -> None:
        """Raises StepRefused `invalid_token` where the client lives on, and nobody holds the token that manages it."""
        if not _registration.delete(*self._management(record, open_sealed)) and self._knows(record, open_sealed):
            raise StepRefused(
                "refused",
                f"{self.config.name} still knows the client {record.client_id}, and no longer takes the token that "
                "manages it",
                "Delete it in the server's administration; then `provisioner state rm` it where it is still recorded.",
                oauth_error="invalid_token",
            )

    def _initial_access_token(self) -> Secret | None:
        if "initial_access_token" in self.config.settings:
            return self.setting("initial_access_token")
        sandbox = self.config.base_url == "sandbox"
        return Secret(embedded.account(VENDOR.type, "initial_access_token")) if sandbox else None

    def _public_key(self, application: Application) -> dict[str, Any] | None:
        if application.private_key is None:
            return None
        from provisioner.providers._jwk import public_jwk

        return public_jwk(self.resolve(application.private_key))

    def _management(self, record: ApplicationRecord, open_sealed: base.Opener) -> tuple[Endpoint, Secret]:
        """The URL as the server gave it (RFC 7592 section 3) and the token for it."""
        uri = record.registration.get("registration_client_uri")
        if not isinstance(uri, str) or record.registration_token is None:
            raise StepRefused(
                "unsupported",
                f"{self.config.name} gave no way to manage the client {record.client_id} when it was registered",
                f"`provisioner apply --replace '{record.address}'` registers another one as it is declared. Or change "
                "or delete it in the server's administration, then `state rm` or import it.",
            )
        token = open_sealed(record.registration_token, record.id, "registration_token")
        return Endpoint(self.session, self.config.name, uri), token
