"""Data keys as they lie beside the chain: whether each is readable, ours, and sealed to whom it says.

What they seal cannot be opened here, and need not be: an age file names its recipients' kinds in clear (one stanza
each), so a file that is sealed to somebody more than it says is found without any key.
"""

from __future__ import annotations

import binascii
from base64 import b64decode
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from provisioner.errors import StateUntrusted
from provisioner.journal.keys import DataKeyFile, key_file_from_bytes
from provisioner.model.recorded import ApplicationRecord, ResourceRecord, Sealed, TokenRecord
from provisioner.records import dataclass, field

_ARMOR = ("-----BEGIN AGE ENCRYPTED FILE-----", "-----END AGE ENCRYPTED FILE-----")
_VERSION = "age-encryption.org/v1"


@dataclass(frozen=True, slots=True)
class DataKeys:
    """`files` by id. `fault` is the first file that cannot be what it must be; everything else is still listed."""

    files: Mapping[str, DataKeyFile] = field(default_factory=dict)
    fault: StateUntrusted | None = None
    other_recipients: tuple[str, ...] = ()  # ids of files that are sealed to others than they say


def read_keys(files: Mapping[str, bytes], lineage: str) -> DataKeys:
    """Never raises: what is wrong with a file is `fault`, which names it."""
    read: dict[str, DataKeyFile] = {}
    fault: StateUntrusted | None = None
    others: list[str] = []
    for key_id, data in sorted(files.items()):
        try:
            file = key_file_from_bytes(key_id, data)
            kinds = _stanzas(file)
        except StateUntrusted as error:
            fault = fault or error
            continue
        if lineage and file.lineage != lineage:
            fault = fault or _damaged(key_id, f"belongs to another recorded state ({file.lineage})")
            continue
        read[key_id] = file
        if kinds != Counter(map(_kind, file.recipients)):
            others.append(key_id)
    return DataKeys(read, fault, tuple(others))


def _damaged(key_id: str, what: str) -> StateUntrusted:
    return StateUntrusted(
        "state-damaged",
        f"The data key {key_id} of the recorded state {what}.",
        "Restore keys/ from a backup of the state; what the key sealed cannot be opened without it.",
    )


def _stanzas(file: DataKeyFile) -> Counter[str]:
    """The kinds of recipients that an age file is sealed to, as its own header lists them. Raises StateUntrusted."""
    lines = file.age.split("\n")
    body = [line for line in lines if line]
    if len(body) < 3 or (body[0], body[-1]) != _ARMOR:
        raise _damaged(file.id, "is not an armored age file")
    try:
        content = b64decode("".join(body[1:-1]), validate=True)
    except (binascii.Error, ValueError):
        raise _damaged(file.id, "is not an armored age file") from None
    header, found, _ = content.partition(b"\n--- ")
    words = header.decode("ascii", "replace").split("\n")
    if not found or words[0] != _VERSION:
        raise _damaged(file.id, "has no age header")
    kinds = (line.split(" ")[1] for line in words if line.startswith("-> ") and len(line.split(" ")) > 1)
    return Counter(kind for kind in kinds if not kind.endswith("-grease"))  # age's own random stanza, for nobody


def _kind(recipient: str) -> str:
    return recipient.split(" ")[0] if recipient.startswith("ssh-") else "X25519"


def sealed_under(records: Iterable[ResourceRecord]) -> Iterator[tuple[ResourceRecord, str, str]]:
    """(the object, the field, the id of the data key) of every sealed value that is recorded now."""
    for record in records:
        values: tuple[tuple[str, Sealed | None], ...] = ()
        if isinstance(record, TokenRecord):
            values = (("access_token", record.access_token), ("refresh_token", record.refresh_token))
        elif isinstance(record, ApplicationRecord):
            values = (("secret", record.secret), ("registration_token", record.registration_token))
        for name, sealed in values:
            if sealed is not None:
                yield record, name, sealed.key_id
