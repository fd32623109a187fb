"""A last net under `Secret`: values that were revealed in this run are blotted out of diagnostics and tracebacks.

The type is what keeps secrets out of text; this is for text that other people's code wrote.
"""

from __future__ import annotations

_SHORTEST = 4  # shorter values would blot out ordinary words


class Masker:
    """Knows secret values and the encodings that they travel in."""

    def __init__(self) -> None:
        self._known: set[str] = set()

    def add(self, value: str) -> None:
        """Remember one value, whole and by line, as typed, percent-encoded, base64 and JSON-escaped. The comments and
        frames of a key file are no secret, and would blot out ordinary text."""
        for part in {value, *value.splitlines()}:
            if len(part.strip()) >= _SHORTEST and not part.startswith(("#", "-----")):
                self._known |= _spellings(part)

    def mask(self, text: str) -> str:
        if not self._known:
            return text
        from provisioner.secret import MASK

        for value in sorted(self._known, key=len, reverse=True):
            if value in text:
                text = text.replace(value, MASK)
        return text


def _spellings(value: str) -> set[str]:
    import base64
    import json
    from urllib.parse import quote, quote_plus

    raw = value.encode()
    return {
        value,
        quote(value, safe=""),
        quote_plus(value),
        json.dumps(value)[1:-1],
        repr(value)[1:-1],
        base64.b64encode(raw).decode(),
        base64.urlsafe_b64encode(raw).decode().rstrip("="),
    }
