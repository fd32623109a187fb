"""What a server answered, whole and unjudged. Providers judge; `session` has already sorted out what is no answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


class NotJson(ValueError):
    """A body that is no JSON, or not the JSON that it should be. Its text is never part of the message."""


@dataclass(frozen=True, slots=True)
class Answer:
    """`headers` has lower-case names. `body` may hold secrets, so it has no place in `repr`."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """Decimals instead of floats, because some of these numbers are money. Raises NotJson."""
        import json
        from decimal import Decimal

        try:
            return json.loads(self.body, parse_float=Decimal)
        except ValueError:
            raise NotJson(f"the body is not JSON (content-type {self.headers.get('content-type', 'not given')})") from None

    def object(self) -> dict[str, Any]:
        """The body as a JSON object. Raises NotJson."""
        found = self.json()
        if not isinstance(found, dict):
            raise NotJson("the body is JSON, and not an object")
        return found

    def __repr__(self) -> str:
        return f"<Answer {self.status}, {len(self.body)} bytes>"
