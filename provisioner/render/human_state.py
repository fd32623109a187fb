"""The recorded state for people: `show`, `state list`, `state show`, `history`, `drift`, `providers`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from provisioner.model.plan import Drift
from provisioner.model.recorded import ResourceRecord, State
from provisioner.render.human_plan import drift_blocks
from provisioner.render.human_values import SENSITIVE as MASKED
from provisioner.render.human_values import literal
from provisioner.render.resource_values import (
    SENSITIVE,
    all_record_values,
    deposed_key,
    in_doubt,
    record_values,
)
from provisioner.render.style import PLAIN, Style, counted, one_line
from provisioner.times import format_duration, from_rfc3339

NO_STATE = "The state is empty: nothing has been recorded yet.\n"
NO_RESOURCES = "The state is empty: no resources are recorded.\n"
NO_DRIFT = "No drift. What the providers say is what is recorded."


def state_text(state: State, *, now: datetime, style: Style = PLAIN, running: str | None = None) -> str:
    """What `show` prints: each object as Terraform draws it, then what is in doubt."""
    blocks = [_block(record, values, now, style) for record, values in all_record_values(state, now)]
    doubts = doubts_text(state, style, running=running)
    return "\n".join([*blocks, *([doubts] if doubts else [])]) or (NO_RESOURCES if state.serial else NO_STATE)


def resource_text(records: Sequence[ResourceRecord], state: State, *, now: datetime, style: Style = PLAIN) -> str:
    """What `state show ADDRESS` prints: the current object and the deposed ones of one address."""
    return "\n".join(_block(record, record_values(record, state, now), now, style) for record in records)


def list_text(state: State) -> str:
    """What `state list` prints: one address a line, as Terraform does; a deposed object is marked as one."""
    return "".join(f"{name(record)}\n" for record in state.resources())


def name(record: ResourceRecord) -> str:
    deposed = deposed_key(record)
    return one_line(f"{record.address} (deposed object {deposed})" if deposed else record.address)


def _block(record: ResourceRecord, values: Mapping[str, Any], now: datetime, style: Style) -> str:
    sensitive = SENSITIVE[record.kind]
    shown = {key: values[key] for key in sorted(values) if values[key] is not None or _is_held(record, key)}
    width = max(map(len, shown), default=0)
    lines = [style.paint(f"# {name(record)}:", "bold"), f'resource "{record.address.type}" "{record.address.name}" {{']
    for key, value in shown.items():
        text = MASKED if key in sensitive else literal(value)
        lines.append(f"    {key:<{width}} = {text}{_remark(key, values, now)}")
    return "\n".join([*lines, "}", ""])


def _is_held(record: ResourceRecord, key: str) -> bool:
    """Whether a secret that is shown as a mask is really there."""
    sealed = {"client_secret": "secret"}.get(key, key)
    return key in SENSITIVE[record.kind] and getattr(record, sealed, None) is not None


def _remark(key: str, values: Mapping[str, Any], now: datetime) -> str:
    if key != "expires_at" or not values[key]:
        return ""
    left = from_rfc3339(values[key]) - now
    return (
        f" # in {format_duration(left - left % timedelta(seconds=1))}" if left.total_seconds() > 0 else " # in the past"
    )


def doubts_text(state: State, style: Style = PLAIN, *, running: str | None = None) -> str:
    """What was sent and has no known outcome, and how a person settles it; empty where nothing is."""
    found = in_doubt(state, running=running)
    if not found:
        return ""
    lines = [style.paint(f"{counted(len(found), 'operation is', 'operations are')} in doubt:", "red", "bold")]
    for doubt in found:
        lines.append(one_line(f"  {doubt['address']}: {doubt['kind']} {doubt['operation']}, since {doubt['since']}"))
        lines.append(one_line(f"    provisioner resolve {doubt['operation']} --as happened|did-not-happen"))
    return "\n".join(lines) + "\n"


def drift_text(drifts: tuple[Drift, ...], style: Style = PLAIN, *, full: bool = True) -> str:
    """What `drift` prints."""
    if not drifts:
        return f"{style.paint(NO_DRIFT, 'green')}\n"
    count = counted(len(drifts), "difference")
    return f"{drift_blocks(drifts, style, full=full)}\n\nDrift: {count} between what is recorded and what is there.\n"


def history_text(entries: Iterable[Mapping[str, Any]], style: Style = PLAIN) -> str:
    """What `history` prints, from the objects of `history --json`: oldest first, one line each."""
    lines = []
    for entry in entries:
        address = f" {entry['address']}" if entry.get("address") else ""
        head = f"{entry['serial']:>6}  {entry['time']}  {entry['actor']}  "
        rest = f"{entry['kind']}{address}: {entry['summary']}  [run {entry['run']}]"
        lines.append(style.paint(one_line(head), "dim") + one_line(rest))
    return "".join(f"{line}\n" for line in lines)


def providers_text(providers: Iterable[tuple[str, str, str, Sequence[tuple[str, str]]]], style: Style = PLAIN) -> str:
    """What `providers` prints, from (name, type, title, `Vendor.table`) of each: what can be done there, and how."""
    blocks = []
    for provider, kind, title, table in providers:
        width = max((len(operation) for operation, _ in table), default=0)
        head = style.paint(one_line(f"{provider} ({kind}: {title})"), "bold")
        rows = [one_line(f"  {operation:<{width}}  {how}") for operation, how in table]
        blocks.append("\n".join([head, *rows]) + "\n")
    return "\n".join(blocks) or "No providers are configured.\n"
