"""The loopback end of an authorization (RFC 8252 section 7.3): one answer, a deadline, a plain page.

Loaded by `authorize` only, because http.server is heavy. Only the loopback interface is ever bound.
"""

from __future__ import annotations

import http.server
import socket
import threading
import time
from collections.abc import Callable
from hmac import compare_digest
from typing import Any
from urllib.parse import parse_qs, urlsplit, urlunsplit

from provisioner.errors import Invalid

_HOSTS = {"127.0.0.1": "127.0.0.1", "localhost": "127.0.0.1", "::1": "::1"}
# An answer with somebody else's state is never taken. It ends the wait this much later, so that a forged one can
# neither
# keep the true one out nor leave the command hanging; in seconds.
_AFTER_FORGERY = 5.0

_DONE = "The answer has arrived. You can close this page and go back to the terminal."
_FORGED = "This answer does not belong to the authorization that is waiting."
_ELSE = "Nothing is here."


def is_loopback(redirect_uri: str) -> bool:
    parts = urlsplit(redirect_uri)
    return parts.scheme == "http" and parts.hostname in _HOSTS


class Listener:
    """Listens from construction on, so that no answer can come too early. `redirect_uri` is the one to send: where the
    declared one names no port, one that is free now."""

    def __init__(self, declared: str) -> None:
        parts = urlsplit(declared)
        self.path = parts.path or "/"
        self.state = ""
        self.answer: str | None = None
        self._forged: tuple[str, float] | None = None
        self._arrived = threading.Event()
        host = _HOSTS[parts.hostname or ""]
        try:
            self._server = _server(host, parts.port or 0, self._take)
        except OSError as fault:
            raise Invalid(
                "usage",
                f"The redirect_uri {declared} cannot be listened on: {fault.strerror}",
                "Stop what listens there, or declare another port that the vendor accepts too.",
            ) from None
        netloc = parts.netloc if parts.port else f"{parts.netloc.rstrip(':')}:{self._server.server_address[1]}"
        self.redirect_uri = urlunsplit(parts._replace(netloc=netloc))
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def wait(self, state: str, seconds: float) -> str | None:
        """The redirect's path and query; None where nobody answered in time."""
        self.state = state
        end = time.monotonic() + seconds
        while self.answer is None and (left := end - time.monotonic()) > 0:
            if self._forged is not None and time.monotonic() - self._forged[1] > _AFTER_FORGERY:
                return self._forged[0]
            self._arrived.wait(min(left, 0.1))
        return self.answer

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _take(self, target: str) -> tuple[int, str]:
        parts = urlsplit(target)
        if parts.path != self.path:
            return 404, _ELSE
        given = parse_qs(parts.query).get("state", [""])[0]
        if not self.state or not compare_digest(given.encode(), self.state.encode()):
            self._forged = self._forged or (target, time.monotonic())
            return 400, _FORGED
        if self.answer is None:
            self.answer = target
            self._arrived.set()
        return 200, _DONE


def _server(host: str, port: int, take: Callable[[str], tuple[int, str]]) -> http.server.ThreadingHTTPServer:
    class Handler(http.server.BaseHTTPRequestHandler):
        timeout = 10

        def do_GET(self) -> None:  # http.server's name
            status, text = take(self.path)
            page = f'<!doctype html><meta charset="utf-8"><title>provisioner</title><p>{text}</p>\n'.encode()
            self.send_response(status)
            for name, value in (
                ("Content-Type", "text/html; charset=utf-8"),
                ("Content-Length", str(len(page))),
                ("Cache-Control", "no-store"),
                ("Referrer-Policy", "no-referrer"),  # the address bar holds the code
                ("Connection", "close"),
            ):
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(page)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # http.server's name
            """Quiet: the request line holds the code."""

    class Server(http.server.ThreadingHTTPServer):
        daemon_threads = True
        block_on_close = False
        address_family = socket.AF_INET6 if ":" in host else socket.AF_INET

        def handle_error(self, request: Any, client_address: Any) -> None:
            """A browser that goes away is no news, and a traceback would show the code."""

    return Server((host, port), Handler)
