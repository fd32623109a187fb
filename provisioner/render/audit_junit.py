"""An audit as JUnit XML: one test case a rule that found nothing, one a finding; what was silenced or skipped is
skipped.

Text is made so that XML 1.0 can hold it: control characters are spelled out.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Iterable

from provisioner.audit.finding import Finding
from provisioner.audit.report import Report
from provisioner.audit.rules import RULES
from provisioner.render.style import one_line
from provisioner.times import to_rfc3339

_CLASS = "provisioner.audit"
_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def audit_junit(report: Report) -> str:
    """A whole document. Every finding fails, whatever its severity: `audit` exits 2 for each."""
    cases = _named_apart([*map(_failed, report.findings), *map(_silenced, report.silenced), *_rest(report)])
    suite = ET.Element(
        "testsuite",
        name=f"provisioner audit {_text(report.stack)}".strip(),
        tests=str(len(cases)),
        failures=str(len(report.findings)),
        errors="0",
        skipped=str(sum(case.find("skipped") is not None for case in cases)),
        time="0",
        timestamp=to_rfc3339(report.at),
    )
    properties = ET.SubElement(suite, "properties")
    for name, value in (("lineage", report.lineage), ("serial", report.serial), ("head", report.head)):
        ET.SubElement(properties, "property", name=name, value=str(value))
    suite.extend(cases)
    root = ET.Element("testsuites")
    root.append(suite)
    ET.indent(root)
    # ElementTree's own declaration would name the encoding of whoever runs this
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ET.tostring(root, encoding="unicode")}\n'


def _text(text: object) -> str:
    """One line that XML 1.0 can hold (section 2.2): what it has no place for is spelled out."""
    return _NO_XML.sub(lambda match: f"\\u{ord(match[0]):04x}", one_line(text))


def _named_apart(cases: list[ET.Element]) -> list[ET.Element]:
    """GitLab shows the first alone of those with the same class and name, so a second about one address says so."""
    times: Counter[tuple[str, str]] = Counter()
    for case in cases:
        name = (case.get("classname", ""), case.get("name", ""))
        times[name] += 1
        if times[name] > 1:
            case.set("name", f"{name[1]} ({times[name]})")
    return cases


def _case(rule_id: str, name: str) -> ET.Element:
    return ET.Element("testcase", classname=f"{_CLASS}.{rule_id}", name=_text(name), time="0")


def _failed(finding: Finding) -> ET.Element:
    case = _case(finding.rule_id, finding.address or finding.rule_id)
    failure = ET.SubElement(case, "failure", message=_text(finding.message), type=finding.severity)
    since = f"\nSince {to_rfc3339(finding.since)}." if finding.since else ""
    place = f"\n{_text(finding.place.file)}:{finding.place.line}" if finding.place else ""
    failure.text = f"{_text(finding.message)}\n{_text(finding.remedy)}{since}{place}"
    return case


def _silenced(finding: Finding) -> ET.Element:
    case = _case(finding.rule_id, finding.address or finding.rule_id)
    ET.SubElement(case, "skipped", message=_text(f"silenced: {finding.silenced}"))
    return case


def _rest(report: Report) -> Iterable[ET.Element]:
    """Rules that found nothing; where the chain does not verify none was asked."""
    told = {finding.rule_id for finding in (*report.findings, *report.silenced)}
    for rule in RULES:
        if rule.id in told:
            continue
        case = _case(rule.id, rule.title)
        if report.case is None:
            ET.SubElement(case, "skipped", message="not asked: the recorded state does not verify")
        elif rule.id in report.skipped:
            ET.SubElement(case, "skipped", message="needs a desired-state file")
        yield case
