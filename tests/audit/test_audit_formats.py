"""Every format of one long story: golden files, schemas, and no secret anywhere."""

from __future__ import annotations

import json
import os
import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import jsonschema
import pytest
from audit_story import declared, told
from audit_world import NOW, Past

from provisioner import __version__
from provisioner.audit.find import find
from provisioner.audit.finding import Finding, Place
from provisioner.audit.policy import Policy, read_policy
from provisioner.audit.report import Report
from provisioner.audit.rules import BY_ID, judge
from provisioner.journal.fold import state_to_json
from provisioner.render.audit_html import audit_html
from provisioner.render.audit_json import audit_json, found_json
from provisioner.render.audit_junit import audit_junit
from provisioner.render.audit_markdown import audit_markdown
from provisioner.render.audit_sarif import audit_sarif
from provisioner.render.audit_text import audit_text, found_text
from provisioner.render.json_text import json_text

GOLDEN = Path(__file__).parent / "golden"
SCHEMA = json.loads((Path(__file__).parent / "sarif-2.1.0-rtm.5.json").read_text())

FORMATS: dict[str, Callable[[Report], str]] = {
    "audit.txt": audit_text,
    "audit.json": lambda report: json_text(audit_json(report), indent=2) + "\n",
    "audit.sarif": lambda report: json_text(audit_sarif(report), indent=2) + "\n",
    "audit.xml": audit_junit,
    "audit.md": audit_markdown,
    "audit.html": audit_html,
}


@pytest.fixture(scope="module")
def past(tmp_path_factory: pytest.TempPathFactory) -> Past:
    return told(tmp_path_factory.mktemp("story"))


def report_of(past: Past, policy: Policy | None = None) -> Report:
    case = past.case(declared(), now=NOW)
    judged = judge(case, policy or the_policy(), journal="state/messaging/journal")
    state = case.state
    return Report(
        stack=state.stack, lineage=state.lineage, serial=state.serial, head=state.head, verified=True, at=NOW,
        findings=judged.findings, silenced=judged.silenced, skipped=judged.skipped, unused=judged.unused,
        entries=case.trail.entries, case=case,
    )  # fmt: skip


def the_policy() -> Policy:
    data = {
        "severity": {"edit-by-hand": "note"},
        "silence": [
            {"rule": "token-never-expires", "address": "token.old", "until": "2027-01-01", "reason": "goes in January"},
            {"rule": "token-lost", "until": "2026-11-30", "reason": "looked at <b>daily</b>"},
            {"rule": "token-lost", "address": "token.x", "until": "2027-01-01", "reason": "never was"},
        ],
    }
    return read_policy(data, file="audit.toml", rules=list(BY_ID), fixed=())


