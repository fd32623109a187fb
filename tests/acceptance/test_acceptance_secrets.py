"""Contract section 7: what is encrypted, to whom, and who can open it.

Every docstring is the sentence of the contract which the test checks.
"""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING

import pytest
from acc_messaging import cx_tables, ez_tables

if TYPE_CHECKING:
    from acc_eztexting import EzTexting
    from acc_smscx import SmsCx
    from acc_stack import Stack


def identity() -> tuple[str, str]:
    import pyrage  # type: ignore[import-untyped, unused-ignore]  # ships no types

    made = pyrage.x25519.Identity.generate()
    return str(made), str(made.to_public())


def sealed_to(text: str, *recipients: str) -> str:
    return f"[state.encryption]\nrecipients = {json.dumps(list(recipients))}\n" + text


def test_another_machine_does_not_know(stack: Stack, ez: EzTexting) -> None:
    """The guards hold across machines: another home sees the same recorded state and goes on from it."""
    ez.bought_credits, ez.plan_credits = 0, 0
    stack.write(ez_tables(stack, ez, floor="minimum = 2000\npack = 500\nmax_per_apply = 1000\nmax_per_day = 1500"))
    key, public = identity()
    stack.write(sealed_to((stack.folder / "provisioner.toml").read_text(), public))
    stack.env["PROVISIONER_IDENTITY"] = key
    stack.run("apply", "--auto-approve", code=3)
    other = stack.home.parent / "other-home"
    other.mkdir()
    stack.run("apply", "--auto-approve", code=3, env={"HOME": str(other)})
    stack.run("apply", "--auto-approve", code=3, env={"HOME": str(other)})
    assert [p["credits"] for p in ez.purchases] == [1000, 500]


def test_an_identity_of_its_own(stack: Stack, ez: EzTexting) -> None:
    """Where no recipient is configured, the first apply makes an identity in the user's configuration folder (mode
    0600) and says where."""
    stack.write(ez_tables(stack, ez))
    ran = stack.run("apply", "--auto-approve")
    made = [path for path in stack.home.rglob("*") if path.is_file() and b"AGE-SECRET-KEY-" in path.read_bytes()]
    assert len(made) == 1
    assert str(made[0]) in ran.text.replace("\n", "")
    assert made[0].stat().st_mode & 0o777 == 0o600
    assert str(made[0]).startswith(str(stack.home / ".config"))
    stack.run("apply", "--auto-approve", "--replace", "token.texts")
    assert len([p for p in stack.home.rglob("*") if p.is_file() and b"AGE-SECRET-KEY-" in p.read_bytes()]) == 1


@pytest.mark.parametrize("ci", ["true", "1"])
def test_ci_makes_no_identity(stack: Stack, ez: EzTexting, ci: str) -> None:
    """With `CI=true` it refuses instead (exit 4), and says what to set; nothing is sent."""
    stack.write(ez_tables(stack, ez))
    ran = stack.run("apply", "--auto-approve", code=4, env={"CI": ci})
    assert "recipients" in ran.text
    assert ez.pairs == []
    stack.run("plan", env={"CI": ci})
    stack.run("validate", env={"CI": ci})


def test_a_pipeline_with_public_keys(stack: Stack, ez: EzTexting, cx: SmsCx) -> None:
    """Encrypting needs only the public recipients: a pipeline that plans, or that creates, needs no key that can read;
    opening without a fitting identity is exit 7, naming the recipients that could."""
    key, public = identity()
    stack.write(sealed_to(ez_tables(stack, ez) + cx_tables(stack, cx), public))
    stack.env["CI"] = "true"
    stack.run("apply", "--auto-approve")
    stack.run("plan", "--detailed-exitcode")
    stack.run("apply", "--auto-approve")
    stack.run("show", "--json")
    stack.run("audit", code=None)
    for words in (["token", "texts"], ["output", "--format", "json"], ["run", "--", "true"]):
        ran = stack.run(*words, code=7)
        assert public in ran.text
    assert stack.run("token", "texts", env={"PROVISIONER_IDENTITY": key}).stdout.strip() == ez.live[0].access
    assert not list(stack.home.rglob("*identity*"))
    stack.hunt(ez.secrets | cx.secrets | {key}, handed_out=[ez.live[0].access + "\n"])
    text = (stack.folder / "provisioner.toml").read_text()
    more = text + '[applications.more]\nprovider = "ez"\n'
    stack.write(more)
    stack.run("apply", "--auto-approve")
    assert len(ez.pairs) == 2


