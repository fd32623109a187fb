"""What needs no parser: the program's help, its version, completion scripts.

argparse and the `re` behind it are half of such a start (7 of 15 ms), so these are answered before either is imported,
where they are typed as they mostly are; anything beside goes the usual way, which ends in the same texts.
"""

from __future__ import annotations

import os
import sys

from provisioner import __version__

TYPE_CHECKING = False  # `typing` costs a tenth of a start-up; type checkers know this name
if TYPE_CHECKING:
    from collections.abc import Mapping

SHELLS = ("bash", "zsh", "fish")
FOLDER = os.path.join(os.path.dirname(__file__), "completions")  # noqa: PTH118, PTH120  # pathlib costs more than the whole answer

# What this version reads and writes: the plan file, the recorded state, the shapes of `show --json`.
FORMATS = {"recorded_state": "1", "plan_json": "1.2", "state_json": "1.0"}


def answer(words: list[str], environ: Mapping[str, str]) -> str | None:
    """The text for exactly these words; None where they need a parser (or the environment adds some)."""
    if any(name.startswith("PROVISIONER_CLI_ARGS") for name in environ):
        return None
    if words == ["version"]:
        return version()
    if words in (["--version"], ["-version"]):
        return f"provisioner {__version__}\n"
    if words in (["--help"], ["-help"], ["-h"]):
        from provisioner.cli import guide

        return guide.of_program(__version__)
    if len(words) == 2 and words[0] == "completion" and words[1] in SHELLS:
        return completion(words[1])
    return None


def version() -> str:
    formats = "".join(f"{name.replace('_', ' ')} format {number}\n" for name, number in FORMATS.items())
    return f"provisioner {__version__}\npython {python()}\n{formats}"


def python() -> str:
    return ".".join(map(str, sys.version_info[:3]))


def completion(shell: str) -> str:
    """The script as it was shipped (see `completion.py`)."""
    with open(f"{FOLDER}/provisioner.{shell}", encoding="utf-8") as text:  # noqa: PTH123  # as above
        return text.read()
