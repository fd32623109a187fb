"""Reading a token endpoint's answer (RFC 6749 section 5.1), strictly: what cannot be understood is in doubt.

A token may have been minted whatever the body looks like, so no 2xx answer is ever taken for a failure.
"""

from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal
from typing import Any

from provisioner.errors import InDoubt
from provisioner.net.answers import Answer
from provisioner.providers._urls import json_object
from provisioner.providers.base import Grant
from provisioner.secret import Secret

# Longer than any policy, short enough for date arithmetic.
LONGEST = timedelta(days=36_500)

# RFC 6749 appendix A.12 allows a space too, but such a token cannot stand in an Authorization header (RFC 6750
# section 2.1), and a line break would end the header.
_TOKEN = re.compile(r"[\x21-\x7e]+")
_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+")
_DIGITS = re.compile(r"[0-9]+")


class _Unreadable(ValueError):
    """Says which member cannot be read, and never its value."""


def parse_grant(answer: Answer, provider: str, *, silence_is_forever: bool = False) -> Grant:
    """The grant of a 2xx answer. Unknown members are ignored (RFC 6749 section 5.1).

    `silence_is_forever`: an absent `expires_in` means that the token never ends (TEXTKING's own rule; elsewhere it
    means that the server did not say). Raises InDoubt on everything else.
    """
    try:
        body = json_object(answer)
        if body is None:
            raise _Unreadable("the body is not a JSON object")
        return _read(body, silence_is_forever=silence_is_forever)
    except _Unreadable as problem:
        raise InDoubt(
            "in-doubt",
            f"{provider} answered a token request with {answer.status}, and the answer cannot be understood: {problem}",
            "A token may have been issued. The next apply settles this; nothing is taken for granted until then.",
        ) from None


def _read(body: dict[str, Any], *, silence_is_forever: bool) -> Grant:
    access = _token(body, "access_token")
    if access is None:
        raise _Unreadable("there is no access_token")
    kind = body.get("token_type")
    if not isinstance(kind, str) or kind.casefold() != "bearer":
        raise _Unreadable("the token_type is not Bearer")
    expires_in = _lifetime(body.get("expires_in"))
    return Grant(
        access_token=access,
        refresh_token=_token(body, "refresh_token"),
        expires_in=expires_in,
        never_expires=silence_is_forever and expires_in is None,
        scopes=parse_scopes(body.get("scope")),
    )


def _token(body: dict[str, Any], name: str) -> Secret | None:
    value = body.get(name)
    if value is None or value == "":
        return None
    if not isinstance(value, str) or not _TOKEN.fullmatch(value):
        raise _Unreadable(f"the {name} is not a token")
    return Secret(value)


def _lifetime(value: object) -> timedelta | None:
    """Seconds, as a number or as digits in a string (TEXTKING writes `"2592000"`)."""
    if value is None:
        return None
    digits = isinstance(value, str) and _DIGITS.fullmatch(value)
    number = isinstance(value, int | Decimal) and not isinstance(value, bool)
    seconds = Decimal(str(value)) if digits or number else Decimal("NaN")
    if not seconds.is_finite() or seconds < 0:
        raise _Unreadable("the expires_in is not a number of seconds")
    return LONGEST if seconds > LONGEST.total_seconds() else timedelta(seconds=int(seconds))


def parse_scopes(value: object) -> tuple[str, ...] | None:
    """The `scope` member, sorted and unique; None where there is none. A list of strings is taken as well, as some
    servers write it. Raises `_Unreadable`, a ValueError, on anything else."""
    if value is None:
        return None
    names = value.split() if isinstance(value, str) else value
    if not isinstance(names, list) or not all(isinstance(name, str) and _SCOPE.fullmatch(name) for name in names):
        raise _Unreadable("the scope is not a list of scope names")
    return tuple(sorted(set(names)))
