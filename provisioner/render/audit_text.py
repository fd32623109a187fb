"""An audit for people: findings gravest first, each with what to do; then what was looked at, and the head to keep."""

from __future__ import annotations

import textwrap
from collections import Counter

from provisioner.audit.find import Match
from provisioner.audit.finding import Finding
from provisioner.audit.report import Report
from provisioner.render.style import PLAIN, Style, counted, one_line
from provisioner.times import to_rfc3339

_COLOURS = {"error": ("red", "bold"), "warning": ("yellow", "bold"), "note": ("cyan", "bold")}
_WIDTH = 100
ALIKE = 20


def audit_text(report: Report, style: Style = PLAIN, *, full: bool = False) -> str:
    """What `audit` prints. Unless `full`, of each rule the first findings alone: ten thousand are nobody's reading."""
    parts = []
    told: Counter[str] = Counter()
    for finding in report.findings:
        told[finding.rule_id] += 1
        if full or told[finding.rule_id] <= ALIKE:
            parts.append(_finding(finding, style))
    for rule_id, number in told.items():
        if not full and number > ALIKE:
            parts.append(f"{number - ALIKE} more of {rule_id}: -v or --json show them all.\n")
    if report.silenced:
        parts.append("\n".join(_silenced(finding, style) for finding in report.silenced) + "\n")
    return "\n".join([*parts, _end(report, style)])


def _finding(finding: Finding, style: Style) -> str:
    where = f"  {one_line(finding.address)}" if finding.address else ""
    since = style.paint(f"  since {to_rfc3339(finding.since)}", "dim") if finding.since else ""
    head = f"{style.paint(f'{finding.severity:<7}', *_COLOURS[finding.severity])}  {finding.rule_id}"
    lines = [f"{head}{style.paint(where, 'bold')}{since}", *_wrapped(finding.message)]
    lines += [style.paint(line, "dim") for line in _wrapped(f"→ {finding.remedy}", hanging="  ")]
    return "\n".join(lines) + "\n"


def _wrapped(text: str, hanging: str = "") -> list[str]:
    indent = " " * 9
    return textwrap.wrap(
        one_line(text),
        _WIDTH,
        initial_indent=indent,
        subsequent_indent=indent + hanging,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _silenced(finding: Finding, style: Style) -> str:
    where = f" at {finding.address}" if finding.address else ""
    return style.paint(one_line(f"silenced {finding.rule_id}{where}: {finding.silenced}"), "dim")


def _end(report: Report, style: Style) -> str:
    lines = []
    if report.skipped:
        rules = counted(len(report.skipped), "rule needs", "rules need")
        lines.append(f"{rules} a desired-state file and did not run: {', '.join(report.skipped)}.")
    lines += [f"The policy's silence of {one_line(text)} silences nothing." for text in report.unused]
    lines.append(style.paint(verdict(report), *_verdict_colours(report)))
    if report.head:
        what = "head is" if report.verified else "last entry that verifies is"
        lines.append(f"The {what} {report.head} (serial {report.serial}).")
    return "\n".join(lines) + "\n"


def verdict(report: Report) -> str:
    """One sentence: whether the record can be trusted, and how many findings there are."""
    if not report.verified:
        return "The recorded state cannot be trusted."
    if not report.serial:
        return "Nothing is recorded yet, so there is nothing to find."
    entries = counted(report.entries, "entry", "entries")
    silenced = f" ({len(report.silenced)} silenced)" if report.silenced else ""
    return f"{entries} verified. {tally(report)}{silenced}."


def tally(report: Report) -> str:
    """`No findings`, or `2 errors, 1 note`."""
    named = [counted(number, severity) for severity, number in report.counts.items() if number]
    return ", ".join(named) or "No findings"


def _verdict_colours(report: Report) -> tuple[str, ...]:
    if not report.verified or report.counts["error"]:
        return ("red", "bold")
    return ("yellow", "bold") if report.findings else ("green", "bold")


def found_text(match: Match | None, style: Style = PLAIN) -> str:
    """What `audit --find-token -` prints."""
    if match is None:
        return "It is none of ours: no token, refresh token or client secret of this state was ever it.\n"
    kind = match.kind.replace("_", " ")
    head = style.paint(f"This is {_article(kind)} {kind} of {one_line(match.address)}: {match.status}.", "bold")
    return f"{head}\nIssued at {to_rfc3339(match.issued)}. {one_line(match.detail)}\n"


def _article(word: str) -> str:
    return "an" if word[0] in "aeiou" else "a"
