"""Contract sections 2 to 4: blocks that move, import and remove, guards, and parts of a plan.

Every docstring is the sentence of the contract which the test checks.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from acc_messaging import FLOOR, cx_tables, ez_tables, idp_tables
from acc_stack import Stack, summary

if TYPE_CHECKING:
    from acc_eztexting import EzTexting
    from acc_oauth import OAuth
    from acc_smscx import SmsCx


def test_moved(stack: Stack, ez: EzTexting, cx: SmsCx) -> None:
    """An application moves with its tokens, at every vendor: `previous_address`, `has moved to`, nothing is sent."""
    stack.write(ez_tables(stack, ez) + cx_tables(stack, cx))
    stack.run("apply", "--auto-approve")
    fingerprint = stack.values("token.texts")["fingerprint"]
    text = (stack.folder / "provisioner.toml").read_text()
    text = (
        text.replace("[applications.texts]", "[applications.alerts]")
        .replace("[applications.campaigns]", "[applications.sender]")
        .replace("[credits.ez]", "[credits.main]")
    )
    moves = "".join(
        f'[[moved]]\nfrom = "{a}"\nto = "{b}"\n'
        for a, b in (
            ("application.texts", "application.alerts"),
            ("application.campaigns", "application.sender"),
            ("credits.ez", "credits.main"),
        )
    )
    stack.write(text + moves)
    out = stack.run("plan").stdout
    assert re.search(r"^  # application\.campaigns has moved to application\.sender$", out, re.MULTILINE)
    changes = stack.changes()
    assert changes["token.alerts"]["previous_address"] == "token.texts"
    assert changes['token.sender["web"]']["previous_address"] == 'token.campaigns["web"]'
    assert changes["token.alerts"]["change"]["actions"] == ["no-op"]
    assert changes["credits.main"]["previous_address"] == "credits.ez"
    sent = len(ez.pairs), len(cx.tokens)
    stack.run("apply", "--auto-approve")
    assert (len(ez.pairs), len(cx.tokens)) == sent
    assert stack.values("token.alerts")["fingerprint"] == fingerprint
    stack.quiet()


def test_import_block(stack: Stack, cx: SmsCx) -> None:
    """`[[import]]`: what exists is taken over, by the id that is given."""
    text = cx_tables(stack, cx)
    right = cx.apps[0].client_id
    stack.write(text + f'[[import]]\nto = "application.campaigns"\nid = "{right}"\n')
    assert stack.changes()["application.campaigns"]["change"]["importing"] == {"id": right}
    stack.run("apply", "--auto-approve")
    stack.quiet()
    stack.write(text)
    stack.quiet()


def test_removed_block(stack: Stack, ez: EzTexting, cx: SmsCx) -> None:
    """`[[removed]]`: forget it, and leave it at the vendor."""
    stack.write(ez_tables(stack, ez) + cx_tables(stack, cx))
    stack.run("apply", "--auto-approve")
    stack.write(
        ez_tables(stack, ez)
        + '[providers.cx]\ntype = "smscx"\nbase_url = "'
        + cx.base
        + '"\napi_key = { env = "SMSCX_API_KEY" }\n[[removed]]\nfrom = "application.campaigns"\n'
    )
    actions = stack.actions()
    assert actions["application.campaigns"] == ["forget"]
    assert actions['token.campaigns["web"]'] == ["forget"]
    stack.run("apply", "--auto-approve", code=None)
    assert len(cx.live) == 2
    assert {r["address"] for r in stack.resources()} == {"token.texts", "credits.ez"}
    stack.quiet()


def test_prevent_destroy(stack: Stack, ez: EzTexting) -> None:
    """A plan that `prevent_destroy` refuses is shown, is not `applyable`, and exits 9; removing the block does not
    remove the guard; --allow lifts it for one run."""
    stack.write(ez_tables(stack, ez, more="prevent_destroy = true"))
    stack.run("apply", "--auto-approve")
    out = stack.run("plan", "--destroy", "--out", "d.plan", code=9)
    assert "token.texts" in out.text
    assert "E0601" in out.text
    assert stack.run("show", "--json", "d.plan").json()["applyable"] is False
    stack.run("apply", "d.plan", code=9)
    stack.run("destroy", "--auto-approve", code=9)
    alone = ez_tables(stack, ez).replace('[applications.texts]\nprovider = "ez"\n', "")
    stack.write(alone)
    stack.run("plan", code=9)
    stack.run("apply", "--auto-approve", code=9)
    assert len(ez.live) == 1
    stack.run("apply", "--auto-approve", "--allow", "prevent_destroy:token.texts", code=None)
    assert len(ez.live) in (0, 1)


def test_prevent_destroy_is_lifted_by_its_address(stack: Stack, ez: EzTexting) -> None:
    """`--allow NAME` (`prevent_destroy:ADDRESS`) lifts one for one run, by the address of the guard as the message
    names it."""
    stack.write(ez_tables(stack, ez, more="prevent_destroy = true"))
    stack.run("apply", "--auto-approve")
    refused = stack.run("destroy", "--auto-approve", "--json", code=9)
    named = set(re.findall(r"prevent_destroy:([a-z]+\.[a-z]+)", refused.text))
    assert named
    allow = [word for address in named for word in ("--allow", f"prevent_destroy:{address}")]
    stack.run("destroy", "--auto-approve", *allow)
    assert ez.live == []


def test_max_destroy(stack: Stack, ez: EzTexting, idp: OAuth) -> None:
    """`[safety]` is judged over the whole plan: more revocations and deletions than `max_destroy`: 9; a rotation's
    retirement of the old token is none; `--allow max_destroy` lifts it for one run."""
    stack.write("[safety]\nmax_destroy = 1\n" + ez_tables(stack, ez) + idp_tables(stack, idp))
    stack.run("apply", "--auto-approve")
    replace = [word for a in ("token.texts", 'token.worker["eu"]', 'token.worker["us"]') for word in ("--replace", a)]
    stack.run("apply", "--auto-approve", *replace)
    ran = stack.run("destroy", "--auto-approve", code=9)
    assert "max_destroy" in ran.text
    assert len(idp.live) == 2
    stack.run("destroy", "--auto-approve", "--allow", "max_destroy")
    assert idp.live == []


def test_max_spend(stack: Stack, ez: EzTexting) -> None:
    """`max_spend` over all floors, per apply: more is refused (9) and nothing is sent."""
    ez.bought_credits = 0
    floor = FLOOR + '\nunit_price = "0.02"\ncurrency = "USD"'
    stack.write('[safety]\nmax_spend = { USD = "39.99" }\n' + ez_tables(stack, ez, floor=floor))
    ran = stack.run("apply", "--auto-approve", "--json", code=9)
    assert summary(ran.lines())
    assert ez.purchases == []
    assert ez.pairs == []
    stack.run("plan", code=9)
    stack.run("apply", "--auto-approve", "--allow", "max_spend")
    assert len(ez.purchases) == 1


def test_target_and_exclude(stack: Stack, ez: EzTexting, cx: SmsCx) -> None:
    """`--target A`, `--exclude A`; a target of nothing: 4, with a suggestion."""
    stack.write(ez_tables(stack, ez) + cx_tables(stack, cx))
    ran = stack.run("plan", "--target", "token.text", code=4)
    assert "token.texts" in ran.text
    assert set(stack.actions("--target", "credits.ez")) == {"credits.ez"}
    assert stack.plan("--target", "credits.ez")["complete"] is False
    assert set(stack.actions("--exclude", "credits.ez", "--exclude", "application.campaigns")) == {"token.texts"}
    stack.run("apply", "--auto-approve", "--target", "token.texts")
    assert (len(ez.pairs), len(cx.tokens)) == (1, 0)
    stack.run("apply", "--auto-approve", "--target", 'token.campaigns["web"]')
    assert len(cx.tokens) == 1
