"""TextMaster as "Authorizing OAuth Apps" and its OpenAPI file describe it."""

from __future__ import annotations

import email
import email.policy
import time

from acc_code_flow import CodeFlow, Grant
from acc_server import Reply, Request, answer


class TextMaster(CodeFlow):
    """One account with a wallet. The attributes are what the documentation leaves open."""

    def __init__(self) -> None:
        super().__init__()
        self.wallet: float | int = 420.5
        self.currency = "EUR"
        self.revokes = True  # POST /oauth/revoke is there
        self.status = 200  # of a token answer; the vendor's own cartridge takes 201 as well

    def respond(self, request: Request) -> Reply:
        if (request.method, request.path) == ("POST", self.token_path):
            return self._token(request)
        if (request.method, request.path) == ("POST", "/oauth/revoke") and self.revokes:
            return self._revoke(request)
        if (request.method, request.path) == ("GET", "/v1/clients/users/me"):
            return self._me(request)
        return answer({"errors": {"base": ["Not Found"]}}, 404)

    def shrink(self, scope: str) -> None:
        """The person takes a scope from every live token, on the vendor's page."""
        for grant in self.grants:
            grant.scopes = [held for held in grant.scopes if held != scope]

    def take_back(self) -> None:
        """The person revokes the app."""
        for grant in self.grants:
            grant.dead = grant.refresh_dead = True

    def _form(self, request: Request) -> dict[str, str] | None:
        if request.headers.get_content_type() != "multipart/form-data":
            return request.form
        head = f"Content-Type: {request.headers['Content-Type']}\r\n\r\n".encode()
        parts = email.message_from_bytes(head + request.body, policy=email.policy.HTTP)
        return {
            str(part.get_param("name", header="Content-Disposition")): part.get_content().strip()
            for part in parts.iter_parts()
        }

    def _token(self, request: Request) -> Reply:
        form = self._form(request)
        if form is None or "grant_type" not in form:
            return answer({"error": "invalid_request", "error_description": "missing"}, 400)
        if (form.get("client_id"), form.get("client_secret")) != (self.client_id, self.client_secret):
            return answer({"error": "invalid_client", "error_description": "Client authentication failed"}, 401)
        if form["grant_type"] == "authorization_code":
            code = self.redeem(form)
            made = None if code is None else self.mint(code.scopes or ["public"], life=self.life)
        elif form["grant_type"] == "refresh_token":
            made = self.renew(form.get("refresh_token"))
        else:
            return answer({"error": "unsupported_grant_type"}, 400)
        if made is None:
            return answer({"error": "invalid_grant", "error_description": "The provided grant is invalid"}, 400)
        body = {
            "access_token": made.access,
            "token_type": "Bearer",
            "expires_in": self.life,
            "refresh_token": made.refresh,
            "scope": " ".join(reversed(made.scopes)),
            "created_at": int(time.time()),
        }
        return answer(body, self.status)

    def _revoke(self, request: Request) -> Reply:
        form = request.form or {}
        if (form.get("client_id"), form.get("client_secret")) != (self.client_id, self.client_secret):
            return answer({"error": "unauthorized_client"}, 403)
        for grant in self.grants:
            if form.get("token") in (grant.access, grant.refresh):
                grant.dead = grant.refresh_dead = True
        return answer({})

    def _me(self, request: Request) -> Reply:
        dead = {"error": "invalid_token", "error_description": "The access token is invalid"}
        grant: Grant | None = self.user(request.bearer)
        if grant is None:
            return answer(dead, 401)
        if not {"user:read", "user:manage", "user:write", "user:email"} & set(grant.scopes):
            return answer(dead, 403)
        wallet = {"current_money": self.wallet, "currency_code": self.currency}
        return answer({"id": "5c" * 12, "ident": "C-982C-FM", "locale": "en-EU", "wallet": wallet})
