"""`init`: a commented starter file."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

from provisioner.config.starter import starter
from provisioner.errors import Invalid
from provisioner.records import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class InitOptions:
    config: str = "provisioner.toml"
    types: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Initialised:
    """`written` False: the file was there already and no type was named, so it was left alone."""

    path: str
    written: bool


def init(options: InitOptions) -> Initialised:
    """Never overwrites. Raises Invalid for an unknown type, or where types are named and the file is there.

    Wrappers of Terraform run `init` first, always: with no types and a file there is nothing to do."""
    path = Path(options.config)
    text = starter(options.types, stack=_stack(path))
    try:
        # 0600 as everything that is written; whoever shares the file says so
        with open(path, "x", encoding="utf-8", opener=partial(os.open, mode=0o600)) as file:
            file.write(text)
    except FileExistsError:
        if not options.types:
            return Initialised(options.config, written=False)
        raise Invalid(
            "usage", f"{options.config} is there already", "Name another file with --config, or edit this one."
        ) from None
    except OSError as fault:
        raise Invalid(
            "no-such-file",
            f"{options.config} cannot be written: {fault.strerror}",
            "Choose a folder that you may write to.",
        ) from None
    return Initialised(options.config, written=True)


def _stack(path: Path) -> str:
    """The folder's name, as far as it makes one: `provisioner` says nothing of what the stack is about."""
    name = path.absolute().parent.name if path.stem == "provisioner" else path.stem
    kept = "".join(c if c.isascii() and (c.isalnum() or c in "._-") else "-" for c in name).strip(".-_")
    return kept or "stack"
