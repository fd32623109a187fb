"""Contract sections 5 to 7: the recorded state, what protects it, and what is encrypted in it.

Every docstring is the sentence of the contract which the test checks.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import time
from typing import TYPE_CHECKING

import pytest
from acc_messaging import ez_tables, idp_tables, messaging
from acc_stack import ROOT, Stack, summary

if TYPE_CHECKING:
    from pathlib import Path

    from acc_eztexting import EzTexting
    from acc_oauth import OAuth
    from acc_smscx import SmsCx

TOKEN_VALUES = {
    *("application", "consumer", "status", "issued_at", "expires_at", "refresh_expires_at", "scopes", "fingerprint"),
    "generation",
}
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")


def test_the_shape_of_a_state(stack: Stack, ez: EzTexting, cx: SmsCx, idp: OAuth) -> None:
    """`show --json` of the recorded state is Terraform's state shape; `values` as section 5 says; times are RFC 3339 in
    UTC; fingerprints are of the access token."""
    import hashlib

    messaging(stack, ez, cx, idp)
    stack.run("apply", "--auto-approve")
    state = stack.state()
    assert state["format_version"] == "1.0"
    assert set(state) >= {"terraform_version", "lineage", "serial", "head", "values", "in_doubt"}
    assert state["in_doubt"] == []
    found = {}
    for resource in state["values"]["root_module"]["resources"]:
        assert set(resource) >= {
            *("address", "mode", "type", "name", "provider_name", "schema_version", "values", "sensitive_values")
        }
        assert resource["mode"] == "managed"
        found[resource["address"]] = resource
    for resource in found.values():
        values = resource["values"]
        if resource["type"] == "token":
            assert set(values) >= TOKEN_VALUES
            assert values["status"] == "live"
            assert TIME.fullmatch(values["issued_at"])
            assert values["generation"] == 1
            assert values["access_token"] is None
            assert resource["sensitive_values"]["access_token"] is True
        elif resource["type"] == "application":
            assert set(values) >= {"client_id", "scopes", "token_lifetime", "managed", "secret_fingerprint"}
        else:
            assert set(values) >= {"balance", "unit", "minimum", "observed_at", "purchased_last_24h"}
    digest = hashlib.sha256(ez.live[0].access.encode()).hexdigest()[:16]
    assert found["token.texts"]["values"]["fingerprint"] == f"sha256:{digest}"
    assert found["token.texts"]["values"]["application"] == "texts" or found["token.texts"]["values"]["application"]
    assert found['token.campaigns["web"]']["values"]["consumer"] == "web"
    assert found['token.campaigns["web"]']["values"]["scopes"] == ["groups", "sms"]
    assert found['token.worker["eu"]']["index"] == "eu"
    assert found["token.texts"]["values"]["consumer"] is None
    assert found["token.texts"]["values"]["refresh_expires_at"] is not None
    assert re.search(r"token\.texts", stack.run("show").stdout)


def test_verify_by_hand(stack: Stack, ez: EzTexting) -> None:
    """`docs/verify-state.md` says how to verify a state with `jq` and `sha256sum` alone: one fenced `sh` block, run in
    the state's directory, exit 0 or not."""
    (block,) = re.findall(r"```sh\n(.*?)```", (ROOT / "docs" / "verify-state.md").read_text(), re.DOTALL)
    assert len(block.splitlines()) <= 20
    stack.write(ez_tables(stack, ez))
    stack.run("apply", "--auto-approve")
    folder = stack.journal()[0].parent.parent
    assert subprocess.run(["sh", "-c", block], cwd=folder, check=False, capture_output=True).returncode == 0
    path = stack.journal()[-1]
    path.write_text(path.read_text().replace("stranger", "somebody", 1))
    assert subprocess.run(["sh", "-c", block], cwd=folder, check=False, capture_output=True).returncode != 0


