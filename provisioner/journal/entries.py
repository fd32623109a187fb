"""One entry of the journal is one line of canonical JSON; its hash is over the line without its `hash` member.

Canonical is what `json.dumps(sort_keys=True, separators=(",", ":"))` writes: keys sorted, no blanks, ASCII.
`jq -cSa` prints the same bytes, as long as numbers are integers that a double holds exactly, strings hold no lone
surrogate and nesting stays shallow; `plain` refuses the rest, so a journal can always be checked with common tools.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from hashlib import sha256
from typing import Any, NamedTuple

from provisioner.address import Address
from provisioner.model.recorded import Sealed
from provisioner.records import dataclass
from provisioner.secret import Secret
from provisioner.times import from_rfc3339, to_rfc3339

FORMAT = 1
KINDS = (
    "checkpoint",
    "intent",
    "outcome",
    "doubt",
    "settled",
    "observed",
    "edit",
    "handoff",
    "lock",
    "unlock",
    "upgraded",
    "rollback-accepted",
    "rescued",
    "rekeyed",
    "migrated",
    "note",
)
LARGEST = 2**53 - 1  # beyond it jq 1.6 rounds
DEEPEST = 100  # jq 1.6 reads 256 levels; an entry adds its own
_WORD = re.compile(r"[A-Za-z0-9._:+-]{1,120}")
# The members after `body`, anchored at the line's end. Only they are read where only the chain is checked: nothing
# after the body can hold a quote, so the last `"format":` of a line is the entry's own.
_TAIL = re.compile(
    r'"format":(\d{1,9}),"hash":"([0-9a-f]{64})","kind":"([a-z-]{1,40})","lineage":"([A-Za-z0-9._:+-]{1,120})",'
    r'"prev":"([0-9a-f]{64}|)","run":"([A-Za-z0-9._:+-]{1,120})","serial":([1-9]\d{0,15}),"time":"([0-9TZ:.-]{20,24})"\}',
    re.ASCII,
)
_JSON = json.JSONDecoder()
_HASH_MEMBER = len('"hash":"",') + 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """`time` is UTC; `body` is JSON as parsed; `prev` is "" for the first entry of a state."""

    serial: int
    time: datetime
    actor: str
    run: str
    kind: str
    address: str | None
    body: Mapping[str, Any]
    lineage: str
    prev: str
    hash: str
    format: int = FORMAT


class Links(NamedTuple):
    """What the chain needs of a line, read without parsing its body. `time` is RFC 3339."""

    serial: int
    time: str
    kind: str
    lineage: str
    run: str
    prev: str
    hash: str
    format: int


class NotAnEntry(ValueError):
    """A line that is no entry, or not what its hash says. The text is a sentence's end: `line 3 {text}`."""


class NewerFormat(ValueError):
    """A line that says of itself that a newer version wrote it."""

    def __init__(self, number: object) -> None:
        super().__init__(f"is of format {number}; this version reads up to {FORMAT}")


def plain(value: Any, depth: int = 0) -> Any:
    """`value` as JSON that has one spelling: decimals, times, addresses and sealed values become strings.

    Raises TypeError on floats, secrets and what else JSON does not have; ValueError on integers, strings and depths
    that common tools do not print back to the letter.
    """
    if isinstance(value, str):
        if not value.isascii():
            value.encode()  # a lone surrogate is a UnicodeEncodeError, which is a ValueError
        return value
    if value is None or value is True or value is False:
        return value
    if isinstance(value, int):
        if not -LARGEST <= value <= LARGEST:
            raise ValueError(f"{value} is beyond what every JSON reader holds; write it as a string")
        return int(value)
    if depth > DEEPEST:
        raise ValueError(f"nested deeper than {DEEPEST} levels")
    if isinstance(value, dict | Mapping):  # dict first: asking an abstract class takes ten times as long
        return {_key(key): plain(item, depth + 1) for key, item in value.items()}
    return _plain_other(value, depth)


def _plain_other(value: Any, depth: int) -> Any:
    if isinstance(value, Address | Sealed | Decimal):
        return str(value)
    if isinstance(value, datetime):
        return to_rfc3339(value)
    if isinstance(value, list | tuple):
        return [plain(item, depth + 1) for item in value]
    if isinstance(value, Secret):
        raise TypeError("a secret in clear never reaches the journal; seal it")
    raise TypeError(f"{type(value).__name__} has no place in the journal")


def _key(key: Any) -> str:
    if not isinstance(key, str):
        raise TypeError(f"a key is a string, not {type(key).__name__}")
    if not key.isascii():
        plain(key)
    return key


