"""Requests to one provider: reads that try again, changes that are sent once, and errors that say which it was.

`read` returns any complete answer below 500. `change` returns a complete 2xx or 4xx other than 429, and otherwise
raises by one rule: `Unreachable` where nothing was sent, `RateLimited` on 429, `InDoubt` on all else.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from time import monotonic
from typing import Any, NoReturn
from urllib.parse import urljoin, urlsplit

from provisioner.errors import BadAnswer, CredentialsRefused, InDoubt, RateLimited, Unreachable
from provisioner.net import limits
from provisioner.net.answers import Answer
from provisioner.net.body import Form, Unsendable
from provisioner.net.request import Given, Request, build
from provisioner.net.transport import NoAnswer, NotSent, Raw, Unwanted, Wire, is_loopback
from provisioner.secret import Secret

_ATTEMPTS = 4
_ASKED_TO_WAIT = 10  # times that a 429 is waited for
_BACK_OFF = 0.25  # seconds before the second attempt, doubled for each further one
_REDIRECTS = 5


class Session:
    """One a provider and run; thread-safe. `secrets` are masked wherever a vendor's words are quoted, beside what the
    request itself carried. `per_minute` is the vendor's budget, where it is known; it is not kept towards loopback,
    where no vendor is. `retry_after` reads the vendor's own header, in seconds; `Retry-After` counts where it finds
    none. `timeout` is in seconds, for each wait and for reading a whole body.

    `wanted` may be set by whoever sends changes: one that has to wait, for its turn or before it is sent again, is sent
    only while this says yes."""

    def __init__(
        self,
        *,
        provider: str,
        secrets: Iterable[Secret] = (),
        parallelism: int = 10,
        per_minute: int | None = None,
        retry_after: Callable[[Mapping[str, str]], float | None] = limits.retry_after,
        sandbox: Path | None = None,
        ca_file: str | None = None,
        timeout: float = 30.0,
    ) -> None:
        self.provider = provider
        self._secrets = tuple(secrets)
        self._retry_after = retry_after
        self._pace = limits.Pace(parallelism=parallelism, per_minute=per_minute)
        self._wire = Wire(timeout=timeout, ca_file=ca_file, sandbox=sandbox)
        self._patience = 2 * timeout
        self.wanted: limits.Wanted = _always

    def read(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str | Secret] | None = None,
        basic: tuple[str, Secret] | None = None,
        bearer: Secret | None = None,
        form: Form | Callable[[], Form] | None = None,
        json: Any = None,
    ) -> Answer:
        """A request that changes nothing. Repeated, with jittered back-off, until a complete answer below 500 and
        other than 429 comes. Redirects are followed on the same scheme, host and port only; others are returned. A
        `form` that is a function is made anew for each attempt, here and in `change`.

        Raises Unreachable, BadAnswer (an answer beyond 1 MiB), CredentialsRefused (a value that no header carries)."""
        request = self._request(method, url, Given(headers, basic, bearer, form, json))
        for _ in range(_REDIRECTS):
            answer = self._read(request)
            target = _redirect(request, answer)
            if target is None:
                return answer
            request = request._replace(url=target)
        raise BadAnswer("bad-answer", f"provider {self.provider}: redirects without end", f"{request.where}.")

    def change(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str | Secret] | None = None,
        basic: tuple[str, Secret] | None = None,
        bearer: Secret | None = None,
        form: Form | Callable[[], Form] | None = None,
        json: Any = None,
        repeatable: bool = False,
        fresh: bool = True,
    ) -> Answer:
        """A request that changes something, sent at most once. `repeatable` says that sending it again is harmless:
        then it is, before any error is raised. `fresh` False lets it use a connection that served before: fewer
        handshakes, at the price that a server that just closed it leaves the change in doubt. Never for what spends or
        rotates.

        Raises Unreachable (nothing was sent; "interrupted" where it was not wanted any more), RateLimited (429),
        InDoubt (no answer, half of one, 1xx, 3xx, 5xx), CredentialsRefused (a value that no header can carry; nothing
        was sent)."""
        request = self._request(method, url, Given(headers, basic, bearer, form, json))
        request = request._replace(fresh=fresh and not repeatable)
        doubt: Answer | NoAnswer | None = None  # an attempt that may have taken effect, whatever became of the next
        for attempt in range(1, _ATTEMPTS + 1):
            outcome = self._send(request, self.wanted)
            if _definite(outcome):
                return self._settle(request, outcome)
            if isinstance(outcome, NoAnswer) or (isinstance(outcome, Answer) and outcome.status != 429):
                doubt = outcome
            again = repeatable or (isinstance(outcome, NotSent) and outcome.passing)
            if attempt == _ATTEMPTS or not again:
                return self._settle(request, doubt or outcome)
            if not self._slept(self._pause(outcome, attempt), self.wanted):
                return self._settle(request, doubt or Unwanted())
        raise AssertionError("the last attempt returns or raises")

    def close(self) -> None:
        """Ends waits at once (they raise Unreachable) and closes connections as they fall idle."""
        self._pace.close()
        self._wire.close()

    # -- one request -------------------------------------------------------------------------------------------------

    def _request(self, method: str, url: str, given: Given) -> Request:
        try:
            return build(method, url, given, self._secrets)
        except Unsendable as error:
            problem = str(error)
        raise CredentialsRefused(
            "credentials-refused",
            f"provider {self.provider}: {problem}",
            "Nothing was sent. Check the value that the reference gives, for a line break or a stray character.",
        )

    def _send(self, request: Request, wanted: limits.Wanted | None = None) -> Answer | NotSent | NoAnswer:
        """One attempt in its turn. Returns its errors: what they mean depends on who asked."""
        try:
            with self._pace.turn(budgeted=not is_loopback(urlsplit(request.url).hostname or ""), wanted=wanted):
                request = request.now()
                raw = self._wire.exchange(
                    request.method, request.url, request.headers, request.content, fresh=request.fresh
                )
        except limits.Closed:
            return Unwanted()
        except (NotSent, NoAnswer) as error:
            return error
        self._adapt(raw)
        return Answer(raw.status, raw.headers, raw.body, request.sent)

    def _adapt(self, raw: Raw) -> None:
        if raw.status == 429:
            self._pace.slow_down(self._asked(raw.headers))
        else:
            self._pace.went_well()

    def _asked(self, headers: Mapping[str, str]) -> float:
        """Seconds that a 429 asks for: the vendor's own header, then `Retry-After`, then one second."""
        asked = self._retry_after(headers)
        if asked is None:
            asked = limits.retry_after(headers)
        return 1.0 if asked is None else limits.clamp(asked)

    # -- reads -------------------------------------------------------------------------------------------------------

    def _read(self, request: Request) -> Answer:
        began, attempt, asked_to_wait = monotonic(), 0, 0
        while True:
            outcome = self._send(request)
            if isinstance(outcome, Answer) and outcome.status < 500 and outcome.status != 429:
                return outcome
            if isinstance(outcome, Answer) and outcome.status == 429:
                asked_to_wait += 1
                again = asked_to_wait < _ASKED_TO_WAIT
            else:
                attempt += 1
                again = attempt < _ATTEMPTS and _passing(outcome) and monotonic() - began < self._patience
            if not again:
                self._unread(request, outcome)
            self._sleep(request, self._pause(outcome, attempt + asked_to_wait))

    def _unread(self, request: Request, outcome: Answer | NotSent | NoAnswer) -> NoReturn:
        who = f"provider {self.provider}"
        if isinstance(outcome, NoAnswer) and outcome.whole:
            raise BadAnswer("bad-answer", f"{who}: {outcome}", f"{request.where}. Check base_url.")
        if isinstance(outcome, Answer) and outcome.status == 429:
            raise Unreachable(
                "rate-limited",
                f"{who} keeps asking to slow down",
                f"{request.where} answered 429 {_ASKED_TO_WAIT} times. Run again later, or with a lower --parallelism.",
            )
        reason = f"it answers {outcome.status}" if isinstance(outcome, Answer) else str(outcome)
        raise Unreachable(
            "unreachable", f"{who} could not be read: {reason}", f"{request.where}. Nothing was changed. {_ADVICE}"
        )

    # -- changes -----------------------------------------------------------------------------------------------------

    def _settle(self, request: Request, outcome: Answer | NotSent | NoAnswer) -> Answer:
        who = f"provider {self.provider}"
        if isinstance(outcome, Unwanted):
            raise Unreachable("interrupted", f"{who}: {outcome}", f"{request.where} was not sent.")
        if isinstance(outcome, NotSent):
            raise Unreachable(
                "unreachable",
                f"{who} could not be reached: {outcome}",
                f"{request.where}. Nothing was sent. {_ADVICE}",
            )
        if isinstance(outcome, NoAnswer):
            raise InDoubt(
                "in-doubt", f"{who}: {outcome}", f"{request.where} was sent; whether it took effect is not known."
            )
        if outcome.status == 429:
            raise RateLimited(
                "rate-limited",
                f"{who} asks to slow down",
                f"{request.where} answered 429, so nothing was done. Run apply again later.",
                retry_after=self._asked(outcome.headers),
            )
        if not _definite(outcome):
            raise InDoubt(
                "in-doubt",
                f"{who} answered {outcome.status}",
                f"{request.where} was sent; whether it took effect is not known.",
            )
        return outcome

    # -- waiting -----------------------------------------------------------------------------------------------------

    def _pause(self, outcome: Answer | NotSent | NoAnswer, attempt: int) -> float:
        """Seconds until the next attempt: jittered, so that ten threads do not come back as one."""
        back_off: float = _BACK_OFF * 2 ** min(attempt - 1, 5) * random.uniform(0.5, 1)  # noqa: S311  # jitter, no secret
        if isinstance(outcome, Answer) and outcome.status == 429:
            return self._asked(outcome.headers) + back_off / 10
        if isinstance(outcome, Answer) and outcome.status == 503:
            return max(back_off, limits.retry_after(outcome.headers) or 0.0)
        return back_off

    def _sleep(self, request: Request, seconds: float) -> None:
        if not self._slept(seconds):
            raise Unreachable(
                "unreachable", f"provider {self.provider}: the run is stopping", f"{request.where} was not answered."
            )

    def _slept(self, seconds: float, wanted: limits.Wanted | None = None) -> bool:
        """False where the session was closed meanwhile, or nobody wants the rest any more."""
        try:
            self._pace.sleep(seconds, wanted)
        except limits.Closed:
            return False
        return True


