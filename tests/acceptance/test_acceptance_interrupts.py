"""Contract sections 3 and 6: locks, signals, and runs that end before their time.

Every docstring is the sentence of the contract which the test checks.
"""

from __future__ import annotations

import signal
import time
from typing import TYPE_CHECKING

from acc_messaging import ez_tables
from acc_stack import Stack, summary

if TYPE_CHECKING:
    from acc_eztexting import EzTexting
    from acc_server import Request


def test_a_held_lock(stack: Stack, ez: EzTexting) -> None:
    """The lock is held by another: 5, saying who, where, since when, for what; `state lock --json` shows it;
    `--lock-timeout` waits."""
    stack.write(ez_tables(stack, ez))
    stack.run("plan")
    assert stack.run("state", "lock", "--json").json() is None
    ez.arm("/v1/tokens/create", "hang", seconds=4.0)
    child = stack.start("apply", "--auto-approve")
    deadline = time.time() + 10
    lock = None
    while lock is None and time.time() < deadline:
        lock = stack.run("state", "lock", "--json").json()
    assert lock is not None
    assert set(lock) >= {"id", "who", "host", "pid", "operation", "since"}
    assert lock["operation"] == "apply"
    ran = stack.run("apply", "--auto-approve", "--json", code=5)
    assert summary(ran.lines())
    text = stack.run("apply", "--auto-approve", code=5).text
    assert "E0412" in text
    assert str(lock["pid"]) in text
    stack.run("plan", code=5)
    stack.run("plan", "--lock=false")
    waited = stack.run("plan", "--lock-timeout", "20s")
    assert waited.returncode == 0
    assert stack.finish(child).returncode == 3
    assert stack.run("state", "lock", "--json").json() is None


def test_a_dead_holder(stack: Stack, ez: EzTexting) -> None:
    """A lock of a dead process on this machine is taken over and that is said; what was in flight is in doubt."""
    stack.write(ez_tables(stack, ez))
    ez.arm("/v1/tokens/create", "hang", seconds=2.0, after=True)
    child = stack.start("apply", "--auto-approve")
    deadline = time.time() + 15
    while not ez.count("/v1/tokens/create") and time.time() < deadline:
        time.sleep(0.02)
    child.kill()
    stack.finish(child)
    ran = stack.run("apply", "--auto-approve")
    assert "W0402" in ran.text
    assert [r["values"]["status"] for r in stack.resources() if r["type"] == "token"].count("lost") == 1
    assert len(ez.live) == 2
    stack.quiet()


def test_force_unlock(stack: Stack, ez: EzTexting) -> None:
    """`force-unlock LOCK_ID`: break a lock that its holder left; a confirmation that names the wrong thing: 9."""
    stack.write(ez_tables(stack, ez))
    ez.arm("/v1/tokens/create", "hang", seconds=30.0)
    child = stack.start("apply", "--auto-approve")
    deadline = time.time() + 15
    while not ez.count("/v1/tokens/create") and time.time() < deadline:
        time.sleep(0.02)
    lock = stack.run("state", "lock", "--json").json()
    stack.run("force-unlock", "0000", code=9)
    stack.run("force-unlock", lock["id"])
    assert stack.run("state", "lock", "--json").json() is None
    child.kill()
    stack.finish(child)
    stack.run("apply", "--auto-approve", code=None)
    stack.run("state", "verify")


def test_interrupted(stack: Stack, ez: EzTexting) -> None:
    """130: interrupted; what is recorded is complete up to there; the first signal lets what is in flight end; the
    stream still ends with one change_summary that names `not_started`."""
    more = "".join(f'[applications.a{n}]\nprovider = "ez"\n' for n in range(4))
    stack.write(ez_tables(stack, ez, more=more))
    slow = {"seen": 0}

    def pause(request: Request) -> None:
        if request.path == "/v1/tokens/create":
            slow["seen"] += 1
            time.sleep(1.0)

    ez.before = pause
    child = stack.start("apply", "--auto-approve", "--json", "--parallelism", "1")
    deadline = time.time() + 15
    while not slow["seen"] and time.time() < deadline:
        time.sleep(0.02)
    child.send_signal(signal.SIGINT)
    ran = stack.finish(child)
    assert ran.returncode == 130, ran.text
    results = summary(ran.lines())["results"]
    assert "not_started" in results.values()
    assert len(ez.pairs) == list(results.values()).count("done") - (results.get("credits.ez") == "done")
    ez.before = None
    stack.run("apply", "--auto-approve")
    assert len(ez.pairs) == 5
    stack.quiet()


def test_interrupted_twice(stack: Stack, ez: EzTexting) -> None:
    """The second signal stops at once, and what was in flight is in doubt: 130, and the next run settles it."""
    stack.write(ez_tables(stack, ez))
    ez.arm("/v1/tokens/create", "hang", seconds=20.0, after=True)
    child = stack.start("apply", "--auto-approve")
    deadline = time.time() + 15
    while not ez.count("/v1/tokens/create") and time.time() < deadline:
        time.sleep(0.02)
    child.send_signal(signal.SIGINT)
    time.sleep(0.5)
    child.send_signal(signal.SIGINT)
    ran = stack.finish(child, seconds=10)
    assert ran.returncode == 130
    stack.run("apply", "--auto-approve", code=None)
    assert stack.values("token.texts")["status"] == "live"
    assert "lost" in [r["values"].get("status") for r in stack.resources()]


def test_a_closed_pipe(stack: Stack, ez: EzTexting) -> None:
    """A reader that goes away (`| head`) never stops what is under way."""
    stack.write(ez_tables(stack, ez))
    child = stack.start("apply", "--auto-approve")
    assert child.stdout is not None
    child.stdout.close()
    child.stdout = None  # communicate() must not read it
    child.communicate(timeout=30)
    assert len(ez.pairs) == 1
    stack.quiet()


def test_tokens_asked_for_at_once(stack: Stack, ez: EzTexting) -> None:
    """`token` renews where it must; others that ask meanwhile wait for the lock a little, and none is turned away."""
    stack.write(ez_tables(stack, ez))
    stack.run("apply", "--auto-approve")
    time.sleep(1.1)
    ez.before = lambda request: time.sleep(0.3 if request.path == "/v1/tokens/refresh" else 0)
    asked = [stack.start("token", "token.texts", "--min-ttl", "89m59s") for _ in range(3)]
    printed = [stack.finish(child) for child in asked]
    assert [ran.returncode for ran in printed] == [0, 0, 0], [ran.stderr for ran in printed]
    assert {ran.stdout.strip() for ran in printed} <= {pair.access for pair in ez.pairs}
