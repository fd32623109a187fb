"""Data → JSON text: one line, every amount exactly as it is, never a secret.

`json` cannot write a `Decimal`. Nearly every amount is an int or a float to the letter, and the C encoder writes those;
an amount that no float holds sends the whole document through the slow writer below, which spells it out.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from enum import Enum
from typing import Any

from provisioner.secret import MASK, Secret
from provisioner.times import to_rfc3339

TERRAFORM_VERSION = "1.11.4"  # the series whose formats these are: readers of plans insist on one that they know


class _Inexact(Exception):  # a signal between the two writers, never seen outside
    """An amount that no float holds."""


def json_text(data: Any, *, indent: int | None = None, sort_keys: bool = False) -> str:
    """Mappings, sequences, text, numbers, Decimal, datetime, Enum → ASCII JSON, keys in the order given or sorted.

    A `Secret` comes out as its mask. Raises TypeError on anything else that JSON has no word for, ValueError on NaN.
    """
    separators = (",", ": ") if indent else (",", ":")
    try:
        return json.dumps(
            data, default=_fast, allow_nan=False, separators=separators, indent=indent, sort_keys=sort_keys
        )
    except _Inexact:
        return _write(_sorted(data) if sort_keys else data, indent, "\n")


def number(amount: Decimal) -> int | float:
    """The JSON number of an amount. Raises ValueError where no int or float is exactly it."""
    if not amount.is_finite():
        raise ValueError("an amount is a finite number")
    if amount == amount.to_integral_value():
        return int(amount)
    found = float(amount)
    if Decimal(repr(found)) != amount:
        raise _Inexact
    return found


def _fast(value: Any) -> Any:
    if isinstance(value, Decimal):
        return number(value)
    return _plain(value)


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return to_rfc3339(value)
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Secret):
        return MASK
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} has no place in JSON output")


def _write(value: Any, indent: int | None, newline: str) -> str:
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, str | int | float) or value is None:
        return json.dumps(value, allow_nan=False)
    inner = newline + " " * indent if indent else newline
    if isinstance(value, Mapping):
        colon = ": " if indent else ":"
        items = [f"{json.dumps(str(key))}{colon}{_write(item, indent, inner)}" for key, item in value.items()]
        return _bracket("{", items, "}", indent, newline, inner)
    if isinstance(value, list | tuple):
        return _bracket("[", [_write(item, indent, inner) for item in value], "]", indent, newline, inner)
    return _write(_plain(value), indent, newline)


def _sorted(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _sorted(value[key]) for key in sorted(value)}
    return [_sorted(item) for item in value] if isinstance(value, list | tuple) else value


def _bracket(opening: str, items: list[str], closing: str, indent: int | None, newline: str, inner: str) -> str:
    if not indent or not items:
        return opening + ",".join(items) + closing
    return f"{opening}{inner}{f',{inner}'.join(items)}{newline}{closing}"
