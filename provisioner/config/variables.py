"""`${var.NAME}`: what variables there are, what they are set to, and how a text is expanded.

`--var` overrides `--var-file`, that overrides `PROVISIONER_VAR_NAME`, that overrides `[variables]`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from provisioner.config.lines import KeyPath
from provisioner.config.problems import Problems, Source, did_you_mean
from provisioner.config.syntax import read_toml

_PIECE = re.compile(r"\$\$\{|\$\{([^{}]*)(\}?)")


class UnknownName(LookupError):
    """A `${...}` that stands for nothing; `advice` says what to write instead."""

    def __init__(self, sentence: str, advice: str = "") -> None:
        super().__init__(sentence)
        self.advice = advice


def expand(text: str, lookup: Callable[[str], str]) -> str:
    """Replaces each `${NAME}` by `lookup(NAME)`, once: what is put in is not searched again. `$${` becomes `${`.
    Raises UnknownName."""
    if "${" not in text:
        return text

    def piece(match: re.Match[str]) -> str:
        if match[0] == "$${":
            return "${"
        if not match[2]:
            raise UnknownName(
                "a ${ is never closed", "Close it with }, or write $${ for the two characters themselves."
            )
        return lookup(match[1].strip())

    return _PIECE.sub(piece, text)


def expand_tree(
    value: Any, lookup: Callable[[str], str], problems: Problems, path: KeyPath, address: Any = None
) -> Any:
    """The same value with every string in it expanded; what cannot be is reported and poisoned."""
    if isinstance(value, str):
        try:
            return expand(value, lookup)
        except UnknownName as unknown:
            if not problems.incomplete:
                problems.add("unknown-reference", str(unknown), unknown.advice, path=path, address=address)
            problems.poison(path)
            return value
    if isinstance(value, dict):
        return {k: expand_tree(v, lookup, problems, (*path, k), address) for k, v in value.items()}
    if isinstance(value, list):
        return [expand_tree(v, lookup, problems, (*path, i), address) for i, v in enumerate(value)]
    return value


class Variables:
    """The variables of one load. Files declare them as they are read, so that an include pattern may use one."""

    def __init__(
        self, overrides: Mapping[str, str], var_files: Sequence[Path], environ: Mapping[str, str], problems: Problems
    ) -> None:
        self._problems = problems
        self._overrides = overrides
        self._environ = environ
        self._declared: dict[str, str] = {}
        self._from_files: dict[str, tuple[str, Source]] = {}
        self._expanding: list[str] = []
        for file in var_files:
            self._read(file)

    def declare(self, table: object) -> None:
        """Takes up one file's `[variables]`. Values of a wrong type are the shape check's to report."""
        if isinstance(table, dict):
            self._declared.update({k: v if isinstance(v, str) else "" for k, v in table.items()})

    def lookup(self, name: str) -> str:
        """What `${name}` stands for. Raises UnknownName."""
        kind, _, rest = name.partition(".")
        if kind == "var" and rest:
            return self.value(rest)
        if kind == "each":
            raise UnknownName(
                f"${{{name}}} is known only where for_each is", "Give the application a for_each, or name the value."
            )
        near = f"Write ${{var.{name}}}. " if name in self._declared else ""
        raise UnknownName(f"${{{name}}} is not known", near + "There are ${var.NAME} and, with for_each, ${each.key}.")

    def value(self, name: str) -> str:
        """A variable's value. Raises UnknownName where it is declared nowhere, or in terms of itself."""
        if name not in self._declared:
            raise UnknownName(
                f'no variable is called "{name}"',
                f"{did_you_mean(name, self._declared)} Declare it under [variables].".strip(),
            )
        if name in self._overrides:
            return self._overrides[name]
        if name in self._from_files:
            return self._from_files[name][0]
        if f"PROVISIONER_VAR_{name}" in self._environ:
            return self._environ[f"PROVISIONER_VAR_{name}"]
        if name in self._expanding:
            raise UnknownName(
                f'the variable "{name}" is declared in terms of itself', "Give one of them a plain value."
            )
        self._expanding.append(name)
        try:
            return expand(self._declared[name], self.lookup)
        finally:
            self._expanding.pop()

    def values(self) -> dict[str, str]:
        """Every declared variable, sorted; reports overrides of what is not declared."""
        if not self._problems.incomplete:
            for name in self._overrides:
                self._check(name, f'--var sets "{name}", and no variable is called so', None)
            for name, (_, source) in self._from_files.items():
                self._check(name, f'the variables file sets "{name}", and no variable is called so', source)
        found = {}
        for name in sorted(self._declared):
            try:
                found[name] = self.value(name)
            except UnknownName as unknown:
                if not self._problems.incomplete:
                    path = ("variables", name)
                    self._problems.add("unknown-reference", str(unknown), unknown.advice, path=path)
        return found

    def _check(self, name: str, summary: str, source: Source | None) -> None:
        if name not in self._declared:
            advice = f"{did_you_mean(name, self._declared)} Declare it under [variables].".strip()
            path: KeyPath = (name,) if source else ()
            self._problems.add("unknown-reference", summary, advice, path=path, source=source)

    def _read(self, file: Path) -> None:
        source = Source(str(file))
        advice = 'Give --var-file the path of a TOML file of NAME = "value" lines.'
        read_toml(source, file, self._problems, advice)
        for name, value in source.table.items():
            if isinstance(value, str):
                self._from_files[name] = (value, source)
            else:
                self._problems.add(
                    "wrong-type", f'the variable "{name}" is not a string', "Quote it.", path=(name,), source=source
                )
