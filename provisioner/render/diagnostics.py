"""Diagnostics as people and machines read them: Terraform's box, Terraform's JSON."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from provisioner.errors import Diagnostic
from provisioner.records import replace
from provisioner.render.style import PLAIN, Style, counted, one_line, paragraph

_COLORS = {"error": "red", "warning": "yellow", "note": "cyan"}
_WORDS = {"error": "Error", "warning": "Warning", "note": "Note"}
_ORDER = {"error": 2, "warning": 1, "note": 0}  # errors last: what is read first on a terminal is what was printed last


def diagnostic_text(found: Diagnostic, style: Style = PLAIN, *, width: int = 78) -> str:
    """One diagnostic: what happened, its code and name, where, and what to do next.

    In colour it stands in Terraform's box; without, as in Terraform, it stands alone, so that what greps for a line
    beginning with `Error: ` finds it."""
    head = f"{_WORDS[found.severity]}: "
    lines = [style.paint(head, _COLORS[found.severity], "bold") + style.paint(one_line(found.summary), "bold")]
    lines.append(style.paint(f"  {found.code} {found.name}", "dim"))
    lines += [f"  {place}" for place in _places(found)]
    if found.snippet is not None:
        lines.append(f"    {found.line}: {one_line(found.snippet.code.strip())}")
    if found.detail:
        lines += ["", *_wrapped(found.detail, width - 2)]
    if not style.color:
        return "\n" + "\n".join(lines) + "\n"
    bar = style.paint("│", _COLORS[found.severity])
    body = "\n".join(f"{bar} {line}".rstrip() for line in lines)
    return f"{style.paint('╷', _COLORS[found.severity])}\n{body}\n{style.paint('╵', _COLORS[found.severity])}\n"


def diagnostics_text(found: Sequence[Diagnostic], style: Style = PLAIN, *, width: int = 78) -> str:
    """All of them, errors last, equal ones once; empty text where there are none."""
    unique = list(dict.fromkeys(found))
    return "".join(diagnostic_text(d, style, width=width) for d in sorted(unique, key=lambda d: _ORDER[d.severity]))


def grouped(found: Iterable[Diagnostic], *, alike: int = 3) -> list[Diagnostic]:
    """Errors whole. Of more than `alike` warnings of one name the first alone, which says how many more there are: what
    five thousand tokens are warned of is one thing to read."""
    unique = list(dict.fromkeys(found))
    kinds: dict[str, list[Diagnostic]] = {}
    for d in unique:
        if d.severity != "error":
            kinds.setdefault(d.name, []).append(d)
    shown = []
    for d in unique:
        same = kinds.get(d.name, [])
        if d.severity == "error" or len(same) <= alike:
            shown.append(d)
        elif d is same[0]:
            shown.append(_first_of(same))
    return shown


def _first_of(same: Sequence[Diagnostic]) -> Diagnostic:
    places = [d.address for d in same[1:4] if d.address]
    where = f": {', '.join(places)}{', ...' if len(same) > 4 else ''}" if places else ""
    more = f"(and {len(same) - 1} more like it{where}; --full shows all)"
    return replace(same[0], detail=f"{same[0].detail}\n{more}" if same[0].detail else more)


def compact_text(found: Sequence[Diagnostic]) -> str:
    """Warnings by their summaries alone, as Terraform's -compact-warnings writes them."""
    lines = ["", "Warnings:", ""]
    for d in dict.fromkeys(found):
        lines.append(f"- {d.code} {one_line(d.summary)}")
        lines += [f"  {place}" for place in _places(d)]
    return "\n".join([*lines, "", "To see the full warning notes, run without --compact-warnings.", ""])


def one_line_text(found: Diagnostic) -> str:
    """For logs and lists: `Error: E0412 lock-held: Another run holds the lock (application.x)`."""
    where = f" ({found.address})" if found.address else ""
    return one_line(f"{_WORDS[found.severity]}: {found.code} {found.name}: {found.summary}{where}")


def counts_line(found: Sequence[Diagnostic]) -> str:
    """`2 errors, 1 warning`; empty where there are none."""
    errors, warnings = (sum(d.severity == severity for d in found) for severity in ("error", "warning"))
    parts = [counted(errors, "error")] if errors else []
    return ", ".join(parts + ([counted(warnings, "warning")] if warnings else []))


def validate_json(diagnostics: Sequence[Diagnostic]) -> dict[str, Any]:
    """What `validate --json` prints: Terraform's shape, notes counted as neither errors nor warnings."""
    errors = sum(d.severity == "error" for d in diagnostics)
    return {
        "format_version": "1.0",
        "valid": errors == 0,
        "error_count": errors,
        "warning_count": sum(d.severity == "warning" for d in diagnostics),
        "diagnostics": [d.to_json() for d in diagnostics],
    }


def validate_text(diagnostics: Sequence[Diagnostic], style: Style = PLAIN) -> str:
    """What `validate` prints, in Terraform's words."""
    boxes = diagnostics_text(diagnostics, style)
    if any(d.severity == "error" for d in diagnostics):
        return boxes
    tail = ", but there were some\nvalidation warnings as shown above." if boxes else "."
    return f"{boxes}{style.paint('Success!', 'green', 'bold')} The configuration is valid{tail}\n"


def _places(found: Diagnostic) -> list[str]:
    places = []
    if found.address is not None:
        places.append(f"with {one_line(found.address)}")
    if found.file is not None:
        line = f" line {found.line}" if found.line is not None else ""
        key = f", in {one_line(found.key_path)}" if found.key_path else ""
        places.append(f"on {one_line(found.file)}{line}{key}")
    elif found.key_path:
        places.append(f"in {one_line(found.key_path)}")
    return places


def _wrapped(detail: str, width: int) -> list[str]:
    lines: list[str] = []
    for line in paragraph(detail).split("\n"):
        # an indented line is a command or an address to copy: it stays whole
        if line.startswith("  ") or len(line) <= width:
            lines.append(line)
        else:
            import textwrap

            wrapped = textwrap.wrap(_tied(line), width, break_long_words=False, break_on_hyphens=False)
            lines += [part.replace(_TIE, " ") for part in wrapped]
    return lines


_TIE = "\x1f"  # `paragraph` lets no such character through


def _tied(line: str) -> str:
    """A line whose commands, which stand in backticks, cannot be broken: they are there to be copied."""
    parts = line.split("`")
    if len(parts) % 2:
        parts[1::2] = [command.replace(" ", _TIE) for command in parts[1::2]]
    return "`".join(parts)
