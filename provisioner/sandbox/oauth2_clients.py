"""The OAuth server's clients: how they authenticate, and how they are registered and managed (RFC 7591, 7592)."""

from __future__ import annotations

import re
import secrets
from typing import Any
from urllib.parse import unquote_plus

from provisioner.sandbox.accounts import ACCOUNTS, OAUTH2_PUBLIC_CLIENT, OUT_OF_BAND
from provisioner.sandbox.desk import Desk, digest, same
from provisioner.sandbox.oauth2_errors import error
from provisioner.sandbox.oauth2_jwt import ALGORITHMS, ASSERTION_TYPE, check_assertion
from provisioner.sandbox.wire import Malformed, Refusal, Request, Response, json_response, once, parsed

__all__ = ["ALGORITHMS", "METHOD", "METHODS", "PUBLIC", "authenticate", "delete", "form_of", "read", "register",
           "secret_of", "seed", "update"]  # fmt: skip

METHOD = "token_endpoint_auth_method"
BASIC, POST, PUBLIC, JWT = METHODS = ("client_secret_basic", "client_secret_post", "none", "private_key_jwt")
GRANTS = frozenset(
    {"client_credentials", "authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:device_code"}
)
TEXTS = ("client_name", "scope", "token_endpoint_auth_method", "client_uri", "logo_uri", "policy_uri", "tos_uri",
         "jwks_uri", "software_id", "software_version")  # fmt: skip
LISTS = ("redirect_uris", "grant_types", "response_types", "contacts")
NOT_IN_PUT = ("registration_access_token", "registration_client_uri", "client_secret_expires_at", "client_id_issued_at")


def seed(desk: Desk) -> None:
    """The default client may use either secret method, any grant and any scope; the public one must use PKCE."""
    anything: dict[str, Any] = {"grant_types": sorted(GRANTS), "any_loopback": True, "redirect_uris": [OUT_OF_BAND]}
    account = ACCOUNTS["oauth2"]
    desk.put_client(account["client_id"], {
        **anything, "client_name": "Sandbox client", "token_endpoint_auth_method": "client_secret",
        "secret": digest(account["client_secret"]),
    })  # fmt: skip
    public = {**anything, "client_name": "Sandbox public client", "token_endpoint_auth_method": "none"}
    public["grant_types"] = sorted(GRANTS - {"client_credentials"})
    desk.put_client(OAUTH2_PUBLIC_CLIENT, public)


# -- authentication --------------------------------------------------------------------------------------------------


def form_of(request: Request) -> dict[str, str]:
    """The urlencoded body, each parameter once but `resource` (RFC 8707) and `audience`. Raises Refusal, Malformed."""
    if request.media_type != "application/x-www-form-urlencoded":
        raise error(415, "invalid_request", "the body must be application/x-www-form-urlencoded")
    if request.query:
        raise error(400, "invalid_request", "parameters belong into the body (RFC 6749 section 3.2)")
    return once(request.form_pairs(), repeatable=frozenset({"resource", "audience"}))


def authenticate(desk: Desk, request: Request, form: dict[str, str]) -> tuple[str, dict[str, Any]]:
    """Exactly one method, and the one that the client registered (RFC 6749 section 2.3). Raises Refusal."""
    client, secret, method = _presented(request, form)
    body = desk.client(client)
    desk.note(client=client if body else None)
    if body is None:
        raise error(401, "invalid_client", "the client is not known")
    registered = body[METHOD]
    allowed = (BASIC, POST) if registered == "client_secret" else (registered,)
    if method not in allowed:
        raise error(401, "invalid_client", f"the client authenticates by {' or '.join(allowed)}")
    if method == JWT:
        check_assertion(desk, request, client, body, form["client_assertion"])
    elif secret is not None and not same(digest(secret), body["secret"]):
        raise error(401, "invalid_client", "the client secret is wrong")
    return client, body


