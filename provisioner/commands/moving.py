"""The recorded state as a whole: move it between stores, reseal its keys, copy it to a file."""

from __future__ import annotations

import io
import os
import tarfile

from provisioner.commands.editing import EditOptions
from provisioner.commands.filing import load_file, write_private
from provisioner.commands.opening import (
    Reveal,
    Secrets,
    held,
    new_run,
    open_journal,
    recipients_of,
    store_of,
    writing,
)
from provisioner.errors import Invalid
from provisioner.journal.entries import read_links
from provisioner.journal.journal import Draft
from provisioner.journal.stores.base import Position, Store
from provisioner.records import dataclass


@dataclass(frozen=True, slots=True)
class Moved:
    serial: int
    head: str
    segments: int
    keys: int


def migrate(options: EditOptions, origin: str, to: str, reveal: Reveal) -> Moved:
    """Copies segments and keys byte for byte, so that chain, head and history are the same; FROM is left as it is.

    Raises Invalid where FROM holds nothing or TO holds something; StateUntrusted where FROM does not verify."""
    desired = load_file(options.file)
    secrets = Secrets(desired, reveal)
    source, target = store_of(desired, secrets, origin), store_of(desired, secrets, to)
    if source.identity == target.identity:
        raise Invalid("usage", f"{origin} and {to} are the same place", "Name two different stores.")
    run = new_run("state migrate", options.state)
    with held(source, options.state, run), held(target, options.state, run):
        journal = open_journal(source, desired, options.state)
        if not journal.lineage:
            raise Invalid(
                "no-state", f"There is no recorded state of {desired.stack} at {origin}", "Check the location."
            )
        if target.load()[0]:
            raise Invalid("duplicate", f"There is a recorded state at {to} already", "Name a place that is empty.")
        for _ in journal.entries():  # every line verified before the first is copied
            pass
        moved = _copy(source, target)
        copied = open_journal(target, desired, options.state)
        if copied.state.head != journal.state.head:
            raise Invalid("head-moved", f"{origin} was appended to meanwhile", f"Empty {to} and run this again.")
    return Moved(journal.state.serial, journal.state.head, *moved)


def _copy(source: Store, target: Store) -> tuple[int, int]:
    for key_id in source.list_keys():
        target.put_key(key_id, source.get_key(key_id) or b"")
    at = Position()
    segments, newest = source.load()
    for segment in segments:
        data = newest if segment is segments[-1] else source.read(segment.number)
        data = data[: data.rfind(b"\n") + 1]  # a torn tail was never acknowledged
        at = target.start_segment(data, at, read_links(data.splitlines()[-1]).hash)
    return len(segments), len(source.list_keys())


def rekey(options: EditOptions, reveal: Reveal) -> tuple[int, tuple[str, ...]]:
    """Every data key sealed anew to the recipients now in the file: how many, and to whom. Raises StateUntrusted
    "cannot-decrypt" before anything is changed where one does not open."""
    from provisioner.journal.identity import find_identities
    from provisioner.journal.keys import reseal

    desired = load_file(options.file)
    secrets = Secrets(desired, reveal)
    recipients, _ = recipients_of(desired, secrets)
    identities = find_identities(desired.encryption, os.environ, secrets.whole).parsed()
    with writing(desired, options.state, secrets, new_run("state rekey", options.state)) as journal:
        done = reseal(journal.store, identities, recipients)
        detail = f"{len(done)} data keys sealed to {len(recipients)} recipients"
        journal.append(
            Draft("rekeyed", None, {"detail": detail, "recipients": list(recipients), "put": [], "drop": []})
        )
    return len(done), recipients


def backup(options: EditOptions, file: str, reveal: Reveal) -> Moved:
    """One tar file of mode 0600 in the layout of a state's directory: unpacked, it is one. Secrets in it stay
    sealed."""
    desired = load_file(options.file)
    store = store_of(desired, Secrets(desired, reveal))
    journal = open_journal(store, desired, options.state)
    if not journal.lineage:
        raise Invalid("no-state", f"There is no recorded state of {desired.stack} yet", "The first apply makes one.")
    segments, newest = store.load()
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for segment in segments:
            data = newest if segment is segments[-1] else store.read(segment.number)
            _add(archive, f"journal/{segment.name}.jsonl", data)
        key_ids = store.list_keys()
        for key_id in key_ids:
            _add(archive, f"keys/{key_id}.json", store.get_key(key_id) or b"")
    write_private(file, packed.getvalue())
    return Moved(journal.state.serial, journal.state.head, len(segments), len(key_ids))


def _add(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mode = len(data), 0o600
    archive.addfile(member, io.BytesIO(data))
