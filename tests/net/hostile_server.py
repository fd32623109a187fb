"""A server on 127.0.0.1 that misbehaves on demand, over real sockets, and remembers every request that reached it."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple


class Seen(NamedTuple):
    """One request as it arrived. `connection` numbers the connections, so that reuse can be told."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes
    connection: int


Behaviour = Callable[[socket.socket, Seen], bool]  # whether the connection serves another request


def reply(status: int, body: Any = b"", headers: dict[str, str] | None = None, *, keep: bool = True) -> Behaviour:
    """A complete answer; what is no bytes is written as JSON."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()

    def behave(connection: socket.socket, _: Seen) -> bool:
        sent = {"Content-Length": str(len(raw)), **(headers or {})}
        head = "".join(f"{name}: {value}\r\n" for name, value in sent.items())
        connection.sendall(f"HTTP/1.1 {status} Whatever\r\n{head}\r\n".encode() + raw)
        return keep

    return behave


def reset(connection: socket.socket, _: Seen) -> bool:
    """The request was read, then RST: what a crash, a deployment or a middlebox shows."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    return False


def hang_up(_: socket.socket, __: Seen) -> bool:
    """The request was read, then FIN without a byte of answer."""
    return False


def stall(connection: socket.socket, _: Seen) -> bool:
    """Nothing, until the client has gone."""
    connection.settimeout(5)
    with contextlib.suppress(OSError):
        connection.recv(1)
    return False


def truncate(connection: socket.socket, _: Seen) -> bool:
    """Half of what was announced."""
    connection.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"access_token": "')
    return False


def drip(connection: socket.socket, _: Seen) -> bool:
    """A byte at a time, always before any single wait runs out."""
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    with contextlib.suppress(OSError):
        for _byte in range(60):
            connection.sendall(b" ")
            threading.Event().wait(0.05)
    return False


HTML = reply(200, b"<!doctype html><title>Maintenance</title>", {"Content-Type": "text/html"})
ELSEWHERE = reply(307, b"", {"Location": "https://elsewhere.invalid/taken"})


class Hostile:
    """`seen` holds what arrived; `script` decides what happens: one behaviour for all, or a function of the request."""

    def __init__(self, tls: Path | None = None) -> None:
        self._context = _context(tls) if tls else None
        self.seen: list[Seen] = []
        self.behaviour: Behaviour = reply(200, {})
        self.script: Callable[[Seen], Behaviour | None] = lambda _: None
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._connections = 0
        self._open: list[socket.socket] = []
        self._lock = threading.Lock()
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def count(self, method: str = "POST") -> int:
        return sum(seen.method == method for seen in self.seen)

    def close(self) -> None:
        self._listener.close()
        with self._lock:
            for connection in self._open:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                self._connections += 1
                number = self._connections
                self._open.append(connection)
            threading.Thread(target=self._serve, args=(connection, number), daemon=True).start()

    def _wrap(self, connection: socket.socket) -> socket.socket:
        return self._context.wrap_socket(connection, server_side=True) if self._context else connection

    def _serve(self, connection: socket.socket, number: int) -> None:
        with (
            contextlib.suppress(OSError, ValueError),
            self._wrap(connection) as connection,
            connection.makefile("rb") as stream,
        ):
            while True:
                seen = _read(stream, number)
                if seen is None:
                    return
                with self._lock:
                    self.seen.append(seen)
                behave = self.script(seen) or self.behaviour
                if not behave(connection, seen):
                    return


def _context(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


def _read(stream: Any, number: int) -> Seen | None:
    line = stream.readline().decode("latin-1").split()
    if len(line) != 3:
        return None
    headers = {}
    while (text := stream.readline().decode("latin-1").strip()) != "":
        name, _, value = text.partition(":")
        headers[name.lower()] = value.strip()
    body = stream.read(int(headers.get("content-length", "0")))
    return Seen(line[0], line[1], headers, body, number)


@contextmanager
def hostile(tls: Path | None = None) -> Iterator[Hostile]:
    """`tls`: a PEM file with certificate and key."""
    server = Hostile(tls)
    try:
        yield server
    finally:
        server.close()


def closed_port() -> int:
    """A port of 127.0.0.1 on which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
