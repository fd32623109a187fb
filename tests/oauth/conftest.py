"""Each server is started once; a stack is new for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import oauth_rig
import pytest
from oauth_browser import Person
from oauth_rig import Server, Stack


@pytest.fixture(scope="session", params=["sandbox", "toolkit", "oidc-provider"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Skips with a word where a server is not installed."""
    if (reason := oauth_rig.missing(request.param)) is not None:
        pytest.skip(reason)
    open_server = {"sandbox": oauth_rig.sandbox, "toolkit": oauth_rig.toolkit, "oidc-provider": oauth_rig.oidc_provider}
    with open_server[request.param](tmp_path_factory.mktemp("server")) as opened:
        yield opened


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    made = Stack(tmp_path)
    yield made
    made.close()


@pytest.fixture
def person(server: Server) -> Person:
    one = Person()
    server.signed_in(one)
    return one


@pytest.fixture
def embedded(tmp_path: Path) -> Iterator[Server]:
    """A sandbox of the test's own: its switches and faults can be set."""
    with oauth_rig.sandbox(tmp_path / "sandbox") as opened:
        yield opened