@pytest.mark.parametrize("damage", ["byte", "line-gone", "cut-acknowledged", "swapped", "segment-gone", "emptied"])
def test_a_damaged_state(stack: Stack, ez: EzTexting, damage: str) -> None:
    """A state that does not verify or open, under any command: 7; nothing is sent."""
    stack.write(ez_tables(stack, ez))
    stack.run("apply", "--auto-approve")
    path = stack.journal()[-1]
    lines = path.read_bytes().splitlines(keepends=True)
    if damage == "byte":
        lines[2] = lines[2].replace(b"stranger", b"strangeR", 1)
    elif damage == "line-gone":
        del lines[2]
    elif damage == "cut-acknowledged":
        lines[-1] = lines[-1][:-20]
    elif damage == "swapped":
        lines[1], lines[2] = lines[2], lines[1]
    elif damage == "emptied":
        lines = []
    path.write_bytes(b"".join(lines))
    if damage == "segment-gone":
        path.unlink()
    sent = len(ez.requests)
    for words in (["plan"], ["apply", "--auto-approve"], ["show"], ["state", "list"], ["audit"], ["token", "texts"]):
        ran = stack.run(*words, code=7)
        assert re.search(r"E04\d\d", ran.text)
    ran = stack.run("apply", "--auto-approve", "--json", code=7)
    assert summary(ran.lines())
    assert len(ez.requests) == sent


def test_a_rolled_back_state(stack: Stack, ez: EzTexting) -> None:
    """This machine remembers the newest head that it saw of each state: an older copy put back is noticed (exit 7;
    `--accept-rollback` goes on, and records that)."""
    stack.write(ez_tables(stack, ez))
    stack.run("apply", "--auto-approve")
    shutil.copytree(stack.folder / "state", stack.folder / "older")
    stack.run("apply", "--auto-approve", "--replace", "token.texts")
    shutil.rmtree(stack.folder / "state")
    shutil.copytree(stack.folder / "older", stack.folder / "state")
    shutil.rmtree(stack.folder / "older")
    for words in (["plan"], ["apply", "--auto-approve"], ["show"], ["audit"]):
        assert "E0402" in stack.run(*words, code=7).text
    assert "rollback" in stack.run("plan", code=7).text
    stack.run("apply", "--auto-approve", "--accept-rollback", code=None)
    assert "rollback-accepted" in {
        json.loads(line)["kind"] for line in stack.run("history", "--json").stdout.splitlines()
    }
    stack.run("apply", "--auto-approve")
    stack.run("state", "verify")


def test_a_torn_last_line(stack: Stack, ez: EzTexting) -> None:
    """A torn last line (never acknowledged) is dropped, and that is said."""
    stack.write(ez_tables(stack, ez))
    stack.run("apply", "--auto-approve")
    path = stack.journal()[-1]
    with path.open("ab") as file:
        file.write(b'{"actor":"stranger","address":nu')
    ran = stack.run("plan")
    assert "W0401" in ran.text
    stack.run("apply", "--auto-approve")
    stack.run("state", "verify")
    stack.quiet()


def test_a_newer_format(stack: Stack, ez: EzTexting) -> None:
    """A state of a newer format is refused (7)."""
    stack.write(ez_tables(stack, ez))
    stack.run("apply", "--auto-approve")
    path = stack.journal()[-1]
    path.write_text(path.read_text().replace('"format":1', '"format":2'))
    assert "E0403" in stack.run("plan", code=7).text


def test_somebody_elses_state(stack: Stack, ez: EzTexting, tmp_path: Path) -> None:
    """A state of another stack or lineage in its place is refused (7)."""
    stack.write(ez_tables(stack, ez))
    stack.run("apply", "--auto-approve")
    other = Stack(tmp_path / "elsewhere")
    other.env = {**stack.env, "HOME": str(other.home)}
    other.write(ez_tables(other, ez))
    other.run("apply", "--auto-approve")
    shutil.rmtree(stack.folder / "state")
    shutil.copytree(other.folder / "state", stack.folder / "state")
    stack.run("plan", code=7)


def test_a_store_that_cannot_be_written(stack: Stack, ez: EzTexting) -> None:
    """A state store that cannot be reached or written: 1, nothing sent after it."""
    stack.write('[state]\nlocation = "place/state"\n' + ez_tables(stack, ez))
    (stack.folder / "place").write_text("a file where a folder should be")
    stack.run("apply", "--auto-approve", code=1)
    assert ez.pairs == []


def test_location(stack: Stack, ez: EzTexting) -> None:
    """`[state] location`: a directory; default: state/<stack name> beside the file."""
    stack.write('[stack]\nname = "texting"\n[state]\nlocation = "kept/here"\n' + ez_tables(stack, ez))
    stack.run("apply", "--auto-approve")
    assert (stack.folder / "kept" / "here").is_dir()
    assert not (stack.folder / "state").exists()
    stack.quiet()


