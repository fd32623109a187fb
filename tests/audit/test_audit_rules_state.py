"""Rules about the state as such: its form, what is open in it, who is declared, who can open it."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pyrage  # type: ignore[import-untyped, unused-ignore]  # ships no types
from audit_world import ARMORED, DAY, HOUR, LINEAGE, RECIPIENT, Past, application, desired

from provisioner.address import Address
from provisioner.audit.datakeys import read_keys
from provisioner.audit.finding import Finding
from provisioner.audit.rules import judge
from provisioner.engine import drafts
from provisioner.journal.journal import Draft
from provisioner.journal.keys import DataKeyFile, seal_key
from provisioner.model.desired import Desired, Encryption, Removed


def found(past: Past, rule: str, declared: Desired | None = None, *, after: timedelta = timedelta()) -> list[Finding]:
    case = past.case(declared, now=past.at + after)
    return [finding for finding in judge(case).findings if finding.rule_id == rule]


def test_an_entry_of_another_shape_is_found(past: Past) -> None:
    """Its chain holds and it folds; the schema says otherwise, and where."""
    past.create("token.campaigns")
    assert found(past, "schema-violation") == []
    with past.run() as journal:
        journal.append(Draft("edit", None, {"note": "no command"}))
        journal.append(Draft("outcome", "token.campaigns", {"operation": "x", "result": "done", "amount": "1_000"}))
    faults = [f.message for f in found(past, "schema-violation")]
    assert len(faults) == 2
    assert "body lacks command" in faults[0]
    assert "body.amount is not written as it should be" in faults[1]


def test_a_secret_in_clear_is_found_and_not_repeated(past: Past) -> None:
    """One finding a place and kind, however many entries say it."""
    past.create("token.campaigns")
    assert found(past, "secret-in-clear") == []
    for number in range(3):
        past.append(drafts.note("the server said: Bearer k3lq8zyx7w6v5u4t", number=number))
    leaks = found(past, "secret-in-clear")
    assert len(leaks) == 1
    assert "body.detail holds what looks like an Authorization header" in leaks[0].message
    assert "and in 2 more" in leaks[0].message
    assert "k3lq8zyx7w6v5u4t" not in repr(leaks)


def test_a_doubt_is_a_warning_for_a_day(past: Past) -> None:
    """Then it is an error, because nothing will settle it by itself; its id stands in the message and the remedy."""
    with past.run():
        operation = past.operation("token.revoke", "token.campaigns", object_id="o1")
        past.append(drafts.intent(operation, "because"), drafts.doubt(operation, {}, "closed"))
    young = found(past, "operation-in-doubt", after=HOUR)
    assert [(f.severity, f.address, f.since) for f in young] == [("warning", "token.campaigns", operation.since)]
    assert operation.id in young[0].message
    assert f"provisioner resolve {operation.id}" in young[0].remedy
    assert found(past, "operation-in-doubt-overdue", after=HOUR) == []
    old = found(past, "operation-in-doubt-overdue", after=2 * DAY)
    assert [f.severity for f in old] == ["error"]
    assert found(past, "operation-in-doubt", after=2 * DAY) == []
    past.append(drafts.settled(operation, "did-not-happen", "probe"))
    assert found(past, "operation-in-doubt-overdue", after=2 * DAY) == []


def test_what_was_announced_and_left_is_in_doubt(past: Past) -> None:
    """A killed run wrote an intent and nothing after it; a run that holds the lock is on its way."""
    with past.run():
        operation = past.operation("token.create", "token.campaigns")
        past.append(drafts.intent(operation, "because"))
    assert len(found(past, "operation-in-doubt")) == 1
    case = past.case()
    case.running = case.open_operations[0].run
    del case.__dict__["open_operations"]
    assert [f.rule_id for f in judge(case).findings] == []


def test_a_person_who_is_waited_for_too_long_is_told(past: Past) -> None:
    """A week; then somebody has forgotten."""
    past.append(drafts.handoff(["token.translations"], []))
    assert found(past, "handoff-overdue", after=6 * DAY) == []
    assert "for 9d" in found(past, "handoff-overdue", after=9 * DAY + HOUR)[0].message


def test_an_application_that_nobody_declares_is_found(past: Past) -> None:
    """Unless a removed block says that it goes."""
    past.application("application.campaigns")
    past.application("application.old")
    declared = desired(application())
    assert [f.address for f in found(past, "application-undeclared", declared)] == ["application.old"]
    gone = replace(declared, removed=(Removed(Address("application", "old")),))
    assert found(past, "application-undeclared", gone) == []
    assert found(past, "application-undeclared") == []


def test_an_application_with_more_scopes_than_declared_is_found(past: Past) -> None:
    """As the vendor has it."""
    past.application("application.campaigns", scopes=("admin", "groups", "sms"))
    assert "has admin" in found(past, "application-scopes-broader", desired(application()))[0].message
    assert found(past, "application-scopes-broader", desired(application(scopes=("admin", "groups", "sms")))) == []


def test_rules_that_need_the_file_say_that_they_were_skipped(past: Past) -> None:
    """They are no findings, and nobody has to wonder."""
    past.application("application.old")
    judged = judge(past.case())
    assert "application-undeclared" in judged.skipped
    assert judged.findings == ()
    assert judge(past.case(desired(application("old", address=Address("application", "old"))))).skipped == ()


def test_a_recipient_who_left_can_still_open(past: Past) -> None:
    """Until the keys are sealed anew. A file that names nobody leaves it to the machine's own identity."""
    past.create("token.campaigns")
    other = Encryption(recipients=("age1somebodyelse",))
    strangers = found(past, "recipient-undeclared", desired(application(), encryption=other))
    assert ["1 data key can be opened by" in f.message for f in strangers] == [True]
    assert found(past, "recipient-undeclared", desired(application())) == []
    assert found(past, "recipient-undeclared", desired(application(), encryption=Encryption())) == []


