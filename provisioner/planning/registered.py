"""Applications that are registered by API: what the file asks for, what the server shows, and how the two compare."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from provisioner.model.desired import Application
from provisioner.model.observed import ObservedApplication
from provisioner.model.recorded import ApplicationRecord
from provisioner.providers.base import Vendor

# What a person changes in a server's administration, and what a PUT of ours puts back.
_COMPARED = ("redirect_uris", "grant_types", "response_types", "token_endpoint_auth_method")
# What plans and states show of a registration: the same, less what follows from it.
SHOWN = ("redirect_uris", "grant_types", "token_endpoint_auth_method")
KEY = "key_thumbprint"  # which key was registered; a provider that knows the declared one shows it under this name


def declared(application: Application, vendor: Vendor) -> dict[str, Any]:
    """What a registration asks for, as plain data: kept in the record, so that a later change of the file is seen."""
    return {"name": application.name, "scopes": list(application.scopes), **vendor.registration(application)}


def shown(registration: Mapping[str, Any]) -> dict[str, Any]:
    """The public values of a registration; empty for an application that was made by people."""
    return {name: registration[name] for name in SHOWN if name in registration}


def changed_at_server(record: ApplicationRecord, seen: ObservedApplication) -> dict[str, tuple[Any, Any]]:
    """What the server shows otherwise than it answered last, by attribute: (recorded, shown). What it does not say is
    not compared; the order of a list means nothing."""
    found: dict[str, tuple[Any, Any]] = {}
    if seen.name is not None and seen.name != record.name:
        found["name"] = (record.name, seen.name)
    if seen.scopes is not None and set(seen.scopes) != set(record.scopes):
        found["scopes"] = (list(record.scopes), list(seen.scopes))
    for member in _COMPARED:
        before, after = record.registration.get(member), seen.registration.get(member)
        if before is not None and after is not None and _plain(before) != _plain(after):
            found[member] = (before, after)
    return found


def another_key(record: ApplicationRecord, seen: ObservedApplication) -> bool:
    """The reference `private_key` holds another key than the one that was registered."""
    return KEY in seen.registration and seen.registration[KEY] != record.registration.get(KEY)


def another_secret(record: ApplicationRecord, seen: ObservedApplication) -> bool:
    return seen.secret_fingerprint is not None and seen.secret_fingerprint != record.secret_fingerprint


def _plain(value: Any) -> Any:
    return sorted(value) if isinstance(value, list | tuple) else value
