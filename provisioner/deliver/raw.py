"""The bare tokens, one a line: what `token ADDRESS` prints."""

from __future__ import annotations

from collections.abc import Sequence

from provisioner.deliver.base import Delivered


def deliver(tokens: Sequence[Delivered]) -> str:
    return "".join(f"{token.access_token.reveal()}\n" for token in tokens)
