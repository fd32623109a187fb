"""A recorded state in a directory: the default store.

    journal/00000001.jsonl ...   segments, appended to and fsynced, never rewritten
    keys/ID.json                 data keys, sealed to age recipients
    lock.json                    who holds the lock
    mark.json                    what this copy is, where it is being copied or was moved away
    append.lock                  flocked for the moment of one append, one look or one change of the lock

The moment's flock and the check that the newest segment ends where the writer says make the fence: of two that append
after the same head, one wins and the other gets HeadMoved, whoever holds lock.json. A separate file is flocked because
a segment that is replaced or a lock that is renewed would take its flock with it.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from provisioner.journal.files import (
    create_file,
    make_private_directory,
    read_bytes,
    replace_file,
    sync_directory,
    write_all,
)
from provisioner.journal.lockinfo import LockInfo, lock_from_json
from provisioner.journal.stores.base import Position, Segment, busy, failed, forgotten, moved, segment_name
from provisioner.times import from_rfc3339

_SEGMENT = re.compile(r"(\d{8})\.jsonl")
_KEY_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_MOMENT = 20.0  # seconds that one append of another may take before we give up
_SETTLED_NS = 2_000_000_000  # file times tick coarsely: a segment is only remembered once its last change is this old


class DirectoryStore:
    """See `base.Store`. `location` is as users write it; the directory is made by the first thing that is written."""

    def __init__(self, root: Path, location: str | None = None) -> None:
        self.root = root
        self.location = location or str(root)
        self.identity = f"file://{root.absolute().resolve()}"
        self._journal = root / "journal"
        self._keys = root / "keys"
        self._lock = root / "lock.json"
        self._mark = root / "mark.json"
        self._fence = root / "append.lock"
        self._paths: dict[int, Path] = {}  # putting them together is 4 of 100 parts of an apply

    # -- segments ----------------------------------------------------------------------------------------------------

    def load(self) -> tuple[list[Segment], bytes]:
        with self._guard("read"), self._flock(write=False):
            segments = self._segments()
            return segments, read_bytes(self._path(segments[-1].number)) if segments else b""

    def read(self, number: int) -> bytes:
        with self._guard("read"):
            return read_bytes(self._path(number))

    def append(self, data: bytes, at: Position, head: str) -> Position:
        with self._guard("append to"), self._flock(write=True):
            try:
                file = os.open(self._path(at.segment), os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
            except FileNotFoundError:
                self._check_end(at)
                raise
            try:
                if not self._ends_at(file, at):
                    self._check_end(at)  # says why; raises
                self._write_behind(file, data, at.size)
            finally:
                os.close(file)
        return Position(at.segment, at.size + len(data), head)

    def start_segment(self, data: bytes, at: Position, head: str) -> Position:
        with self._guard("write"):
            make_private_directory(self.root)
            make_private_directory(self._journal)
            with self._flock(write=True):
                self._check_end(at)
                try:
                    create_file(self._path(at.segment + 1), data)
                except FileExistsError:
                    raise moved(self.location) from None
        return Position(at.segment + 1, len(data), head)

    def truncate(self, at: Position, torn: int) -> None:
        with self._guard("write"), self._flock(write=True):
            self._check_end(at, torn)
            file = os.open(self._path(at.segment), os.O_WRONLY | os.O_CLOEXEC)
            try:
                os.ftruncate(file, at.size)
                os.fsync(file)
            finally:
                os.close(file)

    def _write_behind(self, file: int, data: bytes, end: int) -> None:
        try:
            write_all(file, data)
            os.fsync(file)
        except BaseException:
            # none of it was acknowledged; what stands there must not become an entry that its writer knows nothing of
            with suppress(OSError):
                os.ftruncate(file, end)
                os.fsync(file)
            raise

    def _ends_at(self, file: int, at: Position) -> bool:
        """`_check_end` for the usual case, without listing the folder. Each system call of an append lets other threads
        run before it goes on; six fewer are a third of a flush that fifty threads wait for."""
        return os.fstat(file).st_size == at.size and not self._path(at.segment + 1).exists()

    def _check_end(self, at: Position, torn: int = 0) -> None:
        segments = self._numbers()
        newest = segments[-1] if segments else 0
        actual = self._path(newest).stat().st_size if newest else 0
        acknowledged = (at.segment, at.size if at.segment else 0)
        if (newest, actual) < acknowledged:
            raise forgotten(self.location)
        if (newest, actual) != (at.segment, acknowledged[1] + torn):
            raise moved(self.location)

    def crowded(self) -> bool:
        return False

    def _segments(self) -> list[Segment]:
        return [self._stamped(number) for number in self._numbers()]

    def _stamped(self, number: int) -> Segment:
        found = self._path(number).stat()
        # ctime too: whoever edits in place and puts the mtime back cannot put that back
        stamp = f"{found.st_ino}:{found.st_size}:{found.st_mtime_ns}:{found.st_ctime_ns}"
        age = time.time_ns() - max(found.st_mtime_ns, found.st_ctime_ns)
        return Segment(number, stamp, fresh=age < _SETTLED_NS)

    def _numbers(self) -> list[int]:
        try:
            names = [path.name for path in self._journal.iterdir()]
        except FileNotFoundError:
            return []
        matches = (_SEGMENT.fullmatch(name) for name in names)
        return sorted(int(match[1]) for match in matches if match)

    def _path(self, number: int) -> Path:
        if number not in self._paths:
            self._paths[number] = self._journal / f"{segment_name(number)}.jsonl"
        return self._paths[number]

    # -- data keys ---------------------------------------------------------------------------------------------------

    def put_key(self, key_id: str, data: bytes) -> None:
        with self._guard("write a data key of"):
            make_private_directory(self.root)
            make_private_directory(self._keys)
            replace_file(self._key_path(key_id), data)

    def get_key(self, key_id: str) -> bytes | None:
        with self._guard("read a data key of"):
            try:
                return read_bytes(self._key_path(key_id))
            except FileNotFoundError:
                return None

    def list_keys(self) -> list[str]:
        with self._guard("read the data keys of"):
            try:
                names = [path.name for path in self._keys.iterdir()]
            except FileNotFoundError:
                return []
        ids = (name.removesuffix(".json") for name in names if name.endswith(".json"))
        return sorted(key_id for key_id in ids if _KEY_ID.fullmatch(key_id))

    def delete_key(self, key_id: str) -> None:
        with self._guard("delete a data key of"):
            self._key_path(key_id).unlink(missing_ok=True)
            if self._keys.exists():
                sync_directory(self._keys)

    def _key_path(self, key_id: str) -> Path:
        if not _KEY_ID.fullmatch(key_id):
            raise FileNotFoundError(f"no data key has the id {key_id!r}")
        return self._keys / f"{key_id}.json"

    # -- the mark ----------------------------------------------------------------------------------------------------

    def read_mark(self) -> bytes | None:
        with self._guard("read"):
            try:
                return read_bytes(self._mark)
            except FileNotFoundError:
                return None

    def write_mark(self, data: bytes | None) -> None:
        with self._guard("mark"):
            make_private_directory(self.root)
            if data is not None:
                replace_file(self._mark, data)
                return
            self._mark.unlink(missing_ok=True)
            sync_directory(self.root)

    # -- the lock ----------------------------------------------------------------------------------------------------

    def peek_lock(self) -> LockInfo | None:
        with self._guard("read the lock of"), self._flock(write=False):
            return self._read_lock()

    def take_lock(self, info: LockInfo, instead_of: str | None) -> LockInfo | None:
        with self._guard("lock"):
            make_private_directory(self.root)
            with self._flock(write=True):
                held = self._read_lock()
                if held is not None and held.id != instead_of:
                    return held
                replace_file(self._lock, _lock_bytes(info))
                return None

    def renew_lock(self, info: LockInfo) -> bool:
        with self._guard("lock"), self._flock(write=True):
            held = self._read_lock()
            if held is None or held.id != info.id:
                return False
            replace_file(self._lock, _lock_bytes(info), durable=False)
            return True

    def drop_lock(self, lock_id: str) -> bool:
        with self._guard("unlock"), self._flock(write=True):
            held = self._read_lock()
            if held is None or held.id != lock_id:
                return False
            self._lock.unlink(missing_ok=True)
            return True

    def _read_lock(self) -> LockInfo | None:
        try:
            data = read_bytes(self._lock)
        except FileNotFoundError:
            return None
        try:
            return lock_from_json(json.loads(data))
        except (ValueError, KeyError, TypeError):
            return self._unreadable_lock()

    def _unreadable_lock(self) -> LockInfo:
        """We write it whole, so somebody else wrote this. It holds like any other until its lease is over."""
        since = from_rfc3339(time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self._lock.stat().st_mtime)))
        return LockInfo(
            id="unreadable", who="unknown", host="unknown", pid=0, operation="unknown", since=since, renewed=since
        )

    # -- how -----------------------------------------------------------------------------------------------------------

    @contextmanager
    def _flock(self, *, write: bool) -> Iterator[None]:
        """One at a time. A reader makes nothing: where the file does not exist nobody has ever written."""
        flags = os.O_RDWR | os.O_CREAT if write else os.O_RDONLY
        try:
            file = os.open(self._fence, flags | os.O_CLOEXEC, 0o600)
        except (FileNotFoundError, NotADirectoryError):
            yield  # nothing to guard; who writes finds that the end is not where it was
            return
        try:
            self._wait_for(file, fcntl.LOCK_EX if write else fcntl.LOCK_SH)
            yield
        finally:
            os.close(file)

    def _wait_for(self, file: int, kind: int) -> None:
        """A moment is milliseconds. One that lasts belongs to a process that was stopped in it, or whose disk hangs:
        whoever would wait for ever is told so. It cannot be taken over: the process may wake up in the middle of a
        write."""
        end = time.monotonic() + _MOMENT
        pause = 0.0005
        while True:
            try:
                fcntl.flock(file, kind | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > end:
                    raise busy(self.location, _MOMENT) from None
                time.sleep(pause)
                pause = min(pause * 2, 0.02)
            else:
                return

    @contextmanager
    def _guard(self, what: str) -> Iterator[None]:
        try:
            yield
        except OSError as fault:
            raise failed(self.location, what, fault.strerror or type(fault).__name__) from fault


def _lock_bytes(info: LockInfo) -> bytes:
    return (json.dumps(info.to_json(), sort_keys=True, indent=2) + "\n").encode()
