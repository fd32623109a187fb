"""Armed faults strike once, before or after the vendor acted, over sockets and in process."""

from __future__ import annotations

import http.client
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sandbox_world import EZ, World, serving

from provisioner.sandbox.faults import Dropped, Fault

BUY = "/eztexting/v1/credits/purchase"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with serving(tmp_path / "sandbox") as found:
        yield found


def charged(world: World) -> int:
    return sum(int(p["credits"]) for p in world.sandbox.purchases())


@pytest.mark.parametrize(("when", "expected"), [("before", 0), ("after", 100)])
@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("reset", ConnectionResetError),
        ("stall", (http.client.RemoteDisconnected, ConnectionResetError)),
        ("truncate", http.client.IncompleteRead),
    ],
)
def test_answers_that_never_come(world: World, kind: str, error: type[Exception], when: str, expected: int) -> None:
    """A reset, a stall and a cut: the card is charged after, and not before; the next request is served."""
    world.set(eztexting__purchase_body="balance")
    world.sandbox.arm(Fault(kind=kind, when=when, operation="credits.purchase", seconds=0.05))
    with pytest.raises(error):
        world.ez_buy(100)
    assert charged(world) == expected
    assert world.ez_buy(1).status == 200
    first = world.sandbox.ledger("eztexting")[0]
    assert first["fault"] == {"kind": kind, "when": when}
    assert first["outcome"] == ("done" if when == "after" else "not-reached")


@pytest.mark.parametrize(
    "given",
    [
        {"seconds": -1},
        {"seconds": "1"},
        {"seconds": None},
        {"status": "503"},
        {"status": 99999},
        {"headers": []},
        {"headers": {"X": 5}},
        {"location": 5},
        {"path": 5},
        {"nth": 0},
    ],
)
def test_a_fault_that_could_only_break_is_refused(world: World, given: dict[str, Any]) -> None:
    """Armed, it would look like another fault than the one that was meant."""
    answer = world.call("POST", "/_sandbox/faults", json={"kind": "status", **given})
    assert (answer.status, world.sandbox.armed()) == (400, [])


@pytest.mark.parametrize("offset", [float("nan"), float("inf"), 1e300, -1e11, "soon"])
def test_a_clock_that_leaves_the_calendar_is_refused(world: World, offset: object) -> None:
    """Every vendor computes with it."""
    assert world.call("POST", "/_sandbox/clock", json={"offset": offset}).status == 400


def test_a_body_of_which_nothing_can_be_cut_does_not_come_at_all(world: World) -> None:
    """A purchase that is answered 200 with no body would else be a complete answer."""
    world.sandbox.arm(Fault(kind="truncate", when="after", operation="credits.purchase"))
    with pytest.raises(ConnectionResetError):
        world.ez_buy(100)
    assert charged(world) == 100


def test_a_stall_lasts_as_long_as_it_was_told(world: World) -> None:
    """Nothing comes for that long; then the connection goes."""
    world.sandbox.arm(Fault(kind="stall", seconds=0.3))
    started = time.monotonic()
    with pytest.raises((http.client.RemoteDisconnected, ConnectionResetError)):
        world.ez_buy(100)
    assert time.monotonic() - started >= 0.3


@pytest.mark.parametrize(("when", "expected"), [("before", 0), ("after", 100)])
def test_answers_that_mislead(world: World, when: str, expected: int) -> None:
    """A status, a page, a redirect and another shape; each leaves the truth to the ledger."""
    total = 0
    for fault, status, content in (
        (Fault(kind="status", when=when, status=503, headers={"Retry-After": "1"}), 503, b""),
        (Fault(kind="html", when=when), 200, b"<!doctype"),
        (Fault(kind="redirect", when=when), 302, b""),
        (Fault(kind="wrong-shape", when=when), 200, b'{"result"'),
    ):
        world.sandbox.arm(fault)
        answer = world.ez_buy(100)
        assert (answer.status, answer.body[: len(content)]) == (status, content)
        total += expected
    assert charged(world) == total


def test_a_slow_answer_is_an_honest_one(world: World) -> None:
    """It comes whole, late, and without keeping others waiting."""
    world.sandbox.arm(Fault(kind="slow", seconds=0.2))
    started = time.monotonic()
    assert world.ez_buy(100).status == 200
    assert time.monotonic() - started >= 0.2
    assert charged(world) == 100


def test_the_nth_matching_request(world: World) -> None:
    """`nth` counts matching requests only, and `times` says how many in a row."""
    world.sandbox.arm(Fault(kind="status", operation="credits.purchase", nth=2, times=2))
    statuses = []
    for _ in range(4):
        world.ez_balance()
        statuses.append(world.ez_buy(1).status)
    assert statuses == [200, 503, 503, 200]
    assert world.sandbox.armed() == []


def test_faults_are_narrowed_by_vendor_and_path(world: World) -> None:
    """Another vendor and another path are not struck; disarming forgets."""
    world.sandbox.arm(Fault(kind="status", vendor="smscx"))
    world.sandbox.arm(Fault(kind="status", path="/tokens/"))
    assert world.ez_buy(1).status == 200
    assert world.post("/eztexting/v1/tokens/create", json={}).status == 503
    assert len(world.sandbox.armed()) == 1
    world.sandbox.disarm()
    assert world.cx_token().status == 200


def test_faults_are_armed_over_http(world: World) -> None:
    """POST, GET and DELETE; the header of a rate limit in the vendor's own spelling; nonsense is 400."""
    body = {"kind": "status", "status": 429, "retry_after_header": {"X-Rate-Limit-Retry-After-Milliseconds": "1500"}}
    assert world.post("/_sandbox/faults", json=body).status == 200
    answer = world.ez_buy(1)
    assert (answer.status, answer.headers["x-rate-limit-retry-after-milliseconds"]) == (429, "1500")
    for wrong in ({"kind": "explode"}, {"kind": "reset", "nth": 0}, {"kind": "refuse", "when": "after"}, {"x": 1}):
        assert world.post("/_sandbox/faults", json=wrong).status == 400
    world.post("/_sandbox/faults", json={"kind": "reset"})
    assert [fault["kind"] for fault in world.get("/_sandbox/faults").json()] == ["reset"]
    assert world.call("DELETE", "/_sandbox/faults").json() == []


@pytest.mark.parametrize(
    ("kind", "builtin"),
    [
        ("refuse", ConnectionRefusedError),
        ("reset", ConnectionError),
        ("stall", TimeoutError),
        ("truncate", ConnectionError),
    ],
)
def test_in_process_they_are_the_errors_of_a_socket(world: World, kind: str, builtin: type[OSError]) -> None:
    """Nobody waits, and the partial bytes are at hand."""
    world.set(eztexting__purchase_body="balance")
    world.sandbox.arm(Fault(kind=kind, seconds=60, when="before" if kind == "refuse" else "after"))
    body = b'{"credits": 5, "creditCardLastFour": "%s"}' % EZ["card_last_four"].encode()
    started = time.monotonic()
    with pytest.raises(Dropped) as caught:
        world.sandbox.handle("POST", f"http://sandbox.invalid{BUY}", {"Content-Type": "application/json"}, body)
    assert isinstance(caught.value, builtin)
    assert caught.value.kind == kind
    assert time.monotonic() - started < 5
    if kind == "truncate":
        assert 0 < len(caught.value.partial) < caught.value.length
