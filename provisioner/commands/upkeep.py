"""Keeping a recorded state: check all of it, and reseal its data keys."""

from __future__ import annotations

import os

from provisioner.commands.editing import EditOptions
from provisioner.commands.filing import load_file
from provisioner.commands.looking import LookOptions
from provisioner.commands.opening import Reveal, Secrets, new_run, recipients_of, store_of, writing
from provisioner.errors import StateUntrusted
from provisioner.journal import keys
from provisioner.journal.journal import Draft, Journal
from provisioner.journal.memory import HeadMemory
from provisioner.model.recorded import Sealed, State
from provisioner.records import dataclass, fields


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """`missing` are data keys that recorded values need and that are not there: what they sealed is shredded. `known`
    is the serial of the newest entry that this machine had seen of this state before, which is in the chain; None where
    it had seen none, so that nothing here could tell an older copy or a chain written anew."""

    lineage: str
    serial: int
    head: str
    entries: int
    segments: int
    keys: int
    missing: tuple[str, ...] = ()
    known: int | None = None


def verify(options: LookOptions, reveal: Reveal) -> Verified:
    """Every entry of every segment hashed again, every checkpoint compared with what the entries before it add up to,
    every data key's file read; whatever this machine verified before. Raises StateUntrusted naming the first that does
    not verify."""
    desired = load_file(options.file)
    store = store_of(desired, Secrets(desired, reveal))
    counted = 0

    def count(*_: object) -> None:
        nonlocal counted
        counted += 1

    memory = HeadMemory.of_user(os.environ)
    before = memory.lineage_at(store.identity)
    seen = memory.recall(before) if before else None
    journal = Journal.open(
        store,
        stack=desired.stack,
        memory=memory,
        accept_rollback=options.state.accept_rollback,
        looking=True,
        watch=count,
    )
    present = store.list_keys()
    for key_id in present:
        file = keys.key_file_from_bytes(key_id, store.get_key(key_id) or b"")
        if file.lineage != journal.lineage:
            raise StateUntrusted(
                "state-foreign",
                f"The data key {key_id} belongs to the recorded state {file.lineage}, not to this one.",
                "Somebody copied it here. Restore keys/ from a backup of this state.",
            )
    return Verified(
        lineage=journal.lineage,
        serial=journal.state.serial,
        head=journal.state.head,
        entries=counted,
        segments=len(store.load()[0]),
        keys=len(present),
        missing=tuple(sorted(_needed(journal.state) - set(present))),
        known=seen.serial if seen is not None and seen.lineage == journal.lineage else None,
    )


def _needed(state: State) -> set[str]:
    """The data keys of every value that is recorded now."""
    return {
        value.key_id
        for record in state.objects.values()
        for value in (getattr(record, one.name) for one in fields(record))
        if isinstance(value, Sealed)
    }


@dataclass(frozen=True, slots=True)
class Rekeyed:
    """How many data keys are sealed to `recipients` now, and how many that nothing needs were deleted."""

    sealed: int
    pruned: int
    recipients: tuple[str, ...]


def rekey(options: EditOptions, reveal: Reveal, *, prune: bool = False) -> Rekeyed:
    """Every data key sealed anew to the recipients now in the file. `prune` first deletes those that no recorded value
    needs any more, which shreds what they sealed: values of tokens that ended. Raises StateUntrusted "cannot-decrypt"
    before anything is changed where one does not open."""
    from provisioner.journal import rescue
    from provisioner.journal.identity import find_identities

    desired = load_file(options.file)
    secrets = Secrets(desired, reveal)
    found = find_identities(desired.encryption, os.environ, secrets.whole)
    with writing(desired, options.state, secrets, new_run("state rekey", options.state)) as journal:
        present = journal.store.list_keys()
        unused = set(present) - _needed(journal.state) if prune else set()
        if rescue.pending(journal.lineage, os.environ):
            unused = set()  # what is not recorded yet needs its key
        kept = [key_id for key_id in present if key_id not in unused]
        if kept and not found.present:  # before an identity is made for want of one
            first = keys.key_file_from_bytes(kept[0], journal.store.get_key(kept[0]) or b"")
            raise keys.cannot_open(first, have_identity=False)
        recipients, _ = recipients_of(desired, secrets)
        done = keys.reseal(journal.store, found.parsed(), recipients, kept)
        for key_id in sorted(unused):
            journal.store.delete_key(key_id)
        detail = f"{len(done)} data keys sealed to {len(recipients)} recipients"
        detail += f", {len(unused)} that nothing needs deleted" if unused else ""
        journal.append(
            Draft("rekeyed", None, {"detail": detail, "recipients": list(recipients), "put": [], "drop": []})
        )
    return Rekeyed(len(done), len(unused), recipients)