def test_identities(stack: Stack, ez: EzTexting) -> None:
    """`identity` is a reference; the user's configuration folder (XDG_CONFIG_HOME) serves as well; an SSH key that age
    takes is a recipient, its private key a whole file."""
    key, public = identity()
    ssh = stack.folder / "ours"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(ssh)], check=True)
    ssh_public = " ".join((stack.folder / "ours.pub").read_text().split()[:2])
    stack.write(sealed_to(ez_tables(stack, ez), public, ssh_public))
    stack.run("apply", "--auto-approve")
    secret = ez.live[0].access
    assert stack.run("token", "texts", env={"PROVISIONER_IDENTITY": key}).stdout.strip() == secret
    stack.write(
        sealed_to(ez_tables(stack, ez), public, ssh_public).replace(
            "[state.encryption]", '[state.encryption]\nidentity = { file = "ours" }'
        )
    )
    assert stack.run("token", "texts").stdout.strip() == secret
    stack.write(sealed_to(ez_tables(stack, ez), public))
    stack.run("token", "texts", code=7)
    wrong, _ = identity()
    stack.run("token", "texts", code=7, env={"PROVISIONER_IDENTITY": wrong})


def test_rekey(stack: Stack, ez: EzTexting) -> None:
    """`state rekey` reseals to the recipients now in the file: no entry of the chain changes but its own, and what an
    old key can open here ends."""
    old, old_public = identity()
    new, new_public = identity()
    stack.write(sealed_to(ez_tables(stack, ez), old_public))
    stack.run("apply", "--auto-approve")
    before = stack.journal()[-1].read_text()
    stack.write(sealed_to(ez_tables(stack, ez), new_public))
    stack.run("state", "rekey", code=7)
    stack.run("state", "rekey", env={"PROVISIONER_IDENTITY": old})
    assert "".join(path.read_text() for path in stack.journal()).startswith(before)
    stack.run("token", "texts", code=7, env={"PROVISIONER_IDENTITY": old})
    assert stack.run("token", "texts", env={"PROVISIONER_IDENTITY": new}).stdout.strip() == ez.live[0].access
    stack.run("state", "verify")


def test_a_deleted_data_key_shreds(stack: Stack, ez: EzTexting) -> None:
    """A deleted data key shreds what it sealed, and changes no entry: the chain verifies, the token cannot be opened
    (7)."""
    stack.write(ez_tables(stack, ez))
    stack.run("apply", "--auto-approve")
    keys = list((stack.folder / "state").rglob("keys/*"))
    assert keys
    for key in keys:
        key.unlink()
    stack.run("state", "verify")
    stack.run("show")
    stack.run("token", "texts", code=7)


def test_a_move_needs_no_key(stack: Stack, ez: EzTexting) -> None:
    """Bound to the object's own unchanging id (not its address: a move needs no key)."""
    key, public = identity()
    stack.write(sealed_to(ez_tables(stack, ez), public))
    stack.run("apply", "--auto-approve")
    stack.run("state", "mv", "token.texts", "token.alerts")
    stack.write(sealed_to(ez_tables(stack, ez), public).replace("[applications.texts]", "[applications.alerts]"))
    assert stack.run("token", "alerts", env={"PROVISIONER_IDENTITY": key}).stdout.strip() == ez.live[0].access
