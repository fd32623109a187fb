"""Registering and managing clients: RFC 7591, RFC 7592. What the server answers is the truth, not what was asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from provisioner.errors import BadAnswer, CredentialsRefused, InDoubt, ProviderFailed, StepRefused
from provisioner.model.desired import Application
from provisioner.model.observed import ObservedApplication
from provisioner.model.recorded import CREATED, ApplicationRecord
from provisioner.net.answers import Answer
from provisioner.providers._client_auth import BASIC, POST
from provisioner.providers._grants import parse_scopes
from provisioner.providers._oauth2_vendor import registration_of
from provisioner.providers._refusals import error_member, refusal
from provisioner.providers._urls import JSON_ONLY, Endpoint, json_object, url_problem
from provisioner.providers._vendor_api import whole
from provisioner.records import replace
from provisioner.secret import Secret

# Members of an answer that are recorded in clear: known ones only, because an unknown one may hold a secret.
_TEXTS = ("client_name", "token_endpoint_auth_method", "application_type", "registration_client_uri", "jwks_uri")
_LISTS = ("redirect_uris", "grant_types", "response_types")
_TIMES = ("client_id_issued_at", "client_secret_expires_at")
_METHOD = "token_endpoint_auth_method"
_SENT_BACK = ("application_type", "jwks_uri", _METHOD, *_LISTS)  # RFC 7592 section 2.2: PUT replaces everything
_INCOMPLETE = (None, "invalid_client_metadata", "invalid_request")  # what a PUT without the client_secret may be called
KEY = "key_thumbprint"  # of the key whose public half was registered: ours, beside what the server answered


class Client(NamedTuple):
    """One answered registration, judged: its public members and its secrets apart."""

    client_id: str
    scopes: tuple[str, ...] | None
    metadata: Mapping[str, Any]
    secrets: Mapping[str, Secret]


def wanted_metadata(application: Application, jwk: Mapping[str, Any] | None) -> dict[str, Any]:
    """What is asked for a declared application (RFC 7591 section 2). `jwk` is the public half of its private key."""
    wanted: dict[str, Any] = {"client_name": application.name, **registration_of(application)}
    if application.scopes:
        wanted["scope"] = " ".join(application.scopes)
    if jwk is not None:
        wanted["jwks"] = {"keys": [dict(jwk)]}
    return wanted


def register(
    at: Endpoint, wanted: Mapping[str, Any], initial_token: Secret | None, announced: tuple[str, ...] | None
) -> Client:
    """RFC 7591 section 3, sent once. Where no method is declared, one that the server announces is asked for.

    Raises InDoubt, StepRefused, CredentialsRefused, RateLimited, Unreachable."""
    body = {_METHOD: _secret_method(announced), **wanted}
    answer = at.session.change("POST", at.url, headers=JSON_ONLY, bearer=initial_token, json=body)
    if answer.status >= 400:
        raise refusal(answer, at.provider, "a client registration", _held(initial_token), held="initial_access_token")
    try:
        return _parse(answer)
    except ValueError as problem:
        what = f"{at.provider} answered a registration with {answer.status}, and the answer cannot be understood"
        next_ = "A client may exist at the server that is not recorded. The next apply settles this."
        raise InDoubt("in-doubt", f"{what}: {problem}", next_) from None


def update(
    at: Endpoint, record: ApplicationRecord, wanted: Mapping[str, Any], token: Secret, secret: Callable[[], Secret]
) -> Client:
    """RFC 7592 section 2.2. Every field goes again, and with it what the server had set that nobody declared. The
    secret is left out, because a client cannot choose its own; a server that refuses the request for that gets it, and
    it must be the current one then. A success without the client in its body is looked up; one with something
    else in it, as a proxy's page, counts only where the server shows what was asked for.

    `secret` is asked for the sealed one only where it is needed. Raises what `register` does."""
    kept = {name: record.registration[name] for name in _SENT_BACK if name in record.registration}
    body: dict[str, Any] = {**kept, **wanted, "client_id": record.client_id}
    answer = at.session.change("PUT", at.url, headers=JSON_ONLY, bearer=token, json=body)
    if answer.status == 400 and error_member(answer) in _INCOMPLETE and record.secret is not None:
        answer = at.session.change(
            "PUT", at.url, headers=JSON_ONLY, bearer=token, json={**body, "client_secret": secret()}
        )
    if answer.status == 401:
        raise _unmanaged(at, record)
    if answer.status >= 400:
        raise refusal(answer, at.provider, "a change of the client", _held(token))
    try:
        return _parse(answer)
    except ValueError as error:
        problem = str(error)
    seen = _looked_up(at, token)
    if seen is not None and seen.client_id == record.client_id and (not answer.body or _is_as_asked(seen, wanted)):
        return seen
    what = f"{at.provider} answered a change of the client with {answer.status}, and the answer cannot be understood"
    raise InDoubt(
        "in-doubt", f"{what}: {problem}", "The client may be changed or not. The next apply reads it and settles this."
    )


def _unmanaged(at: Endpoint, record: ApplicationRecord) -> CredentialsRefused:
    """RFC 7592 section 2.2: the client is gone, or only the token for it is."""
    return CredentialsRefused(
        "credentials-refused",
        f"{at.provider} does not take the token that manages the client {record.client_id}",
        "Nothing was changed. Run plan, which looks whether the client is still there. "
        f"`provisioner apply --replace '{record.address}'` registers another one.",
    )


def _is_as_asked(client: Client, wanted: Mapping[str, Any]) -> bool:
    """Whether the server shows what was asked for, as far as it shows it."""
    asked = parse_scopes(wanted.get("scope"))
    shown = {name: value for name, value in client.metadata.items() if name in wanted}
    alike = all(sorted(value) == sorted(wanted[name]) for name, value in shown.items())
    return alike and (asked is None or client.scopes is None or set(asked) == set(client.scopes))


def _looked_up(at: Endpoint, token: Secret) -> Client | None:
    """The client as the server shows it, or None where it does not."""
    try:
        return read(at, token)
    except (ProviderFailed, StepRefused):
        return None


def read(at: Endpoint, token: Secret) -> Client | None:
    """RFC 7592 section 2.1. None where the client is gone: an unknown client is answered with 401.

    Raises BadAnswer, StepRefused (403: this server lets nobody read), Unreachable."""
    answer = at.session.read("GET", at.url, headers=JSON_ONLY, bearer=token)
    if answer.status in (401, 404):
        return None
    if answer.status >= 400:
        raise refusal(answer, at.provider, "to show the client", _held(token))
    try:
        return _parse(answer)
    except ValueError as problem:
        raise BadAnswer(
            "bad-answer",
            f"{at.provider} showed a client in a way that cannot be understood: {problem}",
            "Nothing was changed. Check the server's client configuration endpoint.",
        ) from None


def delete(at: Endpoint, token: Secret) -> bool:
    """RFC 7592 section 2.3. False on a 401: the client is gone already, or only the token for it is.

    A success is a 204, or at least says nothing; a body may be a proxy's page, and is looked into. On some servers a
    deleted client's tokens live on, so they are revoked before this is called. Raises InDoubt."""
    answer = at.session.change("DELETE", at.url, headers=JSON_ONLY, bearer=token, repeatable=True)
    if answer.status < 300 and answer.status != 204 and answer.body.strip() and not _gone(at, token):
        what = f"provider {at.provider}: the deletion of the client was answered {answer.status} with a body"
        raise InDoubt("in-doubt", what, "RFC 7592 section 2.3 answers 204 with none. The next apply deletes it again.")
    if answer.status < 400 or answer.status in (401, 404):
        return answer.status != 401
    raise refusal(answer, at.provider, "to delete the client", _held(token))


