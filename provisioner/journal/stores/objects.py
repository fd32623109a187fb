"""A recorded state in object storage (S3, Google, Azure), by one promise of it: create an object that nobody made yet.

    PREFIX/STACK/journal/0000000042.jsonl            what one flush appended; numbered without gaps, never changed
    PREFIX/STACK/segments/00000001-0000000041.jsonl  a closed segment in one piece: a copy of the objects up to 41
    PREFIX/STACK/segments/mark.json                  what this copy is, where it is being copied or was moved away
    PREFIX/STACK/keys/ID.json                        data keys, sealed to age recipients
    PREFIX/STACK/lock/0000000007.json                the lock: the highest number counts

The next flush goes into the next number, and whoever creates that first has won: that is the fence, of appends and of
new segments alike. So the objects of `journal/` must stay, also where `segments/` holds a copy: a writer that slept
would find its number free. Which segment an object belongs to is told by its content: a checkpoint begins one. Reading
takes the copies' names, what lies behind the newest copy, and nothing of what came before.

The lock is made of the same promise, because servers differ in the other one (If-Match): each taking, and each release,
creates the next number; only the holder writes its own anew. Nothing at the top is ever deleted.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, quote, urlsplit

from provisioner.errors import Invalid, StateUntrusted, StoreFailed
from provisioner.journal.entries import NewerFormat, NotAnEntry, read_kind, read_links
from provisioner.journal.lockinfo import LockInfo, lock_from_json
from provisioner.journal.stores.base import Position, Segment, failed, forgotten, missing_package, moved, segment_name
from provisioner.times import from_rfc3339

if TYPE_CHECKING:
    from provisioner.journal.stores._object_client import Bucket, Listed
    from provisioner.journal.stores.opening import Resolve

CROWDED = 32  # objects of one segment beyond which a checkpoint costs less than reading them
_PART = re.compile(r"journal/(\d{10})\.jsonl")
_COPY = re.compile(r"segments/(\d{8})-(\d{10})\.jsonl")
_LOCK = re.compile(r"lock/(\d{10})\.json")
_KEY = re.compile(r"keys/([A-Za-z0-9_-]{1,64})\.json")
_MARK = "segments/mark.json"
_RELEASED = b'{"released":true}\n'


def open_location(location: str, *, stack: str, settings: Mapping[str, Any], resolve: Resolve) -> ObjectsStore:
    """`s3://BUCKET/PREFIX?region=R&credentials=instance`, `gs://...`, `az://CONTAINER/...`. Sends nothing yet.

    Raises Invalid where obstore is not installed, no credentials are set, or the URL is none of these.
    """
    parts = urlsplit(location)
    options = dict(parse_qsl(parts.query))
    prefix = "/".join(part for part in parts.path.split("/") if part)
    shown = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}/{prefix}".rstrip("/")
    unknown = set(options) - {"region", "credentials"}
    if not parts.netloc or "@" in parts.netloc or unknown or options.get("credentials", "instance") != "instance":
        raise Invalid(
            "bad-value",
            f"{shown} is not the address of a bucket.",
            f"Write {parts.scheme}://BUCKET/PREFIX; credentials come from the environment, and ?region=R and "
            "?credentials=instance are all that may follow.",
            key_path="state.location",
        )
    try:
        from provisioner.journal.stores._object_client import Bucket
    except ImportError:
        raise missing_package(shown, "objects") from None
    from provisioner.journal.stores import _object_credentials as credentials

    instance = "credentials" in options
    config = credentials.settings(
        parts.scheme, os.environ, region=options.get("region"), instance=instance, location=shown
    )
    server = credentials.endpoint(parts.scheme, os.environ) or os.environ.get("AZURE_STORAGE_ACCOUNT_NAME", "")
    folder = f"{prefix}/{stack}" if prefix else stack
    identity = f"{parts.scheme}://{quote(server, safe='')}/{parts.netloc}/{folder}"
    return ObjectsStore(Bucket(parts.scheme, parts.netloc, folder, config, shown), shown, identity)


@dataclass(slots=True)
class _View:
    """One look. `copies` are the closed segments that have one, `later` the objects of each segment behind them, with
    what they hold; `last` is the newest object's number."""

    copies: list[Listed] = field(default_factory=list)
    later: list[list[Listed]] = field(default_factory=list)
    content: dict[str, bytes] = field(default_factory=dict)
    last: int = 0

    def newest(self) -> int:
        return len(self.copies) + len(self.later)

    def paths(self, number: int) -> list[str]:
        """The objects that hold a segment."""
        if number <= len(self.copies):
            return [self.copies[number - 1].path]
        return [listed.path for listed in self.later[number - len(self.copies) - 1]]

    def segment(self, number: int) -> Segment:
        if number <= len(self.copies):
            return Segment(number, self.copies[number - 1].stamp)
        stamps = "\n".join(listed.stamp for listed in self.later[number - len(self.copies) - 1])
        return Segment(number, sha256(stamps.encode()).hexdigest())


