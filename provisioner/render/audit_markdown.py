"""An audit for a step summary or a ticket: GitHub-flavoured Markdown."""

from __future__ import annotations

from provisioner.audit.finding import SEVERITIES, Finding
from provisioner.audit.report import Report
from provisioner.render.audit_text import tally, verdict
from provisioner.render.markdown import cell, code
from provisioner.times import to_rfc3339

ROWS = 200  # a summary that holds more is read by nobody; `--json` has them all
_SIGNS = {"error": "❌", "warning": "⚠️", "note": "ℹ️"}  # noqa: RUF001  # the sign that GitHub shows


def audit_markdown(report: Report) -> str:
    """The verdict, the findings as a table, what was silenced, and the head."""
    parts = [f"## {cell(f'Audit of {report.stack}' if report.stack else 'Audit')}", f"**{cell(verdict(report))}**"]
    if report.findings:
        rows = [_row(finding) for finding in report.findings[:ROWS]]
        parts.append("\n".join(["| | rule | where | what | what to do |", "|---|---|---|---|---|", *rows]))
    if len(report.findings) > ROWS:
        parts.append(f"{len(report.findings) - ROWS} more are not shown here ({tally(report)} in all).")
    if report.silenced:
        rows = [f"- {code(f.rule_id)}{_at(f)}: {cell(f.silenced or '')}" for f in report.silenced[:ROWS]]
        parts.append("\n".join(["**Silenced by the policy**", "", *rows]))
    if report.skipped:
        parts.append(f"Not asked, for want of a desired-state file: {', '.join(map(code, report.skipped))}.")
    if report.head:
        parts.append(f"Head {code(report.head)}, serial {report.serial}, {to_rfc3339(report.at)}.")
    return "\n\n".join(parts) + "\n"


def _row(finding: Finding) -> str:
    where = code(finding.address) if finding.address else ""
    sign = _SIGNS[finding.severity] if finding.severity in SEVERITIES else ""
    since = to_rfc3339(finding.since) if finding.since else ""
    what = f"{cell(finding.message)}{f' (since {since})' if since and since not in finding.message else ''}"
    return f"| {sign} {finding.severity} | {code(finding.rule_id)} | {where} | {what} | {cell(finding.remedy)} |"


def _at(finding: Finding) -> str:
    return f" at {code(finding.address)}" if finding.address else ""
