"""A running and a finished apply for people, in Terraform's sentences."""

from __future__ import annotations

from collections.abc import Iterable

from provisioner.engine.events import DONE, FAILED, HANDOFF, IN_DOUBT, ApplyResult, StepResult
from provisioner.model.plan import Handoff, Step
from provisioner.render.human_plan import handoff_lines
from provisioner.render.sentences import (
    applied_line,
    finished_sentence,
    progress_sentence,
    started_sentence,
    subject,
    waiting_lines,
)
from provisioner.render.style import PLAIN, Style, counted

_NO_UNDO = "  There is no undo. Only 'yes' will be accepted to confirm."
_QUESTIONS = {
    "normal": (
        "Do you want to perform these actions?",
        "  Provisioner will perform the actions described above.\n  Only 'yes' will be accepted to approve.",
    ),
    "destroy": (
        "Do you really want to destroy all resources?",
        f"  Provisioner will destroy all your managed resources, as shown above.\n{_NO_UNDO}",
    ),
    "refresh-only": (
        "Would you like to update the recorded state to reflect these detected changes?",
        f"  Provisioner will record these changes and change nothing at the providers.\n{_NO_UNDO}",
    ),
}
CANCELLED = "Apply cancelled."
SHOWN = 20  # things for persons to do that an ordinary summary spells out
DESTROY_CANCELLED = "Destroy cancelled."


def approval_question(stack: str, style: Style = PLAIN, *, mode: str = "normal") -> str:
    """Ends where the answer is typed. Only `yes` is a yes. `mode` is the plan's."""
    asked, explained = _QUESTIONS[mode]
    question = f'{asked} (stack "{stack}")'
    return f"{style.paint(question, 'bold')}\n{explained}\n\n  {style.paint('Enter a value:', 'bold')} "


def started(step: Step, style: Style = PLAIN) -> str:
    return style.paint(started_sentence(step), "bold") + "\n"


def progress(step: Step, elapsed: float, style: Style = PLAIN) -> str:
    """About every ten seconds of one step."""
    return style.paint(progress_sentence(step, elapsed), "bold") + "\n"


def finished(result: StepResult, style: Style = PLAIN) -> str:
    """One line as a step ends."""
    names = {DONE: ("bold",), FAILED: ("red", "bold"), IN_DOUBT: ("red", "bold"), HANDOFF: ("yellow",)}
    return style.paint(finished_sentence(result), *names.get(result.status, ("dim",))) + "\n"


def reading(done: int, total: int) -> str:
    """Progress of observation, for a line that is drawn over itself."""
    return f"Reading the providers: {done} of {total}"


def so_far(ended: int, total: int) -> str:
    """A long apply, every few seconds."""
    return f"  {ended} of {total} steps ended\n"


def apply_end(result: ApplyResult, style: Style = PLAIN, *, destroying: bool = False, full: bool = True) -> str:
    """The closing summary: what was done, what was not and why not, and what persons must do now. Not `full`: of many
    instructions the first `SHOWN`."""
    succeeded = result.exit_code in (0, 3)
    line = applied_line(result, destroying=destroying)
    parts = [style.paint(line, "green" if succeeded else "red", "bold")]
    waiting = waiting_lines(result)
    if waiting:
        parts.append("\n".join(waiting))
    elif result.exit_code == 3:
        parts.append("Something waits for a person: the warnings above say what.")
    if result.interrupted:
        parts.append("The run was interrupted. What is recorded is complete up to there; run apply again to go on.")
    instructions = handoff_section((r.step for r in result.results if r.status == HANDOFF), full=full)
    if instructions:
        parts.append(instructions)
    if result.recorded is not None and result.recorded[1]:
        serial, head = result.recorded
        parts.append(style.paint(f"The head of the recorded state is {head} (serial {serial}).", "dim"))
    return "\n" + "\n\n".join(parts) + "\n"


def handoff_section(steps: Iterable[Step], *, full: bool = True) -> str:
    """What persons must do; empty where nobody must. Steps that wait for the very same thing stand above it
    together."""
    same: dict[Handoff, list[Step]] = {}
    for step in steps:
        if step.handoff is not None:
            same.setdefault(step.handoff, []).append(step)
    if not same:
        return ""
    parts = [
        "\n".join([", ".join(subject(step) for step in waiting), *handoff_lines(waiting[0], "  ")[1:]])
        for waiting in same.values()
    ]
    parts = [f"{counted(len(parts), 'thing is', 'things are')} for a person to do; then run apply again:", *parts]
    if not full and len(same) > SHOWN:
        parts = [*parts[: SHOWN + 1], f"and {len(same) - SHOWN} more; `provisioner plan --full` shows all."]
    return "\n\n".join(parts)
