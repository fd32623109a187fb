"""GitHub workflow commands: diagnostics at their lines in the file, and what a log must mask.

Source: GitHub, "Workflow commands for GitHub Actions": data escapes `%`, CR and LF; properties `:` and `,` as well.
"""

# no `from __future__ import annotations` here: the name is this module's function
from collections.abc import Iterable

from provisioner.errors import Diagnostic

_COMMANDS = {"error": "error", "warning": "warning", "note": "notice"}


def annotation(found: Diagnostic) -> str:
    """`::error file=provisioner.toml,line=3,title=E0102 unknown-key::...`, one line without its end."""
    properties = []
    if found.file is not None:
        properties.append(f"file={_property(found.file)}")
        if found.line is not None:
            properties.append(f"line={found.line}")
    properties.append(f"title={_property(f'{found.code} {found.name}')}")
    named = found.address is None or found.address in found.summary
    message = found.summary if named else f"{found.address}: {found.summary}"
    if found.detail:
        message += f"\n{found.detail}"
    return f"::{_COMMANDS[found.severity]} {','.join(properties)}::{_data(message)}"


def annotations(found: Iterable[Diagnostic]) -> str:
    """All of them, each on a line of its own."""
    return "".join(f"{annotation(d)}\n" for d in found)


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
