"""An authorization server that does what it can otherwise, each oddity by its name.

All of them were seen: at Authlib's, canaille's and the MCP SDK's servers, Doorkeeper, GitHub, Google, Okta, or between
the lines of RFC 7592. What lives is its own memory.
"""

from __future__ import annotations

import base64
import http.server
import json
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qs, quote, unquote_plus, urlencode, urlsplit

Answer = tuple[int, dict[str, str], Any]
DEVICE = "urn:ietf:params:oauth:grant-type:device_code"


class Odd:
    """`quirks`: `reuse`, `put-wants-secret`, `errors-with-200` (and commas between scopes), `token-changes-when-read`,
    `basic-only` (at revocation and introspection), `said` (announces that), `public-may-not-revoke`,
    `introspection-for-others`, `tenant`, `wants-nonce`, `error-without-iss`, `says-little` (answers without expires_in
    and scope; a refresh without another refresh token), `says-much` (strings, charset, another order and case),
    `wants-name` (`client_id` beside Basic), `unmanaged` (registered clients cannot be changed or deleted),
    `secret-ends` (theirs, in ten minutes)."""

    def __init__(self, origin: str, quirks: frozenset[str]) -> None:
        self.origin = origin
        self.issuer = f"{origin}/tenant" if "tenant" in quirks else origin
        self.quirks = quirks
        self.clients: dict[str, dict[str, Any]] = {}
        self.tokens: list[dict[str, Any]] = []  # client, access, refresh, scope; alive and refreshable
        self.codes: dict[str, str] = {}
        self.asked: list[tuple[str, str, dict[str, Any]]] = []  # path, method of authentication, parameters
        self.polls = 0

    def add(self, client: str, secret: str | None, method: str = "client_secret_basic") -> None:
        """As an administrator does by hand."""
        self.clients[client] = {"secret": secret, "method": method, "meta": {"scope": "read write openid"}, "reg": ""}

    def alive(self, client: str | None = None) -> int:
        """Access and refresh tokens that somebody could still use."""
        mine = [t for t in self.tokens if client in (None, t["client"])]
        return sum(t["alive"] + t["refreshable"] for t in mine)

    # -- requests ------------------------------------------------------------------------------------------------------

    def answer(self, method: str, target: str, headers: dict[str, str], body: bytes) -> Answer:
        parts = urlsplit(target)
        given = {name: values[0] for name, values in parse_qs(parts.query or body.decode()).items()}
        if "/.well-known/" in parts.path:
            return self._metadata(parts.path)
        if parts.path.startswith("/clients"):
            return self._client(method, parts.path, headers, json.loads(body or b"{}"))
        who, how = self._who(given, headers)
        self.asked.append((parts.path, how, given))
        if parts.path == "/authorize":
            return self._authorize(given)
        if parts.path == "/introspect" and "introspection-for-others" in self.quirks:
            return 401, {"WWW-Authenticate": 'Bearer realm="resource servers"'}, ""
        if parts.path in ("/revoke", "/introspect"):
            barred = how == "none" and "public-may-not-revoke" in self.quirks and parts.path == "/revoke"
            if barred or (how not in ("client_secret_basic", "none") and "basic-only" in self.quirks):
                return 401, {}, {"error": "invalid_client"}
        if "wants-name" in self.quirks and "client_id" not in given:
            return 401, {}, {"error": "invalid_client", "error_description": "Missing client_id"}
        if who is None:
            return self._no("invalid_client", 401)
        handle: Callable[[str, dict[str, str]], Answer] = getattr(self, f"_{parts.path[1:]}")
        return handle(who, given)

    def _who(self, given: dict[str, str], headers: dict[str, str]) -> tuple[str | None, str]:
        if headers.get("Authorization", "").startswith("Basic "):
            pair = base64.b64decode(headers["Authorization"][6:]).decode().partition(":")
            client, secret, how = unquote_plus(pair[0]), unquote_plus(pair[2]), "client_secret_basic"
        else:
            client, secret = given.get("client_id", ""), given.get("client_secret", "")
            how = "client_secret_post" if secret else "none"
        known = self.clients.get(client)
        right = known is not None and (known["secret"] or "") == secret
        return (client if right else None), how

    def _no(self, error: str, status: int = 400) -> Answer:
        return (200 if "errors-with-200" in self.quirks else status), {}, {"error": error}

    def _metadata(self, path: str) -> Answer:
        document: dict[str, Any] = {"issuer": self.issuer}
        if "tenant" in self.quirks and not path.startswith("/tenant/"):
            return 200, {}, {**document, "issuer": self.origin}  # another one of the same server
        if "tenant" in self.quirks and not path.endswith("/oauth-authorization-server"):
            return 404, {}, ""
        for member, name in (("authorization", "authorize"), ("token", "token"), ("revocation", "revoke"),
                             ("introspection", "introspect"), ("registration", "clients"),
                             ("device_authorization", "device")):  # fmt: skip
            document[f"{member}_endpoint"] = f"{self.origin}/{name}"
        document["authorization_response_iss_parameter_supported"] = True
        if "said" in self.quirks:
            document["token_endpoint_auth_methods_supported"] = ["client_secret_basic", "client_secret_post", "none"]
            document |= {f"{at}_endpoint_auth_methods_supported": ["client_secret_basic"]
                         for at in ("revocation", "introspection")}  # fmt: skip
        return 200, {}, document

    def _authorize(self, given: dict[str, str]) -> Answer:
        back = {"state": given["state"], "iss": self.issuer}
        if "wants-nonce" in self.quirks and "openid" in given["scope"] and "nonce" not in given:
            back = {**back, "error": "invalid_request"}
        elif "error-without-iss" in self.quirks:
            back = {"state": given["state"], "error": "invalid_scope", "error_description": "no such scope"}
        else:
            code = secrets.token_urlsafe(12) + "!+/="
            self.codes[code] = given["scope"]
            back = {**back, "code": code}
        return 302, {"Location": f"{given['redirect_uri']}?{urlencode(back, quote_via=quote)}"}, ""

    def _token(self, client: str, given: dict[str, str]) -> Answer:
        kind = given["grant_type"]
        if kind == "authorization_code":
            scope = self.codes.pop(given["code"], None)
            return self._no("invalid_grant") if scope is None else self._grant(client, scope, True)
        if kind == DEVICE:
            self.polls += 1
            return self._no("authorization_pending") if self.polls == 1 else self._grant(client, "read", True)
        if kind == "refresh_token":
            found = next((t for t in self.tokens if t["refresh"] == given["refresh_token"] and t["refreshable"]), None)
            if found is None:
                return self._no("bad_refresh_token" if "errors-with-200" in self.quirks else "invalid_grant")
            found["alive"] = False
            keeps = "says-little" in self.quirks
            found["refreshable"] = keeps
            return self._grant(client, found["scope"], not keeps, found["grant"])
        scope = given.get("scope", "read")
        if set(scope.split()) - {"read", "write"}:
            return self._no("invalid_scope")
        old = next((t for t in self.tokens if (t["client"], t["scope"], t["alive"]) == (client, scope, True)), None)
        return self._shown(old) if old is not None and "reuse" in self.quirks else self._grant(client, scope, False)

    def _grant(self, client: str, scope: str, refresh: bool, grant: str | None = None) -> Answer:
        made = {"client": client, "grant": grant or secrets.token_urlsafe(9), "scope": scope,
                "access": secrets.token_urlsafe(24), "alive": True,
                "refresh": secrets.token_urlsafe(24) if refresh else None, "refreshable": refresh}  # fmt: skip
        self.tokens.append(made)
        return self._shown(made)

    def _shown(self, made: dict[str, Any]) -> Answer:
        shown = {"access_token": made["access"], "token_type": "Bearer"}
        if made["refresh"] is not None:
            shown["refresh_token"] = made["refresh"]
        if "says-little" in self.quirks:
            return 200, {}, shown
        if "says-much" in self.quirks:
            backwards = " ".join(sorted(made["scope"].split(), reverse=True))
            odd = {"token_type": "bearer", "expires_in": "3600", "scope": backwards, "id_token": None, "n": 1.5}
            return 201, {"Content-Type": "application/json;charset=UTF-8"}, {**shown, **odd}
        between = "," if "errors-with-200" in self.quirks else " "  # both are GitHub's
        return 200, {}, {**shown, "expires_in": 3600, "scope": between.join(made["scope"].split())}

    def _revoke(self, client: str, given: dict[str, str]) -> Answer:
        """RFC 7009 section 2.1: with a refresh token go the access tokens of its grant; not the other way round."""
        whole = {t["grant"] for t in self.tokens if t["refresh"] == given["token"] and t["client"] == client}
        for made in self.tokens:
            if made["client"] == client and (made["grant"] in whole or made["access"] == given["token"]):
                made["alive"] = False
            made["refreshable"] = made["refreshable"] and made["grant"] not in whole
        return 200, {}, ""

    def _introspect(self, client: str, given: dict[str, str]) -> Answer:
        for made in self.tokens:
            half = {made["access"]: "alive", made["refresh"]: "refreshable"}.get(given["token"])
            if half is not None and made[half] and made["client"] == client:
                return 200, {}, {"active": True, "scope": made["scope"]}
        return 200, {}, {"active": False}

    def _device(self, client: str, given: dict[str, str]) -> Answer:
        return 200, {}, {"device_code": "d", "user_code": "AB-CD", "expires_in": 600, "interval": 1,
                         "verification_url": f"{self.origin}/page"}  # fmt: skip

    # -- clients -------------------------------------------------------------------------------------------------------

    def _client(self, method: str, path: str, headers: dict[str, str], given: dict[str, Any]) -> Answer:
        if method == "POST":
            name = f"c-{len(self.clients)}"
            self.clients[name] = {"secret": secrets.token_urlsafe(24), "meta": given, "reg": secrets.token_urlsafe(9)}
            return self._registered(201, name)
        name = path.rpartition("/")[2]
        known = self.clients.get(name)
        if known is None or headers.get("Authorization") != f"Bearer {known['reg']}":
            return 401, {}, {"error": "invalid_token"}
        if method == "DELETE":
            del self.clients[name]
            return 204, {}, ""
        if method == "GET" and "token-changes-when-read" in self.quirks:
            known["reg"] = secrets.token_urlsafe(9)
        if method == "PUT":
            if "put-wants-secret" in self.quirks and given.get("client_secret") != known["secret"]:
                return 400, {}, {"error": "invalid_client_metadata"}
            known["meta"] = {n: v for n, v in given.items() if n not in ("client_id", "client_secret")}
        return self._registered(200, name)

    def _registered(self, status: int, name: str) -> Answer:
        known = self.clients[name]
        ours = {"client_id": name, "client_secret": known["secret"], "registration_access_token": known["reg"],
                "registration_client_uri": f"{self.origin}/clients/{name}"}  # fmt: skip
        if "unmanaged" in self.quirks:
            ours = {name: ours[name] for name in ("client_id", "client_secret")}
        if "secret-ends" in self.quirks:
            ours |= {"client_id_issued_at": int(time.time()) - 3000, "client_secret_expires_at": int(time.time()) + 600}
        return status, {}, {**known["meta"], **ours}


@contextmanager
def odd(*quirks: str) -> Iterator[Odd]:
    """On 127.0.0.1, for as long as the block lasts."""
    in_turn = threading.Lock()  # its memory takes one request at a time

    class Handler(http.server.BaseHTTPRequestHandler):
        def _any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            with in_turn:
                status, headers, content = one.answer(self.command, self.path, dict(self.headers), body)
            raw = content.encode() if isinstance(content, str) else json.dumps(content).encode()
            self.send_response(status)
            for name, value in {"Content-Type": "application/json", **headers}.items():
                self.send_header(name, value)
            if status != http.HTTPStatus.NO_CONTENT:
                self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        do_GET = do_POST = do_PUT = do_DELETE = _any  # noqa: N815  # http.server's names

        def log_message(self, *_: object) -> None:
            """Quiet: requests hold secrets."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads, server.block_on_close = True, False
    one = Odd(f"http://127.0.0.1:{server.server_port}", frozenset(quirks))
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    try:
        yield one
    finally:
        server.shutdown()
        server.server_close()
