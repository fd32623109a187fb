"""Pieces of the audit's page: escaped text, times, tables, a scale of time. No script, nothing loaded from
elsewhere."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from html import escape

from provisioner.records import dataclass
from provisioner.render.style import one_line
from provisioner.times import format_duration, from_rfc3339, to_rfc3339

Html = str  # text that is markup already; everything else goes through `text`


def text(value: object) -> Html:
    """Any text as markup: nothing in it can be a tag, an attribute's end, or reorder what stands beside it."""
    return escape(one_line(value), quote=True)


def code(value: object) -> Html:
    return f"<code>{text(value)}</code>"


def prose(value: str) -> Html:
    """A sentence of ours: what stands between backticks is typed, and times are for people."""
    return "".join(code(part) if n % 2 else _TIME.sub(_readable, text(part)) for n, part in enumerate(value.split("`")))


_TIME = re.compile(r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z")


def _readable(match: re.Match[str]) -> str:
    try:
        return time(from_rfc3339(match[0]))
    except ValueError:  # it only looked like one
        return match[0]


def day(moment: datetime) -> str:
    """`21 Nov 2026, 12:35 UTC`, without the system's locale."""
    utc = moment.astimezone(UTC)
    return f"{utc.day} {_MONTHS[utc.month - 1]} {utc.year}, {utc:%H:%M} UTC"


_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def time(moment: datetime | None) -> Html:
    """A time for people and, in its attribute, to the millisecond."""
    if moment is None:
        return '<span class="none">–</span>'  # noqa: RUF001  # a dash is what stands in an empty cell
    return f'<time datetime="{to_rfc3339(moment)}">{day(moment)}</time>'


def span(length: timedelta) -> str:
    """`3d4h`, `12m`: the two largest units."""
    seconds = int(length.total_seconds())
    step = 3600 if seconds >= 86400 else 60 if seconds >= 3600 else 1
    return format_duration(timedelta(seconds=seconds - seconds % step))


def amount(value: Decimal) -> str:
    """With separators, exactly: `1,500`, `12.50`."""
    return f"{value:,f}"


def table(caption: str, heads: Sequence[str], rows: Iterable[Sequence[Html]], *, css: str = "") -> Html:
    """`rows` are markup. Each cell carries its column's name, which a phone shows instead of the head."""
    head = "".join(f'<th scope="col">{text(name)}</th>' for name in heads)
    body = "".join(
        "<tr>"
        + "".join(f'<td data-label="{text(name)}">{cell}</td>' for name, cell in zip(heads, row, strict=True))
        + "</tr>\n"
        for row in rows
    )
    names = f"table {css}".strip()
    return (
        f'<table class="{names}"><caption class="unseen">{text(caption)}</caption>'
        f"<colgroup>{'<col>' * len(heads)}</colgroup><thead><tr>{head}</tr></thead>\n<tbody>\n{body}</tbody></table>\n"
    )


def folded(summary: str, content: Html, *, is_open: bool = False) -> Html:
    return f"<details{' open' if is_open else ''}><summary>{text(summary)}</summary>\n{content}</details>\n"


def section(name: str, title: str, content: Html) -> Html:
    head = f'<h2 id="{name}-title">{text(title)}</h2>'
    return f'<section id="{name}" aria-labelledby="{name}-title">\n{head}\n{content}</section>\n'


def link(url: str | None, label: str, of: str = "") -> Html:
    """A link only where it is one to a page; anything else that stands in the record is shown as text. `of` is what
    tells it from others of the same label, for those who hear a list of them."""
    if url is None:
        return ""
    if not url.lower().startswith(("https://", "http://")):
        return code(url)
    more = f'<span class="unseen"> of {text(of)}</span>' if of else ""
    return f'<a href="{text(url)}" rel="noreferrer">{text(label)}{more}</a>'


@dataclass(frozen=True, slots=True)
class Scale:
    """Moments → per cent of a width, so that drawings fit any screen without being stretched."""

    start: datetime
    end: datetime

    def at(self, moment: datetime) -> float:
        whole = max((self.end - self.start).total_seconds(), 1e-9)
        return min(max((moment - self.start).total_seconds() / whole, 0.0), 1.0) * 100

    def x(self, moment: datetime) -> str:
        return f"{self.at(moment):.2f}%"

    def width(self, start: datetime, end: datetime) -> str:
        return f"{max(self.at(end) - self.at(start), 0.15):.2f}%"

    def ticks(self, most: int = 5) -> list[tuple[datetime, str]]:
        """Round moments with short names, at most `most`."""
        length = (self.end - self.start).total_seconds()
        step = next((s for s in _STEPS if length / s <= most), _STEPS[-1] * max(1, round(length / _STEPS[-1] / most)))
        first = -(-self.start.timestamp() // step) * step
        found = []
        moment = datetime.fromtimestamp(first, UTC)
        while moment <= self.end:
            found.append((moment, _tick(moment, step)))
            moment += timedelta(seconds=step)
        return found


_MINUTE, _HOUR, _DAY = 60, 3600, 86400
_STEPS = (
    *(1, 5, 15, 30, _MINUTE, 5 * _MINUTE, 10 * _MINUTE, 15 * _MINUTE, 30 * _MINUTE),
    *(_HOUR, 2 * _HOUR, 3 * _HOUR, 6 * _HOUR, 12 * _HOUR, _DAY, 2 * _DAY, 7 * _DAY, 14 * _DAY, 28 * _DAY),
)


def _tick(moment: datetime, step: float) -> str:
    date = f"{moment.day} {_MONTHS[moment.month - 1]}"
    if step >= _DAY:
        return date
    clock = f"{moment:%H:%M:%S}" if step < _MINUTE else f"{moment:%H:%M}"
    return date if (moment.hour, moment.minute, moment.second) == (0, 0, 0) else clock
