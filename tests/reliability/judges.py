"""What must be true after any night, by the vendors' ledger and the public outside of the recorded state alone.

Nothing here uses the program's own code: the chain is verified by hashing its lines, tokens are told by fingerprints.
"""

from __future__ import annotations

import hashlib
import json
import re
import sqlite3
import time
from collections import Counter
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from night import Ended, Night

# How the sandbox's tokens and registration secrets begin: none of them may stand anywhere in clear.
CANARIES = re.compile(
    rb"e2acce55\w{8}|e2ef4e54\w{8}|c0ffee5c\w{8}|7e87acce55|7e875ef4e54|gAAAA5a4db0f8|W1fl!IAAAA5a4db0f8"
    rb"|\b(?:at|rt|rat|dc|code)_[\w-]{30}"
)


@dataclass(frozen=True)
class Issue:
    """One pair (or lone token) of the vendors' memory of which a half lives; `access` is its fingerprint."""

    vendor: str
    access: str
    access_lives: bool
    ends: float | None  # when its last half dies, in Unix seconds


@dataclass(frozen=True)
class Facts:
    """What is so, at the vendors and in the recorded state."""

    bought: list[int]
    issues: list[Issue]
    clients: set[str]
    resources: list[dict[str, Any]]
    doubts: list[dict[str, Any]]
    head: str
    forgotten: set[str] = field(default_factory=set)

    @property
    def tokens(self) -> list[dict[str, Any]]:
        return [r for r in self.resources if r["type"] == "token"]

    def live(self) -> dict[str, str]:
        """Address → fingerprint of what serves, by the recorded state."""
        return {
            r["address"]: r["values"]["fingerprint"]
            for r in self.tokens
            if not r.get("deposed") and r["values"]["status"] == "live"
        }

    def waiting(self) -> set[str]:
        """Addresses whose pair was lost with an answer, at a vendor where only a person starts another."""
        return {r["address"] for r in self.tokens if r["values"]["status"] == "unauthorized"}

    def unread(self) -> set[str]:
        """Floors of accounts whose balance is read with a token, where that token waits for a person."""
        at = {r["values"]["provider"] for r in self.tokens if r["values"]["status"] == "unauthorized"}
        return {r["address"] for r in self.resources if r["type"] == "credits" and r["values"]["provider"] in at}

    def lost(self) -> list[dict[str, Any]]:
        return [r for r in self.tokens if r["values"]["status"] == "lost"]

    def unknown(self) -> list[Issue]:
        """Tokens that live and that the recorded state does not name, nor did before a person was told to end them."""
        known = {r["values"]["fingerprint"] for r in self.tokens} | self.forgotten
        return [issue for issue in self.issues if issue.access not in known]


def facts(night: Night) -> Facts:
    shown = night.show()
    return Facts(
        bought=[purchase["credits"] for purchase in night.ledger()["purchases"]],
        issues=issues(night),
        clients=night.clients(),
        resources=shown["values"]["root_module"].get("resources", []),
        doubts=shown["in_doubt"],
        head=shown["head"],
        forgotten=forgotten(night),
    )


def forgotten(night: Night) -> set[str]:
    """Fingerprints of tokens that were recorded, and then forgotten with a handoff that says how to kill them."""
    recorded, found = {}, set()
    forgetting: dict[str, str] = {}
    for entry in chain(night):
        body = entry["body"]
        for record in body.get("put", ()):
            recorded[record["id"]] = record.get("fingerprint")
        operation = body.get("operation")
        if entry["kind"] == "intent" and operation["op"] == "forget":
            forgetting[operation["id"]] = operation["object_id"]
        elif entry["kind"] == "outcome" and operation in forgetting:
            found |= {recorded.get(gone) for gone in body.get("drop", ())}
    return {fingerprint for fingerprint in found if fingerprint}


def issues(night: Night) -> list[Issue]:
    with closing(sqlite3.connect(night.root / "vendors" / "sandbox.db")) as db:
        rows = db.execute(
            "SELECT vendor, access, access_ends, access_killed, refresh, refresh_ends, refresh_killed FROM tokens"
        ).fetchall()
    now = time.time() + night.shift
    found = []
    for vendor, access, access_ends, access_killed, refresh, refresh_ends, refresh_killed in rows:
        halves = []
        access_lives = access_killed is None and (access_ends is None or access_ends > now)
        if access_lives:
            halves.append(access_ends)
        if refresh is not None and refresh_killed is None and (refresh_ends is None or refresh_ends > now):
            halves.append(refresh_ends)
        if halves:
            ends = None if None in halves else max(halves)
            found.append(Issue(vendor, f"sha256:{access[:16]}", access_lives, ends))
    return found


