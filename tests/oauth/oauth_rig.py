"""What the tests of this folder share: authorization servers that were written by others, a stack, and a person.

A server is the sandbox, django-oauth-toolkit (PyPI, in the `test` extra) or panva's oidc-provider (npm), each on
loopback. What lives at it is asked of the server's own memory, never of what the program under test believes.
"""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from provisioner.cli.main import main
from provisioner.sandbox.accounts import ACCOUNTS
from provisioner.sandbox.serve import listen

if TYPE_CHECKING:
    from oauth_browser import Person

ROOT = Path(__file__).resolve().parent.parent.parent
HERE = Path(__file__).parent


# -- servers -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Server:
    """`scopes`: two that it knows, less than all that it has. `introspects`: beside them, what a client needs to be let
    near introspection. `look` shows the server's memory: `clients`, and the client of each token that is `alive`."""

    name: str
    issuer: str
    look: Callable[[], dict[str, list[str]]]
    act: Callable[[str, str], object]  # what an administrator does: forget or rename a client; withdraw ends all tokens
    initial_access_token: str | None = None
    scopes: tuple[str, str] = ("read", "write")
    introspects: tuple[str, ...] = ()
    signed_in: Callable[[Person], object] = lambda _: None
    pair: int = 2  # as how many tokens it counts an access token and its refresh token
    settings: str = ""  # lines for its provider's table
    secrets: tuple[str, ...] = field(default=())

    def control(self, name: str, **given: Any) -> Any:
        """The sandbox's own endpoints: switches, faults, panel, clock."""
        return fetch(f"{self.issuer.removesuffix('/oauth2')}/_sandbox/{name}", given)

    def ledger(self, operation: str) -> list[dict[str, Any]]:
        """What the sandbox was asked, of one operation."""
        found = fetch(f"{self.issuer.removesuffix('/oauth2')}/_sandbox/ledger")["entries"]
        return [entry for entry in found if entry["operation"] == operation]

    def alive(self, client: str) -> int:
        return self.look()["alive"].count(client)

    def toml(self, more: str = "") -> str:
        token = '\ninitial_access_token = { env = "OAUTH_INITIAL" }' if self.initial_access_token else ""
        return f'[providers.idp]\ntype = "oauth2"\nissuer = "{self.issuer}"{token}\n{self.settings}\n{more}'


def fetch(url: str, data: Mapping[str, Any] | None = None) -> Any:
    """A control endpoint's answer."""
    body = json.dumps(data).encode() if data is not None else None
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=10) as answer:
        return json.load(answer)


@contextmanager
def sandbox(folder: Path) -> Iterator[Server]:
    base, stop = listen(folder)

    def look() -> dict[str, list[str]]:
        with closing(sqlite3.connect(folder / "sandbox.db")) as db:
            clients = [row[0] for row in db.execute("SELECT client FROM clients WHERE vendor = 'oauth2'")]
        tokens = fetch(f"{base}/_sandbox/ledger")["live_tokens"]
        return {"clients": clients, "alive": [t["client"] for t in tokens if t["vendor"] == "oauth2"]}

    def act(action: str, client: str) -> None:
        asked = {"forget": {"action": "delete_client"}, "rename": {"action": "edit_client", "name": "renamed by hand"},
                 "withdraw": {"action": "revoke"}}[action]  # fmt: skip
        fetch(f"{base}/_sandbox/panel", {"vendor": "oauth2", "client_id": client, **asked})

    account = ACCOUNTS["oauth2"]
    try:
        yield Server(
            "sandbox",
            f"{base}/oauth2",
            look,
            act,
            account["initial_access_token"],
            ("credits:read", "credits:write"),
            pair=1,
            secrets=(account["client_secret"], account["initial_access_token"]),
        )
    finally:
        stop()


@contextmanager
def toolkit(_folder: Path) -> Iterator[Server]:
    with _program([sys.executable, "-W", "ignore", str(HERE.parent / "providers" / "oauth_toolkit.py")]) as said:
        origin = said["issuer"].removesuffix("/o")
        yield Server(
            "toolkit",
            said["issuer"],
            lambda: fetch(f"{origin}/_control/show"),
            lambda action, client: fetch(f"{origin}/_control/{action}?client={client}"),
            introspects=("introspection",),
            signed_in=lambda person: person.open(f"{origin}/_control/login"),
            # Its RFC 8414 metadata does not name the endpoint.
            settings=f'device_authorization_url = "{said["issuer"]}/device-authorization/"\n',
        )


@contextmanager
def oidc_provider(_folder: Path) -> Iterator[Server]:
    package = oidc_package()
    assert package is not None
    with _program([shutil.which("node") or "node", str(HERE / "oidc_server.mjs"), str(package)]) as said:
        origin = said["issuer"]
        yield Server(
            "oidc-provider",
            origin,
            lambda: fetch(f"{origin}/_control/show"),
            lambda action, client: fetch(f"{origin}/_control/{action}?client={client}"),
            "initial-access-token",
            secrets=("initial-access-token",),
        )


def oidc_package() -> Path | None:
    """`npm install oidc-provider` here, above, or in the folder that OIDC_PROVIDER names; None where nobody did."""
    named = os.environ.get("OIDC_PROVIDER")
    folders = [Path(named)] if named else [HERE, *HERE.parents]
    found = (folder / "node_modules" / "oidc-provider" for folder in folders)
    return next((path for path in found if (path / "package.json").is_file()), None)


def missing(name: str) -> str | None:
    """Why a server cannot be run here, in a word; None where it can."""
    if name == "toolkit" and find_spec("oauth2_provider") is None:
        return "django-oauth-toolkit is not installed (pip install -e '.[test]')"
    if name == "oidc-provider" and (oidc_package() is None or shutil.which("node") is None):
        return "oidc-provider is not installed (npm install --no-save oidc-provider)"
    return None


