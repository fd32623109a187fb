"""Contract section 3: every command, its codes and its output.

Every docstring is the sentence of the contract which the test checks.
"""

from __future__ import annotations

import base64
import json
import os
import re
import signal
import subprocess
import time
import urllib.request
from typing import TYPE_CHECKING

import pytest
from acc_messaging import cx_tables, ez_tables, idp_tables, messaging
from acc_stack import CODE, Stack, summary

if TYPE_CHECKING:
    from pathlib import Path

    from acc_eztexting import EzTexting
    from acc_oauth import OAuth
    from acc_smscx import SmsCx


def test_alone(stack: Stack) -> None:
    """Alone: help, exit 4; an unknown command or flag: 4, with a suggestion."""
    ran = stack.run(code=4)
    assert "plan" in ran.text
    assert "plan" in stack.run("pln", code=4).text
    assert "--detailed-exitcode" in stack.run("plan", "--detailed-exitcod", code=4).text
    stack.run("--help")
    stack.run("plan", "-h")
    stack.run("token", code=4)


def test_no_file(stack: Stack) -> None:
    """The desired-state file is wrong (missing): 4."""
    for words in (["plan"], ["validate"], ["apply", "--auto-approve"], ["show"]):
        assert "provisioner.toml" in stack.run(*words, code=4).text


@pytest.mark.parametrize("kinds", [["eztexting"], ["smscx", "textmaster", "textking", "oauth2"]])
def test_init(stack: Stack, kinds: list[str]) -> None:
    """`init [TYPE...]` writes a commented starter file for the provider types named; `validate` takes it."""
    stack.run("init", *kinds)
    text = (stack.folder / "provisioner.toml").read_text()
    assert "#" in text
    assert all(kind in text for kind in kinds)
    stack.run("validate")
    stack.run("init", "nonsense", code=4)


def test_schema(stack: Stack) -> None:
    """`schema`: the JSON Schema of the desired-state file (`--state` of the recorded state)."""
    assert "properties" in stack.run("schema").json()
    assert stack.run("schema", "--state").json()


def test_small_commands(stack: Stack) -> None:
    """`providers`, `version`, `completion`: what each provider can and cannot do; versions; shell completion."""
    assert re.search(r"provisioner \d+\.\d+\.\d+", stack.run("version").stdout)
    out = stack.run("providers").stdout
    for name in ("eztexting", "smscx", "textmaster", "textking", "oauth2"):
        assert name in out
    for shell in ("bash", "zsh", "fish"):
        assert "provisioner" in stack.run("completion", shell).stdout


def test_token(stack: Stack, ez: EzTexting, cx: SmsCx, idp: OAuth) -> None:
    """`token ADDRESS [--min-ttl D] [--format raw|json|header]`; `application.` before a name does no harm."""
    messaging(stack, ez, cx, idp)
    stack.run("apply", "--auto-approve")
    secret = ez.live[0].access
    for address in ("texts", "token.texts", "application.texts"):
        assert stack.run("token", address).stdout == secret + "\n"
    assert stack.run("token", "texts", "--format", "header").stdout == f"Authorization: Bearer {secret}\n"
    assert stack.run("token", "texts", "--format", "raw").stdout.strip() == secret
    found = stack.run("token", 'token.campaigns["web"]', "--format", "json").json()
    assert found["access_token"] in {t.access for t in cx.live}
    assert stack.run("token", 'worker["eu"]').stdout.strip() in {t.access for t in idp.live}
    stack.run("token", "token.nobody", code=4)
    stack.run("token", "credits.ez", code=4)
    stack.run("token", "texts", "--format", "xml", code=4)


