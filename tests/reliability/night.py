"""One worker of the worst night: a stack, a home, the sandbox in a process of its own, and runs that can be ended
anywhere.

A night can be photographed and put back (files and the vendors' memory alike), so each trial costs a few forks and no
set-up. Nothing here judges; `judges.py` does.
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from html.parser import HTMLParser
from http.client import HTTPException
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlencode, urljoin

ROOT = Path(__file__).resolve().parent.parent.parent
QUIET = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass(frozen=True)
class Ended:
    """How one run ended. `signal` is set where it was killed; `points` are what it passed, in order."""

    argv: tuple[str, ...]
    code: int | None
    signal: int | None
    out: str
    err: str
    points: list[str] = field(repr=False)

    def json(self) -> Any:
        return json.loads(self.out)

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines()]

    def __str__(self) -> str:
        how = f"signal {self.signal}" if self.signal else f"exit {self.code}"
        return f"$ provisioner {' '.join(self.argv)}\n{self.out}{self.err}[{how}]"


class Running:
    """A run that is under way."""

    def __init__(self, night: Night, argv: tuple[str, ...], pid: int, files: dict[str, Path]) -> None:
        self.night, self.argv, self.pid = night, argv, pid
        self._files = files

    def out(self) -> str:
        return _text(self._files["out"])

    def points(self) -> list[str]:
        return _text(self._files["log"]).splitlines()

    def signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def state(self) -> str:
        """`T` where it is stopped, `Z` where it has ended, by /proc."""
        try:
            return Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return "Z"

    def until(self, state: str, seconds: float = 20) -> bool:
        """Whether it came to `state` (or ended, which is False) in time."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            now = self.state()
            if now in (state, "Z"):
                return now == state
            time.sleep(0.002)
        raise TimeoutError(f"{self.argv} did not come to {state}\n{self.out()}")

    def until_ended(self, seconds: float) -> None:
        """Waits at most so long."""
        end = time.monotonic() + seconds
        while self.state() != "Z" and time.monotonic() < end:
            time.sleep(0.002)

    def wait(self) -> Ended:
        status = self.night.ask({"do": "wait", "pid": self.pid})
        err = _text(self._files["err"])
        ended = Ended(self.argv, status.get("code"), status.get("signal"), self.out(), err, self.points())
        assert not status.get("hung"), f"it hung\n{ended}\n{ended.points[-3:]}"
        self.night.said += [ended.err] if self.argv[0] == "token" else [ended.out, ended.err]  # that one hands it out
        for path in self._files.values():
            path.unlink(missing_ok=True)
        return ended


