"""The sandbox's memory: one SQLite file that several processes may have open.

Every request is one immediate transaction, so two processes that refresh one token are put in order as a vendor would.
`synchronous=OFF`: what is committed survives the SIGKILL of any process (it is in the kernel's hands), not a power
cut, and a sandbox need not. Token values are never stored, only their SHA-256: a search for a token in the files of a
project finds what leaked and not what the sandbox remembers.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

FILE = "sandbox.db"

SCHEMA = """
CREATE TABLE IF NOT EXISTS facts(key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS tokens(
  id INTEGER PRIMARY KEY, vendor TEXT NOT NULL, client TEXT NOT NULL, scope TEXT NOT NULL, family TEXT NOT NULL,
  parent INTEGER, issued REAL NOT NULL, access TEXT, access_ends REAL, access_killed REAL,
  refresh TEXT, refresh_ends REAL, refresh_killed REAL);
CREATE UNIQUE INDEX IF NOT EXISTS token_access ON tokens(access) WHERE access IS NOT NULL;
CREATE UNIQUE INDEX IF NOT EXISTS token_refresh ON tokens(refresh) WHERE refresh IS NOT NULL;
CREATE INDEX IF NOT EXISTS token_family ON tokens(family);
CREATE INDEX IF NOT EXISTS token_client ON tokens(vendor, client);
CREATE TABLE IF NOT EXISTS grants(
  digest TEXT PRIMARY KEY, vendor TEXT NOT NULL, kind TEXT NOT NULL, body TEXT NOT NULL, ends REAL NOT NULL,
  used REAL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS clients(
  vendor TEXT NOT NULL, client TEXT NOT NULL, body TEXT NOT NULL, PRIMARY KEY(vendor, client)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS purchases(
  id INTEGER PRIMARY KEY, time REAL NOT NULL, credits INTEGER NOT NULL, visible REAL NOT NULL, coupon TEXT);
CREATE TABLE IF NOT EXISTS ledger(seq INTEGER PRIMARY KEY, body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS faults(id INTEGER PRIMARY KEY, body TEXT NOT NULL);
"""


def _make_private(folder: Path) -> None:
    """Each parent that has to be made is 0700 too: `mkdir(parents=True)` would leave those to the umask."""
    if not folder.is_dir():
        _make_private(folder.parent)
        folder.mkdir(mode=0o700, exist_ok=True)


class Store:
    """One connection, used by one thread at a time. The folder is 0700 and the file 0600 from their first moment."""

    def __init__(self, folder: Path) -> None:
        _make_private(folder)
        folder.chmod(0o700)
        path = folder / FILE
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        path.chmod(0o600)
        self._lock = threading.Lock()
        self._db = sqlite3.connect(path, timeout=30, isolation_level=None, check_same_thread=False)
        _patiently(lambda: self._db.execute("PRAGMA journal_mode=WAL"))
        self._db.execute("PRAGMA synchronous=OFF")
        self._db.execute("PRAGMA cache_size=-16000")
        self._create()

    def _create(self) -> None:
        if self._db.execute("SELECT count(*) FROM sqlite_master WHERE name = 'faults'").fetchone()[0]:
            return
        with self.transaction() as db:
            for statement in filter(str.strip, SCHEMA.split(";\n")):
                db.execute(statement)

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Commits on the way out, whatever is raised by design (`Refusal` is caught inside); rolls back on a bug."""
        with self._lock:
            _patiently(lambda: self._db.execute("BEGIN IMMEDIATE"))
            try:
                yield self._db
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    def close(self) -> None:
        with self._lock:
            self._db.close()


def _patiently(action: Callable[[], object], patience: float = 60.0) -> None:
    """SQLite's own busy handler gives up at once in a few cases (switching to WAL, recovery after a kill)."""
    deadline = time.monotonic() + patience
    while True:
        try:
            action()
            return
        except sqlite3.OperationalError as error:
            if ("locked" not in str(error) and "busy" not in str(error)) or time.monotonic() > deadline:
                raise
            time.sleep(0.005)
