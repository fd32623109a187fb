"""`authorize` as a person and a pipeline meet it: TextMaster by pasting, TEXTKING by loopback, any OAuth server."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import stat
import sys
import time
import urllib.request
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from oauth_browser import Person
from oauth_rig import Said, Server, Stack, Waiting, fetch

from provisioner.sandbox.accounts import ACCOUNTS, OAUTH2_PUBLIC_CLIENT

TM = """
[providers.tm]
type = "textmaster"
base_url = "BASE/textmaster"

[applications.desk]
provider = "tm"
client_id = { env = "TM_CLIENT_ID" }
client_secret = { env = "TM_CLIENT_SECRET" }
redirect_uri = "urn:ietf:wg:oauth:2.0:oob"
scopes = ["project:read", "user:read"]
"""

TK = """
[providers.tk]
type = "textking"
base_url = "BASE/textking"

[applications.desk]
provider = "tk"
client_id = { env = "TK_CLIENT_ID" }
client_secret = { env = "TK_CLIENT_SECRET" }
redirect_uri = "http://127.0.0.1/callback"
"""

IDP = """
[providers.idp]
type = "oauth2"
issuer = "BASE/oauth2"

[applications.desk]
provider = "idp"
client_id = { env = "IDP_CLIENT_ID" }
client_secret = { env = "IDP_CLIENT_SECRET" }
redirect_uri = "http://127.0.0.1/callback"
scopes = ["credits:read"]
"""

PUBLIC = IDP.replace('{ env = "IDP_CLIENT_ID" }', f'"{OAUTH2_PUBLIC_CLIENT}"').replace(
    'client_secret = { env = "IDP_CLIENT_SECRET" }\n', ""
)
VENDORS = {"textmaster": TM, "textking": TK, "oauth2": IDP}


@pytest.fixture
def base(embedded: Server) -> str:
    return embedded.issuer.removesuffix("/oauth2")


def declare(stack: Stack, base: str, text: str) -> None:
    stack.environ |= {
        "TM_CLIENT_ID": ACCOUNTS["textmaster"]["client_id"],
        "TM_CLIENT_SECRET": ACCOUNTS["textmaster"]["client_secret"],
        "TK_CLIENT_ID": ACCOUNTS["textking"]["client_id"],
        "TK_CLIENT_SECRET": ACCOUNTS["textking"]["client_secret"],
        "IDP_CLIENT_ID": ACCOUNTS["oauth2"]["client_id"],
        "IDP_CLIENT_SECRET": ACCOUNTS["oauth2"]["client_secret"],
    }
    stack.write(text.replace("BASE", base))


def authorize(stack: Stack, *words: str, approve: bool = True) -> Said:
    """A person who does what the page asks, and pastes the code where it shows one."""
    waiting = Waiting(stack, *(words or ("desk",)), "--no-browser", "--timeout", "20s")
    page = Person().decide(waiting.url, approve=approve)
    shown = re.search(r'id="code"[^>]*>([^<]+)<', page.text)
    if shown or "oob" in waiting.url:
        waiting.paste(shown[1] if shown else "")
    return waiting.ended()


def journal(stack: Stack) -> list[dict[str, str]]:
    return [json.loads(line) for line in stack.ok("history", "--json").splitlines()]


@pytest.mark.parametrize("vendor", [*VENDORS, "public"])
def test_one_command_and_one_consent(stack: Stack, base: str, vendor: str) -> None:
    """Standard output holds the URL alone; the first authorization needs no apply before it, and afterwards an apply
    needs nobody. A public client, which may not introspect, is no refused credential."""
    declare(stack, base, {**VENDORS, "public": PUBLIC}[vendor])
    said = authorize(stack)
    assert said.code == 0, said.all
    assert re.fullmatch(rf"{base}/\S+\n", said.out)
    assert "token.desk is authorized and recorded." in said.err
    assert ("Granted: project:read, user:read." in said.err) == (vendor == "textmaster")
    stack.apply()
    assert "No changes." in stack.ok("plan", "--detailed-exitcode")
    stack.ok("token", "desk")


@pytest.mark.parametrize("vendor", VENDORS)
def test_a_denial_leaves_nothing(stack: Stack, base: str, vendor: str) -> None:
    """Exit 8, and the recorded state was never begun."""
    declare(stack, base, VENDORS[vendor])
    assert authorize(stack, approve=False).code == 8
    assert journal(stack) == []


@pytest.mark.parametrize("vendor", VENDORS)
def test_nobody_comes(stack: Stack, base: str, vendor: str) -> None:
    """Exit 3 at the deadline, with the command to run; nothing is recorded."""
    declare(stack, base, VENDORS[vendor])
    began = time.monotonic()
    said = Waiting(stack, "desk", "--no-browser", "--timeout", "1s").ended()
    assert time.monotonic() - began < 10
    assert said.code == 3, said.all
    assert "E0710 authorize-timeout" in said.err
    assert "provisioner authorize desk" in said.err
    assert journal(stack) == []


@pytest.mark.parametrize("vendor", VENDORS)
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_gives_up(stack: Stack, base: str, vendor: str, sent: signal.Signals) -> None:
    """Exit 130, no lock is left, nothing is recorded, no traceback."""
    declare(stack, base, VENDORS[vendor])
    waiting = Waiting(stack, "desk", "--no-browser", "--timeout", "20s")
    assert waiting.url
    time.sleep(0.2)  # until it waits
    waiting.child.send_signal(sent)
    said = waiting.ended()
    assert said.code == 130, said.all
    assert "Traceback" not in said.err
    assert stack.ok("state", "lock", "--json").strip() == "null"
    assert journal(stack) == []


def answered(redirect_uri: str, **query: str) -> int:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"{redirect_uri}?{urlencode(query)}", timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code


@pytest.mark.slow
def test_somebody_elses_answer_is_not_taken(stack: Stack, base: str) -> None:
    """A wrong state ends it with 8 a little later: no token request is sent (RFC 9700 section 4.7)."""
    declare(stack, base, IDP)
    waiting = Waiting(stack, "desk", "--no-browser", "--timeout", "20s")
    redirect_uri = parse_qs(urlsplit(waiting.url).query)["redirect_uri"][0]
    assert answered(redirect_uri, code="injected", state="not-the-one") == 400
    said = waiting.ended()
    assert said.code == 8, said.all
    assert "its state is not the one that was sent" in said.err
    assert [e for e in fetch(f"{base}/_sandbox/ledger")["entries"] if e["operation"] == "token.create"] == []


@pytest.mark.parametrize(
    ("query", "code", "message"),
    [
        ({"code": "c", "iss": "https://evil.invalid"}, 8, "another issuer"),
        ({"code": "c"}, 8, "issuer-mismatch"),  # the metadata announces that iss comes: its absence is a mix-up too
        ({"error": "access_denied", "iss": "ISSUER"}, 8, "the authorization was denied"),
        ({"error": "invalid_scope", "iss": "ISSUER"}, 1, "invalid_scope"),
        ({"code": "never-issued", "iss": "ISSUER"}, 1, "invalid_grant"),
    ],
)
def test_an_answer_is_judged_before_it_is_believed(
    stack: Stack, base: str, query: dict[str, str], code: int, message: str
) -> None:
    """State, issuer (RFC 9207), error, and only then the code; an invented one ends at the server."""
    declare(stack, base, IDP)
    waiting = Waiting(stack, "desk", "--no-browser", "--timeout", "20s")
    asked = parse_qs(urlsplit(waiting.url).query)
    given = {name: value.replace("ISSUER", f"{base}/oauth2") for name, value in query.items()}
    answered(asked["redirect_uri"][0], state=asked["state"][0], **given)
    said = waiting.ended()
    assert said.code == code, said.all
    assert message in said.err


def test_every_request_has_its_own_state_and_verifier(stack: Stack, base: str) -> None:
    """RFC 9700 section 2.1.1 and RFC 8252 section 8.1: S256, fresh each time, the loopback address by number."""
    declare(stack, base, IDP)
    seen = []
    for _ in range(2):
        waiting = Waiting(stack, "desk", "--no-browser", "--timeout", "1s")
        seen.append(parse_qs(urlsplit(waiting.url).query))
        waiting.ended()
    assert seen[0]["state"] != seen[1]["state"]
    assert seen[0]["code_challenge"] != seen[1]["code_challenge"]
    assert {one["code_challenge_method"][0] for one in seen} == {"S256"}
    assert all(re.fullmatch(r"http://127\.0\.0\.1:\d+/callback", one["redirect_uri"][0]) for one in seen)


def test_a_declared_port_is_the_one_that_is_listened_on(stack: Stack, base: str) -> None:
    """For servers that take no other; where something else listens there, that is said before anybody is asked (4)."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    declare(stack, base, IDP.replace("127.0.0.1/callback", f"127.0.0.1:{port}/callback"))
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", port))
        taken.listen()
        said = stack.run("authorize", "desk", "--no-browser")
        assert (said.code, "cannot be listened on" in said.err, said.out) == (4, True, "")
    waiting = Waiting(stack, "desk", "--no-browser", "--timeout", "20s")
    assert parse_qs(urlsplit(waiting.url).query)["redirect_uri"] == [f"http://127.0.0.1:{port}/callback"]
    Person().decide(waiting.url)
    assert waiting.ended().code == 0


