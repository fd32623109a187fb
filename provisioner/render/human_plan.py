"""A plan for people, in Terraform's words to the letter where tools parse them (tfcmt, Atlantis: docs/plan-json.md)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from provisioner.model.plan import CREATE, DELETE, FORGET, NOOP, PURCHASE, READ, UPDATE, Drift, Plan, Step
from provisioner.render.human_values import Attributes
from provisioner.render.money import money_and_people
from provisioner.render.resource_values import after_values, before_values, sensitive_keys, without_secrets
from provisioner.render.style import PLAIN, Style, counted, one_line

CALM = 100  # more changes than this are counted, and only the exceptional ones are drawn
FEW = 20  # so many of more exceptional ones than that are drawn: a plan that destroys thousands is read by its counts
RULE = "─" * 77

_SYMBOLS = {CREATE: "+", READ: "<=", UPDATE: "~", DELETE: "-", FORGET: ".", ("delete", "create"): "-/+"}
_COLORS = {"+": "green", "~": "yellow", "-": "red", "-/+": "red", "+/-": "red", ".": "red", "<=": "cyan"}
_LEGEND = {
    "+": "  + create",
    "~": "  ~ update in-place",
    "-": "  - destroy",
    "-/+": "-/+ destroy and then create replacement",
    "+/-": "+/- create replacement and then destroy",
    "<=": " <= read",
    ".": "  . forget",
}
# tfcmt cuts the plan out of the output between these very lines, and panics where the first pair is not complete.
_DRIFT_BEGINS = "Note: Objects have changed outside of Terraform"
_DRIFT_ENDS = "Unless you have made equivalent changes to your configuration"
_REFRESH_ONLY = """\
This is a refresh-only plan, so Provisioner will not take any actions to undo these. If you were expecting these
changes then you can apply this plan to record the updated values without changing anything at the providers."""
_STEPS_BEGIN = "Terraform will perform the following actions:"


def human_plan(plan: Plan, *, style: Style = PLAIN, full: bool = False) -> str:
    """The whole plan, ending with a newline. Diagnostics are not in it: `render.diagnostics` draws them after it.

    More than `CALM` changes are counted by action, type and provider, and only destroys, handoffs, purchases and
    what stands in doubt are drawn, unless `full`: every purchase, and of more than `CALM` others the first `FEW`.
    """
    parts: list[str] = []
    if plan.drift:
        parts.append(drift_section(plan.drift, style, full=full, only=plan.options.mode == "refresh-only"))
    changes = plan.changes
    if not plan.has_changes:
        parts.append(_no_changes(plan, style))
    elif not changes:
        parts.append(style.paint(f"{summary_line(plan)}\n{only_recorded(plan)}", "bold"))
    else:
        parts.append("\n".join(_legend(changes)))
        parts.append(style.paint(_STEPS_BEGIN, "bold"))
        parts.extend(_steps(changes, style, full=full))
        parts.append(style.paint(summary_line(plan), "bold"))
    closing = money_and_people(plan)
    if closing:
        parts.append("\n".join(closing))
    return "\n\n".join(parts) + "\n"


def brief(plan: Plan, style: Style = PLAIN) -> str:
    """A plan that was reviewed before, as its apply begins: the counts, the money, who is waited for."""
    if not plan.has_changes:
        return _no_changes(plan, style) + "\n"
    if not plan.changes:
        return style.paint(only_recorded(plan), "bold") + "\n"
    return "\n".join([style.paint(summary_line(plan), "bold"), *money_and_people(plan)]) + "\n"


def summary_line(plan: Plan) -> str:
    """`Plan: 1 to import, 2 to add, 1 to change, 0 to destroy.`"""
    counts = plan.counts()
    imported = f"{counts['import']} to import, " if counts["import"] else ""
    return f"Plan: {imported}{counts['add']} to add, {counts['change']} to change, {counts['destroy']} to destroy."


def only_recorded(plan: Plan) -> str:
    """What a refresh-only plan comes to, where something differs."""
    count = counted(len(plan.drift), "difference")
    return f"Nothing will be changed at the providers; {count} will be recorded."


def saved_hint(path: str) -> str:
    """What follows a plan that was written to `path`."""
    return (
        f"\n{RULE}\n\nSaved the plan to: {one_line(path)}\n\n"
        "To perform exactly these actions, run the following command to apply:\n"
        f'    provisioner apply "{one_line(path)}"\n'
    )


def unsaved_hint() -> str:
    return (
        f"\n{RULE}\n\nNote: You didn't use the --out option to save this plan, so Provisioner can't\n"
        'guarantee to take exactly these actions if you run "provisioner apply" now.\n'
    )


def step_block(step: Step, style: Style = PLAIN) -> str:
    """One change: what will happen, why, the attributes, and what a person must do."""
    symbol = _symbol(step)
    lines = [style.paint(f"  # {one_line(header(step))}", "bold")]
    lines += [f"  # ({one_line(why)})" for why in _why(step)]
    start = f"{symbol:>3} " if symbol else "    "
    painted = style.paint(start, _COLORS[symbol]) if symbol else start
    lines.append(f'{painted}resource "{step.address.type}" "{step.address.name}" {{')
    before, after = before_values(step), after_values(step)
    lines += Attributes(
        before if step.action != CREATE else None,
        before if step.action == FORGET else after if step.action != DELETE else None,
        unknown=step.after_unknown,
        sensitive=sensitive_keys(step.address.type, (*step.before_sensitive, *step.after_sensitive)),
        replacing=frozenset(path[0] for path in step.replace_paths if path),
        style=style,
    ).lines()
    lines += handoff_lines(step)
    lines.append("    }")
    return "\n".join(lines)


def handoff_lines(step: Step, indent: str = "        ") -> list[str]:
    """The instructions as a numbered list; no line of it begins with `#`, which tools take for a header."""
    if step.handoff is None:
        return []
    lines = ["", f"{indent}A person does this:"]
    lines += [f"{indent}  {n}. {one_line(text)}" for n, text in enumerate(step.handoff.instructions, 1)]
    if step.handoff.url:
        lines.append(f"{indent}  {one_line(step.handoff.url)}")
    return lines


def header(step: Step) -> str:
    """`token.campaigns will be created`, as Terraform says it."""
    name = f"{step.address} (deposed object {step.deposed})" if step.deposed else str(step.address)
    action = step.action
    if action == NOOP:
        return _unchanged_header(step, name)
    if "create" in action and "delete" in action:
        if step.action_reason == "replace_by_request":
            return f"{name} will be replaced, as requested"
        return f"{name} must be replaced"
    if action == FORGET:
        return f"{name} will no longer be managed by Provisioner, but will not be destroyed"
    return name + {
        CREATE: " will be created",
        READ: " will be read during apply",
        UPDATE: " will be updated in-place",
        DELETE: " will be destroyed",
    }.get(action, f" will undergo {'/'.join(action)}")


def _unchanged_header(step: Step, name: str) -> str:
    if step.importing is not None:
        return f"{name} will be imported"
    if step.previous_address is not None:
        return f"{step.previous_address} has moved to {name}"
    return f"{name} waits for a person" if step.handoff is not None else f"{name} stays as it is"


def _why(step: Step) -> Iterator[str]:
    """The lines under the header: where it came from, then the reason."""
    named_by_header = step.action == NOOP
    if step.importing is not None and not named_by_header:
        yield f'imported from "{step.importing}"'
    if step.previous_address is not None and not (named_by_header and step.importing is None):
        yield f"moved from {step.previous_address}"
    said_by_header = named_by_header and step.previous_address is not None and step.importing is None
    if step.reason.sentence and not said_by_header:
        yield step.reason.sentence.removesuffix(".")


def _symbol(step: Step) -> str:
    if step.action == NOOP:
        return ""
    return _SYMBOLS.get(step.action, "+/-")


def _legend(changes: tuple[Step, ...]) -> list[str]:
    used = {_symbol(step) for step in changes}
    lines = ["Provisioner compared the file, the recorded state and the providers, and made the following execution"]
    shown = [line for symbol, line in _LEGEND.items() if symbol in used]
    if not shown:  # moves and imports have none
        return [*lines, "plan."]
    return [*lines, "plan. Resource actions are indicated with the following symbols:", *shown]


def _steps(changes: tuple[Step, ...], style: Style, *, full: bool) -> list[str]:
    if full or len(changes) <= CALM:
        return [step_block(step, style) for step in changes]
    exceptional = [step for step in changes if is_exceptional(step)]
    most = len(exceptional) if len(exceptional) <= CALM else FEW
    shown = [step for n, step in enumerate(exceptional) if n < most or step.operation == PURCHASE]
    parts = [_table(changes), *(step_block(step, style) for step in shown)]
    if len(shown) < len(exceptional):
        parts.append(f"  and {len(exceptional) - len(shown)} more exceptional ones (--full draws them all).")
    return parts


def is_exceptional(step: Step) -> bool:
    """What a person must see however long the plan is."""
    # a rotation retires the token that it replaced, so its "delete" is no loss; a plain one is
    return (
        step.action in (DELETE, FORGET)
        or step.handoff is not None
        or step.operation == PURCHASE
        or "doubt" in step.reason.code
    )


def _table(changes: tuple[Step, ...]) -> str:
    counts = Counter((_verb(step), step.address.type, step.provider_type, step.provider) for step in changes)
    lines = [f"  {len(changes)} changes; the exceptional ones follow (--full draws them all):"]
    for (verb, kind, vendor, provider), count in sorted(counts.items()):
        lines.append(one_line(f"    {count:>6} {kind} to {verb} at {provider} ({vendor})"))
    return "\n".join(lines)


def _verb(step: Step) -> str:
    if step.action == NOOP:
        return "import" if step.importing is not None else "move" if step.previous_address is not None else "hand off"
    if len(step.action) == 2:
        return "replace"
    return {"delete": "destroy"}.get(step.action[0], step.action[0])


def _no_changes(plan: Plan, style: Style) -> str:
    if plan.options.mode == "destroy":
        head, rest = "No objects need to be destroyed.", "Either nothing was created yet, or it is destroyed already."
    elif plan.options.mode == "refresh-only":
        head, rest = "Your infrastructure still matches the configuration.", _SAME
    else:
        head = "Your infrastructure matches the configuration."
        rest = _OPEN if any(found.name in _UNMET for found in plan.diagnostics) else _SAME
    return f"{style.paint('No changes.', 'green', 'bold')} {style.paint(head, 'bold')}\n\n{rest}"


_SAME = (
    "Provisioner has compared the file with what is recorded and what the providers say,\n"
    "and found no differences, so no changes are needed."
)
# A floor stays unmet, and it is not this plan that can meet it. The line above is one that tools look for.
_UNMET = ("purchase-blocked", "floor-unmet-warn")
_OPEN = (
    "Provisioner has compared the file with what is recorded and what the providers say,\n"
    "and found nothing that it may change now. The warnings below say what stays open."
)


def drift_section(drifts: tuple[Drift, ...], style: Style = PLAIN, *, full: bool = False, only: bool = False) -> str:
    """What changed at the providers behind the recorded state's back, as it stands above a plan. `only`: of a
    refresh-only plan, which undoes nothing."""
    closing = f"{_DRIFT_ENDS}, the following plan may\ninclude actions to undo or respond to these changes.\n\n{RULE}"
    if only:
        later = "a later plan may\ninclude actions to undo or respond to these changes."
        closing = f"{_DRIFT_ENDS}, {later}\n\n{_REFRESH_ONLY}\n\n{RULE}"
    return "\n\n".join([style.paint(_DRIFT_BEGINS, "bold"), drift_blocks(drifts, style, full=full), closing])


def drift_blocks(drifts: tuple[Drift, ...], style: Style = PLAIN, *, full: bool = False) -> str:
    """The differences alone, one block each."""
    shown = drifts if full or len(drifts) <= CALM else drifts[:CALM]
    parts = [
        "Provisioner detected the following changes made outside of it since the last apply:",
        *(_drift_block(drift, style) for drift in shown),
    ]
    if len(shown) < len(drifts):
        parts.append(f"  and {len(drifts) - len(shown)} more (--full draws them all).")
    return "\n\n".join(parts)


def _drift_block(drift: Drift, style: Style) -> str:
    gone = drift.action == DELETE
    verb = "has been deleted" if gone else "has changed"
    name = f"{drift.address} (deposed object {drift.deposed})" if drift.deposed else str(drift.address)
    lines = [
        style.paint(f"  # {one_line(name)} {verb}", "bold"),
        f"  # ({one_line(drift.sentence.removesuffix('.'))})",
    ]
    if drift.before is None and drift.after is None:
        return "\n".join(lines)
    symbol = "-" if gone else "+" if drift.before is None else "~"
    start = style.paint(f"  {symbol} ", _COLORS[symbol])
    lines.append(f'{start}resource "{drift.address.type}" "{drift.address.name}" {{')
    lines += Attributes(
        without_secrets(drift.before),
        None if gone else without_secrets(drift.after),
        sensitive=sensitive_keys(drift.address.type),
        style=style,
    ).lines()
    return "\n".join([*lines, "    }"])
