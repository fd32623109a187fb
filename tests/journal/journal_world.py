"""What the tests of the journal share: a store in a folder, a run, records that look real, drafts, and tampering."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from provisioner.address import Address
from provisioner.journal.journal import Draft, Journal
from provisioner.journal.memory import HeadMemory
from provisioner.journal.run import RunInfo, run_info
from provisioner.journal.stores.base import Store
from provisioner.journal.stores.directory import DirectoryStore
from provisioner.model.recorded import Sealed, TokenRecord, record_to_json

NOW = datetime(2026, 12, 1, 12, 0, tzinfo=UTC)
STACK = "messaging"


def run(command: str = "apply", now: datetime = NOW) -> RunInfo:
    return run_info(command, {"USER": "ann"}, now)


def token(number: int = 1, **values: Any) -> TokenRecord:
    """A live token with two sealed secrets of the usual size."""
    name = f"app{number}"
    fields: dict[str, Any] = {
        "id": f"0b2f3c1e-7a9d-4c55-9d0e-{number:012d}",
        "address": Address("token", name),
        "application": Address("application", name),
        "consumer": None,
        "provider": "cx",
        "provider_type": "smscx",
        "status": "live",
        "issued_at": NOW,
        "expires_at": NOW + timedelta(days=1),
        "requested_scopes": ("groups", "sms"),
        "scopes": ("groups", "sms"),
        "fingerprint": f"sha256:{number:016x}",
        "access_token": Sealed("0123456789abcdef", 1, "A" * 124),
        "refresh_token": Sealed("0123456789abcdef", 1, "B" * 124),
        "client_id": "3fd97176bd7e36c0e8fbd22b4b1ab5d29540b49c",
        "operation": operation_id(number),
    }
    return TokenRecord(**{**fields, **values})


def operation_id(number: int) -> str:
    return f"op-{number:08d}"


def intent(number: int = 1, op: str = "token.create", **more: Any) -> Draft:
    operation = {"id": operation_id(number), "op": op, "provider": "cx", "provider_type": "smscx", "read": {}, **more}
    return Draft("intent", f"token.app{number}", {"operation": operation, "reason": "there is none"})


def outcome(number: int = 1, **values: Any) -> Draft:
    body = {"operation": operation_id(number), "result": "done", "put": [record_to_json(token(number, **values))]}
    return Draft("outcome", f"token.app{number}", body)


def store_in(folder: Path) -> DirectoryStore:
    return DirectoryStore(folder / "state")


def opened(store: DirectoryStore, memory: HeadMemory | None = None, **options: Any) -> Journal:
    return Journal.open(store, stack=STACK, memory=memory, **options)


def begun(store: DirectoryStore, memory: HeadMemory | None = None, **options: Any) -> Journal:
    journal = opened(store, memory, **options)
    journal.begin(run())
    return journal


def begun_at(store: Store, memory: HeadMemory | None = None) -> Journal:
    """A journal in whatever store, begun."""
    journal = Journal.open(store, stack=STACK, memory=memory)
    journal.begin(run())
    return journal


def filled(store: DirectoryStore, count: int, memory: HeadMemory | None = None, first: int = 1) -> Journal:
    """A closed journal in which `count` tokens were made."""
    with begun(store, memory) as journal:
        for number in range(first, first + count):
            journal.append(intent(number))
            journal.append(outcome(number))
    return journal


def many_segments(store: DirectoryStore, memory: HeadMemory | None = None, *, segments: int = 3) -> Journal:
    """Segments of some 260 entries each about a handful of tokens."""
    journal = filled(store, 2, memory)
    while len(segment_files(store)) < segments:
        with begun(store, memory) as busy:
            busy.append(*(Draft("note", None, {"detail": f"note {n}"}) for n in range(260)))
        journal = begun(store, memory)
        journal.append(intent(len(segment_files(store)) + 10))
        journal.close()
    return journal


def segment_files(store: DirectoryStore) -> list[Path]:
    return sorted((store.root / "journal").glob("*.jsonl"))


def flip(path: Path, position: int, to: int | None = None) -> None:
    """Changes one byte in place."""
    data = bytearray(path.read_bytes())
    data[position] = data[position] ^ 0x01 if to is None else to
    path.write_bytes(bytes(data))
