"""Reads the main file and what it includes, and merges their tables, remembering which file each part came from."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from provisioner.config.lines import KeyPath
from provisioner.config.problems import Problems, Source, key_path
from provisioner.config.syntax import read_toml
from provisioner.config.variables import UnknownName, Variables, expand

_LISTS = ("moved", "import", "removed")
# Tables two levels down that merge key by key. Others (`{ env = "X" }`) are values: half of one and half of another
# reference would be a third that nobody wrote.
_NAMED = ("providers", "token_policies", "applications", "credits")
_DEEP = {("state", "encryption"), ("safety", "max_spend")}


def read_all(main: Source, problems: Problems, variables: Variables) -> tuple[dict[str, Any], bool]:
    """The merged tables of the main file and everything that it includes, and whether no string of theirs can hold a
    `${`. Included files that fail are reported; the others still count."""
    reader = _Reader(problems, variables)
    reader.read(main, Path(main.file), ())
    plain = not any("${" in one.text or "\\u" in one.text.lower() for one in reader.sources)
    if len(reader.sources) == 1:  # nothing to merge: origins stay empty, and every path is the main file's own
        return main.table, plain
    merged: dict[str, Any] = {}
    for source in reader.sources:
        _merge(merged, source.table, source, problems)
    return merged, plain


def files_of(path: Path) -> list[Path]:
    """The desired-state file and all that it includes, as far as they can be read. Raises Invalid where one cannot."""
    main = Source(str(path))
    problems = Problems(main)
    reader = _Reader(problems, Variables({}, (), {}, problems))
    reader.read(main, path, ())
    problems.raise_if_any()
    return [Path(source.file) for source in reader.sources]


class _Reader:
    def __init__(self, problems: Problems, variables: Variables) -> None:
        self.problems = problems
        self.variables = variables
        self.sources: list[Source] = []
        self._done: set[Path] = set()

    def read(self, source: Source, file: Path, chain: tuple[Path, ...]) -> None:
        real = file.resolve()
        self._done.add(real)
        self.sources.append(source)
        advice = "Name the desired-state file with --config, or write one with `provisioner init`."
        if not read_toml(source, file, self.problems, advice):
            self.problems.incomplete = True
            return
        self.variables.declare(source.table.get("variables"))
        for position, pattern in enumerate(self._patterns(source)):
            path: KeyPath = ("stack", "include", position)
            for match in self._matches(source, file, pattern, path):
                self._include(source, match, (*chain, real), path)

    def _include(self, source: Source, file: Path, chain: tuple[Path, ...], path: KeyPath) -> None:
        real = file.resolve()
        if real in chain:
            self.problems.add(
                "include-failed",
                f"{file} is included by what it includes itself",
                "Take one of the two includes out.",
                path=path,
                source=source,
            )
        elif real not in self._done:
            self.read(Source(str(file)), file, chain)

    def _patterns(self, source: Source) -> list[str]:
        """The file's own include list, taken out of its table: each file has one, so it never merges."""
        stack = source.table.get("stack")
        if not isinstance(stack, dict) or "include" not in stack:
            return []
        given = stack["include"]
        source.table = {**source.table, "stack": {k: v for k, v in stack.items() if k != "include"}}
        if isinstance(given, list) and all(isinstance(one, str) for one in given):
            return given
        self.problems.incomplete = True
        self.problems.add(
            "wrong-type",
            "include is not a list of strings",
            'Write it as in include = ["apps/*.toml"].',
            path=("stack", "include"),
            source=source,
        )
        return []

    def _matches(self, source: Source, file: Path, pattern: str, path: KeyPath) -> list[Path]:
        import glob  # only a stack with includes needs it

        try:
            pattern = expand(pattern, self.variables.lookup)
        except UnknownName as unknown:
            self.problems.incomplete = True
            advice = f"{unknown.advice} In an include, only variables of files already read are known."
            self.problems.add("unknown-reference", str(unknown), advice.strip(), path=path, source=source)
            return []
        where = os.path.join(glob.escape(str(file.parent)), pattern)  # noqa: PTH118  # a pattern is not a Path yet
        found = sorted(Path(name) for name in glob.glob(where, recursive=True))  # noqa: PTH207  # absolute patterns too
        found = [one for one in found if one.is_file()]
        if glob.has_magic(pattern):
            return [one for one in found if one.resolve() != file.resolve()]
        if not found:
            self.problems.incomplete = True
            self.problems.add(
                "include-failed",
                f"there is no file {pattern}",
                "Includes are relative to the file that names them; a pattern with * may match nothing.",
                path=path,
                source=source,
            )
        return found


def _merge(into: dict[str, Any], table: dict[str, Any], source: Source, problems: Problems, path: KeyPath = ()) -> None:
    for key, value in table.items():
        here = (*path, key)
        if key in _LISTS and not path and isinstance(value, list):
            _append(into.setdefault(key, []), value, source, problems, key)
        elif key not in into:
            into[key] = value
            problems.origins[here] = (source, here)
        elif _merges(here) and isinstance(value, dict) and isinstance(into[key], dict):
            _merge(into[key], value, source, problems, here)
        else:
            _twice(here, source, problems)


def _merges(path: KeyPath) -> bool:
    return len(path) == 1 or (len(path) == 2 and (path[0] in _NAMED or path in _DEEP))


def _append(into: Any, items: list[Any], source: Source, problems: Problems, key: str) -> None:
    if not isinstance(into, list):  # an earlier file gave the key another type, and the shape check says so
        return
    for position, item in enumerate(items):
        problems.origins[key, len(into)] = (source, (key, position))
        into.append(item)


def _twice(here: KeyPath, source: Source, problems: Problems) -> None:
    first, first_path = problems.origin(here)
    line = first.line_of(first_path)
    problems.add(
        "duplicate",
        f"{key_path(here)} is given twice: in {first.file}{f' line {line}' if line else ''} and in {source.file}",
        "Keep one of the two.",
        path=here,
        source=source,
    )
