"""Contract section 2: what a desired-state file may say, and what is refused before anything runs.

Every docstring is the sentence of the contract which the test checks.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from acc_messaging import cx_tables, ez_tables
from acc_stack import CODE, Stack

if TYPE_CHECKING:
    from acc_eztexting import EzTexting
    from acc_smscx import SmsCx

EZ = '[providers.ez]\ntype = "eztexting"\nusername = { env = "U" }\npassword = { env = "P" }\n'
CX = '[providers.cx]\ntype = "smscx"\napi_key = { env = "K" }\n'
TM = '[providers.tm]\ntype = "textmaster"\n'
TK = '[providers.tk]\ntype = "textking"\n'
TEXTS = '[applications.texts]\nprovider = "ez"\n'
COPY = '[applications.copy]\nprovider = "tk"\nclient_id = "a"\nclient_secret = { env = "S" }\nredirect_uri = "http://127.0.0.1/c"\n'

REFUSED = {
    "scopes on EZ Texting": (EZ + TEXTS + 'scopes = ["sms"]\n', "scopes"),
    "scopes on TEXTKING": (TK + COPY + 'scopes = ["a"]\n', "scopes"),
    "empty scopes on SMS.CX": (CX + '[applications.a]\nprovider = "cx"\nscopes = []\n', "scopes"),
    "no scopes on SMS.CX": (CX + '[applications.a]\nprovider = "cx"\n', "scopes"),
    "offline_access with a rotate_every": (
        TK + COPY + 'offline_access = true\ntoken_policy = "p"\n[token_policies.p]\nrotate_every = "7d"\n',
        "offline_access",
    ),
    "offline_access with a max_lifetime": (
        TK + COPY + 'offline_access = true\ntoken_policy = "p"\n[token_policies.p]\nmax_lifetime = "7d"\n',
        "offline_access",
    ),
    "offline_access elsewhere": (EZ + TEXTS + "offline_access = true\n", "offline_access"),
    "a renewal window longer than the token lives": (
        EZ + TEXTS + '[token_policies.default]\nrenew_before = "3h"\n',
        "renew_before",
    ),
    "a floor on a vendor with no balance": (TK + '[credits.tk]\nprovider = "tk"\nminimum = 1\n', "balance"),
    "max_lifetime below what is issued": (
        CX + '[applications.a]\nprovider = "cx"\nscopes = ["sms"]\ntoken_lifetime = "1w"\ntoken_policy = "p"\n'
        '[token_policies.p]\nmax_lifetime = "2d"\n',
        "max_lifetime",
    ),
    "no guard where the vendor sells by API": (
        EZ + '[credits.ez]\nprovider = "ez"\nminimum = 1\ncard_last_four = { env = "C" }\n',
        "max_per_apply",
    ),
    "an unknown key": (EZ + TEXTS.replace("provider", "provder"), "provider"),
    "an unknown type": (EZ.replace("eztexting", "eztextin"), "eztexting"),
    "an unknown provider": (EZ + TEXTS.replace('"ez"', '"eez"'), "ez"),
    "an unknown policy": (EZ + TEXTS + 'token_policy = "daily"\n[token_policies.dayly]\n', "dayly"),
    "a duration of no unit": (EZ + TEXTS + '[token_policies.p]\noverlap = "10"\n', "overlap"),
    "plain http elsewhere": (EZ + 'base_url = "http://a.eztexting.com"\n', "base_url"),
    "a wrong spelling": (EZ + 'credential_fields = "appkey"\n', "credential_fields"),
    "an unknown variable": (
        EZ + TEXTS + 'name = "${var.regoin}"\n[variables]\nregion = "eu"\n',
        "region",
    ),
    "a target below the minimum": (
        EZ + '[credits.ez]\nprovider = "ez"\nminimum = 10\ntarget = 5\nmax_per_apply = 9\n'
        'card_last_four = { env = "C" }\n',
        "target",
    ),
    "no TOML": ("[providers.ez\n", "TOML"),
    "a key given twice": (EZ + EZ, "ez"),
    "a literal secret": (EZ.replace('{ env = "P" }', '"hunter2-canary"'), "password"),
    "a literal secret of an application": (
        TM + '[applications.a]\nprovider = "tm"\nclient_id = "x"\n'
        'client_secret = "hunter2-canary"\nscopes = ["user:read"]\n',
        "client_secret",
    ),
    "a literal card": (
        EZ + '[credits.ez]\nprovider = "ez"\nminimum = 1\nmax_per_apply = 5\ncard_last_four = "4242"\n',
        "card_last_four",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_before_anything_runs(stack: Stack, name: str) -> None:
    """What a vendor cannot do, unknown keys and literals where a secret belongs are errors (4) with a file, a key path
    and a stable code; a literal is never repeated."""
    text, word = REFUSED[name]
    stack.write(text)
    ran = stack.run("validate", "--json", code=4)
    found = ran.json()
    assert found["valid"] is False
    assert found["error_count"] >= 1
    assert found["format_version"] == "1.0"
    said = " ".join(d["summary"] + " " + d["detail"] + " " + d.get("key_path", "") for d in found["diagnostics"])
    assert word in said
    assert all(re.fullmatch(r"[EW]\d{4}", d["code"]) for d in found["diagnostics"])
    assert "hunter2" not in ran.text
    assert '"4242"' not in ran.text
    if "literal" in name:
        human = stack.run("plan", code=4)
        assert CODE.search(human.text)
        assert "hunter2" not in human.text
        assert '"4242"' not in human.text


def test_all_problems_at_once(stack: Stack) -> None:
    """All problems are reported at once, each with file, line where known, and key path."""
    stack.write(
        EZ
        + TEXTS
        + 'scopes = ["a"]\nconsumers = "web"\n'
        + '[credits.ez]\nprovider = "nobody"\nminimum = -1\nmximum = 3\n[token_policies.x]\non_destroy = "drop"\n'
    )
    found = stack.run("validate", "--json", code=4).json()
    paths = {d.get("key_path") for d in found["diagnostics"]}
    assert {"applications.texts.scopes", "applications.texts.consumers", "credits.ez.provider"} <= paths
    assert {"credits.ez.mximum", "token_policies.x.on_destroy"} <= paths
    ranged = [d for d in found["diagnostics"] if "range" in d]
    assert all(d["range"]["filename"].endswith("provisioner.toml") for d in ranged)
    assert len(ranged) == len(found["diagnostics"])


def test_a_valid_file(stack: Stack) -> None:
    """`validate --json` is Terraform's shape, with no network, no state, no secrets."""
    stack.write(EZ + TEXTS)
    found = stack.run("validate", "--json").json()
    assert (found["valid"], found["error_count"], found["warning_count"]) == (True, 0, 0)
    assert found["diagnostics"] == []
    assert not (stack.folder / "state").exists()


