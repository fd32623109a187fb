"""A vendor with a fixed latency and no cost of its own: what an apply is measured against.

The sandbox keeps books in SQLite and answers about 700 requests a second, so a fast client would measure the sandbox.
This one keeps nothing, and answers 20,000: EZ Texting's token pairs and balance, SMS.CX's list of applications, tokens
and balance. One asyncio protocol; the latency is a timer, so that any number of requests wait at once.

    python bench_vendor.py --latency-ms 50 --applications 1000       prints its port, then serves until it is killed

`GET /__stats` answers what was seen since the last time (requests, connections, the most in flight) and forgets it.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
from typing import Any

SCOPES = "sms groups"


class Seen:
    """What was asked of this server since somebody looked."""

    def __init__(self) -> None:
        self.requests = self.connections = self.in_flight = self.most = 0

    def taken(self) -> dict[str, int]:
        found = {"requests": self.requests, "connections": self.connections, "most_in_flight": self.most}
        self.requests = self.connections = self.most = 0
        return found


class Vendor(asyncio.Protocol):
    """One connection. Requests on it come one after another, as all clients measured here send them."""

    seen = Seen()
    latency = 0.0
    applications = b""
    numbers = itertools.count(1)
    transport: asyncio.Transport | None = None
    buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.seen.connections += 1

    def connection_lost(self, exc: Exception | None) -> None:
        self.transport = None

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        end = self.buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        head = self.buffer[:end]
        lower = head.lower()
        at = lower.find(b"content-length:")
        length = int(lower[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
        if len(self.buffer) < end + 4 + length:
            return
        self.buffer = b""
        self._take(head.split(b" ", 2)[1])

    def _take(self, path: bytes) -> None:
        if path == b"/__stats":
            self._send(json.dumps(self.seen.taken()).encode())
            return
        seen = self.seen
        seen.requests += 1
        seen.in_flight += 1
        seen.most = max(seen.most, seen.in_flight)
        if self.latency:
            asyncio.get_running_loop().call_later(self.latency, self._answer, path)
        else:
            self._answer(path)

    def _answer(self, path: bytes) -> None:
        self.seen.in_flight -= 1
        self._send(self._body(path))

    def _body(self, path: bytes) -> bytes:
        number = next(self.numbers)
        if path.endswith((b"/tokens/create", b"/tokens/refresh")):
            return b'{"accessToken":"a-%032d","refreshToken":"r-%032d","expiresInSeconds":5400}' % (number, number)
        if path.endswith(b"/oauth/token"):
            return b'{"access_token":"a-%032d","token_type":"Bearer","expires_in":86400,"scope":"%s"}' % (
                number,
                SCOPES.encode(),
            )
        if path.endswith(b"/applications"):
            return self.applications
        return b'{"totalCredits":9000,"planCredits":9000,"anytimeCredits":0,"balance":90,"currency":"EUR"}'

    def _send(self, body: bytes) -> None:
        if self.transport is not None:
            head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body)
            self.transport.write(head + body)


def applications(count: int) -> bytes:
    """SMS.CX's list, as the declarations of `bench_stacks.py` want it."""
    listed: list[dict[str, Any]] = [
        {
            "applicationId": f"id{number:06d}",
            "applicationSecret": f"s{number:06d}",
            "applicationName": f"app-{number:06d}",
            "scopes": SCOPES,
            "tokenExpiration": 86400,
        }
        for number in range(count)
    ]
    return json.dumps({"data": listed}, separators=(",", ":")).encode()


async def serve(latency: float, count: int) -> None:
    Vendor.latency, Vendor.applications = latency, applications(count)
    server = await asyncio.get_running_loop().create_server(Vendor, "127.0.0.1", 0, backlog=4096)
    print(server.sockets[0].getsockname()[1], flush=True)  # noqa: T201  # whoever started it waits for this line
    await server.serve_forever()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--latency-ms", type=float, default=0)
    parser.add_argument("--applications", type=int, default=0)
    options = parser.parse_args()
    asyncio.run(serve(options.latency_ms / 1000, options.applications))


if __name__ == "__main__":
    main()
