"""What belongs in a pull request or a step summary: short on top, the whole plan folded below."""

from __future__ import annotations

from collections.abc import Sequence

from provisioner.engine.events import ApplyResult
from provisioner.errors import Diagnostic
from provisioner.model.plan import DELETE, FORGET, NOOP, UPDATE, Due, Plan, Step
from provisioner.render.human_apply import handoff_section
from provisioner.render.human_plan import header, human_plan, only_recorded, summary_line
from provisioner.render.money import money_and_people
from provisioner.render.sentences import applied_line, waiting_lines
from provisioner.render.style import counted, one_line, paragraph
from provisioner.times import to_rfc3339

LIMIT = 60_000  # GitHub cuts a comment off at 65,536 characters; what is folded goes first
ROWS = 100


def plan_markdown(plan: Plan, *, title: str | None = None, due: Sequence[Due] = ()) -> str:
    """The plan as GitHub-flavoured Markdown, with what it would buy and who must do something on top."""
    parts = [f"## {cell(title or f'Plan for {plan.stack}')}", _headline(plan)]
    money = money_and_people(plan)
    if money:
        parts.append("\n".join(f"- {cell(line)}" for line in money))
    parts += _diagnostics(plan.diagnostics)
    if plan.changes:
        parts.append(_table(plan.changes))
    parts += _handoffs(plan.changes)
    if plan.drift:
        rows = [f"- {code(str(drift.address))}: {cell(drift.sentence)}" for drift in plan.drift[:ROWS]]
        parts.append("\n".join([f"**Changed outside ({len(plan.drift)})**", "", *rows]))
    if due:
        rows = [f"| {to_rfc3339(d.at)} | {code(header(d.step))} | {cell(d.step.reason.sentence)} |" for d in due[:ROWS]]
        parts.append("\n".join(["**Falls due**", "", "| when | what | why |", "|---|---|---|", *rows]))
    text = "\n\n".join(parts)
    if plan.changes:
        folded = _folded("The whole plan", human_plan(plan, full=len(plan.changes) <= ROWS))
        text += f"\n\n{folded}" if len(text) + len(folded) <= LIMIT else "\n\nThe whole plan is too long to show here."
    return text + "\n"


def apply_markdown(result: ApplyResult, *, stack: str, destroying: bool = False) -> str:
    """How an apply ended."""
    parts = [f"## {cell(f'Apply of {stack}')}", f"**{applied_line(result, destroying=destroying)}**"]
    waiting = waiting_lines(result)
    if waiting:
        parts.append("\n".join(f"- {cell(line)}" for line in waiting))
    parts += _diagnostics([*result.diagnostics, *(d for r in result.results for d in r.diagnostics)])
    handoffs = [r.step for r in result.results if r.status == "handoff"]
    parts += _handoffs(handoffs)
    if result.recorded is not None and result.recorded[1]:
        parts.append(f"Head {code(result.recorded[1])}, serial {result.recorded[0]}.")
    return "\n\n".join(parts) + "\n"


def failure_markdown(found: Sequence[Diagnostic], *, command: str) -> str:
    """A run that ended before it had a result: why, and what to do next."""
    parts = [f"## {cell(f'{command.capitalize()} failed')}"]
    for d in dict.fromkeys(found):
        text = f"- **{cell(d.severity)}** {code(f'{d.code} {d.name}')} {cell(d.summary)}{_where(d)}"
        parts.append(text + (f"  \n  {cell(d.detail)}" if d.detail else ""))
    return "\n".join([parts[0], "", *parts[1:]]) + "\n"


def cell(text: str) -> str:
    """Text that Markdown shows as it is, in a table too: no name of a thing can become markup or a mention."""
    escaped = one_line(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    for character in "\\`*_[]|#":
        escaped = escaped.replace(character, "\\" + character)
    return escaped.replace("@", "@\u200b")


def code(text: str) -> str:
    """Text as inline code, fenced by more backticks than it holds."""
    plain = one_line(text).replace("|", "\\|")
    fence = "`"
    while fence in plain:
        fence += "`"
    pad = " " if plain.startswith("`") or plain.endswith("`") else ""
    return f"{fence}{pad}{plain}{pad}{fence}"


def _headline(plan: Plan) -> str:
    if not plan.has_changes:
        return "**No changes.** What is recorded and what the providers say match the file."
    refused = " It is refused, and cannot be applied." if plan.refused else ""
    if not plan.changes:
        return f"**{only_recorded(plan)}**{refused}"
    return f"**{summary_line(plan)}**{refused}"


def _table(changes: Sequence[Step]) -> str:
    # destroys first: they are what a reviewer must not miss
    ordered = sorted(changes, key=lambda step: step.action not in (DELETE, FORGET))
    rows = [f"| {_symbol(step)} | {code(header(step))} | {cell(step.reason.sentence)} |" for step in ordered[:ROWS]]
    if len(ordered) > ROWS:
        rows.append(f"| | and {counted(len(ordered) - ROWS, 'more change')} | |")
    return "\n".join(["| | what | why |", "|---|---|---|", *rows])


def _symbol(step: Step) -> str:
    if step.action == NOOP:
        return "→"
    if step.action == UPDATE:
        return "~"
    return (
        {"create": "+", "delete": "-", "read": "<=", "forget": "."}[step.action[0]] if len(step.action) == 1 else "+/-"
    )


def _handoffs(steps: Sequence[Step]) -> list[str]:
    section = handoff_section(steps)
    return [_folded("What a person must do", section)] if section else []


def _diagnostics(found: Sequence[Diagnostic]) -> list[str]:
    shown = [d for d in dict.fromkeys(found) if d.severity != "note"]
    rows = [f"- **{cell(d.severity)}** {code(f'{d.code} {d.name}')} {cell(d.summary)}{_where(d)}" for d in shown]
    return ["\n".join(rows)] if rows else []


def _where(found: Diagnostic) -> str:
    line = f":{found.line}" if found.line is not None else ""
    places = [found.address, f"{found.file}{line}" if found.file else None]
    shown = ", ".join(code(place) for place in places if place)
    return f" ({shown})" if shown else ""


def _folded(summary: str, text: str) -> str:
    fence = "```"
    while fence in text:
        fence += "`"
    return f"<details><summary>{summary}</summary>\n\n{fence}\n{paragraph(text)}\n{fence}\n\n</details>"
