"""A saved plan is applied to the letter, or refused with nothing sent: every byte of it counts."""

from __future__ import annotations

import hashlib
import json
import os
import random
from pathlib import Path

import pytest
from cli_world import CX, EZ, FLOOR, World, lines

from provisioner.cli.main import main
from provisioner.commands.filing import FileOptions, load_file
from provisioner.commands.saved import check
from provisioner.errors import PlanRefused
from provisioner.model.recorded import State
from provisioner.render.plan_file import load

_HEAD = len('{"digest":"')


@pytest.fixture
def planned(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """A first plan over a token, an import, two tokens of it and a purchase, saved; this process stands in its
    folder."""
    world.write("[stack]\nname = 'p'\n", EZ, FLOOR, CX, minimum=4000)
    world.ok("plan", "--out", "p.plan")
    monkeypatch.chdir(world.folder)
    for name, value in world.environ.items():
        monkeypatch.setenv(name, value)
    return world


def _flips(data: bytes, at: int) -> list[bytes]:
    """The byte at one place changed: its lowest bit, the bit that is a letter's case, all of it."""
    return [data[:at] + bytes([data[at] ^ mask]) + data[at + 1 :] for mask in (0x01, 0x20, 0xFF)]


def test_every_flipped_byte_is_refused(planned: World, capsys: pytest.CaptureFixture[str]) -> None:
    """Each byte of the file in three ways, as it is read; every hundredth by the command itself: 6, and nothing
    sent."""
    whole = (planned.folder / "p.plan").read_bytes()
    before = planned.ledger()["entries"]
    for at in range(len(whole)):
        for changed in _flips(whole, at):
            with pytest.raises(PlanRefused):
                load(changed)
        if at % 101 == 0 or at == len(whole) - 1:
            (planned.folder / "x.plan").write_bytes(_flips(whole, at)[at % 3])
            assert main(["apply", "x.plan"]) == 6
            said = capsys.readouterr().err
            assert "E0302" in said or "E0305" in said
    for cut in (0, 1, len(whole) // 2, len(whole) - 2):
        (planned.folder / "x.plan").write_bytes(whole[:cut])
        assert main(["apply", "x.plan"]) == 6
    (planned.folder / "x.plan").write_bytes(whole + b"\n")
    assert main(["apply", "x.plan"]) == 6
    assert planned.ledger()["entries"] == before
    planned.ok("apply", "p.plan")


def test_an_edit_with_a_fitting_digest_does_nothing_else(planned: World) -> None:
    """Whoever flips a byte and mends the digest is refused, unless what would be done is what was reviewed."""
    whole = (planned.folder / "p.plan").read_bytes().rstrip(b"\n")
    desired = load_file(FileOptions())
    reviewed = load(whole + b"\n").plan.steps
    start = _HEAD + 64 + len('","plan":')
    refused = 0
    places = random.Random(7).sample(range(start, len(whole) - 1), 500)
    for at in places:
        body = _flips(whole, at)[at % 2][start:-1]
        text = b'{"digest":"' + hashlib.sha256(body).hexdigest().encode() + b'","plan":' + body + b"}\n"
        try:
            saved = load(text)
            check(saved, desired, State(stack="p"))
        except PlanRefused:
            refused += 1
        else:
            assert [(s.id, s.action, s.operation, s.params) for s in saved.plan.steps] == [
                (s.id, s.action, s.operation, s.params) for s in reviewed
            ]
    assert refused > len(places) * 0.9


def test_each_refusal_has_its_own_words(planned: World) -> None:
    """Foreign, stale, another file, edited, no plan: a code and a sentence each, and the same advice."""
    world = planned
    said: dict[str, str] = {}

    def refused(file: str, code: str) -> None:
        ended = world.run("apply", "-no-color", file)
        assert (ended.returncode, code in ended.stderr) == (6, True), ended.stderr
        assert "provisioner plan --out" in ended.stderr.replace("\n", " ")
        said[code] = ended.stderr

    whole = json.loads((world.folder / "p.plan").read_text())
    whole["plan"]["plan"]["steps"][-1]["params"]["amount"] = "3000"
    body = json.dumps(whole["plan"], sort_keys=True, separators=(",", ":"))
    digest = hashlib.sha256(body.encode()).hexdigest()
    (world.folder / "more.plan").write_text(f'{{"digest":"{digest}","plan":{body}}}\n')
    refused("more.plan", "E0302")
    assert "credits.ez: params differs" in said["E0302"]
    world.write("[stack]\nname = 'p'\n", EZ, FLOOR, CX, minimum=4001)
    refused("p.plan", "E0304")
    world.write("[stack]\nname = 'other'\n", EZ, FLOOR, CX, minimum=4000)
    refused("p.plan", "E0303")
    world.write("[stack]\nname = 'p'\n", EZ, FLOOR, CX, minimum=4000)
    refused("provisioner.toml", "E0305")
    world.ok("apply", "--auto-approve", "--target", "token.texts")
    refused("p.plan", "E0301")
    assert len(set(said.values())) == 5


def test_a_balance_that_rose_buys_less_and_one_that_fell_buys_no_more(planned: World) -> None:
    """2500 were there, 4000 are wanted, 1500 are reviewed. With 3200 there 1000 are bought; with 200 there still
    1500."""
    for plan, anytime, bought in (("p.plan", 3200, 1000), ("q.plan", 200, 1500)):
        if plan == "q.plan":
            planned.control("panel", vendor="eztexting", action="set_credits", plan=0, anytime=2500)
            planned.ok("plan", "--out", plan)
        shown = json.loads(planned.ok("show", "--json", plan))
        change = next(c for c in shown["resource_changes"] if c["address"] == "credits.ez")
        assert change["change"]["after"]["purchase"] == 1500
        planned.control("panel", vendor="eztexting", action="set_credits", plan=0, anytime=anytime)
        planned.ok("apply", plan, code=0 if bought == 1000 else 3)
        assert planned.ledger()["purchases"][-1]["credits"] == bought


def test_nothing_is_bought_where_the_balance_has_risen(planned: World) -> None:
    """Above the floor by now: the step is done, and says that it was not needed."""
    planned.control("panel", vendor="eztexting", action="set_credits", plan=0, anytime=5000)
    stream = lines(planned.ok("apply", "-json", "p.plan"))
    assert planned.ledger()["purchases"] == []
    assert "W0702" in [line["diagnostic"]["code"] for line in stream if line["type"] == "diagnostic"]
    assert stream[-1]["results"]["credits.ez"] == "done"


def test_what_is_applied_is_what_was_planned(planned: World) -> None:
    """Steps that have become due since are left alone, and what was planned for later (`--at`) is done now."""
    planned.ok("apply", "p.plan")
    planned.ok("plan", "--at", "+3h", "--target", "token.texts", "--out", "later.plan")
    before = planned.values("token.texts")["fingerprint"]
    cx = planned.values('token.campaigns["web"]')["fingerprint"]
    out = planned.ok("apply", "later.plan")
    assert "Plan: 0 to add, 1 to change, 0 to destroy." in out
    assert planned.values("token.texts")["fingerprint"] != before
    assert planned.values('token.campaigns["web"]')["fingerprint"] == cx


def test_show_tells_a_plan_again_from_the_file_alone(planned: World) -> None:
    """`show PLANFILE` is what `plan` said; it needs no file, no state and no vendor; --json is one line, the same
    whenever it is asked for."""
    said = planned.ok("plan", "--out", "again.plan", env={"PROVISIONER_IN_AUTOMATION": "1"})
    elsewhere = planned.folder / "elsewhere"
    elsewhere.mkdir()
    plan = os.path.relpath(planned.folder / "again.plan", elsewhere)
    bare: dict[str, str | None] = {name: None for name in planned.environ if name.startswith(("EZ_", "SMSCX_"))}
    shown = planned.ok("-chdir=elsewhere", "show", "-no-color", plan, env=bare)
    assert shown.strip() == said.strip()
    shown = planned.ok("-chdir=elsewhere", "show", "--json", plan, env=bare)
    assert len(shown.splitlines()) == 1
    assert planned.ok("-chdir=elsewhere", "show", "--json", plan, env=bare) == shown
    assert (planned.folder / "again.plan").stat().st_mode & 0o777 == 0o600
    assert not list(elsewhere.iterdir())


def test_two_plans_of_one_moment_are_equal_but_for_their_timestamp(planned: World) -> None:
    """The files byte for byte, and their JSON but for `timestamp`, at the same `--at`."""
    for name in ("a.plan", "b.plan"):
        planned.ok("plan", "--at", "2027-01-01T00:00:00Z", "--out", name)
    assert Path("a.plan").read_bytes() == Path("b.plan").read_bytes()
    first, second = (json.loads(planned.ok("show", "--json", name)) for name in ("a.plan", "b.plan"))
    assert {**first, "timestamp": ""} == {**second, "timestamp": ""}
