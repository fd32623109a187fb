"""A recorded state in PostgreSQL: one row an entry, many stacks one database.

    entries (stack, serial, segment, prev, hash, line)    PRIMARY KEY (stack, serial), UNIQUE (stack, prev)
    keys (stack, id, file)   locks (stack, id, info)   marks (stack, mark)   versions (version)

An append is one INSERT that names the head which it follows: it inserts nothing where that entry is not there, and
breaks the unique constraint where something follows it already. So the fence is the table's own, needs no lock, and a
role with no more than SELECT and INSERT on `entries` can apply. Durable is what COMMIT means.

The lock is a row, renewed like any other store's, and an advisory lock of the holder's session on its id: where nobody
has that, the holder's session is gone, and its row is void at once.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from provisioner.errors import Invalid, ProvisionerError
from provisioner.journal.entries import Links, read_links
from provisioner.journal.lockinfo import LockInfo, lock_from_json
from provisioner.journal.stores.base import Position, Segment, forgotten, missing_package, moved

if TYPE_CHECKING:
    from psycopg import Connection

    from provisioner.journal.stores._postgres_session import Session
    from provisioner.journal.stores.opening import Resolve

SCHEMA = "provisioner"
_GONE = datetime.min.replace(tzinfo=UTC)  # when a lock whose session is gone was renewed: before every lease

_LOAD = """
SELECT segment, count(*), max(xmin::text::bigint), sum(xmin::text::bigint),
       string_agg(line, E'\\n' ORDER BY serial) FILTER (WHERE segment = newest)
FROM entries, (SELECT max(segment) AS newest FROM entries WHERE stack = %(stack)s) AS last
WHERE stack = %(stack)s GROUP BY segment ORDER BY segment
"""
_READ = "SELECT line FROM entries WHERE stack = %s AND segment = %s ORDER BY serial"
_APPEND = """
INSERT INTO entries (stack, serial, segment, prev, hash, line)
SELECT %(stack)s, made.* FROM unnest(%(serials)s::bigint[], %(segments)s::integer[], %(prevs)s::text[],
                                     %(hashes)s::text[], %(lines)s::text[]) AS made
WHERE CASE WHEN %(head)s = '' THEN NOT EXISTS (SELECT FROM entries WHERE stack = %(stack)s)
      ELSE EXISTS (SELECT FROM entries WHERE stack = %(stack)s AND serial = %(after)s AND hash = %(head)s
                                         AND segment = %(segment)s) END
