"""One command from words to exit code. Whatever happens, a user reads a diagnostic with a code and never a traceback.

Help, `version` and `completion` end here or in `handle_about` before anything heavy is imported: start-up is a feature.
"""

from __future__ import annotations

import argparse
import os

from provisioner.cli import argv, guide
from provisioner.cli.arguments import build, build_group
from provisioner.cli.catalogue import COMMANDS, STREAMING
from provisioner.cli.console import Console, coded
from provisioner.cli.parser import UsageError

TYPE_CHECKING = False  # `typing` costs a tenth of a start-up; type checkers know this name
if TYPE_CHECKING:
    from types import ModuleType

    from provisioner.cli.views.base import View

USAGE = 4
LIGHT = ("version", "completion")  # they touch neither a file of the user nor a provider


def main(words: list[str]) -> int:
    """Run one command; returns the contract's exit code."""
    console = Console(os.environ)
    command = "provisioner"
    try:
        typed = argv.with_environment(argv.find_command(words), os.environ)
        command = typed.command or command
        code = _help(typed, console) if typed.command not in COMMANDS else _command(typed, console)
    except UsageError as fault:
        code = _wrong(fault, command, words, console)
    except KeyboardInterrupt:
        code = 130
    except Exception as fault:  # noqa: BLE001  # the telling of a fault failed: even then nobody reads a traceback
        said = coded("internal", f"a fault of this program ({type(fault).__name__}). Please report it.")
        console.err(f"Error: {said}")
        code = 1
    try:
        return console.finish(code)
    except KeyboardInterrupt:
        return 130


def _help(typed: argv.Typed, console: Console) -> int:
    """`provisioner`, `provisioner -h`, `provisioner --version`, `provisioner state`."""
    from provisioner import __version__

    parser = build_group(typed.command or "")
    options = parser.parse_all(argv.normalise(parser, typed.words))
    if options.version or (options.verbose and not typed.command):  # `terraform -v` is its version
        console.line(f"provisioner {__version__}")
        return 0
    text = guide.of_group(typed.command) if typed.command else guide.of_program(__version__)
    if options.help:
        console.out(text)
        return 0
    console.err(text.rstrip("\n"))
    return USAGE


def _command(typed: argv.Typed, console: Console) -> int:
    command = typed.command or ""
    parser = build(command)
    words, tail = typed.words, typed.tail
    if command == "run" and not tail:
        words, tail = argv.split_child(parser, words)
    words = argv.normalise(parser, words)
    if "--help=true" in words or "-h=true" in words:
        console.out(parser.format_help())
        return 0
    options = parser.parse_all(words + ([] if command == "run" else tail))
    options.command, options.tail = command, tail
    console.plain = console.plain or options.no_color
    if os.environ.get("PROVISIONER_INPUT", "").lower() in ("0", "false"):
        options.input = False
    if options.chdir is not None:
        try:
            os.chdir(options.chdir)
        except OSError as fault:
            raise UsageError(f"--chdir {options.chdir}: {fault.strerror}.", "Name a directory that exists.") from None
    module, _, name = COMMANDS[command].handler.partition(":")
    if command in LIGHT:
        light: int = getattr(_module(module), name)(options, console)
        return light
    return _guarded(module, name, options, console)


def _guarded(module: str, name: str, options: argparse.Namespace, console: Console) -> int:
    """Run a command's handler under a view that is always closed, and map every error to its exit code."""
    from provisioner.cli import failures, signals
    from provisioner.cli.views import choose

    view = choose(options, console)
    options.tell = view.notice
    console.leaving = signals.leaving
    with signals.installed():
        try:
            handler = getattr(_module(module), name)
            code: int = handler(options, console, view)
        except BaseException as fault:  # noqa: BLE001  # the last frame: nothing may pass as a traceback
            code = failures.report(fault, options, console, view)
        return _closed(view, code)


def _module(name: str) -> ModuleType:
    from importlib import import_module

    return import_module(f"provisioner.cli.{name}")


def _closed(view: View, code: int) -> int:
    view.close(code)
    return code


def _wrong(fault: UsageError, command: str, words: list[str], console: Console) -> int:
    """A usage error. Where a stream of JSON was asked for, it has its diagnostic and its summary like any other."""
    if command in STREAMING and any(word.lstrip("-") in ("json", "json=true") for word in words):
        from provisioner.cli.views.stream import StreamView
        from provisioner.errors import Diagnostic

        view = StreamView(console, command)
        view.diagnostic(Diagnostic(name="usage", summary=fault.summary, detail=fault.advice))
        view.close(USAGE)
    else:
        console.err(f"Error: E0001 usage: {fault.summary}")
        if fault.advice:
            console.err(fault.advice)
    return USAGE