def _presented(request: Request, form: dict[str, str]) -> tuple[str, str | None, str]:
    """(client_id, secret or None, method). Basic halves are form-decoded (RFC 6749 section 2.3.1)."""
    try:
        basic = request.basic()
    except Malformed as fault:
        raise error(401, "invalid_client", str(fault)) from None
    used = [basic is not None, "client_secret" in form, "client_assertion" in form]
    if sum(used) > 1:
        raise error(400, "invalid_request", "more than one client authentication method (RFC 6749 section 2.3)")
    if basic:
        try:
            client, secret = (unquote_plus(half, errors="strict") for half in basic)
        except UnicodeDecodeError:
            raise error(401, "invalid_client", "the Basic credentials are not form-encoded UTF-8") from None
        if form.get("client_id", client) != client:
            raise error(400, "invalid_request", "client_id differs from the Authorization header")
        return client, secret, BASIC
    if "client_assertion" in form:
        if form.get("client_assertion_type") != ASSERTION_TYPE:
            raise error(400, "invalid_request", "client_assertion_type is missing or unknown")
        return form.get("client_id", ""), None, JWT
    if not form.get("client_id"):
        raise error(401, "invalid_client", "no client authentication")
    secret_given = form.get("client_secret")
    return form["client_id"], secret_given, PUBLIC if secret_given is None else POST


# -- registration ----------------------------------------------------------------------------------------------------


def register(desk: Desk, request: Request) -> Response:
    """RFC 7591 section 3. The answer is the truth, which may differ from what was asked."""
    if not same(request.bearer() or "", ACCOUNTS["oauth2"]["initial_access_token"]):
        raise _unauthorized("the initial access token is missing or wrong")
    asked = _metadata(request)
    client = f"sandbox-dyn-{secrets.token_hex(8)}"
    body: dict[str, Any] = {**_completed(desk, asked), "issued_at": int(desk.now), "generation": 0}
    token = _new_registration_token(body)
    shown = _shown(desk, request, client, body, secret=True)
    desk.put_client(client, body)
    desk.note(client=client)
    return json_response(201, shown | {"registration_access_token": token})


def read(desk: Desk, request: Request) -> Response:
    client, body, token = _managed(desk, request)
    secret = desk.switch("secret_in_read") == "present"
    return json_response(200, _shown(desk, request, client, body, secret=secret) | {"registration_access_token": token})


def update(desk: Desk, request: Request) -> Response:
    """RFC 7592 section 2.2: replaces everything; a secret in it must be the current one."""
    client, old, token = _managed(desk, request)
    given = request.json_object()
    if given.pop("client_id", None) != client:
        raise error(400, "invalid_client_metadata", "client_id must be the client's own")
    if set(NOT_IN_PUT) & set(given):
        raise error(400, "invalid_client_metadata", f"{', '.join(NOT_IN_PUT)} must not be sent")
    secret = given.pop("client_secret", None)
    if secret is not None and not (isinstance(secret, str) and same(digest(secret), old.get("secret") or "")):
        raise error(400, "invalid_client_metadata", "a client cannot choose its secret")
    body = {**_completed(desk, _checked(given)), "issued_at": old["issued_at"], "registration": old["registration"]}
    rotates = desk.switch("update_secret") == "rotates"
    body["generation"] = old["generation"] + (1 if rotates else 0)
    if desk.switch("registration_token") == "rotates":
        token = _new_registration_token(body)
    shown = _shown(desk, request, client, body, secret=rotates or desk.switch("secret_in_read") == "present")
    desk.put_client(client, body)
    return json_response(200, shown | {"registration_access_token": token})


def delete(desk: Desk, request: Request) -> Response:
    client, _, _ = _managed(desk, request)
    desk.drop_client(client)
    if desk.switch("delete_client") == "kills":
        desk.kill(*desk.of_client(client))
    return Response(204)


def _managed(desk: Desk, request: Request) -> tuple[str, dict[str, Any], str]:
    """(client_id, record, registration token). An unknown client is 401, as a wrong token is (RFC 7592 section 2)."""
    client = request.path.removeprefix("/register/")
    body, token = desk.client(client), request.bearer() or ""
    if body is None or not same(digest(token), body.get("registration", "")):
        raise _unauthorized("the registration access token is not valid")
    desk.note(client=client)
    return client, body, token