"""
_END = "SELECT serial FROM entries WHERE stack = %s ORDER BY serial DESC LIMIT 1"
_IS_OURS = "SELECT FROM entries WHERE stack = %s AND serial = %s AND hash = %s"
# Advisory locks have 64-bit keys; other programs' in the same database are others.
_PIN = "SELECT pg_try_advisory_lock(hashtextextended('provisioner lock ' || %s, 0))"
_UNPIN = "SELECT pg_advisory_unlock(hashtextextended('provisioner lock ' || %s, 0))"
# for the time of this statement or transaction only: a look must not make a lock look held
_IS_FREE = "SELECT pg_try_advisory_xact_lock(hashtextextended('provisioner lock ' || %s, 0))"


def open_location(location: str, *, stack: str, settings: Mapping[str, Any], resolve: Resolve) -> PostgresStore:
    """`postgresql://...`, as libpq takes it; `?schema=NAME` (default `provisioner`) is ours. Connects to nothing yet.

    Raises Invalid where psycopg is not installed, or the URL is none.
    """
    url, schema = _without_schema(location)
    shown = _shown(location)
    try:
        from provisioner.journal.stores._postgres_session import Session
    except ImportError:
        raise missing_package(shown, "postgres") from None
    return PostgresStore(Session(url, shown, schema), shown, stack=stack, schema=schema)


def _without_schema(location: str) -> tuple[str, str]:
    scheme, _, query_and_more = location.partition("?")
    if not query_and_more:
        return location, SCHEMA
    pairs = parse_qsl(query_and_more, keep_blank_values=True)
    schema = next((value for key, value in pairs if key == "schema"), SCHEMA)
    if not schema or len(schema.encode()) > 63:
        raise Invalid(
            "bad-value",
            "schema in a PostgreSQL URL names a schema.",
            "Write ?schema=NAME.",
            key_path="state.location",
        )
    kept = [(key, value) for key, value in pairs if key != "schema"]
    return scheme + (f"?{urlencode(kept)}" if kept else ""), schema


def _shown(location: str) -> str:
    """The URL without user, password and parameters, but for the schema."""
    try:
        parts = urlsplit(location)
        schema = [(key, value) for key, value in parse_qsl(parts.query) if key == "schema"]
        return urlunsplit(("postgresql", parts.netloc.rpartition("@")[2], parts.path, urlencode(schema), ""))
    except ValueError:
        return "postgresql:"


class PostgresStore:
    """See `base.Store`."""

    def __init__(self, session: Session, location: str, *, stack: str, schema: str) -> None:
        self.location = location
        self._session = session
        self._stack = stack
        self._held: str | None = None  # the id of the lock that this session stands for
        self._pinned_by: int | None = None  # the connection that has the advisory lock of that id
        session.greet = self._pin
        at = session.parameters
        host = at.get("host") or at.get("hostaddr") or "local"
        self.identity = f"postgresql://{host}:{at.get('port', '')}/{at.get('dbname', '')}?schema={schema}#{stack}"

    def close(self) -> None:
        """Gives the connection back; for a process that opens many stores. It may be used again, and connects anew."""
        self._session.close()

    # -- segments ----------------------------------------------------------------------------------------------------

    def load(self) -> tuple[list[Segment], bytes]:
        def look(connection: Connection[Any]) -> tuple[list[Segment], bytes]:
            rows = connection.execute(_LOAD, {"stack": self._stack}).fetchall()
            # xmin is the transaction that wrote a row: whoever changes one, or puts one in its place, leaves another
            segments = [Segment(row[0], f"{row[1]}:{row[2]}:{row[3]}") for row in rows]
            return segments, rows[-1][4].encode() + b"\n" if rows else b""

        nothing: tuple[list[Segment], bytes] = ([], b"")
        return self._session.run("read", look, otherwise=nothing)

    def read(self, number: int) -> bytes:
        def look(connection: Connection[Any]) -> bytes:
            return b"".join(f"{row[0]}\n".encode() for row in connection.execute(_READ, (self._stack, number)))

        return self._session.run("read", look, otherwise=b"")

    def append(self, data: bytes, at: Position, head: str) -> Position:
        self._insert(data, at, head, at.segment)
        return Position(at.segment, at.size + len(data), head)

    def start_segment(self, data: bytes, at: Position, head: str) -> Position:
        self._insert(data, at, head, at.segment + 1)
        return Position(at.segment + 1, len(data), head)

    def truncate(self, at: Position, torn: int) -> None:
        """Rows are whole or not there, so no torn bytes ever stand here."""
        raise moved(self.location)

    def crowded(self) -> bool:
        return False

    def _insert(self, data: bytes, at: Position, head: str, segment: int) -> None:
        lines = data.splitlines()
        links = [read_links(line) for line in lines]
        values = {
            "stack": self._stack,
            "segment": at.segment,
            "head": at.head,
            "after": links[0].serial - 1,
            "serials": [link.serial for link in links],
            "segments": [segment] * len(links),
            "prevs": [link.prev for link in links],
            "hashes": [link.hash for link in links],
            "lines": [line.decode("ascii") for line in lines],
        }
        self._session.write("append to", lambda connection: self._append(connection, values, links))

    def _append(self, connection: Connection[Any], values: Mapping[str, Any], links: list[Links]) -> None:
        from provisioner.journal.stores._postgres_session import UniqueViolation

        try:
            inserted = connection.execute(_APPEND, values).rowcount
        except UniqueViolation:
            inserted = 0
        if inserted == len(links):
            return
        # a connection that broke before it told us may have left them there: the same hash is the same entry of ours
        if connection.execute(_IS_OURS, (self._stack, links[-1].serial, links[-1].hash)).fetchone() is not None:
            return
        raise self._not_the_end(connection, links[0])

    def _not_the_end(self, connection: Connection[Any], first: Links) -> ProvisionerError:
        row = connection.execute(_END, (self._stack,)).fetchone()
        end = row[0] if row else 0
        return forgotten(self.location) if end < first.serial - 1 else moved(self.location)

    # -- data keys and the mark --------------------------------------------------------------------------------------

    def put_key(self, key_id: str, data: bytes) -> None:
        text = "INSERT INTO keys VALUES (%s, %s, %s) ON CONFLICT (stack, id) DO UPDATE SET file = excluded.file"
        self._session.write(
            "write a data key of", lambda c: c.execute(text, (self._stack, key_id, data.decode("ascii")))
        )

    def get_key(self, key_id: str) -> bytes | None:
        def look(connection: Connection[Any]) -> bytes | None:
            text = "SELECT file FROM keys WHERE stack = %s AND id = %s"
            row = connection.execute(text, (self._stack, key_id)).fetchone()
            return None if row is None else row[0].encode()

        return self._session.run("read a data key of", look, otherwise=None)

    def list_keys(self) -> list[str]:
        def look(connection: Connection[Any]) -> list[str]:
            rows = connection.execute("SELECT id FROM keys WHERE stack = %s", (self._stack,))
            return sorted(row[0] for row in rows)

        return self._session.run("read the data keys of", look, otherwise=[])

    def delete_key(self, key_id: str) -> None:
        def change(connection: Connection[Any]) -> None:
            connection.execute("DELETE FROM keys WHERE stack = %s AND id = %s", (self._stack, key_id))

        self._session.run("delete a data key of", change, otherwise=None)

    def read_mark(self) -> bytes | None:
        def look(connection: Connection[Any]) -> bytes | None:
            row = connection.execute("SELECT mark FROM marks WHERE stack = %s", (self._stack,)).fetchone()
            return None if row is None else row[0].encode()

        return self._session.run("read", look, otherwise=None)

    def write_mark(self, data: bytes | None) -> None:
        def change(connection: Connection[Any]) -> None:
            if data is None:
                connection.execute("DELETE FROM marks WHERE stack = %s", (self._stack,))
                return
            text = "INSERT INTO marks VALUES (%s, %s) ON CONFLICT (stack) DO UPDATE SET mark = excluded.mark"
            connection.execute(text, (self._stack, data.decode("ascii")))

        self._session.write("mark", change)

    # -- the lock ----------------------------------------------------------------------------------------------------

    def peek_lock(self) -> LockInfo | None:
        def look(connection: Connection[Any]) -> LockInfo | None:
            row = connection.execute("SELECT id, info FROM locks WHERE stack = %s", (self._stack,)).fetchone()
            return None if row is None else self._held_lock(connection, *row)

        return self._session.run("read the lock of", look, otherwise=None)

    def take_lock(self, info: LockInfo, instead_of: str | None) -> LockInfo | None:
        def change(connection: Connection[Any]) -> LockInfo | None:
            with connection.transaction():
                other = self._take(connection, info, instead_of)
                if other is None:
                    self._held, self._pinned_by = info.id, None
                    self._pin(connection)
            return other

        return self._session.write("lock", change)

    def _take(self, connection: Connection[Any], info: LockInfo, instead_of: str | None) -> LockInfo | None:
        text = _text(info)
        while True:
            put = "INSERT INTO locks VALUES (%s, %s, %s) ON CONFLICT (stack) DO NOTHING"
            if connection.execute(put, (self._stack, info.id, text)).rowcount:
                return None
            look = "SELECT id, info FROM locks WHERE stack = %s FOR UPDATE"
            row = connection.execute(look, (self._stack,)).fetchone()
            if row is None:
                continue  # released in between
            if row[0] not in (instead_of, info.id):  # its own id: taken, and the answer was lost
                return self._held_lock(connection, *row)
            change = "UPDATE locks SET id = %s, info = %s WHERE stack = %s"
            connection.execute(change, (info.id, text, self._stack))
            return None

    def _held_lock(self, connection: Connection[Any], lock_id: str, text: str) -> LockInfo:
        """The lock of this row; as one whose lease has long ended where its holder's session is gone."""
        held = lock_from_json(json.loads(text))
        if lock_id == self._held:
            return held
        free = connection.execute(_IS_FREE, (lock_id,)).fetchone()
        return replace(held, renewed=_GONE) if free and free[0] else held

    def renew_lock(self, info: LockInfo) -> bool:
        def change(connection: Connection[Any]) -> bool:
            self._pin(connection)
            text = "UPDATE locks SET info = %s WHERE stack = %s AND id = %s"
            return connection.execute(text, (_text(info), self._stack, info.id)).rowcount == 1

        return self._session.write("lock", change)

    def drop_lock(self, lock_id: str) -> bool:
        def change(connection: Connection[Any]) -> bool:
            text = "DELETE FROM locks WHERE stack = %s AND id = %s"
            dropped = connection.execute(text, (self._stack, lock_id)).rowcount == 1
            if lock_id == self._held:
                self._held = None
                connection.execute(_UNPIN, (lock_id,))
            return dropped

        return self._session.run("unlock", change, otherwise=False)

    def _pin(self, connection: Connection[Any]) -> None:
        """Makes this connection stand for the lock that is held. Tried again with each renewal: a session that broke
        may linger on the server, and have the advisory lock until it is noticed there."""
        if self._held is not None and self._pinned_by != connection.info.backend_pid:
            row = connection.execute(_PIN, (self._held,)).fetchone()
            if row and row[0]:
                self._pinned_by = connection.info.backend_pid


def _text(info: LockInfo) -> str:
    return json.dumps(info.to_json(), sort_keys=True)
