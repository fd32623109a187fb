"""When a token was minted and its outcome cannot be recorded: a file beside the user keeps it until it can be.

A rescue file holds the drafts that could not be appended, whose secrets are sealed already, and the sealed data keys
that open them; nothing in it is in clear. The next run on this machine records it. Where not even this file can be
written, the caller revokes the token.

    $XDG_STATE_HOME/provisioner/rescue/LINEAGE/RUN-N.json    mode 0600
"""

from __future__ import annotations

import json
import re
import secrets
from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from provisioner.errors import Diagnostic, StateUntrusted, StoreFailed
from provisioner.journal.entries import FORMAT, canonical, plain
from provisioner.journal.files import make_private_directory, replace_file
from provisioner.journal.journal import Draft, Journal
from provisioner.journal.seal import Sealer
from provisioner.journal.xdg import state_folder
from provisioner.model.recorded import (
    LOST,
    RETIRING,
    ResourceRecord,
    State,
    TokenRecord,
    parse_sealed,
    record_from_json,
    record_to_json,
)
from provisioner.records import dataclass, field, replace
from provisioner.times import to_rfc3339

_SEALED = re.compile(r"v1:[A-Za-z0-9_-]+:\d+:[A-Za-z0-9+/=]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class RescueFile:
    """`drafts` are what was to be appended, in order; `keys` are data key files by id. `run` and `at` say whence."""

    lineage: str
    stack: str
    run: str
    at: datetime | str
    drafts: tuple[Draft, ...]
    keys: Mapping[str, bytes] = field(default_factory=dict)
    path: Path | None = None


def folder(lineage: str, environ: Mapping[str, str]) -> Path:
    return state_folder(environ) / "rescue" / lineage


def write(journal: Journal, sealer: Sealer, drafts: Sequence[Draft], environ: Mapping[str, str], now: datetime) -> Path:
    """Durable when it returns. Raises StoreFailed where it cannot be written; TypeError on a secret in clear."""
    drafts_json = [{"address": d.address, "body": plain(d.body), "kind": d.kind} for d in drafts]
    found = sealer.key_files(_key_ids(drafts_json))
    run = journal.run.id if journal.run else "none"
    data = {
        "format": FORMAT,
        "lineage": journal.lineage,
        "stack": journal.state.stack,
        "run": run,
        "at": now,
        "drafts": drafts_json,
        "keys": {key_id: b64encode(file).decode("ascii") for key_id, file in found.items()},
    }
    path = folder(journal.lineage, environ) / f"{run}-{secrets.token_hex(3)}.json"
    try:
        make_private_directory(path.parent.parent)
        make_private_directory(path.parent)
        replace_file(path, (canonical(data) + "\n").encode("ascii"))
    except OSError as fault:
        raise StoreFailed(
            "state-unreachable",
            f"The rescue file {path} cannot be written: {fault.strerror or type(fault).__name__}.",
            "What it was to hold can only be revoked now.",
        ) from fault
    return path


def _key_ids(value: Any) -> set[str]:
    """The data keys of every sealed value in here."""
    if isinstance(value, str):
        return {parse_sealed(value).key_id} if _SEALED.fullmatch(value) else set()
    items = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
    return {key_id for item in items for key_id in _key_ids(item)}


def pending(lineage: str, environ: Mapping[str, str]) -> list[Path]:
    """Rescue files of this state on this machine, oldest first."""
    if not lineage:
        return []
    return sorted(folder(lineage, environ).glob("*.json"))


def read(path: Path, lineage: str) -> RescueFile:
    """Raises StateUntrusted: "rescue-foreign" where it belongs to another state, "state-damaged" where it is none."""
    try:
        data = json.loads(path.read_bytes())
        file = RescueFile(
            lineage=data["lineage"],
            stack=data["stack"],
            run=data["run"],
            at=data["at"],
            drafts=tuple(Draft(item["kind"], item["address"], item["body"]) for item in data["drafts"]),
            keys={key_id: b64decode(text, validate=True) for key_id, text in data["keys"].items()},
            path=path,
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise StateUntrusted(
            "state-damaged",
            f"The rescue file {path} cannot be read.",
            "It holds a token that was minted and not recorded. Restore it, or move it away and replace the token.",
        ) from None
    if file.lineage != lineage:
        raise StateUntrusted(
            "rescue-foreign",
            f"The rescue file {path} belongs to the recorded state {file.lineage} (stack {file.stack!r}), not to this "
            f"one ({lineage}).",
            "Nothing was recorded. Move the file to the folder of its own state, or away.",
        )
    return file


def delete(path: Path) -> None:
    path.unlink(missing_ok=True)


def pick_up(journal: Journal, environ: Mapping[str, str]) -> list[Diagnostic]:
    """After `begin`, before anything else: records what rescue files hold and deletes them. Returns a notice for each.

    Raises what `read` raises, StoreFailed and HeadMoved; a file is deleted only once its content is durable.
    """
    notices = []
    for path in pending(journal.lineage, environ):
        file = read(path, journal.lineage)
        known = set(journal.store.list_keys())
        for key_id, data in file.keys.items():
            if key_id not in known:
                journal.store.put_key(key_id, data)
        drafts = _drafts(file, journal.snapshot(), to_rfc3339(journal.started))
        if drafts:
            journal.append(*drafts)
        delete(path)
        notices.append(_notice(path, file, recorded=bool(drafts)))
    return notices


def _drafts(file: RescueFile, state: State, now: str) -> list[Draft]:
    """What is to be appended. An append that failed may have arrived all the same, and a later run may have settled the
    operation meanwhile; so only what is still open is recorded as it stands."""
    drafts: list[Draft] = []
    for draft in file.drafts:
        operation = draft.body.get("operation")
        if operation is None or operation in state.operations:
            drafts.append(draft)
            continue
        late = [record_from_json(item) for item in draft.body.get("put", ())]
        missing = [record for record in late if _is_unknown(record, state)]
        if missing:
            drafts.append(_as_late(draft, missing, str(operation), state, now))
    if drafts:
        detail = f"from run {file.run}"
        drafts.append(Draft("rescued", None, {"run": file.run, "at": plain(file.at), "detail": detail}))
    return drafts


def _is_unknown(record: ResourceRecord, state: State) -> bool:
    """Whether a token of a settled operation is in no record: the lost one of its operation holds no value."""
    if not isinstance(record, TokenRecord):
        return record.id not in state.objects
    known = {r.fingerprint for r in state.objects.values() if isinstance(r, TokenRecord)}
    return record.fingerprint not in known


def _as_late(draft: Draft, missing: list[ResourceRecord], operation: str, state: State, now: str) -> Draft:
    """Another object serves by now, so a late token comes in deposed and due to be revoked, in the place of the lost
    one that stood for it."""
    current = state.current()
    put = []
    for record in missing:
        if isinstance(record, TokenRecord) and record.address in current:
            body = record_to_json(replace(record, deposed=record.deposed or operation[:8], status=RETIRING))
            put.append({**body, "retire_at": now})
        else:
            put.append(record_to_json(record))
    drop = [
        r.id for r in state.deposed() if r.status == LOST and r.operation == operation and r.id not in _ids(missing)
    ]
    return Draft("rescued", draft.address, {"operation": operation, "put": put, "drop": drop})


def _ids(records: Sequence[ResourceRecord]) -> set[str]:
    return {record.id for record in records}


def _notice(path: Path, file: RescueFile, *, recorded: bool) -> Diagnostic:
    what = "was recorded" if recorded else "held what is recorded already"
    return Diagnostic(
        name="rescue-picked-up",
        severity="warning",
        summary=f"A rescue file of run {file.run} {what}.",
        detail=f"{path} kept what could not be recorded then; it is deleted now.",
    )
