"""The store behind Terraform's HTTP state protocol: the contract of every store, and what a protocol without
compare-and-swap takes."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from http_state_server import PASSWORD, USER, HttpStateServer
from journal_world import STACK, intent, outcome, run
from store_contract import StoreContract, lock

from provisioner.errors import Invalid, LockHeld, StateUntrusted, StoreFailed
from provisioner.journal.journal import Journal
from provisioner.journal.lockinfo import LockInfo
from provisioner.journal.locks import HeldLock, force_unlock, take_lock
from provisioner.journal.stores.base import Store
from provisioner.journal.stores.http_state import PROBE
from provisioner.journal.stores.opening import open_store
from provisioner.secret import Secret


def at(url: str, **settings: Any) -> Store:
    given = {"username": "U", "password": "P", **settings}
    return open_store(url, stack=STACK, directory=Path(), settings=given, resolve=resolve)


def resolve(reference: object) -> Secret:
    return Secret({"U": USER, "P": PASSWORD}[str(reference)])


class HttpContract(StoreContract):
    """The fence is the lock: who writes holds it, and waits for it."""

    kind = "terraform"

    @pytest.fixture
    def server(self) -> Iterator[HttpStateServer]:
        made = HttpStateServer(self.kind)
        yield made
        made.stop()

    @pytest.fixture
    def make(self, server: HttpStateServer) -> Callable[[], Store]:
        return lambda: at(server.url(STACK))

    @contextmanager
    def writing(self, store: Store) -> Iterator[Store]:
        mine = lock()
        deadline = time.monotonic() + 30
        while store.take_lock(mine, None) is not None:
            assert time.monotonic() < deadline
        try:
            yield store
        finally:
            store.drop_lock(mine.id)

    @contextmanager
    def run_of(self, store: Store) -> Iterator[HeldLock | None]:
        with take_lock(store, run()) as held:
            yield held


class TestTerraformProtocol(HttpContract):
    kind = "terraform"


class TestGitLabProtocol(HttpContract):
    kind = "gitlab"
    holder = r"locked by ann on unknown since .* for another run"

    def same(self, found: LockInfo | None, expected: LockInfo) -> bool:
        """GitLab says whose lock it is, since when, and its id."""
        return found is not None and (found.id, found.who) == (expected.id, expected.who)


class TestLenientProtocol(HttpContract):
    kind = "lenient"


@pytest.fixture(params=["terraform", "gitlab", "lenient"])
def server(request: pytest.FixtureRequest) -> Iterator[HttpStateServer]:
    made = HttpStateServer(request.param)
    yield made
    made.stop()


@pytest.fixture
def terraform_server() -> Iterator[HttpStateServer]:
    made = HttpStateServer("terraform")
    yield made
    made.stop()


@contextmanager
def begun(store: Store) -> Iterator[Journal]:
    with take_lock(store, run()) as held, Journal.open(store, stack=STACK, memory=None) as journal:
        journal.begin(run(), held)
        yield journal


def test_the_wire_is_terraforms(terraform_server: HttpStateServer) -> None:
    """Lock, read, write with the lock's id, unlock; Basic, MD5 and all seven members of a lock info."""
    server = terraform_server
    with begun(at(server.url(STACK))) as journal:
        journal.append(intent(1))
    said = [(method, path) for method, path, _, _ in server.log]
    lock_id = json.loads(server.log[0][3])["ID"]
    write = ("POST", f"/state/{STACK}?ID={lock_id}")
    read = ("GET", f"/state/{STACK}")
    assert said == [("LOCK", read[1]), read, read, write, read, write, read, write, ("UNLOCK", read[1])]
    info = json.loads(server.log[0][3])
    assert set(info) == {"ID", "Operation", "Info", "Who", "Version", "Created", "Path"}
    assert all(isinstance(value, str) for value in info.values())
    assert server.log[3][2]["Content-MD5"]
    document = json.loads(server.documents[f"/state/{STACK}"])
    assert (document["serial"], document["lineage"], "version" in document) == (3, journal.lineage, False)


def test_nothing_is_written_without_the_lock(server: HttpStateServer) -> None:
    """`--lock=false` is a wrong command line here (4): there is no other fence."""
    with (
        Journal.open(at(server.url(STACK)), stack=STACK, memory=None) as journal,
        pytest.raises(Invalid, match="only written under its lock"),
    ):
        journal.begin(run())
    assert server.documents == {}
    assert "POST" not in {method for method, *_ in server.log}


