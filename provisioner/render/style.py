"""Colour, and text that cannot lie: no name of a thing may steer the terminal or fake a line."""

from __future__ import annotations

import re

from provisioner.records import dataclass

# control characters, line separators and the marks that reorder text: each could fake or hide a line of a plan
_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_CODES = {"bold": "1", "red": "31", "green": "32", "yellow": "33", "cyan": "36", "dim": "2"}


@dataclass(frozen=True, slots=True)
class Style:
    """`color` False, the default, leaves text as it is."""

    color: bool = False

    def paint(self, text: str, *names: str) -> str:
        """`text` in the named styles: bold, dim, red, green, yellow, cyan."""
        if not self.color or not names:
            return text
        return f"\x1b[{';'.join(_CODES[name] for name in names)}m{text}\x1b[0m"


PLAIN = Style()


def one_line(text: object) -> str:
    """`text` with every character escaped that could break out of its line: `\\n`, `\\u001b`, `\\u202e`."""
    found = str(text)
    if found.isascii() and found.isprintable():
        return found
    return _UNSAFE.sub(_escape, found)


def paragraph(text: str) -> str:
    """The same for text that may have lines of its own."""
    return "\n".join(one_line(line) for line in text.splitlines())


def _escape(match: re.Match[str]) -> str:
    character = match[0]
    return {"\n": "\\n", "\r": "\\r", "\t": "\\t"}.get(character, f"\\u{ord(character):04x}")


def counted(number: int, singular: str, plural: str | None = None) -> str:
    """`1 step`, `2 steps`."""
    return f"{number} {singular if number == 1 else plural or singular + 's'}"
