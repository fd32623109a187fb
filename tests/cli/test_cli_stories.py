"""The whole story of each vendor, by the command line alone, against the sandbox over HTTP."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from cli_world import CX, EZ, FLOOR, IDP, ROOT, SECRETS, TK, TM, World, lines

from provisioner.sandbox.accounts import SMSCX_APPLICATIONS

APPROVE = ROOT / "examples" / "quickstart" / "approve.py"
CLEAN = "No changes."


def fingerprints(world: World) -> dict[str, str]:
    resources = world.state()["values"]["root_module"]["resources"]
    return {
        r["address"]: r["values"]["fingerprint"] for r in resources if r["type"] == "token" and not r.get("deposed")
    }


def authorize(world: World, application: str, button: str = "approve") -> int:
    """Play the person: open the URL that stands alone on a line of standard output, press a button, hand the code
    in."""
    with subprocess.Popen(
        [sys.executable, "-m", "provisioner", "authorize", application, "--no-browser", "--timeout", "20s"],
        cwd=world.folder,
        env=world.environ,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        url = child.stdout.readline().strip()
        assert url.startswith(world.base), url
        person = [sys.executable, str(APPROVE), url, *(["--deny"] if button == "deny" else [])]
        code = subprocess.run(person, capture_output=True, text=True, check=True, timeout=30).stdout.strip()
        out, err = child.communicate(code + "\n", timeout=30)
        world.said += [url, out, err]
    return child.returncode


def test_eztexting_is_kept_and_topped_up(world: World) -> None:
    """A token, a renewal by refresh once half its life is gone, and a purchase of whole packs when the balance
    falls."""
    world.write("[stack]\nname = 'ez'\n", EZ, FLOOR, minimum=2000)
    assert "Plan: 2 to add, 0 to change, 0 to destroy." in world.ok("plan")
    world.ok("plan", "--detailed-exitcode", code=2)
    assert "Apply complete! Resources: 2 added" in world.ok("apply", "-auto-approve")
    assert CLEAN in world.ok("plan", "-detailed-exitcode")
    before = world.values("token.texts")
    assert before["status"] == "live"

    renewal = json.loads(
        world.ok("plan", "--at", "+1h", "--out", "later.plan") and world.ok("show", "--json", "later.plan")
    )
    changes = {c["address"]: c["change"]["actions"] for c in renewal["resource_changes"]}
    assert changes["token.texts"] == ["update"]

    world.control("panel", vendor="eztexting", action="set_credits", anytime=1300)
    assert "balance" in world.ok("drift", "--detailed-exitcode", code=2)
    assert "Buys up to 1000 credits at ez." in world.ok("plan")
    world.ok("apply", "--auto-approve")
    assert [purchase["credits"] for purchase in world.ledger()["purchases"]] == [1000]
    assert world.values("credits.ez")["balance"] == 2300
    assert world.values("credits.ez")["purchased_last_24h"] == 1000
    assert CLEAN in world.ok("plan")


def test_smscx_is_found_rotated_and_compared(world: World) -> None:
    """An application found by its name, a token a consumer, a rotation on demand, an edit in the panel."""
    world.write("[stack]\nname = 'cx'\n", CX)
    assert "will be imported" in world.ok("plan")
    world.ok("apply", "--auto-approve")
    first = fingerprints(world)
    assert set(first) == {'token.campaigns["web"]', 'token.campaigns["worker"]'}

    out = world.ok("plan", "--replace", 'token.campaigns["web"]', "--out", "r.plan")
    assert "will be replaced, as requested" in out
    world.ok("apply", "r.plan")
    second = fingerprints(world)
    assert second['token.campaigns["web"]'] != first['token.campaigns["web"]']
    assert second['token.campaigns["worker"]'] == first['token.campaigns["worker"]']
    assert CLEAN in world.ok("plan")

    client = world.values("application.campaigns")["client_id"]
    world.control("panel", vendor="smscx", action="edit_application", client_id=client, scopes="sms")
    assert "application.campaigns" in world.ok("drift", "--detailed-exitcode", code=2)
    shown = json.loads(world.ok("plan", "--out", "e.plan") and world.ok("show", "--json", "e.plan"))
    edited = next(c for c in shown["resource_changes"] if c["address"] == "application.campaigns")
    assert edited["handoff"]["instructions"]
    world.ok("apply", "--auto-approve", code=3)


def test_an_import_takes_the_id_that_is_named(world: World) -> None:
    """Another id than the vendor's is refused (4); the right one is recorded, once; --generate-config-out writes
    the rest."""
    world.write("[stack]\nname = 'cx'\n", CX)
    right = SMSCX_APPLICATIONS[0]["client_id"]
    world.ok("import", "application.campaigns", "0" * 40, code=4)
    assert "will be imported" in world.ok("import", "application.campaigns", right)
    assert world.values("application.campaigns")["client_id"] == right
    world.ok("import", "application.campaigns", right, code=4)
    world.ok("plan", "--generate-config-out", "found.toml")
    assert '[applications.reports]\nprovider = "cx"' in (world.folder / "found.toml").read_text()


@pytest.mark.parametrize(("vendor", "application"), [(TM, "translations"), (TK, "copywriting")])
def test_a_person_authorizes_once(world: World, vendor: str, application: str) -> None:
    """Everything else is done first and the rest waits (3); one consent later nothing does, and the token is
    handed out."""
    world.write("[stack]\nname = 'code'\n", vendor)
    world.ok("apply", "--auto-approve", code=3)
    assert world.run("token", f"token.{application}").returncode == 3
    assert authorize(world, application, "deny") == 8
    assert authorize(world, application) == 0
    assert world.values(f"token.{application}")["status"] == "live"
    world.ok("apply", "--auto-approve")
    assert CLEAN in world.ok("plan")
    token = world.ok("token", application).strip()
    assert world.ok("token", f"token.{application}", "--format", "header") == f"Authorization: Bearer {token}\n"


def test_oauth2_is_registered_and_destroyed(world: World) -> None:
    """Applications by RFC 7591, one for each key; destroy revokes and deletes, and nothing lives on."""
    world.write("[stack]\nname = 'idp'\n", IDP)
    assert "Plan: 4 to add" in world.ok("plan")
    world.ok("apply", "--auto-approve")
    assert len([t for t in world.ledger()["live_tokens"] if t["vendor"] == "oauth2"]) == 2
    assert CLEAN in world.ok("plan")
    assert "0 added, 0 changed" not in world.ok("destroy", "--auto-approve")
    assert [t for t in world.ledger()["live_tokens"] if t["vendor"] == "oauth2"] == []
    assert world.state()["values"]["root_module"]["resources"] == []


def test_the_stream_names_every_address_and_ends_with_a_summary(world: World) -> None:
    """apply --json: version first, a plan's summary, outputs, and one summary of its own as the last line."""
    world.write("[stack]\nname = 'ez'\n", EZ, FLOOR, minimum=2000)
    found = lines(world.ok("apply", "--auto-approve", "--json"))
    assert found[0]["type"] == "version"
    assert [line["changes"]["operation"] for line in found if line["type"] == "change_summary"] == ["plan", "apply"]
    assert found[-1]["type"] == "change_summary"
    assert found[-1]["results"] == {"token.texts": "done", "credits.ez": "done"}
    assert found[-2]["type"] == "outputs"
    assert all({"@level", "@message", "@module", "@timestamp"} <= set(line) for line in found)


