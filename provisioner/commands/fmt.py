"""`fmt`: write the desired-state file, and what it includes, in one layout."""

from __future__ import annotations

from contextlib import suppress
from io import FileIO
from pathlib import Path

import tomli

from provisioner.commands.filing import read_file
from provisioner.config.format import formatted
from provisioner.config.sources import files_of
from provisioner.errors import Diagnostic, Invalid
from provisioner.records import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class FmtOptions:
    """`paths`: files, and folders whose `*.toml` are meant; empty: the desired-state file and its includes."""

    config: str = "provisioner.toml"
    paths: tuple[str, ...] = ()
    recursive: bool = False
    write: bool = True


@dataclass(frozen=True, slots=True)
class Formatted:
    """One file whose layout is another."""

    path: str
    before: str
    after: str


def fmt(options: FmtOptions) -> list[Formatted]:
    """Those that differ, in the order that they were read. Raises Invalid for all that are no TOML or cannot be
    read."""
    found: list[Formatted] = []
    problems: list[Diagnostic] = []
    for path in _files(options):
        text = read_file(str(path), "The file").decode("utf-8", "surrogateescape")
        try:
            after = formatted(text)
        except tomli.TOMLDecodeError as fault:
            problems.append(Diagnostic(name="toml-syntax", summary=str(fault), file=str(path)))
            continue
        if after != text:
            found.append(Formatted(str(path), text, after))
    if problems:
        raise Invalid.of(problems)
    for one in found if options.write else ():
        _rewrite(one)
    return found


def _files(options: FmtOptions) -> list[Path]:
    if not options.paths:
        return files_of(Path(options.config))
    files: list[Path] = []
    for name in options.paths:
        path = Path(name)
        pattern = "**/*.toml" if options.recursive else "*.toml"
        files += sorted(path.glob(pattern)) if path.is_dir() else [path]
    return files


def _rewrite(one: Formatted) -> None:
    """In place, so that mode, owner and links of a file that is the user's own stay what they are; and as it was where
    the disk is full: what is not cut short needs no room to be put back."""
    before, after = (text.encode("utf-8", "surrogateescape") for text in (one.before, one.after))
    try:
        with Path(one.path).open("r+b", buffering=0) as file:
            try:
                _fill(file, after)
            except OSError:
                with suppress(OSError):
                    _fill(file, before)
                file.truncate(len(before))
                raise
            file.truncate(len(after))
    except OSError as fault:
        raise Invalid("no-such-file", f"{one.path} cannot be written: {fault.strerror}") from None


def _fill(file: FileIO, data: bytes) -> None:
    file.seek(0)
    while data:
        data = data[file.write(data) :]
