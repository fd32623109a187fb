"""Slips of the hand, and flags that would do nothing: each is told at once, and none looks like `No changes.`"""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from cli_world import CX, EZ, FLOOR, World, lines


@pytest.fixture
def applied(world: World) -> World:
    world.write("[stack]\nname = 's'\n", EZ, CX, FLOOR, minimum=2000)
    world.ok("apply", "--auto-approve")
    return world


SLIPS = (
    ("plan -out=.", "E0001"),
    ("plan -out=", "E0001"),
    ("plan -markdown=.", "E0001"),
    ("state backup .", "E0001"),
    ("audit -html .", "E0001"),
    ("plan -replace=credits.ez", "E0109"),
    ("plan -replace=application.campaigns", "--replace='token.campaigns'"),
    ("plan -replace=token.campaigns", """--replace='token.campaigns["web"]'"""),
    ("plan -replace=application.texts", "Did you mean token.texts?"),
    ("plan -target=application.texts", "Did you mean token.texts?"),
    ("plan -target=token.campaigns[web]", """write 'token.campaigns["web"]'"""),
    ("plan -destroy -replace=token.texts", "--replace cannot be used with --destroy"),
    ("plan -refresh-only -target=token.texts", "--target cannot be used with --refresh-only"),
    ("refresh -destroy", "cannot be used together"),
    ("destroy -refresh-only -auto-approve", "cannot be used together"),
    ("refresh -refresh=false", "leave nothing to do"),
    ("refresh -exclude=token.texts", "--exclude cannot be used with --refresh-only"),
    ("show token.texts", "`provisioner state show 'token.texts'`"),
    ("import -generate-config-out=g.toml application.x 5a4db0c5c11e47a1d6f0b9e3c27485a1600d9e2f", "E0108"),
)


def test_a_slip_is_4_and_says_what_to_type(applied: World) -> None:
    """A folder or nothing where a file is named, a flag that this mode or this address would ignore, lost quotes."""
    for words, said in SLIPS:
        ended = applied.run(*words.split())
        told = ended.stderr + ended.stdout
        assert (ended.returncode, said in " ".join(told.split())) == (4, True), f"{words}\n{told}"
        assert "Traceback" not in told


def test_no_option_is_suggested_for_its_dashes_alone(world: World) -> None:
    """`--target` of a command that has none is not `--var`."""
    world.write("[stack]\nname = 's'\n", EZ)
    assert "Did you mean" not in world.run("drift", "-target=token.texts").stderr


def test_a_view_that_fails_is_no_traceback_either(applied: World) -> None:
    """The telling of a fault failed: one line with a code, and 1."""
    (applied.folder / "sitecustomize.py").write_text(
        "import provisioner.cli.failures as f\n"
        "def broken(*a, **k):\n    raise RuntimeError('while telling')\n"
        "f.report = broken\n"
    )
    path = f"{applied.folder}{os.pathsep}{applied.environ['PYTHONPATH']}"
    ended = applied.run("plan", "-target=token.no", env={"PYTHONPATH": path})
    assert (ended.returncode, ended.stderr.startswith("Error: E0099 internal: ")) == (1, True), ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_refresh_only_plan_tells_what_it_records(applied: World) -> None:
    """2 with --detailed-exitcode where something differs, as in Terraform; applyable; 0 and `No changes.` once it is
    recorded."""
    client = applied.values("application.campaigns")["client_id"]
    applied.control("panel", vendor="smscx", action="edit_application", client_id=client, scopes="sms")
    out = applied.ok("plan", "-refresh-only", "-detailed-exitcode", "-out=r.plan", code=2)
    assert (
        "Nothing will be changed at the providers; 1 difference will be recorded." in out,
        "No changes." in out,
    ) == (
        True,
        False,
    )
    assert json.loads(applied.ok("show", "-json", "r.plan"))["applyable"] is True
    applied.ok("apply", "r.plan")
    assert "No changes." in applied.ok("plan", "-refresh-only", "-detailed-exitcode")


