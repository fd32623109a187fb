"""The real terraform against the same server: it speaks this protocol, it respects our lock, and it leaves our state
alone."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from http_state_server import PASSWORD, USER, HttpStateServer
from journal_world import STACK, intent, run
from test_store_http import at, begun

from provisioner.errors import LockHeld, StateUntrusted
from provisioner.journal.journal import Journal
from provisioner.journal.locks import take_lock

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("terraform") is None, reason="terraform is not installed"),
]

MAIN = """
terraform {{
  backend "http" {{
    address        = "{url}"
    lock_address   = "{url}{lock}"
    unlock_address = "{url}{lock}"
    lock_method    = "{lock_method}"
    unlock_method  = "{unlock_method}"
  }}
}}
resource "terraform_data" "one" {{ input = "one" }}
"""


class Terraform:
    """A folder with one resource of terraform's own, whose state is kept at `url`."""

    def __init__(self, folder: Path, url: str, *, gitlab: bool) -> None:
        folder.mkdir()
        self.folder = folder
        lock = ("/lock", "POST", "DELETE") if gitlab else ("", "LOCK", "UNLOCK")
        text = MAIN.format(url=url, lock=lock[0], lock_method=lock[1], unlock_method=lock[2])
        (folder / "main.tf").write_text(text)

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        environ = {
            **os.environ,
            "TF_HTTP_USERNAME": USER,
            "TF_HTTP_PASSWORD": PASSWORD,
            "TF_HTTP_RETRY_MAX": "0",
            "CHECKPOINT_DISABLE": "1",
            "TF_IN_AUTOMATION": "1",
        }
        return subprocess.run(
            ["terraform", *words, "-no-color"],
            cwd=self.folder,
            env=environ,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )


@pytest.fixture(params=["terraform", "gitlab"])
def server(request: pytest.FixtureRequest) -> Iterator[HttpStateServer]:
    made = HttpStateServer(request.param)
    yield made
    made.stop()


def test_terraform_keeps_a_state_on_this_server(server: HttpStateServer, tmp_path: Path) -> None:
    """So what our tests run against is the protocol, and not our idea of it; and its state is none of ours."""
    terraform = Terraform(tmp_path / "tf", server.url("theirs"), gitlab=server.kind == "gitlab")
    assert terraform.run("init").returncode == 0
    applied = terraform.run("apply", "-auto-approve")
    assert "Apply complete! Resources: 1 added" in applied.stdout, applied.stderr
    assert terraform.run("plan", "-detailed-exitcode").returncode == 0
    with pytest.raises(StateUntrusted, match="no recorded state of provisioner"):
        at(server.url("theirs")).load()


def test_each_waits_for_the_others_lock(server: HttpStateServer, tmp_path: Path) -> None:
    """Ours stops terraform; its stops us, and we say whose it is."""
    terraform = Terraform(tmp_path / "tf", server.url("shared"), gitlab=server.kind == "gitlab")
    assert terraform.run("init").returncode == 0
    with take_lock(at(server.url("shared")), run()) as held:
        refused = terraform.run("apply", "-auto-approve")
        assert f"already locked: ID={held.info.id}" in " ".join(refused.stderr.split())
    (path,) = {p for method, p, *_ in server.log if method in ("LOCK", "POST")}
    theirs = {
        "ID": "an id of theirs",
        "Who": "bob@laptop",
        "Operation": "OperationTypeApply",
        "Created": "",
        "Info": "",
    }
    server.answer("POST" if server.kind == "gitlab" else "LOCK", path, json.dumps(theirs).encode())
    with pytest.raises(LockHeld, match=r"locked by bob on .* for (OperationTypeApply|another run)"):
        take_lock(at(server.url("shared")), run())


def test_terraform_does_not_write_over_our_state(server: HttpStateServer, tmp_path: Path) -> None:
    """Somebody copies the wrong address into a backend block: it says that it cannot read it, and stops."""
    with begun(at(server.url(STACK))) as journal:
        journal.append(intent(1))
    terraform = Terraform(tmp_path / "tf", server.url(STACK), gitlab=server.kind == "gitlab")
    terraform.run("init")
    refused = terraform.run("apply", "-auto-approve")
    assert refused.returncode == 1
    assert "state" in refused.stderr.lower()
    again = Journal.open(at(server.url(STACK)), stack=STACK, memory=None)
    assert again.state == journal.state
