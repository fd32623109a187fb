"""Collects what is wrong with a desired-state file, with file, line and key path, so that all is said at once."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, NoReturn

from provisioner.config import lines
from provisioner.config.lines import KeyPath
from provisioner.errors import Diagnostic, Invalid
from provisioner.records import dataclass, field

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_STEP = re.compile(r"([^.\[\]]+)|\[(\d+)\]")


@dataclass(slots=True)
class Source:
    """One TOML file that was read. `table` is empty where its text could not be parsed."""

    file: str
    text: str = ""
    table: dict[str, Any] = field(default_factory=dict)
    _index: dict[KeyPath, int] | None = None
    _declared: dict[tuple[str, str], int] | None = None

    def line_of(self, path: KeyPath) -> int | None:
        if self._index is None:
            self._index = lines.index(self.text)
        return lines.line_of(self._index, path)

    def declared_at(self, section: str, name: str) -> int | None:
        """The line of `[section.name]`; cheap enough to be asked for every application."""
        if self._declared is None:
            self._declared = lines.declarations(self.text)
        return self._declared.get((section, name))


class Problems:
    """`origins` says from which file a part of the merged tables came, and under which path it stands there.

    `incomplete` is set once a file could not be read: what it declares is unknown, so a name that is declared nowhere
    may well be declared there, and is not reported.
    """

    def __init__(self, main: Source) -> None:
        self.main = main
        self.origins: dict[KeyPath, tuple[Source, KeyPath]] = {}
        self.incomplete = False
        self.found: list[Diagnostic] = []
        self._poisoned: set[KeyPath] = set()
        self._said: set[tuple[str, str | None, str | None, str]] = set()
        self._places: set[tuple[str | None, str | None]] = set()

    def add(
        self,
        name: str,
        summary: str,
        detail: str = "",
        *,
        path: KeyPath = (),
        address: object = None,
        source: Source | None = None,
        line: int | None = None,
    ) -> None:
        """One more problem. Nothing is said twice, nor of a path that `poison` was called for."""
        if any(path[:length] in self._poisoned for length in range(1, len(path) + 1)):
            return
        origin, local = (source, path) if source else self.origin(path)
        where = key_path(path) or None
        if (name, origin.file, where, summary) in self._said:
            return
        self._said.add((name, origin.file, where, summary))
        self._places.add((where, None if address is None else str(address)))
        line = line if line is not None else (origin.line_of(local) if local else None)
        from provisioner.config.snippets import snippet  # expressions that only a problem pays for

        self.found.append(
            Diagnostic(
                name=name,
                summary=summary,
                detail=detail,
                address=None if address is None else str(address),
                file=origin.file or None,
                line=line,
                key_path=where,
                snippet=None if line is None else snippet(origin.text, line, summary),
            )
        )

    def add_relative(self, found: Iterable[Diagnostic], base: KeyPath, address: object = None) -> None:
        """A vendor's errors, whose key paths are relative to the table at `base`. Where a rule of ours has spoken of
        the same key, the vendor's would say it twice. Its warnings are `advise`'s to show."""
        for one in found:
            path = absolute(base, one.key_path)
            said = (key_path(path), None if address is None else str(address)) in self._places
            if one.severity == "error" and not said:
                self.add(one.name, one.summary, one.detail, path=path, address=address)

    def poison(self, path: KeyPath) -> None:
        """What stands at `path` is reported and unusable: whatever follows from it is not to be reported as well."""
        self._poisoned.add(path)

    def origin(self, path: KeyPath) -> tuple[Source, KeyPath]:
        """The file that a merged path came from, and its path there."""
        if self.origins:
            for length in range(len(path), 0, -1):
                if path[:length] in self.origins:
                    source, local = self.origins[path[:length]]
                    return source, (*local, *path[length:])
        return self.main, path

    def raise_if_any(self) -> None:
        if self.found:
            self.fail()

    def fail(self) -> NoReturn:
        """Raises Invalid with all that was found, in the order of the files' lines, the main file first."""
        files = {self.main.file: -1}
        for one in self.found:
            files.setdefault(one.file or "", len(files))
        raise Invalid.of(sorted(self.found, key=lambda d: (files[d.file or ""], d.line or 0)))


def key_path(path: KeyPath) -> str:
    """`("applications", "campaigns", "scopes", 1)` → `applications.campaigns.scopes[1]`."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        else:
            text += ("." if text else "") + (step if _BARE.fullmatch(step) else f'"{step}"')
    return text


def absolute(base: KeyPath, relative: str | None) -> KeyPath:
    """`scopes[1]` below `("applications", "campaigns")`."""
    return (*base, *(int(number) if number else word for word, number in _STEP.findall(relative or "")))


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A sentence that suggests the nearest known word, or lists them where they are few, or nothing."""
    import difflib  # 5 ms that only an error pays

    words = sorted(set(known))
    near = difflib.get_close_matches(word, words, n=1, cutoff=0.6)
    if near:
        return f'Did you mean "{near[0]}"?'
    if words and len(words) <= 12:
        return "Known here: " + ", ".join(words) + "."
    return ""
