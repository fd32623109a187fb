"""A secret that cannot be printed.

Masking text after the fact misses encodings and new code paths; a type that has no printable form does not.
`Secret.reveal()` is the one way out, so `grep reveal` finds every place where a value leaves the type.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Any, NoReturn

MASK = "(sensitive value)"


class Secret:
    """One secret string. `repr`, `str`, `format`, JSON, pickle and copy never show or carry the value.

    `source` is the reference that it came from (`env EZ_PASSWORD`), which a message may name; None where there is none.
    """

    __slots__ = ("_value", "source")

    def __init__(self, value: str, source: str | None = None) -> None:
        if not isinstance(value, str):
            raise TypeError("a Secret holds a str")
        self._value = value
        self.source = source

    def reveal(self) -> str:
        """The value itself, for the one request, seal or delivery that needs it."""
        return self._value

    @property
    def fingerprint(self) -> str:
        """`sha256:` and the first 16 hex digits of the value's SHA-256 (contract section 5)."""
        return fingerprint(self._value)

    def __repr__(self) -> str:
        return MASK

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return format(MASK, spec)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self._value.encode(), other._value.encode())

    def __hash__(self) -> int:
        return hash((Secret, self._value))

    def __bool__(self) -> bool:
        return bool(self._value)

    def __len__(self) -> NoReturn:
        raise TypeError("the length of a secret is not for use")

    def __reduce_ex__(self, protocol: Any) -> NoReturn:
        raise TypeError("a Secret is never pickled or copied")


def named(what: str, secret: Secret | None) -> str:
    """`what`, and the reference to look at where there is one: `password (env EZ_PASSWORD)`."""
    return f"{what} ({secret.source})" if secret is not None and secret.source is not None else what


def fingerprint(value: str) -> str:
    """`sha256:` and 16 hex digits: enough to tell tokens apart, useless to guess a random one from."""
    return "sha256:" + hashlib.sha256(value.encode()).hexdigest()[:16]
