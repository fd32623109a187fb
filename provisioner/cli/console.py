"""Where text leaves the program: results to standard output, diagnostics to standard error.

A reader that went away (`| head`, a closed terminal) never stops work that is under way: from then on nothing is
written.
A full disk behind a redirection is told apart from that: it makes the exit code 1, because a result was lost.
"""

from __future__ import annotations

import errno
import os
import sys
from _thread import allocate_lock  # `threading` is for what starts threads, and costs a start-up

from provisioner.cli.masking import Masker

TYPE_CHECKING = False  # `typing` costs a tenth of a start-up; type checkers know this name
if TYPE_CHECKING:
    from _thread import LockType
    from collections.abc import Callable, Mapping
    from typing import TextIO

_A_MOMENT = 0.5  # seconds that somebody who leaves waits for another thread's line

RESET, BOLD, RED, GREEN, YELLOW, CYAN = "\x1b[0m", "\x1b[1m", "\x1b[31m", "\x1b[32m", "\x1b[33m", "\x1b[36m"


class Console:
    """Both streams of one run. `masker` sees every line of diagnostics; results are built from `Secret`s and need
    none."""

    def __init__(
        self, environment: Mapping[str, str], stdout: TextIO | None = None, stderr: TextIO | None = None
    ) -> None:
        self.environment = environment
        self.stdout = stdout or sys.stdout
        self.stderr = stderr or sys.stderr
        for stream in (self.stdout, self.stderr):
            reconfigure = getattr(stream, "reconfigure", None)
            if reconfigure is not None:  # a terminal without these characters gets a question mark, not a traceback
                reconfigure(errors="replace")
        self.masker = Masker()
        self.plain = bool(environment.get("NO_COLOR"))
        self.lost_output: str | None = None
        self.annotated: set[object] = set()  # diagnostics that GitHub has heard of
        self.leaving: Callable[[], bool] = lambda: False  # whether somebody asked twice to leave
        self._gone: set[int] = set()
        self._busy = 0  # the stream that was written to last
        self._one = allocate_lock()

    def turn(self) -> LockType:
        """To be held while several lines are told as one: several threads tell. A thread that is stuck in a pipe which
        nobody reads is not waited for by somebody who leaves: nothing more is told there."""
        if self.leaving():
            if self._one.acquire(timeout=_A_MOMENT):
                self._one.release()
            else:
                self._gone.add(self._busy)
                self._one = allocate_lock()
        return self._one

    def out(self, text: str) -> None:
        """A result, to the letter."""
        self._write(self.stdout, text)

    def line(self, text: str = "") -> None:
        self._write(self.stdout, text + "\n")

    def err(self, text: str) -> None:
        """A diagnostic line. What a provider's secret looks like never passes."""
        self._write(self.stderr, self.masker.mask(text) + "\n")

    def progress(self, text: str) -> None:
        """A line that will be written over; for terminals."""
        self._write(self.stderr, text)

    def colour(self, stream: TextIO | None = None) -> bool:
        """Whether escapes are welcome: a terminal, no NO_COLOR, no --no-color, no TERM=dumb."""
        if self.plain or self.environment.get("TERM") == "dumb":
            return False
        return self.interactive(stream or self.stdout)

    @staticmethod
    def interactive(stream: TextIO) -> bool:
        try:
            return stream.isatty()
        except ValueError:  # closed
            return False

    def ask(self, prompt: str) -> str:
        """One line from standard input; an empty string at its end."""
        self.out(prompt)
        self.flush()
        return sys.stdin.readline().strip()

    def flush(self) -> None:
        for stream in (self.stdout, self.stderr):
            self._guarded(stream, "")

    def finish(self, code: int) -> int:
        """The exit code once everything is written, or is known not to be."""
        self.flush()
        if self.lost_output is None:
            return code
        self.err("Error: " + coded("output-lost", f"the output could not be written: {self.lost_output}"))
        return 1 if code in (0, 2) else code  # any other already says that the run was no plain success

    def _write(self, stream: TextIO, text: str) -> None:
        self._guarded(stream, text)

    def _guarded(self, stream: TextIO, text: str) -> None:
        if id(stream) in self._gone:
            return
        self._busy = id(stream)
        try:
            stream.write(text)
            stream.flush()
        except (OSError, ValueError) as fault:
            self._gone.add(id(stream))
            number = getattr(fault, "errno", None)
            if number not in (errno.EPIPE, errno.EIO, errno.EBADF, None) and stream is self.stdout:
                self.lost_output = os.strerror(number or 0)
            _to_nowhere(stream)
        except KeyboardInterrupt:
            # whoever reads it has stopped reading, and whoever waits for that wants to leave: what is left is not told
            self._gone.add(id(stream))
            _to_nowhere(stream)
            raise


def coded(name: str, text: str) -> str:
    """One line of a diagnostic that no view can tell any more: its code, its name, the sentence."""
    from provisioner.codes import CODES

    return f"{CODES[name].code} {name}: {text}"


def _to_nowhere(stream: TextIO) -> None:
    """What is still buffered would raise again when the interpreter closes the stream, and turn the exit code into
    120."""
    try:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
    except (OSError, ValueError, AttributeError):
        return
