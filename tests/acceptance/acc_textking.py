"""TEXTKING as "Authorization and authentication" of its API's wiki describes it."""

from __future__ import annotations

from acc_code_flow import CodeFlow
from acc_server import Reply, Request, answer


class TextKing(CodeFlow):
    """One account with no scopes and no balance. The attributes are what the documentation leaves open."""

    takes_scope = False

    def __init__(self) -> None:
        super().__init__()
        self.client_id = "afcf6642-019b-45f8-b6c6-d00c1f73931b"
        self.life = 2592000
        self.life_is_text = True
        self.rotates = True  # a refresh answers a new refresh token
        self.error_body = "empty"  # or "xml", "json"

    def respond(self, request: Request) -> Reply:
        if (request.method, request.path) == ("POST", self.token_path):
            return self._token(request)
        if request.method == "GET" and request.path == "/v1/projects":
            if self.user(request.bearer) is None:
                return self.refuse(403)
            return answer({"page": 1, "per_page": int(request.query.get("per_page", 100)), "total": 0, "items": []})
        return self.refuse(404)

    def refuse(self, status: int, error: str = "invalid_grant") -> Reply:
        if self.error_body == "xml":
            return Reply(status, f"<error><code>{error}</code></error>".encode(), "application/xml")
        return answer({"error": error}, status) if self.error_body == "json" else Reply(status)

    def _token(self, request: Request) -> Reply:
        form = request.form
        if form is None or "Authorization" in request.headers:
            return self.refuse(400, "invalid_request")
        if (form.get("client_id"), form.get("client_secret")) != (self.client_id, self.client_secret):
            return self.refuse(400, "invalid_client")
        if form.get("grant_type") == "authorization_code":
            code = self.redeem(form)
            if code is None:
                return self.refuse(400)
            if form.get("offline_access") == "1":
                made = self.mint([], refresh=False)
                return answer({"access_token": made.access, "token_type": "bearer"})
            made = self.mint([], life=self.life)
        elif form.get("grant_type") == "refresh_token":
            renewed = self.renew(form.get("refresh_token"))
            if renewed is None:
                return self.refuse(400)
            made = renewed
            if not self.rotates:
                made.refresh = form["refresh_token"]
        else:
            return self.refuse(400, "unsupported_grant_type")
        body = {
            "access_token": made.access,
            "token_type": "bearer",
            "expires_in": self.life,
            "refresh_token": made.refresh,
        }
        if self.life_is_text:
            body["expires_in"] = str(self.life)
        if not self.rotates and form["grant_type"] == "refresh_token":
            del body["refresh_token"]
        return answer(body)
