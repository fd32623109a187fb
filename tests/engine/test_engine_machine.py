"""Any sequence of applies, deaths, lost answers, rotations, meddling, waiting and clocks that step: what is recorded
never falls behind the vendor's ledger, and faultless applies end in quiet. A failing one is written out as a test."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import suppress
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from engine_world import Killed, World, a_floor, an_application
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from test_engine_faults import decide
from written_out import WritesOut, check, step

from provisioner.model.desired import TokenPolicy
from provisioner.model.recorded import LOST, TokenRecord
from provisioner.secret import Secret

CHANGES = ("create_token", "refresh_token", "revoke_token", "purchase", "register_application", "delete_application")
FAULTS = ("lost-request", "lost-answer", "unreachable", "refused", "limited", "broken")
MAKES_TOKENS = ("token.create", "token.refresh")


class Applies(WritesOut, RuleBasedStateMachine):
    folder = Path(__file__).parent

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.world = World(self.folder / "state")
        self.set_back = 0
        self.world.floors = (a_floor(max_per_day=None),)
        self.world.ledger.anytime = Decimal(4000)
        self._declare(2, server=False, overlap=10, rotate=None)

    @check
    def teardown(self) -> None:
        try:
            self.ends_in_quiet()
        finally:
            shutil.rmtree(self.folder)

    @rule(
        count=st.integers(0, 3),
        server=st.booleans(),
        overlap=st.sampled_from((0, 10, 45)),
        rotate=st.sampled_from((None, 30, 100)),
    )
    @step
    def declare(self, **wanted: Any) -> None:
        """The file changes: other consumers, another application, another policy (in minutes)."""
        self._declare(**wanted)

    def _declare(self, count: int, server: bool, overlap: int, rotate: int | None) -> None:
        consumers = tuple(f"c{n}" for n in range(count))
        rotate_every = None if rotate is None else timedelta(minutes=rotate)
        policy = TokenPolicy(name="p", overlap=timedelta(minutes=overlap), rotate_every=rotate_every)
        pairs = an_application(name="app", consumers=consumers, policy=policy)
        self.world.applications = (pairs, an_application("server", name="srv")) if server else (pairs,)

    @rule(minutes=st.sampled_from((1, 11, 40, 80, 200, 3000)))
    @step
    def wait(self, minutes: int) -> None:
        self.world.advance(timedelta(minutes=minutes))

    @rule(seconds=st.sampled_from((-240, -30, 30, 240)))
    @step
    def the_clock_steps(self, seconds: int) -> None:
        """By what clocks of one team may differ; further back, no run begins."""
        if self.set_back + seconds >= -240:
            self.set_back = min(self.set_back, self.set_back + seconds)
            self.world.advance(timedelta(seconds=seconds))

    @rule(amount=st.integers(1, 3000))
    @step
    def buy_by_hand(self, amount: int) -> None:
        """A person buys at the vendor's site."""
        self.world.ledger.anytime += amount

    @rule(spent=st.integers(1, 3000))
    @step
    def spend(self, spent: int) -> None:
        self.world.ledger.anytime -= min(Decimal(spent), self.world.ledger.anytime)

    @rule(which=st.integers(0, 5))
    @step
    def revoke_outside(self, which: int) -> None:
        """A person kills a token in the panel."""
        living = self.world.ledger.living(self.world.now)
        if living:
            living[which % len(living)].alive = False

    @rule()
    @step
    def apply(self) -> None:
        self.world.apply()

    @rule(address=st.sampled_from(("token.app", "token.srv", "application.srv", 'token.app["c0"]')))
    @step
    def replace(self, address: str) -> None:
        wanted = {str(a) for app in self.world.applications for a, _ in app.token_addresses}
        wanted |= {str(app.address) for app in self.world.applications}
        if address in wanted:
            self.world.apply(replaces=(address,))

    @rule(what=st.sampled_from(CHANGES), fault=st.sampled_from(FAULTS))
    @step
    def apply_with_a_fault(self, what: str, fault: str) -> None:
        self.world.faults[what] = [fault]
        self.world.apply()
        self.world.faults.clear()

    @rule(after=st.integers(0, 12))
    @step
    def apply_and_die(self, after: int) -> None:
        self.world.kill_at = len(self.world.points) + after
        with suppress(Killed):
            self.world.apply()
        self.world.kill_at = None

    @rule(after=st.integers(1, 6))
    @step
    def apply_with_a_full_disk(self, after: int) -> None:
        self.world.fail_append_at = self.world.appends + after
        self.world.apply()
        self.world.fail_append_at = None

    @invariant()
    @check
    def every_living_token_is_known_lost_or_announced(self) -> None:
        state = self.world.state()
        tokens = [r for r in state.objects.values() if isinstance(r, TokenRecord)]
        known = {r.fingerprint for r in tokens}
        stands = sum(r.status == LOST for r in tokens) + sum(o.op in MAKES_TOKENS for o in state.operations.values())
        strangers = [
            pair for pair in self.world.ledger.living(self.world.now) if Secret(pair.access).fingerprint not in known
        ]
        assert len(strangers) <= stands

    @invariant()
    @check
    def every_purchase_is_recorded_or_announced(self) -> None:
        state = self.world.state()
        counted = {p.operation for p in state.purchases}
        announced = sum(p.amount for p in state.purchases) + sum(
            o.amount for o in state.operations.values() if o.op == "credits.purchase" and o.id not in counted
        )
        assert sum(self.world.ledger.bought) <= announced

    def ends_in_quiet(self) -> None:
        for _ in range(3):
            self.world.apply()
        if any(op.op == "credits.purchase" for op in self.world.state().operations.values()):
            decide(self.world)
        decide(self.world)
        for _ in range(3):
            self.world.apply()
        assert self.world.serves()
        assert self.world.quiet()


Applies.TestCase.settings = settings(
    max_examples=40, stateful_step_count=12, deadline=None, suppress_health_check=list(HealthCheck)
)
TestApplies = Applies.TestCase
