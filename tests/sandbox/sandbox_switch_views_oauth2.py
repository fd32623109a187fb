"""What each switch of the OAuth server changes for a client."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sandbox_world import World

Look = Callable[[World], object]
Expected = Mapping[str, object]
GRANT = {"grant_type": "client_credentials"}


def odd_scope(w: World) -> tuple[int, object]:
    answer = w.idp_token("credits:read invented")
    access = answer.json().get("access_token")
    real = w.idp("/introspect", token=access).json()["scope"] if access else None
    return answer.status, (answer.json().get("scope"), real)


def replay(w: World) -> bool:
    old = w.idp_pair()
    new = w.idp_refresh(old["refresh_token"]).json()
    assert w.idp_refresh(old["refresh_token"]).json()["error"] == "invalid_grant"
    return w.idp_active(new["access_token"])


def _registered(w: World, **metadata: object) -> tuple[dict[str, Any], str, tuple[str, str]]:
    made = w.idp_register(**metadata).json()
    return made, f"/oauth2/register/{made['client_id']}", (made["client_id"], made["client_secret"])


def token_of_a_deleted_client(w: World) -> bool:
    made, path, pair = _registered(w)
    access = w.idp("/token", pair, **GRANT).json()["access_token"]
    assert w.call("DELETE", path, bearer=made["registration_access_token"]).status == 204
    return w.idp_active(access)


def foreign_revoke(w: World) -> tuple[int, bool]:
    _, _, pair = _registered(w)
    access = w.idp_token().json()["access_token"]
    return w.idp("/revoke", pair, token=access).status, w.idp_active(access)


def refresh_after_access_revoke(w: World) -> int:
    pair = w.idp_pair()
    w.idp("/revoke", token=pair["access_token"])
    return w.idp_refresh(pair["refresh_token"]).status


def secret_in_read(w: World) -> bool:
    made, path, _ = _registered(w)
    return "client_secret" in w.get(path, bearer=made["registration_access_token"]).json()


def replaced(w: World) -> tuple[str, bool]:
    made = w.idp_register(scope="a b", token_endpoint_auth_method="client_secret_post").json()
    return made["token_endpoint_auth_method"], "scope" in made


def _put(w: World) -> tuple[dict[str, Any], dict[str, Any], str]:
    made, path, _ = _registered(w)
    body = {"client_id": made["client_id"], "grant_types": ["client_credentials"]}
    return made, w.call("PUT", path, json=body, bearer=made["registration_access_token"]).json(), path


def old_registration_token(w: World) -> int:
    made, _, path = _put(w)
    return w.get(path, bearer=made["registration_access_token"]).status


def secret_after_put(w: World) -> tuple[bool, int]:
    made, changed, _ = _put(w)
    old = w.idp("/token", (made["client_id"], made["client_secret"]), **GRANT).status
    return changed.get("client_secret") not in (None, made["client_secret"]), old


def metadata(w: World) -> list[int]:
    first = w.get("/.well-known/oauth-authorization-server/oauth2").status
    return [first, w.get("/oauth2/.well-known/openid-configuration").status]


def endpoint(member: str, path: str) -> Look:
    def look(w: World) -> tuple[bool, int]:
        found = w.get("/.well-known/oauth-authorization-server/oauth2").json()
        return member in found, w.idp(path, token="x").status

    return look


def registration_endpoint(w: World) -> tuple[bool, int]:
    found = w.get("/.well-known/oauth-authorization-server/oauth2").json()
    return "registration_endpoint" in found, w.idp_register().status


OAUTH2: dict[str, tuple[Look, Expected]] = {
    "unknown_scope": (
        odd_scope,
        {
            "granted": (200, ("credits:read invented", "credits:read invented")),
            "refused": (400, (None, None)),
            "dropped": (200, (None, "credits:read")),
        },
    ),
    "refresh_replay": (replay, {"kills": False, "refuses": True}),
    "delete_client": (token_of_a_deleted_client, {"keeps": True, "kills": False}),
    "foreign_revoke": (foreign_revoke, {"silent": (200, True), "refused": (400, True)}),
    "revoke_access": (refresh_after_access_revoke, {"one": 200, "pair": 400}),
    "secret_in_read": (secret_in_read, {"absent": False, "present": True}),
    "registration": (
        replaced,
        {"as_asked": ("client_secret_post", True), "replaced": ("client_secret_basic", False)},
    ),
    "registration_token": (old_registration_token, {"rotates": 401, "stays": 200}),
    "update_secret": (secret_after_put, {"stays": (False, 200), "rotates": (True, 401)}),
    "device_interval": (lambda w: w.idp("/device_authorization").json().get("interval"), {"absent": None, "given": 5}),
    "scope_member": (lambda w: "scope" in w.idp_token().json(), {"present": True, "absent": False}),
    "expires_in": (lambda w: w.idp_token().json().get("expires_in"), {"3600": 3600, "60": 60, "absent": None}),
    "metadata": (
        metadata,
        {"both": [200, 200], "rfc8414": [200, 404], "openid": [404, 200], "none": [404, 404]},
    ),
    "revocation": (endpoint("revocation_endpoint", "/revoke"), {"on": (True, 200), "off": (False, 404)}),
    "introspection": (endpoint("introspection_endpoint", "/introspect"), {"on": (True, 200), "off": (False, 404)}),
    "registration_endpoint": (registration_endpoint, {"on": (True, 201), "off": (False, 404)}),
}
