"""The embedded vendors behind one door: requests in, answers out, durable in a directory.

    sandbox = open_sandbox(Path(".provisioner/sandbox"))
    status, headers, body = sandbox.handle("GET", "http://sandbox.invalid/eztexting/v1/credits", {...}, b"")

The first path segment is the vendor type. `handle` is what both transports call: in process by the HTTP session's
transport, over sockets by `serve.py`. It may be called from many threads, and many processes may open one directory.

What an in-process transport must do: map `faults.Dropped` as its module says. Nothing else is raised.
"""

from __future__ import annotations

import json
import secrets
import sqlite3
import time
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from provisioner import times
from provisioner.sandbox import control, eztexting, faults, oauth2, panel, smscx, textking, textmaster
from provisioner.sandbox.desk import Desk, fingerprint_of
from provisioner.sandbox.faults import Dropped, Fault
from provisioner.sandbox.store import Store
from provisioner.sandbox.switches import SWITCHES, check
from provisioner.sandbox.wire import Malformed, Refusal, Request, Response, json_response, split_url

__all__ = ["Dropped", "Fault", "Sandbox", "open_sandbox"]

VENDORS: dict[str, ModuleType] = {
    "eztexting": eztexting,
    "smscx": smscx,
    "textmaster": textmaster,
    "textking": textking,
    "oauth2": oauth2,
}
WELL_KNOWN = "/.well-known/"
_FARTHEST = 10**10  # seconds; three centuries


def open_sandbox(path: Path) -> Sandbox:
    """Opens the sandbox kept in the directory `path`, and makes it on first use."""
    return Sandbox(path)


class Sandbox:
    """The vendors' state and their one door. Thread-safe; `close` when done."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._store = Store(path)
        self._parsed: tuple[str, dict[str, str]] = ("", {})
        with self._store.transaction() as db:
            if db.execute("SELECT 1 FROM facts WHERE key = 'seed'").fetchone() is None:
                db.execute("INSERT INTO facts VALUES ('seed', ?)", [json.dumps(secrets.token_hex(32))])
                for vendor, module in VENDORS.items():
                    module.seed(self._desk(db, vendor))

    def handle(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[int, list[tuple[str, str]], bytes]:
        """One request. Raises `Dropped` where an armed fault leaves no complete answer."""
        origin, path, query = split_url(url)
        lower = {name.lower(): value for name, value in headers.items()}
        if path.startswith("/_sandbox/"):
            response = control.answer(self, Request(method, origin, "/_sandbox", path[9:], query, lower, body))
            return response.status, response.headers, response.body
        vendor, below = _route(path)
        if vendor not in VENDORS:
            response = json_response(404, {"error": f"the first path segment is one of: {', '.join(VENDORS)}"})
            return response.status, response.headers, response.body
        request = Request(method.upper(), origin, f"/{vendor}", below, query, lower, body)
        response, pause = self._serve(vendor, request)
        if pause:
            time.sleep(pause)
        return response.status, response.headers, response.body

    def _serve(self, vendor: str, request: Request) -> tuple[Response, float]:
        """The answer, and how many seconds to hold it back."""
        module = VENDORS[vendor]
        operation: str = module.operation(request)
        with self._store.transaction() as db:
            fault = faults.strike(db, vendor, operation, request.path)
            desk = self._desk(db, vendor)
            honest: Response | None = None
            outcome = "not-reached"
            if fault is None or fault.when == "after" or fault.kind == "slow":
                honest, outcome = _answer(module, desk, request, operation)
            if operation not in module.READS:
                _enter(desk, request, operation, outcome, honest, fault)
        if fault is None or fault.kind == "slow":
            return honest or Response(500), fault.seconds if fault else 0.0
        return fault.spoil(request, honest), 0.0

    def _desk(self, db: sqlite3.Connection, vendor: str) -> Desk:
        found = dict(db.execute("SELECT key, value FROM facts WHERE key IN ('clock', 'switches')").fetchall())
        text = found.get("switches", "{}")
        if text != self._parsed[0]:
            self._parsed = (text, json.loads(text))
        return Desk(db, vendor, times.now().timestamp() + float(found.get("clock", 0)), self._parsed[1])

    # -- what tests and people steer ---------------------------------------------------------------------------------

    def set_switch(self, name: str, value: str) -> None:
        """Chooses one reading of an undocumented point. Raises ValueError for a name or choice that does not exist."""
        check(name, value)
        with self._store.transaction() as db:
            chosen = {**self._desk(db, "").all_switches(), name: value}
            db.execute("INSERT OR REPLACE INTO facts VALUES ('switches', ?)", [json.dumps(chosen)])

    def switches(self) -> dict[str, str]:
        """Every switch and what it stands at."""
        with self._store.transaction() as db:
            chosen = self._desk(db, "").all_switches()
        return {name: chosen.get(name, switch.default) for name, switch in SWITCHES.items()}

    def set_clock(self, offset: float) -> None:
        """The vendors' clock runs `offset` seconds ahead of this machine's: tokens expire on demand. Raises ValueError
        for one that leaves the calendar."""
        if not abs(offset) <= _FARTHEST:  # not a number is not, either
            raise ValueError(f"the clock is set at most {_FARTHEST} seconds off")
        with self._store.transaction() as db:
            db.execute("INSERT OR REPLACE INTO facts VALUES ('clock', ?)", [json.dumps(float(offset))])

    def arm(self, fault: Fault) -> int:
        with self._store.transaction() as db:
            return faults.arm(db, fault)

    def armed(self) -> list[dict[str, Any]]:
        """Faults that have not struck yet, oldest first."""
        with self._store.transaction() as db:
            return faults.armed(db)

    def disarm(self) -> None:
        """Forgets every armed fault."""
        with self._store.transaction() as db:
            db.execute("DELETE FROM faults")

    def panel(self, vendor: str, action: str, **arguments: Any) -> Any:
        """What a person does at the vendor's web site; `panel.ACTIONS` lists it. Raises ValueError."""
        with self._store.transaction() as db:
            desk = self._desk(db, vendor)
            result = panel.act(desk, action, arguments)
            _write(db, {"time": desk.now, "vendor": vendor, "operation": f"panel.{action}", "outcome": "done",
                        "made": desk.made, "killed": desk.killed, **desk.noted})  # fmt: skip
        return result

    # -- what tests look at ------------------------------------------------------------------------------------------

    def ledger(self, vendor: str | None = None) -> list[dict[str, Any]]:
        """Every request that changed something or tried to, in order. No secret is in it, only fingerprints."""
        with self._store.transaction() as db:
            rows = db.execute("SELECT seq, body FROM ledger ORDER BY seq").fetchall()
        entries = [{"seq": seq, **json.loads(body)} for seq, body in rows]
        return [entry for entry in entries if vendor in {None, entry["vendor"]}]

    def purchases(self) -> list[dict[str, Any]]:
        """Every purchase that really charged, oldest first."""
        with self._store.transaction() as db:
            rows = db.execute("SELECT time, credits, coupon FROM purchases ORDER BY id").fetchall()
        return [{"vendor": "eztexting", "time": at, "credits": bought, "coupon": coupon} for at, bought, coupon in rows]

    def live_tokens(self, vendor: str | None = None) -> list[dict[str, Any]]:
        """Issues of which at least one half lives. `access` and `refresh` are fingerprints, null where dead."""
        found = []
        with self._store.transaction() as db:
            for name in VENDORS if vendor is None else [vendor]:
                desk = self._desk(db, name)
                for token in desk.tokens("(access_killed IS NULL OR refresh_killed IS NULL)"):
                    access, refresh = token.access_lives(desk.now), token.refresh_lives(desk.now)
                    if access or refresh:
                        found.append({
                            "vendor": name, "client": token.client, "scope": token.scope, "issued": token.issued,
                            "access": fingerprint_of(token.access) if access else None,
                            "refresh": fingerprint_of(token.refresh) if refresh else None,
                            "access_ends": token.access_ends, "refresh_ends": token.refresh_ends,
                        })  # fmt: skip
        return found

    def applications(self) -> list[dict[str, Any]]:
        """SMS.CX's applications as `sandbox serve` announces them, oldest first."""
        with self._store.transaction() as db:
            return smscx.announced(self._desk(db, "smscx"))

    def close(self) -> None:
        self._store.close()


