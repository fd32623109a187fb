"""Keys at the command line: who needs one and who does not, joining and leaving, and what a lost key means."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from cli_world import EZ, FLOOR, World
from test_teams import age

HEAD = """
[stack]
name = "keys"

[state.encryption]
recipients = [{recipients}]
"""


def declare(world: World, *recipients: str) -> None:
    quoted = ", ".join(f'"{one}"' for one in recipients)
    world.write(HEAD, EZ, FLOOR, recipients=quoted, minimum=2000)


def test_a_pipeline_without_a_key_plans_and_creates_and_another_reads(world: World) -> None:
    """Public recipients are enough to plan and to create; reading a token without an identity is 7 and names who
    could."""
    identity, recipient = age()
    declare(world, recipient)
    pipeline: dict[str, str | None] = {"CI": "true", "PROVISIONER_IDENTITY": None}
    world.ok("plan", "--out", "p", env=pipeline)
    world.ok("apply", "p", env=pipeline)
    world.ok("plan", env=pipeline)
    world.ok("state", "verify", env=pipeline)
    refused = world.run("token", "token.texts", env=pipeline)
    assert (refused.returncode, "E0405" in refused.stderr, recipient in "".join(refused.stderr.split())) == (
        7,
        True,
        True,
    )
    assert world.ok("token", "token.texts", env={**pipeline, "PROVISIONER_IDENTITY": identity}).strip()
    assert not (world.home / ".config" / "provisioner" / "identity.txt").exists()


def test_a_pipeline_with_no_recipient_is_refused(world: World) -> None:
    """An identity that was made there would be gone with it: 4, nothing sent."""
    declare(world)
    refused = world.run("apply", "-auto-approve", env={"CI": "true"})
    assert (refused.returncode, "E0112" in refused.stderr, world.ledger()["entries"]) == (4, True, [])


@pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="needs ssh-keygen")
def test_people_join_and_leave(world: World, tmp_path: Path) -> None:
    """An age key and an SSH key read the same state; after a rekey without it the age key opens nothing."""
    identity, recipient = age()
    key = tmp_path / "id_ed25519"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "ann@laptop", "-f", str(key)], check=True)
    public, private = key.with_suffix(".pub").read_text().strip(), key.read_text()
    declare(world, recipient)
    ann, bob = {"PROVISIONER_IDENTITY": private}, {"PROVISIONER_IDENTITY": identity}
    world.ok("apply", "-auto-approve", env=bob)
    token = world.ok("token", "token.texts", env=bob)
    assert world.run("token", "token.texts", env=ann).returncode == 7
    declare(world, recipient, public)
    assert world.run("state", "rekey", env=ann).returncode == 7
    world.ok("state", "rekey", env=bob)
    assert world.ok("token", "token.texts", env=ann) == world.ok("token", "token.texts", env=bob) == token
    declare(world, public)
    world.ok("state", "rekey", env=ann)
    assert world.ok("token", "token.texts", env=ann) == token
    assert world.run("token", "token.texts", env=bob).returncode == 7
    assert "resealed the data keys" in world.ok("history")


def test_when_every_key_is_lost_the_tokens_are_replaced(world: World) -> None:
    """As docs/keys.md says: a new recipient, each token forgotten and made anew, and the dead data keys pruned."""
    lost, gone = age()
    declare(world, gone)
    world.ok("apply", "-auto-approve", env={"PROVISIONER_IDENTITY": lost})
    identity, recipient = age()
    declare(world, recipient)
    now = {"PROVISIONER_IDENTITY": identity}
    assert world.run("token", "token.texts", env=now).returncode == 7
    world.ok("state", "rm", "token.texts", env=now)
    world.ok("apply", "-auto-approve", env=now)
    assert world.ok("token", "token.texts", env=now).strip()
    assert "1 that nothing needs any more were deleted" in world.ok("state", "rekey", "--prune", env=now)
    assert world.ok("token", "token.texts", env=now).strip()
    assert "Data keys that are gone" not in world.ok("state", "verify")
