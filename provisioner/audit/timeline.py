"""Every token's life as bars and events on one line: what the page draws, and what its table says."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from provisioner.address import Address
from provisioner.audit.case import Case
from provisioner.audit.lives import Life, Span
from provisioner.model.recorded import LOST, REVOKED, UNAUTHORIZED
from provisioner.records import dataclass, field

SERVED, RETIRING, MAYBE, AHEAD = "served", "retiring", "maybe", "ahead"  # kinds of bars
CREATED, RENEWED, ROTATED, RETIRED, ENDED, DOUBT = "created", "renewed", "rotated", "retired", "ended", "doubt"
_BLINK = timedelta(seconds=2)  # shorter than this is the time that a rotation takes, and no gap


@dataclass(frozen=True, slots=True)
class Bar:
    start: datetime
    end: datetime
    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Event:
    at: datetime
    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Row:
    """One address. `status` is that of the token that serves (`none` where none is recorded); `gaps` are times without
    a living token after the first one and before the address was given up."""

    address: Address
    status: str
    bars: tuple[Bar, ...] = ()
    events: tuple[Event, ...] = ()
    gaps: tuple[tuple[datetime, datetime], ...] = field(default=())

    def count(self, kind: str) -> int:
        return sum(event.kind == kind for event in self.events)


@dataclass(frozen=True, slots=True)
class Timeline:
    """`rows` by address, at most as many as were asked for; `hidden` is how many more there are."""

    start: datetime
    now: datetime
    end: datetime
    rows: tuple[Row, ...]
    hidden: int = 0


def timeline(case: Case, *, longest: timedelta = timedelta(days=90), most: int = 150) -> Timeline:
    """The last `longest` of it, and a while ahead: until most of what lives now has ended."""
    began = case.trail.started or case.now
    start = max(began, case.now - longest)
    ends = [t.expires_at for t in case.tokens if t.expires_at is not None and t.expires_at > case.now]
    told = case.now - start
    most_ahead = max(told / 3, min(told, timedelta(hours=2)), timedelta(minutes=1))
    end = case.now + max(min(max(ends, default=case.now) - case.now, most_ahead), told / 20)
    lives: dict[Address, list[Life]] = {}
    for life in case.trail.lives.tokens.values():
        if life.dropped is None or life.dropped.time >= start:
            lives.setdefault(life.address, []).append(life)
    chosen = sorted(lives, key=lambda address: (_uneventful(lives[address]), address.sort_key))[:most]
    rows = tuple(_row(case, address, lives[address]) for address in sorted(chosen, key=lambda a: a.sort_key))
    return Timeline(start, case.now, end, rows, hidden=len(lives) - len(rows))


def _uneventful(lives: list[Life]) -> bool:
    """Whether nothing ever happened to it but its creation: the first to be left out where there are too many."""
    return len(lives) == 1 and len(lives[0].spans) == 1 and not lives[0].lost and lives[0].dropped is None


def _row(case: Case, address: Address, lives: list[Life]) -> Row:
    ordered = sorted(lives, key=lambda life: (life.spans[0].began, life.id))
    serving = next((record for record in case.tokens if record.address == address), None)
    bars = [bar for life in ordered for span in life.spans for bar in _bars(life, span, case.now)]
    events = [*_events(ordered, case.now), *_doubts(case, address)]
    return Row(
        address=address,
        status=serving.status_at(case.now) if serving is not None else "none",
        bars=tuple(bars),
        events=tuple(sorted(events, key=lambda event: event.at)),
        gaps=tuple(_gaps(bars, _until(case, ordered, recorded=serving is not None))),
    )


def _bars(life: Life, span: Span, now: datetime) -> Iterator[Bar]:
    last, name = span.last(now), f"generation {span.generation}"
    ends = span.expires or datetime.max.replace(tzinfo=now.tzinfo)
    lives_on = span.ended is None and last == now and life.dropped is None
    if life.lost:
        yield Bar(span.began, ends if lives_on else last, MAYBE, "may exist, and nobody holds it")
        return
    handed_over = min(span.retiring, last) if span.retiring is not None else last
    yield Bar(span.began, handed_over, SERVED, name)
    if span.retiring is not None and last > handed_over:
        yield Bar(handed_over, last, RETIRING, f"{name}, replaced and alive")
    if lives_on:
        yield Bar(now, ends, AHEAD, _ahead(span))


def _ahead(span: Span) -> str:
    return "will live until its end" if span.expires is not None else "never ends"


def _events(lives: list[Life], now: datetime) -> Iterator[Event]:
    first = True
    for life in lives:
        for position, span in enumerate(life.spans):
            if life.lost:
                yield Event(span.began, DOUBT, "sent and never answered: a token may exist")
            elif position:
                yield Event(span.began, RENEWED, f"renewed as generation {span.generation}")
            else:
                yield Event(
                    span.began, CREATED if first else ROTATED, f"{'created' if first else 'replaced by another'}"
                )
                first = False
            ended = None if life.lost else _end(span, now)
            if ended is not None:
                # the end of one that was replaced is what a rotation is for
                yield (
                    Event(ended[0], RETIRED, f"the one before it {ended[1]}")
                    if span.retiring
                    else Event(ended[0], ENDED, ended[1])
                )


def _end(span: Span, now: datetime) -> tuple[datetime, str] | None:
    """When and how it ended, whichever came first; None while it lives, or where a renewal took its place in time."""
    if span.expires is not None and span.expires <= min(span.ended or now, now):
        return span.expires, "expired"
    if span.ended is not None and span.how in _DEATHS:
        return span.ended, _DEATHS[span.how]
    return None


_DEATHS = {REVOKED: "was revoked", UNAUTHORIZED: "had its grant found dead"}


def _doubts(case: Case, address: Address) -> Iterator[Event]:
    for doubt in case.trail.changes.doubts.values():
        if doubt.operation.address == address and doubt.how != LOST:
            how = f"settled as {doubt.how}" if doubt.how else "still in doubt"
            yield Event(doubt.since, DOUBT, f"{doubt.operation.op} in doubt, {how}")


def _until(case: Case, lives: list[Life], *, recorded: bool) -> datetime:
    """Up to when a token was wanted here: now, or when the last one left the record."""
    dropped = [life.dropped.time for life in lives if life.dropped is not None]
    return case.now if recorded or not dropped else max(dropped)


def _gaps(bars: list[Bar], until: datetime) -> Iterator[tuple[datetime, datetime]]:
    living = sorted((bar.start, bar.end) for bar in bars if bar.kind in (SERVED, RETIRING))
    if not living:
        return
    covered = living[0][1]
    for start, end in living[1:]:
        if start - covered > _BLINK:
            yield covered, start
        covered = max(covered, end)
    if until - covered > _BLINK:
        yield covered, until
