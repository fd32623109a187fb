"""An OAuth 2.0 server of RFC 6749, 7009, 7591, 7592, 7662 and 8414, as plain as they allow."""

from __future__ import annotations

import time
import urllib.parse
from dataclasses import dataclass, field
from typing import Any

from acc_server import Desk, Reply, Request, answer


@dataclass
class Client:
    client_id: str
    secret: str
    scopes: set[str]
    name: str = ""
    method: str = "client_secret_basic"
    registration_token: str | None = None
    metadata: dict[str, Any] = field(default_factory=dict)


@dataclass
class Issued:
    access: str
    refresh: str | None
    client_id: str
    scopes: list[str]
    ends: float
    dead: bool = False

    def lives(self) -> bool:
        return not self.dead and time.time() < self.ends


class OAuth(Desk):
    """`path` is the issuer's path. The attributes are what the RFCs leave open."""

    def __init__(self, path: str = "") -> None:
        super().__init__()
        self.issuer = self.base + path
        self._path = path
        self.claims_issuer = self.issuer
        self.initial_access_token = self.secret(16)
        self.clients: dict[str, Client] = {}
        self.issued: list[Issued] = []
        self.life: int | None = 3600
        self.life_is_text = False
        self.offers = {"revocation", "introspection", "registration"}
        self.drops_unknown_scopes = False  # in silence, and leaves `scope` out
        self.grants_fewer: set[str] = set()
        self.refreshes = False  # a refresh token comes with client credentials
        self.rotates = True
        self.revokes_in_vain = False  # 200, and the token lives on
        self.known_scopes = {"credits:read", "credits:write", "profile"}

    def client(self, *scopes: str, method: str = "client_secret_basic") -> Client:
        """A client that an administrator made, with a secret that has to be encoded."""
        made = Client("app:" + self.secret(6), "s+/=%:" + self.secret(12), set(scopes), method=method)
        self.secrets.discard(made.client_id[4:])
        self.clients[made.client_id] = made
        return made

    @property
    def live(self) -> list[Issued]:
        return [token for token in self.issued if token.lives()]

    def respond(self, request: Request) -> Reply:
        if request.path == f"/.well-known/oauth-authorization-server{self._path}":
            return answer(self._metadata())
        routes = {"/as/token": self._token, "/as/revoke": self._revoke, "/as/introspect": self._introspect}
        if request.method == "POST" and request.path in routes:
            return routes[request.path](request)
        if request.path == "/as/register" and request.method == "POST":
            return self._register(request)
        if request.path.startswith("/as/register/"):
            return self._manage(request)
        return Reply(404)

    def _metadata(self) -> dict[str, Any]:
        found: dict[str, Any] = {
            "issuer": self.claims_issuer,
            "authorization_endpoint": f"{self.base}/as/authorize",
            "token_endpoint": f"{self.base}/as/token",
            "response_types_supported": ["code"],
            "grant_types_supported": ["client_credentials", "refresh_token"],
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        }
        names = {"revocation": "revoke", "introspection": "introspect", "registration": "register"}
        for offer in self.offers:
            found[f"{offer}_endpoint"] = f"{self.base}/as/{names[offer]}"
        return found

    def _who(self, request: Request) -> Client | None:
        """The client, by one of the two ways and never both."""
        form = request.form or {}
        if request.basic is not None and "client_secret" not in form:
            name, word = (urllib.parse.unquote_plus(half) for half in request.basic)
            method = "client_secret_basic"
        elif request.basic is None:
            name, word, method = form.get("client_id", ""), form.get("client_secret", ""), "client_secret_post"
        else:
            return None
        found = self.clients.get(name)
        return found if found is not None and (found.secret, found.method) == (word, method) else None

    @staticmethod
    def _unknown() -> Reply:
        return answer({"error": "invalid_client"}, 401, {"WWW-Authenticate": 'Basic realm="as"'})

    def _token(self, request: Request) -> Reply:
        form, client = request.form, self._who(request)
        if form is None:
            return answer({"error": "invalid_request"}, 400)
        if client is None:
            return self._unknown()
        if form.get("grant_type") == "refresh_token":
            old = next((t for t in self.issued if t.refresh == form.get("refresh_token") and not t.dead), None)
            if old is None or not old.refresh:
                return answer({"error": "invalid_grant"}, 400)
            old.dead = True
            return self._mint(client, old.scopes, old.scopes, None if self.rotates else old.refresh)
        if form.get("grant_type") != "client_credentials":
            return answer({"error": "unsupported_grant_type"}, 400)
        asked = form.get("scope", "").split() or sorted(client.scopes)
        granted = [scope for scope in asked if scope in client.scopes and scope in self.known_scopes]
        if len(granted) < len(asked) and not self.drops_unknown_scopes:
            return answer({"error": "invalid_scope", "error_description": "a scope is not for this client"}, 400)
        return self._mint(client, asked, [scope for scope in granted if scope not in self.grants_fewer], None)

    def _mint(self, client: Client, asked: list[str], granted: list[str], refresh: str | None) -> Reply:
        token = Issued(self.secret(24), refresh, client.client_id, granted, time.time() + (self.life or 3600))
        if self.refreshes and refresh is None:
            token.refresh = self.secret(24)
        self.issued.append(token)
        body: dict[str, Any] = {"access_token": token.access, "token_type": "bearer", "x_unknown_member": {"a": 1}}
        if self.life is not None:
            body["expires_in"] = str(self.life) if self.life_is_text else self.life
        if granted != asked and not self.drops_unknown_scopes:
            body["scope"] = " ".join(granted)
        if token.refresh and (self.rotates or refresh is None):
            body["refresh_token"] = token.refresh
        return answer(body, headers={"Cache-Control": "no-store"})

    def _revoke(self, request: Request) -> Reply:
        client = self._who(request)
        if client is None:
            return self._unknown()
        given = (request.form or {}).get("token")
        for token in self.issued:
            if given in (token.access, token.refresh) and token.client_id == client.client_id:
                token.dead = token.dead or not self.revokes_in_vain
        return Reply()

    def _introspect(self, request: Request) -> Reply:
        if self._who(request) is None:
            return self._unknown()
        given = (request.form or {}).get("token")
        found = next((t for t in self.live if given in (t.access, t.refresh)), None)
        if found is None:
            return answer({"active": False})
        scope = " ".join(found.scopes)
        return answer({"active": True, "scope": scope, "client_id": found.client_id, "exp": int(found.ends)})

    # RFC 7591 and 7592

    def _register(self, request: Request) -> Reply:
        if request.bearer != self.initial_access_token:
            return answer({"error": "invalid_token"}, 401, {"WWW-Authenticate": 'Bearer error="invalid_token"'})
        asked = request.json
        if asked is None:
            return answer({"error": "invalid_client_metadata"}, 400)
        made = Client(
            "reg-" + self.secret(6),
            self.secret(16),
            set(str(asked.get("scope", "")).split()) or set(self.known_scopes),
            name=str(asked.get("client_name", "")),
            method=str(asked.get("token_endpoint_auth_method", "client_secret_basic")),
            registration_token=self.secret(16),
            metadata=dict(asked),
        )
        self.secrets.discard(made.client_id[4:])
        self.clients[made.client_id] = made
        return answer(self._shown(made), 201)

    def _shown(self, client: Client) -> dict[str, Any]:
        return {
            **client.metadata,
            "client_id": client.client_id,
            "client_secret": client.secret,
            "client_secret_expires_at": 0,
            "registration_client_uri": f"{self.base}/as/register/{client.client_id}",
            "registration_access_token": client.registration_token,
        }

    def _manage(self, request: Request) -> Reply:
        client = self.clients.get(request.path.rpartition("/")[2])
        if client is None or request.bearer != client.registration_token:
            return answer({"error": "invalid_token"}, 401)
        if request.method == "GET":
            return answer(self._shown(client))
        if request.method == "DELETE":
            del self.clients[client.client_id]  # its tokens live on: RFC 7592 does not say that they die
            return Reply(204)
        asked = request.json or {}
        forbidden = {"registration_access_token", "registration_client_uri", "client_secret_expires_at"}
        if request.method != "PUT" or asked.get("client_id") != client.client_id or forbidden & set(asked):
            return answer({"error": "invalid_client_metadata"}, 400)
        client.metadata = {name: value for name, value in asked.items() if name != "client_secret"}
        client.name = str(asked.get("client_name", ""))
        client.scopes = set(str(asked.get("scope", "")).split()) or set(self.known_scopes)
        return answer(self._shown(client))
