"""A vendor over loopback HTTP, written from the vendor's documentation alone: nothing here knows `provisioner`.

`Desk` is one vendor's front door: it keeps every request that came, plays the faults that a test arms, and leaves the
answers to a subclass. What a vendor's documentation leaves open is an attribute of the subclass, which a test sets.
"""

from __future__ import annotations

import base64
import contextlib
import json
import secrets
import socket
import struct
import threading
import time
import urllib.parse
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from email.message import Message

PAGE = b"<!doctype html><title>Maintenance</title><p>We will be back soon.</p>"


@dataclass
class Request:
    """One request as it came. `form` and `json` are strict: None for what is not exactly that."""

    method: str
    path: str
    query: dict[str, str]
    headers: Message
    body: bytes

    @property
    def form(self) -> dict[str, str] | None:
        if self.headers.get_content_type() != "application/x-www-form-urlencoded":
            return None
        try:
            pairs = urllib.parse.parse_qsl(
                self.body.decode("ascii"), keep_blank_values=True, strict_parsing=bool(self.body)
            )
        except (ValueError, UnicodeDecodeError):
            return None
        return dict(pairs) if len(dict(pairs)) == len(pairs) else None

    @property
    def json(self) -> dict[str, Any] | None:
        if self.headers.get_content_type() != "application/json":
            return None
        try:
            found = json.loads(self.body)
        except ValueError:
            return None
        return found if isinstance(found, dict) else None

    @property
    def bearer(self) -> str | None:
        scheme, _, value = self.headers.get("Authorization", "").partition(" ")
        return value if scheme == "Bearer" else None

    @property
    def basic(self) -> tuple[str, str] | None:
        scheme, _, value = self.headers.get("Authorization", "").partition(" ")
        if scheme != "Basic":
            return None
        try:
            name, _, word = base64.b64decode(value, validate=True).decode().partition(":")
        except ValueError:
            return None
        return name, word


@dataclass
class Reply:
    status: int = 200
    body: bytes = b""
    kind: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)


def answer(given: Any, status: int = 200, headers: dict[str, str] | None = None) -> Reply:
    """A JSON answer."""
    return Reply(status, json.dumps(given).encode(), headers=headers or {})


@dataclass
class Fault:
    """What goes wrong with the next `times` requests of a method and path.

    `how` is a status, or `drop` (the connection is reset), `half` (half of the body), `html` (200, a page), `shape`
    (200, JSON of another shape), `hang` (nothing comes for `seconds`). `after`: once the vendor has done its work.
    """

    path: str
    how: int | str
    method: str | None = None
    times: int = 1
    after: bool = False
    seconds: float = 60.0
    headers: dict[str, str] = field(default_factory=dict)


class Desk:
    """One vendor on a port of its own. Use it as a context manager, or call `close`."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, str]] = []
        self.bodies: list[tuple[str, bytes]] = []
        self.agents: set[str] = set()
        self.faults: list[Fault] = []
        self.secrets: set[str] = set()
        self.gate = threading.RLock()
        self.closing = threading.Event()
        self.before: Callable[[Request], None] | None = None
        desk = self

        class Handler(_Handler):
            owner = desk

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 64

            def handle_error(self, *_: object) -> None:
                """A client that hangs up is none of our business."""

        self._server = Server(("127.0.0.1", 0), Handler)
        self.base = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def close(self) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()

    def arm(self, path: str, how: int | str, **more: Any) -> None:
        with self.gate:
            self.faults.append(Fault(path, how, **more))

    def calm(self) -> None:
        with self.gate:
            self.faults.clear()

    def count(self, path: str) -> int:
        """How many requests came for a path."""
        with self.gate:
            return sum(1 for _, seen in self.requests if seen == path)

    def secret(self, size: int = 20) -> str:
        """A fresh secret value, remembered for the canary hunt."""
        made = secrets.token_hex(size)
        self.secrets.add(made)
        return made

    def respond(self, request: Request) -> Reply:
        raise NotImplementedError

    def fault_for(self, request: Request) -> Fault | None:
        with self.gate:
            for fault in self.faults:
                if fault.path == request.path and fault.method in (None, request.method):
                    fault.times -= 1
                    if fault.times <= 0:
                        self.faults.remove(fault)
                    return fault
        return None


class _Handler(BaseHTTPRequestHandler):
    owner: Desk
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *_: object) -> None:
        """Quiet: a test's output is what it asserts."""

    def handle_one_request(self) -> None:
        with contextlib.suppress(ConnectionError):
            super().handle_one_request()

    def _serve(self) -> None:
        url = urllib.parse.urlsplit(self.path)
        size = int(self.headers.get("Content-Length") or 0)
        request = Request(
            self.command,
            url.path,
            dict(urllib.parse.parse_qsl(url.query, keep_blank_values=True)),
            self.headers,
            self.rfile.read(size),
        )
        desk = self.owner
        if desk.before is not None:
            desk.before(request)
        with desk.gate:
            desk.requests.append((request.method, request.path))
            desk.bodies.append((request.path, request.body))
            fault = desk.fault_for(request)
            reply = Reply() if fault and not fault.after else desk.respond(request)
        if fault is None:
            self._send(reply)
        else:
            self._spoil(fault, reply)

    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = _serve  # noqa: N815 - http.server's names

    def _send(self, reply: Reply, size: int | None = None) -> None:
        self.send_response(reply.status)
        if reply.body:
            self.send_header("Content-Type", reply.kind)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        if reply.status != 204:
            self.send_header("Content-Length", str(len(reply.body) if size is None else size))
        self.end_headers()
        self.wfile.write(reply.body)

    def _spoil(self, fault: Fault, reply: Reply) -> None:
        if isinstance(fault.how, int):
            self._send(Reply(fault.how, b"", headers=fault.headers))
        elif fault.how == "html":
            self._send(Reply(200, PAGE, "text/html"))
        elif fault.how == "shape":
            self._send(answer({"unexpected": ["shape"], "ok": 1}))
        elif fault.how == "half":
            whole = reply.body or b'{"accessToken": "never-whole", "access_token": "never-whole"}'
            self._send(Reply(reply.status, whole[: len(whole) // 2]), size=len(whole))
            self.close_connection = True
        else:
            if fault.how == "hang":
                self.owner.closing.wait(fault.seconds)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
            self.close_connection = True


def wait_until(when: float) -> None:
    """Real time has to pass where a token's life is measured by a server's clock."""
    time.sleep(max(0.0, when - time.time()))
