"""A standards-following authorization server: metadata, revocation, introspection and a resource to try tokens on.

Grants are in `oauth2_grants`, client authentication and dynamic registration in `oauth2_clients`, the device grant in
`oauth2_device`. Vendor sheet: OAuth 2.0, sections 3 and 4.
"""

from __future__ import annotations

from typing import Any

from provisioner.sandbox import oauth2_clients as clients
from provisioner.sandbox import oauth2_device as device
from provisioner.sandbox import oauth2_grants as grants
from provisioner.sandbox.desk import Desk, Token
from provisioner.sandbox.oauth2_errors import error
from provisioner.sandbox.oauth2_scopes import SCOPES
from provisioner.sandbox.wire import Malformed, Refusal, Request, Response, json_response

OPERATIONS = {
    ("GET", "/.well-known/oauth-authorization-server"): "metadata",
    ("GET", "/.well-known/openid-configuration"): "metadata",
    ("GET", "/authorize"): "authorize.page",
    ("POST", "/authorize"): "authorize.decide",
    ("POST", "/revoke"): "token.revoke",
    ("POST", "/introspect"): "introspect",
    ("POST", "/register"): "client.register",
    ("POST", "/device_authorization"): "device.authorize",
    ("GET", "/device"): "device.page",
    ("POST", "/device"): "device.page",
    ("POST", "/device/decide"): "device.decide",
    ("GET", "/userinfo"): "resource.read",
    ("GET", "/jwks"): "metadata",
}
REGISTRATION = {"GET": "client.read", "PUT": "client.update", "DELETE": "client.delete"}
TOKEN_OPERATIONS = {
    "client_credentials": "token.create",
    "authorization_code": "token.create",
    device.GRANT: "token.create",
    "refresh_token": "token.refresh",
}
READS = frozenset(
    {
        "metadata",
        "authorize.page",
        "introspect",
        "device.page",
        "resource.read",
        "client.read",
        "unknown",
        "wrong-method",
    }
)


def seed(desk: Desk) -> None:
    clients.seed(desk)


def operation(request: Request) -> str:
    found = OPERATIONS.get((request.method, request.path))
    if found:
        return found
    if request.path == "/token" and request.method == "POST":
        try:
            return TOKEN_OPERATIONS.get(dict(request.form_pairs()).get("grant_type", ""), "token.unknown")
        except Malformed:
            return "token.unknown"
    if request.path.startswith("/register/"):
        return REGISTRATION.get(request.method, "wrong-method")
    return "wrong-method" if request.path in {path for _, path in OPERATIONS} | {"/token"} else "unknown"


def answer(desk: Desk, request: Request, operation: str) -> Response:
    if (operation in _SWITCHED and desk.switch(_SWITCHED[operation]) == "off") or operation == "unknown":
        raise Refusal("not-found", json_response(404, {"error": "not_found"}))
    if operation == "wrong-method":
        raise Refusal("wrong-method", json_response(405, {"error": "invalid_request"}))
    return _ANSWERS[operation](desk, request)


def malformed(desk: Desk, text: str) -> Response:
    return error(400, "invalid_request", text).response


def _metadata(desk: Desk, request: Request) -> Response:
    """RFC 8414 section 2. Every address follows the request's own host, and so does the issuer."""
    if request.path == "/jwks":
        return json_response(200, {"keys": []})
    served = desk.switch("metadata")
    wanted = "openid" if request.path.endswith("openid-configuration") else "rfc8414"
    if served not in ("both", wanted):
        raise Refusal("not-found", json_response(404, {"error": "not_found"}))
    methods = list(clients.METHODS)
    body: dict[str, Any] = {
        "issuer": request.base,
        "authorization_endpoint": f"{request.base}/authorize",
        "token_endpoint": f"{request.base}/token",
        "device_authorization_endpoint": f"{request.base}/device_authorization",
        "jwks_uri": f"{request.base}/jwks",
        "scopes_supported": list(SCOPES),
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": ["client_credentials", "authorization_code", "refresh_token", device.GRANT],
        "token_endpoint_auth_methods_supported": methods,
        "token_endpoint_auth_signing_alg_values_supported": list(clients.ALGORITHMS),
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": True,
    }
    for switch, member, path in (
        ("revocation", "revocation_endpoint", "/revoke"),
        ("introspection", "introspection_endpoint", "/introspect"),
        ("registration_endpoint", "registration_endpoint", "/register"),
    ):
        if desk.switch(switch) == "on":
            body[member] = request.base + path
            if switch != "registration_endpoint":
                body[f"{member}_auth_methods_supported"] = methods
    return json_response(200, body)