def test_a_key_that_is_sealed_to_more_than_it_says_is_found(past: Past) -> None:
    """The age header is the witness: nobody needs to open it."""
    hidden = str(pyrage.x25519.Identity.generate().to_public())
    sealed = seal_key(b"k" * 32, (RECIPIENT, hidden))
    ssh = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJlDMyrCOkPRkVtUBeK4nv4IPJXF1wiUwW6n0S1vNtqK ann@example"
    files = {
        "honest": DataKeyFile(id="honest", lineage=LINEAGE, recipients=(RECIPIENT,), age=ARMORED).to_bytes(),
        "more": DataKeyFile(id="more", lineage=LINEAGE, recipients=(RECIPIENT,), age=sealed).to_bytes(),
        "both": DataKeyFile(id="both", lineage=LINEAGE, recipients=(RECIPIENT, hidden), age=sealed).to_bytes(),
        "other": DataKeyFile(id="other", lineage=LINEAGE, recipients=(ssh,), age=ARMORED).to_bytes(),
        "ssh": DataKeyFile(id="ssh", lineage=LINEAGE, recipients=(ssh,), age=seal_key(b"k" * 32, (ssh,))).to_bytes(),
    }
    case = past.case()
    case.keys = read_keys(files, LINEAGE)
    assert case.keys.fault is None
    assert [f.rule_id for f in judge(case).findings] == ["recipients-unlisted"] * 2
    assert case.keys.other_recipients == ("more", "other")


def test_a_key_file_that_is_none_is_no_finding_but_damage(tmp_path: Path) -> None:
    """Cut, of another state, renamed, not JSON: the fault names it, and the state is not to be trusted."""
    good = DataKeyFile(id="k1", lineage=LINEAGE, recipients=(RECIPIENT,), age=ARMORED).to_bytes()
    assert read_keys({"k1": good}, LINEAGE).fault is None
    foreign = good.replace(LINEAGE.encode(), b"another-lineage")
    unarmored = json.dumps({**json.loads(good), "age": "hello"}).encode()
    headless = json.dumps({**json.loads(good), "age": ARMORED.replace("YWdl", "YWdm", 1)}).encode()
    for name, bad in {"cut": good[:40], "k2": good, "f": foreign, "u": unarmored, "h": headless}.items():
        key_id = "k1" if name != "k2" else "k2"
        fault = read_keys({key_id: bad}, LINEAGE).fault
        assert fault is not None, name
        assert fault.diagnostics[0].name == "state-damaged"
        assert key_id in fault.diagnostics[0].summary
