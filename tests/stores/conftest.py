"""Real servers for the stores, one a session; a test that finds none is skipped with a word."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

# the journal's contract of every store, and the world of the command line
for room in ("journal", "cli"):
    sys.path.append(str(Path(__file__).parent.parent / room))

if TYPE_CHECKING:
    from postgres_server import PostgresServer
    from s3_server import S3Server

_numbers = count(1)


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL server of this session."""
    pytest.importorskip("psycopg", reason="psycopg is not installed: pip install '.[postgres]'")
    from postgres_server import PostgresServer, binaries

    found = binaries()
    if found is None:
        pytest.skip("no PostgreSQL is to be had: apt-get install postgresql, or pip install '.[stores]'")
    server = PostgresServer(found, "-c", "fsync=off")
    yield server
    server.stop()


@pytest.fixture
def database(postgres: PostgresServer) -> str:
    """The URL of a schema that nobody has used."""
    return postgres.url(query=f"?schema=test{next(_numbers)}")


@pytest.fixture(scope="session")
def s3() -> Iterator[S3Server]:
    """An S3 server of this session: moto's, in a process of its own."""
    for name in ("obstore", "moto", "flask"):
        pytest.importorskip(name, reason=f"{name} is not installed: pip install '.[stores]'")
    from s3_server import S3Server

    server = S3Server()
    yield server
    server.stop()


@pytest.fixture
def bucket(s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> str:
    """The URL of a prefix that nobody has used, with the environment that opens it."""
    for name, value in s3.environ().items():
        monkeypatch.setenv(name, value)
    return f"s3://{s3.bucket}/team {next(_numbers)}/states"
