"""What an audit of a long record costs."""

from __future__ import annotations

import time

import pytest
from audit_world import DAY, Past

from provisioner.audit.report import Report
from provisioner.audit.rules import judge
from provisioner.engine import drafts
from provisioner.render.audit_html import audit_html


@pytest.mark.slow
def test_twenty_thousand_entries_take_seconds(past: Past) -> None:
    """Every one of them verified, folded, looked through and judged, 5,000 tokens renewed once: 2 s of work where this
    was written, and a page in 0.1 s more."""
    with past.run() as journal:
        tokens = [past.token(f"token.t{number}", provider="ez", provider_type="eztexting") for number in range(5000)]
        for position in range(0, 10_000, 500):
            batch = []
            for number in range(position, position + 500):
                token = tokens[number % 5000]
                operation = past.operation("token.create", str(token.address), object_id=token.id)
                batch += [drafts.intent(operation, "because"), drafts.outcome(operation, "done", put=(token,))]
            journal.append(*batch)
    began = time.process_time()
    case = past.case(now=past.at + DAY / 4)
    judged = judge(case)
    took = time.process_time() - began
    assert case.trail.entries == 20_003
    report = Report(
        stack="s", lineage="l", serial=case.state.serial, head="h", verified=True, at=case.now,
        findings=judged.findings, entries=case.trail.entries, case=case,
    )  # fmt: skip
    began = time.process_time()
    assert len(audit_html(report)) < 1_000_000
    assert time.process_time() - began < 5
    assert took < 15