def test_a_write_whose_answer_was_lost_is_there_once(server: HttpStateServer) -> None:
    """Read back and found to be ours, also where the server takes no serial twice."""
    with begun(at(server.url(STACK))) as journal:
        journal.append(intent(1))
        lost: list[str] = []

        def lose(method: str, path: str) -> int | None:
            if method == "POST" and "ID=" in path and not lost:
                lost.append(path)
                return -1
            return None

        server.fault = lose
        journal.append(outcome(1))
        assert len(lost) == 1
        journal.append(intent(2))
    again = Journal.open(at(server.url(STACK)), stack=STACK, memory=None)
    assert again.state == journal.state
    assert [e.serial for e in again.entries()] == list(range(1, journal.state.serial + 1))


def test_a_server_in_trouble_is_asked_again(server: HttpStateServer) -> None:
    """Two 502 to every kind of request, and nothing is lost or written twice."""
    left = {"GET": 2, "POST": 2, "LOCK": 2, "DELETE": 1, "UNLOCK": 1}

    def fail(method: str, path: str) -> int | None:
        left[method] = left.get(method, 0) - 1
        return 502 if left[method] >= 0 else None

    server.fault = fail
    with begun(at(server.url(STACK))) as journal:
        journal.append(intent(1))
    server.fault = None
    assert Journal.open(at(server.url(STACK)), stack=STACK, memory=None).state.serial == journal.state.serial


def test_a_run_whose_lock_was_broken_writes_nothing_over_its_successor(server: HttpStateServer) -> None:
    """Also where the server takes any id while nothing is locked: the document is read first, and it has moved on."""
    sleeper = at(server.url(STACK))
    with begun(sleeper) as journal:
        journal.append(intent(1))
        held = at(server.url(STACK)).peek_lock()
        assert held is not None
        force_unlock(at(server.url(STACK)), held.id)
        with begun(at(server.url(STACK))) as other:
            other.append(intent(2))
            with pytest.raises(StoreFailed):
                journal.append(outcome(1))
            other.append(outcome(2))
        with pytest.raises(StoreFailed):
            journal.append(intent(3))
    state = Journal.open(at(server.url(STACK)), stack=STACK, memory=None).state
    assert state.head == other.state.head


def test_breaking_a_lock_takes_its_id(server: HttpStateServer) -> None:
    """Terraform's own force-unlock sends none, and unlocks whatever is locked."""
    with take_lock(at(server.url(STACK)), run()) as held:
        with pytest.raises(LockHeld, match="not held"):
            force_unlock(at(server.url(STACK)), "5f0c1c1e")
        assert at(server.url(STACK)).renew_lock(held.info)
        force_unlock(at(server.url(STACK)), held.info.id)
        assert not at(server.url(STACK)).renew_lock(held.info)
    assert at(server.url(STACK)).peek_lock() is None
    assert server.locks == {}


def test_a_look_at_the_lock_does_not_fail_a_run(server: HttpStateServer) -> None:
    """The protocol can only try; who comes while somebody looks waits a moment."""
    import threading

    with server.mutex:
        server.answer(
            "POST" if server.kind == "gitlab" else "LOCK",
            urlsplit(server.url(STACK)).path + ("/lock" if server.kind == "gitlab" else ""),
            json.dumps({"ID": "a look", "Operation": PROBE, "Who": "bob@far", "Created": "", "Info": ""}).encode(),
        )
    threading.Timer(0.3, server.locks.clear).start()
    with take_lock(at(server.url(STACK)), run()):
        pass


def test_a_server_that_does_not_lock_is_not_written_to(terraform_server: HttpStateServer) -> None:
    """A file share that takes GET and POST is no state server."""
    terraform_server.fault = lambda method, path: 405 if method == "LOCK" else None
    with pytest.raises(StoreFailed, match="does not lock") as caught:
        take_lock(at(terraform_server.url(STACK)), run())
    assert caught.value.diagnostics[0].name == "store-unfit"


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (401, r"\[state\] username and password"),
        (403, "may not"),
        (413, "limit"),
        (302, "redirect"),
        (400, "answers 400"),
    ],
)
def test_each_refusal_has_its_words(terraform_server: HttpStateServer, status: int, words: str) -> None:
    """What the server said, and what to do about it; never the password."""
    store = at(terraform_server.url(STACK))
    with take_lock(store, run()):
        terraform_server.fault = lambda method, path: status if method == "POST" else None
        with pytest.raises(StoreFailed, match=words) as caught:
            store.put_key("k", b"{}\n")
        terraform_server.fault = None
    assert PASSWORD not in repr(caught.value.diagnostics)