def canonical(value: Any) -> str:
    """The one spelling of `value`. Raises what `plain` raises."""
    return dump(plain(value))


def dump(value: Any) -> str:
    """The one spelling of what is plain already (it was parsed from canonical JSON, or went through `plain`)."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def write_line(
    *,
    serial: int,
    time: str,
    actor: str,
    run: str,
    kind: str,
    address: str | None,
    body: str,
    lineage: str,
    prev: str,
) -> tuple[bytes, str]:
    """One line, newline included, and its hash. `body` is canonical JSON already; `time` is RFC 3339."""
    if kind not in KINDS:
        raise ValueError(f"{kind!r} is no kind of entry")
    for word in (run, lineage):
        if not _WORD.fullmatch(word):
            raise ValueError(f"{word!r} cannot be a run or a lineage: letters, digits and ._:+- only")
    head = f'{{"actor":{dump(actor)},"address":{dump(address)},"body":{body},"format":{FORMAT},'
    rest = f'"kind":"{kind}","lineage":"{lineage}","prev":"{prev}","run":"{run}","serial":{serial},"time":"{time}"}}'
    digest = sha256((head + rest).encode("ascii")).hexdigest()
    return f'{head}"hash":"{digest}",{rest}\n'.encode("ascii"), digest


def read_links(line: bytes) -> Links:
    """The chain's half of a line (no newline), its hash verified. Raises NotAnEntry, NewerFormat."""
    start = line.rfind(b'"format":')
    match = _TAIL.fullmatch(line[start:].decode("latin-1")) if start > 0 else None
    if match is None:
        raise _explain(line)
    format_, written, kind, lineage, prev, run, serial, time = match.groups()
    number = int(format_)
    if number > FORMAT:
        raise NewerFormat(number)
    cut = start + match.start(2) - len('"hash":"')
    digest = sha256(line[:cut])
    digest.update(line[cut + _HASH_MEMBER :])
    if digest.hexdigest() != written:
        raise NotAnEntry(f"(serial {serial}) is not what its hash says")
    return Links(int(serial), time, kind, lineage, run, prev, written, number)


def read_kind(line: bytes) -> str | None:
    """The kind that a line names, its hash not verified; None for what has not the shape of an entry."""
    match = _TAIL.fullmatch(line[max(0, line.rfind(b'"format":')) :].decode("latin-1"))
    return match[3] if match else None


def _explain(line: bytes) -> ValueError:
    """Why a line has not the shape of an entry. A newer format may have another shape, so it is asked first."""
    try:
        data = json.loads(line)
    except ValueError:
        return NotAnEntry("is not JSON")
    if not isinstance(data, dict):
        return NotAnEntry("is not a JSON object")
    number = data.get("format")
    if isinstance(number, int) and number > FORMAT:
        return NewerFormat(number)
    serial = data.get("serial")
    where = f"(serial {serial}) " if isinstance(serial, int) else ""
    return NotAnEntry(f"{where}is not an entry in canonical JSON")


def parse(line: bytes) -> dict[str, Any]:
    """The members of a line whose links were read. Raises NotAnEntry where the body's half is no JSON."""
    try:
        text = line.decode("ascii")
        data, end = _JSON.raw_decode(text)
    except ValueError:
        raise NotAnEntry("is not JSON") from None
    if end != len(text):
        raise NotAnEntry("is not JSON")
    if not isinstance(data, dict) or not isinstance(data.get("body"), dict) or not isinstance(data.get("actor"), str):
        raise NotAnEntry("lacks an actor or a body")
    address = data.get("address")
    if address is not None and not isinstance(address, str):
        raise NotAnEntry("has an address that is no string")
    return data


def to_entry(data: Mapping[str, Any]) -> Entry:
    """The parsed members of a verified line as an `Entry`. Raises KeyError or ValueError on what is none."""
    return Entry(
        serial=data["serial"],
        time=from_rfc3339(data["time"]),
        actor=data["actor"],
        run=data["run"],
        kind=data["kind"],
        address=data["address"],
        body=data["body"],
        lineage=data["lineage"],
        prev=data["prev"],
        hash=data["hash"],
        format=data["format"],
    )


def to_line(entry: Entry) -> bytes:
    """The line that an entry was read from, newline included: parse and write are inverse."""
    line, _ = write_line(
        serial=entry.serial,
        time=to_rfc3339(entry.time),
        actor=entry.actor,
        run=entry.run,
        kind=entry.kind,
        address=entry.address,
        body=canonical(entry.body),
        lineage=entry.lineage,
        prev=entry.prev,
    )
    return line