def test_the_exchange_in_doubt_is_recorded_as_lost(stack: Stack, base: str) -> None:
    """The server took the code and its answer never came: exit 3, and a token that may live is kept in sight with how a
    person kills it. The next authorization is good."""
    declare(stack, base, IDP)
    fetch(
        f"{base}/_sandbox/faults", {"vendor": "oauth2", "operation": "token.create", "kind": "reset", "when": "after"}
    )
    said = authorize(stack)
    assert said.code == 3, said.all
    assert "authorize once more" in said.err
    (lost,) = [r["values"] for r in stack.resources() if r["type"] == "token"]
    assert (lost["status"], lost["fingerprint"]) == ("lost", None)
    assert authorize(stack).code == 0
    assert stack.values("token.desk")["status"] == "live"


@pytest.mark.parametrize("switch", [{"textmaster.granted_scope": "public"}])
def test_fewer_scopes_are_named(stack: Stack, base: str, switch: dict[str, str]) -> None:
    """Kept and recorded as granted, exit 3; later plans warn and do not ask again."""
    declare(stack, base, TM)
    fetch(f"{base}/_sandbox/switches", switch)
    said = authorize(stack)
    assert said.code == 3, said.all
    assert "granted without project:read, user:read" in said.err
    assert stack.values("token.desk")["scopes"] == ["public"]
    stack.apply()
    said = stack.run("plan", "--detailed-exitcode")
    assert (said.code, "W0302 scopes-narrower-kept" in said.all) == (0, True)


