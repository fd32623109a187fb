"""Applications that are registered by API: what the file asks for, what the server shows, and how the two compare."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from provisioner.errors import Diagnostic
from provisioner.model.desired import Application
from provisioner.model.observed import ObservedApplication
from provisioner.model.recorded import CREATED, ApplicationRecord
from provisioner.providers.base import Vendor
from provisioner.times import to_rfc3339

# What a person changes in a server's administration, and what a PUT of ours puts back.
_COMPARED = ("redirect_uris", "grant_types", "response_types", "token_endpoint_auth_method")
# What plans and states show of a registration: the same, less what follows from it.
SHOWN = ("redirect_uris", "grant_types", "token_endpoint_auth_method")
_LAST = 253_402_300_799  # the last second of the year 9999, which is as far as a calendar here goes
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


def secret_ending(record: ApplicationRecord, now: datetime) -> Diagnostic | None:
    """A client's secret that ends (RFC 7591 section 3.2.1: `client_secret_expires_at`, 0 for never), once a third of
    its life or less is left. No request renews one: only another client has another. Its life began when the server
    says (`client_id_issued_at` is optional), else when it was registered."""
    ends = record.registration.get("client_secret_expires_at")
    if record.managed != CREATED or not isinstance(ends, int) or ends <= 0:
        return None
    began: float | None = record.registration.get("client_id_issued_at")
    if began is None and record.created_at is not None:
        began = record.created_at.timestamp()
    left = ends - now.timestamp()
    if left > 0 and began is not None and left > (ends - began) / 3:
        return None
    when = to_rfc3339(datetime.fromtimestamp(min(ends, _LAST), UTC))
    return Diagnostic(
        name="secret-ending",
        summary=f"the client secret of {record.address} {'ends' if left > 0 else 'ended'} at {when}",
        detail=f"The server set that. `provisioner apply --replace '{record.address}'` registers another client.",
        severity="warning",
        address=str(record.address),
    )


def another_key(record: ApplicationRecord, seen: ObservedApplication) -> bool:
    """The reference `private_key` holds another key than the one that was registered."""
    return KEY in seen.registration and seen.registration[KEY] != record.registration.get(KEY)


def another_secret(record: ApplicationRecord, seen: ObservedApplication) -> bool:
    return seen.secret_fingerprint is not None and seen.secret_fingerprint != record.secret_fingerprint


def _plain(value: Any) -> Any:
    return sorted(value) if isinstance(value, list | tuple) else value
