"""At a terminal: `Enter a value:`, and only `yes` is a yes."""

from __future__ import annotations

import os
import pty
import subprocess
import sys

import pytest
from cli_world import EZ, World, from_terminal


def at_a_terminal(world: World, answer: str, *words: str) -> tuple[int, str]:
    """Exit code and everything shown, with standard input and output on a pseudo terminal."""
    ours, theirs = pty.openpty()
    environ = {**world.environ, "TERM": "xterm"}
    with subprocess.Popen(
        [sys.executable, "-m", "provisioner", *words], cwd=world.folder, env=environ, stdin=theirs, stdout=theirs,
        stderr=theirs,
    ) as child:  # fmt: skip
        os.close(theirs)
        shown = b""
        answered = False
        for data in from_terminal(ours):
            shown += data
            if b"Enter a value:" in shown and not answered:
                os.write(ours, answer.encode() + b"\n")
                answered = True
        code = child.wait(timeout=30)
    os.close(ours)
    return code, shown.decode()


@pytest.mark.parametrize("answer", ["no", "y", "YES", ""])
def test_anything_but_yes_cancels(world: World, answer: str) -> None:
    """`Apply cancelled.`, exit 1, and nothing was sent or recorded."""
    world.write("[stack]\nname = 'ez'\n", EZ)
    code, shown = at_a_terminal(world, answer, "apply")
    assert (code, "Apply cancelled." in shown) == (1, True)
    assert world.ledger()["entries"] == []
    assert list(world.folder.rglob("*.jsonl")) == []


def test_yes_applies_in_colour(world: World) -> None:
    """Colour on a terminal, none with --no-color; destroy asks its own question."""
    world.write("[stack]\nname = 'ez'\n", EZ)
    code, shown = at_a_terminal(world, "yes", "apply")
    assert (code, "Apply complete!" in shown, "\x1b[" in shown) == (0, True, True)
    code, shown = at_a_terminal(world, "yes", "destroy", "--no-color")
    assert (code, "Destroy complete!" in shown, "\x1b[1m" in shown) == (0, True, False)
