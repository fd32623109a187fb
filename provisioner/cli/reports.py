"""What belongs in a pull request: `--markdown` and `--gitlab-report`, and GitHub's job summary and annotations by
themselves.

Each is written before the view closes its stream: nothing may follow a `change_summary`, not even the error that a
report could not be written.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence

from provisioner.cli.console import Console, coded
from provisioner.errors import Diagnostic, ProvisionerError
from provisioner.records import replace

TYPE_CHECKING = False  # every view imports this module: what only a report needs is imported where it is written
if TYPE_CHECKING:
    from provisioner.engine.events import ApplyResult
    from provisioner.model.plan import Due, Plan

SUMMARY = "GITHUB_STEP_SUMMARY"


def of_plan(plan: Plan, typed: argparse.Namespace, console: Console, due: Sequence[Due] = ()) -> None:
    """Raises Invalid where a file that was asked for cannot be written: nothing was sent yet."""
    from provisioner.commands.filing import write_private

    if typed.gitlab_report is not None:
        from provisioner.render.gitlab import gitlab_report
        from provisioner.render.json_text import json_text

        write_private(typed.gitlab_report, (json_text(gitlab_report(plan)) + "\n").encode())
    if typed.markdown is None and not console.environment.get(SUMMARY):
        return
    from provisioner.render.markdown import plan_markdown

    text = plan_markdown(plan, due=due)
    if typed.markdown is not None:
        write_private(typed.markdown, text.encode())
    append(text, console)


def of_apply(
    result: ApplyResult, stack: str, file: str | None, console: Console, *, destroying: bool = False
) -> tuple[Diagnostic, ...]:
    """What could not be written, as diagnostics: it happened after the work, so it must not hide how that ended."""
    if file is None and not console.environment.get(SUMMARY):
        return ()
    from provisioner.render.markdown import apply_markdown

    text = apply_markdown(result, stack=stack, destroying=destroying)
    append(text, console)
    return _written(text, file, console)


def of_failure(found: Sequence[Diagnostic], command: str, file: str | None, console: Console) -> None:
    """A run that ended before it had a result: a reviewer reads why, where the plan would stand."""
    if file is None and not console.environment.get(SUMMARY):
        return
    from provisioner.render.markdown import failure_markdown

    text = failure_markdown([d.masked(console.masker.mask) for d in found], command=command)
    append(text, console)
    _written(text, file, console)


def annotate(found: Diagnostic, console: Console) -> None:
    """An error or a warning at its line of the file, once each, where GitHub runs us. On standard error, because
    standard output may be a stream."""
    if not console.environment.get("GITHUB_ACTIONS") or found.severity == "note" or found in console.annotated:
        return
    from provisioner.render.annotations import annotation

    console.annotated.add(found)
    console.err(annotation(_in_workspace(found, console)))


def _in_workspace(found: Diagnostic, console: Console) -> Diagnostic:
    """The runner looks for files from the top of the checkout, and we may work in a folder of it (`--chdir`)."""
    workspace = console.environment.get("GITHUB_WORKSPACE")
    if not workspace or not found.file:
        return found
    return replace(found, file=os.path.relpath(found.file, workspace))


def _written(text: str, file: str | None, console: Console) -> tuple[Diagnostic, ...]:
    from provisioner.commands.filing import write_private

    if file is None:
        return ()
    try:
        write_private(file, text.encode())
    except ProvisionerError as fault:
        console.lost_output = str(fault)
        return fault.diagnostics
    return ()


def append(text: str, console: Console) -> None:
    """To the job summary, as the runner wants it. One that cannot be written never fails the work it is about."""
    path = console.environment.get(SUMMARY)
    if not path:
        return
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(descriptor, "a", encoding="utf-8") as file:
            file.write(console.masker.mask(text) + "\n")
    except OSError as fault:
        said = coded("summary-unwritten", f"the job summary could not be written: {fault.strerror}")
        console.err(f"Warning: {said}")
