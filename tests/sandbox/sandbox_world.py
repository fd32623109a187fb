"""A client of the sandbox over real sockets, with nothing between a test and the bytes."""

from __future__ import annotations

import base64
import http.client
import json as jsonlib
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, urlencode, urlsplit

from provisioner.sandbox.accounts import ACCOUNTS, SMSCX_APPLICATIONS
from provisioner.sandbox.app import Sandbox, open_sandbox
from provisioner.sandbox.serve import listen

FORM = "application/x-www-form-urlencoded"
EZ, CX, TM, TK, IDP = (ACCOUNTS[kind] for kind in ("eztexting", "smscx", "textmaster", "textking", "oauth2"))
APP = SMSCX_APPLICATIONS[0]
LOOPBACK = "http://127.0.0.1:9/callback"


@dataclass(frozen=True)
class Reply:
    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        return jsonlib.loads(self.body)

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def sent_back(self) -> dict[str, str]:
        """The query of the redirect."""
        return {name: values[0] for name, values in parse_qs(urlsplit(self.headers["location"]).query).items()}


class World:
    """`base` is a server on loopback; `sandbox` is the same data opened beside it, to steer and to look."""

    def __init__(self, base: str, sandbox: Sandbox) -> None:
        self.base = base
        self.sandbox = sandbox
        self._connection = http.client.HTTPConnection(urlsplit(base).netloc, timeout=10)

    def call(
        self,
        method: str,
        path: str,
        *,
        form: Mapping[str, str] | None = None,
        json: Any = None,
        body: bytes = b"",
        bearer: str | None = None,
        basic: tuple[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        sent = dict(headers or {})
        if form is not None:
            body, sent = urlencode(form).encode(), {"Content-Type": FORM, **sent}
        if json is not None:
            body, sent = jsonlib.dumps(json).encode(), {"Content-Type": "application/json", **sent}
        if bearer is not None:
            sent["Authorization"] = f"Bearer {bearer}"
        if basic is not None:
            sent["Authorization"] = "Basic " + base64.b64encode(":".join(basic).encode()).decode()
        try:
            self._connection.request(method, path, body, sent)
            answer = self._connection.getresponse()
            found = Reply(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
        except (OSError, http.client.HTTPException):
            self._connection.close()
            raise
        return found

    def get(self, path: str, **more: Any) -> Reply:
        return self.call("GET", path, **more)

    def post(self, path: str, **more: Any) -> Reply:
        return self.call("POST", path, **more)

    def set(self, **switches: str) -> None:
        """`set(eztexting__revoke="one")`."""
        for name, value in switches.items():
            self.sandbox.set_switch(name.replace("__", "."), value)

    # -- a person --------------------------------------------------------------------------------------------------

    def submit(self, page: Reply, button: str | None, **typed: str) -> Reply:
        """Sends the page's form as a browser would, with the button of this id."""
        action = re.search(r'<form method="post" action="([^"]+)"', page.text)
        hidden = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', page.text)
        pressed = re.search(rf'<button id="{button}" type="submit" name="([^"]+)" value="([^"]+)"', page.text)
        assert action, page.text
        fields = {unescape(name): unescape(value) for name, value in hidden} | typed
        if pressed:
            fields[pressed[1]] = pressed[2]
        return self.post(unescape(action[1]), form=fields)

    def authorize(self, path: str, *, button: str = "approve", **query: str) -> Reply:
        page = self.get(f"{path}?{urlencode(query)}")
        assert page.status == 200, page.text
        return self.submit(page, button)

    # -- shortcuts -------------------------------------------------------------------------------------------------

    def ez_pair(self) -> dict[str, Any]:
        answer = self.post("/eztexting/v1/tokens/create", json={"appKey": EZ["username"], "appSecret": EZ["password"]})
        return dict(answer.json())

    def ez_alive(self, access: str) -> bool:
        return self.get("/eztexting/v1/credits", bearer=access).status == 200

    def ez_refresh(self, refresh: str) -> Reply:
        return self.post("/eztexting/v1/tokens/refresh", json={"refreshToken": refresh})

    def ez_revoke(self, token: str, kind: str = "ACCESS_TOKEN") -> Reply:
        return self.post("/eztexting/v1/tokens/revoke", json={"token": token, "type": kind})

    def ez_buy(self, amount: object = 100, **more: object) -> Reply:
        body = {"credits": amount, "creditCardLastFour": EZ["card_last_four"], **more}
        return self.post("/eztexting/v1/credits/purchase", json=body, basic=(EZ["username"], EZ["password"]))

    def ez_balance(self) -> int:
        answer = self.get("/eztexting/v1/credits", basic=(EZ["username"], EZ["password"]))
        return int(answer.json()["totalCredits"])

    def cx_token(self, scope: str | None = "sms", app: Mapping[str, str] = APP) -> Reply:
        form = {"grant_type": "client_credentials"} | ({} if scope is None else {"scope": scope})
        return self.post("/smscx/oauth/token", form=form, basic=(app["client_id"], app["client_secret"]))

    def cx_get(self, path: str) -> Reply:
        return self.get(f"/smscx{path}", headers={"X-API-KEY": CX["api_key"]})

    def tm_code(self, scope: str = "user:read project:read", **more: str) -> str:
        query = {"client_id": TM["client_id"], "response_type": "code", "redirect_uri": LOOPBACK, "scope": scope}
        return self.authorize("/textmaster/oauth/authorize", **{**query, **more}).sent_back["code"]

    def tm_exchange(self, code: str, **more: str) -> Reply:
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": LOOPBACK}
        return self.post("/textmaster/oauth/token", form={**_pair(TM), **form, **more})

    def tm_pair(self, scope: str = "user:read project:read") -> dict[str, Any]:
        return dict(self.tm_exchange(self.tm_code(scope)).json())

    def tm_refresh(self, refresh: str) -> Reply:
        form = {"grant_type": "refresh_token", "refresh_token": refresh}
        return self.post("/textmaster/oauth/token", form={**_pair(TM), **form})

    def tm_me(self, access: str) -> Reply:
        return self.get("/textmaster/v1/clients/users/me", bearer=access, headers={"Accept": "application/json"})

    def tk_code(self, **more: str) -> str:
        query = {"client_id": TK["client_id"], "response_type": "code", "redirect_uri": LOOPBACK, **more}
        return self.authorize("/textking/oauth/authorize", **query).sent_back["code"]

    def tk_exchange(self, code: str, **more: str) -> Reply:
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": LOOPBACK}
        return self.post("/textking/oauth/token", form={**_pair(TK), **form, **more})

    def tk_pair(self) -> dict[str, Any]:
        return dict(self.tk_exchange(self.tk_code()).json())

    def tk_refresh(self, refresh: str) -> Reply:
        form = {"grant_type": "refresh_token", "refresh_token": refresh}
        return self.post("/textking/oauth/token", form={**_pair(TK), **form})

    def tk_alive(self, access: str) -> bool:
        return self.get("/textking/v1/projects?per_page=1", bearer=access).status == 200

    def idp(self, path: str, client: tuple[str, str] | None = None, /, **form: str) -> Reply:
        pair = client or (IDP["client_id"], IDP["client_secret"])
        quoted = (quote(pair[0], safe=""), quote(pair[1], safe=""))
        return self.post(f"/oauth2{path}", form=form, basic=quoted)

    def idp_token(self, scope: str = "credits:read") -> Reply:
        return self.idp("/token", grant_type="client_credentials", scope=scope)

    def idp_pair(self, scope: str = "credits:read") -> dict[str, Any]:
        query = {"client_id": IDP["client_id"], "response_type": "code", "redirect_uri": LOOPBACK, "scope": scope}
        code = self.authorize("/oauth2/authorize", **query).sent_back["code"]
        return dict(self.idp("/token", grant_type="authorization_code", code=code, redirect_uri=LOOPBACK).json())

    def idp_refresh(self, refresh: str, **more: str) -> Reply:
        return self.idp("/token", grant_type="refresh_token", refresh_token=refresh, **more)

    def idp_active(self, token: str) -> bool:
        return bool(self.idp("/introspect", token=token).json()["active"])

    def idp_register(self, **metadata: object) -> Reply:
        body = {"grant_types": ["client_credentials"], **metadata}
        return self.post("/oauth2/register", json=body, bearer=IDP["initial_access_token"])


def _pair(account: Mapping[str, str]) -> dict[str, str]:
    return {"client_id": account["client_id"], "client_secret": account["client_secret"]}


@contextmanager
def serving(folder: Path) -> Iterator[World]:
    """A sandbox served from a thread, and a client."""
    base, stop = listen(folder)
    sandbox = open_sandbox(folder)
    world = World(base, sandbox)
    try:
        yield world
    finally:
        world._connection.close()
        stop()
        sandbox.close()
