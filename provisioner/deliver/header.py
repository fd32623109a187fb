"""An HTTP header, `Authorization: Bearer ...` (RFC 6750 section 2.1), as `curl -H @-` reads it."""

from __future__ import annotations

from collections.abc import Sequence

from provisioner.deliver.base import Delivered, refuse_control_characters


def deliver(tokens: Sequence[Delivered]) -> str:
    """One line a token. Raises Invalid where a token has control characters: it would write headers of its own."""
    return "".join(
        f"Authorization: {token.token_type} {refuse_control_characters(token, 'a header')}\n" for token in tokens
    )
