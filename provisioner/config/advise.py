"""What is allowed in a declaration and still deserves a word. Pure; `validate` and `plan` show the same."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator
from datetime import timedelta

from provisioner import providers
from provisioner.address import Address
from provisioner.config.problems import absolute, key_path
from provisioner.errors import Diagnostic
from provisioner.model.desired import Application, CreditFloor, Desired
from provisioner.providers.base import Credits, Vendor
from provisioner.records import replace
from provisioner.times import format_duration


def check_warnings(
    desired: Desired,
    vendors: Callable[[str], Vendor] = providers.vendor,
    *,
    granted: Container[Address] = (),
) -> list[Diagnostic]:
    """Warnings that need no state and no network: one for each combination of token policy and provider, and those of
    each floor. `granted`: tokens whose lifetime a grant has shown since."""
    found: list[Diagnostic] = []
    groups: dict[tuple[str, str, timedelta | None], list[Application]] = {}
    for application in desired.applications:
        config = desired.providers[application.provider]
        vendor = vendors(config.type)
        if not vendor.never_expires(application):
            life = vendor.token_lifetime(application)
            groups.setdefault((config.type, application.policy.name, life), []).append(application)
        said = vendor.check_application(application)
        found.extend(_placed(one, application) for one in said if one.severity == "warning")
    for (type_name, _, life), members in groups.items():
        found.extend(_lives_too_short(members, vendors(type_name), life, desired.run_interval))
        found.extend(_unverified(members, granted, vendors(type_name), life))
    for floor in desired.credits:
        vendor = vendors(desired.providers[floor.provider].type)
        found.extend(_unpriced(floor, vendor, desired))
        found.extend(_unreadable(floor, vendor, desired))
    return found


def _lives_too_short(
    members: list[Application], vendor: Vendor, life: timedelta | None, run_interval: timedelta
) -> Iterator[Diagnostic]:
    """A run may meet a token just before half of its life and leave it alone (contract section 2, `renew_before`)."""
    if life is None or run_interval <= life / 2:
        return
    half = format_duration(life / 2)
    yield _warning(
        "lives-too-short",
        f"{_named(members)}: a token of {vendor.title} lives {format_duration(life)}, "
        f"and apply runs every {format_duration(run_interval)}",
        f"It can lapse between two runs. Run apply every {half} or more often and set stack.run_interval to that, "
        "or let consumers fetch tokens with `provisioner token`, which renews first.",
        members[0],
    )


def _unverified(
    members: list[Application], granted: Container[Address], vendor: Vendor, life: timedelta | None
) -> Iterator[Diagnostic]:
    limit = members[0].policy.max_lifetime
    if life is not None or limit is None:
        return
    unseen = [one for one in members if not all(address in granted for address, _ in one.token_addresses)]
    if unseen:
        yield _warning(
            "unverified-lifetime",
            f"{_named(unseen)}: how long {vendor.title} tokens live is known only once one is granted",
            f"max_lifetime of {format_duration(limit)} is held against each token then.",
            unseen[0],
        )


def _unpriced(floor: CreditFloor, vendor: Vendor, desired: Desired) -> Iterator[Diagnostic]:
    if (
        vendor.credits is Credits.PURCHASE
        and desired.safety.max_spend
        and floor.currency not in desired.safety.max_spend
    ):
        if floor.unit_price is None:
            said = "[safety] max_spend refuses every purchase here, because it cannot know what one costs"
            detail = "Declare unit_price and currency, and a limit in that currency."
        else:
            said = f"[safety] max_spend has no limit in {floor.currency} for what is bought here"
            detail = f"Add {floor.currency} to it. max_per_apply holds in any case."
        yield Diagnostic(
            name="spend-unlimited",
            summary=f"{floor.address}: {said}",
            detail=detail,
            severity="warning",
            address=str(floor.address),
            file=floor.file,
            line=floor.line,
        )


def _unreadable(floor: CreditFloor, vendor: Vendor, desired: Desired) -> Iterator[Diagnostic]:
    mine = [one for one in desired.applications if one.provider == floor.provider]
    if vendor.credits_need_token and not any(vendor.shows_credits(one.scopes) for one in mine):
        yield Diagnostic(
            name="balance-unreadable",
            summary=f"{floor.address}: no application of {floor.provider} asks for a scope that shows the balance",
            detail=f"{vendor.title} shows it to tokens that may read the user. Add such a scope to one of them, and "
            "authorize it again.",
            severity="warning",
            address=str(floor.address),
            file=floor.file,
            line=floor.line,
        )


def _placed(one: Diagnostic, application: Application) -> Diagnostic:
    """A vendor's warning, whose key path is relative to the application's table."""
    path = key_path(absolute(("applications", application.address.name), one.key_path))
    address = str(application.address)
    return replace(one, address=address, file=application.file, line=application.line, key_path=path)


def _named(members: list[Application]) -> str:
    first = str(members[0].address.as_type("token"))
    return first if len(members) == 1 else f"{first} and {len(members) - 1} more"


def _warning(name: str, summary: str, detail: str, application: Application) -> Diagnostic:
    return Diagnostic(
        name=name,
        summary=summary,
        detail=detail,
        severity="warning",
        address=str(application.address.as_type("token")),
        file=application.file,
        line=application.line,
    )
