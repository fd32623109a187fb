"""The desired-state file as the command line names it."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from provisioner.config.load import load
from provisioner.errors import Invalid
from provisioner.model.desired import Desired
from provisioner.records import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class FileOptions:
    """`--config`, `--var`, `--var-file`. `variables` are `K=V` as typed, later ones winning."""

    config: str = "provisioner.toml"
    variables: tuple[str, ...] = ()
    var_files: tuple[str, ...] = ()
    generating: bool = False  # imports may name what is not declared yet (`--generate-config-out`)


def load_file(options: FileOptions) -> Desired:
    """Raises Invalid with every problem found."""
    overrides: dict[str, str] = {}
    for typed in options.variables:
        name, equals, value = typed.partition("=")
        if not equals or not name:
            raise Invalid("usage", f"--var {name} has no value", "Write it as --var NAME=VALUE.")
        overrides[name] = value
    return load(
        Path(options.config),
        overrides=overrides,
        var_files=[Path(f) for f in options.var_files],
        environ=os.environ,
        generating=options.generating,
    )


def write_private(path: str, data: bytes) -> None:
    """A file of mode 0600, whole or not at all: written beside its place, flushed, and moved there. What is no file
    (`/dev/null`, `/dev/stdout`, `>(jq .)`) is written into: a file moved there would take its place. Raises Invalid."""
    target = Path(path)
    if not target.name:  # `.`, `/` or nothing at all
        raise Invalid("usage", f"{path!r} is no name of a file", "Name the file that is to be written.")
    beside = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        if _is_device(target):
            with target.open("ab") as stream:
                stream.write(data)
            return
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
        try:
            os.fchmod(descriptor, 0o600)  # one that an earlier crash left may have another mode
            with os.fdopen(descriptor, "wb", closefd=False) as file:
                file.write(data)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        beside.replace(target)
    except OSError as fault:
        with suppress(OSError):
            beside.unlink()
        raise Invalid(
            "no-such-file",
            f"{path} cannot be written: {fault.strerror}",
            "Name a file in a folder that you may write to.",
        ) from None


def _is_device(target: Path) -> bool:
    """A device, a pipe, or one of the names of our own streams, whatever they lead to (`/dev/stdout > file`)."""
    ours = str(target.parent) in ("/dev", "/dev/fd", "/proc/self/fd")
    return target.exists() and not target.is_dir() and (ours or not target.is_file())


def read_file(path: str, what: str) -> bytes:
    """Raises Invalid "no-such-file" (exit 4) for one that cannot be read."""
    try:
        return Path(path).read_bytes()
    except OSError as fault:
        raise Invalid(
            "no-such-file",
            f"{what} {path} cannot be read: {fault.strerror}",
            "Check the name; relative names start at --chdir.",
        ) from None
