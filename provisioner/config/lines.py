"""Where a key stands in a TOML text. tomli tells lines of syntax errors only; this finds them for everything else.

It reads texts that tomli has accepted, so it may be lenient. It runs only once something is to be reported.
"""

from __future__ import annotations

import re

KeyPath = tuple[str | int, ...]

_KEY = re.compile(r'[ \t]*(?:"((?:[^"\\\n]|\\.)*)"|\'([^\'\n]*)\'|([A-Za-z0-9_-]+))[ \t]*')
_BLANK = re.compile(r"(?:[ \t\r\n]+|#[^\n]*)*")
_PIECE = re.compile(
    r"""
    \"{3}(?:\\.|[^\\])*?\"{3,5} | '{3}.*?'{3,5}      # strings of many lines
    | "(?:\\.|[^"\\\n])*" | '[^'\n]*'              # strings of one
    | \#[^\n]* | [^\S\n]+ | \w+ | .
    """,
    re.DOTALL | re.VERBOSE,
)
_HEADER = re.compile(r"^[ \t]*\[(applications|credits)\.([A-Za-z0-9_-]+)\]", re.MULTILINE)


def index(text: str) -> dict[KeyPath, int]:
    """Every table header, key and array item of a TOML text → its line, counted from 1."""
    return _Scanner(text).run()


def line_of(found: dict[KeyPath, int], path: KeyPath) -> int | None:
    """The line of the path, or of the nearest thing that holds it."""
    for length in range(len(path), 0, -1):
        if path[:length] in found:
            return found[path[:length]]
    return None


def declarations(text: str) -> dict[tuple[str, str], int]:
    """`(applications | credits, name)` → line of its header. One cheap pass, for texts of many thousand tables."""
    if '"""' in text or "'''" in text:  # a header look-alike may stand inside a string: scan in full
        return {(str(p[0]), str(p[1])): n for p, n in index(text).items() if len(p) == 2 and p[0] in _DECLARED}
    found: dict[tuple[str, str], int] = {}
    line, seen = 1, 0
    for match in _HEADER.finditer(text):
        line += text.count("\n", seen, match.end())
        seen = match.end()
        found[match[1], match[2]] = line
    return found


_DECLARED = ("applications", "credits")


def _unescaped(quoted: str) -> str:
    if "\\" not in quoted:
        return quoted
    import tomli

    return next(iter(tomli.loads(f'"{quoted}" = 0')))


class _Scanner:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.found: dict[KeyPath, int] = {}
        self.arrays: dict[KeyPath, int] = {}  # [[name]]: how many so far
        self.line, self._counted = 1, 0

    def run(self) -> dict[KeyPath, int]:
        prefix: KeyPath = ()
        while True:
            self._skip(_BLANK)
            if self.at >= len(self.text):
                return self.found
            start = self.at
            if self.text[self.at] == "[":
                prefix = self._header()
            else:
                self._pair(prefix)
            if self.at == start:  # not TOML after all: better no line than no end
                return self.found

    def _header(self) -> KeyPath:
        double = self.text.startswith("[[", self.at)
        self.at += 2 if double else 1
        path = self._resolve(self._keys())
        if double:
            self.arrays[path] = self.arrays.get(path, -1) + 1
            path = (*path, self.arrays[path])
        for length in range(1, len(path) + 1):
            self._note(path[:length])
        end = self.text.find("\n", self.at)
        self.at = len(self.text) if end < 0 else end
        return path

    def _resolve(self, keys: KeyPath) -> KeyPath:
        """`[a.b]` below `[[a]]` belongs to the last element of `a`."""
        path: KeyPath = ()
        for position, key in enumerate(keys):
            path = (*path, key)
            if path in self.arrays and position < len(keys) - 1:
                path = (*path, self.arrays[path])
        return path

    def _pair(self, prefix: KeyPath) -> None:
        keys = self._keys()
        for length in range(1, len(keys) + 1):
            self._note((*prefix, *keys[:length]))
        if self.at < len(self.text) and self.text[self.at] == "=":
            self.at += 1
            self._value((*prefix, *keys))

    def _keys(self) -> KeyPath:
        keys: list[str] = []
        while match := _KEY.match(self.text, self.at):
            self.at = match.end()
            quoted, literal, bare = match.groups()
            keys.append(_unescaped(quoted) if quoted is not None else literal if literal is not None else bare)
            if self.at >= len(self.text) or self.text[self.at] != ".":
                break
            self.at += 1
        return tuple(keys)

    def _value(self, path: KeyPath) -> None:
        """Skips one value, to the end of its last line, and notes the items of an array."""
        depth, item, fresh, is_array = 0, 0, False, False
        while match := _PIECE.match(self.text, self.at):
            piece = match[0]
            if piece == "\n" and depth == 0:
                return
            if fresh and not piece.isspace() and piece[0] not in "#]":
                self._note((*path, item))
                fresh = False
            self.at = match.end()
            if piece in "[{":
                is_array = is_array or (depth == 0 and piece == "[")
                fresh = fresh or (depth == 0 and is_array)
                depth += 1
            elif piece in "]}":
                depth -= 1
            elif piece == "," and depth == 1 and is_array:
                item, fresh = item + 1, True

    def _note(self, path: KeyPath) -> None:
        self.line += self.text.count("\n", self._counted, self.at)
        self._counted = self.at
        self.found.setdefault(path, self.line)

    def _skip(self, pattern: re.Pattern[str]) -> None:
        match = pattern.match(self.text, self.at)
        if match:
            self.at = match.end()
