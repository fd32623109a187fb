"""An audit as one page that a manager understands: self-contained, without a script, nothing loaded from anywhere.

Read on a screen (light and dark), on a phone, on paper, and aloud: every drawing has its words and its table.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta
from decimal import Decimal
from itertools import groupby

from provisioner import __version__
from provisioner.audit.case import Case
from provisioner.audit.changes import Run
from provisioner.audit.finding import SEVERITIES, Finding
from provisioner.audit.report import Report
from provisioner.audit.rules import BY_ID, SILENCE_EXPIRED
from provisioner.codes import CODES
from provisioner.model.recorded import EXPIRED, LIVE, LOST, TokenRecord
from provisioner.render.audit_html_credits import credits_html
from provisioner.render.audit_html_parts import Html, amount, code, day, folded, link, prose, section, table, text, time
from provisioner.render.audit_html_style import CSS
from provisioner.render.audit_html_tokens import tokens_html
from provisioner.render.audit_text import tally, verdict
from provisioner.render.style import counted

_RUNS = 15  # shown at once
_MOST_RUNS = 200
_PER_RULE = 50
_PLURAL = {"error": "Errors", "warning": "Warnings", "note": "Notes"}
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"


def audit_html(report: Report) -> Html:
    """The whole document."""
    name = report.stack or "recorded state"
    sections = [("findings", "Findings", _findings(report))]
    if report.case is not None:
        sections += [
            ("credits", "Credits", credits_html(report.case)),
            ("tokens", "Tokens", tokens_html(report.case)),
            ("runs", "Runs", _runs(report.case)),
        ]
    sections.append(("record", "The record", _record(report)))
    items = "".join(f'<li><a href="#{key}">{text(title)}</a></li>' for key, title, _ in sections)
    body = "".join(section(key, title, content) for key, title, content in sections)
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta name="color-scheme" content="light dark">\n<meta name="referrer" content="no-referrer">\n'
        f'<meta name="generator" content="provisioner {__version__}">\n'
        f"<title>Audit of {text(name)}</title>\n<style>\n{CSS}\n</style>\n</head>\n<body>\n"
        f'<div class="page">\n<header>\n<h1>Audit of {text(name)}</h1>\n'
        f'<p class="dim">Credentials and prepaid credits, as recorded, on {time(report.at)}</p>\n'
        f'<nav aria-label="Sections"><ul>{items}</ul></nav>\n</header>\n<main>\n'
        f"{_verdict(report)}{_tiles(report)}{body}</main>\n{_footer(report)}</div>\n</body>\n</html>\n"
    )


# -- on top ----------------------------------------------------------------------------------------------------------


def _verdict(report: Report) -> Html:
    css = "error" if not report.verified or report.counts["error"] else "warning" if report.findings else "good"
    if not report.verified:
        words = "Do not rely on what stands below before this is cleared up."
    elif report.findings:
        words = "Every entry of the record was checked and is as it was written. The findings below need somebody."
    else:
        words = "Every entry of the record was checked and is as it was written. Nothing needs attention."
    return f'<div class="verdict {css}"><p><strong>{text(verdict(report))}</strong></p><p>{words}</p></div>\n'


def _tiles(report: Report) -> Html:
    tiles = [("Findings", str(len(report.findings)), tally(report) if report.findings else "none")]
    if report.case is not None:
        tiles += list(_case_tiles(report.case))
    items = "".join(
        f'<li><span class="name">{text(name)}</span><span class="value">{text(value)}</span>'
        f'<span class="more">{text(more)}</span></li>'
        for name, value, more in tiles
    )
    return f'<ul class="tiles">{items}</ul>\n'


def _case_tiles(case: Case) -> Iterable[tuple[str, str, str]]:
    living = [token for token in case.tokens if token.status_at(case.now) == LIVE]
    yield "Tokens serving", f"{len(living)} of {len(case.tokens)}", _token_words(case.tokens, case)
    watched = [floor for floor in case.trail.money.floors.values() if not floor.gone]
    unmet = [str(floor.address) for floor in watched if floor.since_unmet is not None]
    named = f"unmet: {', '.join(sorted(unmet))}" if unmet else ""
    yield "Floors met", f"{len(watched) - len(unmet)} of {len(watched)}", named
    month = [b for b in case.trail.money.counted() if b.at > case.now - timedelta(days=30)]
    totals: dict[str, Decimal] = {}
    for bought in month:
        totals[bought.unit] = totals.get(bought.unit, Decimal(0)) + bought.amount
    spent = ", ".join(f"{amount(total)} {unit}" for unit, total in sorted(totals.items())) or "nothing"
    yield "Bought, 30 days", spent, f"in {counted(len(month), 'purchase')}" if month else ""
    doubts, waiting = len(case.open_operations), len(case.state.handoffs)
    yield (
        "In doubt",
        str(doubts),
        "its outcome is not known" if doubts == 1 else "outcomes are not known" if doubts else "",
    )
    yield "Awaiting people", str(waiting), ", ".join(sorted(case.state.handoffs)[:2])


def _token_words(tokens: list[TokenRecord], case: Case) -> str:
    expired = sum(token.status_at(case.now) == EXPIRED for token in tokens)
    lost = sum(token.status == LOST for token in (*tokens, *case.deposed))
    retiring = sum(token.status_at(case.now) == "retiring" for token in case.deposed)
    parts = [(expired, "expired"), (retiring, "replaced and alive"), (lost, "lost")]
    return ", ".join(f"{number} {word}" for number, word in parts if number)


# -- findings --------------------------------------------------------------------------------------------------------


def _findings(report: Report) -> Html:
    if not report.findings:
        return f"<p>None.</p>\n{_silenced(report)}"
    parts = []
    for severity in SEVERITIES:
        mine = sorted((f for f in report.findings if f.severity == severity), key=lambda f: f.rule_id)
        if mine:
            parts.append(f'<h3><span class="tag {severity}">{_PLURAL[severity]}</span></h3>\n')
        for position, (rule_id, group) in enumerate(groupby(mine, key=lambda f: f.rule_id)):
            parts.append(_group(rule_id, list(group), css="findings" if position == 0 else "findings headless"))
    return "".join(parts) + _silenced(report)


def _group(rule_id: str, findings: list[Finding], *, css: str) -> Html:
    title, reason = _explained(rule_id)
    rows = [(_where(f), prose(f.message), time(f.since), prose(f.remedy)) for f in findings[:_PER_RULE]]
    more = (
        f"<p>{len(findings) - _PER_RULE} more of these are not shown here.</p>\n" if len(findings) > _PER_RULE else ""
    )
    count = f" ({len(findings)})" if len(findings) > 1 else ""
    heads = ("Where", "What", "Since", "What to do")
    return (
        f'<h4>{text(title)}{count}</h4>\n<p class="dim">{prose(reason)} {code(rule_id)}</p>\n'
        f"{table(title, heads, rows, css=css)}{more}"
    )


def _explained(rule_id: str) -> tuple[str, str]:
    rule = BY_ID.get(rule_id)
    if rule is not None:
        return rule.title, rule.reason
    if rule_id == SILENCE_EXPIRED:
        return "A silence of the policy file has ended", "What it silenced counts again until somebody looks at it."
    meaning = CODES[rule_id].meaning
    return (
        f"{meaning[0].upper()}{meaning[1:]}",
        "The record is not what it should be, so nothing in it can be relied upon.",
    )


def _where(finding: Finding) -> Html:
    return code(finding.address) if finding.address else '<span class="none">the record</span>'


def _silenced(report: Report) -> Html:
    if not report.silenced:
        return ""
    rows = [(code(f.rule_id), _where(f), prose(f.message), text(f.silenced or "")) for f in report.silenced[:_PER_RULE]]
    heads = ("Rule", "Where", "What", "Why it is accepted")
    return f"<h3>Accepted by the policy file</h3>\n{table('Silenced findings', heads, rows)}"


# -- runs and the record ---------------------------------------------------------------------------------------------


def _runs(case: Case) -> Html:
    runs = sorted(case.trail.changes.runs.values(), key=lambda run: run.began, reverse=True)
    said = f"<p>{counted(len(runs), 'run')} changed the record.</p>\n"
    earlier = runs[_RUNS:_MOST_RUNS]
    more = folded(f"Earlier runs ({len(runs) - _RUNS})", _run_table("Earlier runs", earlier)) if earlier else ""
    left_out = len(runs) - _MOST_RUNS
    rest = f"<p>{left_out} more: {code('provisioner history')} has them all.</p>\n" if left_out > 0 else ""
    return said + _run_table("Runs", runs[:_RUNS]) + more + rest


def _run_table(caption: str, runs: Sequence[Run]) -> Html:
    rows = [
        (
            time(run.began),
            text(run.actor),
            code(run.command) + ("" if run.ended else ' <span class="tag warning">did not end</span>'),
            counted(run.entries, "entry", "entries"),
            " ".join(part for part in (link(run.ci_url, "pipeline", f"run {run.id}"), text(run.note or "")) if part),
        )
        for run in runs
    ]
    return table(caption, ("When", "Who", "What", "Recorded", "Why"), rows, css="runs")


def _record(report: Report) -> Html:
    facts: list[tuple[str, Html]] = [
        ("Verified", "yes, every entry" if report.verified else "no"),
        ("Entries", f"{report.entries}"),
        ("Serial", f"{report.serial}"),
        ("Head", code(report.head or "none yet")),
        ("Lineage", code(report.lineage or "none yet")),
    ]
    if report.case is not None:
        recipients = sorted({r for file in report.case.keys.files.values() for r in file.recipients})
        facts.append(("Data keys", f"{len(report.case.keys.files)}"))
        facts.append(("Sealed to", "<br>".join(code(recipient) for recipient in recipients) or "nobody yet"))
    if report.skipped:
        facts.append(("Not asked", "<br>".join(map(code, report.skipped)) + "<br>(they need a desired-state file)"))
    items = "".join(f"<dt>{text(name)}</dt><dd>{value}</dd>\n" for name, value in facts)
    return (
        f"<dl>{items}</dl>\n<p>Keep the head elsewhere, in a ticket or in a pipeline's log. "
        f"{code('provisioner audit --expect-ancestor HASH')} then shows later that nothing up to it was changed.</p>\n"
    )


def _footer(report: Report) -> Html:
    return (
        f"<footer><p>Made by provisioner {text(__version__)} on {text(day(report.at))}. It shows what is recorded; no "
        "vendor was asked. Times are UTC. The rules are explained in docs/audit-rules.md.</p></footer>\n"
    )
