"""What a server answered, whole and unjudged. Providers judge; `session` has already sorted out what is no answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from provisioner.records import dataclass, field
from provisioner.secret import MASK, Secret

_LONGEST_QUOTE = 300  # characters of a vendor's words in one of our sentences


class NotJson(ValueError):
    """A body that is no JSON, or not the JSON that it should be. Its text is never part of the message."""


@dataclass(frozen=True, slots=True)
class Answer:
    """`headers` has lower-case names. `body` may hold secrets, so it has no place in `repr`. `sent` holds the secrets
    that the request carried, so that a server that echoes one is not quoted with it."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    sent: tuple[Secret, ...] = field(default=(), repr=False)

    def json(self) -> Any:
        """Decimals instead of floats, because some of these numbers are money. Raises NotJson, for a number with an
        exponent that no Decimal holds as well."""
        import json
        from decimal import Decimal

        try:
            return json.loads(self.body, parse_float=Decimal)
        except (ValueError, RecursionError, ArithmeticError):
            pass  # raised below, outside: the decoder's error carries the whole body
        kind = self.quote(self.headers.get("content-type", "not given"))
        raise NotJson(f"the body is not JSON (content-type {kind})")

    def object(self) -> dict[str, Any]:
        """The body as a JSON object. Raises NotJson."""
        found = self.json()
        if not isinstance(found, dict):
            raise NotJson("the body is JSON, and not an object")
        return found

    def quote(self, words: Any) -> str:
        """The vendor's words as they may stand in a message: one line, bounded, and without what we sent. "" for what
        is no text."""
        if not isinstance(words, str):
            return ""
        return _one_line(_without(words, self.sent))

    def __repr__(self) -> str:
        return f"<Answer {self.status}, {len(self.body)} bytes>"


def _without(words: str, secrets: tuple[Secret, ...]) -> str:
    """Longest first, so that a secret that is part of another leaves no rest of it."""
    from urllib.parse import quote, quote_plus

    forms = {form for s in secrets if s for v in [s.reveal()] for form in (v, quote(v, safe=""), quote_plus(v))}
    for form in sorted(forms, key=len, reverse=True):
        words = words.replace(form, MASK)
    return words


def _one_line(words: str) -> str:
    line = " ".join("".join(c if c.isprintable() else " " for c in words).split())
    return line if len(line) <= _LONGEST_QUOTE else line[: _LONGEST_QUOTE - 1] + "…"
