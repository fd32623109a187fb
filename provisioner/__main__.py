"""`python -m provisioner` and the `provisioner` script."""

from __future__ import annotations

import os
import sys

INTERRUPTED = 130


def main() -> int:
    from provisioner.cli import light
    from provisioner.cli.console import Console

    words = sys.argv[1:]
    text = light.answer(words, os.environ)
    if text is not None:
        console = Console(os.environ)
        console.out(text)
        return console.finish(0)
    from provisioner.cli.main import main as run

    code = run(words)
    if code == INTERRUPTED:
        os._exit(code)  # a thread that still waits for a vendor's answer must not keep the process from leaving
    return code


if __name__ == "__main__":
    sys.exit(main())
