"""A stranger's machine: a folder with a desired-state file, a home of its own, and the real command line."""

from __future__ import annotations

import base64
import json
import os
import re
import stat
import subprocess
import sys
import urllib.parse
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

ROOT = Path(__file__).parent.parent.parent
CODE = re.compile(r"\b[EW]\d{4} [a-z]+(-[a-z]+)*")


class Run(subprocess.CompletedProcess[str]):
    """What a command left: exit code, standard output, standard error."""

    @property
    def text(self) -> str:
        return f"{self.stdout}\n{self.stderr}"

    def json(self) -> Any:
        return json.loads(self.stdout)

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.stdout.splitlines()]


class Stack:
    """`env` is all that a command sees of the environment; `said` keeps all that was printed."""

    def __init__(self, folder: Path, name: str = "stack") -> None:
        self.folder = folder / name
        self.folder.mkdir(parents=True)
        self.home = folder / "home"
        self.home.mkdir(exist_ok=True)
        self.env: dict[str, str] = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "PYTHONPATH": str(ROOT),
            "USER": "stranger",
            "LANG": "C.UTF-8",
        }
        self.said: list[str] = []
        self._children: list[subprocess.Popen[str]] = []

    def stop(self) -> None:
        """Whatever a failed test left running."""
        for child in self._children:
            if child.returncode is None:
                child.kill()
                child.communicate()

    def write(self, text: str, name: str = "provisioner.toml") -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def start(self, *words: str, env: Mapping[str, str | None] | None = None) -> subprocess.Popen[str]:
        environ = {k: v for k, v in {**self.env, **(env or {})}.items() if v is not None}
        child = subprocess.Popen(
            [sys.executable, "-m", "provisioner", *words],
            cwd=self.folder,
            env=environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            umask=0,  # what is private is so by the program's doing
        )
        self._children.append(child)
        return child

    def finish(self, child: subprocess.Popen[str], stdin: str = "", seconds: float = 60) -> Run:
        with child:
            try:
                out, err = child.communicate(stdin, timeout=seconds)
            except subprocess.TimeoutExpired:
                child.kill()
                raise
        self.said += [out, err]
        return Run(child.args, child.returncode, out, err)

    def run(
        self,
        *words: str,
        code: int | None = 0,
        env: Mapping[str, str | None] | None = None,
        stdin: str = "",
        seconds: float = 60,
    ) -> Run:
        """A command to its end; `code` is the exit code that it must have (None: any)."""
        ended = self.finish(self.start(*words, env=env), stdin, seconds)
        assert code is None or ended.returncode == code, f"{words}: exit {ended.returncode}\n{ended.text}"
        assert "Traceback" not in ended.text or "-v" in words, ended.text
        assert "\x1b" not in ended.text, "colour without a terminal"
        return ended

    # what stands recorded

    def state(self) -> dict[str, Any]:
        found: dict[str, Any] = self.run("show", "--json").json()
        return found

    def resources(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.state()["values"]["root_module"]["resources"]
        return found

    def values(self, address: str) -> dict[str, Any]:
        """The values of what serves at an address."""
        found: dict[str, Any] = next(
            r["values"] for r in self.resources() if r["address"] == address and not r.get("deposed")
        )
        return found

    def plan(self, *words: str, code: int = 0) -> dict[str, Any]:
        """`show --json` of a fresh saved plan."""
        self.run("plan", *words, "--out", "p.plan", code=code)
        found: dict[str, Any] = self.run("show", "--json", "p.plan").json()
        return found

    def changes(self, *words: str, code: int = 0) -> dict[str, dict[str, Any]]:
        """The changes of a fresh plan by address; a deposed object stands as ADDRESS#KEY."""
        return {
            c["address"] + (f"#{c['deposed']}" if c.get("deposed") else ""): c
            for c in self.plan(*words, code=code)["resource_changes"]
        }

    def actions(self, *words: str, code: int = 0) -> dict[str, list[str]]:
        """What a fresh plan would do: every address that is not a plain no-op."""
        return {
            address: c["change"]["actions"]
            for address, c in self.changes(*words, code=code).items()
            if c["change"]["actions"] != ["no-op"] or c["change"].get("importing")
        }

    def quiet(self) -> None:
        """Nothing is left to do."""
        assert "No changes." in self.run("plan", "--detailed-exitcode").stdout

    def journal(self) -> list[Path]:
        """The segments of the recorded state, oldest first."""
        return sorted((self.folder / "state").glob("*/journal/*.jsonl"))

    # the canary hunt

    def written(self) -> dict[Path, bytes]:
        """Everything that was written, beside the file and in the home, but for what people wrote themselves."""
        found = {}
        for root in (self.folder, self.home):
            for path in root.rglob("*"):
                if path.is_file() and path.name != "ours":
                    found[path] = path.read_bytes()
        return found

    def hunt(self, secrets: Iterable[str], handed_out: Iterable[str] = ()) -> None:
        """No secret, in any usual encoding, in anything that was written or printed; what was asked for is free in
        `handed_out` texts only."""
        free = set(handed_out)
        texts = {f"output {n}": said.encode() for n, said in enumerate(self.said) if said not in free}
        files = {str(path): body for path, body in self.written().items()}
        needles = {form: secret for secret in secrets for form in _forms(secret)}
        assert needles
        for where, body in {**texts, **files}.items():
            for needle, secret in needles.items():
                assert needle not in body, f"{secret!r} as {needle!r} in {where}"

    def modes(self) -> dict[str, str]:
        """The mode of every file that the program wrote."""
        return {
            str(path): stat.filemode(path.stat().st_mode)
            for path in self.written()
            if path.suffix != ".toml" and not path.name.startswith(".gitignore")
        }


def _forms(secret: str) -> list[bytes]:
    raw = secret.encode()
    whole = base64.b64encode(raw).rstrip(b"=")
    shifted = [base64.b64encode(b"x" * n + raw)[4:-4] for n in (1, 2)]
    quoted = urllib.parse.quote(secret, safe="").encode()
    return [raw, whole, *shifted, quoted, raw.hex().encode(), json.dumps(secret)[1:-1].encode()]


def tail(*quick: object, slow: tuple[object, ...]) -> list[Any]:
    """The values of a parameter: some for every run, the rest with the slow tests."""
    return [*quick, *(pytest.param(value, marks=pytest.mark.slow) for value in slow)]


def summary(lines: list[dict[str, Any]]) -> dict[str, Any]:
    """The one change_summary that ends a stream."""
    assert lines[-1]["type"] == "change_summary", lines[-1]
    return lines[-1]


def diagnostics(run: Run) -> list[dict[str, Any]]:
    return [line["diagnostic"] for line in run.lines() if line["type"] == "diagnostic"]
