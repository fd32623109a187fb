"""GitHub Actions: lines for `$GITHUB_ENV` or `$GITHUB_OUTPUT`, and the masks that must be printed before them.

Source: GitHub, "Workflow commands for GitHub Actions": `NAME<<DELIMITER`, the value, the delimiter alone on a line;
`::add-mask::VALUE` with `%`, CR and LF escaped, one a line of the value since logs are masked line by line.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

from provisioner.deliver.base import Delivered, variable_names
from provisioner.secret import Secret


def deliver(tokens: Sequence[Delivered]) -> str:
    """One block a token, to be appended to the file that GITHUB_ENV or GITHUB_OUTPUT names. Raises Invalid on a
    collision of names. A value may hold anything: its delimiter is made of its digest, so that it cannot contain it."""
    blocks = []
    for name, token in zip(variable_names(tokens), tokens, strict=True):
        value = token.access_token.reveal()
        blocks.append(f"{name}<<{(end := _delimiter(value))}\n{value}\n{end}\n")
    return "".join(blocks)


def masks(secrets: Iterable[Secret]) -> str:
    """The `::add-mask::` lines, to be printed before anything that could show one of these values."""
    lines = []
    for secret in secrets:
        value = secret.reveal()
        whole = [value] if "\n" not in value and "\r" not in value else [value, *value.splitlines()]
        lines += [f"::add-mask::{_escape(part)}\n" for part in whole if part.strip()]
    return "".join(lines)


def _delimiter(value: str) -> str:
    return "ghadelimiter_" + hashlib.sha256(value.encode()).hexdigest()


def _escape(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
