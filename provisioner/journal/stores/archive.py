"""A backup as `state backup` writes it: one tar file in the layout of a state's directory. It is read, never written.

`state migrate FILE TO` restores it; `tar -xf FILE` does, too.
"""

from __future__ import annotations

import io
import re
import tarfile
from pathlib import Path

from provisioner.errors import StateUntrusted, StoreFailed
from provisioner.journal.files import read_bytes
from provisioner.journal.lockinfo import LockInfo
from provisioner.journal.stores.base import Position, Segment, Store, failed, segment_name

_SEGMENT = re.compile(r"(?:\./)?journal/(\d{8})\.jsonl")
_KEY = re.compile(r"(?:\./)?keys/([A-Za-z0-9_-]{1,64})\.json")


class ArchiveStore:
    """See `base.Store`. Its lock is always free, because nobody can change it."""

    def __init__(self, path: Path, location: str | None = None) -> None:
        self.path = path
        self.location = location or str(path)
        self.identity = f"file://{path.absolute().resolve()}"
        self.packed = b""
        self._segments: dict[int, bytes] = {}
        self._keys: dict[str, bytes] = {}
        self._read = False

    @classmethod
    def of(cls, packed: bytes, location: str) -> ArchiveStore:
        """One that is still in memory."""
        store = cls(Path(location), location)
        store.packed = packed
        return store

    # -- reading -----------------------------------------------------------------------------------------------------

    def load(self) -> tuple[list[Segment], bytes]:
        self._open()
        numbers = sorted(self._segments)
        return [Segment(number) for number in numbers], self._segments[numbers[-1]] if numbers else b""

    def read(self, number: int) -> bytes:
        self._open()
        return self._segments[number]

    def get_key(self, key_id: str) -> bytes | None:
        self._open()
        return self._keys.get(key_id)

    def list_keys(self) -> list[str]:
        self._open()
        return sorted(self._keys)

    def read_mark(self) -> bytes | None:
        return None

    def crowded(self) -> bool:
        return False

    def _open(self) -> None:
        if self._read:
            return
        try:
            self.packed = self.packed or read_bytes(self.path)
            with tarfile.open(fileobj=io.BytesIO(self.packed)) as archive:
                for member in archive:
                    self._take(archive, member)
        except OSError as fault:
            raise failed(self.location, "read", fault.strerror or type(fault).__name__) from None
        except (tarfile.TarError, EOFError):
            raise StateUntrusted(
                "state-damaged",
                f"The backup {self.location} is no tar file, or only the beginning of one.",
                "Use another backup.",
            ) from None
        self._read = True

    def _take(self, archive: tarfile.TarFile, member: tarfile.TarInfo) -> None:
        segment, key = _SEGMENT.fullmatch(member.name), _KEY.fullmatch(member.name)
        file = archive.extractfile(member) if member.isreg() else None
        if file is None:
            return
        if segment:
            self._segments[int(segment[1])] = file.read()
        elif key:
            self._keys[key[1]] = file.read()

    # -- what a backup refuses ---------------------------------------------------------------------------------------

    def append(self, data: bytes, at: Position, head: str) -> Position:
        raise self._read_only()

    def start_segment(self, data: bytes, at: Position, head: str) -> Position:
        raise self._read_only()

    def truncate(self, at: Position, torn: int) -> None:
        raise self._read_only()

    def put_key(self, key_id: str, data: bytes) -> None:
        raise self._read_only()

    def delete_key(self, key_id: str) -> None:
        raise self._read_only()

    def write_mark(self, data: bytes | None) -> None:
        raise self._read_only()

    def _read_only(self) -> StoreFailed:
        return StoreFailed(
            "state-unreachable",
            f"The backup {self.location} is only read, never written.",
            f"Restore it to where the state shall be: provisioner state migrate {self.location} TO",
        )

    # -- the lock ----------------------------------------------------------------------------------------------------

    def peek_lock(self) -> LockInfo | None:
        return None

    def take_lock(self, info: LockInfo, instead_of: str | None) -> LockInfo | None:
        return None

    def renew_lock(self, info: LockInfo) -> bool:
        return True

    def drop_lock(self, lock_id: str) -> bool:
        return True


def pack(store: Store) -> bytes:
    """A backup of what `store` holds now. Raises StoreFailed."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        segments, newest = store.load()
        for segment in segments:
            data = newest if segment is segments[-1] else store.read(segment.number)
            _add(archive, f"journal/{segment_name(segment.number)}.jsonl", data[: data.rfind(b"\n") + 1])
        # after the segments: a key is durable before the first entry that needs it, so none is missing
        for key_id in store.list_keys():
            _add(archive, f"keys/{key_id}.json", store.get_key(key_id) or b"")
    return packed.getvalue()


def _add(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mode = len(data), 0o600
    archive.addfile(member, io.BytesIO(data))
