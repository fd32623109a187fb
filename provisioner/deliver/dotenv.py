"""`.env` files: `TOKEN_CAMPAIGNS_WEB='...'`, one line a token, good for a POSIX shell and for the usual dotenv readers."""

from __future__ import annotations

import re
from collections.abc import Sequence

from provisioner.deliver.base import Delivered, refuse_control_characters, variable_names

# What needs no quotes anywhere. Everything else stands in single quotes, where neither a shell nor a dotenv reader expands.
_BARE = re.compile(r"[A-Za-z0-9_.~+/@%:,-]+=*")


def deliver(tokens: Sequence[Delivered]) -> str:
    """Raises Invalid where two addresses share a name, or a token has control characters or a single quote: shells and
    dotenv readers disagree about how such a quote is escaped, so one of them would read another token."""
    lines = []
    for name, token in zip(variable_names(tokens), tokens, strict=True):
        value = refuse_control_characters(token, "a line of a .env file", also="'")
        lines.append(f"{name}={value if _BARE.fullmatch(value) else quoted(value)}\n")
    return "".join(lines)


def quoted(value: str) -> str:
    return f"'{value}'"
