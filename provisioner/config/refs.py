"""Resolves secret references, only when a provider is really called. A value goes straight into a `Secret`.

A value is used byte for byte, less one trailing newline for files and commands: `00042` stays `00042`.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path

from provisioner.errors import ProviderFailed
from provisioner.model.desired import Reference, SecretRef
from provisioner.secret import Secret

TIME_LIMIT = 60.0  # seconds: a password manager may ask a person to unlock it
_LARGEST = 1 << 20  # bytes; no key file is longer, and a mistaken path may be


def resolve(reference: Reference, *, directory: Path, environ: Mapping[str, str], whole_file: bool = False) -> Secret:
    """The secret that a reference names; a literal (client_id) stands for itself.

    `whole_file` is for age identities and SSH keys, which have lines and spaces, as what a `whole` reference names has;
    anything else with white space in it was pasted wrongly, and is refused before a vendor sees half of it. Paths and
    commands are relative to `directory`. Raises ProviderFailed "secret-unavailable", naming the reference and never
    the value.
    """
    if isinstance(reference, str):
        return Secret(reference)
    if reference.kind == "env":
        text = _from_environment(reference, environ)
    elif reference.kind == "file":
        text = _decoded(reference, _from_file(reference, directory, environ))
    else:
        text = _decoded(reference, _from_command(reference, directory, environ))
    if not text.strip():
        raise _unavailable(reference, "is empty")
    if not (whole_file or reference.whole) and any(character.isspace() for character in text):
        raise _unavailable(
            reference, "has white space in it", "Store the bare value: no quotes, spaces or second line."
        )
    return Secret(text, source=str(reference))


class Resolver:
    """`resolve` with a memory for one run: a file is read and a command run once, whoever asks, and however it ended.
    Thread-safe; different references are resolved at the same time."""

    def __init__(self, directory: Path, environ: Mapping[str, str]) -> None:
        self._directory = directory
        self._environ = environ
        self._lock = threading.Lock()
        self._locks: dict[tuple[Reference, bool], threading.Lock] = {}
        self._known: dict[tuple[Reference, bool], Secret | tuple[str, str]] = {}

    def __call__(self, reference: Reference) -> Secret:
        """A provider's secret. Raises ProviderFailed "secret-unavailable"."""
        return self._resolve(reference, whole_file=False)

    def whole(self, reference: Reference) -> Secret:
        """An identity or a key: a whole file with its lines. Raises ProviderFailed "secret-unavailable"."""
        return self._resolve(reference, whole_file=True)

    def _resolve(self, reference: Reference, *, whole_file: bool) -> Secret:
        key = (reference, whole_file)
        with self._lock:
            lock = self._locks.setdefault(key, threading.Lock())
        with lock:
            if key not in self._known:
                try:
                    self._known[key] = resolve(
                        reference, directory=self._directory, environ=self._environ, whole_file=whole_file
                    )
                except ProviderFailed as failure:
                    said = failure.diagnostics[0]
                    self._known[key] = (said.summary, said.detail)
            found = self._known[key]
        if isinstance(found, Secret):
            return found
        # a new exception for each: they travel through threads, and `at` names an address in each
        raise ProviderFailed("secret-unavailable", *found)


def _from_environment(reference: SecretRef, environ: Mapping[str, str]) -> str:
    value = environ.get(str(reference.value))
    if value is None:
        raise _unavailable(reference, "is not set", f"Set the environment variable {reference.value}.")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise _unavailable(reference, "is not UTF-8 text") from None
    return value


def _from_file(reference: SecretRef, directory: Path, environ: Mapping[str, str]) -> bytes:
    name = str(reference.value)
    if name.startswith("~/") and environ.get("HOME"):
        name = environ["HOME"] + name[1:]
    try:
        with (directory / name).open("rb") as file:
            data = file.read(_LARGEST + 1)
    except OSError as failure:
        raise _unavailable(reference, f"cannot be read: {failure.strerror}") from None
    if len(data) > _LARGEST:
        raise _unavailable(reference, "is larger than any secret")
    return data


def _from_command(reference: SecretRef, directory: Path, environ: Mapping[str, str]) -> bytes:
    import subprocess  # only a file with commands needs it

    try:
        # standard error is not shown: a failing password manager may print what it found so far
        ended = subprocess.run(
            list(reference.value),
            cwd=directory,
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=TIME_LIMIT,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise _unavailable(reference, f"did not end within {TIME_LIMIT:.0f} seconds", _BY_HAND) from None
    except (OSError, ValueError) as failure:
        why = failure.strerror if isinstance(failure, OSError) else "not a command line"
        raise _unavailable(reference, f"cannot be run: {why}") from None
    if ended.returncode:
        raise _unavailable(reference, f"ended with exit status {ended.returncode}", _BY_HAND)
    return ended.stdout


_BY_HAND = "Run it by hand to see what it says."


def _decoded(reference: SecretRef, data: bytes) -> str:
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise _unavailable(reference, "is not UTF-8 text") from None
    if text.endswith("\n"):
        text = text[:-1].removesuffix("\r")
    return text


def _unavailable(reference: SecretRef, why: str, advice: str = "") -> ProviderFailed:
    place = "" if reference.kind == "env" else " Paths are relative to the folder of the main file."
    return ProviderFailed("secret-unavailable", f"the secret from {reference} {why}", advice or f"Check it.{place}")