def _unauthorized(text: str) -> Refusal:
    challenge = 'Bearer realm="sandbox", error="invalid_token"'
    body = {"error": "invalid_token", "error_description": text}
    return Refusal("invalid_token", json_response(401, body, [("WWW-Authenticate", challenge)]))


def _metadata(request: Request) -> dict[str, Any]:
    if request.media_type != "application/json":
        raise error(415, "invalid_client_metadata", "the body must be application/json")
    return _checked(request.json_object())


def _checked(given: dict[str, Any]) -> dict[str, Any]:
    """Types and rules of RFC 7591 section 2; members that are not known are dropped, as it allows."""
    found: dict[str, Any] = {}
    for name in (*TEXTS, *LISTS):
        value, wants = given.get(name), str if name in TEXTS else list
        if value is None:
            continue
        if not isinstance(value, wants) or (wants is list and not all(isinstance(item, str) for item in value)):
            raise error(400, "invalid_client_metadata", f"{name} is of the wrong type")
        found[name] = value
    for uri in found.get("redirect_uris", []):
        parts = parsed(uri)
        if uri != OUT_OF_BAND and (parts is None or not parts.scheme or "#" in uri):
            raise error(400, "invalid_redirect_uri", "a redirect URI must be absolute and without a fragment")
    if "jwks" in given:
        keys = given["jwks"].get("keys") if isinstance(given["jwks"], dict) else None
        if not isinstance(keys, list) or not all(isinstance(key, dict) for key in keys):
            raise error(400, "invalid_client_metadata", "jwks is not a key set (RFC 7517 section 5)")
        found["jwks"] = {"keys": keys}
    return found


def _completed(desk: Desk, found: dict[str, Any]) -> dict[str, Any]:
    """The defaults of RFC 7591 section 2, and what a server may replace."""
    body = {METHOD: BASIC, "grant_types": ["authorization_code"], **found}
    if desk.switch("registration") == "replaced" and body[METHOD] == POST:
        body[METHOD] = BASIC
    if desk.switch("registration") == "replaced":
        body.pop("scope", None)
    if body[METHOD] not in METHODS:
        raise error(400, "invalid_client_metadata", "token_endpoint_auth_method is not supported")
    if set(body["grant_types"]) - GRANTS or not body["grant_types"]:
        raise error(400, "invalid_client_metadata", "a grant type is not supported")
    if "authorization_code" in body["grant_types"] and not body.get("redirect_uris"):
        raise error(400, "invalid_redirect_uri", "authorization_code needs redirect_uris")
    if body[METHOD] == PUBLIC and "client_credentials" in body["grant_types"]:
        raise error(400, "invalid_client_metadata", "client_credentials needs a confidential client")
    if body[METHOD] == JWT and "jwks" not in body:
        raise error(400, "invalid_client_metadata", "private_key_jwt needs jwks")
    if not re.fullmatch(r"[\x21\x23-\x5b\x5d-\x7e ]*", body.get("scope", "")):
        raise error(400, "invalid_client_metadata", "scope holds characters that no scope has")
    return body


def secret_of(desk: Desk, client: str, body: dict[str, Any]) -> str:
    """Derived, so that it can be shown again without being stored."""
    return f"sandbox-dyn-{desk.derive(client, body['generation'])[:40]}"


def _new_registration_token(body: dict[str, Any]) -> str:
    token = f"rat_{secrets.token_urlsafe(24)}"
    body["registration"] = digest(token)
    return token


def _shown(desk: Desk, request: Request, client: str, body: dict[str, Any], *, secret: bool) -> dict[str, Any]:
    """The client information response (RFC 7591 section 3.2.1). Fills in the secret's digest where there is one."""
    shown = {name: body[name] for name in (*TEXTS, *LISTS, "jwks") if name in body}
    shown |= {"client_id": client, "client_id_issued_at": body["issued_at"]}
    shown["registration_client_uri"] = f"{request.base}/register/{client}"
    if body[METHOD] in (BASIC, POST):
        value = secret_of(desk, client, body)
        body["secret"] = digest(value)
        shown |= {"client_secret": value, "client_secret_expires_at": 0} if secret else {}
    return shown
