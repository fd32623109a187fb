"""`python -m provisioner` and the `provisioner` script."""

from __future__ import annotations

import gc
import os
import sys


def _open_streams() -> None:
    """A supervisor may start us with a standard stream closed (`>&-`): the next file that is opened would take its
    place, and the recorded state would be what somebody prints to. It leads nowhere instead."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            file = os.open(os.devnull, os.O_RDWR)  # the lowest number that is free: this one
            setattr(sys, name, os.fdopen(file, "r" if number == 0 else "w"))


def main() -> int:
    """The exit code of `light`'s answers; every other command ends the process here, by its exit code."""
    _open_streams()
    from provisioner.cli import light
    from provisioner.cli.console import Console

    words = sys.argv[1:]
    text = light.answer(words, os.environ)
    if text is not None:
        console = Console(os.environ)
        console.out(text)
        return console.finish(0)
    # What a command imports and loads is many objects and no garbage: looking for some takes a tenth of a small plan
    # and a fifth of one of 10,000 tokens. `opening.accounts` puts the collector back before a vendor is asked anything.
    gc.disable()
    from provisioner.cli.main import main as run

    code = run(words)
    # Everything is written and flushed. Taking 10,000 tokens apart again is 60 ms that nobody needs, and a thread that
    # still waits for a vendor's answer (130) must not keep the process from leaving.
    os._exit(code)


if __name__ == "__main__":
    sys.exit(main())
