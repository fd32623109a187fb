"""Teams at the command line: many at once, on every shared store; what goes wrong there, by its exit code."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from cli_world import CX, EZ, FLOOR, World
from http_state_server import PASSWORD, USER, HttpStateServer
from journal_world import run

from provisioner.journal.journal import Draft, Journal
from provisioner.journal.locks import take_lock
from provisioner.journal.stores.directory import DirectoryStore

if TYPE_CHECKING:
    from postgres_server import PostgresServer

HEAD = """
[stack]
name = "team"

[state]
location = "{location}"
{more}
[state.encryption]
recipients = ["{recipient}"]
"""
ACCOUNT = 'username = {{ env = "STATE_USER" }}\npassword = {{ env = "STATE_PASSWORD" }}'


def age() -> tuple[str, str]:
    """An identity and its recipient."""
    import pyrage  # type: ignore[import-untyped, unused-ignore]  # ships no types

    made = pyrage.x25519.Identity.generate()
    return str(made), str(made.to_public())


class Team:
    """A stack whose state is at `location`, and the environment that reaches it."""

    def __init__(self, world: World, location: str, env: Mapping[str, str], more: str = "") -> None:
        self.world, self.location = world, location
        self.identity, self.recipient = age()
        world.environ |= {**env, "PROVISIONER_IDENTITY": self.identity}
        head = HEAD.replace("{more}", more)
        world.write(head, EZ, FLOOR, CX, location=location, recipient=self.recipient, minimum=3000)

    def at_once(self, count: int, *words: str) -> list[subprocess.Popen[str]]:
        command = [sys.executable, "-m", "provisioner", *words]
        with_pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
        where = {"cwd": self.world.folder, "env": self.world.environ}
        return [subprocess.Popen(command, **where, **with_pipes) for _ in range(count)]  # type: ignore[call-overload]  # keywords

    def effects(self) -> list[tuple[str, object]]:
        """What the vendors' ledger shows: each change, and how much was bought."""
        return sorted((entry["operation"], entry.get("asked")) for entry in self.world.ledger()["entries"])


ONE_SET = [("credits.purchase", 500), ("token.create", None), ("token.create", None), ("token.create", None)]


@pytest.fixture
def on_postgres(world: World, database: str) -> Team:
    return Team(world, database, {})


@pytest.fixture
def on_s3(world: World, bucket: str) -> Team:
    return Team(world, bucket, {name: os.environ[name] for name in os.environ if name.startswith("AWS_")})


@pytest.fixture
def on_http(world: World) -> Iterator[Team]:
    server = HttpStateServer("gitlab")
    yield Team(world, server.url("team"), {"STATE_USER": USER, "STATE_PASSWORD": PASSWORD}, ACCOUNT)
    server.stop()


@pytest.fixture(params=["on_postgres", "on_s3", "on_http"])
def team(request: pytest.FixtureRequest) -> Team:
    found: Team = request.getfixturevalue(request.param)
    return found


@pytest.mark.slow
def test_eight_applies_at_once_leave_one_set_of_effects(team: Team) -> None:
    """All end well: one does the work, the others wait for it and find nothing to do. The vendors' ledger is the
    judge."""
    children = team.at_once(8, "apply", "-auto-approve", "--lock-timeout", "120s")
    said = [child.communicate(timeout=180)[0] for child in children]
    assert [child.returncode for child in children] == [0] * 8, "\n".join(said)
    assert sum("Apply complete! Resources: 1 imported" in text for text in said) == 1
    assert team.effects() == ONE_SET
    verified = json.loads(team.world.ok("state", "verify", "--json"))
    history = [json.loads(line) for line in team.world.ok("history", "--json").splitlines()]
    assert len(history) == verified["serial"]
    assert [row["kind"] for row in history].count("intent") == [row["kind"] for row in history].count("outcome")


@pytest.mark.slow
def test_eight_applies_that_do_not_wait(team: Team) -> None:
    """With no --lock-timeout all but one are told who holds the lock (5); the effects are one set all the same."""
    children = team.at_once(8, "apply", "-auto-approve")
    said = [child.communicate(timeout=180)[0] for child in children]
    codes = [child.returncode for child in children]
    assert set(codes) <= {0, 5}
    assert 0 in codes
    assert all("locked by" in text for text, code in zip(said, codes, strict=True) if code == 5)
    assert team.effects() == ONE_SET


