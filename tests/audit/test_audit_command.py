"""`audit` as it is typed, on states that real applies at the embedded vendors wrote."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import stat
from pathlib import Path
from typing import Any

import pytest

from provisioner.cli.main import main

STACK = """
[stack]
name = "messaging"

[providers.ez]
type = "eztexting"
base_url = "sandbox"

[providers.cx]
type = "smscx"
base_url = "sandbox"

[applications.texts]
provider = "ez"

[applications.campaigns]
provider = "cx"
name = "Campaign sender"
scopes = ["sms", "groups"]
token_lifetime = "1d"

[credits.ez]
provider = "ez"
minimum = 4000
pack = 500
max_per_apply = 3000
"""


class Shell:
    """The command line in a folder of its own, in this process."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self._capsys, self._monkeypatch = folder, capsys, monkeypatch
        self.err = ""

    def run(self, *words: str, expect: int = 0, stdin: str | bytes = "") -> str:
        self._capsys.readouterr()
        self._monkeypatch.setattr(
            "sys.stdin", io.TextIOWrapper(io.BytesIO(stdin if isinstance(stdin, bytes) else stdin.encode()))
        )
        code = main(list(words))
        found = self._capsys.readouterr()
        self.err = found.err
        assert code == expect, found.out + found.err
        return found.out

    def json(self, *words: str, expect: int = 0, stdin: str | bytes = "") -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.run(*words, "--json", expect=expect, stdin=stdin))
        return found

    @property
    def journal(self) -> Path:
        return self.folder / "state/messaging/journal/00000001.jsonl"


