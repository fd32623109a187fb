"""Addresses: `application.campaigns`, `token.worker["eu"]["web"]`, `credits.ez` (contract section 1)."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

TYPES = ("application", "token", "credits")
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_ADDRESS = re.compile(r'(application|token|credits)\.([A-Za-z_][A-Za-z0-9_-]*)((?:\["(?:[^"\\]|\\.)*"\])*)')
_KEY = re.compile(r'\["((?:[^"\\]|\\.)*)"\]')
_ORDER = {kind: position for position, kind in enumerate(TYPES)}
_MOST_KEYS = {"application": 1, "token": 2, "credits": 0}


class Address(NamedTuple):
    """What a resource is called: its type, its table's name, and its keys (`for_each` key, then consumer).

    Tuple order is the order of plans: applications, then tokens, then credits, by name and key.
    Whether a token's single key is a `for_each` key or a consumer is the declaration's knowledge, not the address's.
    """

    type: str
    name: str
    keys: tuple[str, ...] = ()

    def __str__(self) -> str:
        plain = f"{self.type}.{self.name}"
        return plain + "".join(f'["{_escape(key)}"]' for key in self.keys) if self.keys else plain

    @property
    def sort_key(self) -> tuple[int, str, tuple[str, ...]]:
        return (_ORDER[self.type], self.name, self.keys)

    @property
    def instance_key(self) -> str | None:
        """Terraform's `index`: the key; both keys of a consumer of a `for_each` application as `key/consumer`."""
        return "/".join(self.keys) or None

    def child(self, key: str) -> Address:
        return Address(self.type, self.name, (*self.keys, key))

    def as_type(self, kind: str) -> Address:
        """The same name and keys under another type: an application's token, a token's application."""
        return Address(kind, self.name, self.keys)


@lru_cache(1 << 16)  # a journal names each address several times; one object for all of them is memory saved, too
def parse_address(text: str) -> Address:
    """Raises ValueError with what an address looks like."""
    match = _ADDRESS.fullmatch(text)
    if not match:
        if re.fullmatch(r"(?:application|token|credits)\.[A-Za-z_][A-Za-z0-9_-]*(?:\[[^\]]*\])+", text):
            meant = re.sub(r"\[\W*([^\]\"']*)\W*\]", r'["\1"]', text)
            raise ValueError(
                f"the key in {text} lacks its double quotes: in a shell, write '{meant}', single ones around"
            )
        raise ValueError(
            f'{text!r} is not an address; write one as in application.campaigns, token.campaigns["web"] or credits.ez'
        )
    keys = tuple(_unescape(key) for key in _KEY.findall(match[3])) if match[3] else ()
    if len(keys) > _MOST_KEYS[match[1]]:
        raise ValueError(f"{text!r} has more keys than {match[1]} takes")
    return Address(match[1], match[2], keys)


def _escape(key: str) -> str:
    return key.replace("\\", "\\\\").replace('"', '\\"')


def _unescape(key: str) -> str:
    return re.sub(r"\\(.)", r"\1", key)