def test_includes(stack: Stack, ez: EzTexting, cx: SmsCx) -> None:
    """`include`: globs relative to this file; tables merge, a key given twice is an error that names both files."""
    stack.write('[stack]\nname = "messaging"\ninclude = ["apps/*.toml"]\n')
    stack.write(ez_tables(stack, ez), "apps/ez.toml")
    stack.write(cx_tables(stack, cx), "apps/cx.toml")
    stack.run("apply", "--auto-approve")
    stack.quiet()
    assert (stack.folder / "state" / "messaging").is_dir()
    stack.write('[applications.texts]\nprovider = "ez"\n', "apps/again.toml")
    ran = stack.run("plan", code=4)
    assert "again.toml" in ran.text
    assert "ez.toml" in ran.text


def test_variables(stack: Stack, cx: SmsCx) -> None:
    """`${var.region}` in any string; --var region=us, --var-file or PROVISIONER_VAR_region overrides it."""
    for name in ("eu", "us", "ap", "sa"):
        cx.add(f"Sender {name}", "sms groups")
    stack.write(
        '[variables]\nregion = "eu"\n' + cx_tables(stack, cx).replace("Campaign sender", "Sender ${var.region}")
    )

    def named(*words: str, **env: str) -> str:
        stack.run("plan", "--out", "v.plan", *words, env=env)
        plan = stack.run("show", "--json", "v.plan").json()
        values: str = next(c["change"]["after"]["name"] for c in plan["resource_changes"] if c["type"] == "application")
        assert plan["variables"]["region"]["value"] == values.removeprefix("Sender ")
        return values

    stack.write('region = "sa"\n', "more.toml")
    assert named() == "Sender eu"
    assert named(PROVISIONER_VAR_region="ap") == "Sender ap"
    assert named("--var-file", "more.toml", PROVISIONER_VAR_region="ap") == "Sender sa"
    assert named("--var", "region=us", "--var-file", "more.toml", PROVISIONER_VAR_region="ap") == "Sender us"
    stack.run("plan", "--var", "regon=us", code=4)


