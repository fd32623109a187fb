"""`history` and `diff`: the record looked back at, some of it or two moments of it."""

from __future__ import annotations

import json
import os
import shutil
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from audit_world import DAY, NOW, Past

from provisioner.cli.main import main

FILE = """
[stack]
name = "messaging"
[providers.cx]
type = "smscx"
api_key = { env = "NEVER_SET" }
[applications.campaigns]
provider = "cx"
scopes = ["sms"]
"""


class Shell:
    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self._capsys = folder, capsys
        self.err = ""

    def run(self, *words: str, expect: int = 0) -> str:
        self._capsys.readouterr()
        code = main(list(words))
        found = self._capsys.readouterr()
        self.err = found.err
        assert code == expect, found.out + found.err
        return found.out

    def history(self, *words: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.run("history", "--json", *words).splitlines()]


@pytest.fixture
def shell(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Shell:
    """Four runs of two actors on four days."""
    past = Past(tmp_path, NOW - 400 * DAY)
    with past.run("apply", note="first"):
        past.application("application.campaigns")
        web = past.create('token.campaigns["web"]', life=9 * DAY)
        past.create('token.campaigns["worker"]')
        past.create("token.other")
    past.wait(DAY)
    with past.run("apply", actor="bob"):
        past.rotate(web)
    past.wait(DAY)
    past.edit("state rm", drop=(web.id,))
    past.wait(DAY)
    with past.run("apply", actor="bob"):
        past.floor("credits.ez", 5000)
    (tmp_path / "provisioner.toml").write_text(FILE)
    monkeypatch.chdir(tmp_path)
    return Shell(tmp_path, capsys)


def test_history_has_the_contract_s_members(shell: Shell) -> None:
    """All entries, oldest first, one object a line, serials without a gap."""
    rows = shell.history()
    assert set(rows[0]) == {"serial", "time", "actor", "run", "kind", "address", "summary", "hash"}
    assert [row["serial"] for row in rows] == list(range(1, len(rows) + 1))


def test_an_address_has_what_lies_below_it(shell: Shell) -> None:
    """Its own entries, and those of others that put or drop it: an edit names no address."""
    every = {row["address"] for row in shell.history("--address", "token.campaigns")}
    assert every == {'token.campaigns["web"]', 'token.campaigns["worker"]', None}
    web = shell.history("--address", 'token.campaigns["web"]')
    assert [row["kind"] for row in web] == ["intent", "outcome", "intent", "outcome", "edit"]
    both = shell.history("--address", "credits.ez", "--address", "token.other")
    assert len(both) == 4
    assert shell.history("--address", "token.nobody") == []
    shell.run("history", "--address", "nonsense", expect=4)


def test_a_run_and_an_actor_are_chosen(shell: Shell) -> None:
    """A run by the beginning of its id, which is its time."""
    runs = sorted({row["run"] for row in shell.history()})
    assert len(runs) == 4
    assert {row["run"] for row in shell.history("--run", runs[1])} == {runs[1]}
    assert {row["run"] for row in shell.history("--run", runs[1][:8])} == {runs[1]}
    assert {row["run"] for row in shell.history("--actor", "bob")} == {runs[1], runs[3]}
    assert shell.history("--actor", "carol") == []


def test_a_stretch_is_chosen_by_serial_or_time(shell: Shell) -> None:
    """Both ends belong to it; a duration is that long ago."""
    assert [row["serial"] for row in shell.history("--since", "3", "--until", "5")] == [3, 4, 5]
    days = sorted({row["time"][:10] for row in shell.history()})
    assert {row["time"][:10] for row in shell.history("--since", days[2])} == set(days[2:])
    assert {row["time"][:10] for row in shell.history("--until", f"{days[1]}T23:59:59Z")} == set(days[:2])
    assert shell.history("--since", "1d") == []
    assert len(shell.history("--since", "9000d")) == len(shell.history())
    shell.run("history", "--since", "yesterday", expect=4)


def test_the_text_says_who_and_why(shell: Shell) -> None:
    """The note of a run stands where it began."""
    assert "ann  lock: began apply (first)" in shell.run("history")
    assert "bob" in shell.run("history", "--actor", "bob")


def test_diff_of_two_moments(shell: Shell) -> None:
    """What was added, what changed, what is gone; secrets are null on both sides."""
    found = json.loads(shell.run("diff", "2", "9", "--json"))
    assert [change["address"] for change in found["changes"]] == [
        "application.campaigns", 'token.campaigns["web"]', 'token.campaigns["worker"]'
    ]  # fmt: skip
    assert {tuple(change["actions"]) for change in found["changes"]} == {("create",)}
    assert all(change["after"].get("access_token") is None for change in found["changes"])
    assert (found["from"]["serial"], found["to"]["serial"], found["same_lineage"]) == (2, 9, True)
    text = shell.run("diff", "12")
    assert '# token.campaigns["web"] (deposed object' not in text
    assert "# credits.ez was added" in text
    assert "between serial 12 and serial" in text


def test_diff_shows_what_changed_inside(shell: Shell, tmp_path: Path) -> None:
    """Old and new of each differing value."""
    serial = next(row["serial"] for row in shell.history() if row["kind"] == "outcome" and row["actor"] == "bob")
    text = shell.run("diff", str(serial - 1), str(serial))
    assert "was added" in text
    changed = text.split("deposed object")[1]
    assert '"live" -> "retiring"' in changed
    assert "generation" not in changed


def test_diff_calls_a_replacement_one(tmp_path: Path, shell: Shell) -> None:
    """Another object at the same address is the token replaced, not one gone and one added; a deposed one is its
    own."""
    past = Past(tmp_path / "elsewhere", NOW - 400 * DAY)
    first = past.create("token.texts")
    before = past.store.root.parent / "before"
    shutil.copytree(past.store.root, before)
    second, old = past.rotate(first)
    assert "# token.texts was replaced" not in shell.run("diff", str(before), str(past.store.root))
    past.revoke(old)
    text = shell.run("diff", str(before), str(past.store.root))
    assert "# token.texts was replaced" in text
    assert f'fingerprint = "{first.fingerprint}" -> "{second.fingerprint}"' in " ".join(text.split())
    assert "1 difference between" in text
    assert "1 replaced." in text
    (change,) = json.loads(shell.run("diff", str(before), str(past.store.root), "--json"))["changes"]
    assert change["actions"] == ["create", "delete"]
    assert change["before"]["fingerprint"] == first.fingerprint


def test_a_state_beside_the_file_is_found_from_here_and_from_there(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As `state migrate` reads it, relative to the desired-state file; or as the shell completes it."""
    monkeypatch.chdir(shell.folder.parent)
    file, location = shell.folder / "provisioner.toml", next(shell.folder.glob("state/*"))
    for side in (location.relative_to(shell.folder), location.relative_to(shell.folder.parent)):
        assert "No differences" in shell.run("-c", str(file), "diff", str(side))
    shell.run("-c", str(file), "diff", "state/nowhere", expect=4)


def test_diff_by_time_and_with_no_difference(shell: Shell) -> None:
    """A moment, or so long ago; equal states are exit 0 whatever was asked."""
    assert "No differences" in shell.run("diff", "1d", "--detailed-exitcode")
    assert "added" in shell.run("diff", "9000d", "--detailed-exitcode", expect=2)
    shell.run("diff", "9000d")


def test_diff_with_another_state(shell: Shell, tmp_path: Path) -> None:
    """Another location, a file that `state pull` wrote, and what is neither."""
    pulled = shell.folder / "old.json"
    pulled.write_text(shell.run("state", "pull"))
    assert "No differences" in shell.run("diff", str(pulled))
    past = Past(tmp_path / "elsewhere", NOW - 400 * DAY + timedelta(hours=1), first=900)
    past.create("token.elsewhere")
    found = shell.run("diff", str(past.store.root))
    assert "# token.elsewhere is gone" in found
    assert "# token.elsewhere is gone" in shell.run("diff", str(past.store.root), str(pulled))
    assert "# token.elsewhere was added" in shell.run("diff", str(pulled), str(past.store.root))
    pulled.write_text("{}")
    for nowhere in ("old.json", "nowhere", str(tmp_path)):
        shell.run("diff", nowhere, expect=4)
        assert nowhere in shell.err
    shell.run("diff", "4711", expect=4)


def test_show_at_a_moment_is_the_state_then(shell: Shell) -> None:
    """By serial and by time."""
    early = json.loads(shell.run("show", "--json", "--at", "2"))
    assert early["values"]["root_module"]["resources"] == []
    days = sorted({row["time"][:10] for row in shell.history()})
    then = json.loads(shell.run("show", "--json", "--at", f"{days[1]}T23:00:00Z"))
    now = json.loads(shell.run("show", "--json"))
    assert len(then["values"]["root_module"]["resources"]) == len(now["values"]["root_module"]["resources"])
    assert "credits.ez" not in json.dumps(then)


def test_who_ran_and_which_pipeline_is_recorded(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the CI's own variables; the note by `--note`."""
    monkeypatch.setenv("GITHUB_ACTOR", "octo")
    for name, value in (("SERVER_URL", "https://ci.example"), ("REPOSITORY", "a/b"), ("RUN_ID", "7")):
        monkeypatch.setenv(f"GITHUB_{name}", value)
    shell.run("state", "mv", "token.other", "token.elsewhere", "--note", "ticket 12")
    last = shell.history()[-3]
    assert (last["actor"], last["summary"]) == ("octo", "began state mv (ticket 12)")
    body = json.loads(Path("state/messaging/journal/00000001.jsonl").read_text().splitlines()[-3])["body"]
    assert body["ci_run_url"] == "https://ci.example/a/b/actions/runs/7"
    assert os.environ["GITHUB_ACTOR"] == "octo"
