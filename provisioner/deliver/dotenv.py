"""`.env` files: `TOKEN_CAMPAIGNS_WEB='...'`, one line a token, read alike by shells and dotenv readers."""

from __future__ import annotations

import re
from collections.abc import Sequence

from provisioner.deliver.base import Delivered, refuse, refuse_control_characters, variable_names

_BARE = re.compile(r"[A-Za-z0-9_.+/@%:,-]+=*")  # means itself with no quotes anywhere (`~` would not, in a shell)
# In single quotes a shell takes everything as it is; python-dotenv takes `\\` and a closing `\\'` for escapes.
_AMBIGUOUS_IN_SINGLE = re.compile(r"'|\\\\|\\$")
# In double quotes these expand somewhere.
_AMBIGUOUS_IN_DOUBLE = re.compile(r'["$`\\!]')


def deliver(tokens: Sequence[Delivered]) -> str:
    """Raises Invalid where two addresses share a name, and where a token cannot be written so that every reader gets
    the same: they disagree about escapes, and a token that is silently another is worse than an error."""
    pairs = zip(variable_names(tokens), tokens, strict=True)
    return "".join(f"{name}={_quoted(token)}\n" for name, token in pairs)


def _quoted(token: Delivered) -> str:
    value = refuse_control_characters(token, "a line of a .env file")
    if _BARE.fullmatch(value):
        return value
    if not _AMBIGUOUS_IN_SINGLE.search(value):
        return f"'{value}'"
    if not _AMBIGUOUS_IN_DOUBLE.search(value):
        return f'"{value}"'
    raise refuse(
        token, "a line of a .env file", "It has quotes or backslashes that shells and dotenv readers read apart."
    )
