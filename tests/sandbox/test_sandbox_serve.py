"""`sandbox serve`: the one JSON line, loopback only, quick, and gone when told."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
from sandbox_world import serving

from provisioner.sandbox.serve import description, listen, serve

SERVER = """
import json, sys
from pathlib import Path
from provisioner.sandbox.serve import serve
serve(0, Path(sys.argv[1]), lambda line: print(json.dumps(line), flush=True))
"""


def test_the_line_is_what_the_contract_says() -> None:
    """One flat object a vendor type; applications of SMS.CX as a list."""
    found = description("http://127.0.0.1:1234")
    assert {kind: sorted(account) for kind, account in found.items()} == {
        "eztexting": ["base_url", "card_last_four", "password", "username"],
        "smscx": ["api_key", "applications", "base_url"],
        "textmaster": ["base_url", "client_id", "client_secret", "redirect_uri"],
        "textking": ["base_url", "client_id", "client_secret", "redirect_uri"],
        "oauth2": ["base_url", "client_id", "client_secret", "initial_access_token", "issuer"],
    }
    assert found["oauth2"]["issuer"] == found["oauth2"]["base_url"] == "http://127.0.0.1:1234/oauth2"
    sender = found["smscx"]["applications"][0]
    assert (sorted(sender), sender["scopes"]) == (["client_id", "client_secret", "name", "scopes"], ["sms", "groups"])
    assert set("+/=") < set(found["textking"]["client_secret"])
    assert json.loads(json.dumps(found)) == found


def test_the_line_follows_the_panel(tmp_path: Path) -> None:
    """A sandbox that was used before announces its applications as they are now."""
    with serving(tmp_path) as world:
        first = world.sandbox.applications()[0]
        reset = world.sandbox.panel("smscx", "reset_secret", client_id=first["client_id"])
        line = description(world.base, world.sandbox)
        assert line["smscx"]["applications"][0]["client_secret"] == reset["client_secret"] != first["client_secret"]


def test_serve_is_ready_once_and_ends_when_told(tmp_path: Path) -> None:
    """`ready` gets the line when the port already answers."""
    stop, lines = threading.Event(), []

    def ready(line: dict[str, Any]) -> None:
        with socket.create_connection(("127.0.0.1", int(line["smscx"]["base_url"].split(":")[2].split("/")[0]))):
            lines.append(line)
        stop.set()

    serve(0, tmp_path, ready, stop=stop)
    assert len(lines) == 1


def test_sigterm_ends_it_cleanly(tmp_path: Path) -> None:
    """Exit 0, and nothing on standard error."""
    command = [sys.executable, "-c", SERVER, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        assert "oauth2" in json.loads(server.stdout.readline())
        server.send_signal(signal.SIGTERM)
        _, errors = server.communicate(timeout=10)
    assert (server.returncode, errors) == (0, "")


def test_a_taken_port_is_an_error(tmp_path: Path) -> None:
    """OSError, before anything is announced."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(OSError, match="in use"):
            serve(taken.getsockname()[1], tmp_path, lambda line: None)


def test_other_names_are_turned_away(tmp_path: Path) -> None:
    """DNS rebinding: a page of another site that resolves to loopback gets nothing, not even the ledger."""
    with serving(tmp_path) as world:
        for host in ("evil.example", "evil.example:80", "127.0.0.1.evil.example"):
            assert world.get("/_sandbox/ledger", headers={"Host": host}).status == 421
        assert world.get("/_sandbox/ledger", headers={"Host": "localhost:1"}).status == 200


def test_odd_requests_are_refused(tmp_path: Path) -> None:
    """Chunked, oversized and other-typed control bodies."""
    with serving(tmp_path) as world:
        assert world.post("/smscx/oauth/token", headers={"Transfer-Encoding": "chunked"}).status == 411
        assert world.post("/smscx/oauth/token", headers={"Content-Length": str(2 << 20)}).status == 413
        assert world.post("/_sandbox/clock", form={"offset": "1"}).status == 400
        assert world.get("/_sandbox/nothing").status == 404
        assert world.call("PUT", "/_sandbox/clock").status == 404


def test_control_over_http(tmp_path: Path) -> None:
    """The clock and the panel do what the methods do; wrong names and arguments are 400."""
    with serving(tmp_path) as world:
        assert world.post("/_sandbox/clock", json={"offset": 5401}).json() == {"offset": 5401.0}
        body = {"vendor": "eztexting", "action": "set_credits", "plan": 1, "anytime": 41}
        assert world.post("/_sandbox/panel", json=body).status == 200
        assert world.ez_balance() == 42
        world.ez_buy(8)
        assert world.post("/_sandbox/panel", json=body).status == 200
        assert world.ez_balance() == 42
        for wrong in (
            {"vendor": "eztexting", "action": "fly"},
            {"vendor": "nobody", "action": "fly"},
            {"vendor": "smscx", "action": "delete_application", "client_id": "x"},
            {"vendor": "smscx", "action": "create_application", "scopes": "nonsense"},
            {"vendor": "smscx", "action": "reset_secret"},
            {"action": "x"},
        ):
            assert world.post("/_sandbox/panel", json=wrong).status == 400
        panel = [entry for entry in world.get("/_sandbox/ledger").json()["entries"] if "panel." in entry["operation"]]
        assert len(panel) == 2


def test_keep_alive_does_not_wait_for_an_ack(tmp_path: Path) -> None:
    """A hundred requests over one connection take far less than a hundred times 40 ms."""
    with serving(tmp_path) as world:
        started = time.perf_counter()
        for _ in range(100):
            assert world.get("/textmaster/ping").status == 200
        assert time.perf_counter() - started < 2


def test_latency_is_added_where_asked(tmp_path: Path) -> None:
    """For measurements: every answer waits that long."""
    base, stop = listen(tmp_path, latency_ms=50)
    started = time.perf_counter()
    with urlopen(f"{base}/textmaster/ping") as answer:
        assert answer.status == 200
    assert time.perf_counter() - started >= 0.05
    stop()
