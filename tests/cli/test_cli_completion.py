"""Completion in real shells: typed into an interactive bash, zsh and fish, with the Tab key pressed."""

from __future__ import annotations

import os
import pty
import re
import select
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from provisioner.cli import light

LINES = {
    "provisioner drif": "drift",
    "provisioner state mig": "migrate",
    "provisioner plan --detai": "--detailed-exitcode",
    "provisioner token x --format he": "header",
    "provisioner resolve op --as did": "did-not-happen",
    "provisioner completion zs": "zsh",
}
IN_BASH = {
    "provisioner plan -detai": "-detailed-exitcode",
    "provisioner -chdir somewhere pla": "plan",
    "provisioner --config plan state li": "list",
    "provisioner token x --format=he": "--format=header",
    "provisioner apply mon": "monday.tfplan",
    "provisioner plan --out mon": "monday.tfplan",
}
_START = {
    "bash": (["bash", "--norc", "--noprofile", "-i"], "bind 'set bell-style none'; source {script}"),
    "zsh": (
        ["zsh", "-f", "-i"],
        "PS1=; unsetopt zle_bracketed_paste; autoload -Uz compinit; compinit -u -D; source {script}",
    ),
}


def _read(terminal: int, until: re.Pattern[bytes], seconds: float) -> bytes:
    shown, end = b"", time.monotonic() + seconds
    while time.monotonic() < end and not until.search(shown):
        if select.select([terminal], [], [], 0.05)[0]:
            shown += os.read(terminal, 65536)
    return shown


def _typed(shell: str, line: str, wanted: str, folder: Path) -> str:
    """What stands at the prompt after the line and a Tab."""
    script = folder / "completion"
    script.write_text(light.completion(shell))
    words, begin = _START[shell]
    ours, theirs = pty.openpty()
    environ = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "ZDOTDIR": str(folder),
        "TERM": "dumb",
        "COLUMNS": "200",
    }
    with subprocess.Popen(
        words, stdin=theirs, stdout=theirs, stderr=theirs, cwd=folder, env=environ, start_new_session=True
    ) as child:
        os.close(theirs)
        os.write(ours, (begin.format(script=script) + "; echo BE''GIN\n").encode())
        _read(ours, re.compile(b"BEGIN"), 20)
        os.write(ours, line.encode() + b"\t")
        shown = _read(ours, re.compile(re.escape(wanted).encode() + rb"[ /]"), 5)
        child.kill()
    os.close(ours)
    return shown.decode(errors="replace")


@pytest.mark.parametrize(("line", "wanted"), [*LINES.items(), *IN_BASH.items()])
def test_bash_completes_what_is_typed(line: str, wanted: str, tmp_path: Path) -> None:
    """Commands, options with one dash and two, choices, files where files are meant; a value is taken for no
    command."""
    (tmp_path / "monday.tfplan").touch()
    assert f"{wanted} " in _typed("bash", line, wanted, tmp_path)


@pytest.mark.parametrize(("line", "wanted"), LINES.items())
def test_zsh_completes_what_is_typed(line: str, wanted: str, tmp_path: Path) -> None:
    """The same in zsh, sourced; where zsh is installed."""
    if shutil.which("zsh") is None:
        pytest.skip("zsh is not installed")
    assert f"{wanted} " in _typed("zsh", line, wanted, tmp_path)


@pytest.mark.parametrize(("line", "wanted"), LINES.items())
def test_fish_completes_what_is_typed(line: str, wanted: str, tmp_path: Path) -> None:
    """fish answers what it would offer; where fish is installed."""
    if shutil.which("fish") is None:
        pytest.skip("fish is not installed")
    script = tmp_path / "provisioner.fish"
    script.write_text(light.completion("fish"))
    ask = f"source {script}; complete -C '{line}'"
    environ = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    ended = subprocess.run(["fish", "-c", ask], capture_output=True, text=True, env=environ, check=True)
    assert [offered.split("\t")[0] for offered in ended.stdout.splitlines()] == [wanted]
