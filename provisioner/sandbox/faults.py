"""Faults that can be armed, and what becomes of a request that meets one.

A fault strikes `before` the vendor acts (nothing happened) or `after` it committed (it happened, and the client does
not learn it). Both look the same to a client, which is the point.

The contract with an in-process transport: where no complete answer comes, `Sandbox.handle` raises `Dropped`, which is
also the built-in error that a socket would show: ConnectionRefusedError for `refuse` (nothing was sent;
httpx.ConnectError), TimeoutError for `stall` (raised at once, nobody waits; httpx.ReadTimeout), ConnectionError for
`reset` (httpx.ReadError) and `truncate` (`status`, `headers` and `partial` came before the cut). Over HTTP the server
really resets (SO_LINGER 0), sleeps and cuts; a `refuse` there is a reset before anything was done, because the
connection already stands.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from provisioner.sandbox.wire import Request, Response, json_response

if TYPE_CHECKING:
    import sqlite3

KINDS = ("refuse", "reset", "stall", "truncate", "slow", "status", "html", "redirect", "wrong-shape")
LONGEST = 3600  # seconds of a stall or a slow answer
NO_ANSWER = frozenset({"refuse", "reset", "stall"})


class Dropped(ConnectionError):
    """No complete answer comes. `kind`: refuse, reset, stall or truncate; `seconds`: how long a stall lasts; `length`:
    the size that a truncated answer announced."""

    def __init__(
        self, kind: str, partial: bytes = b"", *, response: Response | None = None, seconds: float = 0
    ) -> None:
        super().__init__(f"the sandbox was told to {kind} this request")
        self.kind = kind
        self.partial = partial
        self.status = response.status if response else None
        self.headers = response.headers if response else []
        self.length = len(response.body) if response else 0
        self.seconds = seconds


class Refused(Dropped, ConnectionRefusedError):
    """`refuse`."""


class Stalled(Dropped, TimeoutError):
    """`stall`."""


_ERRORS: dict[str, type[Dropped]] = {"refuse": Refused, "stall": Stalled}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What to do to the `nth` matching request (1 = the next one) and the `times - 1` matching ones after it.

    `vendor`, `operation` and `path` (a substring of the path below the vendor's segment) narrow; None matches all.
    `seconds`: of a stall or a slow answer. `headers`: added to a `status`, e.g. a Retry-After of whichever spelling.
    """

    kind: str
    when: str = "before"
    vendor: str | None = None
    operation: str | None = None
    path: str | None = None
    nth: int = 1
    times: int = 1
    status: int = 503
    seconds: float = 5.0
    location: str = "https://elsewhere.invalid/"
    headers: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"{self.kind!r} is not a kind of fault; one of: {', '.join(KINDS)}")
        if self.when not in {"before", "after"}:
            raise ValueError('when is "before" or "after"')
        if self.kind == "refuse" and self.when == "after":
            raise ValueError("a refused connection reaches no vendor, so it cannot strike after one")
        if min(self.nth, self.times) < 1:
            raise ValueError("nth and times count from 1")
        if not 100 <= self.status <= 599 or not 0 <= self.seconds <= LONGEST:
            raise ValueError(f"status is 100 to 599, seconds 0 to {LONGEST}")
        named = (self.vendor, self.operation, self.path, self.location)
        if not all(isinstance(text, str) for text in (*self.headers, *self.headers.values(), *filter(None, named))):
            raise ValueError("vendor, operation, path, location and headers are text")

    @classmethod
    def from_json(cls, given: dict[str, Any]) -> Fault:
        """`retry_after_header` (a mapping of one header) is taken as `headers`. Raises ValueError, TypeError and
        AttributeError where a member is none of what it should be: armed, it would only break a connection."""
        found = dict(given)
        extra = found.pop("retry_after_header", None)
        fault = cls(**found)
        return cls(**{**asdict(fault), "headers": {**fault.headers, **extra}}) if isinstance(extra, dict) else fault

    def matches(self, vendor: str, operation: str, path: str) -> bool:
        return (
            self.vendor in {None, vendor}
            and self.operation in {None, operation}
            and (self.path is None or self.path in path)
        )

    def spoil(self, request: Request, honest: Response | None) -> Response:
        """The answer in place of `honest` (None: the vendor never acted). Raises Dropped where none comes."""
        if self.kind == "truncate":
            whole = honest or json_response(200, {"truncated": True})
            raise Dropped(self.kind, whole.body[: len(whole.body) // 2], response=whole)
        if self.kind in NO_ANSWER:
            raise _ERRORS.get(self.kind, Dropped)(self.kind, seconds=self.seconds)
        if self.kind == "status":
            return Response(self.status, list(self.headers.items()), b"")
        if self.kind == "redirect":
            return Response(302, [("Location", self.location)], b"")
        if self.kind == "wrong-shape":
            return json_response(200, {"result": ["of", "another", "shape"], "path": request.path})
        page = b"<!doctype html><title>Maintenance</title><p>We will be back soon."
        return Response(200, [("Content-Type", "text/html; charset=utf-8")], page)


def arm(db: sqlite3.Connection, fault: Fault) -> int:
    """Stored, so that it strikes whichever process serves the matching request. Returns its number."""
    return db.execute("INSERT INTO faults(body) VALUES (?)", [json.dumps(asdict(fault))]).lastrowid or 0


def armed(db: sqlite3.Connection) -> list[dict[str, Any]]:
    return [
        {"id": number, **json.loads(body)} for number, body in db.execute("SELECT id, body FROM faults ORDER BY id")
    ]


def strike(db: sqlite3.Connection, vendor: str, operation: str, path: str) -> Fault | None:
    """The fault that this request meets, counted down. Every fault that matches counts; the oldest due one strikes."""
    due: Fault | None = None
    for number, body in db.execute("SELECT id, body FROM faults ORDER BY id").fetchall():
        fault = Fault(**json.loads(body))
        if not fault.matches(vendor, operation, path) or (fault.nth == 1 and due is not None):
            continue
        if fault.nth > 1:
            changed: dict[str, Any] | None = {**asdict(fault), "nth": fault.nth - 1}
        else:
            due = fault
            changed = {**asdict(fault), "times": fault.times - 1} if fault.times > 1 else None
        if changed is None:
            db.execute("DELETE FROM faults WHERE id = ?", [number])
        else:
            db.execute("UPDATE faults SET body = ? WHERE id = ?", [json.dumps(changed), number])
    return due