class Night:
    """`shift` is the wall clock's offset in seconds, for runs and vendors alike (`at_clock` sets both)."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.root = folder
        self.live = folder / "live"
        self.stack, self.home = self.live / "stack", self.live / "home"
        for path in (self.stack, self.home):
            path.mkdir(parents=True, mode=0o700)
        self.photos = folder / "photos"
        self.photos.mkdir()
        self.said: list[str] = []
        self.shift = 0.0
        self.environ: dict[str, str] = {}
        self._runs = 0
        self._lock = threading.Lock()
        self._nursery = self._spawn([sys.executable, str(ROOT / "tests" / "reliability" / "nursery.py")])
        self._sandbox = self._spawn(
            [sys.executable, "-m", "provisioner", "sandbox", "serve", "--port", "0", "--data", str(folder / "vendors")]
        )
        assert self._sandbox.stdout is not None
        self.accounts: dict[str, Any] = json.loads(self._sandbox.stdout.readline())
        self.base = self.accounts["eztexting"]["base_url"].removesuffix("/eztexting")
        self.environ = self._environment()

    def _spawn(self, command: list[str]) -> subprocess.Popen[str]:
        environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "HOME": str(self.home)}
        return subprocess.Popen(
            command, env=environ, cwd=self.root, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )

    def _environment(self) -> dict[str, str]:
        ez, tm, tk = (self.accounts[name] for name in ("eztexting", "textmaster", "textking"))
        return {
            "PATH": os.environ["PATH"], "HOME": str(self.home), "USER": "operator", "LC_ALL": "C.UTF-8",
            "EZ_USERNAME": ez["username"], "EZ_PASSWORD": ez["password"], "EZ_CARD_LAST_FOUR": ez["card_last_four"],
            "SMSCX_API_KEY": self.accounts["smscx"]["api_key"],
            "TM_CLIENT_ID": tm["client_id"], "TM_CLIENT_SECRET": tm["client_secret"],
            "TK_CLIENT_ID": tk["client_id"], "TK_CLIENT_SECRET": tk["client_secret"],
            "IDP_CLIENT_ID": self.accounts["oauth2"]["client_id"],
            "IDP_CLIENT_SECRET": self.accounts["oauth2"]["client_secret"],
            "IDP_INITIAL_ACCESS_TOKEN": self.accounts["oauth2"]["initial_access_token"],
        }  # fmt: skip

    def close(self) -> None:
        for process in (self._nursery, self._sandbox):
            for stream in (process.stdin, process.stdout):
                if stream is not None:
                    stream.close()
            process.terminate()
            process.wait(10)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    # -- runs --------------------------------------------------------------------------------------------------------

    def ask(self, order: Mapping[str, Any]) -> dict[str, Any]:
        """One order to the nursery. From one thread at a time."""
        with self._lock:
            assert self._nursery.stdin is not None
            assert self._nursery.stdout is not None
            self._nursery.stdin.write(json.dumps(order) + "\n")
            self._nursery.stdin.flush()
            answer: dict[str, Any] = json.loads(self._nursery.stdout.readline())
            return answer

    def start(self, *argv: str, env: Mapping[str, str] | None = None, **fate: Any) -> Running:
        """`fate`: `at`, `act`, `jump`, `clock`, `patient`, `largest_file`, `stdin`, `mortal` (see
        nursery.py); `out`: where standard output goes."""
        self._runs += 1
        files = {name: self.root / f"run-{self._runs}.{name}" for name in ("out", "err", "log")}
        if "out" in fate:
            files["out"] = Path(str(fate.pop("out")))
        order = {
            "do": "start", "argv": list(argv), "cwd": str(self.stack), "clock": self.shift,
            "env": {**self.environ, **(env or {})}, **{name: str(path) for name, path in files.items()},
            **{key: value for key, value in fate.items() if value is not None},
        }  # fmt: skip
        return Running(self, argv, self.ask(order)["pid"], files)

    def run(self, *argv: str, **fate: Any) -> Ended:
        return self.start(*argv, **fate).wait()

    def apply(self, *more: str, **fate: Any) -> Ended:
        return self.run("apply", "--auto-approve", "--parallelism", "1", *more, **fate)

    def show(self) -> dict[str, Any]:
        ended = self.run("show", "--json")
        assert ended.code == 0, ended
        found: dict[str, Any] = ended.json()
        return found

    def authorize(self, application: str, **fate: Any) -> Ended:
        """A person who opens the URL as soon as it is printed, approves, and pastes the code."""
        fifo = self.root / f"person-{self._runs}"
        os.mkfifo(fifo)
        pipe = os.open(fifo, os.O_RDWR)
        try:
            running = self.start("authorize", application, "--no-browser", "--timeout", "20s", stdin=str(fifo), **fate)
            url = self._printed(running)
            if url is not None:
                code = press(url)
                os.write(pipe, f"{code}\n".encode())
            return running.wait()
        finally:
            os.close(pipe)
            fifo.unlink()

    @staticmethod
    def _printed(running: Running) -> str | None:
        """The URL, or None where the run ended before it was shown."""
        end = time.monotonic() + 20
        while time.monotonic() < end:
            whole = [line for line in running.out().splitlines(keepends=True) if line.endswith("\n")]
            found = [line.strip() for line in whole if line.startswith("http")]
            if found:
                return found[0]
            if running.state() == "Z":
                return None
            time.sleep(0.005)
        raise TimeoutError("no URL was printed")

    # -- the vendors -------------------------------------------------------------------------------------------------

    def control(self, name: str, method: str = "POST", **given: Any) -> Any:
        data = json.dumps(given).encode() if method == "POST" else None
        request = urllib.request.Request(
            f"{self.base}/_sandbox/{name}", data, {"Content-Type": "application/json"}, method=method
        )
        with QUIET.open(request, timeout=20) as answer:
            return json.load(answer)

    def panel(self, vendor: str, action: str, **given: Any) -> Any:
        return self.control("panel", vendor=vendor, action=action, **given)

    def ledger(self) -> dict[str, Any]:
        found: dict[str, Any] = self.control("ledger", "GET")
        return found

    def at_clock(self, seconds: float) -> None:
        """It is `seconds` later than it is, here and at the vendors."""
        self.shift = seconds
        self.control("clock", offset=seconds)

    def clients(self) -> set[str]:
        """Clients that are registered at the OAuth server beside those that it came with."""
        with closing(sqlite3.connect(self.root / "vendors" / "sandbox.db")) as db:
            rows = db.execute("SELECT client FROM clients WHERE vendor = 'oauth2'").fetchall()
        return {row[0] for row in rows} - {self.accounts["oauth2"]["client_id"], "sandbox-public"}

    # -- photographs -------------------------------------------------------------------------------------------------

    def photograph(self, name: str) -> None:
        target = self.photos / name
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(self.live, target / "live")
        _copy_database(self.root / "vendors" / "sandbox.db", target / "sandbox.db")
        (target / "shift").write_text(str(self.shift))

    def put_back(self, name: str) -> None:
        """The files under their old names, the vendors' memory in place: the sandbox goes on serving."""
        source = self.photos / name
        shutil.rmtree(self.live)
        shutil.copytree(source / "live", self.live)
        _put_back_database(source / "sandbox.db", self.root / "vendors" / "sandbox.db")
        self.shift = float((source / "shift").read_text())
        self.said.clear()

    def written(self) -> Iterator[tuple[str, bytes]]:
        """Everything that runs wrote: beside the file and in the user's home."""
        for path in self.live.rglob("*"):
            if path.is_file():
                yield str(path.relative_to(self.live)), path.read_bytes()

    def write(self, *parts: str, **values: Any) -> None:
        text = "\n".join(parts).replace("{base}", self.base)
        for key, value in values.items():
            text = text.replace("{" + key + "}", str(value))
        (self.stack / "provisioner.toml").write_text(text, encoding="utf-8")


