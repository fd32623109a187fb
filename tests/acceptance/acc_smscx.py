"""SMS.CX as its article on applications and its published API clients (1.0.2) describe it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from acc_server import Desk, Reply, Request, answer

SCOPES = [
    "sms",
    "viber",
    "whatsapp",
    "multichannel",
    "conversations",
    "reports",
    "groups",
    "originators",
    "templates",
    "shortlinks",
    "attachments",
    "optouts",
    "account",
    "applications",
    "numbers",
    "lookup",
    "otp",
    "firewall",
]


@dataclass
class App:
    client_id: str
    secret: str
    name: str | None
    scopes: str
    expiration: str
    made: str = "2026-01-02 03:04:05"


@dataclass
class Minted:
    access: str
    client_id: str
    scopes: list[str]
    made: float
    ends: float | None
    dead: bool = False

    def lives(self) -> bool:
        return not self.dead and (self.ends is None or time.time() < self.ends)


class SmsCx(Desk):
    """An account with a panel. The attributes are what the documentation leaves open."""

    def __init__(self) -> None:
        super().__init__()
        self.api_key = self.secret(24)
        self.apps: list[App] = []
        self.tokens: list[Minted] = []
        self.balance: float | int = 150.25
        self.currency = "eur"
        self.billing = "prepaid"
        self.empty_data: Any = []  # or {}
        self.grants_fewer: set[str] = set()  # scopes that are left out of a grant in silence
        self.life: int | None = None  # seconds instead of what the application's expiration says
        self.never: int = 0  # expires_in of a token that never ends

    # what a person does in the panel

    def add(self, name: str | None, scopes: str, expiration: str = "1 day") -> App:
        made = App(self.secret(), self.secret(), name, scopes, expiration)
        self.secrets.discard(made.client_id)
        self.apps.insert(0, made)
        return made

    def reset_secret(self, app: App) -> None:
        app.secret = self.secret()

    def revoke_all(self, app: App) -> None:
        for token in self.tokens:
            token.dead |= token.client_id == app.client_id

    @property
    def live(self) -> list[Minted]:
        return [token for token in self.tokens if token.lives()]

    # the API

    def refuse(self, status: int, kind: str, code: int = 1000) -> Reply:
        error = {"type": kind, "message": kind.replace("_", " "), "uri": "https://example.com/errors", "code": code}
        return answer({"error": error}, status)

    def respond(self, request: Request) -> Reply:
        if request.path == "/oauth/token":
            return self._token(request) if request.method == "POST" else self.refuse(405, "invalid_method")
        if request.method != "GET":
            return self.refuse(405, "invalid_method")
        head = {"X-Request-Id": "r1", "X-Rate-Limit-Limit": "100", "X-Rate-Limit-Remaining": "99"}
        if request.headers.get("X-API-KEY") is not None:
            if request.headers["X-API-KEY"] != self.api_key:
                return self.refuse(401, "invalid_api_key")
            held = set(SCOPES)
        else:
            token = next((t for t in self.live if t.access == request.bearer), None)
            if token is None:
                return self.refuse(401, "invalid_client")
            held = set(token.scopes)
        if request.path.split("/")[1] not in held:
            return self.refuse(403, "insufficient_scope")
        if request.path == "/account/balance":
            money = {"balance": self.balance, "currency": self.currency, "billing": self.billing}
            return answer(money, headers=head)
        if request.path == "/groups":
            return answer({"data": [], "paging": {"next": None, "previous": None, "size": 0}}, headers=head)
        if request.path == "/applications/scopes":
            return answer(SCOPES, headers=head)
        if request.path == "/applications":
            return answer({"data": [self._row(n, a) for n, a in enumerate(self.apps)] or self.empty_data}, headers=head)
        found = next((a for a in self.apps if request.path == f"/applications/{a.client_id}"), None)
        if found is None:
            return self.refuse(404, "not_found", 1500)
        detail = {"applicationId": found.client_id, "name": found.name, "scopes": found.scopes}
        return answer({**detail, "tokenExpiration": found.expiration, "settings": {}}, headers=head)

    def _row(self, number: int, app: App) -> dict[str, Any]:
        return {
            "id": 900 + number,
            "applicationId": app.client_id,
            "applicationSecret": app.secret,
            "applicationName": app.name,
            "scopes": app.scopes,
            "tokenExpiration": app.expiration,
            "createdAt": app.made,
        }

    def _token(self, request: Request) -> Reply:
        form = request.form
        if form is None or "grant_type" not in form or "client_secret" in form:
            return self.refuse(400, "invalid_request", 1600)
        if form["grant_type"] != "client_credentials":
            return self.refuse(400, "unsupported_grant_type", 1600)
        app = next((a for a in self.apps if (a.client_id, a.secret) == request.basic), None)
        if app is None:
            return self.refuse(401, "invalid_client", 1600)
        asked = form.get("scope", "").split() or app.scopes.split()
        if not set(asked) <= set(app.scopes.split()):
            return self.refuse(400, "invalid_scope", 1600)
        granted = [scope for scope in reversed(asked) if scope not in self.grants_fewer]
        life = self.life if self.life is not None else self._life(app.expiration)
        now = time.time()
        token = Minted(self.secret(), app.client_id, granted, now, now + life if life else None)
        self.tokens.append(token)
        return answer(
            {
                "access_token": token.access,
                "expires_in": life or self.never,
                "token_type": "Bearer",
                "scope": " ".join(granted),
            }
        )

    @staticmethod
    def _life(expiration: str) -> int:
        word = expiration.lower()
        if "never" in word:
            return 0
        return 604800 if "w" in word or word in ("7 days", "604800", "7d") else 86400
