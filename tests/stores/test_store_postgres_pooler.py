"""A pooler before PostgreSQL: one that lends its sessions by the transaction is refused, one that keeps them is not."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import pytest
from journal_world import STACK, run

from provisioner.errors import StoreFailed
from provisioner.journal.locks import take_lock
from provisioner.journal.stores.opening import open_store

if TYPE_CHECKING:
    from postgres_server import PostgresServer

_BOUNCER = shutil.which("pgbouncer", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")


def at(url: str) -> Any:
    return open_store(url, stack=STACK, directory=Path(), settings={}, resolve=lambda reference: reference)


@contextmanager
def bouncer(postgres: PostgresServer, folder: Path, mode: str, *, round_robin: int) -> Iterator[int]:
    """pgbouncer on a port of its own, in one of its two modes that matter."""
    from postgres_server import user

    assert _BOUNCER is not None
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
    home = postgres.folder / folder.name
    home.mkdir()
    (home / "users").write_text(f'"tester" "{postgres.password}"\n')
    (home / "ini").write_text(
        f"[databases]\npostgres = host=127.0.0.1 port={postgres.port}\n[pgbouncer]\nlisten_addr = 127.0.0.1\n"
        f"listen_port = {port}\nauth_type = plain\nauth_file = {home / 'users'}\npool_mode = {mode}\n"
        f"server_round_robin = {round_robin}\nunix_socket_dir =\nlogfile = {home / 'log'}\n"
        "default_pool_size = 5\nmin_pool_size = 3\nignore_startup_parameters = extra_float_digits\n"
    )
    account = user()
    if account is not None:
        for path in (home, *home.iterdir()):
            shutil.chown(path, account)
    child = subprocess.Popen([_BOUNCER, "-q", str(home / "ini")], user=account, stdout=-3, stderr=-3)
    try:
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                time.sleep(0.05)
        yield port
    finally:
        child.terminate()
        child.wait(10)


needs_bouncer = pytest.mark.skipif(_BOUNCER is None, reason="pgbouncer is not installed: apt-get install pgbouncer")


@needs_bouncer
@pytest.mark.parametrize("round_robin", [0, 1])
def test_pgbouncer_in_transaction_mode_is_refused(
    postgres: PostgresServer, database: str, tmp_path: Path, round_robin: int
) -> None:
    """Whichever of its sessions it lends next: two clients cannot both have one of their own."""
    with bouncer(postgres, tmp_path, "transaction", round_robin=round_robin) as port:
        url = postgres.url(port=port, query=database[database.index("?") :])
        with pytest.raises(StoreFailed, match="a pooler that lends its sessions by the transaction") as caught:
            at(url).load()
    assert caught.value.diagnostics[0].name == "store-unfit"


@needs_bouncer
def test_pgbouncer_in_session_mode_will_do(postgres: PostgresServer, database: str, tmp_path: Path) -> None:
    """Each client keeps one session, so its lock is its own."""
    with bouncer(postgres, tmp_path, "session", round_robin=0) as port:
        url = postgres.url(port=port, query=database[database.index("?") :])
        with take_lock(at(url), run()) as held:
            assert at(database).peek_lock() == held.info


class _Lent:
    """A client's end of a pooler that lends one of `sessions` for each transaction. Its own process number is made up,
    as a pooler's is."""

    class info:  # noqa: N801  # psycopg's name
        backend_pid = 7

    def __init__(self, sessions: list[Any], pick: Callable[[int], int]) -> None:
        self._sessions, self._pick = sessions, pick
        self._mine: Any = None

    def execute(self, *words: Any) -> Any:
        return (self._mine or self._sessions[self._pick(len(self._sessions))]).execute(*words)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        self._mine = self._sessions.pop(self._pick(len(self._sessions)))
        try:
            yield
        finally:
            self._sessions.append(self._mine)
            self._mine = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        pass

    def close(self) -> None:
        pass


@pytest.mark.parametrize("pick", [lambda n: -1, lambda n: 0], ids=["the last used", "in turn"])
def test_a_lender_of_sessions_is_found_out(
    postgres: PostgresServer, database: str, monkeypatch: pytest.MonkeyPatch, pick: Callable[[int], int]
) -> None:
    """Told by real server sessions that change hands, where no pooler is installed."""
    from provisioner.journal.stores import _postgres_session as session

    real = session._connect
    sessions = [real(postgres.url()) for _ in range(2)]
    monkeypatch.setattr(session, "_connect", lambda conninfo: _Lent(sessions, pick))
    try:
        with pytest.raises(StoreFailed, match="lends its sessions by the transaction"):
            at(database).load()
    finally:
        for one in sessions:
            one.close()
