"""What the two vendors with an API of their own (EZ Texting, SMS.CX) share: reading numbers, refusals, and a probe
that tells a dead token from a refused account. The OAuth vendors have `_oauth` and its files instead, and take `whole`
from here.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

from provisioner.errors import BadAnswer, CredentialsRefused, InDoubt, StepRefused
from provisioner.model.observed import ALIVE, DEAD, UNKNOWN, ObservedToken
from provisioner.net.answers import Answer, NotJson
from provisioner.secret import Secret

LONGEST_LIFE = timedelta(days=3653)  # ten years: what a vendor writes beyond it means "never" (vendor sheet, trap 10)

MISSING: Any = object()  # a member that is absent, where null means something

_TOKEN = re.compile(r"[\x21-\x7e]+")  # RFC 6750 section 2.1 is narrower; these vendors' tokens are opaque
_DIGITS = re.compile(r"[+-]?\d{1,18}")
_NOT_SETTLED = "Whether it took effect is not known. The next apply looks before it does anything else."


class Unreadable(ValueError):
    """Names the member that cannot be read, and never its value."""


def whole(value: Any) -> int | None:
    """A whole number, also as digits in a string or with a fraction of nought; None for anything else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, Decimal):
        return int(value) if value.is_finite() and abs(value) < 10**18 and value == int(value) else None
    if isinstance(value, str) and _DIGITS.fullmatch(value.strip()):
        return int(value)
    return None


def token(body: dict[str, Any], name: str) -> Secret:
    """A token of an answer. Raises Unreadable where there is none that could be sent in a header."""
    value = body.get(name)
    if not isinstance(value, str) or not _TOKEN.fullmatch(value):
        raise Unreadable(f"{name} is not a token")
    return Secret(value)


def in_doubt(provider: str, what: str, answer: Answer, problem: object) -> InDoubt:
    """For a 2xx answer to a change that cannot be understood: something may have happened."""
    return InDoubt("in-doubt", f"provider {provider}: {what} was answered {answer.status}, but {problem}", _NOT_SETTLED)


def bad_answer(provider: str, what: str, answer: Answer, problem: object) -> BadAnswer:
    """For an answer to a read that cannot be understood."""
    return BadAnswer(
        "bad-answer",
        f"provider {provider}: {what} was answered {answer.status}, but {problem}",
        "Check base_url: a maintenance page or a proxy's login page looks like this too.",
    )


def unexpected(provider: str, what: str, answer: Answer, said: str) -> BadAnswer:
    """For a read that was answered with a status that it should not have."""
    words = f": {said}" if said else ""
    return BadAnswer(
        "bad-answer",
        f"provider {provider}: {what} was answered {answer.status}{words}",
        "Check base_url and run again.",
    )


def credentials_refused(provider: str, what: str, said: str, advice: str) -> CredentialsRefused:
    words = f" ({said})" if said else ""
    return CredentialsRefused(
        "credentials-refused", f"provider {provider} refused its credentials for {what}{words}", advice
    )


def refused(
    provider: str, what: str, answer: Answer, said: str, advice: str, *, oauth_error: str | None = None
) -> StepRefused:
    """A definite no to one change."""
    words = f": {said}" if said else ""
    return StepRefused(
        "refused",
        f"provider {provider} refused {what} ({answer.status}){words}",
        f"Nothing was changed. {advice}",
        oauth_error=oauth_error,
    )


def probe(
    read: Callable[[], Answer], account_answers: Callable[[], bool], *, forbidden_is_alive: bool
) -> ObservedToken:
    """Whether a token lives, by a harmless read with it.

    One 401 proves little: it is also what a refused account or address gets. So a token is dead only where the
    account's own credentials are taken at the same time, and a second read says 401 again.
    """
    first = _judge(read(), forbidden_is_alive=forbidden_is_alive)
    if first.liveness != DEAD:
        return first
    if not account_answers():
        return ObservedToken(
            liveness=UNKNOWN, detail="the account itself is refused, which says nothing about the token"
        )
    return _judge(read(), forbidden_is_alive=forbidden_is_alive)


def _judge(answer: Answer, *, forbidden_is_alive: bool) -> ObservedToken:
    if answer.status == 401:
        return ObservedToken(liveness=DEAD, detail="the vendor answers 401 to it, twice")
    if answer.status == 403 and forbidden_is_alive:
        return ObservedToken(liveness=ALIVE)
    if 200 <= answer.status < 300:
        try:
            answer.object()
        except NotJson:
            return ObservedToken(liveness=UNKNOWN, detail="the vendor's answer to a read with it is not JSON")
        return ObservedToken(liveness=ALIVE)
    return ObservedToken(liveness=UNKNOWN, detail=f"the vendor answers {answer.status} to a read with it")
