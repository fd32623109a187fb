"""Looking back: every entry, what each did in one sentence, and the state as it was."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any

from provisioner.errors import Invalid
from provisioner.journal import chain
from provisioner.journal.chain import Link
from provisioner.journal.entries import Entry, NotAnEntry, parse, read_links, to_entry
from provisioner.journal.stores.base import Segment, Store
from provisioner.model.recorded import State
from provisioner.times import from_rfc3339, to_rfc3339


def entries(store: Store, last: int) -> Iterator[Entry]:
    """All entries up to serial `last`, oldest first; the chain is verified on the way. Raises StateUntrusted."""
    segments, newest = store.load()
    link = Link()
    for segment in segments:
        data = newest if segment is segments[-1] else store.read(segment.number)
        for line in chain.verify(segment.name, chain.whole_lines(data), link):
            if line.links.serial > last:
                return
            try:
                yield to_entry(parse(line.raw))
            except (NotAnEntry, KeyError, ValueError):
                raise chain.damaged(segment.name, line.number, f"(serial {line.links.serial}) cannot be read") from None
            link = Link(serial=line.links.serial, head=line.links.hash, lineage=line.links.lineage)


def state_at(store: Store, when: int | datetime, now: State) -> State:
    """The fold up to a serial or a moment; `now` is the state as opened. Only the one segment that holds it is read.

    Raises Invalid "usage" for a serial that is not there yet. Before the first entry there is an empty state.
    """
    if isinstance(when, int) and not 0 <= when <= now.serial:
        raise Invalid(
            "usage",
            f"There is no serial {when} in the recorded state.",
            f"Its serials go from 1 to {now.serial}; `provisioner history` lists them.",
        )
    segments, newest = store.load()
    for segment in reversed(segments):
        lines, _ = chain.split(newest if segment is segments[-1] else store.read(segment.number))
        first = read_links(lines[0])
        if _reaches(first.serial, first.time, when):
            return _fold_until(segment, lines, Link(serial=first.serial - 1, head=first.prev), when, now.serial)
    return State(stack=now.stack)


def _reaches(serial: int, time: str, when: int | datetime) -> bool:
    return serial <= when if isinstance(when, int) else from_rfc3339(time) <= when


def _fold_until(segment: Segment, lines: list[bytes], after: Link, when: int | datetime, last: int) -> State:
    """A clock that was set back makes times fall: then it is the last entry in time that counts, not the first."""
    verified = [line for line in chain.verify(segment.name, lines, after) if line.links.serial <= last]
    while verified and not _reaches(verified[-1].links.serial, verified[-1].links.time, when):
        verified.pop()
    state = State()
    for line in verified:
        chain.fold_line(state, line)
    return state


# -- one entry, one line ---------------------------------------------------------------------------------------------


def row(entry: Entry) -> dict[str, Any]:
    """One line of `history --json` (contract section 3)."""
    return {
        "serial": entry.serial,
        "time": to_rfc3339(entry.time),
        "actor": entry.actor,
        "run": entry.run,
        "kind": entry.kind,
        "address": entry.address,
        "summary": summary(entry),
        "hash": entry.hash,
    }


def summary(entry: Entry) -> str:
    """What the entry recorded, as a sentence without its full stop. Never a sealed value."""
    return _SENTENCES[entry.kind](entry.body)


def _intent(body: Mapping[str, Any]) -> str:
    made = body["operation"]
    amount = f" of {made['amount']} {made.get('unit') or ''}".rstrip() if made.get("amount") else ""
    reason = f": {body['reason']}" if body.get("reason") else ""
    return f"announced {made['op']}{amount}{reason}"


def _outcome(body: Mapping[str, Any]) -> str:
    ended = {"done": "done", "refused": "refused by the vendor", "not-sent": "not sent"}[body["result"]]
    return _with_detail(f"{ended}{_records(body)}", body)


def _doubt(body: Mapping[str, Any]) -> str:
    return _with_detail("in doubt: sent, and its outcome is not known", body)


def _settled(body: Mapping[str, Any]) -> str:
    by = f" by {body['by']}" if body.get("by") else ""
    return f"doubt settled as {body['as']}{by}{_records(body)}"


def _edit(body: Mapping[str, Any]) -> str:
    return f"edited by {body.get('command', 'hand')}{_records(body)}"


def _handoff(body: Mapping[str, Any]) -> str:
    waiting, done = body.get("waiting") or (), body.get("done") or ()
    parts = [f"waits for a person: {', '.join(waiting)}"] if waiting else []
    parts += [f"no longer waits: {', '.join(done)}"] if done else []
    return "; ".join(parts) or "nothing waits for a person"


def _lock(body: Mapping[str, Any]) -> str:
    taken = body.get("taken_over")
    over = f", taking over the lock of {taken.get('who')} on {taken.get('host')}" if taken else ""
    note = f" ({body['note']})" if body.get("note") else ""
    return f"began {body.get('command', 'a run')}{over}{note}"


def _checkpoint(body: Mapping[str, Any]) -> str:
    count = len(body["state"]["objects"])
    return f"checkpoint of {count} object{'' if count == 1 else 's'}"


def _fixed(text: str) -> Callable[[Mapping[str, Any]], str]:
    return lambda body: _with_detail(f"{text}{_records(body)}", body)


def _records(body: Mapping[str, Any]) -> str:
    put, drop = len(body.get("put", ())), len(body.get("drop", ()))
    parts = ([f"{put} recorded"] if put else []) + ([f"{drop} dropped"] if drop else [])
    return f" ({', '.join(parts)})" if parts else ""


def _with_detail(text: str, body: Mapping[str, Any]) -> str:
    return f"{text}: {body['detail']}" if isinstance(body.get("detail"), str) and body["detail"] else text


_SENTENCES: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "checkpoint": _checkpoint,
    "intent": _intent,
    "outcome": _outcome,
    "doubt": _doubt,
    "settled": _settled,
    "observed": _fixed("observed"),
    "edit": _edit,
    "handoff": _handoff,
    "lock": _lock,
    "unlock": _fixed("ended the run"),
    "upgraded": _fixed("upgraded the state's format"),
    "rollback-accepted": _fixed("accepted an older copy of the state"),
    "rescued": _fixed("recorded what a rescue file held"),
    "rekeyed": _fixed("resealed the data keys to other recipients"),
    "migrated": _fixed("moved the state to another store"),
    "note": _fixed("noted"),
}
