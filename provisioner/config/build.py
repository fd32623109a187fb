"""Checked tables → frozen `Desired`, with every rule between tables. Pure: what a vendor can do is asked of `Vendor`.

The shape check has run; what it found is poisoned in `problems`, so nothing that follows from it is said again.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from provisioner import providers
from provisioner.address import NAME
from provisioner.config.applications import build_applications
from provisioner.config.floors import build_floors
from provisioner.config.instances import Instance
from provisioner.config.parts import Parts
from provisioner.config.problems import Problems
from provisioner.config.refactorings import build_refactorings
from provisioner.config.values import Table, url_fault
from provisioner.model.desired import Desired, Encryption, ProviderConfig, Safety, TokenPolicy
from provisioner.providers.base import Vendor
from provisioner.records import replace


def build(
    tables: Mapping[str, Any],
    instances: Sequence[Instance],
    *,
    path: Path,
    variables: Mapping[str, str],
    problems: Problems,
    vendors: Callable[[str], Vendor] = providers.vendor,
    generating: bool = False,
) -> Desired:
    """The declaration. It is to be used only where `problems.found` is empty afterwards."""
    parts = replace(_parts(tables, problems, vendors), generating=generating)
    applications = build_applications(instances, parts)
    floors = build_floors(section(tables, "credits"), applications, parts)
    moved, imports, removed = build_refactorings(tables, instances, floors, applications, parts)
    stack = Table(problems, section(tables, "stack"), ("stack",))
    name = stack.text("name") or _stem(path, problems)
    location, settings = _state(tables, problems, path.parent, name)
    return Desired(
        stack=name,
        run_interval=stack.duration("run_interval") or timedelta(),
        state_location=location,
        state_settings=settings,
        encryption=_encryption(tables, problems),
        variables=variables,
        providers=parts.providers,
        applications=applications,
        credits=floors,
        safety=_safety(tables, problems),
        moved=moved,
        imports=imports,
        removed=removed,
        directory=str(path.parent),
    )


def section(tables: Mapping[str, Any], *names: str) -> dict[str, Any]:
    """A table of the file; empty where it is absent, or something else (the shape check says so)."""
    found: Any = tables
    for name in names:
        found = found.get(name) if isinstance(found, dict) else None
    return found if isinstance(found, dict) else {}


def _stem(path: Path, problems: Problems) -> str:
    stem = path.stem
    if not stem[:1].isalnum() or not all(c.isalnum() or c in "._-" for c in stem):
        problems.add(
            "missing-key",
            f'the file\'s stem "{stem}" cannot be the name of a stack',
            'Set it: [stack] name = "messaging".',
            path=("stack", "name"),
        )
    return stem


STORES = ("az", "file", "gs", "http", "https", "postgres", "postgresql", "s3")  # a location that is no directory

# Terraform's settings of its http backend, for servers that lock elsewhere or with other methods.
_HTTP_STATE = ("lock_address", "unlock_address", "lock_method", "unlock_method", "update_method")


def _state(tables: Mapping[str, Any], problems: Problems, directory: Path, stack: str) -> tuple[str, dict[str, Any]]:
    state = Table(problems, section(tables, "state"), ("state",))
    location = state.text("location") or os.path.join("state", stack)  # noqa: PTH118  # may be a URL
    settings: dict[str, Any] = {
        key: found for key in ("username", "password") if (found := state.secret(key)) is not None
    }
    settings |= {key: text for key in _HTTP_STATE if (text := state.text(key))}
    for key in ("lock_address", "unlock_address"):
        fault = url_fault(settings.get(key) or "https://unset")
        if fault:
            state.bad(key, f"{key} {fault[1]}", fault[2], name=fault[0])
    if location.startswith(("http://", "https://")):
        fault = url_fault(location)
        if fault:
            state.bad("location", f"location {fault[1]}", fault[2], name=fault[0])
        return location, settings
    if "://" in location:
        if location.partition("://")[0].lower() not in STORES:
            known = ", ".join(f"{scheme}:" for scheme in STORES)
            state.bad("location", "there is no store of this kind", f"Write a directory, or one of {known}.")
        return location, settings
    return os.path.join(directory, location), settings  # noqa: PTH118  # keeps a relative folder relative


_RECIPIENTS = ("age1", "ssh-ed25519 ", "ssh-rsa ")


def _encryption(tables: Mapping[str, Any], problems: Problems) -> Encryption:
    table = Table(problems, section(tables, "state", "encryption"), ("state", "encryption"))
    recipients = table.strings("recipients")
    for position, one in enumerate(recipients):
        if "SECRET-KEY" in one.upper() or "PRIVATE KEY" in one.upper():
            problems.add(
                "literal-secret",
                "recipients holds a private key where a public one belongs",
                "Write its public half (age-keygen -y prints it), and make another: this one stood in a file.",
                path=("state", "encryption", "recipients", position),
            )
        elif not one.strip().startswith(_RECIPIENTS):  # the rest of it is read by whoever seals
            problems.add(
                "bad-value",
                "this is no encryption recipient",
                "Give an age recipient (age1...), or an SSH public key that age takes (ssh-ed25519 or ssh-rsa).",
                path=("state", "encryption", "recipients", position),
            )
    identity = table.secret("identity")
    return Encryption(recipients=recipients, identity=identity or Encryption().identity)


def _safety(tables: Mapping[str, Any], problems: Problems) -> Safety:
    table = section(tables, "safety")
    spend = Table(problems, section(tables, "safety", "max_spend"), ("safety", "max_spend"))
    limits: dict[str, Decimal] = {}
    for currency in spend.values:
        limit = spend.amount(currency)
        if limit is not None:
            limits[currency] = limit
    most = table.get("max_destroy")
    return Safety(max_destroy=most if isinstance(most, int) else None, max_spend=limits)


def _parts(tables: Mapping[str, Any], problems: Problems, vendors: Callable[[str], Vendor]) -> Parts:
    found_vendors: dict[str, Vendor] = {}
    configs: dict[str, ProviderConfig] = {}
    declared = section(tables, "providers")
    for name, table in declared.items():
        _check_name(name, ("providers", name), problems)
        type_name = table.get("type") if isinstance(table, dict) else None
        if not isinstance(type_name, str):
            continue
        try:
            vendor = vendors(type_name)
        except KeyError:
            continue  # reported before the shape check, which needs the type
        found_vendors[name] = vendor
        configs[name] = _provider(name, vendor, Table(problems, table, ("providers", name)))
    policies = {}
    for name, table in section(tables, "token_policies").items():
        _check_name(name, ("token_policies", name), problems)
        policies[name] = _policy(
            name, Table(problems, table if isinstance(table, dict) else {}, ("token_policies", name))
        )
    return Parts(problems, found_vendors, configs, frozenset(declared), policies)


def _check_name(name: str, path: tuple[str, str], problems: Problems) -> None:
    if not NAME.fullmatch(name):
        problems.add(
            "bad-value",
            f'"{name}" cannot be a name',
            "Begin with a letter, and use letters, digits, hyphens and underscores.",
            path=path,
        )


def _provider(name: str, vendor: Vendor, table: Table) -> ProviderConfig:
    sandbox = table.values.get("base_url") == "sandbox"
    base_url = "sandbox" if sandbox else table.url("base_url")
    settings: dict[str, Any] = {}
    for setting in vendor.settings:
        if setting.name not in table.values:
            if setting.required and not (sandbox and setting.kind == "secret"):
                advice = f"{setting.help[:1].upper()}{setting.help[1:]}."
                table.bad(setting.name, f"{setting.name} is missing", advice, name="missing-key")
            continue
        value: Any = table.values[setting.name]
        if setting.kind == "secret":
            value = table.secret(setting.name)
        elif setting.kind == "url":
            value = table.url(setting.name)
        if value is not None:
            settings[setting.name] = value
    base_url = (vendor.default_base_url if base_url is None else base_url).rstrip("/")
    config = ProviderConfig(name=name, type=vendor.type, base_url=base_url, settings=settings)
    table.problems.add_relative(vendor.check_provider(config), table.path)
    return config


def _policy(name: str, table: Table) -> TokenPolicy:
    return TokenPolicy(
        name=name,
        renew_before=table.duration("renew_before"),
        rotate_every=table.above_zero("rotate_every"),
        overlap=table.duration("overlap") or timedelta(),
        max_lifetime=table.above_zero("max_lifetime"),
        on_destroy=table.text("on_destroy") or "revoke",
    )
