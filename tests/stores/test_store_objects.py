"""The store that is object storage: the contract of every store on a real S3 server, and what only a bucket does."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from journal_world import STACK, begun_at, intent, outcome, run
from store_contract import H1, H2, H3, ONE, THREE, TWO, StoreContract, entry

from provisioner.errors import HeadMoved, Invalid, StateUntrusted, StoreFailed
from provisioner.journal.journal import Draft, Journal
from provisioner.journal.memory import HeadMemory
from provisioner.journal.stores.base import Position, Store
from provisioner.journal.stores.opening import open_store
from provisioner.secret import Secret

if TYPE_CHECKING:
    from broken_wire import BrokenWire
    from s3_server import S3Server


def at(url: str, stack: str = STACK) -> Store:
    return open_store(url, stack=stack, directory=Path(), settings={}, resolve=no_secret)


def no_secret(reference: object) -> Secret:
    raise AssertionError("a bucket's credentials come from the environment")


def objects(url: str) -> list[str]:
    """Every object of the stack, by name within it."""
    bucket: Any = at(url)._bucket  # type: ignore[attr-defined]
    return [one.path for folder in ("journal", "segments", "keys", "lock", "probe") for one in bucket.list(folder)]


class TestObjectsStore(StoreContract):
    @pytest.fixture
    def make(self, bucket: str) -> Callable[[], Store]:
        return lambda: at(bucket)


@pytest.fixture
def wire(s3: S3Server, bucket: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[BrokenWire]:
    """Everything goes through it."""
    from broken_wire import BrokenWire

    made = BrokenWire(s3.port)
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{made.port}")
    yield made
    made.close()


def runs(url: str, count: int, appends: int, memory: HeadMemory | None = None) -> Journal:
    """`count` runs that each append so many times, one after another; the last one's journal."""
    for _ in range(count):
        with begun_at(at(url), memory) as journal:
            for number in range(appends):
                journal.append(Draft("note", None, {"n": number}))
    return journal


# -- what is made ------------------------------------------------------------------------------------------------------


def test_looking_makes_no_object(bucket: str) -> None:
    """A bucket that may only be read can be looked at."""
    store = at(bucket)
    store.load()
    store.peek_lock()
    store.delete_key("none")
    assert store.drop_lock("none") is False
    assert objects(bucket) == []


