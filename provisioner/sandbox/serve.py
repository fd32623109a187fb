"""The embedded vendors over HTTP on 127.0.0.1: `sandbox serve`, and the page that `authorize` needs in process.

http.server with `wbufsize = -1`: as it comes, each keep-alive answer waits 40 ms for a delayed ACK.
"""

from __future__ import annotations

import contextlib
import http.server
import signal
import socket
import struct
import threading
import time
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path
from typing import Any

from provisioner.sandbox.accounts import ACCOUNTS
from provisioner.sandbox.app import Sandbox, open_sandbox
from provisioner.sandbox.faults import Dropped
from provisioner.sandbox.wire import Response, json_response

MAX_BODY = 1 << 20
LOOPBACK_NAMES = frozenset({"127.0.0.1", "localhost", "sandbox.invalid"})


def serve(
    port: int,
    data: Path,
    ready: Callable[[dict[str, Any]], None],
    *,
    latency_ms: float = 0,
    stop: threading.Event | None = None,
) -> None:
    """Serves until interrupted (or `stop` is set), and calls `ready` once with what `description` says.

    `port` 0 takes a free one. Raises OSError where the port is taken. SIGTERM ends it as Ctrl-C does.
    """
    ended = stop or threading.Event()
    sandbox = open_sandbox(data)
    server = _Server(port, sandbox, latency_ms)
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, lambda *_: ended.set())
    worker = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True)
    worker.start()
    try:
        ready(description(server.base, sandbox))
        while not ended.wait(0.5):
            pass
    except KeyboardInterrupt:
        pass
    finally:
        _end(server, sandbox)


def listen(
    path: Path, port: int = 0, *, latency_ms: float = 0, as_host: str | None = None
) -> tuple[str, Callable[[], None]]:
    """Serves the sandbox kept in `path` from a thread of this process: (`http://127.0.0.1:PORT`, stop).

    `as_host`: the name under which the vendors take every request, whatever a browser called them. The OAuth server
    names itself by it as the issuer, and the client beside it in this process knows no other."""
    sandbox = open_sandbox(path)
    server = _Server(port, sandbox, latency_ms)
    server.as_host = as_host
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    return server.base, lambda: _end(server, sandbox)


def description(base: str, sandbox: Sandbox | None = None) -> dict[str, Any]:
    """The one JSON line of `sandbox serve` (contract section 3): a flat object a vendor type.

    TEXTKING knows no out-of-band redirect, so its `redirect_uri` is a loopback one with a port that is free now; the
    seeded applications take any port and path there (RFC 8252 section 7.3).
    """
    from provisioner.sandbox.smscx import ANNOUNCED

    found: dict[str, Any] = {kind: {"base_url": f"{base}/{kind}", **account} for kind, account in ACCOUNTS.items()}
    found["smscx"]["applications"] = sandbox.applications() if sandbox else ANNOUNCED
    found["textking"]["redirect_uri"] = f"http://127.0.0.1:{_free_port()}/callback"
    found["oauth2"]["issuer"] = found["oauth2"]["base_url"]
    return found


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, port: int, sandbox: Sandbox, latency_ms: float) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.sandbox = sandbox
        self.latency = latency_ms / 1000
        self.stopping = threading.Event()
        self.base = f"http://127.0.0.1:{self.server_port}"
        self.as_host: str | None = None

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away is no news."""


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True
    server_version = "sandbox"
    sys_version = ""
    server: _Server

    def _serve(self) -> None:
        body = self._body()
        if body is None:
            return
        if self.server.latency:
            time.sleep(self.server.latency)
        url = f"http://{self.server.as_host or self.headers.get('Host') or self.server.base[7:]}{self.path}"
        headers = {name: ", ".join(self.headers.get_all(name, [])) for name in self.headers}
        try:
            status, answered, content = self.server.sandbox.handle(self.command, url, headers, body)
        except Dropped as dropped:
            self._drop(dropped)
            return
        self._send(Response(status, answered, content))

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_OPTIONS = _serve  # noqa: N815 - http.server's names

    def _body(self) -> bytes | None:
        """The request's body, or None where it was refused and answered: another host's name (DNS rebinding), a
        body of unknown or unreasonable length."""
        host = (self.headers.get("Host") or "127.0.0.1").rpartition(":")
        name = host[0] if host[1] and host[2].isdigit() else "".join(host)
        length = self.headers.get("Content-Length", "0")
        if name not in LOOPBACK_NAMES:
            self._refuse(HTTPStatus.MISDIRECTED_REQUEST, "this server answers to loopback names only")
        elif "Transfer-Encoding" in self.headers or not length.isdigit():
            self._refuse(HTTPStatus.LENGTH_REQUIRED, "send a Content-Length")
        elif int(length) > MAX_BODY:
            self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "no vendor takes a body of this size")
        else:
            return self.rfile.read(int(length))
        return None

    def _refuse(self, status: HTTPStatus, text: str) -> None:
        self.close_connection = True
        self._send(json_response(status, {"error": text}))

    def _send(self, response: Response, *, length: int | None = None) -> None:
        self.send_response(response.status)
        for name, value in response.headers:
            self.send_header(name, value)
        if response.status != HTTPStatus.NO_CONTENT:
            self.send_header("Content-Length", str(len(response.body) if length is None else length))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(response.body)

    def _drop(self, dropped: Dropped) -> None:
        self.close_connection = True
        if dropped.kind == "stall":
            self.server.stopping.wait(dropped.seconds)
        elif dropped.kind == "truncate" and dropped.length:  # of an empty body nothing can be cut, so it is a reset
            headers = list(dropped.headers)
            self._send(Response(dropped.status or 200, headers, dropped.partial), length=dropped.length)
            self.wfile.flush()
            return
        self._reset()

    def _reset(self) -> None:
        """RST instead of FIN: what a crashed peer or a middlebox sends."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        for stream in (self.rfile, self.wfile, self.connection):
            with contextlib.suppress(OSError):
                stream.close()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - http.server's name
        """Quiet: request lines would carry codes."""


def _end(server: _Server, sandbox: Sandbox) -> None:
    server.stopping.set()
    server.shutdown()
    server.server_close()
    sandbox.close()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
