"""How fast one provider may be called: shared by all threads of a run, told by the vendor, bounded by us.

Three rules, strictest first: a pause that the vendor asked for; a budget of requests a minute, where it is known; and
how many may be in flight, halved by each 429 and grown back by answers.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from threading import Condition, RLock

LONGEST_WAIT = 60.0  # seconds: a wrong clock or a hostile header may ask for years
_MINUTE = 60.0
_BETWEEN_CUTS = 1.0  # ten 429s of one burst are one piece of news
_SLICE = 0.1  # seconds between two looks at whether what waits is still wanted

Wanted = Callable[[], bool]  # holds no lock; whoever gives none wants it whatever happens


class Closed(Exception):
    """The session was closed, or a request was not wanted any more, while it waited for its turn. Nothing was sent."""


def clamp(seconds: float) -> float:
    """0..60 s. A negative, huge or not-a-number wait comes of a skewed clock or a wrong unit."""
    return min(seconds, LONGEST_WAIT) if seconds > 0 else 0.0


def retry_after(headers: Mapping[str, str]) -> float | None:
    """`Retry-After` (RFC 9110 section 10.2.3) in seconds: a number, or a date, which is read against the answer's own
    `Date` so that our clock need not be right. None where there is none that can be read."""
    text = headers.get("retry-after", "").strip()
    if not text:
        return None
    try:
        return clamp(float(text))
    except ValueError:
        pass
    until = http_date(text)
    return None if until is None else clamp(until - server_clock(headers))


def server_clock(headers: Mapping[str, str]) -> float:
    """The server's idea of now in Unix seconds, by its `Date` header; ours where it gives none."""
    stamped = http_date(headers.get("date", ""))
    return time.time() if stamped is None else stamped


def http_date(text: str) -> float | None:
    """An HTTP date in Unix seconds, or None."""
    from email.utils import parsedate_to_datetime

    try:
        return parsedate_to_datetime(text).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


class Pace:
    """Turns for requests to one provider. Thread-safe.

    `per_minute` is kept as a sliding window: never more than that many requests within any 60 s, all of them at once if
    need be. So the vendor's burst is used, and no usual way of counting (fixed or sliding window, token bucket of that
    size) can find us above it.
    """

    def __init__(
        self,
        *,
        parallelism: int,
        per_minute: int | None = None,
        clock: Callable[[], float] = time.monotonic,
        wait: Callable[[Condition, float | None], object] = Condition.wait,
    ) -> None:
        self._most = max(1, parallelism)
        self._allowed = float(self._most)  # in flight; a fraction grows with every answer
        self._in_flight = 0
        self._per_minute = per_minute
        self._recent: deque[float] = deque()
        self._paused_until = 0.0
        self._cut_at = float("-inf")
        self._closed = False
        lock = RLock()
        self._changed = Condition(lock)  # a turn may be free: one of those who wait for one is woken, and takes it
        self._asleep = Condition(lock)  # whoever sleeps takes no turn, so he must not be the one who is woken
        self._clock = clock
        self._wait = wait

    @property
    def allowed(self) -> int:
        """How many requests may be in flight now."""
        return max(1, int(self._allowed))

    @contextmanager
    def turn(self, *, budgeted: bool = True, wanted: Wanted | None = None) -> Iterator[None]:
        """Waits for a turn and holds it. `budgeted` False leaves the budget a minute out. `wanted` is asked while it
        waits, and once more when that is over. Raises Closed."""
        self._take(budgeted=budgeted, wanted=wanted)
        try:
            yield
        finally:
            with self._changed:
                self._in_flight -= 1
                self._changed.notify()

    def went_well(self) -> None:
        """An answer other than 429: one more in flight after as many answers as are allowed now."""
        with self._changed:
            if self._allowed < self._most:
                self._allowed = min(float(self._most), self._allowed + 1 / self._allowed)
                self._changed.notify()

    def slow_down(self, seconds: float) -> None:
        """A 429: nobody sends for `seconds`, and then half as many at once."""
        with self._changed:
            now = self._clock()
            self._paused_until = max(self._paused_until, now + clamp(seconds))
            if now - self._cut_at >= _BETWEEN_CUTS:
                self._cut_at = now
                self._allowed = max(1.0, self._allowed / 2)

    def sleep(self, seconds: float, wanted: Wanted | None = None) -> None:
        """A back-off that `close` ends, or that nobody wants its end. Raises Closed."""
        with self._asleep:
            until = self._clock() + seconds
            while (left := until - self._clock()) > 0 and not self._over(wanted):
                self._wait(self._asleep, left if wanted is None else min(left, _SLICE))
            if self._over(wanted):
                raise Closed

    def close(self) -> None:
        """Whoever waits for a turn gets Closed; whoever has one keeps it."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
            self._asleep.notify_all()

    def _take(self, *, budgeted: bool, wanted: Wanted | None) -> None:
        """Who gets a turn at once is not asked: he was asked a moment ago, before he came."""
        waited = False
        with self._changed:
            while not self._over(wanted if waited else None):
                delay = None if self._in_flight >= self.allowed else self._delay(budgeted=budgeted)
                if delay is not None and delay <= 0:
                    break
                waited = True
                self._wait(self._changed, delay if wanted is None else min(delay or _SLICE, _SLICE))
            else:
                self._changed.notify()  # he may have been woken for a turn that he does not take
                raise Closed
            self._in_flight += 1
            if budgeted and self._per_minute:
                self._recent.append(self._clock())

    def _over(self, wanted: Wanted | None) -> bool:
        return self._closed or (wanted is not None and not wanted())

    def _delay(self, *, budgeted: bool) -> float:
        now = self._clock()
        delay = self._paused_until - now
        if budgeted and self._per_minute:
            while self._recent and now - self._recent[0] >= _MINUTE:
                self._recent.popleft()
            if len(self._recent) >= self._per_minute:
                delay = max(delay, self._recent[-self._per_minute] + _MINUTE - now)
        return delay