def test_output(stack: Stack, ez: EzTexting, cx: SmsCx) -> None:
    """`output [ADDRESS] [--format json|dotenv|github|k8s]` hands tokens to whoever consumes them."""
    stack.write(ez_tables(stack, ez) + cx_tables(stack, cx))
    stack.run("apply", "--auto-approve")
    secret = ez.live[0].access
    everything = stack.run("output", "--format", "json").stdout
    assert secret in everything
    assert all(token.access in everything for token in cx.live)
    assert isinstance(json.loads(everything), dict)
    assert secret in stack.run("output", "texts", "--format", "json").stdout
    dotenv = stack.run("output", "--format", "dotenv").stdout
    names = dict(line.split("=", 1) for line in dotenv.splitlines() if line and not line.startswith("#"))
    assert names["TOKEN_TEXTS"].strip("'\"") == secret
    assert {"TOKEN_CAMPAIGNS_WEB", "TOKEN_CAMPAIGNS_WORKER"} <= set(names)
    shell = subprocess.run(
        ["sh", "-c", '. ./ours; printf %s "$TOKEN_TEXTS"'],
        cwd=_kept(stack, dotenv),
        capture_output=True,
        text=True,
        check=True,
    )
    assert shell.stdout == secret
    github = stack.run("output", "--format", "github").stdout
    assert secret in github
    manifest = stack.run("output", "--format", "k8s").stdout
    assert "kind" in manifest
    assert "Secret" in manifest
    assert secret in manifest or base64.b64encode(secret.encode()).decode() in manifest
    stack.run("output", "token.nobody", code=4)


def _kept(stack: Stack, text: str) -> Path:
    (stack.folder / "ours").write_text(text)
    return stack.folder


def test_run(stack: Stack, ez: EzTexting, cx: SmsCx) -> None:
    """`run [--application A]... -- COMMAND` runs a command with the tokens in its environment, and in no process's
    arguments; its exit code is the command's."""
    stack.write(ez_tables(stack, ez) + cx_tables(stack, cx))
    stack.run("apply", "--auto-approve")
    out = stack.run(
        "run", "--", "sh", "-c", 'test -n "$TOKEN_TEXTS" && test -n "$TOKEN_CAMPAIGNS_WEB" && echo both'
    ).stdout
    assert out == "both\n"
    only = stack.run("run", "--application", "texts", "--", "sh", "-c", 'echo "[$TOKEN_CAMPAIGNS_WEB]"').stdout
    assert only == "[]\n"
    stack.run("run", "--", "sh", "-c", "exit 7", code=7)
    stack.run("run", "--", "no-such-command-at-all", code=None)
    seen = stack.run("run", "--", "sh", "-c", "cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' '", code=None).stdout
    assert "provisioner" in seen
    stack.hunt(ez.secrets | cx.secrets)


def test_state_commands(stack: Stack, ez: EzTexting, cx: SmsCx) -> None:
    """`state list`, `state show ADDRESS`, `state pull`: look at the recorded state."""
    stack.write(ez_tables(stack, ez) + cx_tables(stack, cx))
    stack.run("apply", "--auto-approve")
    assert set(stack.run("state", "list").stdout.split()) == {
        *("token.texts", "credits.ez", "application.campaigns", 'token.campaigns["web"]', 'token.campaigns["worker"]')
    }
    assert "fingerprint" in stack.run("state", "show", "token.texts").stdout
    assert stack.run("state", "pull").json()
    stack.run("state", "show", "token.nobody", code=4)
    stack.run("state", "verify")
    stack.hunt(ez.secrets | cx.secrets)


def test_state_edits(stack: Stack, ez: EzTexting, cx: SmsCx) -> None:
    """`state mv FROM TO`, `state rm ADDRESS`: edits are recorded like any other change, and send nothing."""
    stack.write(ez_tables(stack, ez) + cx_tables(stack, cx))
    stack.run("apply", "--auto-approve")
    sent = len(ez.requests) + len(cx.requests)
    stack.run("state", "mv", "application.campaigns", "application.sender")
    addresses = {r["address"] for r in stack.resources()}
    assert {'token.sender["web"]', "application.sender"} <= addresses
    stack.run("state", "mv", "application.nobody", "application.x", code=4)
    stack.run("state", "mv", "application.sender", "application.campaigns")
    stack.run("state", "rm", "credits.ez")
    assert "credits.ez" not in {r["address"] for r in stack.resources()}
    assert len(ez.requests) + len(cx.requests) == sent
    kinds = [json.loads(line)["kind"] for line in stack.run("history", "--json").stdout.splitlines()]
    assert kinds.count("edit") == 3
    stack.run("apply", "--auto-approve")
    stack.quiet()


