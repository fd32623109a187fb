"""Contract section 4, and what section 3 says of plan and apply: shapes, streams, saved plans, words.

Every docstring is the sentence of the contract which the test checks.
"""

from __future__ import annotations

import json
import re
import shutil
import time
from typing import TYPE_CHECKING, Any

import pytest
from acc_messaging import FLOOR, cx_tables, ez_tables, messaging
from acc_stack import Stack, diagnostics, summary

if TYPE_CHECKING:
    from acc_eztexting import EzTexting
    from acc_oauth import OAuth
    from acc_smscx import SmsCx

PLAN_KEYS = {
    *("format_version", "terraform_version", "provisioner_version", "timestamp", "applyable", "complete", "errored"),
    *("variables", "planned_values", "prior_state", "configuration", "resource_changes", "resource_drift"),
    *("output_changes", "checks"),
}
SECRETS = {
    "token": {"access_token", "refresh_token"},
    "application": {"client_secret"},
    "credits": set(),
}


def test_the_shape_of_a_plan(stack: Stack, ez: EzTexting, cx: SmsCx, idp: OAuth) -> None:
    """`show --json PLANFILE` prints the shape of `terraform show -json`, every key of it; secrets are keys, always
    null, true in `*_sensitive`, and in `after_unknown` where they will change; amounts are JSON numbers."""
    messaging(stack, ez, cx, idp)
    ez.bought_credits = 1000
    plan = stack.plan()
    assert set(plan) >= PLAN_KEYS
    assert plan["format_version"] == "1.2"
    assert re.fullmatch(r"\d+\.\d+\.\d+", plan["terraform_version"])
    assert (plan["applyable"], plan["complete"], plan["errored"]) == (True, True, False)
    assert plan["output_changes"] == {} or isinstance(plan["output_changes"], dict)
    assert isinstance(plan["checks"], list)
    by_address = {c["address"]: c for c in plan["resource_changes"]}
    assert set(by_address) == {
        *("token.texts", "credits.ez", "application.campaigns", 'token.campaigns["web"]'),
        *('token.campaigns["worker"]', 'application.worker["eu"]', 'application.worker["us"]'),
        *('token.worker["eu"]', 'token.worker["us"]'),
    }
    for change in plan["resource_changes"]:
        assert set(change) >= {"address", "mode", "type", "name", "provider_name", "change", "reason", "handoff"}
        assert change["mode"] == "managed"
        assert change["provider_name"] in ("eztexting", "smscx", "oauth2")
        assert change["reason"]
        inner = change["change"]
        assert set(inner) >= {"actions", "before", "after", "after_unknown", "before_sensitive", "after_sensitive"}
        assert "replace_paths" in inner or inner["actions"] != ["create", "delete"]
        for name in SECRETS[change["type"]]:
            assert inner["after"][name] is None, (change["address"], name)
            assert inner["after_sensitive"][name] is True
    created = by_address["token.texts"]["change"]
    assert created["before"] is None
    assert created["after_unknown"]["access_token"] is True
    assert by_address['token.worker["eu"]']["index"] == "eu"
    assert by_address['token.worker["eu"]']["name"] == "worker"
    assert by_address["credits.ez"]["change"]["after"]["purchase"] == 1000
    assert type(by_address["credits.ez"]["change"]["after"]["purchase"]) is int
    assert by_address["application.campaigns"]["change"]["importing"]["id"] == cx.apps[0].client_id
    assert by_address["token.texts"]["handoff"] is None
    planned = {r["address"] for r in plan["planned_values"]["root_module"]["resources"]}
    assert planned == set(by_address)
    assert set(plan["configuration"]["provider_config"]) >= {"ez", "cx", "idp"}
    stack.hunt(ez.secrets | cx.secrets | idp.secrets)


