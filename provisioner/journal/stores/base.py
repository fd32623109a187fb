"""What every store of a recorded state does. A store moves bytes and holds a lock; it judges nothing.

A state is a row of segments (numbered from 1), each some lines of JSON. A store keeps three promises:

- **fence**: `append` and `start_segment` name the position that they follow and write nothing where it is not the end
  any more (`HeadMoved`). This is what makes a stale lock harmless.
- **durable**: what was returned from survives a power cut. What failed was not acknowledged, and is cut off where that
  can be done.
- **private**: nobody but the owner reads it (mode 0600, a private bucket, a database's own rights).

How a store finds the end: a directory by the newest segment and its size, PostgreSQL by the entry that nothing follows
yet, object storage by a conditional put of the next numbered object, Terraform's HTTP protocol by its lock. `Position`
carries what each of them needs. Lines are entries (see `entries.py`): a store may read their serial and kind.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from provisioner.errors import HeadMoved, Invalid, StateUntrusted, StoreFailed
from provisioner.journal.lockinfo import LockInfo
from provisioner.records import dataclass


@dataclass(frozen=True, slots=True)
class Position:
    """The end of a journal: its newest segment (0: none yet), how many of its bytes are good, and the head's hash."""

    segment: int = 0
    size: int = 0
    head: str = ""


@dataclass(frozen=True, slots=True)
class Segment:
    """One segment. `stamp` changes whenever its content may have (None: this store cannot tell); it is for equality
    only. `fresh`: it changed so recently that a further change might not show in the stamp."""

    number: int
    stamp: str | None = None
    fresh: bool = False

    @property
    def name(self) -> str:
        return segment_name(self.number)


def segment_name(number: int) -> str:
    return f"{number:08d}"


class Store(Protocol):
    """Thread-safe: one thread appends at a time, others may use keys and lock meanwhile.

    Every method raises StoreFailed "state-unreachable" where the store cannot be reached, read or written. What adds to
    the chain raises StateUntrusted "state-rolled-back" where the end lies before what was acknowledged.
    """

    location: str  # as users write it, never with credentials
    identity: str  # the same for everybody who means this state: what the machine's memory is kept under

    def load(self) -> tuple[list[Segment], bytes]:
        """All segments, oldest first, and the newest one's bytes, as of one moment. ([], b"") where nothing is."""

    def read(self, number: int) -> bytes:
        """The bytes of one segment, whole."""

    def append(self, data: bytes, at: Position, head: str) -> Position:
        """Whole lines to the newest segment, durable when it returns. `head` is the new last entry's hash.
        Raises HeadMoved where `at` is not the end any more."""

    def start_segment(self, data: bytes, at: Position, head: str) -> Position:
        """A new segment after `at.segment`, appearing whole or not at all. Raises HeadMoved as `append` does."""

    def truncate(self, at: Position, torn: int) -> None:
        """Cuts `torn` bytes off behind `at`. Raises HeadMoved where they are not what stands there."""

    def crowded(self) -> bool:
        """Whether the newest segment came in so many pieces that a checkpoint is cheaper than reading them again."""

    # -- what this copy is (see `marks.py`): one small document beside the chain -------------------------------------

    def read_mark(self) -> bytes | None:
        """As of the last `load`, or later."""

    def write_mark(self, data: bytes | None) -> None:
        """Durable when it returns. None removes it."""

    # -- data keys, sealed already, beside the chain -----------------------------------------------------------------

    def put_key(self, key_id: str, data: bytes) -> None:
        """Durable when it returns; replaces a key of the same id as a whole."""

    def get_key(self, key_id: str) -> bytes | None: ...

    def list_keys(self) -> list[str]:
        """Sorted."""

    def delete_key(self, key_id: str) -> None:
        """What it sealed is shredded by this. Nothing happens where there is none."""

    # -- the lock: a courtesy; each of these is atomic ---------------------------------------------------------------

    def peek_lock(self) -> LockInfo | None: ...

    def take_lock(self, info: LockInfo, instead_of: str | None) -> LockInfo | None:
        """None: `info` is the lock now. Otherwise nothing was changed and the lock that is held is returned.
        `instead_of` is the id of the one lock that may be replaced."""

    def renew_lock(self, info: LockInfo) -> bool:
        """Writes `info` over the lock of the same id; False where another or none is held by now."""

    def drop_lock(self, lock_id: str) -> bool:
        """Removes the lock of this id; False where another or none is held."""


Opener = Callable[..., Store]


def moved(location: str) -> HeadMoved:
    """The fence held: the end is not where the writer left it."""
    return HeadMoved(
        "head-moved",
        f"Another run appended to the recorded state at {location} first.",
        "This run stopped before its next request; what it did is recorded. Run the command again.",
    )


def forgotten(location: str) -> StateUntrusted:
    """The end lies before what this very run was told is durable."""
    return StateUntrusted(
        "state-rolled-back",
        f"The recorded state at {location} lost what it had acknowledged to this run.",
        "Nothing more is sent. Somebody put an older copy back, or the store forgets: find out which before anything "
        "else is applied; `provisioner history` shows what is left.",
    )


def missing_package(location: str, extra: str) -> Invalid:
    """A store whose optional package is not installed (pyproject.toml, optional-dependencies)."""
    return Invalid(
        "state-missing-dependency",
        f"The recorded state at {location} needs a package that is not installed.",
        f"Install it: python -m pip install 'provisioner[{extra}]'",
        key_path="state.location",
    )


def busy(location: str, seconds: float) -> StoreFailed:
    """Another process is in the middle of a write, and has been for `seconds`."""
    return StoreFailed(
        "state-unreachable",
        f"Another process has been in the middle of a write to the recorded state at {location} for {seconds:g} s.",
        "It was stopped there, or its disk hangs: let it go on (kill -CONT) or end it; `provisioner history` and the "
        "next run find the state whole either way. Then run the command again.",
    )


def failed(location: str, what: str, why: object) -> StoreFailed:
    """`what` was tried: "append to", "read". `why` is an OS error's text or a server's."""
    return StoreFailed(
        "state-unreachable",
        f"Could not {what} the recorded state at {location}: {why}.",
        "Nothing more is sent. Make room or restore access, then run the command again; what was acknowledged is safe.",
    )
