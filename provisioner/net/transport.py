"""The wire: one request, one complete answer, or which of two things went wrong. The only importer of httpx.

What decides everything to the right of here is whether the request can have reached the server. `NotSent` is raised
only where it certainly did not; everything else that is no complete answer is `NoAnswer`.
"""

from __future__ import annotations

import logging
import ssl
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from http.cookiejar import CookieJar, DefaultCookiePolicy
from ipaddress import ip_address
from pathlib import Path
from threading import Lock, Timer
from typing import Any, NamedTuple

import httpx

from provisioner.net import embedded

MAX_BODY = 1 << 20  # bytes, after decompression
# Seconds: below every usual server's own, so that no request meets a closing connection. Then it is closed, and not
# only forgotten: a server that serves one connection after the other would never come to the next.
_KEEP_ALIVE = 0.5
_CONNECT_TIMEOUT = 10.0

_TALKATIVE = ("httpx", *(f"httpcore.{part}" for part in ("connection", "http11", "http2", "proxy", "socks")))
_NEVER_LEFT = (
    httpx.ConnectError,  # refused, name not found, TLS: httpcore maps the whole handshake to it
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,  # the proxy would not open the tunnel
    httpx.UnsupportedProtocol,
    httpx.InvalidURL,
)


class NotSent(Exception):
    """Nothing of the request left this machine towards the server. `passing`: trying again may help."""

    def __init__(self, reason: str, *, passing: bool = True) -> None:
        super().__init__(reason)
        self.passing = passing


class Unwanted(NotSent):
    """The run stopped before it was sent."""

    def __init__(self) -> None:
        super().__init__("the run is stopping", passing=False)


class NoAnswer(Exception):
    """The request may have arrived, and no complete answer came back. `whole` True: one came, and is too large."""

    def __init__(self, reason: str, *, whole: bool = False) -> None:
        super().__init__(reason)
        self.whole = whole


class Raw(NamedTuple):
    status: int
    headers: Mapping[str, str]
    body: bytes


class _Kind(NamedTuple):
    """Clients differ by where they go and whether they may reuse a connection."""

    route: str  # "sandbox", "plain" (loopback without TLS), "loopback" (with TLS), "outside"
    fresh: bool


