"""An audit for machines: `audit --json` (contract section 8)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from provisioner.audit.find import Match
from provisioner.audit.finding import Finding
from provisioner.audit.report import Report
from provisioner.times import to_rfc3339

FORMAT_VERSION = "1.0"


def audit_json(report: Report) -> dict[str, Any]:
    """One object. Where the chain does not verify, `serial` and `head` are those of the last entry that did."""
    return {
        "format_version": FORMAT_VERSION,
        "stack": report.stack,
        "lineage": report.lineage,
        "serial": report.serial,
        "head": report.head,
        "verified": report.verified,
        "at": to_rfc3339(report.at),
        "findings": [_finding(finding) for finding in report.findings],
        "summary": {
            **{f"{severity}s": number for severity, number in report.counts.items()},
            "findings": len(report.findings),
            "silenced": [{**_finding(f), "reason": f.silenced} for f in report.silenced],
            "skipped_rules": list(report.skipped),
            "unused_silences": list(report.unused),
            "entries": report.entries,
        },
    }


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "rule_id": finding.rule_id,
        "severity": finding.severity,
        "address": finding.address,
        "message": finding.message,
        "remedy": finding.remedy,
        "since": _time(finding.since),
    }


def found_json(match: Match | None) -> dict[str, Any]:
    """`audit --find-token - --json`. Everything but `found` is null for a stranger's secret."""
    return {
        "format_version": FORMAT_VERSION,
        "found": match is not None,
        "address": match.address if match else None,
        "kind": match.kind if match else None,
        "status": match.status if match else None,
        "issued_at": _time(match.issued) if match else None,
        "expires_at": _time(match.expires) if match else None,
        "ended_at": _time(match.ended) if match else None,
        "detail": match.detail if match else None,
    }


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else to_rfc3339(moment)