def test_the_whole_story_on_each_store(team: Team) -> None:
    """Apply, a clean plan, who holds the lock, a backup, verify, rekey, and home to a directory; the password of the
    store is printed nowhere."""
    world = team.world
    assert "Apply complete! Resources: 1 imported" in world.ok("apply", "-auto-approve")
    assert "No changes." in world.ok("plan", "-detailed-exitcode")
    assert json.loads(world.ok("state", "lock", "--json")) is None
    head = world.state()["head"]
    world.ok("state", "backup", "monday.backup")
    assert json.loads(world.ok("state", "verify", "--json"))["head"] == head
    assert "now sealed to: age1" in world.ok("state", "rekey", "--prune")
    head = world.state()["head"]
    moved = world.ok("state", "migrate", team.location, "state/home")
    assert f"head {head}" in moved
    ended = world.run("apply", "-auto-approve")
    assert (ended.returncode, "E0416" in ended.stderr, "state/home" in ended.stderr) == (7, True, True)
    assert world.state()["head"] == head
    text = (world.folder / "provisioner.toml").read_text().replace(team.location, "state/home")
    (world.folder / "provisioner.toml").write_text(text)
    assert "No changes." in world.ok("plan", "-detailed-exitcode")
    assert world.ok("token", "token.texts").strip()
    hidden = ["pass word", "pass%20word", "secret of the tester", PASSWORD, team.identity]
    printed = "".join(world.said)
    assert [word for word in hidden if word in printed] == []
    assert not any(
        word.encode() in data for word in hidden for name, data in world.written().items() if "toml" not in name
    )


def test_a_held_lock_is_5_and_says_whose(on_postgres: Team) -> None:
    """As on a directory: who, where, for what; force-unlock wants its id."""
    from test_store_postgres import at

    world = on_postgres.world
    with take_lock(at(on_postgres.location, "team"), run()) as held:
        ended = world.run("apply", "-auto-approve")
        assert (ended.returncode, "locked by ann on" in ended.stderr) == (5, True)
        assert json.loads(world.ok("state", "lock", "--json"))["id"] == held.info.id
        assert world.run("force-unlock", "5f0c1c1e").returncode == 9
        world.ok("force-unlock", held.info.id)
        world.ok("apply", "-auto-approve")
    assert on_postgres.effects() == ONE_SET


def test_a_store_that_is_away_is_1_and_nothing_is_sent(on_postgres: Team, postgres: PostgresServer) -> None:
    """A database that nobody answers for: before anything is asked of a vendor."""
    world = on_postgres.world
    text = (world.folder / "provisioner.toml").read_text().replace(f":{postgres.port}/", ":1/")
    (world.folder / "provisioner.toml").write_text(text)
    ended = world.run("apply", "-auto-approve")
    assert (ended.returncode, "E0406" in ended.stderr, "refused" in ended.stderr) == (1, True, True)
    assert on_postgres.effects() == []


def test_a_package_that_is_not_installed_is_4(on_postgres: Team, tmp_path: Path) -> None:
    """With the pip line."""
    (tmp_path / "without").mkdir()
    (tmp_path / "without" / "psycopg.py").write_text("raise ImportError('not here')\n")
    world = on_postgres.world
    path = os.pathsep.join((str(tmp_path / "without"), world.environ["PYTHONPATH"]))
    ended = world.run("plan", env={"PYTHONPATH": path})
    assert (ended.returncode, "E0410" in ended.stderr) == (4, True)
    assert "pip install 'provisioner[postgres]'" in " ".join(ended.stderr.split())


def test_http_without_its_lock_is_4(on_http: Team) -> None:
    """There is no other fence there."""
    ended = on_http.world.run("apply", "-auto-approve", "--lock=false")
    assert (ended.returncode, "only written under its lock" in " ".join(ended.stderr.split())) == (4, True)
    assert on_http.effects() == []


def test_a_clock_that_went_back_is_7(world: World) -> None:
    """By this clock the newest entry is of tomorrow: nothing that falls due can be judged, so nothing is sent. Looking
    is possible, with a warning; --accept-rollback goes on, and that is recorded."""
    world.write("[stack]\nname = 'ez'\n", EZ)
    store = DirectoryStore(world.folder / "state" / "ez")
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    with Journal.open(store, stack="ez", memory=None, clock=lambda: tomorrow) as journal:
        journal.begin(run())
        journal.append(Draft("note"))
    for words in (["plan"], ["apply", "-auto-approve"]):
        ended = world.run(*words)
        assert (ended.returncode, "E0418" in ended.stderr) == (7, True), ended.stderr
    assert world.ledger()["entries"] == []
    looked = world.run("show")
    assert (looked.returncode, "W0407" in looked.stderr + looked.stdout) == (0, True)
    world.ok("apply", "-auto-approve", "--accept-rollback")
    assert any("ahead of this machine's clock" in line for line in world.ok("history").splitlines())
    assert "No changes." in world.ok("plan")