def _find(desk: Desk, value: str) -> tuple[Token | None, bool]:
    """(the token, whether the value is its access half)."""
    token = desk.by_access(value)
    return (token, True) if token else (desk.by_refresh(value), False)


def _revoke(desk: Desk, request: Request) -> Response:
    """RFC 7009: 200 for an unknown token too; a refresh token takes its access tokens along."""
    form = clients.form_of(request)
    client, _ = clients.authenticate(desk, request, form)
    if "token" not in form:
        raise error(400, "invalid_request", "token is missing")
    token, is_access = _find(desk, form["token"])
    if token is None:
        return Response(200)
    if token.client != client:
        if desk.switch("foreign_revoke") == "refused":
            raise error(400, "invalid_request", "the token was issued to another client")
        return Response(200)
    if not is_access:
        desk.kill(*desk.family(token.family))
    elif desk.switch("revoke_access") == "pair":
        desk.kill(token)
    else:
        desk.kill_access(token)
    return Response(200)


def _introspect(desk: Desk, request: Request) -> Response:
    """RFC 7662: 200 whatever the token; a dead one shows nothing but that it is dead. Confidential clients only."""
    form = clients.form_of(request)
    _, body = clients.authenticate(desk, request, form)
    if body[clients.METHOD] == clients.PUBLIC:
        raise error(401, "invalid_client", "introspection takes a confidential client")
    if "token" not in form:
        raise error(400, "invalid_request", "token is missing")
    token, is_access = _find(desk, form["token"])
    if token is None or not (token.access_lives(desk.now) if is_access else token.refresh_lives(desk.now)):
        return json_response(200, {"active": False})
    shown: dict[str, Any] = {"active": True, "client_id": token.client, "iat": int(token.issued), "iss": request.base}
    ends = token.access_ends if is_access else token.refresh_ends
    shown |= {"scope": token.scope} if token.scope else {}
    shown |= {"exp": int(ends)} if ends is not None else {}
    return json_response(200, shown | ({"token_type": "Bearer"} if is_access else {}))


def _resource(desk: Desk, request: Request) -> Response:
    """RFC 6750 section 3: no error code where no token came."""
    value = request.bearer()
    if value is None:
        raise Refusal("refused", Response(401, [("WWW-Authenticate", 'Bearer realm="sandbox"')]))
    token = desk.by_access(value)
    if token is None or not token.access_lives(desk.now):
        challenge = 'Bearer realm="sandbox", error="invalid_token"'
        raise Refusal("refused", json_response(401, {"error": "invalid_token"}, [("WWW-Authenticate", challenge)]))
    return json_response(200, {"sub": "sandbox-user", "client_id": token.client, "scope": token.scope})


_SWITCHED = {
    "token.revoke": "revocation", "introspect": "introspection", "client.register": "registration_endpoint",
    "client.read": "registration_endpoint", "client.update": "registration_endpoint",
    "client.delete": "registration_endpoint",
}  # fmt: skip
_ANSWERS = {
    "metadata": _metadata, "authorize.page": grants.page, "authorize.decide": grants.decide,
    "token.create": grants.token, "token.refresh": grants.token, "token.unknown": grants.token,
    "token.revoke": _revoke, "introspect": _introspect, "resource.read": _resource,
    "client.register": clients.register, "client.read": clients.read, "client.update": clients.update,
    "client.delete": clients.delete, "device.authorize": device.authorize, "device.page": device.page,
    "device.decide": device.decide,
}  # fmt: skip
