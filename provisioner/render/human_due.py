"""What will fall due (`plan --horizon`), for people: one line each, in the order of time."""

from __future__ import annotations

from collections.abc import Sequence

from provisioner.model.plan import Due
from provisioner.render.human_plan import CALM, header
from provisioner.render.style import PLAIN, Style, one_line
from provisioner.times import format_duration, to_rfc3339


def due_section(due: Sequence[Due], style: Style = PLAIN, *, full: bool = False) -> str:
    """Begins with an empty line and ends with a newline."""
    if not due:
        return "\nNothing else falls due until then.\n"
    shown = due if full else due[:CALM]
    lines = [style.paint("Falls due until then, if runs keep what is recorded alive:", "bold")]
    lines += [f"  {line(item)}" for item in shown]
    if len(shown) < len(due):
        lines.append(f"  and {len(due) - len(shown)} more (--full shows all).")
    return "\n" + "\n".join(lines) + "\n"


def line(item: Due) -> str:
    """`2026-11-21T13:00:00Z  token.a will be updated in-place, then about every 40m (ends at ...)`"""
    again = f", then about every {format_duration(item.again)}" if item.again else ""
    return one_line(f"{to_rfc3339(item.at)}  {header(item.step)}{again} ({item.step.reason.sentence})")
