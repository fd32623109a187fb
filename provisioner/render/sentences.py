"""Terraform's sentences about a running apply, shared by the human view and the stream."""

from __future__ import annotations

from decimal import Decimal

from provisioner.engine.events import DONE, FAILED, HANDOFF, IN_DOUBT, NOT_STARTED, ApplyResult, StepResult
from provisioner.model.plan import CREATE, DELETE, FORGET, NOOP, PURCHASE, READ, UPDATE, Step
from provisioner.render.money import amount_text
from provisioner.render.style import counted, one_line

# action → while it runs, its noun, what it does at ten-second marks
_WORDS = {
    CREATE: ("Creating...", "Creation", "Still creating..."),
    UPDATE: ("Modifying...", "Modifications", "Still modifying..."),
    DELETE: ("Destroying...", "Destruction", "Still destroying..."),
    READ: ("Reading...", "Read", "Still reading..."),
    FORGET: ("Removing from state...", "Removal", "Still removing..."),
    NOOP: ("Recording...", "Recording", "Still recording..."),
}
_REPLACE = ("Replacing...", "Replacement", "Still replacing...")
_PURCHASE = ("Buying...", "Purchase", "Still buying...")
_IMPORT = ("Importing...", "Import", "Still importing...")


def _words(step: Step) -> tuple[str, str, str]:
    if step.operation == PURCHASE:
        return _PURCHASE
    if step.action == NOOP and step.importing is not None:
        return _IMPORT
    return _WORDS.get(step.action, _REPLACE)


def subject(step: Step) -> str:
    """`token.campaigns`, `token.campaigns (deposed object 1a2b3c4d)`."""
    return one_line(f"{step.address} (deposed object {step.deposed})" if step.deposed else step.address)


def elapsed_text(seconds: float) -> str:
    """As Terraform writes it: `0s`, `1m10s`."""
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}m{rest}s" if minutes else f"{rest}s"


def started_sentence(step: Step) -> str:
    return f"{subject(step)}: {_words(step)[0]}"


def progress_sentence(step: Step, elapsed: float) -> str:
    return f"{subject(step)}: {_words(step)[2]} [{elapsed_text(elapsed)} elapsed]"


def finished_sentence(result: StepResult) -> str:
    """How one step ended, in one line."""
    name, noun, took = subject(result.step), _words(result.step)[1], elapsed_text(result.elapsed)
    if result.status == DONE:
        bought = f" [bought={amount_text(result.bought)}]" if isinstance(result.bought, Decimal) else ""
        return f"{name}: {noun} complete after {took}{bought}"
    return {
        FAILED: f"{name}: {noun} errored after {took}",
        IN_DOUBT: f"{name}: {noun} in doubt after {took}: it was sent, and its outcome is not known",
        NOT_STARTED: f"{name}: Not started",
        HANDOFF: f"{name}: Waits for a person",
    }[result.status]


def applied_line(result: ApplyResult, *, destroying: bool = False) -> str:
    """`Apply complete! Resources: 2 added, 1 changed, 0 destroyed.` where all went well, or what is left waits for a
    person; else `Apply incomplete.`, so that nobody reads success into it."""
    counts = result.counts()
    if result.exit_code not in (0, 3):
        head = "Destroy incomplete." if destroying else "Apply incomplete."
    else:
        head = "Destroy complete!" if destroying else "Apply complete!"
    if destroying:
        return f"{head} Resources: {counts['destroyed']} destroyed."
    imported = f"{counts['imported']} imported, " if counts["imported"] else ""
    added, changed, destroyed = counts["added"], counts["changed"], counts["destroyed"]
    return f"{head} Resources: {imported}{added} added, {changed} changed, {destroyed} destroyed."


def waiting_lines(result: ApplyResult) -> list[str]:
    """What is not done, by kind, with the addresses: `1 step waits for a person: application.campaigns.`"""
    kinds = (
        (HANDOFF, "step waits for a person", "steps wait for a person"),
        (IN_DOUBT, "step is in doubt", "steps are in doubt"),
        (FAILED, "step failed", "steps failed"),
        (NOT_STARTED, "step was not started", "steps were not started"),
    )
    lines = []
    for status, singular, plural in kinds:
        names = [subject(r.step) for r in result.results if r.status == status]
        if names:
            shown = ", ".join(names[:10]) + (f" and {len(names) - 10} more" if len(names) > 10 else "")
            lines.append(f"{counted(len(names), singular, plural)}: {shown}.")
    return lines
