"""Private files that are there whole or not at all."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path


def make_private_directory(path: Path) -> None:
    """Mode 0700, and so is each parent that has to be made, whatever the umask; durable. One that exists is left as it
    is."""
    if path.is_dir():
        return
    make_private_directory(path.parent)
    path.mkdir(mode=0o700, exist_ok=True)
    sync_directory(path.parent)


def sync_directory(path: Path) -> None:
    """What was made, renamed or removed in `path` survives a power cut."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_all(file: int, data: bytes) -> None:
    """Every byte, or OSError: a short write is followed by the error that explains it."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(file, rest) :]


def read_bytes(path: Path) -> bytes:
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        parts = []
        while part := os.read(file, 1 << 24):
            parts.append(part)
    finally:
        os.close(file)
    return b"".join(parts)


def _unlikely() -> str:
    """A part of a name that no other process takes now. (`secrets` is 1 ms of a start, and this is no secret.)"""
    return os.urandom(4).hex()


def replace_file(path: Path, data: bytes, *, durable: bool = True) -> None:
    """`path` holds `data` (mode 0600), at no moment half of it. Raises OSError and leaves what was there."""
    part = path.with_name(f".{path.name}.{_unlikely()}")
    file = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        try:
            write_all(file, data)
            if durable:
                os.fsync(file)
        finally:
            os.close(file)
        part.replace(path)
    except BaseException:
        with suppress(OSError):
            part.unlink()
        raise
    if durable:
        sync_directory(path.parent)


def create_file(path: Path, data: bytes) -> None:
    """As `replace_file`, for a file that nobody may have made before: raises FileExistsError."""
    part = path.with_name(f".{path.name}.{_unlikely()}")
    try:
        replace_file(part, data)
        try:
            os.link(part, path)
        except PermissionError:  # a file system without hard links (vfat, some FUSE)
            if path.exists():
                raise FileExistsError(path) from None
            part.replace(path)
    finally:
        with suppress(OSError):
            part.unlink()
    sync_directory(path.parent)
