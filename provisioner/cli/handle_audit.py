"""Handlers that look back: audit, history, diff."""

from __future__ import annotations

import argparse
import sys

from provisioner import times
from provisioner.cli import reports
from provisioner.cli.console import Console
from provisioner.cli.options import file_options, moment, past, side, state_options
from provisioner.cli.views.base import View, each
from provisioner.errors import Invalid
from provisioner.records import replace
from provisioner.render.json_text import json_text
from provisioner.render.style import Style

TYPE_CHECKING = False  # `typing` costs a tenth of a start-up; type checkers know this name
if TYPE_CHECKING:
    from collections.abc import Callable

    from provisioner.audit.report import Report
    from provisioner.commands.audit import AuditOptions

CHANGES = 2  # the exit code of findings, of a secret that was found, of a difference where that was asked for


def audit(typed: argparse.Namespace, console: Console, view: View) -> int:
    from provisioner.commands import audit as command

    options = command.AuditOptions(
        file=file_options(typed),
        state=state_options(typed),
        location=typed.state,
        policy=typed.policy,
        at=moment(typed.at, times.now()),
        expect_head=typed.expect_head,
        expect_ancestor=typed.expect_ancestor,
    )
    if typed.find_token is not None:
        return _find(typed, options, console)
    done = command.audit(options, console.masker.add)
    each(view, done.notices)
    to_stdout = _write_files(done.report, typed, console)
    if typed.json:
        from provisioner.render.audit_json import audit_json

        console.line(json_text(audit_json(done.report), indent=2))
    elif not to_stdout:
        from provisioner.render.audit_text import audit_text

        # why it cannot be trusted is told below, with its code
        shown = done.report if done.fault is None else replace(done.report, findings=done.report.findings[1:])
        console.out(audit_text(shown, Style(color=console.colour()), full=typed.verbose))
    if done.fault is not None:
        each(view, done.fault.diagnostics)
    return done.report.exit_code


def _write_files(report: Report, typed: argparse.Namespace, console: Console) -> bool:
    """Each file that was asked for, mode 0600, whole or not at all; True where one of them is standard output, which
    then holds nothing else."""
    from provisioner.commands.filing import write_private

    wanted = [(name, file) for name in _RENDERED if (file := getattr(typed, name)) is not None]
    if [file for _, file in wanted].count("-") + bool(typed.json) > 1:
        raise Invalid("usage", "Only one report can go to standard output", "Name a file for the others.")
    for name, file in wanted:
        text = _RENDERED[name](report)
        if file == "-":
            console.out(text)
        else:
            write_private(file, text.encode())
    if console.environment.get(reports.SUMMARY):
        reports.append(_markdown(report), console)
    return any(file == "-" for _, file in wanted)


def _sarif(report: Report) -> str:
    from provisioner.render.audit_sarif import audit_sarif

    return json_text(audit_sarif(report), indent=2) + "\n"


def _junit(report: Report) -> str:
    from provisioner.render.audit_junit import audit_junit

    return audit_junit(report)


def _html(report: Report) -> str:
    from provisioner.render.audit_html import audit_html

    return audit_html(report)


def _markdown(report: Report) -> str:
    from provisioner.render.audit_markdown import audit_markdown

    return audit_markdown(report)


_RENDERED: dict[str, Callable[[Report], str]] = {
    "sarif": _sarif,
    "junit": _junit,
    "html": _html,
    "markdown": _markdown,
}


def _find(typed: argparse.Namespace, options: AuditOptions, console: Console) -> int:
    """The secret comes by standard input alone: an argument can be read by everybody on the machine."""
    from provisioner.commands.audit import find_token
    from provisioner.render.audit_json import found_json
    from provisioner.render.audit_text import found_text

    if typed.find_token != "-":  # noqa: S105  # the one value that is none
        raise Invalid(
            "usage",
            "--find-token takes `-` alone: the secret is read from standard input",
            "As in `provisioner audit --find-token - < leaked.txt`. What was typed as an argument may stand in the "
            "shell's history: take it for leaked.",
        )
    given = _one_secret(sys.stdin.buffer.read())
    console.masker.add(given.strip())
    match = find_token(options, given, console.masker.add)
    if typed.json:
        console.line(json_text(found_json(match), indent=2))
    else:
        console.out(found_text(match, Style(color=console.colour())))
    return 0 if match is None else CHANGES


def _one_secret(data: bytes) -> str:
    """What came on standard input, as a text of one line, a byte order mark left out. Raises Invalid for anything else:
    "none of ours" would be said of bytes that nobody looked for."""
    try:
        text = data.decode("utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")  # as PowerShell writes
    except UnicodeDecodeError:
        text = "\0"
    if not text.strip():  # a file that was not there, a pipe whose first half failed
        raise Invalid("usage", "Nothing came on standard input", "Pipe the secret in: --find-token - < leaked.txt.")
    if "\0" in text:
        raise Invalid("usage", "What came on standard input is no text", "Give the secret alone, as UTF-8 text.")
    if len(text.strip().splitlines()) > 1:
        raise Invalid("usage", "More than one line came on standard input", "Give one secret at a time.")
    return text


def history(typed: argparse.Namespace, console: Console, view: View) -> int:
    from provisioner.commands import history as command
    from provisioner.render.human_state import history_text

    now = times.now()
    options = command.HistoryOptions(
        file=file_options(typed),
        state=state_options(typed),
        addresses=tuple(typed.address),
        run=typed.run,
        actor=typed.actor,
        since=past("--since", typed.since, now),
        until=past("--until", typed.until, now),
    )
    rows = command.history(options, console.masker.add)
    if typed.json:
        for row in rows:
            console.line(json_text(row))
    else:
        console.out(history_text(rows, Style(color=console.colour())))
    return 0


def diff(typed: argparse.Namespace, console: Console, view: View) -> int:
    from provisioner.commands import diff as command
    from provisioner.render.state_diff import diff_json, diff_text

    now = times.now()
    options = command.DiffOptions(
        file=file_options(typed),
        state=state_options(typed),
        before=side(typed.before, now),
        after=None if typed.after is None else side(typed.after, now),
    )
    found = command.diff(options, console.masker.add)
    if typed.json:
        console.line(json_text(diff_json(found), indent=2))
    else:
        console.out(diff_text(found, Style(color=console.colour())))
    return CHANGES if typed.detailed_exitcode and not found.is_empty else 0
