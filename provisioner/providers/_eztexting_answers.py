"""Reading EZ Texting's answers: what is documented, what was seen live, and what nobody documents.

Sources: https://developers.eztexting.com/docs/errors and /docs/authentication; the purchase's answer is in neither.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any

from provisioner.net.answers import Answer, NotJson
from provisioner.providers import _vendor_api as api

ACCESS_LIFE = timedelta(seconds=5400)
_MOST_EVIDENCE = 12  # members of a purchase's answer that are kept


def retry_after(headers: Mapping[str, str]) -> float | None:
    """`X-Rate-Limit-Retry-After-Milliseconds`, in seconds. None where it is absent or no number."""
    text = headers.get("x-rate-limit-retry-after-milliseconds", "").strip()
    return int(text) / 1000 if re.fullmatch(r"-?\d{1,15}", text) else None


def said_by(answer: Answer) -> str:
    """The vendor's words, fit to be shown: `errors[0].message`, then `detail`, then `title`. Live answers differ from
    the documented ones (`code` for `title`, no `detail`), so nothing is required."""
    try:
        body = answer.object()
    except NotJson:
        return ""
    errors = body.get("errors")
    first = errors[0] if isinstance(errors, list) and errors else None
    words = [first.get("message") if isinstance(first, dict) else None, body.get("detail"), body.get("title")]
    return next((said for word in words if (said := answer.quote(word))), "")


def credits_in(body: dict[str, Any], name: str) -> Decimal:
    """A whole number of credits, however it is written: 153, 153.0 or "153". Raises Unreadable: a maintenance page must
    not pass for an empty account."""
    value = api.whole(body.get(name))
    if value is None:
        raise api.Unreadable(f"{name} is not a whole number")
    return Decimal(value)


def access_life(body: dict[str, Any]) -> timedelta:
    """`expiresInSeconds` concerns the access token. Absent, the published 90 minutes hold: the token is good anyway."""
    value = body.get("expiresInSeconds")
    if value is None:
        return ACCESS_LIFE
    seconds = api.whole(value)
    if seconds is None or seconds <= 0:
        raise api.Unreadable("expiresInSeconds is not a number of seconds")
    return min(timedelta(seconds=min(seconds, 10**9)), api.LONGEST_LIFE)


def evidence(body: dict[str, Any]) -> dict[str, Any]:
    """Numbers only, as the journal can hold them: an undocumented answer may name the card or its owner."""
    numbers: dict[str, Any] = {}
    for name, value in body.items():
        if isinstance(value, bool) or not re.fullmatch(r"[A-Za-z]{1,40}", name) or "card" in name.lower():
            continue
        if isinstance(value, int) and abs(value) < 10**12:
            numbers[name] = value
        elif isinstance(value, Decimal) and value.is_finite() and len(str(value)) < 20:
            numbers[name] = str(value)
    return dict(list(numbers.items())[:_MOST_EVIDENCE])
