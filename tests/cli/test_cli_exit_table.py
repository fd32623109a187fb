"""Rows of the contract's table of exit codes that need a vendor's or a person's part; test_cli_exit_codes.py has the
others.

Each run is told by its stream too: what the code says, the results and diagnostics must say."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from cli_world import CX, EZ, FLOOR, IDP, ROOT, TM, World, lines

from provisioner.codes import CODES, RETIRED
from provisioner.sandbox.accounts import ACCOUNTS

ADOPTED = (
    IDP[: IDP.index("[token_policies")]
    + f"""
[applications.reader]
provider = "idp"
client_id = "{ACCOUNTS["oauth2"]["client_id"]}"
client_secret = {{{{ env = "IDP_CLIENT_SECRET" }}}}
"""
)
ONE = IDP.replace('"eu", "us"', '"eu"')
EXIT_DOCS = ROOT / "docs" / "diagnostics.md"


def codes(stream: str) -> set[str]:
    return {line["diagnostic"]["code"] for line in lines(stream) if line["type"] == "diagnostic"}


def results(stream: str) -> dict[str, str]:
    found: dict[str, str] = lines(stream)[-1]["results"]
    return found


def test_a_step_that_a_vendor_refuses_is_1_and_the_rest_goes_on(world: World) -> None:
    """invalid_scope for one application; the other's token is there, and the next apply asks for the refused one
    alone."""
    world.control("switches", **{"oauth2.unknown_scope": "refused"})
    world.write("[stack]\nname = 'x'\n", ADOPTED + 'scopes = ["no:such-scope"]\n', EZ)
    world.environ["IDP_CLIENT_SECRET"] = ACCOUNTS["oauth2"]["client_secret"]
    stream = world.ok("apply", "--auto-approve", "--json", code=1)
    assert {"token.texts": "done"}.items() <= results(stream).items()
    assert "failed" in results(stream).values()
    assert "Apply incomplete." in lines(stream)[-1]["@message"]
    assert "E0504" in codes(stream)
    assert "1 step failed" in world.ok("apply", "--auto-approve", code=1)


def test_changes_are_2_only_where_they_were_asked_for(world: World) -> None:
    """plan and drift without --detailed-exitcode are 0; `audit` counts its findings by itself."""
    world.write("[stack]\nname = 'x'\n", EZ, FLOOR, minimum=2000)
    world.ok("plan")
    world.ok("plan", "--detailed-exitcode", code=2)
    world.ok("apply", "--auto-approve")
    world.ok("plan", "--detailed-exitcode")
    world.control("panel", vendor="eztexting", action="set_credits", plan=0, anytime=1)
    world.ok("drift")
    world.ok("drift", "--detailed-exitcode", code=2)
    world.ok("refresh")
    assert world.run("audit").returncode == 2


@pytest.mark.slow
def test_a_purchase_in_doubt_is_3_until_somebody_decides(world: World) -> None:
    """Nothing more is bought; `plan` says so and is 0; `resolve` settles it."""
    world.write("[stack]\nname = 'x'\n", EZ, FLOOR, minimum=4000)
    world.control("faults", vendor="eztexting", path="purchase", kind="reset", times=1)
    stream = world.ok("apply", "--auto-approve", "--json", code=3)
    assert results(stream)["credits.ez"] == "in_doubt"
    assert "E0703" in codes(stream)
    operation = world.state()["in_doubt"][0]["operation"]
    assert "E0605" in world.ok("plan", "-no-color")
    world.ok("apply", "--auto-approve", code=3)
    assert world.ledger()["purchases"] == []
    world.ok("resolve", operation, "--as", "did-not-happen")
    world.ok("apply", "--auto-approve")
    assert [purchase["credits"] for purchase in world.ledger()["purchases"]] == [1500]


def test_a_floor_that_stays_unmet_is_3_or_a_warning(world: World) -> None:
    """By a guard, or because the vendor sells none by API; `on_shortfall = "warn"` makes either 0."""
    sells = EZ[: EZ.index("[applications")] + FLOOR.replace("max_per_apply = 3000", "max_per_apply = 500")
    world.write("[stack]\nname = 'x'\n", sells, minimum=9000)
    assert "E0706" in codes(world.ok("apply", "--auto-approve", "--json", code=3))
    world.write("[stack]\nname = 'x'\n", sells + 'on_shortfall = "warn"\n', minimum=9000)
    assert "W0304" in codes(world.ok("apply", "--auto-approve", "--json"))
    money = '[credits.cx]\nprovider = "cx"\nminimum = "99999.00"\n'
    panel = CX[: CX.index("[applications")]
    world.write("[stack]\nname = 'x'\n", panel, money)
    assert results(world.ok("apply", "--auto-approve", "--json", code=3)) == {
        "credits.ez": "done",
        "credits.cx": "handoff",
    }
    world.write("[stack]\nname = 'x'\n", panel, money + 'on_shortfall = "warn"\n')
    world.ok("apply", "--auto-approve")


def test_nobody_at_the_consent_page_is_3(world: World) -> None:
    """The deadline passes; nothing was issued, and the next apply still waits for a person."""
    world.write("[stack]\nname = 'x'\n", TM)
    world.ok("apply", "--auto-approve", code=3)
    words = [sys.executable, "-m", "provisioner", "authorize", "translations", "--no-browser", "--timeout", "1s"]
    pipe = subprocess.PIPE
    with subprocess.Popen(
        words, cwd=world.folder, env=world.environ, text=True, stdin=pipe, stdout=pipe, stderr=pipe
    ) as child:
        assert child.wait(timeout=30) == 3
        assert child.stderr is not None
        assert "E0710" in child.stderr.read()
    world.ok("apply", "--auto-approve", code=3)


def test_fewer_scopes_than_declared_are_3_once_and_a_warning_ever_after(world: World) -> None:
    """The token is kept and recorded with what was granted."""
    world.control("switches", **{"oauth2.unknown_scope": "dropped"})
    world.write("[stack]\nname = 'x'\n", ADOPTED + 'scopes = ["credits:read", "no:such-scope"]\n')
    world.environ["IDP_CLIENT_SECRET"] = ACCOUNTS["oauth2"]["client_secret"]
    stream = world.ok("apply", "--auto-approve", "--json", code=3)
    assert "E0707" in codes(stream)
    assert world.values("token.reader")["scopes"] == ["credits:read"]
    out = world.ok("plan", "--detailed-exitcode", "-no-color")
    assert "W0302" in out
    world.ok("apply", "--auto-approve")


def test_a_rotated_token_without_a_revoke_is_0_with_a_note(world: World) -> None:
    """It stays `retiring` until it expires; nobody is asked to do anything."""
    world.write("[stack]\nname = 'x'\n", CX)
    world.ok("apply", "--auto-approve")
    stream = world.ok("apply", "--auto-approve", "--json", "--replace", 'token.campaigns["web"]')
    assert "W0306" in codes(stream)
    old = [r for r in world.state()["values"]["root_module"]["resources"] if r.get("deposed")]
    assert [r["values"]["status"] for r in old] == ["retiring"]
    assert "No changes." in world.ok("plan", "--detailed-exitcode")


class _Impostor(BaseHTTPRequestHandler):
    """Metadata of somebody else's server."""

    def do_GET(self) -> None:
        body = json.dumps({"issuer": "https://elsewhere.example", "token_endpoint": "https://elsewhere.example/token"})
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base class names it so
        """Quiet."""