def test_a_sealed_value_moved(stack: Stack, ez: EzTexting, cx: SmsCx) -> None:
    """Each value is bound to its place; and an edit of the chain is found before any value is opened."""
    stack.write(ez_tables(stack, ez, more='consumers = ["a", "b"]'))
    stack.run("apply", "--auto-approve")
    text = stack.journal()[-1].read_text()
    sealed = re.findall(r'"access_token":"(v1:[^"]+)"', text)
    assert len(set(sealed)) == 2
    stack.journal()[-1].write_text(text.replace(sealed[0], sealed[1]))
    stack.run("token", "texts", "--consumer", "a", code=None)
    stack.run("output", "--format", "json", code=7)


def test_migrate_and_backup(stack: Stack, ez: EzTexting) -> None:
    """`state migrate FROM TO` moves it between stores, keeping chain, head and history; `state backup FILE` copies."""
    stack.write(ez_tables(stack, ez))
    stack.run("apply", "--auto-approve")
    head = stack.state()["head"]
    stack.run("state", "backup", "copy.tar")
    assert (stack.folder / "copy.tar").stat().st_mode & 0o777 == 0o600
    stack.run("state", "migrate", "state/provisioner", "elsewhere")
    stack.write('[state]\nlocation = "elsewhere"\n' + ez_tables(stack, ez))
    hashes = [json.loads(line)["hash"] for line in stack.run("history", "--json").stdout.splitlines()]
    assert head in hashes
    stack.quiet()
    stack.run("state", "verify")
    stack.hunt(ez.secrets)


def test_no_lock_is_left(stack: Stack, ez: EzTexting) -> None:
    """The order is: lock, read, plan, approve, append and send, unlock: a cancelled or refused apply leaves no lock."""
    stack.write(ez_tables(stack, ez, more="prevent_destroy = true"))
    stack.run("apply", "--auto-approve")
    stack.run("destroy", "--auto-approve", code=9)
    stack.run("apply", code=4)
    assert stack.run("state", "lock", "--json").json() is None
    lock, unlock = (
        [json.loads(li)["kind"] for li in stack.run("history", "--json").stdout.splitlines()].count(kind)
        for kind in ("lock", "unlock")
    )
    assert lock == unlock


def test_two_applies_at_once(stack: Stack, ez: EzTexting) -> None:
    """Two applies at once: one of them does the work, the other finds the lock held (5) or nothing left; nothing is
    bought twice."""
    ez.bought_credits = 0
    stack.write(ez_tables(stack, ez))
    stack.run("plan")
    children = [stack.start("apply", "--auto-approve") for _ in range(3)]
    codes = sorted(stack.finish(child).returncode for child in children)
    assert codes[0] == 0
    assert set(codes) <= {0, 5}
    assert len(ez.purchases) == 1
    assert len(ez.pairs) == 1
    stack.quiet()


def test_the_first_serials(stack: Stack, idp: OAuth) -> None:
    """An intent is durable before the request it announces: when the request comes, the journal names it."""
    stack.write(idp_tables(stack, idp))
    seen: list[bool] = []
    idp.before = lambda request: (
        seen.append(any(b'"token.create"' in path.read_bytes() for path in stack.journal()))
        if request.path == "/as/token"
        else None
    )
    stack.run("apply", "--auto-approve")
    assert seen
    assert all(seen)


def test_deposed_and_lost(stack: Stack, ez: EzTexting) -> None:
    """A `lost` token is a deposed object of its address with a null fingerprint, and `expires_at` is the latest moment
    that it can live to."""
    stack.write(ez_tables(stack, ez))
    ez.arm("/v1/tokens/create", "drop", after=True)
    stack.run("apply", "--auto-approve", code=3)
    stack.run("apply", "--auto-approve")
    (lost,) = [r for r in stack.resources() if r["values"].get("status") == "lost"]
    assert lost["deposed"]
    assert lost["values"]["fingerprint"] is None
    assert lost["values"]["expires_at"] > time.strftime("%Y-%m-%d", time.gmtime(time.time() + 50 * 86400))
    assert "token.texts" in stack.run("state", "list").stdout