def test_what_was_generated_is_not_in_this_plan_and_that_is_said(world: World) -> None:
    """An import block whose TOML was just written; once all is declared there is nothing to write."""
    world.write("[stack]\nname = 's'\n", CX[: CX.index("[applications")])
    file = world.folder / "provisioner.toml"
    block = '[[import]]\nto = "application.reports"\nid = "5a4db0c5c11e47b2a83c5d7e90f1624b3d8e07c5"\n'
    file.write_text(file.read_text() + block)
    assert "This plan does not import application.reports yet" in world.ok("plan", "-generate-config-out=g.toml")
    file.write_text(file.read_text().replace("name = 's'", "name = 's'\ninclude = ['g.toml']"))
    assert "application.reports will be imported" in world.ok("plan")
    out = world.ok("plan", "-generate-config-out=more.toml")
    assert ("Nothing to write" in out, (world.folder / "more.toml").exists()) == (True, False)


def test_a_wait_for_the_lock_is_told(applied: World) -> None:
    """To people and in the stream, where --lock-timeout makes it a wait; and it goes on once the lock is free."""
    code = (
        "import os, sys; from pathlib import Path; from provisioner import times\n"
        "from provisioner.journal.locks import take_lock; from provisioner.journal.run import run_info\n"
        "from provisioner.journal.stores.directory import DirectoryStore\n"
        "held = take_lock(DirectoryStore(Path('state/s')), run_info('apply', os.environ, times.now()))\n"
        "sys.stdout.write('held\\n'); sys.stdout.flush(); sys.stdin.read(); held.release()"
    )
    pipe = subprocess.PIPE
    with subprocess.Popen(
        [sys.executable, "-c", code], cwd=applied.folder, env=applied.environ, stdin=pipe, stdout=pipe, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdin is not None
        holder.stdout.readline()
        with subprocess.Popen(
            [sys.executable, "-m", "provisioner", "plan", "--json", "-lock-timeout=50s"],
            cwd=applied.folder,
            env=applied.environ,
            stdout=pipe,
            text=True,
        ) as waiter:
            assert waiter.stdout is not None
            waiter.stdout.readline()  # version
            told = json.loads(waiter.stdout.readline())["diagnostic"]
            holder.stdin.close()
            rest = lines(waiter.stdout.read())
    assert (told["code"], told["severity"]) == ("W0408", "note")
    assert "tester" in told["detail"]
    assert (waiter.returncode, rest[-1]["type"]) == (0, "change_summary")


def test_every_start_has_its_end(applied: World) -> None:
    """What only records, as a secret that was reset in the panel, is neither told as begun nor left without an end."""
    client = applied.values("application.campaigns")["client_id"]
    applied.control("panel", vendor="smscx", action="reset_secret", client_id=client)
    found = lines(applied.ok("apply", "-json", "-auto-approve", "-replace=token.texts"))
    starts = sorted(line["hook"]["resource"]["addr"] for line in found if line["type"] == "apply_start")
    ends = sorted(line["hook"]["resource"]["addr"] for line in found if line["type"] == "apply_complete")
    assert "token.texts" in starts
    assert starts == ends
    assert "application.campaigns" not in starts


def test_an_import_is_streamed_where_json_is_asked_for(world: World) -> None:
    """As an apply of one step: its plan's summary, its start, its end; a second one ends with a summary, too."""
    world.write("[stack]\nname = 's'\n", CX)
    words = ("import", "--json", "application.campaigns", "5a4db0c5c11e47a1d6f0b9e3c27485a1600d9e2f")
    found = lines(world.ok(*words))
    kinds = [
        "version",
        "planned_change",
        "change_summary",
        "apply_start",
        "apply_complete",
        "outputs",
        "change_summary",
    ]
    assert [line["type"] for line in found if line["type"] != "diagnostic"] == kinds
    assert found[-1]["changes"]["import"] == 1
    again = lines(world.ok(*words, code=4))
    assert [line["type"] for line in again] == ["version", "diagnostic", "change_summary"]
    assert lines(world.ok("import", "-json", "application.x", code=4))[-1]["type"] == "change_summary"


def test_state_list_takes_a_whole_table(applied: World) -> None:
    """As Terraform's does: an address without its keys lists every instance."""
    both = 'token.campaigns["web"]\ntoken.campaigns["worker"]\n'
    assert applied.ok("state", "list", "token.campaigns") == both
    assert applied.ok("state", "list", 'token.campaigns["web"]') == both.splitlines()[0] + "\n"


def test_v_alone_is_the_version_as_in_terraform(world: World) -> None:
    """With a command it tells more; alone it asks which version this is."""
    assert world.ok("-v") == world.ok("--version")
