"""Any story of runs, deaths, faults, signals, full disks, people at the panels, waiting and two machines, by the
command line: the guards hold, no token is forgotten, and once everybody is well again it ends in quiet."""

from __future__ import annotations

import atexit
import functools
import json
import tempfile
from pathlib import Path
from typing import Any

import pyrage  # type: ignore[import-untyped, unused-ignore]  # ships no types
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from judges import Verdict, facts, planned
from matrix import KINDS, SLOW_DOWN
from night import Ended, Night
from rehearsal import QUIET
from scenes import APPLY, CX, CX_TOKENS, EZ, EZ_FLOOR, EZ_TOKEN, HEAD, IDP, IDP_WORKER
from written_out import WritesOut, check, step

PER_APPLY, PER_DAY = 3000, 5000  # the guards of EZ_FLOOR
DAY = 24 * 3600.0
SLACK = 900.0  # what the machines' clocks may differ by within a day
VENDORS = ("eztexting", "smscx", "oauth2")
FAULTS = sorted(name for name, kind in KINDS.items() if kind.arm is not None and not name.startswith("stall"))
SEEN_BEFORE = (0, 1, 3, 7, 8, 130)  # how a run that meets a fault, a signal or a skewed clock may end


@functools.cache
def the_night() -> Night:
    """One for all stories of this process; each begins from the same photograph."""
    folder = tempfile.TemporaryDirectory(prefix="stories-")
    night = Night(Path(folder.name))
    atexit.register(folder.cleanup)
    atexit.register(night.close)
    identity = pyrage.x25519.Identity.generate()
    night.environ |= {"PROVISIONER_IDENTITY": str(identity), "RECIPIENT": str(identity.to_public())}
    night.photograph("empty")
    return night


