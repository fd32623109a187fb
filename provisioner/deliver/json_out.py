"""JSON: an object by address, each token with what is known of it."""

from __future__ import annotations

import json
from collections.abc import Sequence

from provisioner.deliver.base import Delivered


def deliver(tokens: Sequence[Delivered]) -> str:
    """`{ADDRESS: {"access_token": ..., "expires_at": ..., ...}}`, indented, with a line end. Holds any value."""
    found = {str(token.address): {**token.to_json(), "access_token": token.access_token.reveal()} for token in tokens}
    return json.dumps(found, indent=2, ensure_ascii=True) + "\n"


def deliver_one(token: Delivered) -> str:
    """One token alone, as `token ADDRESS --format json` prints it."""
    return json.dumps({**token.to_json(), "access_token": token.access_token.reveal()}, indent=2) + "\n"
