"""Reads typed values out of one table: references, amounts, durations, URLs. What is wrong is reported, and is None."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any

from provisioner.config.lines import KeyPath
from provisioner.config.problems import Problems, did_you_mean
from provisioner.model.desired import Reference, SecretRef
from provisioner.records import dataclass, replace
from provisioner.times import parse_duration

_DECIMAL = re.compile(r"\d+(?:\.\d+)?")
_KINDS = ("env", "file", "command")
_SHAPES = 'Write { env = "NAME" }, { file = "PATH" } or { command = ["PROGRAM", "ARGUMENT"] }.'
_LOOPBACK = ("127.0.0.1", "::1", "localhost")


@dataclass(slots=True)
class Table:
    """One table of the file, with where it stands. A key that is absent reads as None."""

    problems: Problems
    values: Mapping[str, Any]
    path: KeyPath
    address: object = None

    def bad(self, key: str, summary: str, detail: str, *, name: str = "bad-value") -> None:
        self.problems.add(name, summary, detail, path=(*self.path, key), address=self.address)

    def text(self, key: str) -> str | None:
        value = self.values.get(key)
        return value if isinstance(value, str) else None

    def strings(self, key: str) -> tuple[str, ...]:
        """A list of strings as written, without those of another type (the shape check reports them)."""
        value = self.values.get(key)
        return tuple(one for one in value if isinstance(one, str)) if isinstance(value, list) else ()

    def flag(self, key: str) -> bool:
        return self.values.get(key) is True

    def duration(self, key: str) -> timedelta | None:
        """A timedelta. Texts that are no duration are the shape check's to report."""
        value = self.values.get(key)
        if not isinstance(value, str):
            return None
        try:
            return parse_duration(value)
        except (ValueError, OverflowError) as wrong:
            self.bad(key, f"{key} is not a duration", str(wrong))
            return None

    def above_zero(self, key: str) -> timedelta | None:
        found = self.duration(key)
        if found is not None and found <= timedelta():
            self.bad(key, f"{key} is no time at all", "Write a duration above zero, or leave the key out.")
            return None
        return found

    def amount(self, key: str) -> Decimal | None:
        """An exact amount, zero or more: a TOML integer, a float by its text, or a decimal string."""
        value = self.values.get(key)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | str | Decimal):
            advice = 'Write a number, or a decimal string as in "12.50".'
            self.bad(key, f"{key} is not an amount", advice, name="wrong-type")
            self.problems.poison((*self.path, key))
            return None
        exact = not isinstance(value, str) or _DECIMAL.fullmatch(value)
        found = Decimal(value) if exact else Decimal("NaN")
        if not _is_amount(found):
            advice = (
                'Write a number from 0 to 9999999999999999, or a decimal string as in "12.50", with at most 9 decimals.'
            )
            self.bad(key, f"{key} is not an amount", advice)
            self.problems.poison((*self.path, key))
            return None
        return found

    def secret(self, key: str, *, whole: bool = False) -> SecretRef | None:
        """A reference; a literal is reported as `literal-secret`, without the literal. `whole`: of a file with
        lines."""
        value = self.values.get(key)
        found = None if value is None else self._reference(key, value)
        return replace(found, whole=True) if whole and found is not None else found

    def reference(self, key: str) -> Reference | None:
        """A reference, or a literal where none is secret (client_id)."""
        value = self.values.get(key)
        if isinstance(value, str):
            if value.strip() and not any(c.isspace() for c in value):
                return value
            self.bad(key, f"{key} is empty or holds white space", "Copy it again, without spaces.")
            return None
        return None if value is None else self._reference(key, value)

    def texts(self, key: str) -> tuple[str, ...]:
        """One string, or a list of them."""
        value = self.values.get(key)
        found = [value] if isinstance(value, str) else value
        if found is None:
            return ()
        if isinstance(found, list) and all(isinstance(one, str) and one.strip() for one in found):
            return tuple(found)
        self.bad(key, f"{key} is neither a string nor a list of strings", "Write one, or a list.", name="wrong-type")
        return ()

    def url(self, key: str) -> str | None:
        """An http(s) URL as written; plain http to loopback only; never with a user or password in it."""
        value = self.text(key)
        if value is None:
            return None
        fault = url_fault(value)
        if fault:
            self.bad(key, f"{key} {fault[1]}", fault[2], name=fault[0])
            return None
        return value

    def _reference(self, key: str, value: Any) -> SecretRef | None:
        fault = reference_fault(value)
        if fault is None:
            kind, found = next(iter(value.items()))
            return SecretRef(kind, found if isinstance(found, str) else tuple(found))
        self.bad(key, f"{key} {fault[1]}", fault[2], name=fault[0])
        self.problems.poison((*self.path, key))
        return None


def _is_amount(value: Decimal) -> bool:
    """Finite, not negative, and of a size that no sum of it loses a digit of (28 digits are kept)."""
    return value.is_finite() and value >= 0 and value.adjusted() <= 15 and int(value.as_tuple().exponent) >= -9


def reference_fault(value: Any) -> tuple[str, str, str] | None:
    """None, or a code's name, what is wrong (never the value), and what to do."""
    if not isinstance(value, dict):
        return "literal-secret", "holds a literal where a secret belongs", _SHAPES
    strange = [kind for kind in value if kind not in _KINDS]
    if strange:
        return (
            "unknown-key",
            f'has a key "{strange[0]}" that no reference has',
            did_you_mean(strange[0], _KINDS) + " " + _SHAPES,
        )
    if len(value) != 1:
        return "bad-value", "has to be exactly one of env, file and command", _SHAPES
    ((kind, found),) = value.items()
    if kind == "command":
        if isinstance(found, list) and found and all(isinstance(one, str) for one in found) and found[0]:
            return None
        return "wrong-type", "has a command that is not a list of arguments", _SHAPES
    if isinstance(found, str) and found and "\0" not in found and "=" not in (found if kind == "env" else ""):
        return None
    return (
        "wrong-type",
        f"has an {kind} that is not a name" if kind == "env" else "has a file that is not a path",
        _SHAPES,
    )


def url_fault(value: str) -> tuple[str, str, str] | None:
    """None, or a code's name, what is wrong with it as a URL of a server, and what to do."""
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(value)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return "bad-value", "is not a URL", 'Write it as in "https://id.example.com".'
    if parts.scheme not in ("http", "https") or not host or any(c.isspace() for c in value):
        return "bad-value", "is not a URL", 'Write it as in "https://id.example.com".'
    if parts.username is not None or parts.password is not None:
        return "literal-secret", "holds a user name or password", "Take it out of the URL, and use a reference."
    if parts.scheme == "http" and host not in _LOOPBACK:
        return "bad-value", "is plain http to another machine", "Use https; plain http is for loopback only."
    return None