def test_for_each(stack: Stack, ez: EzTexting) -> None:
    """`for_each`: a list, or a table whose values are ${each.value}; ${each.key} in any string."""
    tables = ez_tables(stack, ez).replace("[applications.texts]", "[applications.texts]\nfor_each = ['b', 'a b']")
    stack.write(tables)
    stack.run("apply", "--auto-approve")
    addresses = {(r["address"], r["name"], r.get("index")) for r in stack.resources() if r["type"] == "token"}
    assert addresses == {('token.texts["b"]', "texts", "b"), ('token.texts["a b"]', "texts", "a b")}
    stack.quiet()
    stack.write(tables.replace("['b', 'a b']", "['b', 'a b', 'c']"))
    assert stack.actions() == {'token.texts["c"]': ["create"]}
    stack.run("token", 'texts["b"]')
    stack.run("token", 'token.texts["a b"]')
    stack.run("token", "texts", code=4)


def test_for_each_of_a_table(stack: Stack, cx: SmsCx) -> None:
    """A table whose values are ${each.value}."""
    for name in ("Sender eu", "Sender us"):
        cx.add(name, "sms groups")
    text = cx_tables(stack, cx).replace('name = "Campaign sender"', 'name = "Sender ${each.value}"')
    stack.write(text + '[applications.campaigns.for_each]\none = "eu"\ntwo = "us"\n')
    stack.run("apply", "--auto-approve")
    addresses = {r["address"] for r in stack.resources()}
    assert 'token.campaigns["one"]["web"]' in addresses
    assert stack.values('application.campaigns["two"]')["name"] == "Sender us"
    stack.quiet()


@pytest.mark.parametrize("kind", ["env", "file", "command", "file without a newline", "file with CRLF"])
def test_references(stack: Stack, ez: EzTexting, kind: str) -> None:
    """References are `env`, `file`, `command`; a value is used byte for byte, less one trailing newline for files and
    commands."""
    ours = stack.folder / "ours"
    end = {"file without a newline": "", "file with CRLF": "\r\n"}.get(kind, "\n")
    ours.write_text(ez.password + end, encoding="utf-8", newline="")
    reference = {
        "env": '{ env = "EZ_PASSWORD" }',
        "command": '{ command = ["cat", "ours"] }',
    }.get(kind, '{ file = "ours" }')
    stack.write(ez_tables(stack, ez).replace('{ env = "EZ_PASSWORD" }', reference))
    stack.run("apply", "--auto-approve")
    stack.quiet()
    stack.hunt(ez.secrets)


@pytest.mark.parametrize(
    ("reference", "named"),
    [
        ('{ env = "NOT_SET" }', "NOT_SET"),
        ('{ env = "EMPTY" }', "EMPTY"),
        ('{ env = "SPACED" }', "SPACED"),
        ('{ file = "no/such/file" }', "no/such/file"),
        ('{ command = ["no-such-command", "x"] }', "no-such-command"),
        ('{ command = ["false"] }', "false"),
    ],
)
def test_a_reference_that_cannot_be_resolved(stack: Stack, ez: EzTexting, reference: str, named: str) -> None:
    """An unset or unreadable secret reference, once it is needed: 8, naming the reference; a provider's secret with
    inner white space is refused."""
    stack.write(ez_tables(stack, ez).replace('{ env = "EZ_PASSWORD" }', reference))
    stack.env |= {"EMPTY": "", "SPACED": "canary-one canary-two"}
    for command in (["plan"], ["apply", "--auto-approve"]):
        ran = stack.run(*command, code=8)
        assert named in ran.text
        assert "E0201" in ran.text
        assert "canary-one" not in ran.text
    assert ez.pairs == []
    stack.run("validate")
    stack.run("plan", "--refresh=false")