def _copy_database(source: Path, target: Path) -> None:
    with closing(sqlite3.connect(source, timeout=30)) as origin, closing(sqlite3.connect(target, timeout=30)) as copy:
        origin.backup(copy)


def _put_back_database(source: Path, target: Path) -> None:
    """In one transaction, row by row: the sandbox has the file open."""
    with closing(sqlite3.connect(target, timeout=30, isolation_level=None)) as db:
        db.execute("ATTACH ? AS photo", [str(source)])
        db.execute("BEGIN IMMEDIATE")
        for (table,) in db.execute("SELECT name FROM main.sqlite_master WHERE type = 'table'").fetchall():
            db.execute(f"DELETE FROM main.{table}")  # noqa: S608  # names out of the schema
            db.execute(f"INSERT INTO main.{table} SELECT * FROM photo.{table}")  # noqa: S608
        db.execute("COMMIT")


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
    except FileNotFoundError:
        return ""


# -- a person at a consent page --------------------------------------------------------------------------------------


class _Page(HTMLParser):
    """The one form of a page, and the code that it may show."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.action, self.code = "", ""
        self.hidden: dict[str, str] = {}
        self._in_code = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {key: value or "" for key, value in attrs}
        if tag == "form":
            self.action = found["action"]
        elif tag == "input" and found.get("type") == "hidden":
            self.hidden[found["name"]] = found["value"]
        self._in_code = found.get("id") == "code" or (self._in_code and tag != "p")

    def handle_endtag(self, tag: str) -> None:
        if tag == "code":
            self._in_code = False

    def handle_data(self, data: str) -> None:
        if self._in_code:
            self.code += data.strip()


def press(url: str, button: str = "approve") -> str:
    """Opens a consent page and presses a button; follows the redirect to a listening client. The code, where shown."""
    with QUIET.open(url, timeout=20) as answer:
        page, at = _Page(answer.read().decode()), answer.url
    sent = urlencode({**page.hidden, "decision": button}).encode()
    try:
        with QUIET.open(urljoin(at, page.action), sent, timeout=20) as answer:
            return _Page(answer.read().decode()).code
    except (OSError, HTTPException):  # the client that listens was killed before it answered
        return ""


@contextmanager
def night(folder: Path) -> Iterator[Night]:
    with Night(folder) as made:
        yield made
