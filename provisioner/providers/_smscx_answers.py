"""Reading SMS.CX's answers, leniently where its documentation is silent and strictly where a secret or money is meant.

Sources: the "Create new Application ID & Secret" article, and the vendor's published API clients (1.0.2).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any

from provisioner.net import limits
from provisioner.net.answers import Answer, NotJson
from provisioner.providers import _vendor_api as api
from provisioner.providers.base import Grant
from provisioner.records import dataclass
from provisioner.secret import Secret

NEVER = "never"
LIFETIMES = {"1d": timedelta(days=1), "1w": timedelta(weeks=1)}  # and NEVER
_NEVER = ("never", "no", "none", "null", "noexpiration", "noexpiry", "unlimited", "infinite", "0", "-1", "")
_MONEY = re.compile(r"-?[0-9]{1,18}(\.[0-9]{1,18})?", re.ASCII)
_SPAN = re.compile(
    r"(?:pt?)?(\d{1,15})(s|sec|secs|second|seconds|m|min|mins|minute|minutes|h|hour|hours|d|day|days|w|week|weeks)?"
)
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_WORDS = {"day": "1d", "daily": "1d", "oneday": "1d", "week": "1w", "weekly": "1w", "oneweek": "1w"}


@dataclass(frozen=True, slots=True)
class Listed:
    """One application of the vendor's list. The secret stays in a Secret, and that in the provider."""

    client_id: str
    name: str  # "" where the vendor has none
    scopes: tuple[str, ...]
    token_lifetime: str | None
    secret: Secret | None


def retry_after(headers: Mapping[str, str]) -> float | None:
    """`X-Rate-Limit-Reset`, an absolute Unix second, as seconds from the answer's own `Date`: our clock may be wrong.
    None where it is absent or no number."""
    text = headers.get("x-rate-limit-reset", "").strip()
    if not re.fullmatch(r"-?\d{1,15}(\.\d{1,9})?", text):
        return None
    return float(text) - limits.server_clock(headers)


def error_in(answer: Answer) -> tuple[str | None, str]:
    """The error's type and the vendor's words about it. The type and never the code decides: one code is shared by four
    errors of the token endpoint. RFC 6749's flat shape is taken as well as the vendor's envelope."""
    try:
        body = answer.object()
    except NotJson:
        return None, ""
    error = body.get("error")
    if isinstance(error, dict):
        kind, words = error.get("type"), error.get("message")
    else:
        kind, words = error, body.get("error_description") or body.get("message")
    known = kind if isinstance(kind, str) and re.fullmatch(r"[a-z_]{1,40}", kind) else None
    return known, answer.quote(words) or (known or "")


def listed_in(answer: Answer) -> list[Listed]:
    """Every application of the list. An account without any is `{"data": []}`, `{"data": {}}` or null, depending on
    whom one asks. Raises Unreadable, NotJson."""
    data = answer.object().get("data", api.MISSING)
    if data in (None, [], {}):
        return []
    if isinstance(data, dict):  # one application, or applications by some key
        data = [data] if "applicationId" in data else list(data.values())
    if not isinstance(data, list):
        raise api.Unreadable("its data is not a list of applications")
    return [_listed(item) for item in data]


def _listed(item: Any) -> Listed:
    if not isinstance(item, dict):
        raise api.Unreadable("an application in its data is not an object")
    client_id = _identifier(item.get("applicationId"), "applicationId")
    if client_id is None:
        raise api.Unreadable("an application in its data has no applicationId")
    secret = _identifier(item.get("applicationSecret"), "applicationSecret")
    name = item.get("applicationName", item.get("name"))
    return Listed(
        client_id=client_id,
        name=name.strip() if isinstance(name, str) else "",
        scopes=scopes_in(item.get("scopes")) or (),
        token_lifetime=lifetime_word(item.get("tokenExpiration", api.MISSING)),
        secret=Secret(secret) if secret else None,
    )


def _identifier(value: Any, name: str) -> str | None:
    """Stripped, because the vendor's own sample carries a space; refused with white space or a colon inside, because
    Basic would send another pair than was meant."""
    if value is None:
        return None
    if not isinstance(value, str) or re.search(r"[\s:\x00-\x1f\x7f]", value.strip()):
        raise api.Unreadable(f"an {name} in its data is not an identifier")
    return value.strip() or None


def scopes_in(value: Any) -> tuple[str, ...] | None:
    """Sorted and unique, from a string parted by spaces (trailing ones are usual) or a list. None where absent.
    Raises Unreadable."""
    if value is None:
        return None
    names = re.split(r"[\s,]+", value) if isinstance(value, str) else value
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise api.Unreadable("the scopes are neither a string nor a list")
    return tuple(sorted({name.strip() for name in names} - {""}))


def lifetime_word(value: Any) -> str | None:
    """`tokenExpiration` in our spelling: 1d, 1w or never. The wire values are undocumented, so words, units and seconds
    are all taken; what is none of the three is given as the vendor wrote it. None: the member is absent."""
    if value is api.MISSING:
        return None
    if isinstance(value, bool):
        return NEVER if value is False else "true"
    text = "" if value is None else str(value)
    plain = re.sub(r"[\s_-]+", "", text.casefold()) if not text.strip().startswith("-") else text.strip()
    if plain in _NEVER:
        return NEVER
    if plain in _WORDS:
        return _WORDS[plain]
    span = _SPAN.fullmatch(plain)
    if span:
        seconds = int(span[1]) * _UNITS[(span[2] or "s")[0]]
        if seconds == 0 or seconds > api.LONGEST_LIFE.total_seconds():
            return NEVER
        return {86400: "1d", 604800: "1w"}.get(seconds, text.strip())
    return text.strip()[:40]


def grant_in(answer: Answer) -> Grant:
    """A token. `expires_in` 0, negative or beyond ten years is how a token that never ends may look. Raises Unreadable,
    NotJson."""
    body = answer.object()
    access = api.token(body, "access_token")
    if str(body.get("token_type")).casefold() != "bearer":  # RFC 6749 section 5.1; the vendor writes Bearer
        raise api.Unreadable('its token_type is not "Bearer"')
    scopes = scopes_in(body.get("scope"))
    if "expires_in" not in body:
        return Grant(access_token=access, scopes=scopes)
    value = body["expires_in"]
    seconds = 0 if value is None else api.whole(value)
    if seconds is None:
        raise api.Unreadable("its expires_in is not a number of seconds")
    if seconds <= 0 or seconds > api.LONGEST_LIFE.total_seconds():
        return Grant(access_token=access, scopes=scopes, never_expires=True)
    return Grant(access_token=access, scopes=scopes, expires_in=timedelta(seconds=seconds))


def balance_in(answer: Answer) -> tuple[Decimal, str, bool]:
    """The balance, its upper-case currency, and whether the account is postpaid. Raises Unreadable, NotJson."""
    body = answer.object()
    balance, currency = body.get("balance"), body.get("currency")
    if isinstance(balance, str) and _MONEY.fullmatch(balance):
        balance = Decimal(balance)
    if isinstance(balance, bool) or not isinstance(balance, int | Decimal):
        raise api.Unreadable("its balance is not a number")
    exact = Decimal(balance)
    if not exact.is_finite() or abs(exact.adjusted()) >= 20:  # beyond that no arithmetic on it is exact
        raise api.Unreadable("its balance is not a number that an account holds")
    if not isinstance(currency, str) or not re.fullmatch(r"[A-Za-z]{3}", currency.strip()):
        raise api.Unreadable("its currency is not a code of three letters")
    return exact, currency.strip().upper(), body.get("billing") == "postpaid"
