"""`fmt`: a desired-state file in one layout, comments and order kept.

One space around `=`, no blanks at the ends of lines, one empty line before a table (above the comment that belongs to
it) and never two. What stands inside a value is left alone. A text whose meaning would change is returned as it was.
"""

from __future__ import annotations

import tomli

_TRIPLE = ('"""', "'''")


def formatted(text: str) -> str:
    """Raises tomli.TOMLDecodeError for what is no TOML."""
    before = tomli.loads(text)
    found = _Layout().of(text.replace("\r\n", "\n"))
    return found if tomli.loads(found) == before else text


class _Layout:
    """`inside` is the quotes of a string that goes on, `depth` how many brackets of a value are open."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.inside = ""
        self.depth = 0

    def of(self, text: str) -> str:
        for line in text.split("\n"):
            if self.inside:
                self.lines.append(line)
                self._scan(line)
            elif self.depth:
                self.lines.append(line.rstrip())
                self._scan(line)
            else:
                self._top(line.strip())
        while self.lines and not self.lines[-1]:
            self.lines.pop()
        return "\n".join(self.lines) + "\n" if self.lines else ""

    def _top(self, line: str) -> None:
        if not line:
            if self.lines and self.lines[-1]:
                self.lines.append("")
        elif line.startswith("#"):
            self.lines.append(line)
        elif line.startswith("["):
            self._part()
            self.lines.append(line)
        else:
            key, value = _split(line)
            self.lines.append(f"{key} = {value}")
            self._scan(value)

    def _part(self) -> None:
        """An empty line before a table and the comment right above it."""
        at = len(self.lines)
        while at and self.lines[at - 1].startswith("#"):
            at -= 1
        if at and self.lines[at - 1]:
            self.lines.insert(at, "")

    def _scan(self, line: str) -> None:
        """Where strings and brackets stand open at the end of this line."""
        at = 0
        while at < len(line):
            if self.inside:
                at = self._string(line, at)
            elif line[at] == "#":
                return
            elif line[at] in "\"'":
                triple = line[at : at + 3]
                self.inside = triple if triple in _TRIPLE else line[at]
                at += len(self.inside)
            else:
                self.depth += (line[at] in "[{") - (line[at] in "]}")
                at += 1

    def _string(self, line: str, at: int) -> int:
        if line[at] == "\\" and self.inside[0] == '"':
            return at + 2
        if line.startswith(self.inside, at):
            # up to two quotes may stand right before the three that close
            while len(self.inside) == 3 and line.startswith(self.inside, at + 1):
                at += 1
            at += len(self.inside)
            self.inside = ""
            return at
        return at + 1


def _split(line: str) -> tuple[str, str]:
    """A key, quoted parts and all, and what follows its `=`."""
    quote, escaped = "", False
    for at, character in enumerate(line):
        if escaped:
            escaped = False
        elif quote:
            escaped = character == "\\" and quote == '"'
            quote = "" if character == quote else quote
        elif character in "\"'":
            quote = character
        elif character == "=":
            return line[:at].rstrip(), line[at + 1 :].lstrip()
    return line, ""