def test_replace_provider(stack: Stack, ez: EzTexting) -> None:
    """`state replace-provider FROM TO`."""
    stack.write(ez_tables(stack, ez))
    stack.run("apply", "--auto-approve")
    text = (
        ez_tables(stack, ez)
        .replace("[providers.ez]", "[providers.texting]")
        .replace('provider = "ez"', 'provider = "texting"')
    )
    stack.write(text)
    stack.run("state", "replace-provider", "ez", "texting")
    stack.quiet()
    assert len(ez.pairs) == 1


def test_history(stack: Stack, ez: EzTexting) -> None:
    """`history --json`: one object a line, `serial`, `time`, `actor`, `run`, `kind`, `address`, `summary`, `hash`,
    oldest first."""
    stack.write(ez_tables(stack, ez))
    stack.run("apply", "--auto-approve")
    lines = [json.loads(line) for line in stack.run("history", "--json").stdout.splitlines()]
    assert all(set(line) >= {"serial", "time", "actor", "run", "kind", "address", "summary", "hash"} for line in lines)
    serials = [line["serial"] for line in lines]
    assert serials == sorted(serials)
    assert {"intent", "outcome"} <= {line["kind"] for line in lines}
    assert any(line["address"] == "token.texts" for line in lines)
    assert lines[-1]["hash"] == stack.state()["head"]
    assert "token.texts" in stack.run("history").stdout


def test_show_at(stack: Stack, ez: EzTexting) -> None:
    """`show [--at SERIAL|TIME]`: the recorded state, now or as it was."""
    stack.write(ez_tables(stack, ez))
    stack.run("apply", "--auto-approve")
    before = stack.state()
    first = stack.values("token.texts")["fingerprint"]
    stack.run("apply", "--auto-approve", "--replace", "token.texts")
    found = stack.run("show", "--json", "--at", str(before["serial"])).json()
    prints = {
        r["values"].get("fingerprint") for r in found["values"]["root_module"]["resources"] if r["type"] == "token"
    }
    assert first in prints
    assert stack.values("token.texts")["fingerprint"] != first
    stack.run("show", "--at", "2026-01-01T00:00:00Z", code=None)


def test_import_command(stack: Stack, cx: SmsCx) -> None:
    """`import ADDRESS ID`: take over something that exists; what does not exist is refused."""
    stack.write(cx_tables(stack, cx))
    stack.run("import", "application.campaigns", "f" * 40, code=4)
    stack.run("import", "application.campaigns", cx.apps[0].client_id)
    assert stack.values("application.campaigns")["client_id"] == cx.apps[0].client_id
    assert cx.tokens == []
    stack.run("import", "application.nobody", "x", code=4)


def test_a_vendor_that_is_down(stack: Stack, ez: EzTexting) -> None:
    """A provider that could not be reached: 8, and nothing is recorded."""
    stack.write(ez_tables(stack, ez))
    ez.close()
    ran = stack.run("plan", "--json", code=8)
    assert summary(ran.lines())
    assert CODE.search(stack.run("apply", "--auto-approve", code=8).text)
    stack.run("plan", "--refresh=false")


def test_wrong_credentials(stack: Stack, ez: EzTexting) -> None:
    """A provider refused its credentials: 8, naming the reference and never the value."""
    stack.write(ez_tables(stack, ez))
    stack.env["EZ_PASSWORD"] = wrong = ez.secret(16)
    for words in (["plan"], ["apply", "--auto-approve"], ["-v", "plan"]):
        ran = stack.run(*words, code=8)
        assert "EZ_PASSWORD" in ran.text
    stack.hunt([wrong])