def test_a_server_that_names_another_issuer_is_8(world: World) -> None:
    """Nothing is sent to it: no registration, no credentials."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Impostor) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        world.write("[stack]\nname = 'x'\n", ONE.replace("{base}/oauth2", f"http://127.0.0.1:{server.server_port}"))
        ended = world.run("plan")
        server.shutdown()
    assert (ended.returncode, "E0506" in ended.stderr) == (8, True), ended.stderr


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_state_that_cannot_be_written_is_1(world: World) -> None:
    """Before anything is sent: 1, nothing at the vendor."""
    world.write("[stack]\nname = 'x'\n", EZ)
    (world.folder / "state").mkdir(mode=0o500)
    world.ok("apply", "--auto-approve", code=1)
    assert world.ledger()["entries"] == []


def test_a_state_whose_place_is_taken_is_1(world: World) -> None:
    """A file where its directory belongs: no store, so nothing is sent."""
    world.write("[stack]\nname = 'x'\n", EZ, "[state]\nlocation = 'taken/state'\n")
    (world.folder / "taken").write_text("a file")
    ended = world.run("apply", "--auto-approve")
    assert (ended.returncode, "E0406" in ended.stderr) == (1, True), ended.stderr
    assert world.ledger()["entries"] == []


def test_an_older_copy_put_back_is_7_until_it_is_accepted(world: World) -> None:
    """And accepting it is recorded."""
    world.write("[stack]\nname = 'x'\n", EZ)
    world.ok("apply", "--auto-approve")
    kept = {p: p.read_bytes() for p in (world.folder / "state").rglob("*") if p.is_file()}
    world.ok("apply", "--auto-approve", "--replace", "token.texts")
    for path in [p for p in (world.folder / "state").rglob("*") if p.is_file()]:
        path.unlink()
    for path, data in kept.items():
        path.write_bytes(data)
    for words in (["plan"], ["show"], ["token", "texts"], ["audit"], ["state", "list"]):
        ended = world.run(*words)
        assert (ended.returncode, "E0402" in ended.stderr + ended.stdout) == (7, True), words
    world.ok("plan", "--accept-rollback")
    world.ok("apply", "--auto-approve", "--accept-rollback")
    assert "rollback-accepted" in {row["kind"] for row in lines(world.ok("history", "--json"))}
    world.ok("plan")


def test_an_older_copy_is_accepted_once(world: World) -> None:
    """Where nothing differs the acceptance is recorded all the same: else every later command refused it again."""
    world.write("[stack]\nname = 'x'\n", CX)
    world.ok("apply", "--auto-approve")
    state, kept = world.folder / "state" / "x", world.folder / "kept"
    shutil.copytree(state, kept)
    world.ok("state", "mv", 'token.campaigns["web"]', 'token.campaigns["site"]')
    shutil.rmtree(state)
    shutil.copytree(kept, state)
    assert "No changes." in world.ok("apply", "--auto-approve", "--accept-rollback")
    assert [row["kind"] for row in lines(world.ok("history", "--json"))][-3:] == ["rollback-accepted", "lock", "unlock"]
    assert "No changes." in world.ok("plan")


def test_each_code_of_the_table_is_a_codes_page_too() -> None:
    """docs/diagnostics.md lists every diagnostic with cause and remedy, and no other; nothing is listed twice."""
    rows = re.findall(r"(?m)^\| ([EW]\d{4}) \| `([a-z-]+)` \| (.+?) \| (.+?) \| (.+?) \|$", EXIT_DOCS.read_text())
    known = [(found.code, name, found.meaning) for table in (CODES, RETIRED) for name, found in table.items()]
    assert sorted((code, name, meaning) for code, name, meaning, _, _ in rows) == sorted(known)
    assert len({code for code, _, _ in known}) == len({name for _, name, _ in known}) == len(known)
    assert all(len(cause) > 15 and len(remedy) > 6 for _, _, _, cause, remedy in rows)


def test_every_code_is_raised_somewhere() -> None:
    """A diagnostic that no line of the program can print explains nothing to anybody; one that is retired is printed by
    none."""
    sources = [path for path in Path(ROOT / "provisioner").rglob("*.py") if path.name != "codes.py"]
    text = "\n".join(path.read_text() for path in sources)
    assert [name for name in CODES if f'"{name}"' not in text] == []
    assert [name for name in RETIRED if f'"{name}"' in text] == []
