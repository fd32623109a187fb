"""The chain: each entry names the hash of the one before it, so nothing can be changed, dropped or put in between.

`verify` walks the lines of one segment and says where the chain breaks: segment, line and serial. What it returns is
enough to go on with the next segment.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from hashlib import sha256
from typing import Any, NamedTuple

from provisioner.errors import StateUntrusted
from provisioner.journal.entries import FORMAT, Links, NewerFormat, NotAnEntry, dump, parse, read_links
from provisioner.journal.fold import Change, NotFoldable, decode, state_to_json
from provisioner.model.recorded import State
from provisioner.records import dataclass, replace
from provisioner.times import from_rfc3339

_STATE = b'"body":{"state":'
_STATE_END = b'},"format":'


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """Where a chain stands: what the next entry must follow. `lineage` "" : nothing was written yet.

    `digest` is the SHA-256 of the fold up to here, as a checkpoint would hold it; None where it was not computed.
    """

    serial: int = 0
    head: str = ""
    lineage: str = ""
    digest: str | None = None


class Line(NamedTuple):
    """One verified line: where it lies, its links, and its members where they were asked for."""

    segment: str
    number: int
    links: Links
    raw: bytes


# Told of each verified entry right before it changes the state: its line, its members, its change, the state before it.
Watch = Callable[[Line, Mapping[str, Any], Change, State], None]


def damaged(segment: str, line: int, text: str) -> StateUntrusted:
    return StateUntrusted(
        "state-damaged",
        f"The recorded state does not verify: segment {segment}, line {line} {text}.",
        "Nothing was sent. Restore the state from a backup, or find out with `provisioner state verify` and "
        "docs/verify-state.md who changed it; an entry cannot be repaired by hand.",
    )


def newer(segment: str, line: int, text: str) -> StateUntrusted:
    return StateUntrusted(
        "state-newer-format",
        f"The recorded state was written by a newer version: segment {segment}, line {line} {text}.",
        "Use the version that wrote it, or a newer one. Nothing was changed.",
    )


def split(data: bytes) -> tuple[list[bytes], bytes]:
    """Whole lines without their newlines, and what follows the last newline (a torn line, or nothing)."""
    lines = data.split(b"\n")
    return lines[:-1], lines[-1]


def whole_lines(data: bytes) -> Iterator[bytes]:
    """The same lines one after another: a list of them is as much memory as the segment once more, 180 of the 640 MB
    that a plan of 100,000 tokens took."""
    start = 0
    while (end := data.find(b"\n", start)) >= 0:
        yield data[start:end]
        start = end + 1


def torn_end(data: bytes) -> bytes:
    """What follows the last newline: a torn line, or nothing."""
    return data[data.rfind(b"\n") + 1 :]


def verify(segment: str, lines: Iterable[bytes], after: Link) -> Iterator[Line]:
    """Yields each line once its hash and its links hold. Raises StateUntrusted naming the first that do not.

    `after` is the end of the segment before; its `digest`, where there is one, must be the digest of the checkpoint
    that this segment begins with: a checkpoint says what the fold says, or nothing is believed.
    """
    serial, head, lineage = after.serial, after.head, after.lineage
    for number, raw in enumerate(lines, 1):
        links = _links(segment, number, raw)
        if (links.serial, links.prev) != (serial + 1, head) or (lineage and links.lineage != lineage):
            raise _broken(segment, number, links, serial, head)
        if links.format != FORMAT:
            raise damaged(segment, number, f"(serial {links.serial}) is of format {links.format}, which never was")
        if number == 1:
            _check_checkpoint(segment, raw, links, after)
        elif links.kind == "checkpoint":
            raise damaged(segment, number, f"(serial {links.serial}) is a checkpoint in the middle of a segment")
        serial, head, lineage = links.serial, links.hash, links.lineage
        yield Line(segment, number, links, raw)


def _links(segment: str, number: int, raw: bytes) -> Links:
    try:
        return read_links(raw)
    except NewerFormat as fault:
        raise newer(segment, number, str(fault)) from None
    except NotAnEntry as fault:
        raise damaged(segment, number, str(fault)) from None


def _broken(segment: str, number: int, links: Links, serial: int, head: str) -> StateUntrusted:
    """Why an entry is not what follows the entry of this serial and hash."""
    name = f"(serial {links.serial})"
    if links.serial != serial + 1:
        return damaged(segment, number, f"{name} should have serial {serial + 1}")
    if links.prev != head:
        return damaged(segment, number, f"{name} does not follow the entry before it")
    return damaged(segment, number, f"{name} is of another lineage")


def _check_checkpoint(segment: str, raw: bytes, links: Links, after: Link) -> None:
    if links.kind != "checkpoint":
        raise damaged(segment, 1, f"(serial {links.serial}) should be the checkpoint that every segment begins with")
    if not after.head and not _is_empty(raw):
        raise damaged(segment, 1, f"(serial {links.serial}) holds a state, and nothing precedes it")
    if after.digest is not None and checkpoint_digest(raw) != after.digest:
        raise damaged(segment, 1, f"(serial {links.serial}) holds another state than the entries before it")


def _is_empty(raw: bytes) -> bool:
    """Whether a checkpoint holds nothing but the stack's name. One that is no JSON is found when it is folded."""
    try:
        state = parse(raw)["body"]["state"]
        return not any(value for name, value in state.items() if name != "stack")
    except (NotAnEntry, KeyError, AttributeError):
        return True


def checkpoint_digest(raw: bytes) -> str | None:
    """SHA-256 of the state inside a checkpoint's line, without parsing it: it stands there in canonical JSON."""
    start, end = raw.find(_STATE), raw.rfind(_STATE_END)
    if start < 0 or end < start:
        return None
    return sha256(raw[start + len(_STATE) : end]).hexdigest()


def state_digest(state: State) -> str:
    """The digest of the checkpoint that would hold this state now."""
    return sha256(dump(state_to_json(state)).encode("ascii")).hexdigest()


def fold_line(state: State, line: Line, watch: Watch | None = None) -> dict[str, Any]:
    """Applies one verified line to `state` and returns its members. Raises StateUntrusted on a body of no meaning."""
    links = line.links
    try:
        data = parse(line.raw)
        change = decode(links.kind, data["address"], data["body"])
        time: datetime = from_rfc3339(links.time)
    except NotFoldable as fault:
        if "is no kind of entry" in str(fault):
            raise newer(line.segment, line.number, f"(serial {links.serial}) is of a kind unknown here") from None
        raise damaged(line.segment, line.number, f"(serial {links.serial}): {fault}") from None
    except ValueError:
        raise damaged(line.segment, line.number, f"(serial {links.serial}) cannot be read") from None
    state.lineage = links.lineage
    if watch is not None:
        watch(line, data, change, state)
    change.apply(state, serial=links.serial, head=links.hash, time=time, run=links.run)
    return data


def fold_segment(segment: str, lines: Iterable[bytes], after: Link, state: State, watch: Watch | None = None) -> Link:
    """Verifies a whole segment and folds it into `state`, from its checkpoint on. Returns the link at its end."""
    for line in verify(segment, lines, after):
        fold_line(state, line, watch)
    if state.head == after.head:
        raise damaged(segment, 1, "is missing: the segment has no checkpoint")
    return Link(serial=state.serial, head=state.head, lineage=state.lineage)


def with_digest(link: Link, state: State) -> Link:
    return replace(link, digest=state_digest(state))
