"""Where the user's own files lie (XDG Base Directory Specification 0.8)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path


def config_folder(environ: Mapping[str, str]) -> Path:
    """`$XDG_CONFIG_HOME/provisioner`, by default `~/.config/provisioner`: the identity."""
    return _folder(environ, "XDG_CONFIG_HOME", ".config")


def state_folder(environ: Mapping[str, str]) -> Path:
    """`$XDG_STATE_HOME/provisioner`, by default `~/.local/state/provisioner`: heads seen, rescue files."""
    return _folder(environ, "XDG_STATE_HOME", ".local/state")


def _folder(environ: Mapping[str, str], variable: str, default: str) -> Path:
    set_to = Path(environ.get(variable, ""))
    if set_to.is_absolute():  # "All paths must be absolute ... should consider the path invalid and ignore it"
        return set_to / "provisioner"
    home = environ.get("HOME")
    return (Path(home) if home else Path.home()) / default / "provisioner"
