"""Applications that people register by hand and give us by their id and secret: TextMaster, TEXTKING, oauth2."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from provisioner.errors import Diagnostic, ProviderFailed
from provisioner.model.desired import Application, ProviderConfig, Reference
from provisioner.model.observed import ObservedApplication
from provisioner.model.recorded import ApplicationRecord
from provisioner.net import embedded
from provisioner.providers import base
from provisioner.providers._authorization import authorization_request, read_callback
from provisioner.providers._oauth import code_fields, refresh_fields, request_token
from provisioner.providers._urls import Endpoint, Field, url_problem
from provisioner.secret import Secret

if TYPE_CHECKING:
    from provisioner.net.session import Session


CODE_FLOW_SETTINGS = (
    base.Setting(name="authorize_url", kind="url", help="where a person authorizes; default: base_url/oauth/authorize"),
    base.Setting(name="token_url", kind="url", help="the token endpoint; default: base_url/oauth/token"),
    base.Setting(name="api_url", kind="url", help="the API, without /v1; default: base_url, else the vendor's own"),
)


def declared_credentials(application: Application, resolve: base.Resolve) -> base.ClientCredentials:
    """What `client_id`, `client_secret` and `private_key` of the file refer to. Raises what `resolve` raises."""
    return base.ClientCredentials(
        client_id=_plain(application.client_id, resolve),
        client_secret=resolve(application.client_secret) if application.client_secret is not None else None,
        auth_method=application.token_endpoint_auth_method,
        private_key=resolve(application.private_key) if application.private_key is not None else None,
    )


def sealed_secret(record: ApplicationRecord, open_sealed: base.Opener) -> Secret | None:
    """The client secret that is sealed in the record, if one is."""
    return open_sealed(record.secret, record.id, "secret") if record.secret is not None else None


def sandbox_client(vendor_type: str) -> base.ClientCredentials:
    """The account that every sandbox starts with, so that `base_url = "sandbox"` needs none."""
    secret = Secret(embedded.account(vendor_type, "client_secret"))
    return base.ClientCredentials(client_id=embedded.account(vendor_type, "client_id"), client_secret=secret)


def observe(found: base.ClientCredentials) -> ObservedApplication:
    """What can be seen of an application that no API shows: the id and secret that are declared now. A changed
    fingerprint tells that a person reset the secret."""
    return ObservedApplication(
        exists=True,
        client_id=found.client_id,
        secret_fingerprint=found.client_secret.fingerprint if found.client_secret is not None else None,
    )


def no_credentials(whose: Application | ApplicationRecord | None) -> ProviderFailed:
    return ProviderFailed(
        "secret-unavailable",
        f"there is no client_id and client_secret for {whose.address if whose else 'this application'}",
        "Declare `client_id` and `client_secret` for the application as references: the file no longer has them, or "
        "the recorded state never held them.",
        address=str(whose.address) if whose else None,
    )


def _plain(reference: Reference | None, resolve: base.Resolve) -> str | None:
    if reference is None or isinstance(reference, str):
        return reference
    return resolve(reference).reveal()


class CodeFlowProvider(base.Provider):
    """TextMaster and TEXTKING: three URLs, adopted applications, the code grant with the secret in the body."""

    vendor_type: str
    default_base_url: str
    default_api_url: str

    def __init__(self, config: ProviderConfig, session: Session, resolve: base.Resolve) -> None:
        super().__init__(config, session, resolve)
        base_url = embedded.base_url(self.vendor_type) if config.base_url == "sandbox" else config.base_url.rstrip("/")
        api = self.default_api_url if base_url in ("", self.default_base_url) else base_url
        root = base_url or self.default_base_url
        self.authorize_url: str = config.settings.get("authorize_url", f"{root}/oauth/authorize")
        self.token_url: str = config.settings.get("token_url", f"{root}/oauth/token")
        self.api_url: str = config.settings.get("api_url", api).rstrip("/").removesuffix("/v1")

    @property
    def token_endpoint(self) -> Endpoint:
        return Endpoint(self.session, self.config.name, self.token_url)

    def grant(self, credentials: base.ClientCredentials, fields: Sequence[Field]) -> base.Grant:
        """One token request, read as this vendor means it."""
        return request_token(self.token_endpoint, credentials, fields)

    def read_applications(
        self, wanted: Sequence[Application], recorded: Mapping[str, ApplicationRecord]
    ) -> tuple[dict[str, ObservedApplication], tuple[str, ...]]:
        found = {}
        for application in wanted:
            declared = self.declared(application)
            found[str(application.address)] = observe(declared) if declared else ObservedApplication(exists=False)
        return found, ()

    def declared(self, application: Application) -> base.ClientCredentials | None:
        """The id and secret that the file gives; at the sandbox, its own where the file gives none."""
        if application.client_id is not None:
            return declared_credentials(application, self.resolve)
        return sandbox_client(self.vendor_type) if self.config.base_url == "sandbox" else None

    def credentials(
        self, application: Application | None, record: ApplicationRecord | None, open_sealed: base.Opener
    ) -> base.ClientCredentials:
        found = self.declared(application) if application is not None else None
        if found is None and record is not None:
            found = base.ClientCredentials(client_id=record.client_id, client_secret=sealed_secret(record, open_sealed))
        if found is None or found.client_id is None or found.client_secret is None:
            raise no_credentials(application or record)
        return base.ClientCredentials(
            client_id=found.client_id, client_secret=found.client_secret, auth_method="client_secret_post"
        )

    def authorization_request(
        self, credentials: base.ClientCredentials, wish: base.TokenWish, redirect_uri: str
    ) -> base.AuthorizationRequest:
        if credentials.client_id is None:
            raise no_credentials(None)
        return authorization_request(self.authorize_url, credentials.client_id, redirect_uri, wish.scopes, pkce=False)

    def read_callback(self, request: base.AuthorizationRequest, answer: str) -> Secret:
        return read_callback(request, answer, self.config.name)

    def exchange_code(
        self,
        credentials: base.ClientCredentials,
        wish: base.TokenWish,
        request: base.AuthorizationRequest,
        code: Secret,
    ) -> base.Grant:
        return self.grant(credentials, code_fields(code, request.redirect_uri, request.verifier, base.TokenWish()))

    def refresh_token(self, credentials: base.ClientCredentials, refresh: Secret, wish: base.TokenWish) -> base.Grant:
        return self.grant(credentials, refresh_fields(refresh, base.TokenWish()))


def pair_problems(application: Application, title: str) -> list[Diagnostic]:
    """Adoption takes both halves; neither vendor has public clients."""
    for given, missing in (("client_id", "client_secret"), ("client_secret", "client_id")):
        if getattr(application, given) is not None and getattr(application, missing) is None:
            return [
                Diagnostic(
                    name="missing-key",
                    summary=f"a {given} without its {missing}",
                    detail=f"{title} knows no public clients: declare `{missing}` as well.",
                    key_path=missing,
                )
            ]
    return []


def url_problems(config: ProviderConfig, names: Sequence[str]) -> list[Diagnostic]:
    """What is wrong with `base_url` and with the settings of these names, by key path in the provider's table."""
    given = {name: config.settings.get(name) for name in names}
    if config.base_url == "sandbox":  # in process, no network: an address beside it would be called all the same
        return [
            Diagnostic(
                name="bad-value",
                summary=f'{name} beside base_url = "sandbox"',
                detail="The embedded vendor answers in process, at addresses of its own. Leave one of the two out.",
                key_path=name,
            )
            for name, url in given.items()
            if url is not None
        ]
    if config.base_url not in ("", "sandbox"):
        given["base_url"] = config.base_url
    return [
        Diagnostic(
            name="bad-value",
            summary=f"{name} {problem}",
            detail="Credentials are sent there: give an https URL, or http with a loopback address.",
            key_path=name,
        )
        for name, url in given.items()
        if url is not None and (problem := url_problem(url)) is not None
    ]
