"""A session that answers from a table and remembers what it was sent, and the small things that OAuth tests share.

It keeps `Session`'s two promises: `read` returns any answer below 500, `change` returns a complete 2xx or 4xx.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast
from urllib.parse import urlencode, urljoin

from provisioner.address import Address
from provisioner.errors import InDoubt, RateLimited, Unreachable
from provisioner.model.desired import Application, ProviderConfig, Reference
from provisioner.model.recorded import ApplicationRecord, Sealed, TokenRecord
from provisioner.net.answers import Answer
from provisioner.net.session import Session
from provisioner.providers.base import ClientCredentials
from provisioner.secret import Secret
from provisioner.times import from_rfc3339

CANARY = "s3cr3t+/=%:c4n4ry"
CLIENT = ClientCredentials(client_id="cid", client_secret=Secret(CANARY))


@dataclass
class Sent:
    """One request, with its secrets revealed: what the wire would carry."""

    method: str
    url: str
    form: list[tuple[str, str]]
    basic: tuple[str, str] | None
    bearer: str | None
    json: Any
    repeatable: bool = False

    @property
    def fields(self) -> dict[str, str]:
        found = dict(self.form)
        assert len(found) == len([name for name, _ in self.form if name != "resource"]) + ("resource" in found)
        return found


def answer(status: int, body: object = None, **headers: str) -> Answer:
    """JSON for anything but bytes; None is an empty body."""
    raw = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
    return Answer(status, headers, raw)


Script = Answer | Exception | Callable[[Sent], Answer]


@dataclass
class FakeSession:
    """`table` is by URL, or by `METHOD URL`; a list is answered in order, its last element for ever."""

    table: Mapping[str, Script | list[Script]]
    sent: list[Sent] = field(default_factory=list)

    def read(self, method: str, url: str, **given: Any) -> Answer:
        found = self._answer(method, url, given)
        if found.status >= 500:
            raise Unreachable("unreachable", "no answer")
        return found

    def change(self, method: str, url: str, **given: Any) -> Answer:
        found = self._answer(method, url, given)
        if found.status == 429:
            raise RateLimited("rate-limited", "slower")
        if not (200 <= found.status < 300 or 400 <= found.status < 500):
            raise InDoubt("in-doubt", "no complete answer")
        return found

    def close(self) -> None:
        pass

    def _answer(self, method: str, url: str, given: Mapping[str, Any]) -> Answer:
        basic, bearer, form = given.get("basic"), given.get("bearer"), given.get("form") or ()
        sent = Sent(
            method,
            url,
            [(name, plain(value)) for name, value in (form() if callable(form) else form)],
            (basic[0], plain(basic[1])) if basic else None,
            plain(bearer) if bearer else None,
            given.get("json"),
            bool(given.get("repeatable")),
        )
        self.sent.append(sent)
        script = self.table.get(f"{method} {url}", self.table.get(url, answer(404)))
        if isinstance(script, list):
            script = script.pop(0) if len(script) > 1 else script[0]
        if isinstance(script, Exception):
            raise script
        return script if isinstance(script, Answer) else script(sent)


def as_session(fake: FakeSession) -> Session:
    return cast("Session", fake)


def plain(value: str | Secret) -> str:
    return value.reveal() if isinstance(value, Secret) else value


def config(type_name: str, base_url: str = "", **settings: Any) -> ProviderConfig:
    return ProviderConfig(name="idp", type=type_name, base_url=base_url, settings=settings)


def application(**given: Any) -> Application:
    return Application(**{"address": Address("application", "app"), "provider": "idp", "name": "app", **given})


def record(type_name: str = "oauth2", **given: Any) -> ApplicationRecord:
    standard: dict[str, Any] = {
        "id": "obj-1",
        "address": Address("application", "app"),
        "provider": "idp",
        "provider_type": type_name,
        "name": "app",
        "client_id": "cid",
    }
    return ApplicationRecord(**{**standard, **given})


def token_record(**given: Any) -> TokenRecord:
    standard: dict[str, Any] = {
        "id": "tok-1",
        "address": Address("token", "app"),
        "application": Address("application", "app"),
        "consumer": None,
        "provider": "idp",
        "provider_type": "oauth2",
        "status": "live",
        "issued_at": from_rfc3339("2026-11-01T00:00:00Z"),
        "client_id": "cid",
    }
    return TokenRecord(**{**standard, **given})


def resolve(reference: Reference) -> Secret:
    """References resolve to their own text, so that a test sees which was asked for."""
    return Secret(reference if isinstance(reference, str) else f"{reference.kind}-{reference.value}")


def sealed(text: str) -> Sealed:
    return Sealed("key", 1, text)


def opener(found: Any, object_id: str, name: str) -> Secret:
    assert isinstance(found, Sealed)
    return Secret(f"{found.blob}:{object_id}:{name}")


def everything_said(error: BaseException) -> str:
    """All that a user could come to see of an error."""
    import traceback

    diagnostics = getattr(error, "diagnostics", ())
    return "".join(traceback.format_exception(error)) + repr(diagnostics) + repr(vars(error))


def approve(sandbox: Any, url: str, decision: str = "approve") -> str:
    """A person at the sandbox's consent page: the redirect's URL, or the text of the page that shows the code."""
    status, _, page = sandbox.handle("GET", url, {}, b"")
    assert status == 200
    headers, page = decide(sandbox, url, page.decode(), decision)
    location = headers.get("Location")
    return location if location is not None else found_in(r'id="code"[^>]*>([^<]+)<', page).strip()


def approve_device(sandbox: Any, url: str, user_code: str, decision: str = "approve") -> None:
    """A person who types the code of a device, and decides."""
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    _, _, page = sandbox.handle("POST", url, form, urlencode({"user_code": user_code}).encode())
    decide(sandbox, url, page.decode(), decision)


def decide(sandbox: Any, url: str, page: str, decision: str) -> tuple[dict[str, str], str]:
    target = urljoin(url, found_in(r'action="([^"]+)"', page))
    body = urlencode({"ticket": found_in(r'name="ticket" value="([^"]+)"', page), "decision": decision}).encode()
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    _, headers, answered = sandbox.handle("POST", target, form, body)
    return dict(headers), answered.decode()


def found_in(pattern: str, page: str) -> str:
    match = re.search(pattern, page)
    assert match is not None, pattern
    return match[1]