def test_one_object_a_flush(bucket: str) -> None:
    """What many threads append meanwhile goes out as one object; the chain is what they hold, in the order of names."""
    with begun_at(at(bucket)) as journal:

        def work(first: int) -> None:
            for number in range(first, 200, 20):
                journal.append(intent(number), outcome(number))

        threads = [threading.Thread(target=work, args=(first,)) for first in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
    parts = [name for name in objects(bucket) if name.startswith("journal/")]
    assert parts == [f"journal/{n:010d}.jsonl" for n in range(1, len(parts) + 1)]
    assert len(parts) < 120
    assert Journal.open(at(bucket), stack=STACK, memory=None).state == journal.state


def test_many_stacks_share_a_bucket(bucket: str) -> None:
    """One stack's name may be the beginning of another's."""
    one, two = at(bucket, "app"), at(bucket, "app2")
    one.start_segment(ONE, Position(), H1)
    one.put_key("k", b"{}\n")
    assert (two.load(), two.list_keys()) == (([], b""), [])
    assert one.identity != two.identity


def test_reading_costs_what_lies_behind_the_newest_checkpoint(
    bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two hundred flushes in five runs: a machine that verified the rest lists and reads some dozens of objects."""
    memory = HeadMemory(tmp_path / "heads")
    runs(bucket, 5, 40)
    Journal.open(at(bucket), stack=STACK, memory=memory)
    store: Any = at(bucket)
    got: list[str] = []
    listed: list[int] = []
    real_get, real_list = store._bucket.get, store._bucket.list

    def get(path: str) -> bytes | None:
        got.append(path)
        found: bytes | None = real_get(path)
        return found

    def lister(folder: str, after: str | None = None) -> Any:
        found = real_list(folder, after)
        listed.append(len(found))
        return found

    monkeypatch.setattr(store._bucket, "get", get)
    monkeypatch.setattr(store._bucket, "list", lister)
    state = Journal.open(store, stack=STACK, memory=memory).state
    assert state.serial > 200
    assert len(got) < 50
    assert sum(listed) < 60


def test_a_copy_that_was_lost_or_never_made_is_done_without(bucket: str) -> None:
    """The objects of `journal/` are the state; the next run that begins a segment makes the copy again."""
    runs(bucket, 3, 40)
    whole = Journal.open(at(bucket), stack=STACK, memory=None)
    store: Any = at(bucket)
    copies = [name for name in objects(bucket) if name.startswith("segments/")]
    assert [name[:17] for name in copies] == ["segments/00000001", "segments/00000002"]
    store._bucket.delete(copies[0])
    again = Journal.open(at(bucket), stack=STACK, memory=None)
    assert again.state == whole.state
    assert [e.serial for e in again.entries()] == [e.serial for e in whole.entries()]
    runs(bucket, 1, 1)
    assert [n for n in objects(bucket) if n.startswith("segments/")][:2] == copies


# -- the fence and durability ----------------------------------------------------------------------------------------


def test_a_writer_that_slept_over_a_checkpoint_finds_its_number_taken(bucket: str) -> None:
    """Also where the closed segment has a copy, and nobody lists its objects any more."""
    sleeper = begun_at(at(bucket))
    runs(bucket, 2, 40)
    with pytest.raises(HeadMoved):
        sleeper.append(intent(1))


def test_an_append_whose_answer_was_lost_is_there_once(wire: BrokenWire, bucket: str) -> None:
    """The object was stored and the connection reset: it is read back, found to be ours, and not written again."""
    store = at(bucket)
    begun = store.start_segment(ONE, Position(), H1)
    wire.lose(b"journal/0000000002.jsonl")
    later = store.append(TWO, begun, H2)
    assert (wire.lost, later.head) == (1, H2)
    wire.lose(b"journal/0000000003.jsonl")
    store.append(THREE, later, H3)
    assert wire.lost == 2
    assert at(bucket).load()[1] == ONE + TWO + THREE


def test_a_lost_answer_to_anothers_object_is_no_acknowledgement(wire: BrokenWire, bucket: str) -> None:
    """What stands there is compared, not only found."""
    first, second = at(bucket), at(bucket)
    begun = first.start_segment(ONE, Position(), H1)
    second.load()
    first.append(TWO, begun, H2)
    late, head = entry(2, H1, text="late")
    second._end = begun  # type: ignore[attr-defined]  # as if its look had been a moment earlier
    second._last = 1  # type: ignore[attr-defined]
    wire.lose(b"journal/0000000002.jsonl")
    with pytest.raises(HeadMoved):
        second.append(late, begun, head)
    assert wire.lost == 1
    assert at(bucket).load()[1] == ONE + TWO


def test_a_server_that_goes_away_ends_the_run(wire: BrokenWire, bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is sent after it; what was acknowledged is there when it is back."""
    monkeypatch.setattr("provisioner.journal.stores._object_client._RETRY", {"max_retries": 0})
    monkeypatch.setattr("provisioner.journal.stores._object_client.TRIES", 1)
    journal = begun_at(at(bucket))
    journal.append(intent(1), outcome(1))
    wire.close()
    with pytest.raises(StoreFailed, match="Could not read the recorded state at s3://recorded-states"):
        journal.append(intent(2))
    journal.close()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{wire.upstream}")
    state = Journal.open(at(bucket), stack=STACK, memory=None).state
    assert (len(state.objects), state.operations) == (1, {})


def test_a_bucket_that_overwrites_is_not_trusted(wire: BrokenWire, bucket: str) -> None:
    """A server that does not know If-None-Match lets two runs record over each other: told before the first entry."""
    wire.replace(b"if-none-match", b"x-never-heard")
    with pytest.raises(StoreFailed, match="overwrites where it was asked to create") as caught:
        begun_at(at(bucket))
    assert caught.value.diagnostics[0].name == "store-unfit"
    assert objects(bucket) == []


@pytest.mark.parametrize(("lost", "what"), [(2, "0000000002.jsonl is missing"), (1, "0000000001.jsonl is missing")])
def test_a_lost_object_is_damage_and_named(bucket: str, lost: int, what: str) -> None:
    """On a machine that knows nothing: numbers have no gaps."""
    runs(bucket, 1, 3)
    store: Any = at(bucket)
    store._bucket.delete(f"journal/{lost:010d}.jsonl")
    with pytest.raises(StateUntrusted, match=what) as caught:
        Journal.open(at(bucket), stack=STACK, memory=None)
    assert caught.value.exit_code == 7


def test_a_bucket_that_forgets_its_newest_object_is_noticed(bucket: str, tmp_path: Path) -> None:
    """By this machine, which was told that it is durable; and by the very run that wrote it."""
    memory = HeadMemory(tmp_path / "heads")
    journal = begun_at(at(bucket), memory)
    journal.append(intent(1))
    newest = objects(bucket)[-1]
    store: Any = at(bucket)
    store._bucket.delete(newest)
    with pytest.raises(StateUntrusted, match="older than what this machine has seen"):
        Journal.open(at(bucket), stack=STACK, memory=memory)
    other = at(bucket)
    with pytest.raises(StateUntrusted, match="lost what it had acknowledged"):
        other.append(TWO, Position(1, 10**6, H1), H2)


def test_a_changed_object_is_noticed_by_a_machine_that_verified_it(bucket: str, tmp_path: Path) -> None:
    """Old segments are not read again while their tags are the same; a changed one has another tag."""
    memory = HeadMemory(tmp_path / "heads")
    runs(bucket, 3, 40, memory)
    Journal.open(at(bucket), stack=STACK, memory=memory)
    store: Any = at(bucket)
    copy = next(name for name in objects(bucket) if name.startswith("segments/00000001"))
    store._bucket.put(copy, store._bucket.get(copy).replace(b'"n":7', b'"n":8'))
    with pytest.raises(StateUntrusted, match=r"segment 00000001, line 10 \(serial 10\) is not what its hash says"):
        Journal.open(at(bucket), stack=STACK, memory=memory)


# -- credentials and addresses -----------------------------------------------------------------------------------------


@pytest.fixture
def metadata(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The machine's metadata address, which writes down who asks."""
    from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

    asked: list[str] = []

    class Metadata(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

        do_PUT = do_GET  # noqa: N815  # as http.server calls it

        def log_message(self, *args: Any) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Metadata)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    monkeypatch.setenv("AWS_METADATA_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    yield asked
    server.shutdown()
    server.server_close()
    thread.join(5)


def test_the_machines_own_role_is_used_only_where_it_is_asked_for(
    bucket: str, metadata: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With no credentials set the command line is wrong (4) and says what to set; nobody asks the metadata address."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    with pytest.raises(Invalid, match="No credentials are set for the recorded state at s3://") as caught:
        at(bucket)
    assert "AWS_ACCESS_KEY_ID" in caught.value.diagnostics[0].detail
    assert metadata == []
    monkeypatch.setattr("provisioner.journal.stores._object_client._RETRY", {"max_retries": 0})
    with pytest.raises(StoreFailed):
        at(f"{bucket}?credentials=instance").load()
    assert metadata != []


def test_a_profile_of_the_aws_tools_will_do(bucket: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Keys in ~/.aws/credentials, by AWS_PROFILE or `default`, and the profile's region."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"):
        monkeypatch.delenv(name)
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws" / "credentials").write_text("[ci]\naws_access_key_id = tester\naws_secret_access_key = a%b\n")
    (tmp_path / ".aws" / "config").write_text("[profile ci]\nregion = us-east-1\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(Invalid, match="No credentials"):
        at(bucket)
    monkeypatch.setenv("AWS_PROFILE", "ci")
    at(bucket).put_key("k", b"{}\n")
    assert at(bucket).get_key("k") == b"{}\n"


@pytest.mark.parametrize(("scheme", "name"), [("gs", "GOOGLE_APPLICATION"), ("az", "AZURE_STORAGE_ACCOUNT")])
def test_other_clouds_ask_for_credentials_as_well(scheme: str, name: str) -> None:
    """Each says what it would take."""
    pytest.importorskip("obstore")
    with pytest.raises(Invalid, match="No credentials are set") as caught:
        at(f"{scheme}://states/team")
    assert name in caught.value.diagnostics[0].detail


def test_plain_http_is_for_loopback_only(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An endpoint on another machine takes TLS."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://minio.example.com:9000")
    with pytest.raises(Invalid, match="plain http to another machine"):
        at(bucket)


@pytest.mark.parametrize("url", ["s3://", "s3:///states", "s3://key:hidden@states/x", "s3://states/x?acl=public"])
def test_what_is_no_bucket_is_said(bucket: str, url: str) -> None:
    """Credentials in a URL too, which are not repeated."""
    with pytest.raises(Invalid, match="is not the address of a bucket") as caught:
        at(url)
    assert "hidden" not in repr(caught.value.diagnostics)


def test_a_bucket_that_is_not_there_is_named(bucket: str) -> None:
    """In the server's words, in one line."""
    with pytest.raises(StoreFailed, match=r"NoSuchBucket: The specified bucket does not exist") as caught:
        at("s3://nobody-made-this/x").load()
    assert "\n" not in str(caught.value)


def test_without_obstore_the_pip_line_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """An uninstalled extra is a clear error of the file."""
    monkeypatch.setitem(sys.modules, "obstore", None)
    monkeypatch.delitem(sys.modules, "provisioner.journal.stores._object_client", raising=False)
    with pytest.raises(Invalid) as caught:
        at("s3://states/x")
    assert caught.value.diagnostics[0].name == "state-missing-dependency"
    assert "pip install 'provisioner[objects]'" in caught.value.diagnostics[0].detail


def test_the_lock_leaves_one_object_behind(bucket: str) -> None:
    """However often it was taken, renewed and released."""
    from provisioner.journal.locks import take_lock

    for _ in range(5):
        store = at(bucket)
        with take_lock(store, run()) as held:
            assert store.renew_lock(held.info)
    assert len([name for name in objects(bucket) if name.startswith("lock/")]) == 1