@pytest.fixture(scope="module")
def report(past: Past) -> Report:
    return report_of(past)


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_a_format_is_as_it_was(report: Report, name: str) -> None:
    """Byte for byte; UPDATE_GOLDEN=1 writes them anew, to be read before they are committed."""
    text = FORMATS[name](report).replace(__version__, "VERSION")
    path = GOLDEN / name
    if os.environ.get("UPDATE_GOLDEN"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


def test_no_format_holds_a_secret(past: Past, report: Report) -> None:
    """The canaries behind the fingerprints, the sealed values, the data keys."""
    texts = [render(report) for render in FORMATS.values()]
    value = next(iter(report.case.trail.lives.values.values())) if report.case else None
    match = find(past.case(now=NOW), [value.fingerprint]) if value else None
    texts += [found_text(match), json_text(found_json(match))]
    assert match is not None
    sealed = [str(item) for item in _sealed(state_to_json(past.case().state))]
    assert len(sealed) > 4
    for text in texts:
        assert "canary-" not in text
        assert not [item for item in sealed if item in text]
        assert "BEGIN AGE" not in text


def _sealed(value: object) -> list[str]:
    if isinstance(value, dict):
        return [found for item in value.values() for found in _sealed(item)]
    if isinstance(value, list):
        return [found for item in value for found in _sealed(item)]
    return [value] if isinstance(value, str) and value.startswith("v1:") else []


# -- json --------------------------------------------------------------------------------------------------------------


def test_the_json_has_the_contract_s_members(report: Report) -> None:
    """Section 8, and counts that add up."""
    found = audit_json(report)
    assert {"format_version", "lineage", "serial", "head", "verified", "findings", "summary"} <= set(found)
    assert (found["format_version"], found["verified"]) == ("1.0", True)
    for finding in found["findings"]:
        assert set(finding) == {"rule_id", "severity", "address", "message", "remedy", "since"}
        assert finding["severity"] in ("error", "warning", "note")
    summary = found["summary"]
    assert summary["errors"] + summary["warnings"] + summary["notes"] == summary["findings"] == len(found["findings"])
    assert len(summary["silenced"]) == 1


# -- SARIF -------------------------------------------------------------------------------------------------------------


def test_the_sarif_is_valid(report: Report) -> None:
    """Against the schema that OASIS published (its descriptions left out)."""
    document = json.loads(FORMATS["audit.sarif"](report))
    assert list(jsonschema.Draft4Validator(SCHEMA).iter_errors(document)) == []


def test_a_sarif_result_points_somewhere(report: Report) -> None:
    """At a line from 1 on, under a rule that is described, by a fingerprint of its own that outlives its wording."""
    run = audit_sarif(report)["runs"][0]
    rules = run["tool"]["driver"]["rules"]
    results = run["results"]
    prints = [result["partialFingerprints"]["provisionerFinding/v1"] for result in results]
    assert len(set(prints)) == len(prints) == len(report.findings) + len(report.silenced)
    for result in results:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        place = result["locations"][0]["physicalLocation"]
        assert place["region"]["startLine"] >= 1
        assert place["artifactLocation"]["uri"]
    assert sum("suppressions" in result for result in results) == 1
    reworded = replace(report, findings=tuple(replace(f, message="other") for f in report.findings))
    again = [r["partialFingerprints"]["provisionerFinding/v1"] for r in audit_sarif(reworded)["runs"][0]["results"]]
    assert again == prints


def test_a_sarif_uri_is_one() -> None:
    """Blanks and umlauts are escaped; an absolute path is a file: URI."""
    found = []
    for name in ("apps/my stäck.toml", "/srv/a b.toml"):
        finding = Finding(
            rule_id="token-lost",
            severity="error",
            address=None,
            message="m",
            remedy="r",
            place=Place(file=name, line=0),
        )
        report = Report(stack="s", lineage="l", serial=1, head="h", verified=True, at=NOW, findings=(finding,))
        place = audit_sarif(report)["runs"][0]["results"][0]["locations"][0]["physicalLocation"]
        found.append((place["artifactLocation"]["uri"], place["region"]["startLine"]))
    assert found == [("apps/my%20st%C3%A4ck.toml", 1), ("file:///srv/a%20b.toml", 1)]


# -- JUnit -------------------------------------------------------------------------------------------------------------


def test_the_junit_is_read_back(report: Report) -> None:
    """Findings fail, rules without any pass, silenced ones are skipped, and the counts are right."""
    suite = ET.fromstring(audit_junit(report)).find("testsuite")  # noqa: S314  # our own text
    assert suite is not None
    cases = suite.findall("testcase")
    failed = [case for case in cases if case.find("failure") is not None]
    skipped = [case for case in cases if case.find("skipped") is not None]
    assert (int(suite.get("tests", "")), int(suite.get("failures", ""))) == (len(cases), len(report.findings))
    assert (len(failed), len(skipped)) == (len(report.findings), len(report.silenced))
    passed = {case.get("classname") for case in cases if case not in failed and case not in skipped}
    assert "provisioner.audit.token-unauthorized" in passed
    assert not any(str(name).endswith("token-expired") for name in passed)


def test_no_two_test_cases_have_one_name(report: Report) -> None:
    """GitLab shows only the first of them: two findings of one rule about one address are told apart."""
    finding = next(f for f in report.findings if f.address)
    twice = replace(report, findings=(finding, replace(finding, key="another"), replace(finding, key="third")))
    suite = ET.fromstring(audit_junit(twice)).find("testsuite")  # noqa: S314  # our own text
    assert suite is not None
    names = [(case.get("classname"), case.get("name")) for case in suite.iter("testcase")]
    assert len(set(names)) == len(names)
    assert [name for _, name in names[:3]] == [finding.address, f"{finding.address} (2)", f"{finding.address} (3)"]


def test_text_that_xml_has_no_place_for_is_spelled_out() -> None:
    """Control characters, a lone surrogate, what is no character."""
    odd = "a\x00b\x1bc\ud800d\ufffee & <f>"
    finding = Finding(rule_id="token-lost", severity="error", address="token.x", message=odd, remedy="r")
    report = Report(stack=odd, lineage="l", serial=1, head="h", verified=True, at=NOW, findings=(finding,))
    suite = ET.fromstring(audit_junit(report)).find("testsuite/testcase/failure")  # noqa: S314  # our own text
    assert suite is not None
    assert suite.get("message") == "a\\u0000b\\u001bc\\ud800d\\ufffee & <f>"


# -- text and Markdown -------------------------------------------------------------------------------------------------


def test_the_text_shows_of_many_alike_the_first() -> None:
    """And how many more there are; in full all of them."""
    findings = tuple(
        Finding(rule_id="token-lost", severity="error", address=f"token.t{n}", message="m", remedy="r")
        for n in range(50)
    )
    report = Report(stack="s", lineage="l", serial=9, head="h", verified=True, at=NOW, findings=findings, entries=9)
    assert audit_text(report).count("token.t") == 20
    assert "30 more of token-lost" in audit_text(report)
    assert audit_text(report, full=True).count("token.t") == 50


def test_names_cannot_become_markup() -> None:
    """In a table of a ticket: no pipe, no link, no mention, no line of its own."""
    name = "x | [click](http://evil) @all `code`\n# head <img>"
    finding = Finding(rule_id="token-lost", severity="error", address=None, message=name, remedy=name)
    report = Report(stack=name, lineage="l", serial=9, head="h", verified=True, at=NOW, findings=(finding,), entries=9)
    rows = [line for line in audit_markdown(report).splitlines() if line.startswith("| ❌")]
    assert len(rows) == 1
    assert "<img>" not in audit_markdown(report)
    assert "\\[click\\]" in rows[0]
    assert "@all" not in rows[0]


def test_a_state_that_cannot_be_trusted_says_so_first() -> None:
    """In every format, with nothing that a reader could rely on."""
    finding = Finding(
        rule_id="state-damaged",
        severity="error",
        address=None,
        message="segment 00000001, line 3 is not JSON",
        remedy="r",
    )
    report = Report(stack="s", lineage="l", serial=2, head="h", verified=False, at=NOW, findings=(finding,))
    assert report.exit_code == 7
    for name, render in FORMATS.items():
        assert "line 3" in render(report), name
    assert "cannot be trusted" in audit_text(report)
    assert audit_json(report)["verified"] is False
    assert list(jsonschema.Draft4Validator(SCHEMA).iter_errors(json.loads(FORMATS["audit.sarif"](report)))) == []


def test_nothing_found_is_said(tmp_path: Path) -> None:
    """Exit 0, and every format is whole."""
    past = Past(tmp_path, NOW)
    past.pair("token.texts")
    case = past.case()
    report = Report(
        stack="s", lineage="l", serial=3, head="h", verified=True, at=NOW + timedelta(seconds=9), case=case, entries=4
    )
    assert report.exit_code == 0
    assert "4 entries verified. No findings." in audit_text(report)
    assert "Nothing needs attention." in audit_html(report)
    assert json.loads(FORMATS["audit.json"](report))["findings"] == []
