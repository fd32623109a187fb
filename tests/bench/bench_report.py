"""Rows as a table for people."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench_rows import Row

BEGIN, END = "<!-- the last run of the benchmark -->", "<!-- end of the last run -->"


def progress(row: Row) -> None:
    sys.stderr.write(f"  {row.name}: {_number(row.value)} {row.unit}\n")
    sys.stderr.flush()


def table(rows: Sequence[Row], facts: Mapping[str, str]) -> str:
    """Markdown. `ours` and `beside` are wall seconds and MB behind a row, where two programs were measured."""
    told = ", ".join(f"{name} {value}" for name, value in facts.items())
    lines = [f"{told}.", "", "| row | value | at most | go on to | ours | beside |", "|---|---|---|---|---|---|"]
    for row in rows:
        mark = "" if row.met is not False else " **missed**"
        cells = [
            row.name,
            f"{_number(row.value)} {row.unit}{mark}",
            _limit(row.at_most),
            _limit(row.go_on_to),
            _cost(row.figures.get("ours")),
            _cost(row.figures.get("beside")),
        ]
        lines.append("| " + " | ".join(cells) + " |")
    judged = [row for row in rows if row.met is not None]
    lines += ["", f"{sum(row.met is True for row in judged)} of {len(judged)} rows are within what they may be."]
    return "\n".join(lines) + "\n"


def replaced(page: str, text: str) -> str:
    """The page with the table between its two marks. Raises ValueError where they are not there."""
    start, end = page.index(BEGIN) + len(BEGIN), page.index(END)
    return page[:start] + "\n\n" + text + "\n" + page[end:]


def _number(value: float) -> str:
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def _limit(value: float | None) -> str:
    return "" if value is None else _number(value)


def _cost(cost: Mapping[str, float] | None) -> str:
    if cost is None:
        return ""
    return f"{cost['wall']:.3f} s, {cost['mb']:.0f} MB"
