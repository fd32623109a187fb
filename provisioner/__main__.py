"""`python -m provisioner` and the `provisioner` script."""

from __future__ import annotations

import os
import sys

INTERRUPTED = 130


def main() -> int:
    from provisioner.cli.main import main as run

    code = run(sys.argv[1:])
    if code == INTERRUPTED:
        os._exit(code)  # a thread that still waits for a vendor's answer must not keep the process from leaving
    return code


if __name__ == "__main__":
    sys.exit(main())
