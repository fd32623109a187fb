"""Two runs at once: a lock that is held, a holder that slept past its lease or died; many who only look."""

from __future__ import annotations

import json
import re
import signal
import time

import pytest
from judges import Verdict, facts
from night import Night
from rehearsal import rehearse
from scenes import APPLY, EZ, EZ_FLOOR, EZ_TOKEN, HEAD, SCENES, sure
from sweep import essential

FIRST = next(scene for scene in SCENES if scene.name == "eztexting-first-apply")
LEASE = {"PROVISIONER_LOCK_LEASE": "1s"}
TOLD_APART = re.compile(
    r"store key:before|.*intent.*:after|send POST.*|store append outcome:(before|after)|.*unlock:before"
)


def changes(night: Night) -> list[str]:
    """Every request that changed something or tried to, in order."""
    return [entry["operation"] for entry in night.ledger()["entries"]]


def test_the_second_of_two_applies_is_told_who_holds_the_lock(fresh: Night) -> None:
    """Exit 5 at once; with --lock-timeout it waits, and finds nothing left to do."""
    fresh.write(HEAD, EZ, EZ_TOKEN, EZ_FLOOR)
    first = fresh.start(*APPLY, at=30, act="stop")
    first.until("T")
    second = fresh.run(*APPLY)
    assert second.code == 5
    assert f"process {first.pid}" in second.err
    waiting = fresh.start(*APPLY, "--lock-timeout", "60s", patient=True)
    first.signal(signal.SIGCONT)
    assert first.wait().code == 0
    assert sure(waiting.wait()).out.count("No changes.") == 1
    assert facts(fresh).bought == [1500]


def slept_past_its_lease(night: Night, name: str, at: int) -> list[str]:
    """Stops a run at a point until another has taken its lock and finished, and wakes it up: everything that is wrong.

    Between the last look at the lease and the first byte lie microseconds that no client can close; a sleeper there
    sends what it has announced, and that is accounted for like any other request whose answer never came.
    """
    night.put_back(FIRST.name)
    sleeper = night.start(*APPLY, at=at, act="stop", env=LEASE)
    assert sleeper.until("T"), name
    time.sleep(1.05)
    other = night.run(*APPLY, env=LEASE)
    before = changes(night)
    sleeper.signal(signal.SIGCONT)
    woken = sleeper.wait()
    verdict = Verdict()
    verdict.must(other.code in (0, 3), f"the other run exits {other.code}")
    verdict.must("lock-taken-over" in other.out or "unlock" in name, "nobody was told of the takeover")
    on_the_wire = name.startswith("send POST") and name.endswith(":before")
    sent = changes(night)[len(before) :]
    # A token that cannot be recorded may be revoked: that undoes what was sent, and sends nothing else.
    verdict.must(on_the_wire or set(sent) <= {"token.revoke"}, f"woke up and sent {sent}")
    verdict.sound(woken)
    night.run(*APPLY)
    now = facts(night)
    verdict.chain(night)
    verdict.accounted(now)
    verdict.true(now)
    verdict.must(sum(now.bought) <= 1500, f"bought {now.bought}")
    return [f"{at} {name}: {fault}" for fault in verdict.faults] + ([str(other), str(woken)] if verdict.faults else [])


def test_a_holder_that_slept_past_its_lease_sends_nothing_when_it_wakes(fresh: Night) -> None:
    """Another takes the lock over and finishes, the sleeper wakes up, and the next run makes it whole."""
    points = rehearse(fresh, FIRST).points
    chosen = [at for at in essential(points) if at and TOLD_APART.fullmatch(points[at])]
    assert len(chosen) >= 8
    faults = [fault for at in chosen for fault in slept_past_its_lease(fresh, points[at], at)]
    assert not faults, "\n".join(faults)


@pytest.mark.slow
def test_a_holder_may_sleep_anywhere(fresh: Night) -> None:
    """The same at every point before and after something durable and every request."""
    points = rehearse(fresh, FIRST).points
    chosen = [at for at, name in enumerate(points) if at and name != "bytes:torn"]
    faults = [fault for at in chosen for fault in slept_past_its_lease(fresh, points[at], at)]
    assert not faults, "\n".join(faults)


def test_a_process_stopped_in_the_middle_of_a_write_is_said_and_not_waited_for(fresh: Night) -> None:
    """Whoever looks or writes is told (exit 1) instead of hanging; nothing is broken up; it ends once it goes on."""
    fresh.write(HEAD, EZ, EZ_TOKEN)
    points = rehearse(fresh, FIRST).points
    inside = points.index("store append intent(token.create):before") + 1
    assert points[inside] == "bytes:torn"
    fresh.put_back(FIRST.name)
    holder = fresh.start(*APPLY, at=inside, act="stop")
    assert holder.until("T")
    for words in (("show",), APPLY):
        ended = fresh.run(*words)
        assert ended.code == 1, ended
        assert "in the middle of a write" in ended.err
    holder.signal(signal.SIGCONT)
    assert holder.wait().code == 0
    assert fresh.run(*APPLY).code == 0


def test_the_lock_of_a_dead_process_is_taken_over_at_once(night: Night) -> None:
    """With no wait for its lease, and the next run says so."""
    night.write(HEAD, EZ, EZ_TOKEN)
    killed = night.run(*APPLY, at=14, act="kill")
    assert killed.signal == signal.SIGKILL
    began = time.monotonic()
    after = sure(night.run(*APPLY))
    assert time.monotonic() - began < 10
    assert "lock-taken-over" in after.out


def test_twenty_plans_look_while_one_applies(fresh: Night) -> None:
    """With --lock=false each ends, changes nothing, and says that what is on its way has no outcome yet."""
    fresh.write(HEAD, EZ, EZ_TOKEN, EZ_FLOOR)
    faultless = rehearse(fresh, FIRST)
    at = next(n for n, name in enumerate(faultless.points) if name.endswith("credits/purchase:before"))
    fresh.put_back(FIRST.name)
    holder = fresh.start(*APPLY, at=at, act="stop")
    assert holder.until("T")
    plans = [fresh.start("plan", "--lock=false", "--json") for _ in range(20)]
    ended = [plan.wait() for plan in plans]
    assert {plan.code for plan in ended} == {0}
    for plan in ended:
        assert "has no outcome yet" in plan.out, plan.out
        assert "is in doubt" not in plan.out
    assert json.loads(fresh.run("show", "--json").out)["in_doubt"] == []
    holder.signal(signal.SIGCONT)
    assert holder.wait().code == 0
    assert facts(fresh).bought == [1500]


@pytest.mark.parametrize("text", ["", "60", "0s", "2h", "1500ms", "soon"])
def test_a_lease_is_a_duration_that_makes_sense(night: Night, text: str) -> None:
    """PROVISIONER_LOCK_LEASE is refused where it is none, before anything is opened."""
    night.write(HEAD, EZ, EZ_TOKEN)
    ended = night.run(*APPLY, env={"PROVISIONER_LOCK_LEASE": text})
    assert ended.code == (4 if text else 0), ended
    assert ("PROVISIONER_LOCK_LEASE" in ended.err) == bool(text)