def _gone(at: Endpoint, token: Secret) -> bool:
    """Whether the server shows that it does not know the client any more."""
    try:
        return read(at, token) is None
    except (ProviderFailed, StepRefused):
        return False


def as_record(
    client: Client, application: Application, jwk: Mapping[str, Any] | None, *, provider: str, provider_type: str
) -> ApplicationRecord:
    """A record of a fresh registration; `id` and `address` are the caller's. A server that says nothing of scopes does
    not limit the client, so the declared ones stand."""
    name = client.metadata.get("client_name", application.name)
    return ApplicationRecord(
        id="",
        address=application.address,
        provider=provider,
        provider_type=provider_type,
        name=str(name),
        client_id=client.client_id,
        scopes=application.scopes if client.scopes is None else client.scopes,
        managed=CREATED,
        secret_fingerprint=_fingerprint(client),
        prevent_destroy=application.prevent_destroy,
        registration={**client.metadata, **marked(jwk)},
    )


def marked(jwk: Mapping[str, Any] | None) -> dict[str, str]:
    """Which key was registered, told by its thumbprint (RFC 7638); nothing where none was."""
    if jwk is None:
        return {}
    from provisioner.providers._jwk import thumbprint

    return {KEY: thumbprint(jwk)}


def renewed_record(
    record: ApplicationRecord, client: Client, application: Application, jwk: Mapping[str, Any] | None
) -> ApplicationRecord:
    """The record after an update: what the answer leaves out of its management data is still what it was, the end of
    the secret too unless another secret came."""
    same_secret = _fingerprint(client) in (None, record.secret_fingerprint)
    stays = ("registration_client_uri", *(_TIMES if same_secret else ()))
    kept = {name: record.registration[name] for name in stays if name in record.registration}
    return replace(
        as_record(client, application, jwk, provider=record.provider, provider_type=record.provider_type),
        id=record.id,
        address=record.address,
        secret=record.secret,
        secret_fingerprint=_fingerprint(client) or record.secret_fingerprint,
        registration={**kept, **client.metadata, **marked(jwk)},
        registration_token=record.registration_token,
        created_at=record.created_at,
    )


