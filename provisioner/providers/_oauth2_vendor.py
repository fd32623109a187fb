"""What can be declared for a server that follows the OAuth RFCs: settings, grants, and what contradicts what. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar
from urllib.parse import urlsplit

from provisioner import times
from provisioner.errors import Diagnostic
from provisioner.model.desired import Application, CreditFloor, ProviderConfig
from provisioner.model.observed import ObservedApplication, ProviderObservation
from provisioner.model.plan import Handoff
from provisioner.model.recorded import ADOPTED, ApplicationRecord, TokenRecord
from provisioner.providers import base
from provisioner.providers._adopted import url_problems
from provisioner.providers._client_auth import BASIC, JWT, METHODS, NONE, POST
from provisioner.providers._metadata import ENDPOINTS
from provisioner.providers._urls import is_loopback

CLIENT_CREDENTIALS, CODE, DEVICE = "client_credentials", "authorization_code", "device_code"
GRANTS = (CLIENT_CREDENTIALS, CODE, DEVICE)
DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"  # RFC 8628 section 3.4

_URL_HELP = {
    "authorize_url": "the authorization endpoint (RFC 6749)",
    "token_url": "the token endpoint (RFC 6749)",
    "revocation_url": "the revocation endpoint (RFC 7009)",
    "introspection_url": "the introspection endpoint (RFC 7662)",
    "registration_url": "the client registration endpoint (RFC 7591)",
    "device_authorization_url": "the device authorization endpoint (RFC 8628)",
}
_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+")


def effective_grant(application: Application) -> str:
    """The declared grant, else `authorization_code` where there is a redirect_uri, else `client_credentials`."""
    return application.grant or (CODE if application.redirect_uri else CLIENT_CREDENTIALS)


def registration_of(application: Application) -> dict[str, Any]:
    """The members of RFC 7591 section 2 that a declaration decides. Without a declared method the server's metadata
    does, so there is none here."""
    grant = effective_grant(application)
    grants = {CODE: [CODE, "refresh_token"], DEVICE: [DEVICE_GRANT, "refresh_token"]}.get(grant, [grant])
    found: dict[str, Any] = {
        "grant_types": grants,
        "response_types": ["code"] if grant == CODE else [],
        "redirect_uris": [application.redirect_uri] if application.redirect_uri else [],
    }
    if application.redirect_uri:
        # OpenID Connect Registration section 2: only a native client may answer to loopback, and only there may the
        # port differ (RFC 8252 section 7.3); oidc-provider goes by it, others leave it aside.
        web = urlsplit(application.redirect_uri).scheme == "https"
        found["application_type"] = "web" if web else "native"
    method = application.token_endpoint_auth_method or (JWT if application.private_key is not None else None)
    return found if method is None else {**found, "token_endpoint_auth_method": method}


class OAuth2(base.Vendor):
    type = "oauth2"
    title = "OAuth 2.0"
    default_base_url = ""
    # kind text and not url: these are taken to the letter, and a trailing slash counts (RFC 8414 section 3.3;
    # django-oauth-toolkit answers 404 without it). `check_provider` judges them.
    settings = (
        base.Setting(name="issuer", kind="text", help="the server's issuer; its endpoints are discovered (RFC 8414)"),
        *(base.Setting(name=name, kind="text", help=_URL_HELP[name]) for name in ENDPOINTS.values()),
        base.Setting(
            name="initial_access_token", kind="secret", help="what a registration is authorized with (RFC 7591)"
        ),
        base.Setting(
            name="assertion_audience",
            kind="choice",
            help="who a private_key_jwt is for (RFC 7523): default the issuer where it is known",
            choices=("issuer", "token_endpoint"),
        ),
        base.Setting(
            name="ca_file", kind="text", help="a PEM file of the authorities that the server's TLS is checked by"
        ),
    )
    application_keys: ClassVar[frozenset[str]] = frozenset(
        {"client_id", "client_secret", "private_key", "redirect_uri", "scopes", "grant"}
        | {"token_endpoint_auth_method", "resource", "audience"}
    )
    applications = base.Applications.REGISTERED
    scopes = base.Scopes.OPTIONAL
    table = (
        ("applications", "registered by API (RFC 7591, 7592) where no client_id is given, else adopted"),
        ("first token", "client_credentials: none; authorization_code and device_code: provisioner authorize"),
        ("renewal", "client_credentials: a new token; else by refresh, rotating or not"),
        ("revocation", "RFC 7009 where the server has it, confirmed by introspection"),
        ("token probe", "introspection (RFC 7662) where the server has it"),
        ("scopes", "the server's own; what was granted is checked by introspection where the answer is silent"),
        ("balance", "none"),
        ("purchase", "none"),
    )

    def refresh(self, application: Application | None) -> base.Refresh:
        if application is not None and effective_grant(application) == CLIENT_CREDENTIALS:
            return base.Refresh.NONE
        return base.Refresh.MAY_ROTATE

    def needs_person(self, application: Application) -> bool:
        return effective_grant(application) in (CODE, DEVICE)

    def registration(self, application: Application) -> Mapping[str, Any]:
        return registration_of(application)

    def registration_handoff(self, application: Application, observation: ProviderObservation) -> Handoff | None:
        """Only where the metadata was read: a server announces a registration endpoint or has none (RFC 8414)."""
        if observation.features.get("registration", True):
            return None
        table, scopes = f"[applications.{application.address.name}]", " ".join(application.scopes) or "(none)"
        return Handoff(
            (
                f"The server's metadata announces no registration (RFC 7591) for {application.name!r}.",
                f"Make a client in the server's administration: grant {effective_grant(application)}, scopes {scopes}.",
                f"Set client_id and client_secret of {table}; the next apply adopts it.",
                "Or set registration_url of the provider, where the server has one all the same.",
            )
        )

    def revoke(self, observation: ProviderObservation) -> base.Revoke:
        announced = observation.features.get("revocation")
        return base.Revoke.TRY if announced is None else base.Revoke.YES if announced else base.Revoke.NO

    def latest_end(self, sent_at: datetime, application: Application | None) -> datetime | None:
        """None: the server decides how long a token lives, and it never said."""
        return None

    def check_provider(self, config: ProviderConfig) -> list[Diagnostic]:
        found = url_problems(config, ("issuer", *ENDPOINTS.values()))
        settings = config.settings
        issuer = settings.get("issuer")
        if not (issuer or settings.get("token_url") or config.base_url):
            found.append(
                _problem("missing-key", "neither an issuer nor a token_url", "Give `issuer`, or the URLs.", "issuer")
            )
        if isinstance(issuer, str) and ("?" in issuer or "#" in issuer):
            found.append(
                _problem("bad-value", "issuer has a query", "An issuer has no query (RFC 8414 section 2).", "issuer")
            )
        if issuer and config.base_url not in ("", "sandbox", str(issuer).rstrip("/")):
            found.append(
                _problem("bad-value", "base_url and issuer differ", "Give `issuer` alone; it is the base.", "base_url")
            )
        if settings.get("initial_access_token") and not (issuer or config.base_url or settings.get("registration_url")):
            found.append(
                _problem(
                    "missing-key",
                    "an initial_access_token and nowhere to register",
                    "Give `issuer` or `registration_url` with it.",
                    "registration_url",
                )
            )
        return found

    def check_application(self, application: Application) -> list[Diagnostic]:
        return [problem for check in _CHECKS if (problem := check(application)) is not None]

    def application_handoff(self, application: Application, observed: ObservedApplication | None) -> Handoff | None:
        return None

    def delete_handoff(self, record: ApplicationRecord) -> Handoff | None:
        if record.managed != ADOPTED and record.registration.get("registration_client_uri"):
            return None
        return Handoff(
            (f"Delete the client {record.client_id} ({record.name}) in the administration of {record.provider}.",)
        )

    def kill_handoff(self, record: TokenRecord) -> Handoff:
        end = f"at {times.to_rfc3339(record.expires_at)}" if record.expires_at else "at a time the server never told"
        return Handoff(
            (
                f"Revoke the tokens of the client {record.client_id} in the administration of {record.provider}.",
                f"The access token ends by itself {end}.",
            )
        )

    def top_up_handoff(self, floor: CreditFloor, balance: Decimal, unit: str) -> Handoff:
        return Handoff((f"Add credits where {floor.provider} sells them: OAuth has no word for a balance.",))


def _problem(name: str, summary: str, detail: str, key_path: str) -> Diagnostic:
    return Diagnostic(name=name, summary=summary, detail=detail, key_path=key_path)


def _known_grant(application: Application) -> Diagnostic | None:
    if application.grant in (None, *GRANTS):
        return None
    return _problem(
        "bad-value", f"there is no grant {application.grant!r}", f"Write one of {', '.join(GRANTS)}.", "grant"
    )


def _redirect(application: Application) -> Diagnostic | None:
    """RFC 8252 section 7: https, loopback http, a private-use scheme, or the out-of-band URN."""
    uri = application.redirect_uri
    if uri is None:
        if effective_grant(application) != CODE:
            return None
        return _problem(
            "missing-key",
            "the authorization_code grant needs a redirect_uri",
            "Declare the one that is registered at the server, as in http://127.0.0.1/callback.",
            "redirect_uri",
        )
    parts = urlsplit(uri)
    remote = parts.scheme == "http" and not is_loopback(parts.hostname or "")
    if parts.scheme and not parts.fragment and not remote:
        return None
    advice = "Give an absolute URL without a fragment; http is for loopback addresses only (RFC 6749, RFC 8252)."
    return _problem("bad-value", "redirect_uri is not one that a code may be sent to", advice, "redirect_uri")


def _client(application: Application) -> Diagnostic | None:
    public = application.client_id is not None and not (application.client_secret or application.private_key)
    if application.client_secret is not None and application.client_id is None:
        return _problem(
            "missing-key", "a client_secret without its client_id", "Declare `client_id` as well.", "client_id"
        )
    if public and effective_grant(application) == CLIENT_CREDENTIALS:
        return _problem(
            "unsupported",
            "a public client cannot use the client_credentials grant (RFC 6749 section 4.4)",
            "Declare `client_secret` or `private_key`, or another `grant`.",
            "client_secret",
        )
    return None


def _method(application: Application) -> Diagnostic | None:
    method, key = application.token_endpoint_auth_method, "token_endpoint_auth_method"
    if method is None:
        return None
    if method not in METHODS:
        return _problem("bad-value", f"there is no {key} {method!r}", f"Write one of {', '.join(METHODS)}.", key)
    if method == JWT and application.private_key is None:
        return _problem(
            "missing-key", f"{JWT} needs a private_key", "Declare `private_key` as a reference.", "private_key"
        )
    if method == NONE and (application.client_secret or effective_grant(application) == CLIENT_CREDENTIALS):
        return _problem(
            "bad-value",
            "a client without authentication has no client_secret and no client_credentials grant",
            "Leave token_endpoint_auth_method out, or name the method that the client really uses.",
            key,
        )
    if method in (BASIC, POST) and application.client_id is not None and application.client_secret is None:
        return _problem("missing-key", f"{method} needs a client_secret", "Declare `client_secret`.", "client_secret")
    return None


def _resource(application: Application) -> Diagnostic | None:
    for resource in application.resource:
        parts = urlsplit(resource)
        if not parts.scheme or "#" in resource:
            return _problem(
                "bad-value",
                f"resource {resource!r} is no absolute URI",
                "RFC 8707 takes no fragment either.",
                "resource",
            )
    return None


def _scopes(application: Application) -> Diagnostic | None:
    for scope in application.scopes:
        if not _SCOPE.fullmatch(scope):
            return _problem(
                "bad-value",
                f"{scope!r} is not one scope",
                "A scope has no spaces, quotes or backslashes (RFC 6749 section 3.3); list several as several.",
                "scopes",
            )
    return None


_CHECKS: tuple[Callable[[Application], Diagnostic | None], ...] = (
    _known_grant, _redirect, _client, _method, _resource, _scopes,
)  # fmt: skip
