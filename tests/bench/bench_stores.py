"""What each store of the recorded state can take, and what many stacks cost one PostgreSQL (docs/scale.md).

    python tests/bench/bench_stores.py                  appends a second at 1 and 20 threads, every store that is here
    python tests/bench/bench_stores.py --stacks 1000    and a thousand stacks in one database, runs at once

Needs the extra `stores`. Every server is on loopback and thrown away: a PostgreSQL with `fsync` on, moto's S3, the HTTP
server of our tests in GitLab's form. An append is one entry of about 900 bytes, durable when it returns.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).parents[1] / "stores"), str(Path(__file__).parents[2])]

from provisioner.journal.journal import Draft, Journal  # noqa: E402  # after the path
from provisioner.journal.locks import take_lock  # noqa: E402  # as above
from provisioner.journal.run import run_info  # noqa: E402  # as above
from provisioner.journal.stores.base import Store  # noqa: E402  # as above
from provisioner.journal.stores.opening import open_store  # noqa: E402  # as above
from provisioner.secret import Secret  # noqa: E402  # as above

SECONDS = 3.0
_postgres_servers: list[Any] = []  # the one that runs, to ask it for its size
STACK = "bench"


def tokens(count: int, *, first: int = 0) -> list[dict[str, Any]]:
    """Records as an apply puts them, with sealed values of the usual length."""
    return [
        {
            "kind": "token",
            "id": f"{number:032x}",
            "address": f"token.app_{number:06d}",
            "application": f"application.app_{number:06d}",
            "consumer": None,
            "provider": "ez",
            "provider_type": "eztexting",
            "status": "live",
            "issued_at": "2026-11-21T12:00:00Z",
            "expires_at": "2027-11-21T12:00:00Z",
            "refresh_expires_at": "2028-11-21T12:00:00Z",
            "fingerprint": f"sha256:{number:016x}",
            "refresh_fingerprint": f"sha256:{number:016x}",
            "access_token": f"v1:0123456789abcdef:1:{'A' * 84}",
            "refresh_token": f"v1:0123456789abcdef:1:{'A' * 84}",
        }
        for number in range(first, first + count)
    ]


@contextmanager
def begun(store: Store, command: str = "apply", stack: str = STACK) -> Iterator[Journal]:
    """A run: the state opened and verified, under the lock, able to append."""
    run = run_info(command, os.environ, datetime.now(UTC))
    with take_lock(store, run, lock_timeout=60) as lock, Journal.open(store, stack=stack, memory=None) as journal:
        journal.begin(run, lock)
        yield journal


# -- appends a second ------------------------------------------------------------------------------------------------


def throughput(store: Store, threads: int) -> float:
    """Appends a second over some seconds, each thread one after another."""
    drafts = [Draft("observed", None, {"put": [record]}) for record in tokens(threads)]
    done = [0] * threads
    with begun(store) as journal:
        began = time.perf_counter()

        def work(number: int) -> None:
            while time.perf_counter() - began < SECONDS:
                journal.append(drafts[number])
                done[number] += 1

        workers = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        return sum(done) / (time.perf_counter() - began)


@contextmanager
def places(wanted: list[str]) -> Iterator[dict[str, Callable[[str], Store]]]:
    """For each kind of store a maker of stores by stack; a kind whose server is not here is left out with a word."""
    made: dict[str, Callable[[str], Store]] = {}
    stops: list[Callable[[], None]] = []
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        try:
            for kind in wanted:
                try:
                    made[kind] = _KINDS[kind](Path(folder), stops)
                except (ImportError, FileNotFoundError) as fault:
                    _say(f"{kind}: not here ({fault})")
            yield made
        finally:
            for stop in stops:
                stop()


def _directory(folder: Path, stops: list[Callable[[], None]]) -> Callable[[str], Store]:
    return lambda stack: open_store(str(folder / stack), stack=stack, directory=folder, settings={}, resolve=Secret)


def _postgres(folder: Path, stops: list[Callable[[], None]]) -> Callable[[str], Store]:
    import postgres_server

    found = postgres_server.binaries()
    if found is None:
        raise FileNotFoundError("no PostgreSQL")
    server = postgres_server.PostgresServer(found, "-c", "full_page_writes=on", "-c", "shared_buffers=128MB")
    stops.append(server.stop)
    _postgres_servers.append(server)
    return _by_url(lambda stack: server.url())


def _s3(folder: Path, stops: list[Callable[[], None]]) -> Callable[[str], Store]:
    import moto  # type: ignore[import-not-found,import-untyped,unused-ignore]  # noqa: F401  # the server's process needs it
    from s3_server import S3Server

    server = S3Server()
    stops.append(server.stop)
    os.environ.update(server.environ())
    return _by_url(lambda stack: f"s3://{server.bucket}/bench")


def _http(folder: Path, stops: list[Callable[[], None]]) -> Callable[[str], Store]:
    from http_state_server import PASSWORD, USER, HttpStateServer

    server = HttpStateServer("gitlab")
    stops.append(server.stop)
    secrets = {"U": USER, "P": PASSWORD}
    return lambda stack: open_store(
        server.url(stack),
        stack=stack,
        directory=Path(),
        settings={"username": "U", "password": "P"},
        resolve=lambda name: Secret(secrets[name]),
    )


def _by_url(url: Callable[[str], str]) -> Callable[[str], Store]:
    return lambda stack: open_store(url(stack), stack=stack, directory=Path(), settings={}, resolve=Secret)


_KINDS: dict[str, Callable[[Path, list[Callable[[], None]]], Callable[[str], Store]]] = {
    "directory": _directory,
    "postgres": _postgres,
    "s3": _s3,
    "http": _http,
}


# -- many stacks in one place ----------------------------------------------------------------------------------------


def filled(make: Callable[[str], Any], stacks: range, each: int) -> None:
    """Stacks of `each` tokens, four written at a time."""
    records = tokens(each)
    drafts = [Draft("observed", None, {"put": [record]}) for record in records]

    def fill(number: int) -> None:
        name = f"stack-{number:04d}"
        with closing(make(name)) as store, begun(store, stack=name) as journal:
            journal.append(*drafts)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(fill, stacks))


def one_run(make: Callable[[str], Any], name: str) -> float:
    """Seconds of a run that changes one token: lock, open and verify, `lock`, intent and outcome apart, `unlock`."""
    began = time.perf_counter()
    with closing(make(name)) as store, begun(store, stack=name) as journal:
        journal.append(Draft("note", None, {"detail": "what would be sent"}))
        journal.append(Draft("observed", None, {"put": tokens(1)}))
    return time.perf_counter() - began


def runs(make: Callable[[str], Any], stacks: int, at_once: int) -> tuple[float, float, float]:
    """Runs a second over `stacks` different stacks, and the median and the worst of one, in seconds."""
    names = [f"stack-{number * 7919 % stacks:04d}" for number in range(min(stacks, 40 * at_once))]
    began = time.perf_counter()
    with ThreadPoolExecutor(at_once) as pool:
        took = list(pool.map(lambda name: one_run(make, name), names))
    return len(names) / (time.perf_counter() - began), statistics.median(took), max(took)


def many(make: Callable[[str], Any], stacks: int, each: int) -> None:
    """Measures at a tenth of them and at all, so that growth shows."""
    before = 0
    _say(f"\n| stacks of {each} tokens | one run alone | runs a second, 1 / 4 / 16 at once | worst of 16 at once |")
    _say("|---|---|---|---|")
    for upto in sorted({max(1, stacks // 10), stacks}):
        filled(make, range(before, upto), each)
        before = upto
        found = [runs(make, upto, at_once) for at_once in (1, 4, 16)]
        rates = " / ".join(f"{rate:.1f}" for rate, _, _ in found)
        _say(f"| {upto:,} | {found[0][1] * 1000:.0f} ms | {rates} | {found[2][2] * 1000:.0f} ms |")
    for server in _postgres_servers:
        size = "SELECT pg_total_relation_size('entries'), count(*), sum(octet_length(line)) FROM entries"
        total, entries, text = (int(str(found)) for found in server.execute(size, schema="provisioner")[0])
        _say(
            f"\n{entries:,} entries of {text / entries:.0f} bytes take {total / entries:.0f} bytes each, index and all."
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stores", default=",".join(_KINDS), help="which of them")
    parser.add_argument("--stacks", type=int, default=0, help="so many stacks in one PostgreSQL")
    parser.add_argument("--tokens", type=int, default=20, help="in each of them")
    options = parser.parse_args()
    wanted = [kind for kind in options.stores.split(",") if kind]
    if wanted:
        _say("| store | appends a second, 1 thread | 20 threads |\n|---|---|---|")
    for kind in wanted:
        with places([kind]) as made:
            for name, make in made.items():
                rates = [throughput(make(STACK), threads) for threads in (1, 20)]
                _say(f"| {name} | {rates[0]:,.0f} | {rates[1]:,.0f} |")
    if options.stacks:
        with places(["postgres"]) as made:
            for make in made.values():
                many(make, options.stacks, options.tokens)


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
