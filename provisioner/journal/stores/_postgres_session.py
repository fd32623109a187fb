"""One direct connection to PostgreSQL: opened late, opened again where it broke, refused behind a transaction pooler.

Session-level things matter here (the advisory lock, `search_path`), so a pooler that hands each transaction another
server session is noticed and refused. libpq reads the URL, the `PG*` variables, the password file and the service file.
"""

from __future__ import annotations

import os
import threading
import time
import weakref
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import psycopg
from psycopg import Connection, errors, pq
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from provisioner.errors import Invalid, StateUntrusted, StoreFailed
from provisioner.journal.stores.base import failed

VERSION = 1
PATIENCE = 15.0  # seconds that a run waits for a server that went away in the middle of it
_LOCK_TIMEOUT = "30s"  # how long a statement waits for another's row before it fails
_PROBES = 3

_TABLES = """
CREATE TABLE IF NOT EXISTS versions (version integer PRIMARY KEY, made_at timestamptz NOT NULL DEFAULT now());
CREATE TABLE IF NOT EXISTS entries (
    stack text NOT NULL, serial bigint NOT NULL, segment integer NOT NULL,
    prev text NOT NULL, hash text NOT NULL, line text NOT NULL,
    PRIMARY KEY (stack, serial), UNIQUE (stack, prev));
CREATE INDEX IF NOT EXISTS entries_by_segment ON entries (stack, segment);
CREATE TABLE IF NOT EXISTS keys (stack text NOT NULL, id text NOT NULL, file text NOT NULL, PRIMARY KEY (stack, id));
CREATE TABLE IF NOT EXISTS locks (stack text PRIMARY KEY, id text NOT NULL, info text NOT NULL);
CREATE TABLE IF NOT EXISTS marks (stack text PRIMARY KEY, mark text NOT NULL);
"""

_WHO = """
SELECT pg_backend_pid(), set_config('lock_timeout', %s, false),
       CASE current_setting('synchronous_commit') WHEN 'off' THEN set_config('synchronous_commit', 'on', false) END
"""

T = TypeVar("T")
Work = Callable[[Connection[Any]], T]