class ObjectsStore:
    """See `base.Store`."""

    def __init__(self, bucket: Bucket, location: str, identity: str) -> None:
        self.location = location
        self.identity = identity
        self._bucket = bucket
        self._view: _View | None = None
        self._end: Position | None = None  # where this client knows the end to be, and how many objects lead there
        self._last = 0
        self._pieces = 0
        self._marked: bool | None = None  # whether the last look saw a mark
        self._mutex = threading.RLock()

    # -- segments ----------------------------------------------------------------------------------------------------

    def load(self) -> tuple[list[Segment], bytes]:
        with self._mutex:
            view = self._look()
            newest = view.newest()
            return [view.segment(number) for number in range(1, newest + 1)], self._bytes(view, newest)

    def read(self, number: int) -> bytes:
        with self._mutex:
            view = self._view or self._look()
            if number > view.newest():
                view = self._look()
            return self._bytes(view, number)

    def append(self, data: bytes, at: Position, head: str) -> Position:
        return self._create_next(data, at, Position(at.segment, at.size + len(data), head))

    def start_segment(self, data: bytes, at: Position, head: str) -> Position:
        if at.segment == 0:
            self._probe()
        end = self._create_next(data, at, Position(at.segment + 1, len(data), head))
        with suppress(StoreFailed):  # a copy that is not made now is made by the next run that begins a segment
            self._copy_closed()
        return end

    def truncate(self, at: Position, torn: int) -> None:
        """Objects are whole or not there, so no torn bytes ever stand here."""
        raise moved(self.location)

    def crowded(self) -> bool:
        return self._pieces > CROWDED

    def _create_next(self, data: bytes, at: Position, end: Position) -> Position:
        with self._mutex:
            if self._end != at:
                self._check_end(at)
            self._end = None  # not known again before this is certain
            if not self._bucket.create(_part(self._last + 1), data):
                raise moved(self.location)
            self._pieces = self._pieces + 1 if end.segment == at.segment else 1
            self._end, self._last, self._view = end, self._last + 1, None
        return end

    def _check_end(self, at: Position) -> None:
        view = self._look()
        newest = view.newest()
        data = self._bytes(view, newest)
        if (newest, len(data)) < (at.segment, at.size):
            raise forgotten(self.location)
        if (newest, len(data)) != (at.segment, at.size) or _head(data) != at.head:
            raise moved(self.location)

    def _look(self) -> _View:
        """Lists what is needed and reads what lies behind the newest copy. Raises StateUntrusted where a number is
        missing: an object was lost, or taken away."""
        view = _View()
        listed = self._bucket.list("segments/")
        self._marked = any(one.path == _MARK for one in listed)
        for one in listed:
            match = _COPY.fullmatch(one.path)
            if match and int(match[1]) == len(view.copies) + 1:  # behind a gap the objects themselves are read again
                view.copies.append(one)
                view.last = int(match[2])
        parts = self._bucket.list("journal/", after=_part(view.last))
        parts = [one for one in parts if _PART.fullmatch(one.path)]
        for one, data in zip(parts, self._bucket.get_all([one.path for one in parts]), strict=True):
            self._place(view, one, data)
        self._view, self._last = view, view.last
        self._pieces = len(view.later[-1]) if view.later else 0
        return view

    def _place(self, view: _View, one: Listed, data: bytes | None) -> None:
        expected = _part(view.last + 1)
        if one.path != expected or data is None:
            raise self._damaged(expected, "is missing")
        if not data.endswith(b"\n"):
            raise self._damaged(expected, "is cut")
        begins = read_kind(data[: data.index(b"\n")]) == "checkpoint"
        if begins or not view.later:
            view.later.append([])
        if not begins and len(view.later[-1]) == 0:
            raise self._damaged(expected, "should begin a segment with a checkpoint")
        view.later[-1].append(one)
        view.content[one.path] = data
        view.last += 1

    def _damaged(self, path: str, what: str) -> StateUntrusted:
        return StateUntrusted(
            "state-damaged",
            f"The recorded state at {self.location} does not verify: the object {path} {what}.",
            "Nothing was sent. Restore that object (a bucket with versions still has it), or the state from a backup.",
        )

    def _bytes(self, view: _View, number: int) -> bytes:
        if number == 0:
            return b""
        found = []
        for path in view.paths(number):
            data = view.content.get(path)
            data = self._bucket.get(path) if data is None else data
            if data is None:
                raise self._damaged(path, "is missing")
            found.append(data)
        return b"".join(found)

    def _copy_closed(self) -> None:
        """Each closed segment in one piece, so that it is one read, and its objects need not be listed any more."""
        with self._mutex:
            view = self._look()
            last = view.last - sum(len(parts) for parts in view.later)
            for number, parts in enumerate(view.later[:-1], len(view.copies) + 1):
                last += len(parts)
                self._bucket.create(f"segments/{segment_name(number)}-{last:010d}.jsonl", self._bytes(view, number))
            self._view = None

    def _probe(self) -> None:
        """Before a bucket is trusted with its first entry: a second create of one name must fail. A server that knows
        nothing of If-None-Match overwrites, and then two runs could both go on."""
        path = f"probe/{secrets.token_hex(8)}"
        honest = self._bucket.create(path, b"one\n") and not self._bucket.create(path, b"two\n")
        self._bucket.delete(path)
        if not honest:
            raise StoreFailed(
                "store-unfit",
                f"The object store of {self.location} overwrites where it was asked to create: two runs could record "
                "over each other.",
                "Nothing was recorded or sent. Use one that honours If-None-Match (Amazon S3, Google, Azure, Ceph, "
                "MinIO, Cloudflare R2 do).",
            )

    # -- data keys and the mark --------------------------------------------------------------------------------------

    def put_key(self, key_id: str, data: bytes) -> None:
        self._bucket.put(self._key_path(key_id), data)

    def get_key(self, key_id: str) -> bytes | None:
        return self._bucket.get(self._key_path(key_id))

    def list_keys(self) -> list[str]:
        matches = (_KEY.fullmatch(one.path) for one in self._bucket.list("keys/"))
        return sorted(match[1] for match in matches if match)

    def delete_key(self, key_id: str) -> None:
        self._bucket.delete(self._key_path(key_id))

    def _key_path(self, key_id: str) -> str:
        path = f"keys/{key_id}.json"
        if not _KEY.fullmatch(path):
            raise failed(self.location, "read a data key of", f"no data key has the id {key_id!r}")
        return path

    def read_mark(self) -> bytes | None:
        return None if self._marked is False else self._bucket.get(_MARK)

    def write_mark(self, data: bytes | None) -> None:
        if data is None:
            self._bucket.delete(_MARK)
        else:
            self._bucket.put(_MARK, data)
        self._marked = data is not None

    # -- the lock ----------------------------------------------------------------------------------------------------

    def peek_lock(self) -> LockInfo | None:
        return self._read_lock(self._top())

    def take_lock(self, info: LockInfo, instead_of: str | None) -> LockInfo | None:
        while True:
            top = self._top()
            held = self._read_lock(top)
            if held is not None and held.id not in (instead_of, info.id):
                return held
            if not self._bucket.create(_lock(top + 1), _lock_bytes(info)):
                continue  # another was quicker; the next look says who
            if self._top() == top + 1:
                self._sweep(top)
                return None
            # made below a higher number, because this client's look was old: it never counted
            self._bucket.delete(_lock(top + 1))

    def renew_lock(self, info: LockInfo) -> bool:
        top = self._top()
        held = self._read_lock(top)
        if held is None or held.id != info.id:
            return False
        self._bucket.put(_lock(top), _lock_bytes(info))  # a number that only its maker writes again
        return True

    def drop_lock(self, lock_id: str) -> bool:
        top = self._top()
        held = self._read_lock(top)
        if held is None or held.id != lock_id or not self._bucket.create(_lock(top + 1), _RELEASED):
            return False
        self._sweep(top)
        return True

    def _top(self) -> int:
        matches = (_LOCK.fullmatch(one.path) for one in self._bucket.list("lock/"))
        return max((int(match[1]) for match in matches if match), default=0)

    def _sweep(self, upto: int) -> None:
        with suppress(StoreFailed):  # what is left below the top counts for nothing
            for one in self._bucket.list("lock/"):
                match = _LOCK.fullmatch(one.path)
                if match and int(match[1]) <= upto:
                    self._bucket.delete(one.path)

    def _read_lock(self, number: int) -> LockInfo | None:
        data = self._bucket.get(_lock(number)) if number else None
        if data is None or data == _RELEASED:
            return None
        try:
            return lock_from_json(json.loads(data))
        except (ValueError, KeyError, TypeError):
            # we write it whole, so somebody else wrote this; nothing says since when, so it takes a force-unlock
            never = from_rfc3339("9999-01-01T00:00:00Z")
            return LockInfo(
                id="unreadable", who="unknown", host="unknown", pid=0, operation="unknown", since=never, renewed=never
            )


def _part(number: int) -> str:
    return f"journal/{number:010d}.jsonl"


def _lock(number: int) -> str:
    return f"lock/{number:010d}.json"


def _lock_bytes(info: LockInfo) -> bytes:
    return (json.dumps(info.to_json(), sort_keys=True) + "\n").encode()


def _head(data: bytes) -> str:
    try:
        return read_links(data[:-1].rpartition(b"\n")[2]).hash if data else ""
    except (NotAnEntry, NewerFormat):
        return "unreadable"
