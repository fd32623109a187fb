"""The command line at a terminal: a pseudo-terminal, and a person who types an answer."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from acc_stack import Stack


def at_terminal(stack: Stack, *words: str, prompt: str, answer: str) -> tuple[int, str]:
    """Exit code and all that was shown; `answer` is typed once `prompt` stands there."""
    ours, theirs = pty.openpty()
    env = {**stack.env, "TERM": "xterm"}
    child = subprocess.Popen(
        [sys.executable, "-m", "provisioner", *words],
        cwd=stack.folder,
        env=env,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    shown, deadline, typed = "", time.time() + 30, False
    while time.time() < deadline:
        try:
            shown += os.read(ours, 65536).decode(errors="replace")
        except OSError:  # the other side is closed
            break
        if not typed and prompt in shown:
            os.write(ours, f"{answer}\n".encode())
            typed = True
    code = child.wait(timeout=30)
    os.close(ours)
    stack.said.append(shown)
    return code, shown
