"""Rules about history: edits, lifted guards, accepted rollbacks, entries that no run writes, clocks."""

from __future__ import annotations

from dataclasses import replace

from audit_world import DAY, HOUR, MINUTE, Past

from provisioner.audit.finding import Finding
from provisioner.audit.policy import Policy
from provisioner.audit.rules import judge
from provisioner.engine import drafts
from provisioner.journal.entries import read_links, write_line
from provisioner.journal.journal import Draft
from provisioner.model.recorded import RETIRING


def found(past: Past, rule: str, policy: Policy | None = None) -> list[Finding]:
    judged = judge(past.case(), policy or Policy())
    return [finding for finding in judged.findings if finding.rule_id == rule]


def forged(
    past: Past, kind: str, body: str, *, run: str = "20261101T000000Z-0badc0de", address: str | None = None
) -> None:
    """An entry with a right hash behind the last one, as anybody can write who may write the store."""
    path = max((past.store.root / "journal").glob("*.jsonl"))
    links = read_links(path.read_bytes().splitlines()[-1])
    line, _ = write_line(
        serial=links.serial + 1,
        time="2026-11-01T12:00:10Z",
        actor="mallory",
        run=run,
        kind=kind,
        address=address,
        body=body,
        lineage=links.lineage,
        prev=links.hash,
    )
    with path.open("ab") as file:
        file.write(line)


def test_an_edit_is_told_with_who_and_what(past: Past) -> None:
    """Each edit is a finding of its own, at its entry."""
    token = past.create("token.campaigns")
    assert found(past, "edit-by-hand") == []
    past.edit("state rm", drop=(token.id,))
    edits = found(past, "edit-by-hand")
    assert [f.address for f in edits] == ["token.campaigns"]
    assert "ann ran `state rm`" in edits[0].message


def test_a_reviewed_head_ends_what_was_seen(past: Past) -> None:
    """Edits after it count; so does one whose head is not the chain's."""
    token = past.create("token.campaigns")
    past.edit("state mv", put=(token,))
    head = past.case().state.head
    assert found(past, "edit-by-hand", Policy(reviewed=head)) == []
    past.edit("state rm", drop=(token.id,))
    assert len(found(past, "edit-by-hand", Policy(reviewed=head))) == 1
    assert len(found(past, "edit-by-hand", Policy(reviewed="0" * 64))) == 2


def test_a_lifted_guard_is_found(past: Past) -> None:
    """Set to false, or ended in spite of it."""
    record = past.application("application.campaigns", prevent_destroy=True)
    past.application("application.other", prevent_destroy=False)
    assert found(past, "prevent-destroy-lifted") == []
    past.did(past.operation("record", "application.campaigns"), put=(replace(record, prevent_destroy=False),))
    assert ["lifted" in f.message for f in found(past, "prevent-destroy-lifted")] == [True]
    token = past.create("token.campaigns", prevent_destroy=True)
    past.revoke(token)
    assert [f.address for f in found(past, "prevent-destroy-lifted")] == ["application.campaigns", "token.campaigns"]


def test_a_rotation_lifts_no_guard(past: Past) -> None:
    """The new token has it; the old one may go."""
    old = past.create("token.campaigns", prevent_destroy=True)
    _, deposed = past.rotate(old, prevent_destroy=True)
    past.revoke(deposed)
    kept = past.create("token.other", prevent_destroy=True)
    new = past.token("token.other", prevent_destroy=True)
    put = (new, replace(kept, status=RETIRING, deposed="dddddddd"))
    past.did(past.operation("token.create", "token.other", object_id=new.id), put=put)
    past.did(past.operation("token.revoke", "token.other", object_id=kept.id), drop=(kept.id,))
    assert found(past, "prevent-destroy-lifted") == []


def test_an_accepted_rollback_is_found(past: Past) -> None:
    """It is an error for ever: what is missing cannot come back by itself."""
    past.create("token.campaigns")
    assert found(past, "rollback-accepted") == []
    forged(past, "rollback-accepted", '{"detail":"it ends at serial 5, and serial 9 was seen here"}', run="later")
    forged(past, "lock", '{"command":"apply"}', run="later")
    rollbacks = found(past, "rollback-accepted")
    assert [f.severity for f in rollbacks] == ["error"]
    assert "serial 9 was seen here" in rollbacks[0].message
    assert found(past, "entry-unexpected") == []


def test_a_run_writes_only_what_belongs_to_it(past: Past) -> None:
    """Everything that the journal's own door writes is expected."""
    token = past.create("token.campaigns")
    with past.run():
        operation = past.buying(past.floor("credits.ez", 1), 5)
        past.append(drafts.doubt(operation, {}, "no answer"))
        past.append(drafts.observed([replace(token, scopes=("sms",))]))
        past.append(drafts.handoff(["credits.tm"], []), drafts.note("housekeeping", drop=[token.id]))
    past.edit("state rm", drop=("x",))
    assert found(past, "entry-unexpected") == []


def test_an_entry_behind_the_end_of_a_run_is_found(past: Past) -> None:
    """Its hash is right, and no run held the journal."""
    past.create("token.campaigns")
    forged(past, "note", '{"detail":"nothing to see here","drop":[],"put":[]}')
    odd = found(past, "entry-unexpected")
    assert ["belongs to run" in f.message for f in odd] == [True]
    assert "mallory" in odd[0].message


def test_an_outcome_without_an_intent_is_found(past: Past) -> None:
    """And so is the end of an operation that had ended."""
    with past.run():
        operation = past.operation("token.create", "token.campaigns")
        past.append(drafts.intent(operation, "because"), drafts.outcome(operation, "done"))
        past.append(drafts.outcome(operation, "done"))
    assert ["never announced or had ended" in f.message for f in found(past, "entry-unexpected")] == [True]


def test_a_token_that_no_operation_made_is_found(past: Past) -> None:
    """Brought in by an entry that observes, or edits."""
    token = past.create("token.campaigns")
    other = past.token("token.campaigns")
    past.append(drafts.observed([replace(token, fingerprint=other.fingerprint)]))
    past.edit("state mv", put=(past.token("token.gift"),))
    assert [f.address for f in found(past, "entry-unexpected")] == ["token.campaigns", "token.gift"]


def test_a_checkpoint_brings_nothing_new(past: Past) -> None:
    """A second segment repeats what the first one said, and no rule takes it for a change."""
    with past.run():
        past.application("application.campaigns")
        past.create("token.campaigns", prevent_destroy=True)
        past.floor("credits.ez", 5000)
        past.append(*(Draft("note", None, {"detail": f"n{n}"}) for n in range(300)))
    past.pair("token.other")
    assert len(list((past.store.root / "journal").glob("*.jsonl"))) == 2
    assert [f.rule_id for f in judge(past.case()).findings] == []
    assert len(past.case().trail.lives.tokens) == 2


def test_a_clock_that_went_back_is_found(past: Past) -> None:
    """By more than machines that take turns may differ."""
    past.create("token.campaigns", life=30 * DAY)
    past.wait(-3 * MINUTE)
    past.create("token.other", life=30 * DAY)
    assert found(past, "clock-went-back") == []
    past.wait(-2 * HOUR)
    with past.run(accept_rollback=True):
        past.append(drafts.note("from a machine whose clock is wrong"))
    late = found(past, "clock-went-back")
    assert late[0].severity == "warning"
    assert "later" in late[0].message
    assert len(found(past, "rollback-accepted")) == 1