def chain(night: Night) -> list[dict[str, Any]]:
    """Every entry, its hash and its link verified; a torn last line is not one. Raises AssertionError."""
    entries: list[dict[str, Any]] = []
    segments = sorted((night.stack / "state" / "night" / "journal").glob("*.jsonl"))
    for number, segment in enumerate(segments, 1):
        lines = segment.read_bytes().split(b"\n")
        assert not lines[-1] or number == len(segments), f"{segment.name} is torn, and others follow"
        for raw in lines[:-1]:
            entry = json.loads(raw)
            bare = {key: value for key, value in entry.items() if key != "hash"}
            text = json.dumps(bare, sort_keys=True, separators=(",", ":"))
            assert hashlib.sha256(text.encode()).hexdigest() == entry["hash"], f"{segment.name}: {entry['serial']}"
            assert entry["prev"] == (entries[-1]["hash"] if entries else ""), f"{entry['serial']} does not follow"
            assert entry["serial"] == len(entries) + 1
            entries.append(entry)
    return entries


def announced(entries: Iterable[dict[str, Any]]) -> Counter[str]:
    """Operations that are announced and have no end yet, by kind."""
    open_: dict[str, str] = {}
    for entry in entries:
        body = entry["body"]
        if entry["kind"] == "intent":
            open_[body["operation"]["id"]] = body["operation"]["op"]
        elif entry["kind"] in ("outcome", "settled"):
            open_.pop(body["operation"], None)
    return Counter(open_.values())


def secrets_in_clear(night: Night) -> list[str]:
    """Where a token of the sandbox's, or anything else that it gave out in secret, stands in clear."""
    found = [name for name, data in night.written() if CANARIES.search(data)]
    return found + [said[:80] for said in night.said if CANARIES.search(said.encode())]


@dataclass
class Verdict:
    """Everything that is not as it must be, in words."""

    faults: list[str] = field(default_factory=list)

    def must(self, holds: object, otherwise: str) -> None:
        if not holds:
            self.faults.append(otherwise)

    def accounted(self, now: Facts) -> None:
        """Every live token is known, or recorded as lost with an end that is not too early, or in doubt."""
        covered: Counter[str] = Counter()
        last: dict[str, float | None] = {}
        for record in now.lost():
            vendor = record["provider_name"]
            covered[vendor] += 1
            text = record["values"]["expires_at"]
            end = None if text is None else datetime.fromisoformat(text).timestamp()
            last[vendor] = None if None in (end, last.get(vendor, 0.0)) else max(end or 0.0, last.get(vendor) or 0.0)
        providers = {r["values"].get("provider"): r["provider_name"] for r in now.resources}
        for doubt in now.doubts:
            if doubt["kind"].startswith("token."):
                covered[providers.get(doubt.get("provider"), "")] += 1
        for issue in now.unknown():
            covered[issue.vendor] -= 1
            self.must(covered[issue.vendor] >= 0, f"a token of {issue.vendor} lives that nobody knows of: {issue}")
            end = last.get(issue.vendor)
            early = end is not None and (issue.ends is None or issue.ends > end + 5)
            self.must(not early, f"{issue} may live longer than the recorded end of the lost one")

    def true(self, now: Facts) -> None:
        """What is recorded as live lives."""
        alive = {issue.access for issue in now.issues if issue.access_lives}
        for address, fingerprint in now.live().items():
            self.must(fingerprint in alive, f"{address} is recorded as live and is dead ({fingerprint})")

    def sound(self, ended: Ended) -> None:
        """No fault of our own, and nothing that only a programmer understands."""
        text = ended.out + ended.err
        self.must("Traceback" not in text and "E0099" not in text, f"a fault of ours: {text[-600:]}")

    def clean(self, night: Night) -> None:
        places = secrets_in_clear(night)
        self.must(not places, f"a secret stands in clear in {places}")

    def chain(self, night: Night) -> None:
        try:
            chain(night)
        except (AssertionError, ValueError, KeyError) as fault:
            self.faults.append(f"the chain does not verify: {fault}")


def planned(ended: Ended) -> set[tuple[str, str]]:
    """What a `plan --json` would change: (address, action)."""
    return {
        (line["change"]["resource"]["addr"], line["change"]["action"])
        for line in ended.lines()
        if line["type"] == "planned_change"
    }
