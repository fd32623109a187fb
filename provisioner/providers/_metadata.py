"""What a server says of itself: RFC 8414, and OpenID Connect Discovery 1.0 where only that is served.

Endpoints are taken from the document and never built: a missing trailing slash is a 404 on real servers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from provisioner.errors import BadAnswer, ProviderFailed
from provisioner.providers._urls import JSON_ONLY, json_object, url_problem
from provisioner.records import dataclass, field

if TYPE_CHECKING:
    from provisioner.net.session import Session

# the document's member → our setting that gives it by hand
ENDPOINTS = {
    "authorization_endpoint": "authorize_url",
    "token_endpoint": "token_url",
    "revocation_endpoint": "revocation_url",
    "introspection_endpoint": "introspection_url",
    "registration_endpoint": "registration_url",
    "device_authorization_endpoint": "device_authorization_url",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerMetadata:
    """`endpoints` is by setting name (`token_url`, ...). None in a `..._supported` field: the server did not say."""

    issuer: str | None = None
    endpoints: Mapping[str, str]
    auth_methods: tuple[str, ...] | None = None  # at the token endpoint
    methods_at: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # by setting name, where it has its own
    pkce_methods: tuple[str, ...] | None = None
    iss_in_callback: bool = False  # RFC 9207 section 3


def well_known_urls(issuer: str) -> tuple[str, ...]:
    """Where the document may be: inserted before the issuer's path (RFC 8414 section 3.1), appended (OpenID), the OAuth
    document appended as well (Okta, django-oauth-toolkit under a prefix), the OpenID one inserted (section 5)."""
    parts = urlsplit(issuer)
    root, path = f"{parts.scheme}://{parts.netloc}", parts.path.rstrip("/")
    found = (
        f"{root}/.well-known/oauth-authorization-server{path}",
        f"{root}{path}/.well-known/openid-configuration",
        f"{root}{path}/.well-known/oauth-authorization-server",
        f"{root}/.well-known/openid-configuration{path}",
    )
    return tuple(dict.fromkeys(found))


def discover(session: Session, provider: str, issuer: str) -> ServerMetadata:
    """Reads the first document of this issuer: a server of many answers for its own at a place that is another's. A
    place that fails (5xx) ends it: the next document may name fewer endpoints, and no plan may depend on that.

    Raises BadAnswer where there is none or it cannot be used, Unreachable, and ProviderFailed "issuer-mismatch" where
    all speak for somebody else (RFC 8414 section 3.3)."""
    other: ProviderFailed | None = None
    for url in well_known_urls(issuer):
        answer = session.read("GET", url, headers=JSON_ONLY)
        document = json_object(answer) if answer.status == 200 else None
        if document is not None and document.get("issuer") == issuer:
            return read_metadata(document, provider, issuer)
        if document is not None and other is None:
            other = _mismatch(document.get("issuer"), provider, issuer)
    if other is not None:
        raise other
    raise BadAnswer(
        "bad-answer",
        f"{provider}: the server serves no metadata for the issuer {issuer}",
        f"Looked at {', '.join(well_known_urls(issuer))}. Check the issuer, or give token_url and the other URLs.",
    )


def _mismatch(named: object, provider: str, issuer: str) -> ProviderFailed:
    """The issuer must be the configured one character for character: a document that is not authenticated by it could
    send our credentials anywhere."""
    shown = named if isinstance(named, str) and url_problem(named) is None else "something that is no issuer"
    return ProviderFailed(
        "issuer-mismatch",
        f"{provider}: the server's metadata names another issuer",
        f"Configured is {issuer}, the document says {shown[:200]}. Nothing was sent. If that is the same server, "
        "write `issuer` as the document does, to the letter.",
    )


def read_metadata(document: Mapping[str, Any], provider: str, issuer: str) -> ServerMetadata:
    """A document of this issuer, judged."""
    endpoints = {}
    for member, setting in ENDPOINTS.items():
        url = document.get(member)
        if url not in (None, ""):  # section 3.2 leaves out what a server has not; some write it empty
            endpoints[setting] = _usable(url, member, provider, issuer)
    return ServerMetadata(
        issuer=issuer,
        endpoints=endpoints,
        auth_methods=_names(document.get("token_endpoint_auth_methods_supported")),
        methods_at=_methods_at(document),
        pkce_methods=_names(document.get("code_challenge_methods_supported")),
        iss_in_callback=document.get("authorization_response_iss_parameter_supported") is True,
    )


def _usable(url: object, member: str, provider: str, issuer: str) -> str:
    problem = url_problem(url)
    if problem is None and str(url).startswith("http:") and issuer.startswith("https:"):
        problem = "leads from https to http"
    if problem is not None:
        raise BadAnswer(
            "bad-answer",
            f"{provider}: the {member} in the server's metadata {problem}",
            "No credentials were sent. The server's operator must correct its metadata.",
        )
    return str(url)


def _methods_at(document: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """RFC 8414 section 2: revocation and introspection may take other methods than the token endpoint (Authlib's
    servers take client_secret_basic alone there)."""
    found = {
        setting: _names(document.get(f"{member}_auth_methods_supported"))
        for member, setting in ENDPOINTS.items()
        if member in ("revocation_endpoint", "introspection_endpoint")
    }
    return {setting: methods for setting, methods in found.items() if methods is not None}


def _names(value: object) -> tuple[str, ...] | None:
    return tuple(name for name in value if isinstance(name, str)) if isinstance(value, list) else None