def test_consumers_are_authorized_one_by_one(stack: Stack, base: str) -> None:
    """Each by its name or by the address that plans show; none at all is a question of which (4)."""
    declare(stack, base, TM + 'consumers = ["web", "worker"]\n')
    said = stack.run("authorize", "desk")
    assert (said.code, "web, worker" in said.err) == (4, True)
    assert authorize(stack, "desk", "--consumer", "web").code == 0
    stack.apply(code=3)
    instructions = stack.plan()['token.desk["worker"]']["handoff"]["instructions"][0]
    assert "--consumer" in instructions
    assert authorize(stack, 'token.desk["worker"]').code == 0
    stack.apply()
    assert {r["address"] for r in stack.resources() if r["type"] == "token"} == {
        'token.desk["web"]',
        'token.desk["worker"]',
    }


@pytest.mark.parametrize("vendor", VENDORS)
def test_a_user_who_withdraws_is_found_out(stack: Stack, base: str, vendor: str) -> None:
    """Drift tells it; apply tries the refresh token, exits 3 with the command to run, and the plan says it."""
    fetch(f"{base}/_sandbox/switches", {"textking.error_body": "json"})  # else the refusal has no reason
    declare(stack, base, VENDORS[vendor])
    authorize(stack)
    stack.apply()
    more = {"client_id": ACCOUNTS["oauth2"]["client_id"]} if vendor == "oauth2" else {}
    fetch(f"{base}/_sandbox/panel", {"vendor": vendor, "action": "revoke", **more})
    assert "no longer accepts it" in stack.ok("drift", "--detailed-exitcode", code=2)
    said = stack.run("apply", "--auto-approve")
    assert said.code == 3, said.all
    assert "provisioner authorize desk" in said.all
    assert stack.values("token.desk")["status"] == "unauthorized"
    change = stack.plan()["token.desk"]
    assert change["change"]["before"]["status"] == "unauthorized"
    assert change["handoff"]["instructions"] == ["Run `provisioner authorize desk` and approve in the browser."]
    assert stack.run("token", "desk").code == 3
    assert authorize(stack).code == 0
    stack.apply()
    assert "No changes." in stack.ok("plan")