class Stories(WritesOut, RuleBasedStateMachine):
    folder = Path(__file__).parent

    def __init__(self) -> None:
        super().__init__()
        self.night = the_night()
        self.night.put_back("empty")
        self._declare(texts=True, floor=True, consumers=1, worker=True, minimum=4000)

    # -- what people want --------------------------------------------------------------------------------------------

    @rule(
        texts=st.booleans(),
        floor=st.booleans(),
        consumers=st.integers(0, 2),
        worker=st.booleans(),
        minimum=st.sampled_from((1000, 4000, 9000)),
    )
    @step
    def declare(self, **wanted: Any) -> None:
        self._declare(**wanted)

    def _declare(self, *, texts: bool, floor: bool, consumers: int, worker: bool, minimum: int) -> None:
        key = f'[state.encryption]\nrecipients = ["{self.night.environ["RECIPIENT"]}"]\n'
        parts = [HEAD, key, EZ, CX, IDP]
        parts += [EZ_TOKEN] if texts else []
        parts += [EZ_FLOOR.replace("minimum = 4000", f"minimum = {minimum}")] if floor else []
        names = json.dumps(["web", "worker"][:consumers])
        parts += [CX_TOKENS.replace('["web", "worker"]', names)] if consumers else []
        parts += [IDP_WORKER] if worker else []
        self.night.write(*parts)

    # -- what people and time do -------------------------------------------------------------------------------------

    @rule(minutes=st.sampled_from((1, 30, 80, 600, 1500)))
    @step
    def wait(self, minutes: int) -> None:
        self.night.at_clock(self.night.shift + 60.0 * minutes)

    @rule(amount=st.integers(1, 5000))
    @step
    def spend(self, amount: int) -> None:
        self.night.panel("eztexting", "spend_credits", amount=amount)

    @rule(anytime=st.sampled_from((-300, 0, 2000, 5000, 10**12)))
    @step
    def set_credits(self, anytime: int) -> None:
        """Support corrects an account, upwards or downwards, below nothing or beyond reason."""
        self.night.panel("eztexting", "set_credits", plan=0, anytime=anytime)

    @rule()
    @step
    def revoke_at_the_panel(self) -> None:
        for application in self.night.accounts["smscx"]["applications"]:
            self.night.panel("smscx", "revoke_all", client_id=application["client_id"])

    # -- runs --------------------------------------------------------------------------------------------------------

    @rule(machine=st.integers(1, 2), skew=st.sampled_from((0.0, 0.0, -200.0, 200.0)))
    @step
    def apply(self, machine: int, skew: float) -> None:
        self._run(*APPLY, machine=machine, clock=self.night.shift + skew)

    @rule(address=st.sampled_from(("token.texts", "application.worker", "token.worker")))
    @step
    def replace(self, address: str) -> None:
        self._run(*APPLY, "--replace", address)

    @rule(at=st.integers(0, 70), machine=st.integers(1, 2))
    @step
    def apply_and_die(self, at: int, machine: int) -> None:
        self._run(*APPLY, machine=machine, at=at, act="kill")

    @rule(at=st.integers(0, 70), act=st.sampled_from(("INT", "TERM", "twice", "full", "full-state")))
    @step
    def apply_and_be_stopped(self, at: int, act: str) -> None:
        self._run(*APPLY, at=at, act=act)

    @rule(vendor=st.sampled_from(VENDORS), fault=st.sampled_from(FAULTS), nth=st.integers(1, 5))
    @step
    def apply_with_a_fault(self, vendor: str, fault: str, nth: int) -> None:
        headers: dict[str, Any] = {"headers": SLOW_DOWN[vendor]} if fault == "429" else {}
        self.night.control("faults", vendor=vendor, nth=nth, **(KINDS[fault].arm or {}), **headers)
        self._run(*APPLY)
        self.night.control("faults", "DELETE")

    def _run(self, *words: str, machine: int = 1, **fate: Any) -> Ended:
        env = {"HOME": str(self._home(machine))}
        ended = self.night.run(*words, env=env, **fate)
        verdict = Verdict()
        verdict.sound(ended)
        verdict.must(ended.signal == 9 or ended.code in (*SEEN_BEFORE, 4), f"it exits {ended.code}")
        verdict.must(ended.code != 4 or "--replace" in words, "the command line was refused")
        assert verdict.faults == [], ended
        return ended

    def _home(self, machine: int) -> Path:
        return self.night.home / f"machine-{machine}"

    # -- what must be so after each ----------------------------------------------------------------------------------

    @invariant()
    @check
    def nothing_is_forgotten(self) -> None:
        now = facts(self.night)
        verdict = Verdict()
        verdict.chain(self.night)
        verdict.clean(self.night)
        kept = len(list(self.night.home.rglob("rescue/*/*.json")))
        stands = len(now.lost()) + sum(doubt["kind"].startswith("token.") for doubt in now.doubts) + kept
        verdict.must(len(now.unknown()) <= stands, f"live tokens that nobody knows of: {now.unknown()}")
        assert verdict.faults == []

    @invariant()
    @check
    def the_guards_hold(self) -> None:
        bought = [(item["time"], item["credits"]) for item in self.night.ledger()["purchases"]]
        assert all(amount <= PER_APPLY for _, amount in bought), bought
        for start, _ in bought:
            within = sum(amount for at, amount in bought if start <= at <= start + DAY - SLACK)
            assert within <= PER_DAY, bought

    # -- and in the end ----------------------------------------------------------------------------------------------

    @check
    def teardown(self) -> None:
        """A day later everybody is well, a person looked at what is in doubt, and the account is full: all is quiet."""
        self.night.control("faults", "DELETE")
        self.night.at_clock(self.night.shift + DAY + 2 * SLACK)
        self.night.panel("eztexting", "set_credits", plan=0, anytime=20000)
        for machine in (2, 1, 2, 1):
            self._run(*APPLY, machine=machine)
        for doubt in facts(self.night).doubts:
            self._run("resolve", doubt["operation"], "--as", "happened")
        for _ in range(2):
            self._run(*APPLY)
        self.nothing_is_forgotten()
        now, plan = facts(self.night), self._run(*QUIET)
        verdict = Verdict()
        verdict.true(now)
        verdict.must(not now.doubts, f"still in doubt: {now.doubts}")
        verdict.must(not planned(plan), f"not quiet: {planned(plan)}")
        assert verdict.faults == [], plan


def tell(examples: int) -> None:
    run_state_machine_as_test(
        Stories,
        settings=settings(
            max_examples=examples,
            stateful_step_count=8,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_some_stories_end_well() -> None:
    """A few of any length; a failing one is written out beside this file."""
    tell(2)


@pytest.mark.slow
def test_many_stories_end_well() -> None:
    """The same, for minutes."""
    tell(120)
