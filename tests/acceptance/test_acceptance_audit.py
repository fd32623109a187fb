"""Contract section 8: what `audit` says of a recorded state.

Every docstring is the sentence of the contract which the test checks.
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest
from acc_messaging import cx_tables, ez_tables
from acc_stack import ROOT, Stack

if TYPE_CHECKING:
    from acc_eztexting import EzTexting
    from acc_smscx import SmsCx

NO_KEYS = {"EZ_USERNAME": None, "EZ_PASSWORD": None, "EZ_CARD": None, "SMSCX_API_KEY": None}


def findings(stack: Stack, *words: str, code: int | None = 2) -> dict[str, dict[str, Any]]:
    found = stack.run(
        "audit", "--json", *words, code=code, env={**NO_KEYS, "HOME": str(stack.folder / "nobody")}
    ).json()
    return {item["rule_id"] + " " + str(item["address"]): item for item in found["findings"]}


def test_the_shape_of_an_audit(stack: Stack, ez: EzTexting) -> None:
    """`--json`: one object with its keys; it runs with no network, no vendor credentials and no key; findings: 2."""
    stack.write(ez_tables(stack, ez))
    stack.run("apply", "--auto-approve")
    sent = len(ez.requests)
    ran = stack.run("audit", "--json", code=None, env={**NO_KEYS, "HOME": str(stack.folder / "nobody")})
    found = ran.json()
    assert found["format_version"] == "1.0"
    assert set(found) >= {"lineage", "serial", "head", "verified", "findings", "summary"}
    assert found["verified"] is True
    assert found["head"] == stack.state()["head"]
    worst = [item for item in found["findings"] if item["severity"] != "note"]
    assert worst == [], worst
    for item in found["findings"]:
        assert set(item) >= {"rule_id", "severity", "address", "message", "remedy", "since"}
    assert ran.returncode == (2 if found["findings"] else 0)
    assert len(ez.requests) == sent


def test_a_clean_state(stack: Stack, ez: EzTexting) -> None:
    """Nothing to find: exit 0."""
    stack.write(ez_tables(stack, ez))
    stack.run("apply", "--auto-approve")
    assert stack.run("audit", "--json").json()["findings"] == []


@pytest.mark.slow
def test_what_is_found(stack: Stack, ez: EzTexting, cx: SmsCx) -> None:
    """Findings: tokens expired, older than policy, lost, never-expiring; operations in doubt; floors unmet;
    applications nobody declared; edits by hand. Rule ids are stable and documented."""
    cx.add("Campaign sender", "sms groups", "never")
    ez.life = 2
    policy = '[token_policies.old]\nrotate_every = "1s"\n'
    text = ez_tables(stack, ez, more='token_policy = "old"') + policy
    stack.write(text + cx_tables(stack, cx).replace('token_lifetime = "1d"', 'token_lifetime = "never"'))
    ez.arm("/v1/tokens/create", "drop")
    stack.run("apply", "--auto-approve", code=3)
    stack.run("apply", "--auto-approve")
    ez.bought_credits = 0
    ez.arm("/v1/credits/purchase", 500)
    stack.run("apply", "--auto-approve", code=None)
    stack.run("state", "rm", 'token.campaigns["worker"]')
    time.sleep(2.1)
    rules = {item["rule_id"] for item in findings(stack).values()}
    text = " ".join(sorted(rules))
    for word in ("doubt", "lost", "never", "expired"):
        assert word in text, text
    assert any("edit" in rule for rule in rules), text
    documented = "".join(path.read_text() for path in (ROOT / "docs").glob("*.md"))
    for rule in rules:
        assert rule in documented, rule


def test_expected_heads(stack: Stack, ez: EzTexting) -> None:
    """`--expect-head HASH`: the head is exactly this one; `--expect-ancestor HASH`: it is this one or follows it; else
    exit 7."""
    stack.write(ez_tables(stack, ez))
    stack.run("apply", "--auto-approve")
    first = stack.state()["head"]
    stack.run("audit", "--expect-head", first)
    stack.run("audit", "--expect-ancestor", first)
    stack.run("apply", "--auto-approve", "--replace", "token.texts")
    stack.run("audit", "--expect-head", first, code=7)
    stack.run("audit", "--expect-ancestor", first)
    stack.run("audit", "--expect-ancestor", "0" * 64, code=7)


def test_a_chain_that_does_not_verify(stack: Stack, ez: EzTexting) -> None:
    """A chain that does not verify is exit 7 here as everywhere, naming the first bad entry."""
    stack.write(ez_tables(stack, ez))
    stack.run("apply", "--auto-approve")
    (path,) = (stack.folder / "state").glob("*/journal/*.jsonl")
    lines = path.read_text().splitlines(keepends=True)
    lines[3] = lines[3].replace("stranger", "nobody")
    path.write_text("".join(lines))
    ran = stack.run("audit", "--json", code=7)
    assert "4" in ran.text


def test_find_token(stack: Stack, ez: EzTexting, cx: SmsCx) -> None:
    """`--find-token -` reads a leaked token from standard input and says whose it was, since when, and whether it still
    lives: exit 2 and `found` true; exit 0 and `found` false for a stranger's."""
    stack.write(ez_tables(stack, ez) + cx_tables(stack, cx))
    stack.run("apply", "--auto-approve")
    stack.run("apply", "--auto-approve", "--replace", "token.texts")
    old, new = ez.pairs
    for secret, kind, status in (
        (new.access, "access_token", "live"),
        (new.refresh, "refresh_token", "live"),
        (old.access, "access_token", "revoked"),
    ):
        ran = stack.run("audit", "--json", "--find-token", "-", stdin=secret + "\n", code=2)
        found = ran.json()
        assert found["found"] is True
        assert found["address"] == "token.texts"
        assert (found["kind"], found["status"]) == (kind, status)
        assert found["issued_at"].endswith("Z")
        assert (found["ended_at"] is None) == (status == "live")
    found = stack.run("audit", "--json", "--find-token", "-", stdin=cx.apps[0].secret + "\n", code=2).json()
    assert (found["kind"], found["address"]) == ("client_secret", "application.campaigns")
    found = stack.run("audit", "--json", "--find-token", "-", stdin="somebody-elses-token\n").json()
    assert found["found"] is False
    assert "token.texts" in stack.run("audit", "--find-token", "-", stdin=new.access + "\n", code=2).stdout
    stack.hunt(ez.secrets | cx.secrets)


def test_reports(stack: Stack, ez: EzTexting) -> None:
    """`--sarif FILE`, `--junit FILE`, `--html FILE` are written."""
    stack.write(ez_tables(stack, ez))
    stack.run("apply", "--auto-approve")
    stack.run("state", "rm", "credits.ez")
    stack.run("audit", "--sarif", "a.sarif", "--junit", "a.xml", "--html", "a.html", code=None)
    sarif = json.loads((stack.folder / "a.sarif").read_text())
    assert sarif["version"] == "2.1.0"
    assert (stack.folder / "a.xml").read_text().lstrip().startswith("<")
    assert "<html" in (stack.folder / "a.html").read_text()
