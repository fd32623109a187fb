"""A recorded state behind Terraform's HTTP state protocol (GitLab-managed state, and every server that speaks it).

The protocol knows one document, read and written whole, and a lock. So the document holds everything: the newest
segment as text, the closed ones compressed, the data keys, the mark.

    {"serial": WRITES, "lineage": LINEAGE, "provisioner": {"format": 1, "stack": STACK, "journal": LINES,
     "segments": [BASE64(ZLIB(LINES)), ...], "keys": {ID: TEXT}, "mark": TEXT | null}}

`serial` counts writes, as GitLab wants it. There is no `version`: Terraform itself refuses such a document, and does
not write over it.

It has no compare-and-swap. What stands in for it: nothing is written without the lock, whose ID goes with each write
and is checked by the server; and right before each write the document is read, and must still end where this run left
it. What is left open is a server that takes writes with an ID that is not its lock's, in the moment between those two.
"""

from __future__ import annotations

import binascii
import json
import threading
import time
import zlib
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from copy import deepcopy
from hashlib import sha256
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from uuid import uuid4

from provisioner import times
from provisioner.errors import HeadMoved, Invalid, StateUntrusted
from provisioner.journal.entries import FORMAT, NewerFormat, NotAnEntry, read_links
from provisioner.journal.lockinfo import LockInfo
from provisioner.journal.stores._http_wire import Addresses, Conflict, StateServer, Unwritten, addresses
from provisioner.journal.stores.base import Position, Segment, failed, forgotten, moved
from provisioner.secret import Secret

if TYPE_CHECKING:
    from provisioner.journal.stores.opening import Resolve

_TRIES = 4
_GLANCES, _GLANCE = 3, 0.2  # how often, and after how many seconds, a holder that shows no process is asked again
PROBE = "a look at the lock"  # the operation of a lock that is taken to see whether one is held
_EMPTY: dict[str, Any] = {"segments": [], "journal": "", "keys": {}, "mark": None}


def open_location(location: str, *, stack: str, settings: Mapping[str, Any], resolve: Resolve) -> HttpStore:
    """`https://...`; `http://` to loopback. `[state]` username and password are references, resolved when they are
    needed. Sends nothing yet. Raises Invalid where the address is none."""
    parts = urlsplit(location)
    shown = parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()
    if not parts.hostname or "@" in parts.netloc:
        raise Invalid(
            "literal-secret" if "@" in parts.netloc else "bad-value",
            f"{shown} is not the address of an HTTP state.",
            "Write https://HOST/PATH, and [state] username and password as references.",
            key_path="state.location",
        )
    name, password = settings.get("username"), settings.get("password")
    if (name is None) != (password is None):
        raise Invalid(
            "missing-key",
            "[state] username and password belong together.",
            'Set both, as in username = { env = "STATE_USER" } (for a GitLab token any name will do).',
            key_path="state.username" if name is None else "state.password",
        )

    def basic() -> tuple[Secret, Secret] | None:
        return None if name is None else (resolve(name), resolve(password))

    return HttpStore(addresses(location, settings), shown, stack=stack, basic=basic)


