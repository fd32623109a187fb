"""Whether something secret stands in clear: what no field of the recorded state may hold.

Three nets, the surest first. A word whose fingerprint is that of a recorded secret *is* that secret. A word of a known
shape (a JWT, a private key, a bearer header, a password in a URL) looks like one. A long word without a name, too
random for a person to have typed it, may be one. Sealed values, fingerprints, ids and hashes are known by field and
shape. What is found is never repeated, only where it stands.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise
from typing import Any

from provisioner.audit.seen import Mark, Seen
from provisioner.model.recorded import ApplicationRecord, TokenRecord
from provisioner.records import dataclass
from provisioner.secret import MASK, fingerprint

_SEALED = re.compile(r"v1:[A-Za-z0-9_-]+:\d+:[A-Za-z0-9+/]+=*")
_SEALED_FIELDS = frozenset({"access_token", "refresh_token", "secret", "registration_token"})
# Names under which a secret travels on the wire or lies in a file; whatever stands there in clear is one.
_SECRET_FIELDS = _SEALED_FIELDS | {
    *("api_key", "apikey", "app_key", "app_secret", "assertion", "authorization", "bearer", "client_assertion"),
    *("client_secret", "code_verifier", "cookie", "device_code", "id_token", "identity", "initial_access_token"),
    *("passphrase", "password", "private_key", "registration_access_token", "secret_key", "set-cookie", "set_cookie"),
}
# A public JWK has these; the private halves (RFC 7517, RFC 7518) never do.
_JWK_PRIVATE = frozenset({"d", "dp", "dq", "k", "oth", "p", "q", "qi"})
# Fields whose values are random and public. The first two nets still go over them.
_NAMES = {
    *("actor", "address", "client_id", "deposed", "fingerprint", "hash", "id", "jwks_uri", "key_id", "kid", "lineage"),
    *("object_id", "operation", "prev", "recipients", "refresh_fingerprint", "registration_client_uri", "run"),
    *("secret_fingerprint",),
    "stack",
}
_SHAPES: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("a JSON Web Token", re.compile(r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*")),
    ("a private key", re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----|\bAGE-SECRET-KEY-1[0-9A-Z]{20,}")),
    ("an Authorization header", re.compile(r"\b(?:[Bb]earer|[Bb]asic|Token)[ :]+(?=\S*\d)[A-Za-z0-9+/_.~!=-]{12,}")),
    ("a password in a URL", re.compile(r"\b[a-z][a-z0-9+.-]*://[^/\s:@]+:[^/\s@]+@")),
    (
        "a secret in a query",
        re.compile(r"(?<![A-Za-z_])(?:access_token|refresh_token|client_secret|api_key|password|code)=[^&\s]{6,}"),
    ),
    (
        "a token with a well-known prefix",
        re.compile(
            r"\b(?:gh[pousr]_|github_pat_|glpat-|xox[abeprs]-|sk_(?:live|test)_|hvs\.|dop_v1_|npm_|pypi-)[\w-]{12,}"
            r"|\b(?:at|rt|rat|dc|code)_[A-Za-z0-9_-]{24,}|\bAKIA[0-9A-Z]{16}\b"
        ),
    ),
)
_WORD = re.compile(r"[A-Za-z0-9_+=~!-]{20,}")
_ANY_WORD = re.compile(r"[^\s\"',;()<>\[\]{}]{12,}")
_HEX = re.compile(r"[0-9a-fA-F]+")
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_FINGERPRINT = re.compile(r"sha256:[0-9a-f]{16}")
_RUN = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{8}")


@dataclass(slots=True)
class Exposed:
    """Something in clear at `path`, first seen in the entry of `mark`, and in how many entries."""

    path: str
    what: str
    mark: Mark
    entries: int = 1
    sure: bool = False


class Exposure:
    """A collector: see `trail.Trail`. One `Exposed` a path and kind of thing, however many entries repeat it."""

    def __init__(self) -> None:
        self.found: dict[tuple[str, str], Exposed] = {}
        self._fingerprints: set[str] = set()
        self._names: set[str] = set()  # ids, hashes and the like, which texts may mention
        self._plain: set[str] = set()  # texts without a suspicious shape: most are repeated from entry to entry

    def see(self, seen: Seen, entry_hash: str) -> None:
        mark = seen.mark
        self._learn(seen)
        self._names.update((entry_hash, mark.run))
        members = {"actor": mark.actor, "address": seen.address, "body": seen.body}
        for path, what, sure in self.look(members, ""):
            known = self.found.get((path, what))
            if known is None:
                self.found[(path, what)] = Exposed(path, what, mark, sure=sure)
            elif known.mark.serial != mark.serial:
                known.entries += 1

    def look(self, value: Any, path: str) -> Iterator[tuple[str, str, bool]]:
        """(path, what it looks like, whether that is certain) of everything under `value`."""
        if isinstance(value, dict):
            is_jwk = "kty" in value
            for key, item in value.items():
                where = f"{path}.{key}" if path else key
                if isinstance(item, str):
                    yield from self._text(key, item, where, is_jwk=is_jwk)
                elif not (is_jwk and key == "x5c"):  # certificates, which are public
                    yield from self.look(item, where)
                if len(key) >= 20:
                    yield from self._free(key, f"{path} (a key)")
        elif isinstance(value, list):
            name = path.rpartition(".")[2]
            for item in value:
                if isinstance(item, str):
                    yield from self._text(name, item, f"{path}[]", is_jwk=False)
                else:
                    yield from self.look(item, f"{path}[]")

    def _text(self, key: str, text: str, path: str, *, is_jwk: bool) -> Iterator[tuple[str, str, bool]]:
        name = key.lower()
        if not text or text == MASK or _SEALED.fullmatch(text):
            return
        if name in _SECRET_FIELDS or (is_jwk and name in _JWK_PRIVATE):
            yield path, f"a value under the name {key}, which is not sealed", True
        elif len(text) >= 12:
            yield from self._named(text, path) if name in _NAMES or is_jwk else self._free(text, path)

    def _named(self, text: str, path: str) -> Iterator[tuple[str, str, bool]]:
        return self._any(text, path, lambda: list(_of_shape(text)))

    def _free(self, text: str, path: str) -> Iterator[tuple[str, str, bool]]:
        return self._any(text, path, lambda: list(_of_shape(text)) or list(self._random(text)))

    def _any(
        self, text: str, path: str, suspect: Callable[[], list[tuple[str, bool]]]
    ) -> Iterator[tuple[str, str, bool]]:
        """What was harmless once may be a secret that is known now, so only the other nets are spared a second look."""
        found = list(self._surely(text))
        if not found and text not in self._plain:
            found = suspect()
            if not found:
                self._plain.add(text)
        for what, sure in found:
            yield path, what, sure

    def _surely(self, text: str) -> Iterator[tuple[str, bool]]:
        for word in {text, *_ANY_WORD.findall(text)}:
            if fingerprint(word) in self._fingerprints:
                yield "a secret whose fingerprint is recorded", True
                return

    def _random(self, text: str) -> Iterator[tuple[str, bool]]:
        for word in _WORD.findall(text):
            if word not in self._names and _too_random(word):
                yield "a long random word", False
                return

    def _learn(self, seen: Seen) -> None:
        for record in seen.change.put:
            self._names.add(record.id)
            if isinstance(record, TokenRecord):
                self._fingerprints.update(f for f in (record.fingerprint, record.refresh_fingerprint) if f)
                self._names.update(n for n in (record.client_id, record.operation) if n)
            elif isinstance(record, ApplicationRecord):
                self._fingerprints.update(f for f in (record.secret_fingerprint,) if f)
                self._names.update(n for n in (record.client_id,) if n)
        data = seen.body.get("operation")
        if isinstance(data, dict):
            self._names.update(str(data[key]) for key in ("id", "object_id") if data.get(key))


def words_in(texts: Iterable[str]) -> Iterator[tuple[str, bool]]:
    """What texts outside the chain (data key files) hold that looks secret: (what, certain)."""
    for text in texts:
        yield from _of_shape(text)


def _of_shape(text: str) -> Iterator[tuple[str, bool]]:
    for what, shape in _SHAPES:
        if shape.search(text):
            yield what, False
            return


def _too_random(word: str) -> bool:
    """Whether nobody would type it: long hexadecimal, or letters and digits without a pattern."""
    if _UUID.fullmatch(word) or _RUN.fullmatch(word):
        return False
    if _HEX.fullmatch(word):
        return len(word) >= 28 and len(set(word)) >= 8
    return _entropy(word) >= 3.6 and _turns(word) >= max(6, 0.2 * len(word))


def _entropy(word: str) -> float:
    """Bits a character, by how often each occurs in the word."""
    return -sum(n / len(word) * math.log2(n / len(word)) for n in Counter(word).values())


def _turns(word: str) -> int:
    """How often small letters, large letters and digits give way to each other, separators apart. The large first
    letter of a word counts for nothing: names are written so, and random words turn everywhere."""
    kinds = [2 if c.isdigit() else 1 if c.isupper() else 0 for c in word if c.isalnum()]
    return sum(a != b and (a, b) != (1, 0) for a, b in pairwise(kinds))
