"""Providers are found by scanning this package: one module a vendor type, holding `VENDOR` and `Provider`.

A module is imported only when its type is used: start-up is a feature.
"""

from __future__ import annotations

import os
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from provisioner.providers.base import Provider, Vendor

_NOT_VENDORS = {"base"}


@cache
def types() -> tuple[str, ...]:
    """Every vendor type there is, sorted. Modules that begin with an underscore are shared helpers."""
    # not pkgutil: it imports `inspect` to look, which is 5 ms of every start
    files = (file for folder in __path__ for file in os.listdir(folder))  # noqa: PTH208  # names are all that is asked
    found = {name for name, dot, kind in (file.partition(".") for file in files) if kind == "py"}
    return tuple(sorted(name for name in found if name not in _NOT_VENDORS and not name.startswith("_")))


@cache
def vendor(type_name: str) -> Vendor:
    """What the vendor can and cannot do; pure. Raises KeyError for a type that does not exist."""
    if type_name not in types():
        raise KeyError(type_name)
    found: Vendor = import_module(f"{__name__}.{type_name}").VENDOR
    return found


@cache
def provider_class(type_name: str) -> type[Provider]:
    """The class that calls the vendor. Raises KeyError for a type that does not exist."""
    if type_name not in types():
        raise KeyError(type_name)
    found: type[Provider] = import_module(f"{__name__}.{type_name}").Provider
    return found