class HttpStore:
    """See `base.Store`. What adds to it raises Invalid where this store does not hold the lock."""

    def __init__(
        self, where: Addresses, location: str, *, stack: str, basic: Callable[[], tuple[Secret, Secret] | None]
    ) -> None:
        self.location = location
        self.identity = where.state
        self._stack = stack
        self._server = StateServer(where, location, stack, basic)
        self._document: dict[str, Any] | None = None  # as last read or written; {} where there is none
        self._lock: LockInfo | None = None
        self._mutex = threading.RLock()

    # -- segments ----------------------------------------------------------------------------------------------------

    def load(self) -> tuple[list[Segment], bytes]:
        with self._mutex:
            held = _held(self._fetch())
        closed = [Segment(n, sha256(text.encode()).hexdigest()) for n, text in enumerate(held["segments"], 1)]
        newest = held["journal"].encode()
        if not newest:
            return closed, self.read(len(closed)) if closed else b""
        return [*closed, Segment(len(closed) + 1, sha256(newest).hexdigest())], newest

    def read(self, number: int) -> bytes:
        with self._mutex:
            held = _held(self._known())
            if number > len(held["segments"]):
                held = _held(self._fetch())  # the newest grows
            if number > len(held["segments"]):
                return str(held["journal"]).encode()
            try:
                return zlib.decompress(b64decode(held["segments"][number - 1], validate=True))
            except (zlib.error, binascii.Error):
                raise self._damaged(f"segment {number:08d} cannot be decompressed") from None

    def append(self, data: bytes, at: Position, head: str) -> Position:
        def edit(document: dict[str, Any]) -> None:
            self._check_end(document, at)
            held = document["provisioner"]
            held["journal"] += data.decode("ascii")

        self._update("append to", edit)
        return Position(at.segment, at.size + len(data), head)

    def start_segment(self, data: bytes, at: Position, head: str) -> Position:
        def edit(document: dict[str, Any]) -> None:
            self._check_end(document, at)
            held = document["provisioner"]
            if held["journal"]:
                held["segments"].append(b64encode(zlib.compress(held["journal"].encode())).decode())
            held["journal"] = data.decode("ascii")
            document["lineage"] = _lineage(data)

        self._update("write", edit)
        return Position(at.segment + 1, len(data), head)

    def truncate(self, at: Position, torn: int) -> None:
        """Documents are whole or not there, so no torn bytes ever stand here."""
        raise moved(self.location)

    def crowded(self) -> bool:
        return False

    def _check_end(self, document: dict[str, Any], at: Position) -> None:
        held = document["provisioner"]
        journal = held["journal"].encode()
        segment = len(held["segments"]) + (1 if journal else 0)
        if (segment, len(journal)) < (at.segment, at.size):
            raise forgotten(self.location)
        if (segment, len(journal)) != (at.segment, at.size) or _head(journal) != at.head:
            raise moved(self.location)

    # -- data keys and the mark --------------------------------------------------------------------------------------

    def put_key(self, key_id: str, data: bytes) -> None:
        self._update("write a data key of", lambda d: d["provisioner"]["keys"].update({key_id: data.decode("ascii")}))

    def get_key(self, key_id: str) -> bytes | None:
        with self._mutex:
            held = _held(self._fetch())
        return held["keys"][key_id].encode() if key_id in held["keys"] else None

    def list_keys(self) -> list[str]:
        with self._mutex:
            return sorted(_held(self._fetch())["keys"])

    def delete_key(self, key_id: str) -> None:
        self._update("delete a data key of", lambda d: d["provisioner"]["keys"].pop(key_id, None))

    def read_mark(self) -> bytes | None:
        with self._mutex:
            mark = _held(self._known())["mark"]
        return None if mark is None else str(mark).encode()

    def write_mark(self, data: bytes | None) -> None:
        text = None if data is None else data.decode("ascii")
        self._update("mark", lambda d: d["provisioner"].update(mark=text))

    # -- the lock ----------------------------------------------------------------------------------------------------

    def peek_lock(self) -> LockInfo | None:
        """The protocol cannot ask; it can only try. A lock that nobody held is taken and released again at once."""
        now = times.now()
        probe = LockInfo(
            id=str(uuid4()), who="provisioner", host="", pid=0, operation=PROBE, since=now, renewed=now, lease=0
        )
        held = self._server.lock(probe)
        if held is None:
            self._server.unlock(probe)
        return held

    def take_lock(self, info: LockInfo, instead_of: str | None) -> LockInfo | None:
        held = self._server.lock(info)
        for _ in range(_GLANCES):
            if held is None or held.pid:
                break
            time.sleep(_GLANCE)  # perhaps somebody's look at the lock, which is over in a moment
            held = self._server.lock(info)
        if held is not None and held.id == instead_of and self._server.unlock(held):
            held = self._server.lock(info)
        if held is None:
            self._lock = info
        return held

    def renew_lock(self, info: LockInfo) -> bool:
        """Nothing is written: the lock has no lease. Whether it is still ours is looked at."""
        held = self.peek_lock()
        return held is not None and held.id == info.id

    def drop_lock(self, lock_id: str) -> bool:
        ours, self._lock = self._lock, None
        if ours is not None and ours.id == lock_id:
            return self._server.unlock(ours)
        self._lock = ours
        held = self.peek_lock()
        return held is not None and held.id == lock_id and self._server.unlock(held)

    # -- the document ------------------------------------------------------------------------------------------------

    def _known(self) -> dict[str, Any]:
        return self._fetch() if self._document is None else self._document

    def _fetch(self) -> dict[str, Any]:
        data = self._server.get()
        self._document = self._read(data) if data is not None else {}
        return self._document

    def _read(self, data: bytes) -> dict[str, Any]:
        try:
            document = json.loads(data)
        except ValueError:
            raise self._damaged("it is not JSON") from None
        if not isinstance(document, dict) or not isinstance(document.get("provisioner"), dict):
            raise StateUntrusted(
                "state-foreign",
                f"What is at {self.location} is no recorded state of provisioner.",
                "It may be Terraform's own. Give this stack an address of its own ([state] location).",
            )
        held = document["provisioner"]
        if isinstance(held.get("format"), int) and held["format"] > FORMAT:
            raise StateUntrusted(
                "state-newer-format",
                f"The recorded state at {self.location} was written by a newer version (format {held['format']}).",
                "Use the version that wrote it, or a newer one. Nothing was changed.",
            )
        shapes = {"segments": list, "journal": str, "keys": dict}
        if not isinstance(document.get("serial"), int) or any(
            not isinstance(held.get(k), t) for k, t in shapes.items()
        ):
            raise self._damaged("a member is missing")
        return document

    def _update(self, what: str, edit: Callable[[dict[str, Any]], None]) -> None:
        """Reads, changes and writes the document under the lock. Raises Invalid without it."""
        with self._mutex:
            if self._lock is None:
                raise Invalid(
                    "usage",
                    f"The recorded state at {self.location} is only written under its lock.",
                    "Leave --lock=false away: this protocol has no other way to keep two runs apart.",
                )
            before = self._fetch()
            document = deepcopy(before) or {
                "serial": 0,
                "lineage": "",
                "provisioner": {"format": FORMAT, "stack": self._stack, **deepcopy(_EMPTY)},
            }
            edit(document)
            document["serial"] += 1
            self._write(what, before, document)
            self._document = document

    def _write(self, what: str, before: dict[str, Any], document: dict[str, Any]) -> None:
        assert self._lock is not None  # noqa: S101  # _update has looked
        body = json.dumps(document).encode()
        why = ""
        for _ in range(_TRIES):
            try:
                self._server.put(body, self._lock.id)
                return
            except Conflict:
                why = "conflict"
            except Unwritten as fault:
                why = str(fault)
            found = self._fetch()
            if found == document:
                return  # the answer was lost, and nothing else
            if found != before:
                raise moved(self.location)
            if why == "conflict":
                raise HeadMoved(
                    "head-moved",
                    f"The lock of the recorded state at {self.location} was taken away from this run.",
                    "Nothing more is recorded or sent; what was acknowledged is there. Run the command again.",
                )
        raise failed(self.location, what, why)

    def _damaged(self, what: str) -> StateUntrusted:
        return StateUntrusted(
            "state-damaged",
            f"The recorded state at {self.location} does not verify: {what}.",
            "Nothing was sent. Restore an older version of the document (GitLab keeps them), or a backup.",
        )


def _held(document: dict[str, Any]) -> dict[str, Any]:
    return {**_EMPTY, **document.get("provisioner", {})}


def _head(journal: bytes) -> str:
    try:
        return read_links(journal[:-1].rpartition(b"\n")[2]).hash if journal else ""
    except (NotAnEntry, NewerFormat):
        return "unreadable"


def _lineage(data: bytes) -> str:
    try:
        return read_links(data[: data.index(b"\n")]).lineage
    except (NotAnEntry, NewerFormat):
        return ""
