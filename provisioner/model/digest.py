"""One digest of everything in a declaration that matters to a plan: a saved plan names it, and apply compares."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any

from provisioner.address import Address
from provisioner.model.desired import Application, CreditFloor, Desired, SecretRef, TokenPolicy
from provisioner.records import fields

_APPLICATION = tuple(f.name for f in fields(Application) if f.name not in ("file", "line", "policy", "address"))
_FLOOR = tuple(f.name for f in fields(CreditFloor) if f.name not in ("file", "line"))
_POLICY = tuple(f.name for f in fields(TokenPolicy))


def digest(desired: Desired) -> str:
    """`sha256:` and 64 hex digits over canonical JSON (sorted keys, compact, ASCII): values and references, never
    resolved. Left out: where things were declared, and where the recorded state lies (its lineage tells that apart), so
    that two checkouts of one file have one digest."""
    policies = {application.policy.name: application.policy for application in desired.applications}
    whole = {
        "stack": desired.stack,
        "run_interval": _plain(desired.run_interval),
        "encryption": [desired.encryption.recipients, _plain(desired.encryption.identity)],
        "variables": desired.variables,
        "providers": {name: [one.type, one.base_url, _plain(one.settings)] for name, one in desired.providers.items()},
        "policies": {name: _pick(policy, _POLICY) for name, policy in policies.items()},
        "applications": {str(one.address): _application(one) for one in desired.applications},
        "credits": [_pick(one, _FLOOR) for one in desired.credits],
        "safety": [desired.safety.max_destroy, _plain(desired.safety.max_spend)],
        "moved": [[str(one.origin), str(one.to)] for one in desired.moved],
        "imports": [[str(one.to), one.id] for one in desired.imports],
        "removed": [str(one.origin) for one in desired.removed],
    }
    text = json.dumps(whole, sort_keys=True, separators=(",", ":"))
    return "sha256:" + hashlib.sha256(text.encode("ascii")).hexdigest()


def _application(one: Application) -> dict[str, Any]:
    # absent and default are the same: a new field with a default changes no digest
    found = {name: _plain(value) for name in _APPLICATION if (value := getattr(one, name))}
    found["policy"] = one.policy.name
    return found


def _pick(one: object, names: tuple[str, ...]) -> dict[str, Any]:
    return {name: _plain(value) for name in names if (value := getattr(one, name)) is not None}


def _plain(value: Any) -> Any:
    if isinstance(value, Address):
        return str(value)
    if isinstance(value, str | bool | int | tuple) or value is None:
        return value
    if isinstance(value, SecretRef):
        return value.to_json()
    if isinstance(value, timedelta):
        return str(value // timedelta(microseconds=1))
    if isinstance(value, Decimal):
        return f"{value.normalize():f}"
    if isinstance(value, Mapping):
        return {key: _plain(one) for key, one in value.items()}
    raise TypeError(type(value).__name__)
