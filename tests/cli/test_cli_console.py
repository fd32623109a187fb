"""Streams and masks: what leaves the program, and what must not."""

from __future__ import annotations

import io
import threading
import time

import pytest

from provisioner.cli.console import Console
from provisioner.cli.masking import Masker
from provisioner.secret import MASK


@pytest.mark.parametrize(
    "text", ["p+ss/w=rd", "p%2Bss%2Fw%3Drd", "cCtzcy93PXJk", '{"x": "p+ss/w=rd"}', "https://h/?q=p%2Bss%2Fw%3Drd&z=1"]
)
def test_a_known_secret_is_blotted_out_in_every_spelling(text: str) -> None:
    """As typed, percent-encoded, base64: what foreign code may have made of it."""
    masker = Masker()
    masker.add("p+ss/w=rd")
    found = masker.mask(f"before {text} after")
    assert MASK in found
    assert "p+ss" not in found
    assert (found.startswith("before "), found.endswith(" after")) == (True, True)


def test_each_line_of_a_key_file_is_a_secret_but_its_comments_are_none() -> None:
    """An identity is a whole file; its comment lines are ordinary text."""
    masker = Masker()
    masker.add("# created by somebody\nAGE-SECRET-KEY-1XYZ\n")
    assert masker.mask("AGE-SECRET-KEY-1XYZ") == MASK
    assert masker.mask("# created by somebody") == "# created by somebody"


def test_short_words_are_left_alone() -> None:
    """A three-letter value would blot out ordinary words."""
    masker = Masker()
    masker.add("the")
    assert masker.mask("the other") == "the other"


def test_diagnostics_are_masked_and_results_are_not() -> None:
    """`token` prints a token; nothing else may."""
    out, err = io.StringIO(), io.StringIO()
    console = Console({}, out, err)
    console.masker.add("a-secret-value")
    console.out("a-secret-value")
    console.err("it was a-secret-value")
    assert (out.getvalue(), err.getvalue()) == ("a-secret-value", f"it was {MASK}\n")


class Gone(io.StringIO):
    """A reader that has gone away."""

    def write(self, text: str) -> int:
        raise BrokenPipeError(32, "Broken pipe")


class Full(io.StringIO):
    """A full disk."""

    def write(self, text: str) -> int:
        raise OSError(28, "No space left on device")


class Stuck(io.StringIO):
    """A full pipe that nobody reads."""

    def __init__(self) -> None:
        super().__init__()
        self.entered, self.emptied = threading.Event(), threading.Event()

    def write(self, text: str) -> int:
        self.entered.set()
        self.emptied.wait(30)
        return len(text)


def test_who_leaves_waits_for_no_thread_that_is_stuck_in_a_pipe() -> None:
    """After a second signal nothing more is told there; what stands on the other stream still is."""
    out, err = Stuck(), io.StringIO()
    console = Console({}, out, err)

    def tell() -> None:
        with console.turn():
            console.line("a step has ended")

    stuck = threading.Thread(target=tell)
    stuck.start()
    assert out.entered.wait(10)
    console.leaving = lambda: True
    began = time.monotonic()
    with console.turn():
        console.line("the summary")
        console.err("interrupted")
    assert console.finish(130) == 130
    assert time.monotonic() - began < 5
    assert err.getvalue() == "interrupted\n"
    out.emptied.set()
    stuck.join()


def test_a_closed_pipe_is_silence_and_a_full_disk_is_a_failure() -> None:
    """The work goes on in both; only a result that was lost on the way to a disk changes the code."""
    for stream, code in ((Gone(), 0), (Full(), 1)):
        console = Console({}, stream, io.StringIO())
        console.out("one")
        console.out("two")
        assert console.finish(0) == code
        assert console.finish(2) == (code or 2)
        assert console.finish(3) == 3


@pytest.mark.parametrize("environment", [{"NO_COLOR": "1"}, {"TERM": "dumb"}, {}])
def test_colour_is_for_terminals(environment: dict[str, str]) -> None:
    """Not where NO_COLOR is set, the terminal is dumb, or there is none."""
    assert Console(environment, io.StringIO(), io.StringIO()).colour() is False
