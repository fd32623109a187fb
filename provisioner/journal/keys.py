"""Data keys: 32 random bytes each, sealed to age recipients, in files beside the chain.

A file says in clear to whom it is sealed, so that whoever cannot open it can be told who could; recipients are public.
No entry names them, so resealing or deleting a file changes no entry (contract section 7).

    keys/ID.json    {"age": ARMORED, "format": 1, "id": ID, "lineage": LINEAGE, "recipients": [...]}

The key can be had with common tools: `jq -r .age keys/ID.json | age -d -i identity.txt`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from provisioner.errors import Invalid, StateUntrusted
from provisioner.journal.entries import FORMAT, canonical
from provisioner.journal.stores.base import Store
from provisioner.records import dataclass
from provisioner.secret import Secret

SIZE = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class DataKeyFile:
    """One data key at rest. `age` is an armored age file; `recipients` are as they were configured."""

    id: str
    lineage: str
    recipients: tuple[str, ...]
    age: str

    def to_bytes(self) -> bytes:
        data = {"age": self.age, "format": FORMAT, "id": self.id, "lineage": self.lineage}
        return (canonical({**data, "recipients": self.recipients}) + "\n").encode("ascii")


def key_file_from_bytes(key_id: str, data: bytes) -> DataKeyFile:
    """Raises StateUntrusted where it is not the file of this key."""
    try:
        found = json.loads(data)
        number = found["format"]
        file = DataKeyFile(
            id=found["id"], lineage=found["lineage"], recipients=tuple(map(str, found["recipients"])), age=found["age"]
        )
    except (ValueError, KeyError, TypeError):
        raise _damaged_key(key_id, "cannot be read") from None
    if isinstance(number, int) and number > FORMAT:
        raise StateUntrusted(
            "state-newer-format",
            f"The data key {key_id} was written by a newer version (format {number}).",
            "Use the version that wrote it, or a newer one.",
        )
    if file.id != key_id or not isinstance(file.age, str):
        raise _damaged_key(key_id, "is the file of another key")
    return file


def _damaged_key(key_id: str, what: str) -> StateUntrusted:
    return StateUntrusted(
        "state-damaged",
        f"The data key {key_id} of the recorded state {what}.",
        "Restore keys/ from a backup of the state; without it, what the key sealed is lost, and its tokens must be "
        "replaced (plan --replace).",
    )


def seal_key(key: bytes, recipients: Sequence[str]) -> str:
    """The key as an armored age file that each recipient alone can open. Raises Invalid on what is no recipient."""
    import pyrage  # type: ignore[import-untyped, unused-ignore]  # ships no types

    return str(pyrage.encrypt(key, [parse_recipient(text) for text in recipients], armored=True).decode("ascii"))


def parse_recipient(text: str) -> Any:
    """`age1...`, `ssh-ed25519 ...` or `ssh-rsa ...` as pyrage takes it. Raises Invalid "bad-value"."""
    import pyrage

    try:
        if text.startswith("ssh-"):
            return pyrage.ssh.Recipient.from_str(text.strip())
        return pyrage.x25519.Recipient.from_str(text.strip())
    except pyrage.RecipientError as fault:
        raise Invalid(
            "bad-value",
            f"{_short(text)} is not an encryption recipient ({fault}).",
            "Give an age recipient (age1...), or an SSH public key that age takes (ssh-ed25519 or ssh-rsa).",
            key_path="state.encryption.recipients",
        ) from None


def _short(text: str) -> str:
    """Somebody may have put the private half here: only what tells what kind of thing it is is repeated."""
    return repr(text if text.startswith(("age1", "ssh-")) else text[:8] + "...")


def open_key(file: DataKeyFile, identities: Sequence[Any]) -> bytes | None:
    """The data key; None where no identity fits or the file was altered."""
    import pyrage

    if not identities:
        return None
    try:
        key = bytes(pyrage.decrypt(file.age.encode("ascii"), list(identities)))
    except (pyrage.DecryptError, UnicodeEncodeError):
        return None
    return key if len(key) == SIZE else None


def parse_identities(material: Secret) -> list[Any]:
    """Identities for pyrage from a whole file: several age keys with comments, or SSH private keys, one after another.

    Raises Invalid "bad-value", naming the line and never its text.
    """
    import pyrage

    found: list[Any] = []
    lines = material.reveal().splitlines()
    number = 0
    while number < len(lines):
        line = lines[number].strip()
        number += 1
        if line.startswith("-----BEGIN"):
            end = next((i for i in range(number, len(lines)) if lines[i].startswith("-----END")), len(lines) - 1)
            block = "\n".join(text.strip() for text in lines[number - 1 : end + 1]) + "\n"
            found.append(_ssh_identity(block, number))
            number = end + 1
        elif line and not line.startswith("#"):
            try:
                found.append(pyrage.x25519.Identity.from_str(line))
            except pyrage.IdentityError:
                raise _bad_identity(number, "is no age identity (AGE-SECRET-KEY-1...) and no comment") from None
    return found


def _ssh_identity(block: str, line: int) -> Any:
    import pyrage

    try:
        return pyrage.ssh.Identity.from_buffer(block.encode())
    except pyrage.IdentityError as fault:
        if "decrypted first" in str(fault):
            raise _bad_identity(
                line, "begins an SSH key that is protected by a passphrase; give one without, or an age identity"
            ) from None
        raise _bad_identity(line, "begins an SSH key that age cannot use; it takes ed25519 and rsa") from None


def _bad_identity(line: int, what: str) -> Invalid:
    return Invalid(
        "bad-value",
        f"Line {line} of the identity {what}.",
        "An identity is a whole file as age-keygen writes it, comments and all, or an SSH private key.",
        key_path="state.encryption.identity",
    )


def recipient_of(material: Secret) -> list[str]:
    """The public halves of the identities in `material`, to seal to where no recipient is configured."""
    found = [str(i.to_public()) for i in parse_identities(material) if hasattr(i, "to_public")]
    if not found:
        found = _ssh_public(material.reveal())
    return found


def _ssh_public(text: str) -> list[str]:
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        PublicFormat,
        load_pem_private_key,
        load_ssh_private_key,
    )

    read = load_ssh_private_key if "OPENSSH PRIVATE KEY" in text else load_pem_private_key
    try:
        public = read(text.encode(), None).public_key()
        return [public.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()]
    except (ValueError, TypeError):
        return []


def reseal(
    store: Store, identities: Sequence[Any], recipients: Sequence[str], key_ids: Iterable[str] | None = None
) -> list[str]:
    """`state rekey`: these data keys, or all, sealed anew to `recipients`; returns their ids. Each file is replaced as
    a whole, so a run that is cut short leaves some done and none lost; a later run passes over what is done. Raises
    StateUntrusted "cannot-decrypt" before it changes anything where one of them does not open."""
    opened: dict[str, tuple[DataKeyFile, bytes]] = {}
    wanted = tuple(recipients)
    done = []
    for key_id in store.list_keys() if key_ids is None else key_ids:
        file = key_file_from_bytes(key_id, store.get_key(key_id) or b"")
        key = open_key(file, identities)
        if key is not None:
            opened[key_id] = (file, key)
        elif file.recipients == wanted:
            done.append(key_id)  # by an earlier run, to recipients that this identity is none of
        else:
            raise cannot_open(file, bool(identities))
    for key_id, (file, key) in opened.items():
        fresh = DataKeyFile(id=key_id, lineage=file.lineage, recipients=wanted, age=seal_key(key, wanted))
        store.put_key(key_id, fresh.to_bytes())
    return sorted([*done, *opened])


def cannot_open(file: DataKeyFile, have_identity: bool, hint: str = "") -> StateUntrusted:  # noqa: FBT001  # one fact
    have = "No identity at hand opens" if have_identity else "There is no identity at hand to open"
    return StateUntrusted(
        "cannot-decrypt",
        f"{have} what is sealed in the recorded state. It is sealed to: {', '.join(shown(file.recipients))}.",
        f"Give the identity of one of these recipients in PROVISIONER_IDENTITY, or as [state.encryption] identity"
        f"{'; ' + hint if hint else ''}. Where none of them is left: docs/keys.md. Nothing was sent.",
    )


def bare(recipient: str) -> str:
    """A recipient without the comment that an SSH key may carry."""
    return " ".join(recipient.split()[:2])


def shown(recipients: Iterable[str]) -> list[str]:
    """Recipients for people: an SSH key by its end and its comment, an age key whole."""
    found = []
    for text in recipients:
        parts = text.split()
        if len(parts) >= 2 and parts[0].startswith("ssh-"):
            parts[1] = f"...{parts[1][-12:]}"
        found.append(" ".join(parts))
    return found
