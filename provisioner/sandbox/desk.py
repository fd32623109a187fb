"""What a vendor's handler works with during one request: the transaction, the vendor's clock, its switches, its tokens.

Everything a handler makes or kills it does here, so the ledger hears of it without the handler's doing.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from provisioner.sandbox.switches import SWITCHES

_COLUMNS = (
    "id, client, scope, family, parent, issued, "
    "access, access_ends, access_killed, refresh, refresh_ends, refresh_killed"
)


@dataclass(frozen=True, slots=True)
class Token:
    """One issue: an access token and perhaps a refresh token, both only as digests. Times are Unix seconds."""

    id: int
    client: str
    scope: str
    family: str
    parent: int | None
    issued: float
    access: str | None
    access_ends: float | None
    access_killed: float | None
    refresh: str | None
    refresh_ends: float | None
    refresh_killed: float | None

    def access_lives(self, now: float) -> bool:
        return self.access is not None and _lives(self.access_killed, self.access_ends, now)

    def refresh_lives(self, now: float) -> bool:
        return self.refresh is not None and _lives(self.refresh_killed, self.refresh_ends, now)


class Desk:
    """One request at one vendor. `now` is the vendor's clock; `note` adds to this request's ledger entry."""

    def __init__(self, db: sqlite3.Connection, vendor: str, now: float, switches: Mapping[str, str]) -> None:
        self.db = db
        self.vendor = vendor
        self.now = now
        self._switches = switches
        self.made: list[str] = []
        self.killed: list[str] = []
        self.noted: dict[str, Any] = {}

    def switch(self, name: str) -> str:
        full = f"{self.vendor}.{name}"
        return self._switches.get(full) or SWITCHES[full].default

    def all_switches(self) -> dict[str, str]:
        """What was set, without the defaults."""
        return dict(self._switches)

    def note(self, **facts: Any) -> None:
        self.noted.update(facts)

    # -- facts -------------------------------------------------------------------------------------------------------

    def fact(self, key: str, default: Any = None) -> Any:
        row = self.db.execute("SELECT value FROM facts WHERE key = ?", [f"{self.vendor}.{key}"]).fetchone()
        return default if row is None else json.loads(row[0])

    def set_fact(self, key: str, value: Any) -> None:
        self.db.execute(
            "INSERT OR REPLACE INTO facts(key, value) VALUES (?, ?)", [f"{self.vendor}.{key}", json.dumps(value)]
        )

    def derive(self, *parts: object) -> str:
        """64 hex digits that stand for ever for these words: secrets that a vendor must be able to show again are
        computed and not stored, so a search through the data finds none."""
        row = self.db.execute("SELECT value FROM facts WHERE key = 'seed'").fetchone()
        seed: str = json.loads(row[0])
        return hmac.new(seed.encode(), "\0".join(map(str, (self.vendor, *parts))).encode(), hashlib.sha256).hexdigest()

    # -- tokens ------------------------------------------------------------------------------------------------------

    def issue(
        self,
        access: str,
        refresh: str | None = None,
        *,
        client: str,
        scope: str = "",
        access_life: float | None,
        refresh_ends: float | None = None,
        parent: Token | None = None,
        family: str | None = None,
    ) -> None:
        """Remembers a pair that the caller is about to answer. `access_life` in seconds, None: for ever."""
        access_ends = None if access_life is None else self.now + access_life
        family = family or (parent.family if parent else secrets.token_hex(8))
        row = (self.vendor, client, scope, family, parent and parent.id, self.now, digest(access), access_ends,
               refresh and digest(refresh), refresh_ends)  # fmt: skip
        self.db.execute(
            "INSERT INTO tokens(vendor, client, scope, family, parent, issued, access, access_ends, refresh,"
            " refresh_ends) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            row,
        )
        self.made += [fingerprint_of(digest(value)) for value in (access, refresh) if value]

    def by_access(self, value: str) -> Token | None:
        return self._one("access = ?", digest(value))

    def by_refresh(self, value: str) -> Token | None:
        return self._one("refresh = ?", digest(value))

    def by_id(self, number: int) -> Token | None:
        return self._one("id = ?", number)

    def family(self, name: str) -> list[Token]:
        return self.tokens("family = ?", name)

    def of_client(self, client: str) -> list[Token]:
        return self.tokens("client = ?", client)

    def tokens(self, where: str = "1", *values: object) -> list[Token]:
        query = f"SELECT {_COLUMNS} FROM tokens WHERE vendor = ? AND {where}"  # noqa: S608 - both are literals of ours
        return [Token(*row) for row in self.db.execute(query, [self.vendor, *values])]

    def _one(self, where: str, value: object) -> Token | None:
        return next(iter(self.tokens(where, value)), None)

    def kill_access(self, token: Token) -> None:
        if token.access_lives(self.now):
            self.db.execute("UPDATE tokens SET access_killed = ? WHERE id = ?", [self.now, token.id])
            self.killed.append(fingerprint_of(token.access))

    def kill_refresh(self, token: Token) -> None:
        if token.refresh_lives(self.now):
            self.db.execute("UPDATE tokens SET refresh_killed = ? WHERE id = ?", [self.now, token.id])
            self.killed.append(fingerprint_of(token.refresh))

    def kill(self, *tokens: Token) -> None:
        for token in tokens:
            self.kill_access(token)
            self.kill_refresh(token)

    def set_scope(self, token: Token, scope: str) -> None:
        self.db.execute("UPDATE tokens SET scope = ? WHERE id = ?", [scope, token.id])

    # -- codes, tickets, device codes: single-use things with an end ---------------------------------------------------

    def put_grant(self, kind: str, value: str, body: Mapping[str, Any], life: float) -> None:
        self.db.execute("DELETE FROM grants WHERE ends < ?", [self.now - 86400])
        self.db.execute(
            "INSERT INTO grants(digest, vendor, kind, body, ends) VALUES (?, ?, ?, ?, ?)",
            [digest(value), self.vendor, kind, json.dumps(body), self.now + life],
        )

    def grant(self, kind: str, value: str) -> tuple[dict[str, Any], bool, bool] | None:
        """(body, used, expired) or None."""
        row = self.db.execute(
            "SELECT body, used, ends FROM grants WHERE digest = ? AND vendor = ? AND kind = ?",
            [digest(value), self.vendor, kind],
        ).fetchone()
        return None if row is None else (json.loads(row[0]), row[1] is not None, row[2] <= self.now)

    def set_grant(self, value: str, body: Mapping[str, Any]) -> None:
        self.db.execute("UPDATE grants SET body = ? WHERE digest = ?", [json.dumps(body), digest(value)])

    def use_grant(self, value: str) -> None:
        self.db.execute("UPDATE grants SET used = ? WHERE digest = ?", [self.now, digest(value)])

    # -- clients -----------------------------------------------------------------------------------------------------

    def client(self, client: str) -> dict[str, Any] | None:
        row = self.db.execute(
            "SELECT body FROM clients WHERE vendor = ? AND client = ?", [self.vendor, client]
        ).fetchone()
        return None if row is None else dict(json.loads(row[0]))

    def clients(self) -> dict[str, dict[str, Any]]:
        rows = self.db.execute("SELECT client, body FROM clients WHERE vendor = ?", [self.vendor])
        return {client: json.loads(body) for client, body in rows}

    def put_client(self, client: str, body: Mapping[str, Any]) -> None:
        self.db.execute("INSERT OR REPLACE INTO clients VALUES (?, ?, ?)", [self.vendor, client, json.dumps(body)])

    def drop_client(self, client: str) -> None:
        self.db.execute("DELETE FROM clients WHERE vendor = ? AND client = ?", [self.vendor, client])


def digest(value: str) -> str:
    return hashlib.sha256(_bytes(value)).hexdigest()


def fingerprint_of(full_digest: str | None) -> str:
    """The ledger's and the contract's short form of a digest: `sha256:` and 16 hex digits."""
    return f"sha256:{(full_digest or '')[:16]}"


def same(given: str, expected: str) -> bool:
    """In constant time, as a server compares secrets."""
    return hmac.compare_digest(_bytes(given), _bytes(expected))


def _lives(killed: float | None, ends: float | None, now: float) -> bool:
    return killed is None and (ends is None or ends > now)


def _bytes(value: str) -> bytes:
    return value.encode("utf-8", "surrogatepass")  # JSON can carry half a character, and a client may send one