def test_a_changed_token_in_a_plan(stack: Stack, ez: EzTexting) -> None:
    """`access_token` and `refresh_token` are keys of `before` and `after`, always null, true in `before_sensitive`, and
    in `after_unknown` where they will change."""
    stack.write(ez_tables(stack, ez))
    stack.run("apply", "--auto-approve")
    change = stack.changes("--at", "+80m")["token.texts"]["change"]
    for name in ("access_token", "refresh_token"):
        assert (change["before"][name], change["after"][name]) == (None, None)
        assert change["before_sensitive"][name] is True
        assert change["after_sensitive"][name] is True
        assert change["after_unknown"][name] is True
    quiet = stack.changes()["token.texts"]["change"]
    assert quiet["actions"] == ["no-op"]
    assert not quiet["after_unknown"].get("access_token")
    assert quiet["before"] == quiet["after"]


def test_two_plans_are_equal(stack: Stack, ez: EzTexting) -> None:
    """Two plans of the same inputs at the same `--at` are equal byte for byte but for `timestamp`."""
    stack.write(ez_tables(stack, ez))
    stack.run("apply", "--auto-approve")
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 5000))
    texts = []
    for name in ("one.plan", "two.plan"):
        stack.run("plan", "--at", at, "--out", name)
        text = stack.run("show", "--json", name).stdout
        texts.append(text.replace(json.dumps(json.loads(text)["timestamp"]), '""'))
        time.sleep(0.01)
    assert texts[0] == texts[1]


def test_a_stale_plan(stack: Stack, ez: EzTexting) -> None:
    """`apply PLANFILE` refuses a plan whose state has moved on (6), and nothing is sent."""
    stack.write(ez_tables(stack, ez))
    stack.run("plan", "--out", "p.plan")
    stack.run("apply", "--auto-approve")
    before = len(ez.requests)
    ran = stack.run("apply", "p.plan", code=6)
    assert "E0301" in ran.text
    assert len(ez.requests) == before


