"""Which identities open the recorded state, and which recipients it is sealed to.

In order: what the file says ([state.encryption]), PROVISIONER_IDENTITY, and identity.txt in the user's configuration
folder, which the first apply makes where nothing is configured. A pipeline's folder is gone when the pipeline is, so
with CI=true none is made.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from provisioner.errors import Diagnostic, Invalid, ProviderFailed, StoreFailed
from provisioner.journal import keys
from provisioner.journal.files import create_file, make_private_directory, read_bytes
from provisioner.journal.xdg import config_folder
from provisioner.model.desired import Encryption, SecretRef
from provisioner.secret import Secret
from provisioner.times import now, to_rfc3339

Resolve = Callable[[SecretRef], Secret]  # raises ProviderFailed "secret-unavailable"

_DEFAULT = Encryption().identity


class Identities:
    """The identities at hand, looked for once they are needed and then kept. `material` gives whole files."""

    def __init__(self, material: Callable[[], Sequence[Secret]], hint: str = "") -> None:
        self._material = material
        self._found: list[Secret] | None = None
        self._parsed: list[Any] | None = None
        self.hint = hint  # what to say beside "cannot decrypt": why the configured identity is not at hand

    @property
    def present(self) -> bool:
        return bool(self.material())

    def material(self) -> list[Secret]:
        if self._found is None:
            self._found = list(self._material())
        return self._found

    def parsed(self) -> list[Any]:
        """For pyrage. Raises Invalid where the material is no identity."""
        if self._parsed is None:
            self._parsed = [one for text in self.material() for one in keys.parse_identities(text)]
        return self._parsed


def identity_path(environ: Mapping[str, str]) -> Path:
    return config_folder(environ) / "identity.txt"


def find_identities(encryption: Encryption, environ: Mapping[str, str], resolve: Resolve) -> Identities:
    """The configured identity where it resolves, and the user's own. Nothing is read before it is needed."""
    found = Identities(lambda: _material(found, encryption, environ, resolve))
    return found


def _material(
    identities: Identities, encryption: Encryption, environ: Mapping[str, str], resolve: Resolve
) -> list[Secret]:
    found = []
    try:
        found.append(resolve(encryption.identity))
    except ProviderFailed:
        if encryption.identity != _DEFAULT:
            identities.hint = f"the configured one ({encryption.identity}) is unset or cannot be read"
    own = _own(environ)
    return found if own is None else [*found, own]


def _own(environ: Mapping[str, str]) -> Secret | None:
    try:
        return Secret(read_bytes(identity_path(environ)).decode())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as fault:
        raise StoreFailed(
            "state-unreachable",
            f"The identity {identity_path(environ)} cannot be read: {getattr(fault, 'strerror', None) or 'not text'}.",
            "Make it readable, or set PROVISIONER_IDENTITY.",
        ) from None


def find_recipients(
    encryption: Encryption, environ: Mapping[str, str], resolve: Resolve
) -> tuple[tuple[str, ...], list[Diagnostic]]:
    """Whom this apply seals to, and a notice where an identity was made. To be called before anything is sent.

    Recipients that are configured need no identity. Otherwise they are the public halves of the identity at hand.
    Raises Invalid "no-recipient" where there is none and none may be made, "bad-value" on what is no recipient.
    """
    if encryption.recipients:
        for text in encryption.recipients:
            keys.parse_recipient(text)
        return encryption.recipients, []
    for material in find_identities(encryption, environ, resolve).material():
        found = keys.recipient_of(material)
        if found:
            return tuple(found), []
    if _is_ci(environ):
        raise Invalid(
            "no-recipient",
            "No encryption recipient is configured, and in a pipeline (CI is set) none is made.",
            'Set [state.encryption] recipients = ["age1..."], the public key of whoever shall read the tokens '
            "(age-keygen makes a pair); for runs that must open what is sealed, set PROVISIONER_IDENTITY too. "
            "Nothing was sent.",
            key_path="state.encryption.recipients",
        )
    recipient, path = _make(environ)
    return (recipient,), [
        Diagnostic(
            name="identity-made",
            severity="note",
            summary=f"An identity was made, which alone opens the tokens of this state: {path}",
            detail=f"Its recipient is {recipient}. Keep a copy of the file in a safe place; to let others read, list "
            "their recipients and this one under [state.encryption] recipients and run `provisioner state rekey`.",
        )
    ]


def _is_ci(environ: Mapping[str, str]) -> bool:
    return environ.get("CI", "").lower() not in ("", "0", "false", "no")


def _make(environ: Mapping[str, str]) -> tuple[str, Path]:
    """As age-keygen writes it. Two runs at once: the second takes what the first made."""
    import pyrage  # type: ignore[import-untyped, unused-ignore]  # ships no types

    made = pyrage.x25519.Identity.generate()
    path = identity_path(environ)
    text = f"# created: {to_rfc3339(now())} by provisioner\n# public key: {made.to_public()}\n{made}\n"
    try:
        make_private_directory(path.parent)
        create_file(path, text.encode())
    except FileExistsError:
        own = _own(environ)
        return (keys.recipient_of(own)[0] if own else str(made.to_public())), path
    except OSError as fault:
        raise StoreFailed(
            "state-unreachable",
            f"No identity could be made at {path}: {fault.strerror or type(fault).__name__}.",
            'Set XDG_CONFIG_HOME to a folder that can be written, or [state.encryption] recipients = ["age1..."].',
        ) from None
    return str(made.to_public()), path