def as_observed(client: Client) -> ObservedApplication:
    name = client.metadata.get("client_name")
    return ObservedApplication(
        exists=True,
        client_id=client.client_id,
        name=str(name) if name is not None else None,
        scopes=client.scopes,
        secret_fingerprint=_fingerprint(client),
        registration=dict(client.metadata),
    )


def _secret_method(announced: tuple[str, ...] | None) -> str:
    return POST if announced and BASIC not in announced and POST in announced else BASIC


def _parse(answer: Answer) -> Client:
    """Raises ValueError naming the member that cannot be read, never its value. A management URL that no token may be
    sent to (a server behind a proxy writes http) is as good as none: the client exists all the same."""
    body = json_object(answer)
    if body is None:
        raise ValueError("the body is not a JSON object")
    client_id = body.get("client_id")
    if not isinstance(client_id, str) or not client_id.isascii() or not client_id.isprintable() or not client_id:
        raise ValueError("there is no client_id")
    metadata: dict[str, Any] = {name: body[name] for name in _TEXTS if isinstance(body.get(name), str)}
    metadata |= {name: body[name] for name in _LISTS if _is_texts(body.get(name))}
    if url_problem(metadata.get("registration_client_uri")) is not None:
        metadata.pop("registration_client_uri", None)
    metadata |= {name: moment for name in _TIMES if (moment := whole(body.get(name))) is not None}
    secrets = {
        field: Secret(body[member])
        for field, member in (("secret", "client_secret"), ("registration_token", "registration_access_token"))
        if isinstance(body.get(member), str) and body[member]
    }
    return Client(client_id, parse_scopes(body.get("scope")), metadata, secrets)


def _is_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _fingerprint(client: Client) -> str | None:
    secret = client.secrets.get("secret")
    return secret.fingerprint if secret is not None else None


def _held(token: Secret | None) -> tuple[Secret, ...]:
    return (token,) if token is not None else ()