def _always() -> bool:
    return True


_ADVICE = "Check base_url, the network and the proxy settings, and run again."


def _definite(outcome: Answer | NotSent | NoAnswer) -> bool:
    """A complete yes or no: 2xx, or 4xx that is not 429."""
    return isinstance(outcome, Answer) and (
        200 <= outcome.status < 300 or (400 <= outcome.status < 500 and outcome.status != 429)
    )


def _passing(outcome: Answer | NotSent | NoAnswer) -> bool:
    """Whether trying a read again may help."""
    if isinstance(outcome, NotSent):
        return outcome.passing
    return not (isinstance(outcome, NoAnswer) and outcome.whole)


def _redirect(request: Request, answer: Answer) -> str | None:
    """Where to look instead: on the same scheme, host and port, because the request carries credentials. A body is sent
    again only where the server asks for that (307, 308: RFC 9110 section 15.4)."""
    followed = (301, 302, 303, 307, 308) if request.method in ("GET", "HEAD") else (307, 308)
    location = answer.headers.get("location")
    if answer.status not in followed or not location:
        return None
    try:
        target, origin = urlsplit(urljoin(request.url, location)), urlsplit(request.url)
        same = (target.scheme, target.hostname, target.port) == (origin.scheme, origin.hostname, origin.port)
    except ValueError:
        return None
    return target.geturl() if same and "@" not in target.netloc else None
