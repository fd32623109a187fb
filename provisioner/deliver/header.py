"""An HTTP header, `Authorization: Bearer ...` (RFC 6750 section 2.1), as `curl -H @-` reads it."""

from __future__ import annotations

from collections.abc import Sequence

from provisioner.deliver.base import Delivered, refuse, refuse_control_characters


def deliver(tokens: Sequence[Delivered]) -> str:
    """One line a token. Raises Invalid where a token has control characters: it would write headers of its own."""
    return "".join(f"Authorization: {token.token_type} {_value(token)}\n" for token in tokens)


def _value(token: Delivered) -> str:
    value = refuse_control_characters(token, "a header")
    if not value.isascii():
        raise refuse(token, "a header", "It has characters that no header can carry.")
    return value