def test_verbose_shows_no_secret(stack: Stack, ez: EzTexting) -> None:
    """No traceback reaches a user; `-v` shows one, with every secret masked."""
    stack.write(ez_tables(stack, ez))
    stack.run("-v", "apply", "--auto-approve")
    ez.arm("/v1/credits", "shape", times=9)
    stack.run("-v", "plan", code=8)
    stack.hunt(ez.secrets)


def test_resolve_of_nothing(stack: Stack, ez: EzTexting) -> None:
    """`resolve OPERATION`: an operation that is not in doubt: 4."""
    stack.write(ez_tables(stack, ez))
    stack.run("apply", "--auto-approve")
    stack.run("resolve", "deadbeef", "--as", "happened", code=4)
    stack.run("resolve", "deadbeef", "--as", "perhaps", code=4)


def test_resolve_a_refresh(stack: Stack, ez: EzTexting) -> None:
    """`resolve` decides any operation that is in doubt, not purchases alone."""
    ez.life = 4
    stack.write(ez_tables(stack, ez))
    stack.run("apply", "--auto-approve")
    time.sleep(2.8)
    ez.life = 5400
    ez.arm("/v1/tokens/refresh", 500)
    stack.run("apply", "--auto-approve", code=3)
    (doubt,) = stack.state()["in_doubt"]
    stack.run("resolve", doubt["operation"], "--as", "did-not-happen")
    assert stack.state()["in_doubt"] == []
    stack.run("apply", "--auto-approve")
    stack.quiet()


def test_sandbox_serve(stack: Stack) -> None:
    """`sandbox serve [--port N] [--data DIR]`: when ready it prints one JSON line: for each vendor type one flat object
    with its `base_url` and the account to use."""
    child = stack.start("sandbox", "serve", "--port", "0", "--data", "box")
    assert child.stdout is not None
    found = json.loads(child.stdout.readline())
    assert set(found["eztexting"]) >= {"base_url", "username", "password", "card_last_four"}
    assert set(found["smscx"]) >= {"base_url", "api_key", "applications"}
    assert set(found["smscx"]["applications"][0]) >= {"name", "client_id", "client_secret", "scopes"}
    for kind in ("textmaster", "textking"):
        assert set(found[kind]) >= {"base_url", "client_id", "client_secret", "redirect_uri"}
    assert set(found["oauth2"]) >= {"issuer", "client_id", "client_secret", "initial_access_token"}
    with urllib.request.urlopen(_metadata(found["oauth2"]["issuer"]), timeout=5) as answer:
        assert json.load(answer)["issuer"] == found["oauth2"]["issuer"]
    os.kill(child.pid, signal.SIGINT)
    assert stack.finish(child).returncode in (0, 130)


def _metadata(issuer: str) -> str:
    scheme, _, rest = issuer.partition("://")
    host, _, path = rest.partition("/")
    return f"{scheme}://{host}/.well-known/oauth-authorization-server" + (f"/{path}" if path else "")


def test_codes_of_errors(stack: Stack, ez: EzTexting, idp: OAuth) -> None:
    """Every diagnostic, in text and JSON, has a stable code, what happened to which address, and what to do next."""
    stack.write(ez_tables(stack, ez) + idp_tables(stack, idp))
    ez.arm("/v1/tokens/create", 403)
    ran = stack.run("apply", "--auto-approve", "--json", code=None)
    errors = [
        line["diagnostic"]
        for line in ran.lines()
        if line["type"] == "diagnostic" and line["diagnostic"]["severity"] == "error"
    ]
    assert [e["address"] for e in errors] == ["token.texts"]
    assert all(re.fullmatch(r"E\d{4}", e["code"]) and e["summary"] and e["detail"] for e in errors)
    assert summary(ran.lines())["results"]["token.texts"] == "failed"
    assert ran.returncode == 1