@pytest.fixture(scope="module")
def applied(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A folder where a stack was applied once, and the home of who applied it."""
    folder, home = tmp_path_factory.mktemp("applied"), tmp_path_factory.mktemp("home")
    (folder / "provisioner.toml").write_text(STACK)
    with pytest.MonkeyPatch.context() as patch:
        _at_home(patch, home)
        patch.chdir(folder)
        assert main(["apply", "--auto-approve", "--note", "first"]) == 0
    return folder, home


def _at_home(patch: pytest.MonkeyPatch, home: Path) -> None:
    for name in ("CI", "GITHUB_STEP_SUMMARY"):
        patch.delenv(name, raising=False)
    patch.setenv("HOME", str(home))
    patch.setenv("USER", "ann")
    for name in ("CONFIG", "STATE", "DATA", "CACHE"):
        patch.setenv(f"XDG_{name}_HOME", str(home / name))


@pytest.fixture
def shell(
    applied: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Shell:
    """A copy of it for each test, with a copy of what its machine remembers."""
    folder, home = tmp_path / "stack", tmp_path / "home"
    shutil.copytree(applied[0], folder)
    shutil.copytree(applied[1], home)
    _at_home(monkeypatch, home)
    monkeypatch.chdir(folder)
    return Shell(folder, capsys, monkeypatch)


def test_a_fresh_apply_has_no_findings(shell: Shell) -> None:
    """Exit 0, with every secret unset and no key that could read."""
    shutil.rmtree(Path(os.environ["XDG_CONFIG_HOME"]))
    found = shell.json("audit")
    assert (found["verified"], found["findings"], found["format_version"]) == (True, [], "1.0")
    assert "No findings." in shell.run("audit")


def test_findings_are_exit_2(shell: Shell) -> None:
    """Each of whatever severity; a note alone is one too."""
    shell.run("state", "mv", "token.texts", "token.words")
    found = shell.json("audit", expect=2)
    assert {f["rule_id"] for f in found["findings"]} == {"token-orphaned", "edit-by-hand"}
    policy = shell.folder / "audit.toml"
    policy.write_text(
        '[severity]\nedit-by-hand = "note"\n'
        '[[silence]]\nrule = "token-orphaned"\nuntil = 2999-01-01\nreason = "moves back"\n'
    )
    found = shell.json("audit", "--policy", "audit.toml", expect=2)
    assert [f["severity"] for f in found["findings"]] == ["note"]
    policy.write_text(f'[reviewed]\nhead = "{found["head"]}"')
    assert [f["rule_id"] for f in shell.json("audit", "--policy", "audit.toml", expect=2)["findings"]] == [
        "token-orphaned"
    ]
    policy.write_text(f'[reviewed]\nhead = "{"0" * 64}"')
    shell.run("audit", "--policy", "audit.toml", expect=7)
    policy.write_text("[sverity]")
    shell.run("audit", "--policy", "audit.toml", expect=4)
    assert "Did you mean severity?" in shell.err


def test_a_change_of_any_byte_of_any_entry_is_found_and_named(shell: Shell) -> None:
    """Each entry of a real journal, at its beginning, inside each member, at its end; by segment, line and exit 7."""
    good = shell.journal.read_bytes()
    lines = good.splitlines(keepends=True)
    assert len(lines) >= 12
    start = 0
    for number, line in enumerate(lines, 1):
        marks = {0, len(line) // 2, len(line) - 2} | {match.end() + 1 for match in re.finditer(rb'":', line)}
        for offset in sorted(mark for mark in marks if mark < len(line) - 1):
            bad = bytearray(good)
            bad[start + offset] ^= 0x01
            shell.journal.write_bytes(bytes(bad))
            found = shell.json("audit", expect=7)
            assert found["verified"] is False
            first = found["findings"][0]
            assert first["rule_id"] in ("state-damaged", "state-newer-format")
            assert f"segment 00000001, line {number} " in first["message"], (number, offset, first)
            assert found["serial"] == number - 1
        start += len(line)
    shell.journal.write_bytes(good)
    assert shell.json("audit")["verified"] is True


@pytest.mark.parametrize("how", ["dropped", "doubled", "swapped", "cut"])
def test_an_entry_cannot_go_come_twice_or_change_its_place(shell: Shell, how: str) -> None:
    """The chain breaks there; an end that was cut off is a rollback on the machine that saw it."""
    lines = shell.journal.read_bytes().splitlines(keepends=True)
    changed = {
        "dropped": [*lines[:4], *lines[5:]],
        "doubled": [*lines[:5], *lines[4:]],
        "swapped": [*lines[:4], lines[5], lines[4], *lines[6:]],
        "cut": lines[:-2],
    }[how]
    shell.journal.write_bytes(b"".join(changed))
    found = shell.json("audit", expect=7)
    assert found["findings"][0]["rule_id"] == ("state-rolled-back" if how == "cut" else "state-damaged")


def test_what_the_machine_remembers_spares_no_entry(shell: Shell) -> None:
    """A segment that was verified before, and whose file looks untouched, is hashed all the same."""
    store = shell.folder / "state/messaging"
    for _ in range(110):
        shell.run("state", "mv", "token.texts", "token.words")
        shell.run("state", "mv", "token.words", "token.texts")
        if len(list((store / "journal").glob("*.jsonl"))) > 1:
            break
    shell.run("audit", expect=2)
    seen = shell.journal.stat()
    data = bytearray(shell.journal.read_bytes())
    data[data.index(b'"actor":"ann"') + 10] ^= 0x01
    with shell.journal.open("r+b") as file:
        file.write(data)
    os.utime(shell.journal, ns=(seen.st_atime_ns, seen.st_mtime_ns))
    assert "segment 00000001, line 1 " in shell.json("audit", expect=7)["findings"][0]["message"]


def test_a_damaged_data_key_is_found_and_named(shell: Shell) -> None:
    """It is a part of the state; a deleted one is a finding, because that is how a value is shredded."""
    key = next((shell.folder / "state/messaging/keys").glob("*.json"))
    good = key.read_bytes()
    key.write_bytes(good.replace(b"AGE ENCRYPTED", b"AGE ENCRYPTEE"))
    found = shell.json("audit", expect=7)
    assert key.stem in found["findings"][0]["message"]
    key.unlink()
    assert {f["rule_id"] for f in shell.json("audit", expect=2)["findings"]} == {"token-value-shredded"}


def test_the_expected_head_is_compared(shell: Shell) -> None:
    """Exactly, or as an ancestor; else exit 7, with the reports all the same."""
    first = shell.json("audit")["head"]
    shell.run("audit", "--expect-head", first)
    shell.run("audit", "--expect-ancestor", first.upper())
    shell.run("state", "mv", "token.texts", "token.words")
    shell.run("audit", "--expect-ancestor", first, expect=2)
    found = shell.json("audit", "--expect-head", first, "--junit", "audit.xml", expect=7)
    assert (found["verified"], found["findings"][0]["rule_id"]) == (False, "head-unexpected")
    assert "E0408 head-unexpected" in shell.err
    assert "head-unexpected" in (shell.folder / "audit.xml").read_text()
    shell.run("audit", "--expect-ancestor", "0" * 64, expect=7)
    for nothing in ("nonsense", "", first[:12]):
        shell.run("audit", "--expect-head", nothing, expect=7)
        assert f"'{nothing}' was expected, which is no entry's hash" in shell.err


def test_every_apply_prints_the_head(shell: Shell) -> None:
    """In text and in the stream's last line: the very one that an audit compares with."""
    out = shell.run("apply", "--auto-approve", "--replace", "token.texts")
    match = re.search(r"The head of the recorded state is ([0-9a-f]{64}) \(serial \d+\)\.", out)
    assert match is not None
    shell.run("audit", "--expect-head", match[1])
    last = json.loads(shell.run("apply", "--auto-approve", "--json").splitlines()[-1])
    assert (last["type"], last["head"]) == ("change_summary", match[1])


def test_a_leaked_token_is_found_through_its_life(shell: Shell) -> None:
    """Alive, then revoked by a rotation; with what people paste around it; a stranger's is not."""
    token = shell.run("token", "token.texts").strip()
    found = shell.json("audit", "--find-token", "-", stdin=token + "\n", expect=2)
    assert (found["found"], found["address"], found["kind"], found["status"], found["ended_at"]) == (
        True, "token.texts", "access_token", "live", None
    )  # fmt: skip
    shell.run("apply", "--auto-approve", "--replace", "token.texts")
    around = (token, f"Authorization: Bearer {token}\r\n", f'  "{token}",\n', f'export TOKEN_TEXTS="{token}"\n')
    marked = tuple(f"\ufeff{token}\r\n".encode(encoding) for encoding in ("utf-8", "utf-16-le", "utf-16-be"))
    for pasted in around + marked:  # a byte order mark: as PowerShell and Notepad save what is piped into a file
        found = shell.json("audit", "--find-token", "-", stdin=pasted, expect=2)
        assert found["status"] == "revoked"
        assert found["issued_at"] < found["ended_at"]
    assert "token.texts: revoked" in shell.run("audit", "--find-token", "-", stdin=token, expect=2)
    found = shell.json("audit", "--find-token", "-", stdin="0123456789abcdef")
    assert (found["found"], found["address"], found["status"]) == (False, None, None)


@pytest.mark.parametrize("nothing", ["", "\n", "  \n\n"])
def test_no_secret_is_no_answer(shell: Shell, nothing: str) -> None:
    """A pipe whose first half failed must not read as "never ours"."""
    shell.run("audit", "--find-token", "-", expect=4, stdin=nothing)
    assert "Nothing came on standard input" in shell.err


@pytest.mark.parametrize("odd", [b"\xff\xfe\xfa", b"\xc0\xc1", b"t\0o\0k\0e\0n\0", b"one\ntwo\n"])
def test_what_is_not_one_secret_is_no_answer(shell: Shell, odd: bytes) -> None:
    """Bytes that are no text, or several lines: "none of ours" would be said of what nobody looked for."""
    shell.run("audit", "--find-token", "-", expect=4, stdin=odd)
    assert "on standard input" in shell.err


def test_a_secret_is_never_an_argument(shell: Shell) -> None:
    """Exit 4, and it is not repeated."""
    shell.run("audit", "--find-token", "e2acce55deadbeef", expect=4)
    assert "deadbeef" not in shell.err


def test_reports_are_private_files(shell: Shell) -> None:
    """All at once, mode 0600; one of them on standard output, alone there."""
    shell.run("audit", "--sarif", "a.sarif", "--junit", "a.xml", "--html", "a.html", "--markdown", "a.md")
    for name in ("a.sarif", "a.xml", "a.html", "a.md"):
        path = shell.folder / name
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert path.stat().st_size > 100
    assert json.loads(shell.run("audit", "--sarif", "-"))["version"] == "2.1.0"
    shell.run("audit", "--sarif", "-", "--json", expect=4)
    shell.run("audit", "--html", "nowhere/a.html", expect=4)


def test_a_job_summary_is_written_by_itself(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a pipeline has one."""
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(shell.folder / "summary.md"))
    shell.run("audit")
    assert "## Audit of messaging" in (shell.folder / "summary.md").read_text()


def test_a_state_is_audited_without_its_file(shell: Shell) -> None:
    """What needs the file is skipped and said; a place with nothing there is exit 4."""
    (shell.folder / "provisioner.toml").unlink()
    shell.run("audit", expect=4)
    found = shell.json("audit", "--state", "state/messaging")
    assert (found["verified"], found["stack"]) == (True, "messaging")
    assert "application-undeclared" in found["summary"]["skipped_rules"]
    assert "did not run" in shell.run("audit", "--state", "state/messaging")
    shell.run("audit", "--state", "nowhere", expect=4)
    shell.run("audit", "--state", "postgresql://db.invalid/x", expect=4)


def test_the_future_can_be_judged(shell: Shell) -> None:
    """What will have expired by then."""
    found = shell.json("audit", "--at", "+30d", expect=2)
    assert {f["rule_id"] for f in found["findings"]} == {"token-expired"}
    assert shell.json("audit")["findings"] == []


def test_nothing_secret_leaves_by_an_audit(shell: Shell) -> None:
    """The values themselves, from the vendors' own hands, in no report and no message."""
    secrets = [shell.run("token", address).strip() for address in ("token.texts", "token.campaigns")]
    shell.run("state", "mv", "token.texts", "token.words")
    shell.run(
        "audit", "-v", "--json", "--sarif", "a.sarif", "--junit", "a.xml", "--html", "a.html", "--markdown", "a.md",
        expect=2,
    )  # fmt: skip
    texts = [(shell.folder / name).read_text() for name in ("a.sarif", "a.xml", "a.html", "a.md")]
    texts += [shell.run("audit", "--json", expect=2), shell.run("history"), shell.run("diff", "3"), shell.err]
    assert all(len(value) > 10 for value in secrets)
    assert not [value for value in secrets for text in texts if value in text]
