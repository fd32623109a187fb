# ruff: noqa: INP001  # scripts to be read and run, no package
"""The main job, start to end, on the embedded vendors: what `make demo` runs. No network, no account, nothing is
left behind.

plan → apply (what needs a person waits: exit 3) → the person authorizes twice → apply → the stack as a table → plan.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from approve import press

HERE = Path(__file__).parent


class Demo:
    """Runs the command line in a folder of its own, with a home of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        shutil.copy(HERE / "provisioner.toml", folder)
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("PROVISIONER_", "XDG_")) and k != "CI"}
        self.environ = {**kept, "HOME": str(folder / "home")}

    def command(self, *words: str) -> list[str]:
        say(f"\n$ provisioner {' '.join(words)}")
        return [sys.executable, "-m", "provisioner", *words]

    def run(self, *words: str, expect: int) -> None:
        ended = subprocess.run(self.command(*words), cwd=self.folder, env=self.environ, check=False)
        check(ended.returncode, expect)

    def authorize(self, application: str) -> None:
        """Start `authorize`, play the person at the URL that it prints, and hand in the code where a page shows one."""
        words = self.command("authorize", application, "--no-browser")
        with subprocess.Popen(
            words, cwd=self.folder, env=self.environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as child:
            if child.stdin is None or child.stdout is None:
                raise SystemExit("The command was started without pipes.")
            url = child.stdout.readline().strip()
            say(url)
            say("(the person opens the page and presses «approve»)")
            code = press(url)
            if code:
                child.stdin.write(code + "\n")
            child.stdin.close()
            child.wait(timeout=60)
        check(child.returncode, 0)

    def table(self) -> None:
        """What the stack now holds, from `show --json`."""
        words = self.command("show", "--json")
        say("(printed here as a table)")
        shown = subprocess.run(words, cwd=self.folder, env=self.environ, check=True, capture_output=True, text=True)
        rows = [("ADDRESS", "AT", "STATUS", "EXPIRES OR BALANCE", "SCOPES")]
        for resource in json.loads(shown.stdout)["values"]["root_module"]["resources"]:
            values = resource["values"]
            end = values.get("expires_at") or ("never" if resource["type"] == "token" else "")
            balance = f"{values['balance']} {values['unit']}" if resource["type"] == "credits" else end
            status = values.get("status") or values.get("managed") or "floor " + str(values.get("minimum"))
            scopes = " ".join(values.get("scopes") or ())
            rows.append((resource["address"], resource["provider_name"], status, balance, scopes))
        widths = [max(len(row[column]) for row in rows) for column in range(5)]
        for row in rows:
            say("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def say(text: str) -> None:
    print(text, flush=True)  # noqa: T201  # what this script is for


def check(code: int, expected: int) -> None:
    say(f"(exit code {code})")
    if code != expected:
        raise SystemExit(f"The demo expected exit code {expected}.")


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="provisioner-demo-") as folder:
        demo = Demo(Path(folder))
        demo.run("plan", expect=0)
        demo.run("apply", "--auto-approve", expect=3)
        demo.authorize("translations")
        demo.authorize("copywriting")
        demo.run("apply", "--auto-approve", expect=0)
        demo.table()
        demo.run("plan", "--detailed-exitcode", expect=0)
    return 0


if __name__ == "__main__":
    sys.exit(main())
