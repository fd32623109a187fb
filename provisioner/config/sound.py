"""The good case of the shape check in plain Python: pydantic costs a start 60 to 90 ms, and would only agree.

`is_sound` answers yes only where the schema would; a no means only that the schema must be asked, which then says what
is wrong. Tests hold the two together: the same keys, and no yes that pydantic would take back.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from provisioner.config import patterns

if TYPE_CHECKING:
    from provisioner.providers.base import Setting, Vendor

Fits = Callable[[Any], bool]


def is_sound(document: Mapping[str, Any], vendors: Iterable[Vendor]) -> bool:
    """Whether this certainly has the shape of `schema.document(vendors)`."""
    checks = SECTIONS | {"providers": _table_of(_provider(vendors))}
    return all(key in checks and checks[key](value) for key, value in document.items())


# `type(x) is` rather than isinstance: the schema is strict, and true is no number in it


def _anything(value: Any) -> bool:
    return True


def _string(value: Any) -> bool:
    return type(value) is str


def _text(value: Any) -> bool:
    return type(value) is str and value.strip() != ""


def _boolean(value: Any) -> bool:
    return type(value) is bool


def _count(value: Any) -> bool:
    return type(value) is int and value >= 0


def _like(pattern: str) -> Fits:
    # not compiled here: that would cost each start what only some files need; `re` keeps what it compiled
    return lambda value: type(value) is str and re.fullmatch(pattern, value, re.ASCII) is not None


def _one_of(words: tuple[str, ...]) -> Fits:
    return lambda value: type(value) is str and value in words


def _list_of(item: Fits) -> Fits:
    return lambda value: type(value) is list and all(map(item, value))


def _table_of(item: Fits, key: Fits = _string) -> Fits:
    return lambda value: type(value) is dict and all(map(key, value)) and all(map(item, value.values()))


def _table(fields: Mapping[str, Fits], *required: str) -> Fits:
    def fits(value: Any) -> bool:
        if type(value) is not dict:
            return False
        for key, item in value.items():
            check = fields.get(key)
            if check is None or not check(item):
                return False
        return all(key in value for key in required)

    return fits


_duration = _like(patterns.DURATION)

STACK: dict[str, Fits] = {
    "name": _like(patterns.STACK),
    "run_interval": _duration,
    "include": _list_of(_string),
}
ENCRYPTION: dict[str, Fits] = {"recipients": _list_of(_text), "identity": _anything}
STATE: dict[str, Fits] = {
    "location": _text,
    "username": _anything,
    "password": _anything,
    "lock_address": _text,
    "unlock_address": _text,
    "lock_method": _text,
    "unlock_method": _text,
    "update_method": _text,
    "encryption": _table(ENCRYPTION),
}
POLICY: dict[str, Fits] = {
    "renew_before": _duration,
    "rotate_every": _duration,
    "overlap": _duration,
    "max_lifetime": _duration,
    "on_destroy": _one_of(("revoke", "keep")),
}
APPLICATION: dict[str, Fits] = {
    "provider": _string,
    "name": _text,
    "scopes": _list_of(_like(patterns.SCOPE)),
    "token_lifetime": _one_of(("1d", "1w", "never")),
    "token_policy": _string,
    "consumers": _list_of(_like(patterns.KEY)),
    "for_each": _anything,
    "prevent_destroy": _boolean,
    "client_id": _anything,
    "client_secret": _anything,
    "redirect_uri": _text,
    "offline_access": _boolean,
    "grant": _one_of(("client_credentials", "authorization_code", "device_code")),
    "token_endpoint_auth_method": _text,
    "private_key": _anything,
    "resource": _anything,
    "audience": _text,
}
CREDITS: dict[str, Fits] = {
    "provider": _string,
    "minimum": _anything,
    "target": _anything,
    "pack": _anything,
    "max_per_apply": _anything,
    "max_per_day": _anything,
    "card_last_four": _anything,
    "coupon": _anything,
    "unit_price": _anything,
    "currency": _like(patterns.CURRENCY),
    "on_shortfall": _one_of(("error", "warn")),
    "doubt_settles_after": _duration,
    "prevent_destroy": _boolean,
}
SAFETY: dict[str, Fits] = {
    "max_destroy": _count,
    "max_spend": _table_of(_anything, key=_like(patterns.CURRENCY)),
}
MOVED: dict[str, Fits] = {"from": _string, "to": _string}
IMPORT: dict[str, Fits] = {"to": _string, "id": _text}
REMOVED: dict[str, Fits] = {"from": _string}

# All but the providers, whose shape depends on the vendors.
SECTIONS: dict[str, Fits] = {
    "stack": _table(STACK),
    "state": _table(STATE),
    "variables": _table_of(_string),
    "token_policies": _table_of(_table(POLICY)),
    "applications": _table_of(_table(APPLICATION, "provider")),
    "credits": _table_of(_table(CREDITS, "provider", "minimum")),
    "safety": _table(SAFETY),
    "moved": _list_of(_table(MOVED, "from", "to")),
    "import": _list_of(_table(IMPORT, "to", "id")),
    "removed": _list_of(_table(REMOVED, "from")),
}


def _provider(vendors: Iterable[Vendor]) -> Fits:
    """One table of `[providers]`, by its type. Settings say their own shape, so a new vendor needs nothing here."""
    tables = {
        vendor.type: _table({"type": _string, "base_url": _text} | {s.name: _setting(s) for s in vendor.settings})
        for vendor in vendors
    }

    def fits(value: Any) -> bool:
        kind = value.get("type") if type(value) is dict else None
        return type(kind) is str and kind in tables and tables[kind](value)

    return fits


def _setting(setting: Setting) -> Fits:
    kinds: dict[str, Fits] = {"secret": _anything, "boolean": _boolean, "text": _text, "url": _text}
    return _one_of(setting.choices) if setting.kind == "choice" else kinds[setting.kind]
