"""Secrets at rest: one data key a run, AES-256-GCM a value, each bound to the place that it belongs to.

The associated data is `lineage|object id|field|generation`, so that no value can be put in another's place, in another
state, or back to an older generation; an address is no part of it, so that a move needs no key.
"""

from __future__ import annotations

import binascii
import secrets
import threading
from base64 import b64decode, b64encode
from collections.abc import Callable, Sequence
from typing import Any

from provisioner.errors import StateUntrusted
from provisioner.journal import keys
from provisioner.journal.identity import Identities
from provisioner.journal.keys import DataKeyFile
from provisioner.journal.stores.base import Store
from provisioner.model.recorded import Sealed
from provisioner.secret import Secret

_NONCE = 12


class Sealer:
    """Seals under this run's own data key, made and made durable on first use; opens what any run sealed. Thread-safe.

    `lineage` is asked when it is needed, because a new state has none before its first entry. `recipients` is asked
    when the data key is made. `identities` None: nothing can be opened.
    """

    def __init__(
        self,
        store: Store,
        *,
        lineage: Callable[[], str],
        recipients: Callable[[], Sequence[str]],
        identities: Identities | None = None,
    ) -> None:
        self._store = store
        self._lineage = lineage
        self._recipients = recipients
        self._identities = identities
        self._own: str | None = None
        self._files: dict[str, bytes] = {}
        self._ciphers: dict[str, Any] = {}
        self._gone: dict[str, bool] = {}
        self._making = threading.RLock()

    @property
    def can_open(self) -> bool:
        """Whether an identity is at hand. Whether it fits, only opening shows."""
        return self._identities is not None and self._identities.present

    def prepare(self) -> None:
        """Makes this run's data key durable, so that sealing cannot fail once a token was minted. To be called before
        the first request that may bring a secret. Raises StoreFailed, and Invalid on recipients that are none."""
        with self._making:
            if self._own is None:
                self._own = self._make()

    def seal(self, secret: Secret, *, object_id: str, field: str, generation: int) -> Sealed:
        """Raises what `prepare` raises, where it was not called before."""
        self.prepare()
        assert self._own is not None  # noqa: S101  # prepare has made it
        nonce = secrets.token_bytes(_NONCE)
        data = secret.reveal().encode("utf-8", "surrogatepass")
        blob = nonce + self._ciphers[self._own].encrypt(nonce, data, self._place(object_id, field, generation))
        return Sealed(self._own, generation, b64encode(blob).decode("ascii"))

    def open(self, sealed: Sealed, object_id: str, field: str) -> Secret:
        """Raises StateUntrusted "cannot-decrypt", naming the recipients that could where no identity fits."""
        cipher = self._cipher(sealed.key_id)
        place = self._place(object_id, field, sealed.generation)
        from cryptography.exceptions import InvalidTag

        try:
            blob = b64decode(sealed.blob, validate=True)
            data = cipher.decrypt(blob[:_NONCE], blob[_NONCE:], place)
            return Secret(data.decode("utf-8", "surrogatepass"))
        except (InvalidTag, ValueError, binascii.Error):
            raise StateUntrusted(
                "cannot-decrypt",
                f"The {field} of {object_id} does not open under the data key {sealed.key_id}.",
                "The value was altered, or belongs to another object, field or generation. Replace the token with "
                "apply --replace, and find out with provisioner history who changed it.",
            ) from None

    def gone(self, sealed: Sealed | None) -> bool:
        """Whether nobody who is declared can open it: its data key is not there, or is sealed to none of the recipients
        of now. An identity that merely is not at hand makes nothing gone. Raises StateUntrusted, StoreFailed."""
        if sealed is None or sealed.key_id in self._ciphers:
            return False
        with self._making:  # asked for each token that is replaced, and a run's tokens share its key
            if sealed.key_id not in self._gone:
                self._gone[sealed.key_id] = self._is_gone(sealed.key_id)
            return self._gone[sealed.key_id]

    def _is_gone(self, key_id: str) -> bool:
        data = self._store.get_key(key_id)
        if data is None:
            return True
        sealed_to = keys.key_file_from_bytes(key_id, data).recipients
        return not {keys.bare(one) for one in sealed_to} & {keys.bare(one) for one in self._recipients()}

    def key_files(self, key_ids: set[str]) -> dict[str, bytes]:
        """The files of these data keys, sealed as they are: what a rescue file carries."""
        found = {}
        for key_id in sorted(key_ids):
            data = self._files.get(key_id) or self._store.get_key(key_id)
            if data is not None:
                found[key_id] = data
        return found

    def _make(self) -> str:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        key_id, key = secrets.token_hex(8), secrets.token_bytes(keys.SIZE)
        recipients = tuple(self._recipients())
        file = DataKeyFile(
            id=key_id, lineage=self._lineage(), recipients=recipients, age=keys.seal_key(key, recipients)
        )
        self._store.put_key(key_id, file.to_bytes())
        self._files[key_id] = file.to_bytes()
        self._ciphers[key_id] = AESGCM(key)
        return key_id

    def _cipher(self, key_id: str) -> Any:
        with self._making:
            if key_id not in self._ciphers:
                self._ciphers[key_id] = self._open_cipher(key_id)
            return self._ciphers[key_id]

    def _open_cipher(self, key_id: str) -> Any:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        data = self._store.get_key(key_id)
        if data is None:
            raise StateUntrusted(
                "cannot-decrypt",
                f"The data key {key_id} is not among the recorded state's keys.",
                "It was deleted, which shreds what it sealed. Restore keys/ from a backup, or replace the tokens.",
            )
        file = keys.key_file_from_bytes(key_id, data)
        identities = self._identities.parsed() if self._identities is not None else []
        key = keys.open_key(file, identities)
        if key is None:
            hint = self._identities.hint if self._identities is not None else ""
            raise keys.cannot_open(file, bool(identities), hint)
        return AESGCM(key)

    def _place(self, object_id: str, field: str, generation: int) -> bytes:
        parts = (self._lineage(), object_id, field, str(generation))
        if any("|" in part for part in parts) or not parts[0]:
            raise ValueError("a sealed value belongs to a state, an object and a field, none with a | in its name")
        return "|".join(parts).encode()
