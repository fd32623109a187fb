"""Rules about the recorded state as such: its form, its secrets, what is open in it, and who can open it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from provisioner.audit.case import Case
from provisioner.audit.clear import words_in
from provisioner.audit.finding import ERROR, WARNING, Found, rule
from provisioner.model.plan import PURCHASE
from provisioner.model.recorded import Operation
from provisioner.times import format_duration

_DAY = timedelta(days=1)
_WEEK = timedelta(days=7)


@rule(
    "schema-violation",
    ERROR,
    "An entry is not as the format says",
    reason="The chain holds, and still the entry has a member that the format does not know, or lacks one that it "
    "asks for (state/entry.schema.json): another program wrote it, or somebody did by hand.",
    remedy="Find out who wrote it; `provisioner schema --state` prints what an entry has to look like.",
    fixed=True,
)
def schema_violation(case: Case) -> Iterator[Found]:
    for entry in case.trail.misshapen:
        mark = entry.mark
        message = f"Serial {mark.serial} ({entry.kind}, by {mark.actor}): {entry.text}."
        yield Found(message=message, since=mark.time, mark=mark, key=str(mark.serial))


@rule(
    "secret-in-clear",
    ERROR,
    "Something secret stands in clear",
    reason="Only sealed values may stand in the recorded state, and only in the fields for them. Whoever can read the "
    "state can read this. Long random words are taken for secrets too, because no field that people fill in needs one.",
    remedy="Take it for leaked: replace it at the vendor, then here. An entry cannot be changed; where it was no "
    "secret, silence this in the policy file with the reason.",
)
def secret_in_clear(case: Case) -> Iterator[Found]:
    for exposed in case.trail.exposure.found.values():
        mark = exposed.mark
        more = f", and in {exposed.entries - 1} more" if exposed.entries > 1 else ""
        verb = "holds" if exposed.sure else "holds what looks like"
        message = f"Serial {mark.serial}{more}: {exposed.path} {verb} {exposed.what}."
        yield Found(message=message, since=mark.time, mark=mark, key=f"{exposed.path}:{exposed.what}")
    for key_id, file in case.keys.files.items():
        for what, _ in words_in((file.lineage, *file.recipients)):
            yield Found(message=f"The data key {key_id} names what looks like {what} among its recipients.", key=key_id)


@rule(
    "operation-in-doubt",
    WARNING,
    "An operation is in doubt",
    reason="A request was sent and its outcome is not known. Most settle themselves by the next `apply`; a purchase "
    "blocks every other for its account until it is settled, and counts against the guards.",
    remedy="Run `provisioner apply`. If it stays: look at the vendor, then `provisioner resolve OPERATION --as "
    "happened|did-not-happen`.",
)
def operation_in_doubt(case: Case) -> Iterator[Found]:
    for op in case.open_operations:
        if case.now - op.since <= _DAY:
            yield _doubt(case, op)


@rule(
    "operation-in-doubt-overdue",
    ERROR,
    "An operation has been in doubt for more than a day",
    reason="Nothing has settled it in a day, so nothing will: no run came, or only a person can tell from the "
    "vendor's own records what happened.",
    remedy="Look at the vendor, then `provisioner resolve OPERATION --as happened|did-not-happen`.",
)
def operation_in_doubt_overdue(case: Case) -> Iterator[Found]:
    for op in case.open_operations:
        if case.now - op.since > _DAY:
            yield _doubt(case, op)


def _doubt(case: Case, op: Operation) -> Found:
    amount = f" of {op.amount} {op.unit}" if op.op == PURCHASE and op.amount is not None else ""
    said = (
        "was sent, and its outcome is not known" if op.in_doubt else "was announced, and nothing is recorded after that"
    )
    message = f"Operation {op.id} ({op.op}{amount}) {said}; run {op.run}."
    first = "" if op.op == PURCHASE else "Run `provisioner apply`, which settles most of these. If it stays: l"
    remedy = f"{first or 'L'}ook at the vendor, then `provisioner resolve {op.id} --as happened|did-not-happen`."
    return Found(message=message, address=str(op.address), since=op.since, key=op.id, remedy=remedy)


@rule(
    "handoff-overdue",
    WARNING,
    "A person has been waited for longer than a week",
    reason="A step has no API, so a plan asked a person to do it. Nobody has since.",
    remedy="`provisioner plan` shows the instructions.",
)
def handoff_overdue(case: Case) -> Iterator[Found]:
    for address, since in sorted(case.state.handoffs.items()):
        if case.now - since > _WEEK:
            days = format_duration(timedelta(days=(case.now - since).days))
            yield Found(message=f"It has waited for a person for {days}.", address=address, since=since)


@rule(
    "application-undeclared",
    WARNING,
    "An application is recorded that nobody declares",
    reason="It is not in the desired-state file (any more), and the recorded state still holds it, often with a "
    "secret: nobody looks after it.",
    remedy="Run `provisioner apply`, which deletes or forgets it; or declare it again.",
    needs_file=True,
)
def application_undeclared(case: Case) -> Iterator[Found]:
    for address, record in case.applications.items():
        if case.declared_application(address) is None and not case.is_let_go(record.id):
            message = f"{record.name!r} at provider {record.provider} ({record.managed}) is not in the file."
            yield Found(message=message, address=str(address), since=record.created_at, key=record.id)


@rule(
    "application-scopes-broader",
    ERROR,
    "An application may do more than is declared",
    reason="The vendor's application has scopes that nobody declared, so each token of it could be asked for with "
    "them.",
    remedy="Narrow the application's scopes at the vendor, then run `provisioner apply`; or declare them.",
    needs_file=True,
)
def application_scopes_broader(case: Case) -> Iterator[Found]:
    for address, record in case.applications.items():
        declared, facts = case.declared_application(address), case.facts(record.provider_type)
        if declared is None or not declared.scopes or facts is None:
            continue
        if not facts.vendor.covers(declared.scopes, record.scopes):
            beyond = ", ".join(sorted(set(record.scopes) - set(declared.scopes)))
            message = f"At the vendor it has {beyond} beyond what is declared."
            yield Found(message=message, address=str(address), since=record.created_at, key=record.id)


@rule(
    "recipient-undeclared",
    WARNING,
    "A data key is sealed to somebody who is not in the file",
    reason="Whoever was taken out of `[state.encryption] recipients` can open what was sealed to them before, until "
    "the keys are sealed anew.",
    remedy="Run `provisioner state rekey`. What they may have copied before stays open to them: replace those tokens.",
    needs_file=True,
)
def recipient_undeclared(case: Case) -> Iterator[Found]:
    declared = set(case.desired.encryption.recipients) if case.desired is not None else set()
    if not declared:
        return  # the identity of the machine that seals: the file names nobody
    strangers: dict[str, list[str]] = {}
    for key_id, file in case.keys.files.items():
        for recipient in file.recipients:
            if recipient not in declared:
                strangers.setdefault(recipient, []).append(key_id)
    for recipient, key_ids in sorted(strangers.items()):
        count = f"{len(key_ids)} data key{'' if len(key_ids) == 1 else 's'}"
        message = f"{count} can be opened by {_short(recipient)} (first: {key_ids[0]})."
        yield Found(message=message, key=recipient)


@rule(
    "recipients-unlisted",
    ERROR,
    "A data key is sealed to others than it says",
    reason="The file lists its recipients in clear; its sealed half names, by kind, more, fewer or others. Somebody "
    "who is not listed may be able to open what it seals.",
    remedy="Run `provisioner state rekey` with an identity that you trust, and replace the tokens that it sealed.",
)
def recipients_unlisted(case: Case) -> Iterator[Found]:
    for key_id in case.keys.other_recipients:
        listed = len(case.keys.files[key_id].recipients)
        message = (
            f"Data key {key_id} lists {listed} recipient{'' if listed == 1 else 's'}, and its header has other ones."
        )
        yield Found(message=message, key=key_id)


def _short(recipient: str) -> str:
    """An SSH key by its end, an age key whole."""
    parts = recipient.split()
    if len(parts) >= 2 and parts[0].startswith("ssh-"):
        parts[1] = f"...{parts[1][-12:]}"
    return " ".join(parts)
