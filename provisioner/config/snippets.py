"""The line of a desired-state file that a problem is about, as Terraform's diagnostics carry it.

A file that is wrong may hold a secret where none belongs: under a misspelt key, in a URL, without its quotes. So a line
shows nothing of a value that the message does not say anyway; else its key stands alone.
"""

from __future__ import annotations

import re

from provisioner.errors import Snippet

_PART = r'(?:"(?:[^"\\\n]|\\.)*"|\'[^\'\n]*\'|[A-Za-z0-9_-]+)'
_KEY = re.compile(rf"\s*({_PART}(?:\s*\.\s*{_PART})*)\s*=\s*")
_HEADER = re.compile(rf"\s*(\[\[?\s*{_PART}(?:\s*\.\s*{_PART})*\s*\]\]?)")
_WORD = re.compile(r"[^\s\"',\[\]{}=]+")


def snippet(text: str, line: int, said: str) -> Snippet | None:
    """`line` from 1; `said` is the message's summary. None where nothing of the line may be shown."""
    lines = text.split("\n")
    if not 1 <= line <= len(lines):
        return None
    found = _shown(lines[line - 1].rstrip("\r"), said)
    if found is None:
        return None
    code, start, end = found
    before = sum(len(one.encode()) + 1 for one in lines[: line - 1])
    return Snippet(code=code, start=start, end=end, byte=before, context=_context(lines[: line - 1]))


def _shown(line: str, said: str) -> tuple[str, int, int] | None:
    """The line as it may be shown, and which part of it is meant."""
    if header := _HEADER.match(line):
        return line[: header.end()], header.start(1), header.end(1)
    key = _KEY.match(line)
    start = key.end() if key is not None else len(line) - len(line.lstrip())
    words = _WORD.findall(line[start:])
    if words and all(word in said for word in words):
        return line, start, len(line.rstrip())
    if key is None:
        return None
    return f"{line[: key.end()].rstrip()} ...", key.start(1), key.end(1)


def _context(before: list[str]) -> str | None:
    """The header of the table that the line stands in."""
    for line in reversed(before):
        if header := _HEADER.match(line):
            return header[1]
    return None
