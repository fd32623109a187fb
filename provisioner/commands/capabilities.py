"""`providers`: what each configured provider can and cannot do, or every vendor type where there is no file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from provisioner import providers
from provisioner.commands.filing import FileOptions, load_file

Row = tuple[str, str, str, Sequence[tuple[str, str]]]


def capabilities(options: FileOptions) -> list[Row]:
    """(name, type, title, table) of each, by name. Raises Invalid where the file is there and is wrong."""
    if Path(options.config).exists():
        named = [(name, config.type) for name, config in sorted(load_file(options).providers.items())]
    else:
        named = [(kind, kind) for kind in providers.types()]
    return [(name, kind, (vendor := providers.vendor(kind)).title, vendor.table) for name, kind in named]