@contextmanager
def _program(command: list[str]) -> Iterator[dict[str, Any]]:
    """Started once; it ends when its standard input closes."""
    environ = {name: value for name, value in os.environ.items() if name != "NODE_OPTIONS"}
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environ) as server:
        assert server.stdout is not None
        assert server.stdin is not None
        try:
            yield json.loads(server.stdout.readline())
        finally:
            server.stdin.close()
            server.wait(10)


# -- a stack -----------------------------------------------------------------------------------------------------------


@dataclass
class Said:
    code: int
    out: str
    err: str

    @property
    def all(self) -> str:
        return f"exit {self.code}\n{self.out}\n{self.err}"


class Stack:
    """A folder with a desired-state file, and the command line in it. The test's own home and environment hold."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "stack"
        self.folder.mkdir(parents=True)
        self.environ: dict[str, str] = {}
        self.said: list[str] = []
        self._children: list[subprocess.Popen[str]] = []

    def write(self, text: str) -> None:
        (self.folder / "provisioner.toml").write_text(text, encoding="utf-8")

    def run(self, *words: str) -> Said:
        """In this process: a start-up costs more than the command."""
        out, err, before = io.StringIO(), io.StringIO(), Path.cwd()
        kept = dict(os.environ)
        os.environ.update(self.environ)
        os.chdir(self.folder)
        try:
            with redirect_stdout(out), redirect_stderr(err):
                code = main(list(words))
        finally:
            os.chdir(before)
            os.environ.clear()
            os.environ.update(kept)
        said = Said(code, out.getvalue(), err.getvalue())
        self.said += [said.out, said.err]
        return said

    def ok(self, *words: str, code: int = 0) -> str:
        said = self.run(*words)
        assert said.code == code, f"{' '.join(words)}: {said.all}"
        return said.out

    def apply(self, *words: str, code: int = 0) -> str:
        return self.ok("apply", "--auto-approve", *words, code=code)

    def plan(self, *words: str) -> dict[str, dict[str, Any]]:
        """The changes of a saved plan, by address; a deposed object's has its key behind a `#`."""
        self.ok("plan", *words, "--out", "it.plan")
        shown = json.loads(self.ok("show", "--json", "it.plan"))
        return {c["address"] + (f"#{c['deposed']}" if c.get("deposed") else ""): c for c in shown["resource_changes"]}

    def resources(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(self.ok("show", "--json"))["values"]["root_module"]["resources"]
        return found

    def values(self, address: str) -> dict[str, Any]:
        found: dict[str, Any] = next(
            r["values"] for r in self.resources() if r["address"] == address and not r.get("deposed")
        )
        return found

    def start(self, *words: str, **popen: Any) -> subprocess.Popen[str]:
        """In a process of its own: a command that waits for a person."""
        environ = {**os.environ, **self.environ, "PYTHONPATH": str(ROOT)}
        child = subprocess.Popen(
            [sys.executable, "-m", "provisioner", *words],
            cwd=self.folder,
            env=environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            **popen,
        )
        self._children.append(child)
        return child

    def close(self) -> None:
        """What a failed test left running."""
        for child in self._children:
            if child.poll() is None:
                child.kill()
                child.wait(10)
            for stream in (child.stdin, child.stdout, child.stderr):
                if stream is not None and not stream.closed:
                    stream.close()

    def written(self) -> dict[str, bytes]:
        """Everything that the program wrote: beside the file and in the user's home."""
        roots = (self.folder, Path(os.environ["HOME"]))
        return {str(p): p.read_bytes() for root in roots for p in root.rglob("*") if p.is_file()}


class Waiting:
    """`authorize` while it waits: what it says is read by threads, so that neither pipe fills up."""

    def __init__(self, stack: Stack, *words: str, **popen: Any) -> None:
        self.stack = stack
        self.child = stack.start("authorize", *words, **popen)
        self._out: list[str] = []
        self._err: list[str] = []
        self._told = threading.Condition()
        self._threads = [
            threading.Thread(target=self._read, args=(stream, into), daemon=True)
            for stream, into in ((self.child.stdout, self._out), (self.child.stderr, self._err))
        ]
        for thread in self._threads:
            thread.start()

    def _read(self, stream: Any, into: list[str]) -> None:
        for line in stream:
            with self._told:
                into.append(line)
                self._told.notify_all()
        with self._told:
            into.append("")  # the end
            self._told.notify_all()

    @property
    def url(self) -> str:
        """The first line of standard output, which is the URL alone."""
        with self._told:
            assert self._told.wait_for(lambda: self._out, 20)
            url = self._out[0].strip()
        assert re.fullmatch(r"https?://\S+", url), "".join(self._err)
        return url

    def code(self) -> str:
        """The code that the device page wants."""
        pattern = re.compile(r"code to type there: (\S+)")
        with self._told:
            assert self._told.wait_for(lambda: any(pattern.search(line) for line in self._err), 20)
            return next(found[1] for line in self._err if (found := pattern.search(line)))

    def paste(self, line: str) -> None:
        assert self.child.stdin is not None
        self.child.stdin.write(line + "\n")
        self.child.stdin.flush()

    def ended(self, seconds: float = 30) -> Said:
        code = self.child.wait(seconds)
        for thread in self._threads:
            thread.join(5)
        for stream in (self.child.stdin, self.child.stdout, self.child.stderr):
            if stream is not None:
                stream.close()
        said = Said(code, "".join(self._out), "".join(self._err))
        self.stack.said += [said.out, said.err]
        return said
