"""Flags → the options that commands take."""

from __future__ import annotations

import argparse
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from provisioner import times
from provisioner.commands.filing import FileOptions
from provisioner.errors import Invalid
from provisioner.model.plan import PlanOptions

if TYPE_CHECKING:
    from provisioner.commands.opening import StateOptions


def file_options(typed: argparse.Namespace) -> FileOptions:
    return FileOptions(config=typed.config, variables=tuple(typed.var), var_files=tuple(typed.var_file))


def state_options(typed: argparse.Namespace) -> StateOptions:
    """`--lock`, `--lock-timeout`, `--parallelism` and `--note` where the command takes them."""
    from provisioner.commands.opening import StateOptions  # a command that opens no state needs no journal

    return StateOptions(
        accept_rollback=typed.accept_rollback,
        lock=getattr(typed, "lock", True),
        lock_timeout=duration("--lock-timeout", getattr(typed, "lock_timeout", "0s")),
        parallelism=getattr(typed, "parallelism", 10),
        note=getattr(typed, "note", None),
        waiting=getattr(typed, "tell", None),
    )


def plan_options(typed: argparse.Namespace, mode: str | None = None) -> PlanOptions:
    """Raises Invalid where two modes are asked for at once."""
    destroying, recording = typed.destroy or mode == "destroy", typed.refresh_only or mode == "refresh-only"
    if destroying and recording:
        raise Invalid("usage", "--destroy and --refresh-only cannot be used together", "Choose one of them.")
    if recording and not typed.refresh:
        raise Invalid("usage", "--refresh-only and --refresh=false leave nothing to do", "Choose one of them.")
    found = mode or ("destroy" if typed.destroy else "refresh-only" if typed.refresh_only else "normal")
    _fits(found, typed)
    return PlanOptions(
        mode=found,
        targets=tuple(typed.target),
        excludes=tuple(typed.exclude),
        replaces=tuple(typed.replace),
        allows=tuple(_allowed(name) for name in typed.allow),
    )


def _fits(mode: str, typed: argparse.Namespace) -> None:
    """Raises Invalid for what the mode would have to ignore: a flag that changes nothing misleads whoever typed it."""
    idle = {
        "destroy": (("--replace", typed.replace),),
        "refresh-only": (("--replace", typed.replace), ("--target", typed.target), ("--exclude", typed.exclude)),
    }
    given = [flag for flag, value in idle.get(mode, ()) if value]
    if given:
        why = "nothing is made anew by it" if mode == "destroy" else "it records all that the providers say"
        raise Invalid("usage", f"{', '.join(given)} cannot be used with --{mode}: {why}", "Leave out one of them.")


def _allowed(name: str) -> str:
    if name in ("max_destroy", "max_spend") or name.startswith("prevent_destroy:"):
        return name
    from provisioner.cli.parser import nearest

    raise Invalid(
        "usage",
        f"--allow {name} lifts nothing.{nearest(name, ('max_destroy', 'max_spend'))}",
        "It takes max_destroy, max_spend or prevent_destroy:ADDRESS, as in prevent_destroy:token.campaigns.",
    )


def duration(flag: str, text: str) -> timedelta:
    """Raises Invalid with the accepted forms. A bare 0 is taken, as Go's flag package takes it."""
    if text == "0":
        return timedelta()
    try:
        return times.parse_duration(text)
    except ValueError as fault:
        raise Invalid("usage", f"{flag}: {fault}", f"As in {flag} 5m.") from None


def past(flag: str, text: str | None, now: datetime) -> int | datetime | None:
    """A point of the record: a serial, RFC 3339, a date, or a duration for that long ago. Raises Invalid."""
    if text is None:
        return None
    found = _point(text, now)
    if found is None:
        raise Invalid(
            "usage",
            f"{flag}: {text!r} is neither a serial nor a time",
            f"As in {flag} 12, {flag} 2026-12-01T00:00:00Z, {flag} 2026-12-01, or {flag} 7d for a week ago.",
        )
    return found


def side(text: str, now: datetime) -> int | datetime | str:
    """One side of `diff`: what `past` takes, or else the place of a state."""
    found = _point(text, now)
    return text if found is None else found


_DIGITS = 20  # fewer make a serial; Python refuses to read thousands


def _point(text: str, now: datetime) -> int | datetime | None:
    if text.isdecimal() and len(text) < _DIGITS:
        return int(text)
    try:
        return now - times.parse_duration(text)
    except (ValueError, OverflowError):
        pass
    try:
        return times.from_rfc3339(text if "T" in text or " " in text else f"{text}T00:00:00Z")
    except (ValueError, OverflowError):
        return None


def moment(text: str | None, now: datetime) -> datetime | None:
    """`--at`: RFC 3339, a date, or `+D` from now."""
    if text is None:
        return None
    try:
        if text.startswith("+"):
            return now + times.parse_duration(text[1:])
        return times.from_rfc3339(text if "T" in text or " " in text else f"{text}T00:00:00Z")
    except (ValueError, OverflowError) as fault:
        why = str(fault) if text.startswith("+") or "time zone" in str(fault) else f"{text!r} is no time"
        raise Invalid("usage", f"--at: {why}", "As in --at 2026-12-01T00:00:00Z or --at +7d.") from None