@lru_cache(64)
def is_loopback(host: str) -> bool:
    """`localhost`, 127.0.0.0/8 and ::1: what plain http and no proxy are for."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


@lru_cache(64)  # a run asks few addresses often, and parsing one is an eighth of a request's cost
def _parsed(url: str) -> httpx.URL:
    try:
        return httpx.URL(url)
    except httpx.InvalidURL:
        return httpx.URL("")


class _Idle(NamedTuple):
    client: httpx.Client
    since: float  # of the monotonic clock


class Wire:
    """Clients for one session. Thread-safe: a client is in the hands of one thread at a time, because httpx slows down
    badly when many threads share one connection pool. TLS is verified always."""

    def __init__(self, *, timeout: float, ca_file: str | None, sandbox: Path | None, max_body: int = MAX_BODY) -> None:
        self._max_body = max_body
        self._timeout = timeout
        self._ca_file = ca_file
        self._sandbox_path = sandbox
        self._sandbox: Any = None
        self._tls: ssl.SSLContext | None = None
        self._idle: dict[_Kind, list[_Idle]] = {}  # the longest idle first
        self._reaper: Timer | None = None  # while anything is idle
        self._closed = False
        self._lock = Lock()
        _silence()

    def exchange(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None, *, fresh: bool) -> Raw:
        """Sends once. `fresh`: on a connection of its own. Raises NotSent and NoAnswer, which carry no cause: httpx's
        errors hold the request, and with it its secrets."""
        kind = _Kind(self._route(url), fresh)
        with self._client(kind) as client:
            found = self._attempt(client, method, url, headers, body)
        if isinstance(found, Exception):
            raise found
        return found

    def close(self) -> None:
        """Closes what is idle now, and the rest when it is handed back."""
        with self._lock:
            self._closed = True
            idle = [found for each in self._idle.values() for found in each]
            self._idle.clear()
            sandbox, self._sandbox = self._sandbox, None
            reaper, self._reaper = self._reaper, None
        if reaper is not None:
            reaper.cancel()
        for found in idle:
            found.client.close()
        if hasattr(sandbox, "close"):
            sandbox.close()

    def _attempt(
        self, client: httpx.Client, method: str, url: str, headers: Mapping[str, str], body: bytes | None
    ) -> Raw | NotSent | NoAnswer:
        """Returns its errors instead of raising them: raised inside the handler, they would keep httpx's as context."""
        try:
            with client.stream(method, _parsed(url), headers=dict(headers), content=body) as response:
                return Raw(
                    response.status_code, {k.lower(): v for k, v in response.headers.items()}, self._read(response)
                )
        except _NEVER_LEFT as error:
            return _not_sent(error)
        except NoAnswer as error:
            return NoAnswer(str(error), whole=error.whole)
        except httpx.TimeoutException:
            return NoAnswer("no complete answer within the time limit")
        except httpx.HTTPError:
            return NoAnswer("the connection broke before the answer was complete")

    def _read(self, response: httpx.Response) -> bytes:
        """The body, bounded in size and, against a server that sends a byte at a time, in time."""
        deadline = time.monotonic() + self._timeout
        parts: list[bytes] = []
        size = 0
        for part in response.iter_bytes():
            size += len(part)
            if size > self._max_body:
                raise NoAnswer(f"the answer is larger than {self._max_body} bytes", whole=True)
            if time.monotonic() > deadline:
                raise NoAnswer("no complete answer within the time limit")
            parts.append(part)
        return b"".join(parts)

    def _route(self, url: str) -> str:
        parsed = _parsed(url)
        if self._sandbox_path is not None and parsed.host == embedded.HOST:
            return "sandbox"
        loopback = is_loopback(parsed.host)
        if parsed.scheme == "https" and parsed.host:
            return "loopback" if loopback else "outside"
        if parsed.scheme == "http" and loopback:
            return "plain"
        raise NotSent("plain http is for loopback only; the address must begin with https://", passing=False)

    @contextmanager
    def _client(self, kind: _Kind) -> Iterator[httpx.Client]:
        with self._lock:
            if self._closed:
                raise NotSent("the session is closed", passing=False)
            idle = self._idle.get(kind)
            client = idle.pop().client if idle else None
        client = client or self._build(kind)
        try:
            yield client
        except BaseException:  # an interrupt in mid-request: its connection must not serve another
            client.close()
            raise
        with self._lock:
            keep = not self._closed
            if keep:
                self._idle.setdefault(kind, []).append(_Idle(client, time.monotonic()))
                self._reap_later()
        if not keep:
            client.close()

    def _reap_later(self) -> None:
        """The lock is held. A daemon, so that it keeps no process from leaving."""
        if self._reaper is None:
            self._reaper = Timer(_KEEP_ALIVE, self._reap)
            self._reaper.daemon = True
            self._reaper.start()

    def _reap(self) -> None:
        """Closes what has been idle for as long as a connection is kept, and looks again while anything is idle."""
        over: list[httpx.Client] = []
        with self._lock:
            self._reaper = None
            ended = time.monotonic() - _KEEP_ALIVE
            for kind, idle in self._idle.items():
                over += [found.client for found in idle if found.since <= ended]
                self._idle[kind] = [found for found in idle if found.since > ended]
            if any(self._idle.values()):
                self._reap_later()
        for client in over:
            client.close()

    def _build(self, kind: _Kind) -> httpx.Client:
        limits = httpx.Limits(max_keepalive_connections=0 if kind.fresh else 4, keepalive_expiry=_KEEP_ALIVE)
        common: dict[str, Any] = {
            "timeout": httpx.Timeout(self._timeout, connect=min(self._timeout, _CONNECT_TIMEOUT)),
            "limits": limits,
            "follow_redirects": False,
            # a session cookie would let a dead token look alive
            "cookies": CookieJar(DefaultCookiePolicy(allowed_domains=[])),
        }
        if kind.route == "sandbox":
            return httpx.Client(transport=self._sandbox_transport(), trust_env=False, **common)
        if kind.route == "plain":
            # no TLS on this route, so no CA bundle is loaded for it (30 ms)
            return httpx.Client(verify=False, trust_env=False, **common)  # noqa: S501  # http:// to loopback only
        try:
            return httpx.Client(verify=self._tls_context(), trust_env=kind.route == "outside", **common)
        except (ImportError, ValueError):  # a socks proxy without its package, a proxy that is no URL
            pass
        raise NotSent("the proxy settings in the environment cannot be used", passing=False)

    def _tls_context(self) -> ssl.SSLContext:
        with self._lock:
            if self._tls is None:
                try:
                    self._tls = (
                        ssl.create_default_context(cafile=self._ca_file)
                        if self._ca_file
                        else httpx.create_ssl_context()
                    )
                except (OSError, ssl.SSLError):
                    raise NotSent(f"the CA file {self._ca_file} cannot be read", passing=False) from None
            return self._tls

    def _sandbox_transport(self) -> httpx.BaseTransport:
        with self._lock:
            if self._sandbox is None and self._sandbox_path is not None:
                self._sandbox = embedded.open_sandbox(self._sandbox_path)
            return _SandboxTransport(self._sandbox)


class _SandboxTransport(httpx.BaseTransport):
    """The embedded vendors without a socket. Where they let a connection break, they raise the built-in error that a
    socket would raise (`sandbox/faults.py`)."""

    def __init__(self, sandbox: Any) -> None:
        self._sandbox = sandbox

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        try:
            status, headers, body = self._sandbox.handle(
                request.method, str(request.url), dict(request.headers), request.read()
            )
        except ConnectionRefusedError:
            raise httpx.ConnectError("refused") from None
        except TimeoutError:
            raise httpx.ReadTimeout("timed out") from None
        except ConnectionError:
            raise httpx.ReadError("reset") from None
        return httpx.Response(status, headers=headers, content=body)


def _not_sent(error: Exception) -> NotSent:
    """Why, in words that hold nothing of the request."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return NotSent(f"its TLS certificate is not trusted ({cause.verify_message})", passing=False)
        if isinstance(cause, ssl.SSLError):
            return NotSent(f"TLS failed ({(cause.reason or 'handshake').replace('_', ' ').lower()})", passing=False)
        cause = cause.__cause__ or cause.__context__
    if isinstance(error, httpx.TimeoutException):
        return NotSent("no connection within the time limit")
    if isinstance(error, httpx.ProxyError):
        return NotSent("the proxy refused the connection")
    if isinstance(error, httpx.ConnectError):
        return NotSent("the connection was refused, or its name was not found")
    return NotSent("its address cannot be used", passing=False)


def _silence() -> None:
    """httpx logs whole URLs, httpcore logs headers; both hold secrets, and no log level makes that right."""
    for name in _TALKATIVE:
        logging.getLogger(name).disabled = True
