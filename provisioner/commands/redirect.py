"""The loopback end of an authorization (RFC 8252 section 7.3): one answer, a deadline, a page that says how it ended.

Loaded by `authorize` only, because http.server is heavy. Only the loopback interface is ever bound.
"""

from __future__ import annotations

import http.server
import socket
import threading
import time
from collections.abc import Callable
from hmac import compare_digest
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit, urlunsplit

from provisioner.errors import Invalid
from provisioner.render.browser_page import browser_page, policy

_HOSTS = {"127.0.0.1": "127.0.0.1", "localhost": "127.0.0.1", "::1": "::1"}
# An answer with somebody else's state is never taken. It ends the wait this much later, so that a forged one can
# neither keep the true one out nor leave the command hanging; in seconds.
_AFTER_FORGERY = 5.0
_FOR_THE_END = 3.0  # seconds that the page waits to say how it ended, before it says that it goes on


class Page(NamedTuple):
    """What the person reads in the browser; nothing secret."""

    title: str
    text: str
    good: bool = False
    status: int = 200


_GOES_ON = Page("The answer has arrived", "The terminal says whether a token was issued and recorded.", good=True)
_FORGED = Page(
    "Not this authorization",
    "This answer does not belong to the authorization that is waiting, so nothing was taken from it.",
    status=400,
)
_ELSE = Page("Nothing is here", "Only the answer to an authorization is taken on this port.", status=404)


def is_loopback(redirect_uri: str) -> bool:
    parts = urlsplit(redirect_uri)
    return parts.scheme == "http" and parts.hostname in _HOSTS


class Listener:
    """Listens from construction on, so that no answer can come too early. `redirect_uri` is the one to send: where the
    declared one names no port, one that is free now (RFC 8252 section 7.3)."""

    def __init__(self, declared: str) -> None:
        parts = urlsplit(declared)
        self.path = parts.path or "/"
        self.state = ""
        self.answer: str | None = None
        self._forged: tuple[str, float] | None = None
        self._arrived = threading.Event()
        self._ended = threading.Event()  # how it ended is known, or nobody will say
        self._shown = threading.Event()  # the page has been written
        self._end = _GOES_ON
        self._one = threading.Lock()
        host = _HOSTS[parts.hostname or ""]
        try:
            self._server = _server(host, parts.port or 0, self._take, self._shown.set)
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
        """The redirect's path and query; None where nobody answered in time. Afterwards nothing more is taken."""
        self.state = state
        end = time.monotonic() + seconds
        found = None
        while self.answer is None and (left := end - time.monotonic()) > 0:
            if self._forged is not None and time.monotonic() - self._forged[1] > _AFTER_FORGERY:
                found = self._forged[0]
                break
            self._arrived.wait(min(left, 0.1))
        self._stop()
        return self.answer or found

    def say(self, page: Page) -> None:
        """How it ended, for the page that the person is looking at."""
        self._end = page
        self._ended.set()

    def close(self) -> None:
        """Ends at once; a page that still waits is written first."""
        self._ended.set()
        if self.answer is not None:
            self._shown.wait(2.0)
        self._stop()

    def _stop(self) -> None:
        """One answer is all that is waited for: the port is closed to whoever comes later."""
        with self._one:
            self._server.shutdown()
            self._server.server_close()

    def _take(self, target: str) -> Page:
        parts = urlsplit(target)
        if parts.path != self.path:
            return _ELSE
        given = parse_qs(parts.query).get("state", [""])[0]
        if not self.state or not compare_digest(given.encode(), self.state.encode()):
            self._forged = self._forged or (target, time.monotonic())
            return _FORGED
        with self._one:
            first = self.answer is None
            self.answer = self.answer or target
        self._arrived.set()
        if first:
            self._ended.wait(_FOR_THE_END)
        return self._end


def _server(
    host: str, port: int, take: Callable[[str], Page], written: Callable[[], None]
) -> http.server.ThreadingHTTPServer:
    class Handler(http.server.BaseHTTPRequestHandler):
        timeout = 10
        server_version = "provisioner"
        sys_version = ""

        def do_GET(self) -> None:  # http.server's name
            found = take(self.path)
            try:
                self._show(found)
            finally:
                if found.status == 200:
                    written()

        def _show(self, found: Page) -> None:
            page = browser_page(found.title, found.text, good=found.good).encode()
            self.send_response(found.status)
            for name, value in (
                ("Content-Type", "text/html; charset=utf-8"),
                ("Content-Length", str(len(page))),
                ("Cache-Control", "no-store"),
                ("Content-Security-Policy", policy()),
                ("X-Frame-Options", "DENY"),
                ("X-Content-Type-Options", "nosniff"),
                ("Referrer-Policy", "no-referrer"),  # the address bar holds the code
                ("Connection", "close"),
            ):
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(page)
            self.wfile.flush()

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # http.server's name
            """Quiet: the request line holds the code."""

    class Server(http.server.ThreadingHTTPServer):
        daemon_threads = True
        block_on_close = False
        address_family = socket.AF_INET6 if ":" in host else socket.AF_INET

        def handle_error(self, request: Any, client_address: Any) -> None:
            """A browser that goes away is no news, and a traceback would show the code."""

    return Server((host, port), Handler)
