"""Requests a minute, counted where every process sees it."""

from __future__ import annotations

from provisioner.sandbox.desk import Desk


def over_limit(desk: Desk, limit: str) -> float | None:
    """Counts this request. Seconds until the window ends where it is one too many, else None. `limit`: "off" or a
    number a minute."""
    if limit == "off":
        return None
    window = int(desk.now // 60)
    seen, count = desk.fact("window", [window, 0])
    count = count + 1 if seen == window else 1
    desk.set_fact("window", [window, count])
    return (window + 1) * 60 - desk.now if count > int(limit) else None


def remaining(desk: Desk, limit: str) -> int:
    """How many requests the window still takes."""
    window, count = desk.fact("window", [0, 0])
    return max(0, int(limit) - count) if window == int(desk.now // 60) else int(limit)