def test_a_command_runs_with_the_tokens_in_its_environment(world: World) -> None:
    """The names are those of dotenv, the exit code is the child's, and no token is an argument."""
    world.write("[stack]\nname = 'cx'\n", CX)
    world.ok("apply", "--auto-approve")
    dotenv = dict(line.split("=", 1) for line in world.ok("output", "--format", "dotenv").splitlines())
    code = "import os, sys; sys.stdout.write(os.environ['TOKEN_CAMPAIGNS_WEB']); sys.exit(7)"
    ended = world.run("run", "--application", "campaigns", "--", sys.executable, "-c", code)
    assert (ended.returncode, ended.stdout) == (7, dotenv["TOKEN_CAMPAIGNS_WEB"])
    assert world.run("run", "--", "no-such-command-here").returncode == 4


def test_no_secret_is_written_anywhere(world: World) -> None:
    """The canary hunt: every credential, token, refresh token and client secret against all that was printed or
    written."""
    world.write("[stack]\nname = 'all'\n", EZ, FLOOR, CX, TM, IDP, minimum=4000)
    world.ok("plan", "--out", "p.plan", "--markdown", "plan.md")
    world.ok("apply", "--auto-approve", "--json", code=3)
    authorize(world, "translations")
    world.ok("apply", "--auto-approve", "-v")
    world.ok("plan", "--json", "-v")
    for words in (["history", "--json"], ["state", "pull"], ["show"], ["show", "--json"], ["drift", "--json"]):
        world.ok(*words)
    world.run("plan", "-v", env={"EZ_PASSWORD": "wrong-" + world.environ["EZ_PASSWORD"]})
    printed = "\n".join(world.said)
    written = world.written()
    tokens = [entry["access_token"] for entry in json.loads(world.ok("output")).values()]
    assert len(tokens) == 6
    for secret in [*SECRETS, *tokens]:
        assert secret not in printed
        assert [name for name, data in written.items() if secret.encode() in data] == []
    assert all((world.folder / name).stat().st_mode & 0o777 == 0o600 for name in ("p.plan", "plan.md"))
