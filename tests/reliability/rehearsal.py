"""What a scene does when nothing happens to it, and what must be so after something did and it was run again."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from judges import Facts, Verdict, announced, chain, facts, planned
from night import Ended, Night
from scenes import Scene

QUIET = ("plan", "--json", "--detailed-exitcode", "--parallelism", "1")


@dataclass(frozen=True)
class Faultless:
    """What a run that nothing happens to leaves, and what its second apply and a plan say."""

    points: list[str]
    before: Facts
    after: Facts
    codes: tuple[int | None, int | None]
    quiet: set[tuple[str, str]]
    open: Counter[str]  # announced before the run, and without an end
    waiting: set[tuple[str, str]]  # what a plan would change before the run; all of it may still be to do

    @property
    def bought(self) -> int:
        return sum(self.after.bought)


def rehearse(night: Night, scene: Scene) -> Faultless:
    """Comes to the scene, photographs it, and sees how it goes when nothing happens."""
    night.put_back("empty")
    scene.set_up(night)
    night.photograph(scene.name)
    before = facts(night)
    waiting, open_ = planned(night.run(*QUIET)), announced(chain(night))
    ended = scene.run(night)
    again = night.run(*scene.again)
    after = facts(night)
    quiet = planned(night.run(*QUIET))
    return Faultless(ended.points, before, after, (ended.code, again.code), quiet, open_, waiting)


def recovered(
    verdict: Verdict, night: Night, scene: Scene, faultless: Faultless, *, flying: bool
) -> tuple[Facts, list[Ended]]:
    """Runs again with nobody's help, and judges. `flying`: something may have been in flight, so that a token may be
    lost and an operation in doubt."""
    again = night.run(*scene.again)
    now = facts(night)
    verdict.chain(night)
    verdict.sound(again)
    _judge(verdict, scene, faultless, now, again, flying=flying)
    plan = night.run(*QUIET)
    more = planned(plan) - faultless.quiet
    if scene.person is not None:
        more -= faultless.waiting  # the code is spent: a person is asked again
    more -= {(address, "update") for address in now.waiting()} | {(address, "read") for address in now.unread()}
    verdict.must(not more, f"the plan after it is not quiet: {sorted(more)}")
    verdict.must(plan.code in (0, 2), f"the plan exits {plan.code}")
    verdict.clean(night)
    return now, [again, plan]


def _judge(verdict: Verdict, scene: Scene, faultless: Faultless, now: Facts, again: Ended, *, flying: bool) -> None:
    buying = [doubt for doubt in now.doubts if doubt["kind"] == "credits.purchase"]
    waits, handed = now.waiting(), {client for client in now.clients if client in again.err}
    allowed = {*faultless.codes} | ({3} if now.doubts or scene.person or waits or handed else set())
    verdict.must(again.code in allowed, f"the run after it exits {again.code}, and not one of {allowed}")
    verdict.must(sum(now.bought) <= faultless.bought, f"bought {now.bought}, and {faultless.bought} were planned")
    verdict.must(buying or sum(now.bought) == faultless.bought, f"bought {now.bought} of {faultless.bought}")
    verdict.accounted(now)
    verdict.true(now)
    missing = set(faultless.after.live()) - set(now.live()) - waits
    verdict.must(not missing or scene.person, f"not live after it: {sorted(missing)}")
    verdict.must(flying or not waits, f"a person is asked again for nothing: {waits}")
    verdict.must(all(address in again.out for address in waits), f"nobody was told of {waits}")
    verdict.must(flying or not now.lost(), "a token was lost that could have been kept")
    verdict.must(flying or not now.doubts, f"something is in doubt that was never in flight: {now.doubts}")
    unknown = now.clients - {r["values"].get("client_id") for r in now.resources} - handed
    registering = [doubt for doubt in now.doubts if doubt["kind"] == "application.register"]
    verdict.must(len(unknown) <= len(registering), f"registered clients that nobody knows of: {unknown}")
