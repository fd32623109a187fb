"""An audit as SARIF 2.1.0 (OASIS), for code scanning: each finding at the line that declares what it is about, or at
the entry of the journal that it is about.

A region's first line is at least 1, and `partialFingerprints` keep a finding the same one from run to run, as GitHub
asks.
"""

from __future__ import annotations

from hashlib import sha256
from pathlib import PurePath
from typing import Any
from urllib.parse import quote

from provisioner import __version__
from provisioner.audit.finding import Finding, Rule
from provisioner.audit.report import Report
from provisioner.audit.rules import RULES, SILENCE_EXPIRED, UNVERIFIED
from provisioner.codes import CODES
from provisioner.times import to_rfc3339

_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_DOCUMENT = "docs/audit-rules.md"


def audit_sarif(report: Report) -> dict[str, Any]:
    """One run with every rule, found or not, so that a reader knows what was looked for."""
    rules = _rules()
    index = {rule["id"]: position for position, rule in enumerate(rules)}
    results = [_result(finding, report, index) for finding in (*report.findings, *report.silenced)]
    return {
        "$schema": _SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {"driver": {"name": "provisioner", "semanticVersion": __version__, "rules": rules}},
                "automationDetails": {"id": f"provisioner-audit/{report.stack}/"},
                "columnKind": "unicodeCodePoints",
                "invocations": [
                    {
                        "executionSuccessful": True,
                        "exitCode": report.exit_code,
                        "endTimeUtc": to_rfc3339(report.at),
                        "properties": {"head": report.head, "serial": report.serial, "verified": report.verified},
                    }
                ],
                "results": results,
            }
        ],
    }


def _rules() -> list[dict[str, Any]]:
    found = [_rule(rule) for rule in RULES]
    for name in UNVERIFIED:
        text = CODES[name].meaning
        found.append(_descriptor(name, f"{text[0].upper()}{text[1:]}.", "It cannot be trusted.", "", "error"))
    title = "A silence of the policy file has ended."
    found.append(_descriptor(SILENCE_EXPIRED, title, title, "Look at it again, and set another date.", "error"))
    return found


def _rule(rule: Rule) -> dict[str, Any]:
    return _descriptor(rule.id, f"{rule.title}.", rule.reason, rule.remedy, rule.severity)


def _descriptor(rule_id: str, title: str, reason: str, remedy: str, severity: str) -> dict[str, Any]:
    remedy = remedy or "See docs/diagnostics.md."
    return {
        "id": rule_id,
        "name": "".join(word.capitalize() for word in rule_id.split("-")),
        "shortDescription": {"text": title},
        "fullDescription": {"text": reason},
        "help": {"text": f"{reason}\n\n{remedy}", "markdown": f"{reason}\n\n**What to do:** {remedy}\n\n`{_DOCUMENT}`"},
        "defaultConfiguration": {"level": severity},
        "properties": {"tags": ["credentials"], "problem.severity": _PROBLEM[severity]},
    }


_PROBLEM = {"error": "error", "warning": "warning", "note": "recommendation"}  # GitHub's words


def _result(finding: Finding, report: Report, index: dict[str, int]) -> dict[str, Any]:
    found: dict[str, Any] = {
        "ruleId": finding.rule_id,
        "ruleIndex": index[finding.rule_id],
        "level": finding.severity,
        "message": {"text": f"{finding.address}: {finding.message}" if finding.address else finding.message},
        "locations": [_location(finding, report)],
        "partialFingerprints": {"provisionerFinding/v1": _fingerprint(finding, report)},
        "properties": {"address": finding.address, "remedy": finding.remedy, "since": _since(finding)},
    }
    if finding.silenced is not None:
        found["suppressions"] = [{"kind": "external", "status": "accepted", "justification": finding.silenced}]
    return found


def _location(finding: Finding, report: Report) -> dict[str, Any]:
    file, line = (finding.place.file, finding.place.line) if finding.place else (report.file, 1)
    found: dict[str, Any] = {
        "physicalLocation": {"artifactLocation": {"uri": _uri(file)}, "region": {"startLine": max(line, 1)}}
    }
    if finding.address:
        found["logicalLocations"] = [{"fullyQualifiedName": finding.address, "kind": "resource"}]
    return found


def _uri(file: str) -> str:
    """A relative reference stays one; an absolute path becomes a file: URI (RFC 3986, RFC 8089)."""
    path = PurePath(file)
    return path.as_uri() if path.is_absolute() else quote(path.as_posix())


def _fingerprint(finding: Finding, report: Report) -> str:
    """The same finding in the next run has the same one, whatever its wording and line are then."""
    return sha256("\n".join((report.lineage, finding.rule_id, finding.address or "", finding.key)).encode()).hexdigest()


def _since(finding: Finding) -> str | None:
    return None if finding.since is None else to_rfc3339(finding.since)
