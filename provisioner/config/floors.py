"""`[credits]` → `CreditFloor`s, with what their vendors sell and what guards a purchase needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from provisioner.address import NAME, Address
from provisioner.config.parts import Parts, unknown_provider
from provisioner.config.values import Table
from provisioner.model.desired import Application, CreditFloor, SecretRef
from provisioner.providers.base import Credits, Vendor

_AMOUNTS = ("minimum", "target", "pack", "max_per_apply", "max_per_day")


def build_floors(
    tables: Mapping[str, Any], applications: Sequence[Application], parts: Parts
) -> tuple[CreditFloor, ...]:
    """All floors by address, each checked against its vendor."""
    found: list[CreditFloor] = []
    with_tokens = {application.provider for application in applications}
    for name, values in tables.items():
        path = ("credits", name)
        if not NAME.fullmatch(name):
            advice = "Begin with a letter, and use letters, digits, hyphens and underscores."
            parts.problems.add("bad-value", f'"{name}" cannot be the name of a floor', advice, path=path)
            continue
        if not isinstance(values, dict):
            continue
        table = Table(parts.problems, values, path, Address("credits", name))
        floor = _floor(name, table)
        found.append(floor)
        vendor = parts.vendors.get(floor.provider)
        if vendor is not None:
            _check_floor(floor, vendor, table, parts, has_tokens=floor.provider in with_tokens)
        elif table.text("provider") and floor.provider not in parts.provider_names and not parts.problems.incomplete:
            unknown_provider(table, floor.provider, parts)
    _check_accounts(found, parts)
    return tuple(sorted(found, key=lambda f: f.address.name))


def _floor(name: str, table: Table) -> CreditFloor:
    source, _ = table.problems.origin(table.path)
    minimum = table.amount("minimum")
    target = table.amount("target")
    if minimum is not None and target is not None and target < minimum:
        table.bad("target", f"target {target:f} is below minimum {minimum:f}", "Raise target, or leave it out.")
    pack = table.amount("pack")
    if pack is not None and pack <= 0:
        table.bad("pack", "pack is zero", "Write how many are bought at once, from 1 up.")
    minimum = Decimal(0) if minimum is None else minimum
    return CreditFloor(
        address=Address("credits", name),
        provider=table.text("provider") or "",
        minimum=minimum,
        target=minimum if target is None else target,
        pack=Decimal(1) if pack is None else pack,
        max_per_apply=table.amount("max_per_apply"),
        max_per_day=table.amount("max_per_day"),
        card_last_four=table.secret("card_last_four"),
        coupon=table.secret("coupon"),
        unit_price=table.amount("unit_price"),
        currency=table.text("currency"),
        on_shortfall=table.text("on_shortfall") or "error",
        doubt_settles_after=table.above_zero("doubt_settles_after"),
        prevent_destroy=table.flag("prevent_destroy"),
        file=source.file,
        line=source.declared_at("credits", name),
    )


def _check_floor(floor: CreditFloor, vendor: Vendor, table: Table, parts: Parts, *, has_tokens: bool) -> None:
    if vendor.credits is Credits.NONE:
        advice = "Take the floor out: nothing could ever be read or bought for it."
        table.bad("provider", f"{vendor.title} has no balance", advice, name="unsupported")
        return
    config = parts.providers[floor.provider]
    if vendor.credits is Credits.PURCHASE:
        _check_guards(table, vendor, sandbox=config.base_url == "sandbox")
    else:
        for key in {"card_last_four", "coupon"} & set(table.values):
            table.bad(key, f"{vendor.title} sells nothing by API", f"Take {key} out.", name="unsupported")
    if vendor.credits_need_token and not has_tokens and not parts.problems.incomplete:
        table.bad(
            "provider",
            f"the balance at {vendor.title} is read with a token, and no application has {floor.provider} as provider",
            f'Declare an application with provider = "{floor.provider}".',
            name="unsupported",
        )
    if vendor.unit == "credits":
        _check_whole(floor, table)
    _check_price(floor, vendor, table)
    table.problems.add_relative(vendor.check_floor(floor), table.path, table.address)


def _check_guards(table: Table, vendor: Vendor, *, sandbox: bool) -> None:
    if "max_per_apply" not in table.values:
        advice = "Write the most that one apply may buy: without it, a mistake has no end."
        table.bad("max_per_apply", f"{vendor.title} sells by API: max_per_apply is missing", advice, name="missing-key")
    if "card_last_four" not in table.values and not sandbox:
        advice = 'Write it as in card_last_four = { env = "CARD_LAST_FOUR" }.'
        table.bad(
            "card_last_four", f"{vendor.title} sells by API: card_last_four is missing", advice, name="missing-key"
        )


def _check_whole(floor: CreditFloor, table: Table) -> None:
    for key in _AMOUNTS:
        amount = getattr(floor, key)
        if key in table.values and amount is not None and amount != amount.to_integral_value():
            table.bad(key, f"{key} is {amount:f}, and credits are whole", "Write a whole number.")


def _check_price(floor: CreditFloor, vendor: Vendor, table: Table) -> None:
    if "unit_price" in table.values and "currency" not in table.values:
        advice = 'Write it as in currency = "USD".'
        table.bad("currency", "a unit_price without its currency", advice, name="missing-key")
    elif floor.currency and floor.unit_price is None and "unit_price" not in table.values and vendor.unit == "credits":
        table.bad("unit_price", "a currency without a unit_price", "Write both, or neither.", name="missing-key")


def _check_accounts(floors: Sequence[CreditFloor], parts: Parts) -> None:
    """Two floors under one balance would each buy for the same shortfall."""
    owners: dict[object, CreditFloor] = {}
    for floor in floors:
        first = owners.setdefault(_account(floor.provider, parts), floor)
        if first is not floor:
            same = (
                "" if first.provider == floor.provider else f" ({first.provider} and {floor.provider} are one account)"
            )
            parts.problems.add(
                "duplicate",
                f"{first.address} and {floor.address} are floors under one balance{same}",
                "Keep one of them.",
                path=(*("credits", floor.address.name), "provider"),
                address=floor.address,
            )


def _account(provider: str, parts: Parts) -> object:
    """What tells accounts apart: the vendor, the server and the credentials' references; else the provider's name."""
    config = parts.providers.get(provider)
    if config is None or not any(isinstance(value, SecretRef) for value in config.settings.values()):
        return provider
    secrets = tuple(sorted((k, str(v.to_json())) for k, v in config.settings.items() if isinstance(v, SecretRef)))
    return config.type, config.base_url, secrets
