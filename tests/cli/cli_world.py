"""A folder with a desired-state file, a home of its own, the sandbox on a port, and the command line as a
subprocess."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from provisioner.sandbox.accounts import ACCOUNTS
from provisioner.sandbox.serve import listen

ROOT = Path(__file__).parent.parent.parent

ENVIRONMENT = {
    "EZ_USERNAME": ACCOUNTS["eztexting"]["username"],
    "EZ_PASSWORD": ACCOUNTS["eztexting"]["password"],
    "EZ_CARD_LAST_FOUR": ACCOUNTS["eztexting"]["card_last_four"],
    "SMSCX_API_KEY": ACCOUNTS["smscx"]["api_key"],
    "TM_CLIENT_ID": ACCOUNTS["textmaster"]["client_id"],
    "TM_CLIENT_SECRET": ACCOUNTS["textmaster"]["client_secret"],
    "TK_CLIENT_ID": ACCOUNTS["textking"]["client_id"],
    "TK_CLIENT_SECRET": ACCOUNTS["textking"]["client_secret"],
    "IDP_INITIAL_ACCESS_TOKEN": ACCOUNTS["oauth2"]["initial_access_token"],
}

SECRETS = [
    value for name, value in ENVIRONMENT.items() if name not in ("EZ_CARD_LAST_FOUR", "TM_CLIENT_ID", "TK_CLIENT_ID")
]

EZ = """
[providers.ez]
type = "eztexting"
base_url = "{base}/eztexting"
username = {{ env = "EZ_USERNAME" }}
password = {{ env = "EZ_PASSWORD" }}

[applications.texts]
provider = "ez"
"""

FLOOR = """
[credits.ez]
provider = "ez"
minimum = {minimum}
pack = 500
max_per_apply = 3000
card_last_four = {{ env = "EZ_CARD_LAST_FOUR" }}
"""

CX = """
[providers.cx]
type = "smscx"
base_url = "{base}/smscx"
api_key = {{ env = "SMSCX_API_KEY" }}

[applications.campaigns]
provider = "cx"
name = "Campaign sender"
scopes = ["sms", "groups"]
token_lifetime = "1d"
consumers = ["web", "worker"]
"""

TM = """
[providers.tm]
type = "textmaster"
base_url = "{base}/textmaster"

[applications.translations]
provider = "tm"
client_id = {{ env = "TM_CLIENT_ID" }}
client_secret = {{ env = "TM_CLIENT_SECRET" }}
redirect_uri = "urn:ietf:wg:oauth:2.0:oob"
scopes = ["user:read", "project:read"]
"""

TK = """
[providers.tk]
type = "textking"
base_url = "{base}/textking"

[applications.copywriting]
provider = "tk"
client_id = {{ env = "TK_CLIENT_ID" }}
client_secret = {{ env = "TK_CLIENT_SECRET" }}
redirect_uri = "http://127.0.0.1/callback"
"""

IDP = """
[providers.idp]
type = "oauth2"
issuer = "{base}/oauth2"
initial_access_token = {{ env = "IDP_INITIAL_ACCESS_TOKEN" }}

[token_policies.default]
overlap = "0s"

[applications.worker]
provider = "idp"
for_each = ["eu", "us"]
"""


class World:
    """`said` keeps all that was printed, for the canary hunt."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "stack"
        self.folder.mkdir()
        self.home = folder / "home"
        self.base, self.stop = listen(folder / "sandbox")
        kept = {name: value for name, value in os.environ.items() if not name.startswith("XDG_")}
        self.environ = {**kept, **ENVIRONMENT, "HOME": str(self.home), "PYTHONPATH": str(ROOT), "USER": "tester"}
        self.said: list[str] = []

    def write(self, *parts: str, name: str = "provisioner.toml", **values: Any) -> None:
        text = "\n".join(parts).format(base=self.base, **values)
        (self.folder / name).write_text(text, encoding="utf-8")

    def run(
        self, *words: str, env: Mapping[str, str | None] | None = None, stdin: str = ""
    ) -> subprocess.CompletedProcess[str]:
        environ = {k: v for k, v in {**self.environ, **(env or {})}.items() if v is not None}
        ended = subprocess.run(
            [sys.executable, "-m", "provisioner", *words],
            cwd=self.folder,
            env=environ,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        self.said += [ended.stdout, ended.stderr]
        return ended

    def ok(self, *words: str, code: int = 0, env: Mapping[str, str | None] | None = None) -> str:
        """Standard output of a run that ended with `code`."""
        ended = self.run(*words, env=env)
        assert ended.returncode == code, f"{words}: exit {ended.returncode}\n{ended.stdout}\n{ended.stderr}"
        return ended.stdout

    def state(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.ok("show", "--json"))
        return found

    def values(self, address: str) -> dict[str, Any]:
        """The values of what serves at an address."""
        resources = self.state()["values"]["root_module"]["resources"]
        found: dict[str, Any] = next(r["values"] for r in resources if r["address"] == address and not r.get("deposed"))
        return found

    def control(self, name: str, **given: Any) -> Any:
        """What tests do to the sandbox: its clock, its panel, its faults."""
        request = urllib.request.Request(
            f"{self.base}/_sandbox/{name}", json.dumps(given).encode(), {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)

    def ledger(self) -> dict[str, Any]:
        with urllib.request.urlopen(f"{self.base}/_sandbox/ledger", timeout=10) as answer:
            found: dict[str, Any] = json.load(answer)
            return found

    def written(self) -> dict[str, bytes]:
        """Everything that the program wrote: beside the file and in the user's home."""
        roots = (self.folder, self.home)
        return {str(p): p.read_bytes() for root in roots if root.exists() for p in root.rglob("*") if p.is_file()}


def lines(stream: str) -> list[dict[str, Any]]:
    """A stream of JSON lines."""
    return [json.loads(line) for line in stream.splitlines()]


def from_terminal(ours: int) -> Iterator[bytes]:
    """What a program writes to the other end of a pseudo-terminal, until it has ended."""
    while True:
        try:
            data = os.read(ours, 65536)
        except OSError:  # the other end is closed
            return
        if not data:
            return
        yield data