def test_wrong_credentials_are_refused_in_words(terraform_server: HttpStateServer) -> None:
    """Reading takes them as well."""
    store = open_store(
        terraform_server.url(STACK),
        stack=STACK,
        directory=Path(),
        settings={"username": "U", "password": "P"},
        resolve=lambda reference: Secret("wrong"),
    )
    with pytest.raises(StoreFailed, match=r"it answers 401 \(set \[state\] username and password\)"):
        store.load()


def test_a_server_that_forgets_a_write_stops_the_run(server: HttpStateServer) -> None:
    """The document that an earlier write made is back: exit 7, by the run itself and by this machine later."""
    path = urlsplit(server.url(STACK)).path
    with begun(at(server.url(STACK))) as journal:
        before = server.documents[path]
        journal.append(intent(1))
        server.documents[path] = before
        with pytest.raises(StateUntrusted, match="lost what it had acknowledged"):
            journal.append(outcome(1))


@pytest.mark.parametrize(
    ("document", "name", "words"),
    [
        (b'{"version": 4, "terraform_version": "1.9.0", "serial": 3, "resources": []}', "state-foreign", "no recorded"),
        (b"<html>Sign in</html>", "state-damaged", "not JSON"),
        (b'{"serial": 1, "provisioner": {"format": 2}}', "state-newer-format", "newer version"),
        (b'{"serial": 1, "provisioner": {"format": 1}}', "state-damaged", "a member is missing"),
    ],
)
def test_other_documents_are_named(terraform_server: HttpStateServer, document: bytes, name: str, words: str) -> None:
    """Terraform's state, a login page, a newer format, half a document: exit 7, and nothing is written over them."""
    terraform_server.documents[f"/state/{STACK}"] = document
    with pytest.raises(StateUntrusted, match=words) as caught:
        at(terraform_server.url(STACK)).load()
    assert (caught.value.diagnostics[0].name, caught.value.exit_code) == (name, 7)
    store = at(terraform_server.url(STACK))
    with take_lock(store, run()), pytest.raises(StateUntrusted):
        store.put_key("k", b"{}\n")
    assert terraform_server.documents[f"/state/{STACK}"] == document


def test_addresses_and_methods_can_be_set(terraform_server: HttpStateServer) -> None:
    """As in Terraform's backend: a server that locks elsewhere, by other methods."""
    terraform_server.kind = "gitlab"
    url = f"http://127.0.0.1:{terraform_server.port}/elsewhere/x"
    store = at(url, lock_address=f"{url}/lock", lock_method="POST", unlock_method="DELETE")
    with begun(store) as journal:
        journal.append(intent(1))
    methods = {(method, path.partition("?")[0]) for method, path, *_ in terraform_server.log}
    assert {("POST", "/elsewhere/x/lock"), ("DELETE", "/elsewhere/x/lock"), ("POST", "/elsewhere/x")} <= methods


@pytest.mark.parametrize("url", ["https://ci:hidden@example.com/state", "https:///state"])
def test_what_is_no_address_is_said(url: str) -> None:
    """Credentials in a URL too, which are not repeated."""
    with pytest.raises(Invalid, match="is not the address of an HTTP state") as caught:
        at(url)
    assert "hidden" not in repr(caught.value.diagnostics)


def test_a_password_takes_a_user_name() -> None:
    """One without the other is a mistake of the file."""
    with pytest.raises(Invalid, match="belong together"):
        open_store("https://x.example/s", stack=STACK, directory=Path(), settings={"password": "P"}, resolve=resolve)


def test_plain_http_is_for_loopback_only() -> None:
    """Nothing is sent in clear to another machine."""
    with pytest.raises(StoreFailed, match="plain http is for loopback only"):
        at("http://state.example.com/x").load()
