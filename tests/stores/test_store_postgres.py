"""The store that is PostgreSQL: the contract of every store on a real server, and what only a database does."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from journal_world import STACK, intent, outcome, run
from store_contract import H1, H2, H3, ONE, THREE, TWO, StoreContract, lock

from provisioner.errors import Invalid, StateUntrusted, StoreFailed
from provisioner.journal.journal import Draft, Journal
from provisioner.journal.locks import take_lock
from provisioner.journal.memory import HeadMemory
from provisioner.journal.stores.base import Position, Store
from provisioner.journal.stores.opening import open_store
from provisioner.journal.stores.postgres import PostgresStore
from provisioner.secret import Secret

if TYPE_CHECKING:
    from broken_wire import BrokenWire
    from postgres_server import PostgresServer


def at(url: str, stack: str = STACK) -> Store:
    return open_store(url, stack=stack, directory=Path(), settings={}, resolve=no_secret)


def no_secret(reference: object) -> Secret:
    raise AssertionError("a database's credentials are its URL's")


def opened(url: str, memory: HeadMemory | None = None) -> Journal:
    return Journal.open(at(url), stack=STACK, memory=memory)


def schema_of(url: str) -> str:
    return url.rpartition("=")[2]


class TestPostgresStore(StoreContract):
    @pytest.fixture
    def make(self, database: str) -> Callable[[], Store]:
        return lambda: at(database)


@pytest.fixture
def wire(postgres: PostgresServer) -> Iterator[BrokenWire]:
    from broken_wire import BrokenWire

    made = BrokenWire(postgres.port)
    yield made
    made.close()


def end_sessions(postgres: PostgresServer) -> None:
    postgres.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE application_name = 'provisioner' AND pid <> pg_backend_pid()"
    )


def outlived(store: Store) -> bool:
    """Whether the lock's holder is seen to have gone, as soon as the server has noticed: a session ends by itself."""
    for _ in range(500):
        seen = store.peek_lock()
        assert seen is not None
        if seen.ended(seen.since):
            return True
        time.sleep(0.01)
    return False


# -- what is made, and for whom ----------------------------------------------------------------------------------------


def test_looking_makes_no_tables(postgres: PostgresServer, database: str) -> None:
    """A role that may only read can look at a database that nobody has used."""
    store = at(database)
    store.load()
    store.peek_lock()
    store.delete_key("none")
    assert store.drop_lock("none") is False
    assert postgres.execute(f"SELECT to_regnamespace('{schema_of(database)}')") == [(None,)]


def test_many_stacks_share_a_database(database: str) -> None:
    """Each sees its own entries, keys, mark and lock."""
    one, two = at(database, "one"), at(database, "two")
    one.start_segment(ONE, Position(), H1)
    one.put_key("k", b"{}\n")
    one.write_mark(b"{}\n")
    one.take_lock(lock(id="mine"), None)
    assert two.load() == ([], b"")
    assert (two.list_keys(), two.read_mark(), two.peek_lock()) == ([], None, None)
    two.start_segment(ONE, Position(), H1)
    assert one.identity != two.identity


def test_a_role_that_may_only_insert_can_apply(postgres: PostgresServer, database: str) -> None:
    """History cannot be changed by whoever writes it: `entries` is never updated and never deleted from."""
    owner = at(database)
    owner.start_segment(ONE, Position(), H1)
    schema = schema_of(database)
    role = f"{schema}_writer"
    postgres.execute(
        f"CREATE ROLE {role} LOGIN PASSWORD 'pw'; GRANT USAGE ON SCHEMA {schema} TO {role};"
        f"GRANT SELECT ON {schema}.versions TO {role}; GRANT SELECT, INSERT ON {schema}.entries TO {role};"
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON {schema}.keys, {schema}.locks, {schema}.marks TO {role}"
    )
    writer = at(f"postgresql://{role}:pw@127.0.0.1:{postgres.port}/postgres?schema={schema}")
    with take_lock(writer, run()):
        assert writer.append(TWO, Position(1, len(ONE), H1), H2).head == H2
    with pytest.raises(StoreFailed, match=r"permission denied for table entries"):
        writer._session.write("x", lambda c: c.execute("DELETE FROM entries"))  # type: ignore[attr-defined]


