"""Handlers of the commands that touch no recorded state: init, validate, schema, providers, version, completion, sandbox."""

from __future__ import annotations

import argparse
import sys

from provisioner import __version__
from provisioner.cli.console import Console

TYPE_CHECKING = False  # `typing` costs a tenth of a start-up; type checkers know this name
if TYPE_CHECKING:
    from provisioner.cli.views.base import View

# What this version reads and writes: the plan file, the recorded state, the shapes of `show --json`.
FORMATS = {"recorded_state": "1", "plan_json": "1.2", "state_json": "1.0"}


def version(options: argparse.Namespace, console: Console) -> int:
    python = ".".join(map(str, sys.version_info[:3]))
    if options.json:
        import json

        console.line(json.dumps({"provisioner_version": __version__, "python_version": python, "formats": FORMATS}))
        return 0
    console.line(f"provisioner {__version__}")
    console.line(f"python {python}")
    for name, number in FORMATS.items():
        console.line(f"{name.replace('_', ' ')} format {number}")
    return 0


def completion(options: argparse.Namespace, console: Console) -> int:
    from provisioner.cli.completion import shipped

    console.out(shipped(options.shell))
    return 0
