"""What is delivered, and the names under which whoever uses it finds it. Only this room turns a `Secret` into text.

Environment variables are named for the address: `token.campaigns["web"]` is `TOKEN_CAMPAIGNS_WEB`. The rule: the parts
of the address, upper case, joined by `_`; whatever is no ASCII letter or digit becomes `_`, one for a run of them. Two
addresses that would share a name are an error, because one of the tokens would silently not be there.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from provisioner.address import Address
from provisioner.errors import Invalid
from provisioner.records import dataclass
from provisioner.secret import Secret
from provisioner.times import to_rfc3339

_OTHER = re.compile(r"[^A-Z0-9]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    """One token that is valid now. `application` is the application's name at its address, `key` its `for_each` key;
    `expires_at` None means that it never ends. `token_type` is what stands before it in a header (RFC 6750)."""

    address: Address
    application: str
    access_token: Secret
    consumer: str | None = None
    key: str | None = None
    expires_at: datetime | None = None
    scopes: tuple[str, ...] = ()
    provider: str = ""
    provider_type: str = ""
    token_type: str = "Bearer"  # noqa: S105  # the name of a scheme

    def to_json(self) -> dict[str, Any]:
        """Everything but the token itself."""
        return {
            "address": str(self.address),
            "application": self.application,
            "key": self.key,
            "consumer": self.consumer,
            "provider": self.provider,
            "provider_type": self.provider_type,
            "token_type": self.token_type,
            "expires_at": None if self.expires_at is None else to_rfc3339(self.expires_at),
            "scopes": list(self.scopes),
        }


def variable_name(address: Address) -> str:
    """`TOKEN_WORKER_EU_WEB` for `token.worker["eu"]["web"]`."""
    parts = [address.type, address.name, *address.keys]
    return "_".join(_OTHER.sub("_", part.upper()).strip("_") or "_" for part in parts)


def variable_names(tokens: Sequence[Delivered]) -> list[str]:
    """One name a token. Raises Invalid naming every pair of addresses that would share one."""
    seen: dict[str, Address] = {}
    for token in tokens:
        name = variable_name(token.address)
        other = seen.setdefault(name, token.address)
        if other != token.address:
            raise Invalid(
                "duplicate",
                f"{other} and {token.address} would both be delivered as {name}",
                "Rename one of them, or deliver one address at a time: `provisioner output ADDRESS`.",
                address=str(token.address),
            )
    return [variable_name(token.address) for token in tokens]


def environment(tokens: Sequence[Delivered]) -> dict[str, Secret]:
    """What `run` adds to a command's environment, by variable name. Raises Invalid on a collision."""
    return dict(zip(variable_names(tokens), (token.access_token for token in tokens), strict=True))


def refuse_control_characters(token: Delivered, where: str) -> str:
    """The token's value for a place that holds one line. Raises Invalid, without the value, where it cannot be there.

    A token with a line end in it would otherwise write lines of its own into a header or an environment file."""
    value = token.access_token.reveal()
    if not value or not value.isprintable():
        raise refuse(token, where, "It is empty or has control characters.")
    return value


def refuse(token: Delivered, where: str, why: str) -> Invalid:
    """The error that a value cannot stand in a format; it never shows the value."""
    return Invalid(
        "bad-value",
        f"The token of {token.address} cannot be written as {where}",
        f"{why} Take `--format json`, which can hold it, or replace it: `provisioner apply --replace ADDRESS`.",
        address=str(token.address),
    )
