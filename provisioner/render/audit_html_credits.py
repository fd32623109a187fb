"""Balances over time against their floors, with purchases marked; spend against its guards."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal

from provisioner.audit.case import Case
from provisioner.audit.money import DAY, Bought, Floor, Reading, Rise
from provisioner.render.audit_html_parts import Html, Scale, amount, code, day, folded, table, text, time
from provisioner.render.style import counted

_HEIGHT = 170.0  # of the drawing, in pixels; the axis' names stand below
_SHOWN = 240  # readings that are drawn: more cannot be told apart
_LONGEST = timedelta(days=90)
_ROWS = 100
SHORT = 12  # rows that need no folding
Heights = Callable[[Decimal], float]


def credits_html(case: Case) -> Html:
    """One figure a floor, then the guards."""
    floors = sorted(case.trail.money.floors.values(), key=lambda floor: floor.address.sort_key)
    shown = [floor for floor in floors if floor.readings]
    if not shown:
        return "<p>No balance has been recorded yet.</p>\n"
    return "".join(_figure(case, floor) for floor in shown) + _guards(case)


# -- one balance -----------------------------------------------------------------------------------------------------


def _figure(case: Case, floor: Floor) -> Html:
    record, last = floor.record, floor.readings[-1]
    unit = record.unit or ""
    bought = [b for b in case.trail.money.counted() if b.provider == record.provider]
    met = "at or above" if last.balance >= last.minimum else "below"
    gone = " It is not watched any more." if floor.gone else ""
    purchases = f" {counted(len(bought), 'purchase')} recorded." if bought else ""
    words = (
        f"The balance of {record.provider} was {amount(last.balance)} {unit} on {day(last.at)}, {met} its floor of "
        f"{amount(last.minimum)}.{purchases}{gone}"
    )
    head = f"<figcaption>{code(record.address)}</figcaption><p>{text(words)}</p>"
    key = _key(bought, rises=any(rise.address == floor.address for rise in case.trail.money.rises))
    return f"<figure>{head}\n{_chart(case, floor, bought, words)}{key}</figure>\n{_figures(floor, unit)}"


def _chart(case: Case, floor: Floor, bought: list[Bought], words: str) -> Html:
    start = max(floor.readings[0].at, case.now - _LONGEST)
    readings = _thinned([r for r in floor.readings if r.at >= start] or floor.readings[-1:])
    end = case.now if floor.gone is False else readings[-1].at
    start = min(start, end - timedelta(minutes=1))
    scale = Scale(start, end)
    top = _round_up(max(max(r.balance, r.minimum) for r in readings))

    def y(value: Decimal) -> float:
        return _HEIGHT - float(value / top) * (_HEIGHT - 14)

    lines, names = _grid(top, y)
    parts = [lines, _axis(scale)]
    parts.append(_steps(scale, readings, end, y, minimum=True))
    parts.append(_steps(scale, readings, end, y, minimum=False))
    parts.append(names)  # over the lines, so that their halo keeps them legible
    low = readings[-1].minimum
    above = y(low) - 5 if y(low) > 24 else y(low) + 14
    parts.append(f'<text class="minimum-name" x="100%" y="{above:.1f}" text-anchor="end">floor {amount(low)}</text>')
    parts += [_purchase(scale, b, readings, y) for b in bought if start <= b.at <= end]
    rises = [r for r in case.trail.money.rises if r.address == floor.address and start <= r.mark.time <= end]
    parts += [_rise(scale, r, readings, y) for r in rises]
    title = text(f"{floor.address}: balance over time")
    return (
        f'<svg role="img" height="{_HEIGHT + 22:.0f}" aria-label="{title}"><title>{title}</title>'
        f"<desc>{text(words)} The figures stand in the table below.</desc>\n{''.join(parts)}</svg>"
    )


def _thinned(readings: list[Reading]) -> list[Reading]:
    """Of each stretch the lowest and the last: a dip below the floor is never thinned away."""
    if len(readings) <= _SHOWN:
        return readings
    size = -(-len(readings) * 2 // _SHOWN)
    kept: list[Reading] = []
    for first in range(0, len(readings), size):
        part = readings[first : first + size]
        lowest = min(part, key=lambda r: r.balance - r.minimum)
        kept += [lowest, part[-1]] if lowest is not part[-1] else [lowest]
    return kept


def _round_up(highest: Decimal) -> Decimal:
    """A round number a little above, so that the line never touches the edge."""
    if highest <= 0:
        return Decimal(1)
    unit = Decimal(1).scaleb(highest.adjusted())
    steps = (Decimal(1), Decimal("1.2"), Decimal("1.5"), Decimal(2), Decimal(3), Decimal(4), Decimal(6), Decimal(8))
    return next((step * unit for step in steps if step * unit >= highest * Decimal("1.05")), 10 * unit)


def _grid(top: Decimal, y: Heights) -> tuple[Html, Html]:
    """The lines, and what each stands for."""
    lines, names = [], []
    for share in (0, 1, 2, 3, 4):
        value = top * share / 4
        height = y(value)
        lines.append(f'<line class="grid" x1="0" x2="100%" y1="{height:.1f}" y2="{height:.1f}"/>')
        if share:
            names.append(f'<text x="0" y="{height - 3:.1f}">{amount(value.normalize() + 0)}</text>')
    return "".join(lines), "".join(names)


def _axis(scale: Scale) -> Html:
    parts = []
    for moment, name in scale.ticks():
        anchor = _anchor(scale.at(moment))
        parts.append(f'<text x="{scale.x(moment)}" y="{_HEIGHT + 18:.0f}" text-anchor="{anchor}">{text(name)}</text>')
    return "".join(parts)


def _anchor(position: float) -> str:
    return "start" if position < 4 else "end" if position > 96 else "middle"


def _steps(scale: Scale, readings: list[Reading], end: datetime, y: Heights, *, minimum: bool) -> Html:
    """A balance holds until the next reading says otherwise: horizontal, then straight up or down."""
    css = "minimum" if minimum else "level"
    lines = []
    since, height = readings[0].at, _height(readings[0], y, minimum=minimum)
    for reading in readings[1:]:
        after = _height(reading, y, minimum=minimum)
        if after != height:
            at = scale.x(reading.at)
            lines += [_line(css, scale.x(since), at, height, height), _line(css, at, at, height, after)]
            since, height = reading.at, after
    return "".join([*lines, _line(css, scale.x(since), scale.x(end), height, height)])


def _height(reading: Reading, y: Heights, *, minimum: bool) -> float:
    return y(reading.minimum if minimum else reading.balance)


def _line(css: str, x1: str, x2: str, y1: float, y2: float) -> Html:
    return f'<line class="{css}" x1="{x1}" x2="{x2}" y1="{y1:.1f}" y2="{y2:.1f}"/>'


def _purchase(scale: Scale, bought: Bought, readings: list[Reading], y: Heights) -> Html:
    """A triangle that points up, on the line; hollow while it is in doubt."""
    level = next((r for r in reversed(readings) if r.at <= bought.at), readings[0])
    height = _height(level, y, minimum=False)
    css = "bought-doubt" if bought.status == "in_doubt" else "bought"
    doubt = ", in doubt" if bought.status == "in_doubt" else ""
    title = f"Bought {amount(bought.amount)} {bought.unit} on {day(bought.at)}{doubt}"
    return (
        f'<svg x="{scale.x(bought.at)}" y="{height - 7:.1f}" width="1" height="1"><title>{text(title)}</title>'
        f'<path class="{css}" d="M0 -6 L6 6 L-6 6 Z"/></svg>'
    )


def _rise(scale: Scale, rise: Rise, readings: list[Reading], y: Heights) -> Html:
    level = next((r for r in reversed(readings) if r.at <= rise.mark.time), readings[0])
    title = f"Rose by {amount(rise.by)} {rise.unit} by {day(rise.mark.time)}, without a purchase of ours"
    height = _height(level, y, minimum=False)
    return (
        f'<svg x="{scale.x(rise.mark.time)}" y="{height:.1f}" width="1" height="1"><title>{text(title)}</title>'
        f'<circle class="unexplained" r="6"/></svg>'
    )


def _key(bought: list[Bought], *, rises: bool) -> Html:
    items = []
    if any(b.status != "in_doubt" for b in bought):
        items.append(('<path class="bought" d="M12 1 L18 13 L6 13 Z"/>', "bought"))
    if any(b.status == "in_doubt" for b in bought):
        items.append(('<path class="bought-doubt" d="M12 1 L18 13 L6 13 Z"/>', "bought, in doubt"))
    if rises:
        items.append(('<circle class="unexplained" cx="12" cy="7" r="6"/>', "rose without a purchase of ours"))
    signs = "".join(f'<li><svg aria-hidden="true">{sign}</svg>{name}</li>' for sign, name in items)
    return f'<ul class="legend">{signs}</ul>' if signs else ""


def _figures(floor: Floor, unit: str) -> Html:
    rows = [
        (time(r.at), f"{amount(r.balance)} {text(unit)}", amount(r.minimum), "yes" if r.balance >= r.minimum else "no")
        for r in reversed(floor.readings[-_ROWS:])
    ]
    left_out = f" (the last {_ROWS} of {len(floor.readings)})" if len(floor.readings) > _ROWS else ""
    heads = ("Read at", "Balance", "Floor", "Floor met")
    body = table(f"Balance of {floor.address}", heads, rows, css="figures")
    return folded(f"The figures of {floor.address}{left_out}", body, is_open=len(rows) <= SHORT)


# -- guards ----------------------------------------------------------------------------------------------------------


def _guards(case: Case) -> Html:
    counted_ = case.trail.money.counted()
    rows = []
    for floor in sorted(case.trail.money.floors.values(), key=lambda f: f.address.sort_key):
        record = floor.record
        mine = [b for b in counted_ if b.provider == record.provider]
        if floor.gone or (record.max_per_apply is None and record.max_per_day is None and not mine):
            continue
        unit = record.unit or ""
        today = sum((b.amount for b in mine if b.at > case.now - DAY), Decimal(0))
        month = sum((b.amount for b in mine if b.at > case.now - timedelta(days=30)), Decimal(0))
        rows.append(
            (
                code(record.address),
                _guard(_most_in_a_run(mine), record.max_per_apply, unit),
                _guard(today, record.max_per_day, unit),
                f"{amount(month)} {text(unit)}",
            )
        )
    if not rows:
        return ""
    heads = ("Floor", "Most in one apply", "Last 24 hours", "Last 30 days")
    return f"<h3>Spend against guards</h3>\n{table('Spend against guards', heads, rows)}{_purchases(counted_)}"


def _most_in_a_run(bought: list[Bought]) -> Decimal:
    runs: dict[str, Decimal] = {}
    for b in bought:
        runs[b.run] = runs.get(b.run, Decimal(0)) + b.amount
    return max(runs.values(), default=Decimal(0))


def _guard(used: Decimal, limit: Decimal | None, unit: str) -> Html:
    if limit is None:
        return f'{amount(used)} {text(unit)}<br><span class="dim">no guard</span>'
    share = min(float(used / limit), 1.0) * 100 if limit else 100.0
    over = used > limit
    said = f"{amount(used)} of {amount(limit)} {unit}{', over the guard' if over else ''}"
    bar = (
        f'<svg class="guard" height="8" aria-hidden="true"><rect class="room" width="100%" height="8" rx="2"/>'
        f'<rect class="{"over" if over else "used"}" width="{share:.1f}%" height="8" rx="2"/></svg>'
    )
    return f"{text(said)}{bar}"


def _purchases(bought: list[Bought]) -> Html:
    rows = [
        (
            time(b.at),
            code(b.address),
            f"{amount(b.amount)} {text(b.unit)}",
            "in doubt" if b.status == "in_doubt" else "happened",
            code(b.run),
        )
        for b in reversed(bought[-_ROWS:])
    ]
    if not rows:
        return "<p>Nothing has been bought.</p>\n"
    heads = ("When", "Floor", "Amount", "Outcome", "Run")
    body = table("Purchases", heads, rows, css="figures")
    return folded(counted(len(bought), "purchase"), body, is_open=len(rows) <= SHORT)
