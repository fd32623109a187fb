"""Planning in time: `--at T` is the plan that is made at T, and `--horizon` tells what falls due until then."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cli_world import CX, ENVIRONMENT, EZ, FLOOR, IDP, World, lines
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from provisioner import times
from provisioner.cli.main import main

START = datetime(2026, 12, 1, 12, 0, tzinfo=UTC)
POLICY = """
[token_policies.default]
rotate_every = "20h"
overlap = "10m"
"""
Plan = Callable[[datetime, str | None], bytes]


@pytest.fixture(scope="module")
def plan_at(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plan]:
    """A stack on the embedded vendors, applied at START with one rotation; then: (clock, --at) → the saved plan's
    bytes.

    The vendors' clock is ours, so a plan that is really made at T meets vendors at T."""
    folder = tmp_path_factory.mktemp("time")
    text = "\n".join([EZ, FLOOR, CX, IDP.replace('[token_policies.default]\noverlap = "0s"\n', ""), POLICY])
    for vendor in ("eztexting", "smscx", "oauth2"):
        text = text.replace(f"{{base}}/{vendor}", "sandbox")
    text = text.replace('issuer = "sandbox"', 'base_url = "sandbox"')
    (folder / "provisioner.toml").write_text("[stack]\nname = 't'\n" + text.format(minimum=2000))
    xdg = ("XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME", "XDG_RUNTIME_DIR")
    environ = {**ENVIRONMENT, "HOME": str(folder / "home"), **{name: str(folder / name) for name in xdg}}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)

        def run(clock: datetime, *words: str) -> None:
            for name, value in environ.items():  # each test begins with an environment that was scrubbed
                patch.setenv(name, value)
            patch.setattr(times, "now", lambda: clock)
            assert main([*words]) == 0, words

        def plan(clock: datetime, at: str | None) -> bytes:
            run(clock, "plan", "--out", "p.plan", *(["--at", at] if at else []))
            return Path("p.plan").read_bytes()

        run(START, "apply", "--auto-approve")
        run(START + timedelta(minutes=5), "apply", "--auto-approve", "--replace", 'token.worker["eu"]')
        yield plan


EDGES = (10, 15, 20, 40, 45, 60, 65, 90, 16 * 60, 20 * 60, 24 * 60)  # minutes at which something falls due or ends


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    edge=st.sampled_from(EDGES),
    off=st.one_of(st.sampled_from([-1, 0, 1]), st.integers(-600_000, 600_000)),
    early=st.integers(0, 300),
)
def test_a_plan_for_a_time_is_the_plan_of_that_time(plan_at: Plan, edge: int, off: int, early: int) -> None:
    """Byte for byte, whenever it was made: around every moment at which something falls due, ends or is retired."""
    moment = START + timedelta(minutes=edge, milliseconds=off)
    before = min(START + timedelta(minutes=5, seconds=early), moment)
    assert plan_at(before, times.to_rfc3339(moment)) == plan_at(moment, None)


@pytest.mark.parametrize("edge", EDGES)
def test_at_each_edge_too(plan_at: Plan, edge: int) -> None:
    """The very millisecond, and those beside it."""
    for off in (-1, 0, 1):
        moment = START + timedelta(minutes=edge, milliseconds=off)
        early = START + timedelta(minutes=5)
        assert plan_at(early, times.to_rfc3339(moment)) == plan_at(moment, None)


def test_the_horizon_tells_what_falls_due_in_order(world: World) -> None:
    """With times and how often, for people, in the stream and in Markdown; the plan itself is that of now."""
    world.write("[stack]\nname = 'h'\n", EZ, CX)
    world.ok("apply", "--auto-approve")
    out = world.ok("plan", "--horizon", "72h", "--detailed-exitcode", "--markdown", "h.md")
    told = [line for line in out.splitlines() if re.match(r"  \d{4}-", line)]
    assert [re.sub(r".*Z  ", "", line.split(" will")[0].split(" must")[0]) for line in told] == [
        "token.texts", 'token.campaigns["web"]', 'token.campaigns["worker"]',
    ]  # fmt: skip
    assert told == sorted(told)
    assert "then about every 1h" in told[0]
    assert "**Falls due**" in (world.folder / "h.md").read_text()
    stream = lines(world.ok("plan", "--horizon=1h", "--json"))
    due = [line["change"] for line in stream if line["type"] == "due"]
    assert [(change["resource"]["addr"], change["action"], change["again_seconds"]) for change in due] == [
        ("token.texts", "update", 3600)
    ]
    assert stream[-1]["results"] == {}
    world.ok("plan", "--at", due[0]["due_at"], "--out", "then.plan")
    then = json.loads(world.ok("show", "--json", "then.plan"))["resource_changes"]
    changed = [change["address"] for change in then if change["change"]["actions"] != ["no-op"]]
    assert changed == ["token.texts"]
    assert "Nothing else falls due" in world.ok("plan", "--horizon", "1m")
    assert world.run("plan", "--horizon", "soon").returncode == 4


@pytest.mark.parametrize("text", ["2027-01-01", "2027-01-01T00:00:00Z", "2027-01-01T01:00:00+01:00", "+40d", "+1h30m"])
def test_times_are_taken_as_people_write_them(text: str, world: World) -> None:
    """A date, RFC 3339 with any offset, or a distance from now."""
    world.write("[stack]\nname = 'h'\n", EZ)
    world.ok("plan", "--at", text)


@pytest.mark.parametrize("text", ["tomorrow", "2027-13-01", "+", "-1h", ""])
def test_what_is_no_time_is_refused(text: str, world: World) -> None:
    """4, with the forms that are taken."""
    world.write("[stack]\nname = 'h'\n", EZ)
    ended = world.run("plan", f"--at={text}")
    assert (ended.returncode, "As in --at" in ended.stderr.replace("\n", " ")) == (4, True)
