"""argparse as Terraform users expect it: did-you-mean everywhere, flags that take `=false`, one parser a command.

argparse's own formatter asks `shutil` for the terminal's width, which costs a third of a start-up: we ask `os`.
"""

from __future__ import annotations

import argparse
import os

TYPE_CHECKING = False  # `typing` costs a tenth of a start-up; type checkers know this name
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any, NoReturn


class UsageError(Exception):
    """The command line is wrong. `advice` says what to type instead. Light, because help must start fast."""

    def __init__(self, summary: str, advice: str = "") -> None:
        super().__init__(summary)
        self.summary, self.advice = summary, advice


def nearest(word: str, names: Iterable[object]) -> str:
    """` Did you mean 'x'?`, or nothing."""
    import difflib

    bare = {str(name).lstrip("-"): str(name) for name in names}  # two dashes in common make no two options alike
    hits = difflib.get_close_matches(word.lstrip("-"), bare, 1, 0.6)
    return f" Did you mean {bare[hits[0]]!r}?" if hits else ""


class Switch(argparse.Action):
    """A flag: `--json`, `--json=true`, `--refresh=false`. `argv.normalise` gives it its value, so it never eats a
    word."""

    def __init__(self, option_strings: list[str], dest: str, default: bool = False, **rest: Any) -> None:  # noqa: FBT001, FBT002  # argparse's signature
        super().__init__(option_strings, dest, nargs="?", const=True, default=default, **rest)

    def __call__(self, parser: Any, namespace: Any, values: Any, option_string: str | None = None) -> None:
        truth = {"true": True, "1": True, "false": False, "0": False}.get(str(values).lower())
        if truth is None:
            raise argparse.ArgumentError(self, f"{values!r} is neither true nor false.")
        setattr(namespace, self.dest, truth)


class Formatter(argparse.RawDescriptionHelpFormatter):
    def _format_action_invocation(self, action: argparse.Action) -> str:
        if isinstance(action, Switch):
            return ", ".join(action.option_strings) + ("=false" if action.default is True else "")
        if action.option_strings and action.nargs != 0:
            value = self._format_args(action, (action.dest or "").upper())
            return ", ".join(action.option_strings) + f" {value}"
        return super()._format_action_invocation(action)


def columns() -> int:
    """The width of help: the terminal's, or 100, and never wider."""
    try:
        width = int(os.environ.get("COLUMNS", "")) or 100
    except ValueError:
        try:
            width = os.get_terminal_size().columns
        except OSError:
            width = 100
    return max(60, min(width - 2, 110))


class Parser(argparse.ArgumentParser):
    """Raises `UsageError` instead of printing and exiting: only `main` does that."""

    def __init__(self, **options: Any) -> None:
        options.setdefault("formatter_class", Formatter)
        super().__init__(allow_abbrev=False, add_help=False, **options)

    def _get_formatter(self) -> argparse.HelpFormatter:
        made: argparse.HelpFormatter = self.formatter_class(prog=self.prog, width=columns(), max_help_position=32)  # type: ignore[call-arg]  # typeshed has the protocol without them
        return made

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is not None and value not in action.choices:
            known = ", ".join(map(str, action.choices))
            raise argparse.ArgumentError(
                action, f"{value!r} is not one of {known}.{nearest(str(value), action.choices)}"
            )

    def option_names(self) -> list[str]:
        return [name for name in self._option_string_actions if name.startswith("--")]

    def action_of(self, option: str) -> argparse.Action | None:
        return self._option_string_actions.get(option)

    def parse_all(self, words: list[str]) -> argparse.Namespace:
        """Every word, or a UsageError that names the first one that fits nowhere."""
        namespace, rest = self.parse_known_args(words)
        for word in rest:
            if word.startswith("-") and word != "-":
                name = word.split("=")[0]
                raise UsageError(f"{self.prog} has no option {name}.{nearest(name, self.option_names())}", self.advice)
        if rest:
            raise UsageError(f"{self.prog} does not take {rest[0]!r} here.", self.advice)
        return namespace

    @property
    def advice(self) -> str:
        return f"`{self.prog} -h` lists what it takes."

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{self.prog}: {message}", self.advice)