def test_the_usual_variables_say_where(
    postgres: PostgresServer, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`postgresql:///` alone is enough, and means the same state as the URL that spells it out."""
    at(database).start_segment(ONE, Position(), H1)
    for name, value in (("PGHOST", "127.0.0.1"), ("PGPORT", postgres.port), ("PGUSER", "tester")):
        monkeypatch.setenv(name, str(value))
    monkeypatch.setenv("PGPASSWORD", postgres.password)
    monkeypatch.setenv("PGDATABASE", "postgres")
    short = at(f"postgresql:///?schema={schema_of(database)}")
    assert short.load()[1] == ONE
    assert short.identity == at(database).identity


def test_tables_of_a_newer_version_are_refused(postgres: PostgresServer, database: str) -> None:
    """As a newer format is, and nothing is changed."""
    at(database).start_segment(ONE, Position(), H1)
    postgres.execute("INSERT INTO versions VALUES (2)", schema_of(database))
    with pytest.raises(StateUntrusted, match="layout 2; this one knows 1") as caught:
        at(database).load()
    assert caught.value.diagnostics[0].name == "state-newer-format"


def test_the_password_is_never_printed(postgres: PostgresServer) -> None:
    """Whatever goes wrong: wrong password, wrong host, a URL that libpq does not read, a database that is not there."""
    from urllib.parse import quote

    password = quote(postgres.password, safe="")
    locations = [
        f"postgresql://tester:wrong{password}@127.0.0.1:{postgres.port}/postgres",
        f"postgresql://tester:{password}@127.0.0.1:1/postgres",
        f"postgresql://tester:{password}@127.0.0.1:{postgres.port}/nowhere",
        f"postgresql://tester:{password}@127.0.0.1:{postgres.port}/postgres?nonsense=1",
        f"postgresql://tester:{password}%ZZ@127.0.0.1:{postgres.port}/postgres",
        f"postgresql:///postgres?host=127.0.0.1&port={postgres.port}&user=tester&password=wrong{password}",
    ]
    for location in locations:
        with pytest.raises((StoreFailed, Invalid)) as caught:
            at(location).load()
        shown = repr(caught.value.diagnostics) + str(caught.value)
        assert postgres.password not in shown
        assert password not in shown
        assert caught.value.__cause__ is None
    assert postgres.password not in at(locations[0]).location + at(locations[0]).identity


def test_without_psycopg_the_pip_line_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """An uninstalled extra is a clear error of the file, with what to type."""
    monkeypatch.setitem(sys.modules, "psycopg", None)
    monkeypatch.delitem(sys.modules, "provisioner.journal.stores._postgres_session", raising=False)
    with pytest.raises(Invalid) as caught:
        at("postgresql://u:hidden@db.example.com/states")
    found = caught.value.diagnostics[0]
    assert (found.name, caught.value.exit_code) == ("state-missing-dependency", 4)
    assert "pip install 'provisioner[postgres]'" in found.detail
    assert "hidden" not in repr(found)


# -- the fence and durability ------------------------------------------------------------------------------------------


def test_a_session_that_was_made_forgetful_is_made_durable(postgres: PostgresServer, database: str) -> None:
    """A database or role with synchronous_commit off would acknowledge what a crash loses."""
    postgres.execute("ALTER ROLE tester SET synchronous_commit = off")
    try:
        store = at(database)
        store.load()
        shown = store._session.run("x", lambda c: c.execute("SHOW synchronous_commit").fetchone(), otherwise=None)  # type: ignore[attr-defined]
        assert shown is None  # no tables yet, so nothing was asked
        store.put_key("k", b"{}\n")
        shown = store._session.run("x", lambda c: c.execute("SHOW synchronous_commit").fetchone(), otherwise=None)  # type: ignore[attr-defined]
        assert shown == ("on",)
    finally:
        postgres.execute("ALTER ROLE tester RESET synchronous_commit")


def test_an_append_whose_answer_was_lost_is_there_once(
    postgres: PostgresServer, wire: BrokenWire, database: str
) -> None:
    """The insert was committed and the connection broke: it is found to be ours, and nothing is written twice."""
    store = at(postgres.url(port=wire.port, query=f"?schema={schema_of(database)}"))
    begun = store.start_segment(ONE, Position(), H1)
    wire.lose(H2.encode())
    later = store.append(TWO, begun, H2)
    assert (wire.lost, later.head) == (1, H2)
    store.append(THREE, later, H3)
    assert at(database).load()[1] == ONE + TWO + THREE


def test_a_connection_that_broke_is_opened_again(postgres: PostgresServer, database: str) -> None:
    """A server that was restarted in the middle of a run costs nothing; the lock is still this run's."""
    store, other = at(database), at(database)
    with take_lock(store, run()) as held, Journal.open(store, stack=STACK, memory=None) as journal:
        journal.begin(run(), held)
        end_sessions(postgres)
        journal.append(intent(1))
        end_sessions(postgres)
        assert store.renew_lock(held.info)
        assert other.take_lock(lock(id="other"), None) == held.info
        journal.append(outcome(1))
    assert len(opened(database).state.objects) == 1


def test_a_closed_store_gives_its_connection_back(postgres: PostgresServer, database: str) -> None:
    """With the lock that went with it, as soon as the server has seen it go; used again, it connects anew."""
    store, other = at(database), at(database)
    assert isinstance(store, PostgresStore)
    store.take_lock(lock(id="gone", host="elsewhere"), None)
    store.close()
    assert outlived(other)
    assert store.load()[0] == []


def test_a_dead_session_frees_its_lock_at_once(postgres: PostgresServer, database: str) -> None:
    """On whatever machine its process died: nobody waits for a lease, and the takeover is said."""
    gone = at(database)
    gone.take_lock(lock(id="dead", host="elsewhere"), None)
    assert at(database).take_lock(lock(id="other"), None) == lock(id="dead", host="elsewhere")
    end_sessions(postgres)
    assert outlived(at(database))
    with take_lock(at(database), run()) as held:
        assert held.taken_over is not None
        assert [notice.name for notice in held.notices] == ["lock-taken-over"]
        assert gone.renew_lock(lock(id="dead", host="elsewhere")) is False


def test_a_database_that_forgets_an_acknowledged_entry_stops_the_run(postgres: PostgresServer, database: str) -> None:
    """A standby that was behind when it was promoted: exit 7, and nothing more is recorded or sent."""
    with Journal.open(at(database), stack=STACK, memory=None) as journal:
        journal.begin(run())
        journal.append(intent(1))
        postgres.execute("DELETE FROM entries WHERE serial = 3", schema_of(database))
        with pytest.raises(StateUntrusted, match="lost what it had acknowledged") as caught:
            journal.append(outcome(1))
    assert (caught.value.exit_code, caught.value.diagnostics[0].name) == (7, "state-rolled-back")


def test_a_changed_row_is_noticed_by_a_machine_that_verified_it(
    postgres: PostgresServer, database: str, tmp_path: Path
) -> None:
    """Old segments are not hashed again while their rows are the same; one that was updated is another row."""
    memory = HeadMemory(tmp_path / "heads")
    for number in range(3):
        with Journal.open(at(database), stack=STACK, memory=memory) as journal:
            journal.begin(run())
            journal.append(*(Draft("note", None, {"n": number}) for _ in range(260)))
    opened(database, memory)
    change = "UPDATE entries SET line = replace(line, '\"n\":0', '\"n\":7') WHERE serial = 40"
    postgres.execute(change, schema_of(database))
    with pytest.raises(StateUntrusted, match=r"segment 00000001, line 40 \(serial 40\) is not what its hash says"):
        opened(database, memory)


@pytest.mark.slow
def test_a_server_killed_in_the_middle_loses_nothing_that_was_acknowledged(
    postgres: PostgresServer, tmp_path: Path
) -> None:
    """Eight threads append, every process of the server is killed, it comes up again: what was acknowledged is there,
    and the run that was under way goes on by itself."""
    import threading

    from postgres_server import PostgresServer, binaries

    found = binaries()
    assert found is not None
    server = PostgresServer(found)  # fsync is on
    try:
        url = server.url()
        acknowledged: list[int] = []
        enough, stop = threading.Event(), threading.Event()
        with Journal.open(at(url), stack=STACK, memory=None) as journal:
            journal.begin(run())

            def work(first: int) -> None:
                for number in range(first, 10**6, 8):
                    if stop.is_set():
                        return
                    journal.append(intent(number), outcome(number))
                    acknowledged.append(number)
                    if len(acknowledged) > 150:
                        enough.set()

            threads = [threading.Thread(target=work, args=(first,)) for first in range(8)]
            for thread in threads:
                thread.start()
            assert enough.wait(30)
            server.kill()
            before = set(acknowledged)
            server.start()
            assert before <= {int(str(r.address)[9:]) for r in opened(url).state.objects.values()}
            stop.set()
            for thread in threads:
                thread.join(30)
        state = opened(url).state
        assert set(acknowledged) == {int(str(r.address)[9:]) for r in state.objects.values()}
    finally:
        server.stop()