@pytest.mark.parametrize("edit", ["reason", "amount", "digest", "cut", "empty", "not-json", "at"])
def test_an_altered_plan(stack: Stack, ez: EzTexting, edit: str) -> None:
    """... whose file has changed (exit 6): an edited plan cannot pass, and no key is needed to know it."""
    ez.bought_credits = 0
    stack.write(ez_tables(stack, ez))
    stack.run("plan", "--out", "p.plan")
    path = stack.folder / "p.plan"
    text = path.read_text()
    edited = {
        "reason": text.replace("below the floor", "above the floor"),
        "amount": text.replace('"amount":"2000"', '"amount":"3000"'),
        "digest": re.sub(
            r'"digest":"[0-9a-f]', '"digest":"f' if '"digest":"f' not in text else '"digest":"0', text, count=1
        ),
        "cut": text[: len(text) // 2],
        "empty": "",
        "not-json": "hello\n",
        "at": re.sub(r'"20\d\d-', '"2031-', text),
    }[edit]
    assert edited != text
    path.write_text(edited)
    ran = stack.run("apply", "p.plan", code=6)
    assert re.search(r"E030\d", ran.text)
    assert ez.purchases == []
    assert ez.pairs == []


def test_an_edited_plan_with_a_digest_of_its_own(stack: Stack, ez: EzTexting) -> None:
    """`apply PLANFILE` derives the plan again and refuses one that does not come out the same: who computes the digest
    anew gains nothing."""
    import hashlib

    ez.bought_credits = 0
    stack.write(ez_tables(stack, ez))
    stack.run("plan", "--out", "p.plan")
    path = stack.folder / "p.plan"
    text = path.read_text().strip()
    body = (
        text.partition('"plan":')[2][:-1]
        .replace('"amount":"2000"', '"amount":"3000"')
        .replace('"purchase":"2000"', '"purchase":"3000"')
    )
    path.write_text(
        json.dumps({"digest": hashlib.sha256(body.encode()).hexdigest()}, separators=(",", ":"))[:-1]
        + ',"plan":'
        + body
        + "}\n"
    )
    stack.run("apply", "p.plan", code=6)
    assert ez.purchases == []


def test_a_foreign_plan(stack: Stack, ez: EzTexting, tmp_path: Any) -> None:
    """A saved plan that belongs to another stack: 6."""
    stack.write(ez_tables(stack, ez))
    stack.run("plan", "--out", "p.plan")
    other = Stack(tmp_path, "other")
    other.env = stack.env
    other.write('[stack]\nname = "other"\n' + ez_tables(other, ez))
    shutil.copy(stack.folder / "p.plan", other.folder / "p.plan")
    other.run("apply", "p.plan", code=6)
    stack.run("apply", "--auto-approve")
    stack.run("plan", "--out", "p.plan")
    other.run("apply", "--auto-approve")
    shutil.copy(stack.folder / "p.plan", other.folder / "p.plan")
    assert "E0303" in other.run("apply", "p.plan", code=6).text


def test_a_plan_of_another_declaration(stack: Stack, ez: EzTexting) -> None:
    """A saved plan whose desired-state file has changed since is refused (6)."""
    stack.write(ez_tables(stack, ez))
    stack.run("plan", "--out", "p.plan")
    stack.write(ez_tables(stack, ez, floor=FLOOR.replace("2000", "1000")))
    stack.run("apply", "p.plan", code=6)
    assert ez.pairs == []


def test_a_plan_file_that_does_not_exist(stack: Stack, ez: EzTexting) -> None:
    """A plan file that does not exist: 4."""
    stack.write(ez_tables(stack, ez))
    stack.run("apply", "nowhere.plan", code=4)
    stack.run("show", "nowhere.plan", code=4)


def test_apply_asks(stack: Stack, ez: EzTexting) -> None:
    """Without `--auto-approve` and a terminal, `apply` with no plan file refuses (4); `apply PLANFILE` needs no
    approval."""
    stack.write(ez_tables(stack, ez))
    stack.run("apply", code=4)
    stack.run("apply", "--input=false", code=4)
    stack.run("destroy", code=4)
    assert ez.pairs == []
    stack.run("plan", "-out=p.plan")
    stack.run("apply", "-input=false", "p.plan")
    assert len(ez.pairs) == 1


def test_the_stream(stack: Stack, ez: EzTexting, cx: SmsCx, idp: OAuth) -> None:
    """`plan --json` and `apply --json` stream JSON lines of Terraform's machine-readable UI; apply gives the plan's
    summary first and its own last, `outputs` before it; the results give each address `done`."""
    messaging(stack, ez, cx, idp)
    lines = stack.run("plan", "--json", "--detailed-exitcode", code=2).lines()
    assert lines[0]["type"] == "version"
    assert all({"@level", "@message", "@module", "@timestamp", "type"} <= set(line) for line in lines)
    planned = {
        line["change"]["resource"]["addr"]: line["change"]["action"]
        for line in lines
        if line["type"] == "planned_change"
    }
    assert planned["token.texts"] == "create"
    last = summary(lines)
    assert last["changes"]["operation"] == "plan"
    assert (last["changes"]["add"], last["changes"]["change"], last["changes"]["remove"]) == (8, 0, 0)
    assert last["changes"]["import"] == 1
    assert set(last["results"].values()) == {"planned"}
    lines = stack.run("apply", "--auto-approve", "--json").lines()
    summaries = [line for line in lines if line["type"] == "change_summary"]
    assert [line["changes"]["operation"] for line in summaries] == ["plan", "apply"]
    assert lines[-1] is summaries[1]
    assert lines[-2]["type"] == "outputs"
    assert set(summaries[1]["results"].values()) == {"done"}
    assert set(summaries[1]["results"]) == set(planned)
    started = [line["hook"]["resource"]["addr"] for line in lines if line["type"] == "apply_start"]
    completed = [line["hook"]["resource"]["addr"] for line in lines if line["type"] == "apply_complete"]
    assert set(started) >= {"token.texts", "credits.ez"}
    assert set(completed) == set(started)
    stack.hunt(ez.secrets | cx.secrets | idp.secrets)


def test_a_stream_of_errors(stack: Stack, ez: EzTexting) -> None:
    """The stream ends on failure too with one `change_summary`: an error in the file or a held lock has one;
    diagnostics carry severity, summary, detail, address, and range where known."""
    stack.write(ez_tables(stack, ez, floor=FLOOR + "\nmimimum = 3"))
    for command in (["plan", "--json"], ["apply", "--auto-approve", "--json"]):
        ran = stack.run(*command, code=4)
        assert summary(ran.lines())["type"] == "change_summary"
        (found,) = diagnostics(ran)
        assert found["severity"] == "error"
        assert "minimum" in found["summary"] + found["detail"]
        assert found["range"]["filename"].endswith("provisioner.toml")
        assert found["range"]["start"]["line"] > 1
        assert re.fullmatch(r"E\d{4}", found["code"])


def test_drift_as_a_stream(stack: Stack, ez: EzTexting, cx: SmsCx) -> None:
    """`drift --json` is the same stream, with `resource_drift` lines; pending changes of the file never change its
    code; it has no write path at all."""
    stack.write(ez_tables(stack, ez) + cx_tables(stack, cx))
    stack.run("apply", "--auto-approve")
    stack.write(
        ez_tables(stack, ez, floor=FLOOR.replace("2000", "2050"))
        + cx_tables(stack, cx, more='[applications.more]\nprovider = "ez"\n')
    )
    before = stack.written()
    stack.run("drift", "--detailed-exitcode")
    cx.apps[0].scopes = "sms groups reports"
    ran = stack.run("drift", "--detailed-exitcode", "--json", code=2)
    assert [line["change"]["resource"]["addr"] for line in ran.lines() if line["type"] == "resource_drift"] == [
        "application.campaigns"
    ]
    assert summary(ran.lines())
    stack.run("drift")
    assert stack.written() == before


def test_words_that_tools_parse(stack: Stack, ez: EzTexting, cx: SmsCx, idp: OAuth) -> None:
    """The human plan uses Terraform's wording to the letter where tools parse it."""
    messaging(stack, ez, cx, idp)
    out = stack.run("plan").stdout
    assert re.search(r"^  # token\.texts will be created$", out, re.MULTILINE)
    assert re.search(r"^  # application\.campaigns will be imported$", out, re.MULTILINE)
    assert "Plan: 1 to import, 8 to add, 0 to change, 0 to destroy." in out
    done = stack.run("apply", "--auto-approve").stdout
    assert re.search(r"^Apply complete! Resources: 1 imported, 8 added, 0 changed, 0 destroyed\.$", done, re.MULTILINE)
    assert "No changes." in stack.run("plan").stdout
    out = stack.run("plan", "--replace", "token.texts").stdout
    assert re.search(r"^  # token\.texts will be replaced, as requested$", out, re.MULTILINE)
    out = stack.run("plan", "--at", "+80m").stdout
    assert re.search(r"^  # token\.texts will be updated in-place$", out, re.MULTILINE)
    out = stack.run("plan", "--at", "+45m").stdout
    assert re.search(r"^Plan: 2 to add, 0 to change, 2 to destroy\.$", out, re.MULTILINE)
    assert re.search(r'^  # token\.worker\["eu"\] must be replaced$', out, re.MULTILINE)
    out = stack.run("plan", "--destroy").stdout
    assert re.search(r"^  # token\.texts will be destroyed$", out, re.MULTILINE)
    assert "to destroy." in out


def test_refresh_false_needs_no_secret(stack: Stack, ez: EzTexting, cx: SmsCx) -> None:
    """`validate`, `plan --refresh=false`, `show` and `audit` work with none of the references set, and send nothing."""
    stack.write(ez_tables(stack, ez) + cx_tables(stack, cx))
    stack.run("apply", "--auto-approve")
    sent = len(ez.requests) + len(cx.requests)
    none = dict.fromkeys(("EZ_USERNAME", "EZ_PASSWORD", "EZ_CARD", "SMSCX_API_KEY"))
    stack.run("validate", env=none)
    assert "No changes." in stack.run("plan", "--refresh=false", env=none).stdout
    stack.run("plan", "-refresh=false", "-out=n.plan", env=none)
    stack.run("show", env=none)
    stack.run("show", "n.plan", env=none)
    stack.run("audit", env=none, code=None)
    stack.run("history", env=none)
    stack.run("state", "list", env=none)
    assert len(ez.requests) + len(cx.requests) == sent


def test_refresh_only(stack: Stack, ez: EzTexting, cx: SmsCx) -> None:
    """`--refresh-only` and `refresh` record what is observed, and change nothing at a provider."""
    stack.write(ez_tables(stack, ez) + cx_tables(stack, cx))
    stack.run("apply", "--auto-approve")
    ez.bought_credits = 1000
    cx.apps[0].scopes = "sms groups reports"
    stack.run("plan", "--refresh-only")
    stack.run("refresh")
    assert ez.purchases == []
    assert stack.values("credits.ez")["balance"] == 1100
    assert stack.values("application.campaigns")["scopes"] == ["groups", "reports", "sms"]
    stack.run("drift", "--detailed-exitcode", code=None)


def test_a_plan_without_a_lock(stack: Stack, ez: EzTexting) -> None:
    """A plan takes no lock with `--lock=false`; `--parallelism N` and `--lock-timeout D` are taken."""
    stack.write(ez_tables(stack, ez))
    stack.run("plan", "--lock=false", "--parallelism", "2")
    stack.run("plan", "--lock-timeout", "1s")
    stack.run("apply", "--auto-approve", "-parallelism=1", "-lock-timeout=1s")


def test_markdown_and_the_job_summary(stack: Stack, ez: EzTexting) -> None:
    """`--markdown FILE` writes what belongs in a pull request; where GITHUB_STEP_SUMMARY is set, apply and plan write
    there by themselves; where GITHUB_ACTIONS is set every secret that is printed is masked first."""
    stack.write(ez_tables(stack, ez))
    told = stack.folder / "summary.md"
    github = {"GITHUB_STEP_SUMMARY": str(told), "GITHUB_ACTIONS": "true"}
    stack.run("plan", "--markdown", "plan.md", env=github)
    assert "token.texts" in (stack.folder / "plan.md").read_text()
    assert "token.texts" in told.read_text()
    stack.run("apply", "--auto-approve", env=github)
    assert len(told.read_text()) > len((stack.folder / "plan.md").read_text())
    ran = stack.run("token", "texts", env=github)
    secret = ez.live[0].access
    assert f"::add-mask::{secret}" in ran.text
    assert ran.stdout.strip().endswith(secret)
    stack.hunt(ez.secrets, handed_out=[ran.stdout, ran.stderr])


def test_terraform_spellings(stack: Stack, ez: EzTexting) -> None:
    """Every long flag is also taken with one dash, as Terraform users and wrappers type them."""
    stack.write('[variables]\nunused = "a"\n' + ez_tables(stack, ez))
    stack.run("validate")
    folder = str(stack.folder)
    stack.folder = stack.folder.parent
    stack.run(
        f"-chdir={folder}",
        "plan",
        "-no-color",
        "-input=false",
        "-var",
        "unused=b",
        "-out=o.plan",
        "-detailed-exitcode",
        "-lock=false",
        code=2,
    )
    stack.run(f"-chdir={folder}", "apply", "-auto-approve", "-no-color")
    stack.run("-C", folder, "plan", "-detailed-exitcode")
    stack.run("plan", "-c", f"{folder}/provisioner.toml", code=None)
