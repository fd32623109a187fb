"""Dying, losing answers and losing the disk at every point of the protocol, with the vendor's ledger as the judge.

For each scenario the run is repeated with the fault one point later, until it gets through unharmed; after each,
applies without faults must end in a quiet state in which every living token is known or stands as lost, and no credit
was bought beyond what was planned.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from engine_world import Killed, World, a_floor, an_application

from provisioner.engine.settle import resolve
from provisioner.journal.run import RunInfo
from provisioner.model.desired import TokenPolicy

Scenario = Callable[[World], Callable[[World], object]]


def create(world: World) -> Callable[[World], object]:
    world.applications = (an_application(consumers=("a", "b")),)
    return lambda w: w.apply()


def refresh(world: World) -> Callable[[World], object]:
    world.applications = (an_application(),)
    world.apply()
    world.advance(timedelta(minutes=80))
    return lambda w: w.apply()


def replace(world: World) -> Callable[[World], object]:
    world.applications = (an_application(),)
    world.apply()
    return lambda w: w.apply(replaces=("token.app",))


def retire(world: World) -> Callable[[World], object]:
    world.applications = (an_application(policy=TokenPolicy(name="p", overlap=timedelta(minutes=10))),)
    world.apply()
    world.apply(replaces=("token.app",))
    world.advance(timedelta(minutes=11))
    return lambda w: w.apply()


def revoke(world: World) -> Callable[[World], object]:
    world.applications = (an_application(), an_application(name="other"))
    world.apply()
    world.applications = (an_application(),)
    return lambda w: w.apply()


def buy(world: World) -> Callable[[World], object]:
    world.floors = (a_floor(),)
    world.ledger.anytime = Decimal(4000)
    return lambda w: w.apply()


def register(world: World) -> Callable[[World], object]:
    world.applications = (an_application("server"),)
    return lambda w: w.apply()


def rotate(world: World) -> Callable[[World], object]:
    world.applications = (an_application("server"),)
    world.apply()
    return lambda w: w.apply(replaces=("application.app",))


SCENARIOS: tuple[Scenario, ...] = (create, refresh, replace, retire, revoke, buy, register, rotate)


def recover(world: World) -> None:
    """Applies without faults until nothing is left to do. Three are enough, or something goes in circles."""
    world.kill_at = world.fail_append_at = None
    world.faults.clear()
    for _ in range(3):
        world.apply()
    decide(world)
    for _ in range(2):
        world.apply()


def decide(world: World) -> None:
    """A person looks at the vendor and says what happened to what is still in doubt."""
    journal, _ = world.open()
    if not journal.state.operations:
        return
    journal.begin(RunInfo(id="person", actor="person", command="resolve", started=world.clock()))
    for operation in list(journal.state.operations.values()):
        resolve(
            journal,
            operation.id,
            as_happened=operation.op != "credits.purchase" or bool(world.ledger.bought),
            now=world.clock(),
            desired=world.desired,
            vendors=lambda name: world.providers[name].vendor,
        )
    journal.close()


def judge(world: World) -> None:
    assert sum(world.ledger.bought) <= Decimal(2000), "more was bought than was planned"
    assert world.unknown_tokens() == 0, "a token lives that no record knows of"
    assert world.serves(), "a wanted token is not recorded, or does not work"
    assert world.state().operations == {}
    assert world.quiet(), "the next plan is not quiet"


def points_of(scenario: Scenario, folder: Path) -> int:
    """How many points one unharmed run passes."""
    world = World(folder)
    run = scenario(world)
    world.points.clear()
    run(world)
    judge(world)
    return len(world.points)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda s: s.__name__)
def test_a_run_that_dies_at_any_point_is_made_good_by_the_next(scenario: Scenario, tmp_path: Path) -> None:
    """Killed before and after every append and every request that changes something."""
    total = points_of(scenario, tmp_path / "unharmed")
    assert total >= 4
    for n in range(total):
        world = World(tmp_path / str(n))
        run = scenario(world)
        world.points.clear()
        world.kill_at = n
        with pytest.raises(Killed):
            run(world)
        assert len(world.points) == n + 1, "it went on after it died"
        recover(world)
        judge(world)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda s: s.__name__)
def test_a_disk_that_fills_at_any_append_stops_the_run_before_its_next_request(
    scenario: Scenario, tmp_path: Path
) -> None:
    """No request follows an append that failed, except the revocation of what could not be recorded."""
    for n in range(1, 40):
        world = World(tmp_path / str(n))
        run = scenario(world)
        world.points.clear()
        world.appends = 0
        world.fail_append_at = n
        result = run(world)
        if world.appends < n:
            return
        assert result.exit_code == 1  # type: ignore[attr-defined]  # an ApplyResult
        failed = next(
            i
            for i, p in enumerate(world.points)
            if p.startswith("append")
            and p.endswith("before")
            and sum(q.startswith("append") and q.endswith("before") for q in world.points[: i + 1]) == n
        )
        sent = [p for p in world.points[failed + 1 :] if p.endswith(":after")]
        assert set(sent) <= {"revoke_token:after"}
        recover(world)
        judge(world)
    pytest.fail("a run of this scenario appends without end")


@pytest.mark.parametrize("fault", ["lost-request", "lost-answer", "unreachable", "refused"])
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda s: s.__name__)
def test_any_request_may_go_unanswered_or_be_refused(scenario: Scenario, fault: str, tmp_path: Path) -> None:
    """Each changing request of the scenario in turn, with and without its effect."""
    for what in (
        "create_token",
        "refresh_token",
        "revoke_token",
        "purchase",
        "register_application",
        "delete_application",
    ):
        world = World(tmp_path / what)
        run = scenario(world)
        world.faults[what] = [fault]
        run(world)
        recover(world)
        judge(world)


def test_a_minted_token_that_cannot_be_recorded_is_rescued(world: World) -> None:
    """The outcome itself is handed to the rescue file, and the token is not revoked."""
    world.applications = (an_application(),)
    world.rescued = []
    world.fail_append_at = 2
    result = world.apply()
    assert result.exit_code == 1
    (kept,) = world.rescued
    assert (kept.kind, kept.body["result"], len(kept.body["put"])) == ("outcome", "done", 1)
    assert [pair.alive for pair in world.ledger.pairs] == [True]
    assert "not-recorded" in {d.name for r in result.results for d in r.diagnostics}


def test_a_minted_token_that_cannot_even_be_rescued_is_revoked(world: World) -> None:
    """The next run finds the intent and records what may exist as lost."""
    world.applications = (an_application(),)
    world.fail_append_at = 2
    world.apply()
    assert [pair.alive for pair in world.ledger.pairs] == [False]
    recover(world)
    judge(world)
