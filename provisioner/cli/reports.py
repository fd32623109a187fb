"""What belongs in a pull request: `--markdown FILE`, and GitHub's job summary and annotations by themselves."""

from __future__ import annotations

import os

from provisioner.cli.console import Console
from provisioner.commands.filing import write_private
from provisioner.engine.events import ApplyResult
from provisioner.model.plan import Plan
from provisioner.render.markdown import apply_markdown, plan_markdown


def of_plan(plan: Plan, file: str | None, console: Console) -> None:
    if file is not None:
        write_private(file, plan_markdown(plan).encode())
    if console.environment.get("GITHUB_STEP_SUMMARY"):
        _summary(plan_markdown(plan), console)


def of_apply(result: ApplyResult, stack: str, file: str | None, console: Console, *, destroying: bool = False) -> None:
    text = ""
    if file is not None or console.environment.get("GITHUB_STEP_SUMMARY"):
        text = apply_markdown(result, stack=stack, destroying=destroying)
    if file is not None:
        write_private(file, text.encode())
    if console.environment.get("GITHUB_STEP_SUMMARY"):
        _summary(text, console)


def _summary(text: str, console: Console) -> None:
    """Appended, as the runner wants it. A summary that cannot be written never fails the work it is about."""
    path = console.environment["GITHUB_STEP_SUMMARY"]
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(descriptor, "a", encoding="utf-8") as file:
            file.write(console.masker.mask(text) + "\n")
    except OSError as fault:
        console.err(f"Warning: the job summary could not be written: {fault.strerror}")
