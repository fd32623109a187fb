"""What this machine has seen of each recorded state: the newest head, and which old segments it verified.

The first notices an older copy that was put back, which no chain can show by itself. The second makes opening cost what
is live: an old segment that is the same file as when it was verified is not hashed again.

    heads/LINEAGE/head.json       two lines {"check", "head", "lineage", "serial", "turn"}: the later turn counts
    heads/LINEAGE/segments.json   {NAME: {...}}
    heads/at/HASH.json            {"location", "lineage"}: which state was seen at a location

The head is written with every flush of the journal, so in place, over the older of the two lines: a file that is
renamed over another took 0.45 of the 1.4 ms that fifty threads wait for a flush (docs/performance.md).
A line that was only half written fails its check, and the other one stands.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any

from provisioner.journal.files import make_private_directory, read_bytes, replace_file, write_all
from provisioner.journal.xdg import state_folder
from provisioner.records import dataclass, field, fields


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenSegment:
    """One old segment that was verified and folded: the same `stamp` means the same bytes. `prev` and `head` are the
    hashes it hangs between, `serial` its last, `digest` that of the fold at its end (see `chain.Link`)."""

    stamp: str
    lineage: str
    prev: str
    serial: int
    head: str
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """The newest head of one lineage that this machine knows as durable."""

    lineage: str
    serial: int = 0
    head: str = ""
    segments: Mapping[str, SeenSegment] = field(default_factory=dict)


class HeadMemory:
    """A folder of small files, mode 0600. It only ever makes things stricter or faster, so a memory that cannot be read
    is no memory, and one that cannot be written is done without (a build container with a read-only home)."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @classmethod
    def of_user(cls, environ: Mapping[str, str]) -> HeadMemory:
        return cls(state_folder(environ) / "heads")

    def lineage_at(self, identity: str) -> str | None:
        """Which lineage was last seen at the store of this identity."""
        found = _read(self._at(identity))
        lineage = found.get("lineage")
        return lineage if isinstance(lineage, str) else None

    def recall(self, lineage: str) -> Seen | None:
        data = _read_head(self._of(lineage) / "head.json")
        try:
            segments = {name: SeenSegment(**item) for name, item in _read(self._of(lineage) / "segments.json").items()}
            seen = Seen(**data, segments=segments)
        except TypeError:
            return None
        return seen if seen.lineage == lineage else None

    def remember(self, seen: Seen, identity: str, *, backwards: bool = False) -> None:
        """After a look. Keeps the newer of what is known and `seen`: of two commands at once the slower must not make
        the memory older. `backwards` is for a rollback that the user accepted."""
        known = self.recall(seen.lineage)
        if known is not None and known.serial > seen.serial and not backwards:
            return
        with suppress(OSError):
            if known is None or (known.serial, known.head) != (seen.serial, seen.head):
                self.remember_head(seen.lineage, seen.serial, seen.head)
            if known is None or known.segments != seen.segments:
                segments = {name: _members(segment) for name, segment in seen.segments.items()}
                _write(self._of(seen.lineage) / "segments.json", segments)
            if self.lineage_at(identity) != seen.lineage:
                _write(self._at(identity), {"location": identity, "lineage": seen.lineage})

    def remember_head(self, lineage: str, serial: int, head: str) -> None:
        """After an append of our own, which only the holder of the newest head can make."""
        with suppress(OSError):
            _write_head(self._of(lineage) / "head.json", {"lineage": lineage, "serial": serial, "head": head})

    def _of(self, lineage: str) -> Path:
        return self.folder / _file_name(lineage)

    def _at(self, identity: str) -> Path:
        return self.folder / "at" / f"{sha256(identity.encode()).hexdigest()[:32]}.json"


def _file_name(lineage: str) -> str:
    """A lineage is ours and a UUID; one that was edited into something else must not become a path."""
    return lineage if lineage.replace("-", "").isalnum() else sha256(lineage.encode()).hexdigest()[:32]


def _members(segment: SeenSegment) -> dict[str, str | int]:
    return {one.name: getattr(segment, one.name) for one in fields(segment)}


_LINE = 512  # bytes


def _head_line(head: Mapping[str, Any], turn: int) -> bytes:
    data = {**head, "turn": turn}
    line = json.dumps({**data, "check": _check(data)}, sort_keys=True)
    return line.ljust(_LINE - 1).encode() + b"\n"


def _check(data: Mapping[str, Any]) -> str:
    return sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()[:16]


def _head_lines(data: bytes) -> list[dict[str, Any]]:
    """Both lines; {} for one that is not there or not whole."""
    found: list[dict[str, Any]] = []
    for start in (0, _LINE):
        try:
            line = json.loads(data[start : start + _LINE])
            whole = line.pop("check") == _check(line) and isinstance(line["turn"], int)
        except (ValueError, KeyError, TypeError, AttributeError):
            whole = False
        found.append(line if whole else {})
    return found


def _later(lines: list[dict[str, Any]]) -> int:
    """Which of the two counts."""
    return max((0, 1), key=lambda which: lines[which].get("turn", 0))


def _read_head(path: Path) -> dict[str, Any]:
    try:
        lines = _head_lines(read_bytes(path))
    except OSError:
        return {}
    found = lines[_later(lines)]
    found.pop("turn", None)
    return found


def _write_head(path: Path, head: Mapping[str, Any]) -> None:
    try:
        file = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        make_private_directory(path.parent)
        replace_file(path, _head_line(head, 1), durable=False)
        return
    try:
        lines = _head_lines(os.pread(file, 2 * _LINE, 0))
        later = _later(lines)
        os.lseek(file, _LINE * (1 - later), os.SEEK_SET)
        write_all(file, _head_line(head, lines[later].get("turn", 0) + 1))
    finally:
        os.close(file)


def _read(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(read_bytes(path))
    except (OSError, ValueError):
        return {}
    return data if isinstance(data, dict) else {}


def _write(path: Path, data: Mapping[str, Any]) -> None:
    text = (json.dumps(data, sort_keys=True) + "\n").encode()
    try:
        replace_file(path, text, durable=False)
    except FileNotFoundError:  # asked for first, the folders cost each flush of an apply two looks
        make_private_directory(path.parent)
        replace_file(path, text, durable=False)
