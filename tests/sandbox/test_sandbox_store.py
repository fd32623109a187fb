"""What the sandbox knows survives its processes, is shared by them, and holds no token."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

from sandbox_world import EZ, World, serving

from provisioner.sandbox.app import Sandbox, open_sandbox

JSON = {"Content-Type": "application/json"}
LOGIN = json.dumps({"appKey": EZ["username"], "appSecret": EZ["password"]}).encode()
CREATE = "http://sandbox.invalid/eztexting/v1/tokens/create"
REFRESH = "http://sandbox.invalid/eztexting/v1/tokens/refresh"

# buys for ever, one line for each purchase that it knows of
BUYER = """
import base64, json, sys
from pathlib import Path
from provisioner.sandbox.accounts import ACCOUNTS
from provisioner.sandbox.app import open_sandbox
sandbox, ez = open_sandbox(Path(sys.argv[1])), ACCOUNTS["eztexting"]
pair = base64.b64encode(f"{ez['username']}:{ez['password']}".encode()).decode()
head = {"Content-Type": "application/json", "Authorization": f"Basic {pair}"}
body = json.dumps({"credits": 7, "creditCardLastFour": ez["card_last_four"]}).encode()
while True:
    answer = sandbox.handle("POST", "http://sandbox.invalid/eztexting/v1/credits/purchase", head, body)
    print(answer[0], flush=True)
"""
REFRESHER = """
import json, sys
from pathlib import Path
from provisioner.sandbox.app import open_sandbox
sandbox = open_sandbox(Path(sys.argv[1]))
sys.stdin.readline()
body = json.dumps({"refreshToken": sys.argv[2]}).encode()
url = "http://sandbox.invalid/eztexting/v1/tokens/refresh"
print(sandbox.handle("POST", url, {"Content-Type": "application/json"}, body)[0])
"""


def spawn(code: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def create(sandbox: Sandbox) -> dict[str, str]:
    return dict(json.loads(sandbox.handle("POST", CREATE, JSON, LOGIN)[2]))


def refresh(sandbox: Sandbox, token: str) -> int:
    return sandbox.handle("POST", REFRESH, JSON, json.dumps({"refreshToken": token}).encode())[0]


def test_a_killed_process_loses_nothing_that_was_answered(tmp_path: Path) -> None:
    """SIGKILL in the middle of buying: every answered purchase is in the ledger, and at most one more."""
    with spawn(BUYER, str(tmp_path)) as buyer:
        assert buyer.stdout is not None
        answered = [buyer.stdout.readline().strip() for _ in range(50)]
        buyer.send_signal(signal.SIGKILL)
        answered += buyer.stdout.read().split()
    sandbox = open_sandbox(tmp_path)
    bought = len(sandbox.purchases())
    assert set(answered) == {"200"}
    assert len(answered) <= bought <= len(answered) + 1
    sandbox.close()


def test_two_processes_refresh_one_token_and_one_wins(tmp_path: Path) -> None:
    """A vendor has one memory, however many processes embed it."""
    sandbox = open_sandbox(tmp_path)
    token = create(sandbox)["refreshToken"]
    racers = [spawn(REFRESHER, str(tmp_path), token) for _ in range(3)]
    outs = [racer.communicate("go\n")[0].strip() for racer in racers]
    assert sorted(outs) == ["200", "401", "401"]
    sandbox.close()


def test_threads_refresh_one_token_and_one_wins(tmp_path: Path) -> None:
    """The same within a process."""
    sandbox = open_sandbox(tmp_path)
    token = create(sandbox)["refreshToken"]
    found: list[int] = []
    threads = [threading.Thread(target=lambda: found.append(refresh(sandbox, token))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == [200, *[401] * 7]
    sandbox.close()


def test_closing_and_opening_again_changes_nothing(tmp_path: Path) -> None:
    """Tokens, switches, the clock and the ledger are all durable."""
    first = open_sandbox(tmp_path)
    pair = create(first)
    first.set_switch("eztexting.revoke", "one")
    first.set_clock(100)
    before = (first.ledger(), first.live_tokens(), first.switches())
    first.close()
    again = open_sandbox(tmp_path)
    assert (again.ledger(), again.live_tokens(), again.switches()) == before
    assert refresh(again, pair["refreshToken"]) == 200
    again.close()


def test_files_are_private_and_hold_no_token(tmp_path: Path) -> None:
    """0700, parents too, and 0600 under any umask; no token, code or made secret stands in any file."""
    folder = tmp_path / "beside" / "sandbox"
    before = os.umask(0)
    try:
        open_sandbox(folder).close()
    finally:
        os.umask(before)
    assert stat.S_IMODE(folder.parent.stat().st_mode) == 0o700
    with serving(folder) as world:
        secrets = _secrets_of_everything(world)
        world.sandbox.panel("smscx", "create_application", name="n", scopes="otp")
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        files = sorted(folder.iterdir())
        assert "sandbox.db" in {path.name for path in files}
        for path in files:
            assert stat.S_IMODE(path.stat().st_mode) == 0o600, path.name
            content = path.read_bytes()
            assert not [secret for secret in secrets if secret.encode() in content], path.name


def _secrets_of_everything(world: World) -> list[str]:
    made = world.sandbox.panel("smscx", "create_application", name="n", scopes="otp")
    registered = world.idp_register().json()
    answers = (world.ez_pair(), world.cx_token().json(), world.tm_pair(), world.tk_pair(), world.idp_pair())
    tokens = [
        str(value)
        for answer in answers
        for name, value in answer.items()
        if name in {"accessToken", "refreshToken", "access_token", "refresh_token"}
    ]
    assert len(tokens) == 9
    return [*tokens, world.tm_code(), made["client_secret"], registered["client_secret"],
            registered["registration_access_token"]]  # fmt: skip


def test_a_thousand_tokens_a_second(tmp_path: Path) -> None:
    """The sandbox is never what a benchmark measures. The best of three, for the sake of busy machines."""
    sandbox = open_sandbox(tmp_path)
    spans = []
    for _ in range(3):
        started = time.perf_counter()
        for _ in range(300):
            create(sandbox)
        spans.append(time.perf_counter() - started)
    assert min(spans) < 0.3
    sandbox.close()
