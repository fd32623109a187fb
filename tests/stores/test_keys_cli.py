"""Keys at the command line: who needs one and who does not, joining and leaving, and what a lost key means."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from cli_world import EZ, FLOOR, World
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
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


def deposed(world: World) -> list[dict[str, object]]:
    found = world.state()["values"]["root_module"]["resources"]
    return [resource["values"] for resource in found if resource.get("deposed")]


def test_when_every_key_is_lost_a_token_is_replaced(world: World) -> None:
    """`--replace` needs nothing of the old token: it stays recorded, retiring until its end, and the run says how a
    person ends it. The plan of all else is 7, and so is a replacement by somebody who merely has not the key."""
    lost, gone = age()
    declare(world, gone)
    world.ok("apply", "-auto-approve", env={"PROVISIONER_IDENTITY": lost})
    old = world.ok("token", "token.texts", env={"PROVISIONER_IDENTITY": lost}).strip()
    identity, recipient = age()
    replacing = ("apply", "-auto-approve", "--replace", "token.texts")
    now: dict[str, str | None] = {"PROVISIONER_IDENTITY": identity}
    assert world.run(*replacing, env=now).returncode == 7
    declare(world, recipient)
    refused = world.run("plan", env=now)
    assert (refused.returncode, "docs/keys.md" in refused.stderr) == (7, True)
    sent = len(world.ledger()["entries"])
    ended = world.run(*replacing, env=now)
    said = " ".join((ended.stdout + ended.stderr).split())
    assert (ended.returncode, "nobody can open its value any more" in said) == (0, True), said
    assert "change the account's password" in said
    assert [entry["operation"] for entry in world.ledger()["entries"][sent:]] == ["token.create"]
    assert [values["status"] for values in deposed(world)] == ["retiring"]
    assert "No changes." in world.ok("plan", "-detailed-exitcode", env=now)
    assert "Deleted 1 data key that nothing needs any more." in world.ok("state", "rekey", "--prune", env=now)
    assert world.ok("token", "token.texts", env=now).strip() != old
    found = world.run("audit", "--find-token", "-", stdin=old, env=now)
    assert (found.returncode, "Revoke it at the vendor" in found.stdout) == (2, True), found.stdout


def test_a_shredded_value_is_replaced(world: World) -> None:
    """As the finding says that names it (`token-value-shredded`)."""
    identity, recipient = age()
    declare(world, recipient)
    now: dict[str, str | None] = {"PROVISIONER_IDENTITY": identity}
    world.ok("apply", "-auto-approve", env=now)
    for path in (world.folder / "state").glob("*/keys/*"):
        path.unlink()
    assert "token-value-shredded" in world.ok("audit", code=2)
    assert world.run("apply", "-auto-approve", env=now).returncode == 7
    world.ok("apply", "-auto-approve", "--replace", "token.texts", env=now)
    assert world.ok("token", "token.texts", env=now).strip()
    assert "No findings" in world.ok("audit")


def test_a_recipient_is_public(world: World) -> None:
    """A rekey records to whom it sealed; no audit takes an age or SSH recipient for a secret in clear."""
    identity, recipient = age()
    public = Ed25519PrivateKey.generate().public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    declare(world, recipient, f"{public.decode()} ann@laptop")
    now: dict[str, str | None] = {"PROVISIONER_IDENTITY": identity}
    world.ok("apply", "-auto-approve", env=now)
    world.ok("state", "rekey", env=now)
    assert "No findings" in world.ok("audit")


def test_when_every_key_is_lost_all_can_be_forgotten(world: World) -> None:
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
    assert "Deleted 1 data key that nothing needs any more." in world.ok("state", "rekey", "--prune", env=now)
    assert world.ok("token", "token.texts", env=now).strip()
    assert "Data keys that are gone" not in world.ok("state", "verify")
