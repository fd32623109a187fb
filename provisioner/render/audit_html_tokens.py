"""Every token's life on one line: when it served, was renewed, replaced, missing or in doubt."""

from __future__ import annotations

from datetime import datetime

from provisioner.audit.case import Case
from provisioner.audit.timeline import (
    AHEAD,
    DOUBT,
    ENDED,
    MAYBE,
    RENEWED,
    RETIRING,
    ROTATED,
    SERVED,
    Bar,
    Event,
    Row,
    Timeline,
    timeline,
)
from provisioner.render.audit_html_parts import Html, Scale, code, day, folded, span, table, text, time
from provisioner.render.style import counted

_STATUS = {
    "live": ("lives", "good"),
    "expired": ("expired", "error"),
    "revoked": ("revoked", "error"),
    "unauthorized": ("waits for a person", "error"),
    "lost": ("lost", "error"),
    "none": ("none recorded", "plain"),
}
_BARS = {SERVED: "served", RETIRING: "retiring", AHEAD: "ahead", MAYBE: "maybe"}
_HEIGHT = 22
_EVENTS = 60  # drawn a row: more cannot be told apart, and the table has them


def tokens_html(case: Case) -> Html:
    """A legend, an axis, one line a token, and the same as a table."""
    found = timeline(case)
    if not found.rows:
        return "<p>No token has been recorded yet.</p>\n"
    scale = Scale(found.start, found.end)
    hidden = ""
    if found.hidden:
        more = counted(found.hidden, "token whose life was uneventful is", "tokens whose lives were uneventful are")
        hidden = f"<p>{more} not drawn.</p>\n"
    rows = "".join(_row(row, scale, found) for row in found.rows)
    return f"{_legend()}{_axis(scale, found)}{rows}{hidden}{_table(found)}"


# -- drawing ---------------------------------------------------------------------------------------------------------


def _legend() -> Html:
    bars = (
        (SERVED, "served"),
        (RETIRING, "replaced, and still alive"),
        (AHEAD, "will live until then"),
        (MAYBE, "may exist, and nobody holds it"),
    )
    items = [
        f'<svg aria-hidden="true"><rect class="{_BARS[k]}" y="3" width="100%" height="9"/></svg>{n}' for k, n in bars
    ]
    items.append('<svg aria-hidden="true"><line class="gap" x1="0" x2="100%" y1="7" y2="7"/></svg>no living token')
    for kind, name in ((RENEWED, "renewed"), (ROTATED, "replaced"), (DOUBT, "in doubt"), (ENDED, "ended")):
        items.append(f'<svg aria-hidden="true"><g transform="translate(12 7)">{_SIGNS[kind]}</g></svg>{name}')
    return f'<ul class="legend">{"".join(f"<li>{item}</li>" for item in items)}</ul>\n'


def _axis(scale: Scale, found: Timeline) -> Html:
    names = "".join(
        f'<text x="{scale.x(moment)}" y="12" text-anchor="{_anchor(scale.at(moment))}">{text(name)}</text>'
        for moment, name in scale.ticks(4)
        if abs(scale.at(moment) - scale.at(found.now)) > 7
    )
    now = f'<text x="{scale.x(found.now)}" y="12" text-anchor="{_anchor(scale.at(found.now))}">now</text>'
    return f'<div class="axis"><svg height="18" aria-hidden="true">{names}{now}</svg></div>\n'


def _anchor(position: float) -> str:
    return "start" if position < 5 else "end" if position > 95 else "middle"


