"""Rules about how the recorded state came to be: persons' edits, guards that were lifted, entries out of the
ordinary."""

from __future__ import annotations

from collections.abc import Iterator

from provisioner.audit.case import Case
from provisioner.audit.finding import ERROR, WARNING, Found, rule
from provisioner.audit.seen import Mark
from provisioner.times import format_duration, to_rfc3339

_REVIEW = (
    "Look at the entry with `provisioner history`; once it is understood, name a head after it as `reviewed` in the "
    "policy file."
)


def _about(mark: Mark, message: str, address: str | None = None) -> Found:
    """A finding about one entry, which stays what it is."""
    return Found(message=message, address=address, since=mark.time, mark=mark, key=str(mark.serial))


@rule(
    "edit-by-hand",
    WARNING,
    "A person edited the recorded state",
    reason="`state mv`, `state rm` and `state replace-provider` change what is recorded without asking any vendor. "
    "What was removed from the record lives on at the vendor, and nobody renews or revokes it.",
    remedy=_REVIEW,
    history=True,
)
def edit_by_hand(case: Case) -> Iterator[Found]:
    for edit in case.trail.changes.edits:
        mark = edit.mark
        what = ", ".join(edit.addresses[:5]) + (
            f" and {len(edit.addresses) - 5} more" if len(edit.addresses) > 5 else ""
        )
        when = f"at {to_rfc3339(mark.time)} (serial {mark.serial})"
        message = f"{mark.actor} ran `{edit.command}` {when}: {what or 'no object'}."
        address = edit.addresses[0] if edit.addresses else None
        yield _about(mark, message, address)


@rule(
    "prevent-destroy-lifted",
    WARNING,
    "A recorded guard was lifted",
    reason="`prevent_destroy` is recorded, so that removing the block does not remove the guard. Here it was set to "
    "false, or its object ended in spite of it (`--allow`, a `removed` block, `state rm`).",
    remedy=_REVIEW,
    history=True,
)
def prevent_destroy_lifted(case: Case) -> Iterator[Found]:
    for lift in case.trail.changes.lifts:
        mark = lift.mark
        how = "prevent_destroy was lifted" if lift.how == "lifted" else "It was ended in spite of prevent_destroy"
        message = f"{how} by {mark.actor} at {to_rfc3339(mark.time)} (serial {mark.serial}, run {mark.run})."
        yield _about(mark, message, lift.address)


@rule(
    "rollback-accepted",
    ERROR,
    "An older copy of the recorded state was accepted",
    reason="Somebody went on from an older copy with `--accept-rollback`. What had been recorded since is missing: "
    "tokens may live and purchases may have been made that nobody knows of.",
    remedy="Compare the vendors' lists and invoices with `provisioner show`; once done, name a head after it as "
    "`reviewed` in the policy file.",
    history=True,
)
def rollback_accepted(case: Case) -> Iterator[Found]:
    for mark, detail in case.trail.changes.rollbacks:
        why = f": {detail}" if detail else ""
        message = f"{mark.actor} accepted it at {to_rfc3339(mark.time)} (serial {mark.serial}){why}."
        yield _about(mark, message)


@rule(
    "entry-unexpected",
    ERROR,
    "An entry that no run of this program writes",
    reason="The chain holds, but the entry does not fit the protocol: it belongs to no run that held the journal, "
    "ends an operation that nobody announced, or brings a token that no operation made. Whoever can write the store "
    "can append such a line with a right hash.",
    remedy="Find out who wrote it (`provisioner history`, the store's own access log); replace the tokens that it "
    "concerns.",
    history=True,
)
def entry_unexpected(case: Case) -> Iterator[Found]:
    for odd in case.trail.changes.oddities:
        mark = odd.mark
        message = f"Serial {mark.serial}, by {mark.actor} at {to_rfc3339(mark.time)}, {odd.text}."
        yield _about(mark, message, odd.address)


@rule(
    "clock-went-back",
    WARNING,
    "An entry is older than the one before it",
    reason="Guards count purchases by time (`max_per_day`), and renewals are judged by it. A clock that was set back, "
    "or one that goes wrong on one of several machines, misleads both.",
    remedy="Set the clocks of the machines that run this (NTP).",
    history=True,
)
def clock_went_back(case: Case) -> Iterator[Found]:
    for mark, latest in case.trail.changes.backwards:
        by = format_duration(latest - mark.time)
        message = (
            f"Serial {mark.serial}, by {mark.actor} in run {mark.run}, says {to_rfc3339(mark.time)}; an earlier entry "
            f"says {to_rfc3339(latest)}, {by} later."
        )
        yield _about(mark, message)