def test_the_browser_that_is_named_gets_the_url(stack: Stack, base: str) -> None:
    """BROWSER is opened with the URL, --no-browser opens none, and the URL is printed either way."""
    declare(stack, base, IDP)
    seen = stack.folder / "seen"
    program = stack.folder / "browser"
    program.write_text(f"#!{sys.executable}\nimport sys\nopen({str(seen)!r}, 'w').write(sys.argv[1])\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    stack.environ["BROWSER"] = str(program)
    waiting = Waiting(stack, "desk", "--timeout", "2s")
    url = waiting.url
    waiting.ended()
    assert seen.read_text() == url
    seen.unlink()
    Waiting(stack, "desk", "--no-browser", "--timeout", "1s").ended()
    assert not seen.exists()


def test_nothing_secret_is_said_or_written(stack: Stack, base: str) -> None:
    """Not the code, the verifier, the tokens, nor the client's secret: not in output, files, or the process list."""
    declare(stack, base, TM)
    waiting = Waiting(stack, "desk", "--no-browser", "--timeout", "20s")
    page = Person().decide(waiting.url)
    shown = re.search(r'id="code"[^>]*>([^<]+)<', page.text)
    assert shown
    status = Path(f"/proc/{waiting.child.pid}/cmdline")
    arguments = status.read_bytes() if status.exists() else b""
    waiting.paste(shown[1])
    assert waiting.ended().code == 0
    token = stack.run("token", "desk").out.strip()
    stack.said.pop()
    stack.said.pop()
    written = {name: data for name, data in stack.written().items() if "browser" not in name}
    for secret in (shown[1], token, os.environ.get("TM_CLIENT_SECRET") or ACCOUNTS["textmaster"]["client_secret"]):
        assert secret not in "".join(stack.said)
        assert secret.encode() not in arguments
        assert [name for name, data in written.items() if secret.encode() in data] == []


def test_the_sandbox_in_process_is_served_while_a_person_looks(stack: Stack) -> None:
    """base_url = "sandbox" has no port of its own: one is opened for the page, under the issuer's own name."""
    stack.write(
        '[providers.idp]\ntype = "oauth2"\nbase_url = "sandbox"\n\n[applications.desk]\nprovider = "idp"\n'
        'redirect_uri = "http://127.0.0.1/callback"\nscopes = ["credits:read"]\n'
    )
    stack.apply(code=3)
    said = authorize(stack)
    assert said.code == 0, said.all
    assert "No changes." in stack.ok("plan")


def test_a_pipeline_needs_the_state_and_its_key_alone(stack: Stack, base: str, tmp_path: Path) -> None:
    """On another machine, with no browser, no home of the person's and no memory: the pair is renewed there, and the
    first machine then reads the renewed one."""
    declare(stack, base, IDP)
    assert authorize(stack).code == 0
    identity = next(Path(os.environ["HOME"]).rglob("identity.txt")).read_text()
    recipient = re.search(r"age1\w+", identity + "".join(stack.said))
    assert recipient
    there = Stack(tmp_path / "there")
    (stack.folder / "state").rename(there.folder / "state")
    declare(there, base, IDP)
    there.write(
        (there.folder / "provisioner.toml").read_text() + f'\n[state.encryption]\nrecipients = ["{recipient[0]}"]\n'
    )
    home = str(tmp_path / "elsewhere")
    folders = {"HOME": home, "XDG_CONFIG_HOME": f"{home}/.config", "XDG_STATE_HOME": f"{home}/.state"}
    there.environ |= {"CI": "true", "PROVISIONER_IDENTITY": identity, **folders}
    before = there.values("token.desk")["fingerprint"]
    there.ok("token", "desk", "--min-ttl", "300d", code=3)  # renewed, and no token lives that long
    after = there.values("token.desk")
    assert (after["fingerprint"] != before, after["status"], after["generation"]) == (True, "live", 2)
    there.apply()
    assert "No changes." in there.ok("plan", "--detailed-exitcode")