def _row(row: Row, scale: Scale, found: Timeline) -> Html:
    word, css = _STATUS.get(row.status, (row.status, "plain"))
    said = _said(row)
    head = (
        f'<div class="head">{code(row.address)} <span class="tag {css}">{text(word)}</span> '
        f'<span class="dim">{text(said)}</span></div>'
    )
    middle = _HEIGHT / 2
    parts = [f'<line class="track" x1="0" x2="100%" y1="{middle}" y2="{middle}"/>']
    parts += [_gap(gap, scale, found) for gap in row.gaps if gap[1] > found.start]
    parts += [_bar(bar, scale) for bar in row.bars if bar.end > found.start]
    shown = [event for event in row.events if event.at >= found.start and event.kind in _SIGNS]
    parts += [_event(event, scale) for event in shown[-_EVENTS:]]
    now = scale.x(found.now)
    parts.append(f'<line class="now" x1="{now}" x2="{now}" y1="0" y2="{_HEIGHT}"/>')
    title = text(f"{row.address}: {word}. {said}")
    drawing = f'<svg role="img" height="{_HEIGHT}" aria-label="{title}"><title>{title}</title>{"".join(parts)}</svg>'
    return f'<div class="life">{head}{drawing}</div>\n'


def _said(row: Row) -> str:
    """What the line shows, in words."""
    parts = []
    for kind, verb in ((RENEWED, "renewed"), (ROTATED, "replaced")):
        count = row.count(kind)
        if count:
            parts.append(f"{verb} {'once' if count == 1 else f'{count} times'}")
    doubts = row.count(DOUBT)
    if doubts:
        parts.append(f"{counted(doubts, 'doubt')}")
    if row.gaps:
        longest = max(end - start for start, end in row.gaps)
        parts.append(f"{counted(len(row.gaps), 'gap')}, the longest {span(longest)}")
    return "; ".join(parts) or "no renewal, no gap"


def _bar(bar: Bar, scale: Scale) -> Html:
    slim = bar.kind in (RETIRING, MAYBE)
    y, height = (_HEIGHT - 9, 5) if slim else (5, _HEIGHT - 12)
    title = f"{bar.text}: {day(bar.start)} to {_end(bar.end)}"
    return (
        f'<rect class="{_BARS[bar.kind]}" x="{scale.x(bar.start)}" y="{y}" width="{scale.width(bar.start, bar.end)}" '
        f'height="{height}"><title>{text(title)}</title></rect>'
    )


def _end(moment: datetime) -> str:
    return "no known end" if moment.year >= 9999 else day(moment)


def _gap(gap: tuple[datetime, datetime], scale: Scale, found: Timeline) -> Html:
    start, end = gap
    title = f"no living token from {day(start)} to {day(end)}, {span(end - start)}"
    y = _HEIGHT / 2
    return (
        f'<line class="gap" x1="{scale.x(max(start, found.start))}" x2="{scale.x(end)}" y1="{y}" y2="{y}">'
        f"<title>{text(title)}</title></line>"
    )


def _event(event: Event, scale: Scale) -> Html:
    title = f"<title>{text(f'{day(event.at)}: {event.text}')}</title>"
    return f'<svg x="{scale.x(event.at)}" y="{_HEIGHT / 2 - 1}" width="1" height="1">{title}{_SIGNS[event.kind]}</svg>'


# A shape of its own for each kind, so that none is told by its colour alone; what has none stands in the table only.
_SIGNS = {
    RENEWED: '<circle class="event" r="4"/>',
    ROTATED: '<path class="event" d="M0 -6 L6 0 L0 6 L-6 0 Z"/>',
    DOUBT: '<path class="event event-doubt" d="M0 -7 L7 6 L-7 6 Z"/>',
    ENDED: '<path class="event-ended" d="M-4 -4 L4 4 M4 -4 L-4 4"/>',
}


# -- the same in words -----------------------------------------------------------------------------------------------


def _table(found: Timeline) -> Html:
    rows = [
        (
            code(row.address),
            text(_STATUS.get(row.status, (row.status, ""))[0]),
            time(event.at),
            text(event.text),
        )
        for row in found.rows
        for event in row.events[-20:]
    ]
    rows += [
        (code(row.address), "", time(start), text(f"no living token for {span(end - start)}"))
        for row in found.rows
        for start, end in row.gaps[-20:]
    ]
    heads = ("Token", "Now", "When", "What happened")
    return folded("The same as a table", table("What happened to each token", heads, rows))
