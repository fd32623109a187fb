"""Start-up is a feature: what needs nothing loads nothing."""

from __future__ import annotations

import subprocess
import sys

import pytest
from cli_world import ROOT, World

from provisioner.cli import completion, light
from provisioner.cli.light import SHELLS

HEAVY = ("pydantic", "httpx", "deepdiff", "cryptography", "pyrage", "sqlite3", "http", "asyncio", "unittest", "ssl")
LIGHT = ("dataclasses", "typing", "json", "shutil", "logging", "tomllib", "tomli", "pathlib", "hashlib", "inspect")


def loaded(*words: str) -> set[str]:
    """The modules that a command has imported when it ends."""
    code = (
        "import sys, runpy; sys.argv = ['provisioner', *sys.argv[1:]]; keep = sys.stdout\n"
        "import os; sys.stdout = open(os.devnull, 'w')\n"
        "from provisioner.cli.main import main; main(sys.argv[1:])\n"
        "keep.write('\\n'.join(sys.modules))"
    )
    ended = subprocess.run(
        [sys.executable, "-S", "-c", code, *words], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return {name.split(".")[0] for name in ended.stdout.splitlines()}


@pytest.mark.parametrize("words", [("-h",), ("version",), ("completion", "bash"), ("plan", "-h"), ("state", "-h")])
def test_help_and_versions_import_nothing_heavy(words: tuple[str, ...]) -> None:
    """Nor what would cost a tenth of the start-up each, though it is the standard library's."""
    # runpy, which only this test brings along, imports none of them
    assert loaded(*words) & {*HEAVY, *LIGHT} == set()


def test_validate_needs_no_network_library(world: World) -> None:
    """The file is checked without httpx, cryptography or a database."""
    world.ok("init")
    code = (
        "import sys; from provisioner.cli.main import main; main(['validate']); sys.stdout.write(','.join(sys.modules))"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], cwd=world.folder, env=world.environ, capture_output=True, text=True, check=True
    )
    assert {name.split(".")[0] for name in ended.stdout.split(",")} & {
        "httpx",
        "cryptography",
        "pyrage",
        "sqlite3",
    } == set()


@pytest.mark.parametrize("shell", SHELLS)
def test_shipped_completions_are_what_the_parsers_say(shell: str) -> None:
    """`make completions` was run after the last change of an option."""
    assert light.completion(shell) == completion.generate(shell)


def test_bash_completes_commands_options_and_choices() -> None:
    """A command, a command of two words, an option, a choice."""
    script = light.completion("bash")
    ask = (
        'complete_for() { COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=(); _provisioner; '
        'echo "${COMPREPLY[*]}"; }\n'
        "complete_for provisioner dri; complete_for provisioner state mi; complete_for provisioner plan --detail\n"
        "complete_for provisioner token x --format he; complete_for provisioner completion z"
    )
    ended = subprocess.run(["bash", "-c", f"{script}\n{ask}"], capture_output=True, text=True, check=True)
    assert ended.stdout.splitlines() == ["drift", "migrate", "--detailed-exitcode", "header", "zsh"]
