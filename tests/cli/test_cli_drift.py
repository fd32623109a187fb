"""Drift: its own command with no way to write, its own classes, and never mixed up with what the file would change."""

from __future__ import annotations

import json
from typing import Any

import pytest
from cli_world import CX, EZ, FLOOR, IDP, World, lines

from provisioner.sandbox.accounts import SMSCX_APPLICATIONS

ONE = IDP.replace('"eu", "us"', '"eu"') + 'scopes = ["credits:read"]\n'


@pytest.fixture
def settled(world: World) -> World:
    """A token, a floor, an application with two tokens, a registered client with one: as declared."""
    world.write("[stack]\nname = 'd'\n", EZ, FLOOR, CX, ONE, minimum=2000)
    world.ok("apply", "--auto-approve")
    return world


def drifted(world: World) -> dict[str, str]:
    """Address → class, by the stream; the exit code and the human text agree with it."""
    stream = lines(world.ok("drift", "--json"))
    found = {
        line["change"]["resource"]["addr"]: line["change"]["drift"]
        for line in stream
        if line["type"] == "resource_drift"
    }
    assert stream[-1]["results"] == dict.fromkeys(found, "drifted")
    assert stream[-1]["changes"] == {"add": 0, "change": 0, "import": 0, "remove": 0, "operation": "drift"}
    text = world.ok("drift", "--detailed-exitcode", code=2 if found else 0)
    assert all(address in text for address in found)
    return found


def test_what_is_as_recorded_is_no_drift(settled: World) -> None:
    """Right after an apply; an application that nobody declared is told and not counted."""
    assert drifted(settled) == {}
    assert "'Reports'" in settled.ok("drift")
    assert len(SMSCX_APPLICATIONS) > 1


def test_each_class_is_told_apart(settled: World) -> None:
    """A token revoked outside, an application edited, a secret reset, a client deleted, a floor undercut, a
    purchase."""
    campaigns = settled.values("application.campaigns")["client_id"]
    client = settled.values('application.worker["eu"]')["client_id"]
    settled.control("panel", vendor="smscx", action="edit_application", client_id=campaigns, scopes="sms")
    settled.control("panel", vendor="eztexting", action="set_credits", plan=0, anytime=100)
    found = drifted(settled)
    assert found["application.campaigns"] == "application-changed"
    assert found["credits.ez"] == "balance-below-floor"
    settled.ok("refresh")
    assert drifted(settled) == {}
    settled.control("panel", vendor="eztexting", action="set_credits", plan=0, anytime=5000)
    assert drifted(settled) == {"credits.ez": "purchased-outside"}
    settled.control("panel", vendor="smscx", action="reset_secret", client_id=campaigns)
    assert drifted(settled)["application.campaigns"] == "secret-changed"
    settled.control("panel", vendor="oauth2", action="delete_client", client_id=client)
    settled.control("panel", vendor="smscx", action="revoke_all", client_id=campaigns)
    found = drifted(settled)
    assert found['application.worker["eu"]'] == "application-gone"
    assert found['token.campaigns["web"]'] == found['token.campaigns["worker"]'] == "revoked-outside"


def test_drift_writes_nothing_anywhere(settled: World) -> None:
    """No request that changes something, no entry, no lock, no file: not even with a lock of another run held."""
    settled.control("panel", vendor="eztexting", action="set_credits", plan=0, anytime=100)
    sent, written = settled.ledger()["entries"], settled.written()
    for words in (["drift"], ["drift", "--json"], ["drift", "--detailed-exitcode", "--full"]):
        settled.run(*words)
    assert settled.ledger()["entries"] == sent
    assert settled.written() == written
    for flag in ("--auto-approve", "--out=x", "--refresh-only", "--replace=token.texts", "--lock-timeout=1s"):
        assert settled.run("drift", flag).returncode == 4


def test_what_the_file_would_change_is_no_drift(settled: World) -> None:
    """Another floor, a new consumer, a token that is due, an application taken out: `plan` has changes, drift has
    none."""
    more = CX.replace('"worker"]', '"worker", "db"]')
    old = "[token_policies.default]\nrotate_every = '1s'\n"
    settled.write("[stack]\nname = 'd'\n", EZ, FLOOR, more, old, minimum=2100)
    assert "older than rotate_every" in settled.ok("plan", "--detailed-exitcode", "--at", "+1s", code=2)
    assert drifted(settled) == {}


def test_drift_stands_above_a_plan_and_does_not_make_one(settled: World) -> None:
    """A balance that fell below the recorded floor and is bought up again is both: a note above, a purchase below."""
    settled.control("panel", vendor="eztexting", action="set_credits", plan=0, anytime=1999)
    out = settled.ok("plan", "--out", "p")
    assert out.startswith("Note: Objects have changed outside of Terraform\n")
    assert "  # credits.ez has changed\n" in out
    plan: dict[str, Any] = json.loads(settled.ok("show", "--json", "p"))
    assert [(drift["address"], drift["drift"]) for drift in plan["resource_drift"]] == [
        ("credits.ez", "balance-below-floor")
    ]
    settled.control("panel", vendor="eztexting", action="set_credits", plan=0, anytime=2001)
    assert "No changes." in settled.ok("plan", "--detailed-exitcode")


def test_a_vendor_out_of_reach_is_no_clean_drift(settled: World) -> None:
    """8, naming it: what nobody could look at is not as recorded."""
    settled.write("[stack]\nname = 'd'\n", EZ.replace("{base}", "http://127.0.0.1:1"), FLOOR, CX, ONE, minimum=2000)
    ended = settled.run("drift", "--detailed-exitcode")
    assert (ended.returncode, "E0502" in ended.stderr, "No drift" in ended.stdout) == (8, True, False)