class Session:
    """Thread-safe: one piece of work at a time. `schema` holds the tables; `greet` is called on each new connection."""

    def __init__(self, conninfo: str, location: str, schema: str) -> None:
        try:
            given = conninfo_to_dict(conninfo)
        except psycopg.ProgrammingError:  # its text repeats the URL, and perhaps the password in it
            raise _not_a_url(location) from None
        self.parameters = {**_defaults(), **{key: str(value) for key, value in given.items()}}
        self.location = location
        self.greet: Work[None] | None = None
        self._schema = schema
        self._conninfo = make_conninfo(conninfo, **_ours(given))
        self._connection: Connection[Any] | None = None
        self._met = False  # a server that never answered is not waited for
        self._made = False
        self._mutex = threading.RLock()

    # -- work --------------------------------------------------------------------------------------------------------

    def run(self, what: str, work: Work[T], *, otherwise: T) -> T:
        """`work` in autocommit, `otherwise` where the tables are not made yet. `work` is done again on a new connection
        where the old one broke, so it must bear that. Raises StoreFailed, in which `what` says what was tried."""
        return self._patiently(what, lambda connection: work(connection) if self._is_made(connection) else otherwise)

    def write(self, what: str, work: Work[T]) -> T:
        """As `run`, once the tables are made."""
        return self._patiently(what, lambda connection: work(self._with_tables(connection)))

    def _patiently(self, what: str, work: Work[T]) -> T:
        began, pause = time.monotonic(), 0.1
        while True:
            try:
                with self._mutex:
                    return work(self._open())
            except psycopg.Error as fault:
                late = time.monotonic() - began > PATIENCE
                if late or not self._met or not self._broken():
                    raise failed(self.location, what, self._words(fault)) from None
            time.sleep(pause)
            pause = min(pause * 2, 1.0)

    def close(self) -> None:
        """Now, and not when the session is collected."""
        if self._connection is not None:
            self._connection.close()

    def _broken(self) -> bool:
        return self._connection is None or self._connection.closed

    def _words(self, fault: psycopg.Error) -> str:
        """The server's own sentence, without the password should it ever be in there."""
        text = fault.diag.message_primary or (str(fault).strip().splitlines() or [type(fault).__name__])[0]
        password = self.parameters.get("password") or ""
        return text.replace(password, "***").rstrip(".") if password else text.rstrip(".")

    # -- the connection ----------------------------------------------------------------------------------------------

    def _open(self) -> Connection[Any]:
        if self._connection is not None and not self._connection.closed:
            return self._connection
        self._connection = None
        connection = _connect(self._conninfo)
        try:
            if self._pid(connection) != connection.info.backend_pid:
                self._refuse_transaction_pooler(connection)
            connection.execute("SELECT set_config('search_path', quote_ident(%s), false)", (self._schema,))
            if self.greet is not None and self._is_made(connection):
                self.greet(connection)
        except BaseException:
            connection.close()
            raise
        self._connection, self._met = connection, True
        weakref.finalize(self, connection.close)
        return connection

    @staticmethod
    def _pid(connection: Connection[Any]) -> int:
        """The server process. A session that an administrator made forgetful is made durable again on the way."""
        row = connection.execute(_WHO, (_LOCK_TIMEOUT,)).fetchone()
        return int(row[0]) if row else 0

    def _refuse_transaction_pooler(self, first: Connection[Any]) -> None:
        """Whoever answered is not whom we connected to: a pooler. One that keeps a session for each client is fine; one
        that lends its sessions by the transaction gives ours away while another client is inside one."""
        for _ in range(_PROBES):
            mine = self._pid(first)
            with _connect(self._conninfo) as second, second.transaction():
                theirs = self._pid(second)
                shared = theirs == mine or self._pid(first) != mine
            if shared:
                raise StoreFailed(
                    "store-unfit",
                    f"The recorded state at {self.location} is reached through a pooler that lends its sessions by the "
                    "transaction, so no lock can be held there.",
                    "Nothing was sent. Connect to PostgreSQL directly (its own port, not the pooler's), or through a "
                    "pool in session mode.",
                )

    # -- the tables --------------------------------------------------------------------------------------------------

    def _is_made(self, connection: Connection[Any]) -> bool:
        if not self._made:
            found = connection.execute("SELECT to_regclass('versions')").fetchone()
            if found is None or found[0] is None:
                return False
            row = connection.execute("SELECT max(version) FROM versions").fetchone()
            version = row[0] if row else None
            if version is not None and version > VERSION:
                raise self._newer(version)
            self._made = version == VERSION
        return self._made

    def _with_tables(self, connection: Connection[Any]) -> Connection[Any]:
        if not self._is_made(connection):
            with connection.transaction():
                # two first runs at once: IF NOT EXISTS alone does not keep them apart
                connection.execute("SELECT pg_advisory_xact_lock(hashtextextended('provisioner tables', 0))")
                found = connection.execute("SELECT to_regnamespace(quote_ident(%s))", (self._schema,)).fetchone()
                if found is None or found[0] is None:
                    name = psycopg.sql.Identifier(self._schema)
                    connection.execute(psycopg.sql.SQL("CREATE SCHEMA {}").format(name))
                connection.execute(_TABLES)
                connection.execute("INSERT INTO versions (version) VALUES (%s) ON CONFLICT DO NOTHING", (VERSION,))
            self._made = True
        return connection

    def _newer(self, version: int) -> StateUntrusted:
        return StateUntrusted(
            "state-newer-format",
            f"The tables at {self.location} were made by a newer version (layout {version}; this one knows {VERSION}).",
            "Use the version that made them, or a newer one. Nothing was changed.",
        )


def _connect(conninfo: str) -> Connection[Any]:
    # prepared statements belong to one server session, and these few statements gain nothing by them
    return psycopg.connect(conninfo, autocommit=True, prepare_threshold=None)


def _defaults() -> dict[str, str]:
    """What libpq takes where the URL is silent: the `PG*` variables, the user's name."""
    found = {option.keyword.decode(): option.val for option in pq.Conninfo.get_defaults()}
    return {key: value.decode() for key, value in found.items() if value}


def _ours(given: Mapping[str, Any]) -> dict[str, str]:
    """What we ask for where neither the URL nor the environment does."""
    wanted = {"client_encoding": "UTF8"}
    if "connect_timeout" not in given and not os.environ.get("PGCONNECT_TIMEOUT"):
        wanted["connect_timeout"] = "10"
    if "application_name" not in given and not os.environ.get("PGAPPNAME"):
        wanted["application_name"] = "provisioner"
    return wanted


def _not_a_url(location: str) -> Invalid:
    return Invalid(
        "bad-value",
        f"{location} is not a PostgreSQL URL that libpq reads.",
        "Write postgresql://USER@HOST:PORT/DATABASE?sslmode=verify-full, special characters of a password as %XX; or "
        "leave parts out and set PGHOST, PGUSER, PGPASSWORD, ...",
        key_path="state.location",
    )


UniqueViolation = errors.UniqueViolation