def test_a_card_that_is_not_set(stack: Stack, ez: EzTexting) -> None:
    """References are resolved only when they are needed: a card only once something is bought (then 8)."""
    stack.write(ez_tables(stack, ez))
    del stack.env["EZ_CARD"]
    stack.run("apply", "--auto-approve")
    ez.bought_credits = 0
    ran = stack.run("apply", "--auto-approve", code=8)
    assert "EZ_CARD" in ran.text
    assert ez.purchases == []
    assert stack.state()["in_doubt"] == []


def test_the_sandbox_needs_nothing(stack: Stack) -> None:
    """`base_url = "sandbox"`: in process, no network, no account; its data is durable, in `.provisioner/sandbox/`
    beside the file; the floor is bought by plan, once the balance falls short of it."""
    stack.write(
        '[providers.ez]\ntype = "eztexting"\nbase_url = "sandbox"\n[applications.texts]\nprovider = "ez"\n'
        '[credits.ez]\nprovider = "ez"\nminimum = 9000\nmax_per_apply = 20000\n'
        '[providers.cx]\ntype = "smscx"\nbase_url = "sandbox"\n'
        '[providers.tm]\ntype = "textmaster"\nbase_url = "sandbox"\n'
        '[providers.tk]\ntype = "textking"\nbase_url = "sandbox"\n'
        '[providers.idp]\ntype = "oauth2"\nbase_url = "sandbox"\n'
        '[applications.worker]\nprovider = "idp"\n'
    )
    stack.run("validate")
    stack.run("apply", "--auto-approve")
    stack.quiet()
    assert (stack.folder / ".provisioner" / "sandbox").is_dir()
    assert stack.values("credits.ez")["balance"] >= 9000
    first = stack.run("token", "texts").stdout
    assert stack.run("token", "texts").stdout == first
    stack.hunt([first.strip()], handed_out=[first])
    assert set(stack.modes().values()) == {"-rw-------"}


def test_the_default_policy(stack: Stack, ez: EzTexting) -> None:
    """`token_policy`: default the policy called "default" where there is one, else built-in defaults."""
    stack.write(ez_tables(stack, ez) + '[token_policies.default]\nrotate_every = "20m"\n')
    stack.run("apply", "--auto-approve")
    assert stack.actions("--at", "+21m") == {"token.texts": ["create", "delete"]}
    stack.write(ez_tables(stack, ez) + '[token_policies.other]\nrotate_every = "20m"\n')
    assert stack.actions("--at", "+21m") == {}


def test_consumers_come_and_go(stack: Stack, cx: SmsCx) -> None:
    """`consumers`: one token each; one that is taken away takes its token along, one that comes gets one."""
    stack.write(cx_tables(stack, cx))
    stack.run("apply", "--auto-approve")
    stack.write(cx_tables(stack, cx).replace('"worker"]', '"batch"]'))
    assert stack.actions() == {'token.campaigns["batch"]': ["create"], 'token.campaigns["worker"]': ["forget"]}
    stack.run("apply", "--auto-approve", code=3)
    assert {r["address"] for r in stack.resources() if r["type"] == "token"} == {
        'token.campaigns["web"]',
        'token.campaigns["batch"]',
    }
    stack.quiet()


def test_removing_a_declaration(stack: Stack, ez: EzTexting) -> None:
    """An application that is not declared any more: its token is revoked; a floor is forgotten."""
    stack.write(ez_tables(stack, ez))
    stack.run("apply", "--auto-approve")
    text = ez_tables(stack, ez)
    stack.write(text.partition("[applications.texts]")[0])
    assert stack.actions() == {"token.texts": ["delete"], "credits.ez": ["forget"]}
    stack.run("apply", "--auto-approve")
    assert ez.live == []
    stack.quiet()
