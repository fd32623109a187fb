"""A location as users write it → the store that it means.

A new kind of store is one module here, with a function `open_location`, and one row in `_MODULES`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from provisioner.errors import Invalid
from provisioner.journal.stores.base import Store
from provisioner.secret import Secret

Resolve = Callable[[Any], Secret]

# scheme → module of this package; each has `open_location(location, *, stack, settings, resolve) -> Store`
_MODULES = {
    "postgresql": "postgres",
    "postgres": "postgres",
    "s3": "objects",
    "gs": "objects",
    "az": "objects",
    "https": "http_state",
    "http": "http_state",
}
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):")


def open_store(location: str, *, stack: str, directory: Path, settings: Mapping[str, Any], resolve: Resolve) -> Store:
    """`location` is a directory (relative to `directory`, the one of the desired-state file), file:///PATH, or a URL of
    another store, where `stack` tells the stacks of one database or bucket apart. A file is a backup. Opens nothing.

    Raises Invalid "bad-value" for a scheme that this version has no store for.
    """
    match = _SCHEME.match(location)
    scheme = match[1].lower() if match else "file"
    if scheme == "file":
        path = directory / _path(location)
        if path.is_file():
            from provisioner.journal.stores.archive import ArchiveStore

            return ArchiveStore(path, location)
        from provisioner.journal.stores.directory import DirectoryStore

        return DirectoryStore(path, location)
    if scheme not in _MODULES:
        raise Invalid(
            "bad-value",
            f"The recorded state cannot be kept at a {scheme}: location by this version.",
            f"Supported: {', '.join(supported())}.",
            key_path="state.location",
        )
    module = import_module(f"provisioner.journal.stores.{_MODULES[scheme]}")
    store: Store = module.open_location(location, stack=stack, settings=settings, resolve=resolve)
    return store


def supported() -> list[str]:
    """What a location may be, for messages."""
    return ["a directory", *(f"{scheme}:" for scheme in sorted(_MODULES))]


def _path(location: str) -> Path:
    if not location.lower().startswith("file:"):
        return Path(location)
    url = urlsplit(location)
    if url.netloc not in ("", "localhost") or not url.path.startswith("/"):
        raise Invalid(
            "bad-value",
            "A file: location is written file:///ABSOLUTE/PATH.",
            "Write the directory as a plain path instead.",
            key_path="state.location",
        )
    return Path(unquote(url.path))
