"""What was typed, put into one form: which command, which words for it, one-dash long options as two-dash ones.

Global options may stand before or after the command, as wrappers of Terraform write them.
"""

from __future__ import annotations

from provisioner.cli.catalogue import COMMANDS, ELSEWHERE, GROUPS
from provisioner.cli.parser import Parser, Switch, UsageError, nearest

TYPE_CHECKING = False  # `typing` costs a tenth of a start-up; type checkers know this name
if TYPE_CHECKING:
    from collections.abc import Mapping


class Typed:
    """`command` is None where none was typed; "state" where only a group was. `words` are for the command's parser;
    `tail` is what follows `--`, kept to the letter."""

    __slots__ = ("command", "tail", "words")

    def __init__(self, command: str | None, words: list[str], tail: list[str]) -> None:
        self.command, self.words, self.tail = command, words, tail


# Global options that take a value: what follows them is no command.
_WITH_VALUE = {"-C", "--chdir", "-chdir", "-c", "--config", "-config", "--var", "-var", "--var-file", "-var-file"}


def find_command(words: list[str]) -> Typed:
    """The first word that is no option is the command; raises UsageError for one that does not exist."""
    before, rest = _leading_options(words)
    if not rest:
        return Typed(None, before, [])
    name, rest = rest[0], rest[1:]
    if name == "help":  # `help plan` is `plan --help`
        return find_command([*before, *rest, "--help"])
    if name in GROUPS:
        middle, rest = _leading_options(rest)
        before += middle
        if not rest:
            return Typed(name, before, [])
        kinds = [known.split()[1] for known in COMMANDS if known.startswith(name + " ")]
        if rest[0] not in kinds:
            _elsewhere(f"{name} {rest[0]}")
            raise UsageError(
                f"provisioner {name} has no command {rest[0]!r}.{nearest(rest[0], kinds)}",
                f"It has {', '.join(kinds)}.",
            )
        name, rest = f"{name} {rest[0]}", rest[1:]
    if name not in COMMANDS:
        _elsewhere(name)
        everything = [*(known for known in COMMANDS if " " not in known), *GROUPS]
        raise UsageError(
            f"There is no command {name!r}.{nearest(name, everything)}", "`provisioner -h` lists the commands."
        )
    tail: list[str] = []
    if "--" in rest:
        at = rest.index("--")
        rest, tail = rest[:at], rest[at + 1 :]
    return Typed(name, before + rest, tail)


def _elsewhere(name: str) -> None:
    """A command of Terraform's that is another's work here."""
    if name in ELSEWHERE:
        raise UsageError(f"There is no command {name!r} here.", ELSEWHERE[name])


def _leading_options(words: list[str]) -> tuple[list[str], list[str]]:
    at = 0
    while at < len(words) and words[at].startswith("-") and words[at] != "--":
        at += 2 if words[at] in _WITH_VALUE else 1
    return words[:at], words[at:]


def with_environment(typed: Typed, environment: Mapping[str, str]) -> Typed:
    """Terraform's TF_CLI_ARGS under our name: the words of the environment stand before those that were typed."""
    if typed.command is None:
        return typed
    found: list[str] = []
    for name in ("PROVISIONER_CLI_ARGS", "PROVISIONER_CLI_ARGS_" + typed.command.replace(" ", "_").replace("-", "_")):
        if environment.get(name):
            import shlex

            try:
                found += shlex.split(environment[name])
            except ValueError as fault:
                raise UsageError(f"{name} cannot be split into words: {fault}.") from None
    return Typed(typed.command, found + typed.words, typed.tail)


def normalise(parser: Parser, words: list[str]) -> list[str]:
    """One-dash long options get their second dash; a flag without a value gets `=true`, so that it never takes the next
    word for one. A word that is an option's value is left alone."""
    found: list[str] = []
    at = 0
    while at < len(words):
        word = words[at]
        at += 1
        if not word.startswith("-") or word in ("-", "--"):
            found.append(word)
            continue
        name, equals, value = word.partition("=")
        if not name.startswith("--") and len(name) > 2:
            name = "-" + name
        action = parser.action_of(name)
        if isinstance(action, Switch):
            found.append(f"{name}={value if equals else 'true'}")
        elif equals and not name.startswith("--"):
            found += [name, value]
        else:
            found.append(name + equals + value)
            if action is not None and action.nargs != 0 and not equals and at < len(words):
                found[-1] = f"{name}={words[at]}" if name.startswith("--") else name
                if not name.startswith("--"):
                    found.append(words[at])
                at += 1
    return found


def split_child(parser: Parser, words: list[str]) -> tuple[list[str], list[str]]:
    """`run` without `--`: the first word that is neither an option nor an option's value begins the child's command."""
    at = 0
    while at < len(words) and words[at].startswith("-"):
        name = words[at]
        long = name if name.startswith("--") or len(name) == 2 else "-" + name
        action = parser.action_of(long)
        takes = action is not None and action.nargs != 0 and not isinstance(action, Switch)
        at += 2 if takes and "=" not in name else 1
    return words[:at], words[at:]