def _route(path: str) -> tuple[str, str]:
    """`/eztexting/v1/credits` → (eztexting, /v1/credits). RFC 8414 section 3.1 puts the well-known part before the
    issuer's path, so `/.well-known/X/oauth2` is the OAuth server's `/.well-known/X`."""
    if path.startswith(WELL_KNOWN):
        document, _, vendor = path[len(WELL_KNOWN) :].partition("/")
        return vendor.strip("/"), f"{WELL_KNOWN}{document}"
    vendor, _, below = path[1:].partition("/")
    return vendor, f"/{below}"


def _answer(module: ModuleType, desk: Desk, request: Request, operation: str) -> tuple[Response, str]:
    try:
        response: Response = module.answer(desk, request, operation)
        return response, "done" if response.status < 400 else "refused"
    except Refusal as refusal:
        return refusal.response, refusal.outcome
    except Malformed as fault:
        refused: Response = module.malformed(desk, str(fault))
        return refused, "malformed"


def _enter(
    desk: Desk, request: Request, operation: str, outcome: str, honest: Response | None, fault: Fault | None
) -> None:
    _write(
        desk.db,
        {
            "time": desk.now, "vendor": desk.vendor, "operation": operation, "method": request.method,
            "path": request.path, "status": honest.status if honest else None, "outcome": outcome,
            "fault": {"kind": fault.kind, "when": fault.when} if fault else None,
            "made": desk.made, "killed": desk.killed, **desk.noted,
        },
    )  # fmt: skip


def _write(db: sqlite3.Connection, entry: dict[str, Any]) -> None:
    db.execute("INSERT INTO ledger(body) VALUES (?)", [json.dumps(entry)])
