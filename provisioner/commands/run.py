"""`run`: a command with the tokens in its environment. Its exit code is ours, and so are the signals that it gets.

No token is an argument, and none is written anywhere: they go from the state to the child's environment.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from types import FrameType

from provisioner.commands.filing import FileOptions, load_file
from provisioner.commands.opening import Interrupts, Reveal, StateOptions, at_once
from provisioner.commands.tokens import TokenRequest, chosen, token
from provisioner.deliver.base import environment
from provisioner.engine.events import Listener
from provisioner.errors import Invalid
from provisioner.records import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRequest:
    file: FileOptions
    state: StateOptions
    words: tuple[str, ...]
    applications: tuple[str, ...] = ()


def run(request: RunRequest, listener: Listener, reveal: Reveal, interrupts: Interrupts = at_once) -> int:
    """The child's exit code; 128 and the signal's number where one ended it, as a shell says it. Raises Invalid where
    there is no such command, and what `token` raises: a child never starts with a token missing."""
    if not request.words:
        raise Invalid("usage", "There is no command to run", "Write it after --, as in provisioner run -- ./send.sh")
    desired = load_file(request.file)
    found = []
    for address in chosen(desired, request.applications):
        one = TokenRequest(file=request.file, state=request.state, address=str(address), command="run")
        answer = token(one, listener, reveal, interrupts)
        for diagnostic in answer.diagnostics:
            listener.notice(diagnostic)
        found.append(answer.token)
    added = {name: secret.reveal() for name, secret in environment(found).items()}
    return _child(request.words, {**os.environ, **added})


def _child(words: Sequence[str], environ: dict[str, str]) -> int:
    import subprocess  # only `run` needs it

    try:
        child = subprocess.Popen(list(words), env=environ)
    except OSError as fault:
        raise Invalid(
            "no-such-file", f"{words[0]} cannot be run: {fault.strerror}", "Check the command's name and its rights."
        ) from None

    def forward(number: int, frame: FrameType | None) -> None:
        if child.poll() is None:
            child.send_signal(number)

    before = {number: signal.signal(number, forward) for number in _FORWARDED}
    try:
        code = child.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return 128 - code if code < 0 else code


_FORWARDED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGQUIT)
