"""Contract sections 2 to 5 for SMS.CX, against a server written from the vendor's documentation alone.

Every docstring is the sentence of the contract, or of the issue that it serves, which the test checks.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from acc_stack import Stack, diagnostics, summary, tail

if TYPE_CHECKING:
    from acc_smscx import SmsCx

WEB, WORKER = 'token.campaigns["web"]', 'token.campaigns["worker"]'


def declare(stack: Stack, cx: SmsCx, *, more: str = "", life: str = "1d", scopes: str = '"sms", "groups"') -> None:
    stack.env |= {"SMSCX_API_KEY": cx.api_key}
    stack.write(
        f"""
[providers.cx]
type = "smscx"
base_url = "{cx.base}"
api_key = {{ env = "SMSCX_API_KEY" }}

[applications.campaigns]
provider = "cx"
name = "Campaign sender"
scopes = [{scopes}]
token_lifetime = "{life}"
{more}
"""
    )


FLOOR = '[credits.cx]\nprovider = "cx"\nminimum = "100.00"\n'


@pytest.mark.parametrize(
    "expiration", tail("1 day", "86400", slow=("1d", "1_day", "day", "1day", "1 Day", "P1D", "24h"))
)
def test_the_first_apply(stack: Stack, cx: SmsCx, expiration: str) -> None:
    """What exists at the vendor and is taken over is an import: actions ["no-op"] with `importing`, and it counts as a
    change; consumers get one token each; however the vendor spells a day."""
    app = cx.add("Campaign sender", "groups sms ", expiration)
    declare(stack, cx, more='consumers = ["web", "worker"]\n' + FLOOR)
    planned = stack.run("plan", "--detailed-exitcode", code=2).stdout
    assert "# application.campaigns will be imported" in planned
    assert "Plan: 1 to import, 3 to add, 0 to change, 0 to destroy." in planned
    change = stack.changes()["application.campaigns"]
    assert change["change"]["actions"] == ["no-op"]
    assert change["change"]["importing"] == {"id": app.client_id}
    assert change["handoff"] is None
    stack.run("apply", "p.plan")
    stack.quiet()
    assert len(cx.live) == 2
    assert all(set(token.scopes) == {"sms", "groups"} for token in cx.live)
    known = stack.values("application.campaigns")
    assert known["client_id"] == app.client_id
    assert known["managed"] == "adopted"
    assert known["scopes"] == ["groups", "sms"]
    assert known["token_lifetime"] == "1d"
    assert known["secret_fingerprint"].startswith("sha256:")
    assert stack.values(WEB)["consumer"] == "web"
    money = stack.values("credits.cx")
    assert (money["balance"], money["unit"], money["minimum"]) == (150.25, "EUR", 100)
    web, worker = (stack.run("token", address).stdout for address in (WEB, WORKER))
    assert {web.strip(), worker.strip()} == {token.access for token in cx.live}
    stack.hunt(cx.secrets, handed_out=[web, worker])
    assert set(stack.modes().values()) == {"-rw-------"}


def test_an_application_that_a_person_must_make(stack: Stack, cx: SmsCx) -> None:
    """A handoff shows exact instructions and a URL; `apply` does everything else, exits 3, and the next run finds what
    the person did."""
    declare(stack, cx, more=FLOOR)
    change = stack.changes()["application.campaigns"]
    assert change["change"]["actions"] == ["create"]
    said = " ".join(change["handoff"]["instructions"])
    for word in ("Campaign sender", "sms", "groups", "1 day"):
        assert word in said
    assert change["handoff"]["url"].startswith("https://")
    assert "waits for a person." in stack.run("plan").stdout or "wait for a person." in stack.run("plan").stdout
    ran = stack.run("apply", "--auto-approve", "--json", code=3)
    results = summary(ran.lines())["results"]
    assert results["credits.cx"] == "done"
    assert results["application.campaigns"] == "handoff"
    assert results["token.campaigns"] == "handoff"
    stack.run("apply", "--auto-approve", code=3)
    cx.add("Campaign sender", "sms groups", "1 day")
    stack.run("apply", "--auto-approve")
    assert len(cx.live) == 1
    assert stack.values("application.campaigns")["managed"] in ("handoff", "adopted")
    stack.quiet()


@pytest.mark.parametrize("data", [[], {}])
def test_an_empty_account(stack: Stack, cx: SmsCx, data: object) -> None:
    """An account with no applications is understood, whether `data` is a list or an object."""
    cx.empty_data = data
    declare(stack, cx)
    assert stack.changes()["application.campaigns"]["change"]["actions"] == ["create"]


def test_other_applications_without_names(stack: Stack, cx: SmsCx) -> None:
    """An application name is optional at the vendor: a null one is nobody's."""
    cx.add(None, "sms", "never")
    cx.add("", "sms", "1 week")
    cx.add("Campaign sender", "sms groups")
    declare(stack, cx)
    stack.run("apply", "--auto-approve")
    stack.quiet()


def test_a_panel_edit_of_scopes(stack: Stack, cx: SmsCx) -> None:
    """A panel edit is drift; the plan shows an update with a handoff; a token whose scopes the application still has
    is left alone; once the person mended it nothing is left to do."""
    app = cx.add("Campaign sender", "sms groups")
    declare(stack, cx)
    stack.run("apply", "--auto-approve")
    app.scopes = "sms groups reports"
    drifted = stack.run("drift", "--detailed-exitcode", code=2)
    assert "application.campaigns" in drifted.stdout
    lines = stack.run("drift", "--json").lines()
    assert [li["change"]["resource"]["addr"] for li in lines if li["type"] == "resource_drift"] == [
        "application.campaigns"
    ]
    change = stack.changes()["application.campaigns"]
    assert change["change"]["actions"] == ["update"]
    assert change["change"]["before"]["scopes"] == ["groups", "reports", "sms"]
    assert change["change"]["after"]["scopes"] == ["groups", "sms"]
    assert change["handoff"]["instructions"]
    stack.run("apply", "--auto-approve", code=3)
    assert len(cx.tokens) == 1
    app.scopes = "groups sms"
    stack.run("apply", "--auto-approve")
    stack.quiet()
    stack.run("drift", "--detailed-exitcode")


def test_a_handoff_holds_back_only_what_needs_it(stack: Stack, cx: SmsCx) -> None:
    """A token whose scopes the vendor's application already has is minted although the application itself differs from
    what is declared."""
    cx.add("Campaign sender", "sms groups", "1 week")
    declare(stack, cx)
    ran = stack.run("apply", "--auto-approve", "--json", code=3)
    assert summary(ran.lines())["results"] == {"application.campaigns": "handoff", "token.campaigns": "done"}
    assert len(cx.live) == 1


def test_a_scope_that_the_application_lacks(stack: Stack, cx: SmsCx) -> None:
    """A token that needs a scope which a person must add waits for it: exit 3."""
    app = cx.add("Campaign sender", "sms")
    declare(stack, cx)
    stack.run("apply", "--auto-approve", code=3)
    assert cx.tokens == []
    app.scopes = "sms groups"
    stack.run("apply", "--auto-approve")
    assert [set(token.scopes) for token in cx.live] == [{"sms", "groups"}]
    stack.quiet()


def test_fewer_scopes_than_declared(stack: Stack, cx: SmsCx) -> None:
    """A token that was granted fewer scopes than declared is kept and recorded with what was granted; apply names what
    is missing and exits 3; later plans say so as a warning and do not ask again."""
    cx.add("Campaign sender", "sms groups")
    cx.grants_fewer = {"groups"}
    declare(stack, cx)
    ran = stack.run("apply", "--auto-approve", code=3)
    assert "groups" in ran.text
    assert stack.values("token.campaigns")["scopes"] == ["sms"]
    plan = stack.run("plan", "--detailed-exitcode", "--json").lines()
    warned = [line["diagnostic"] for line in plan if line["type"] == "diagnostic"]
    assert [(w["severity"], "groups" in w["summary"] + w["detail"]) for w in warned] == [("warning", True)]
    stack.run("apply", "--auto-approve", code=None)
    assert len(cx.tokens) == 1
    cx.grants_fewer = set()
    stack.run("apply", "--auto-approve", "--replace", "token.campaigns")
    assert stack.values("token.campaigns")["scopes"] == ["groups", "sms"]


def test_a_secret_reset(stack: Stack, cx: SmsCx) -> None:
    """A secret that was reset in the panel is seen by its fingerprint; the next token is minted with the new one."""
    app = cx.add("Campaign sender", "sms groups")
    declare(stack, cx)
    stack.run("apply", "--auto-approve")
    before = stack.values("application.campaigns")["secret_fingerprint"]
    cx.reset_secret(app)
    assert "application.campaigns" in stack.run("drift", "--detailed-exitcode", code=2).stdout
    stack.run("apply", "--auto-approve")
    assert stack.values("application.campaigns")["secret_fingerprint"] != before
    stack.run("apply", "--auto-approve", "--replace", "token.campaigns")
    assert len(cx.tokens) == 2
    stack.quiet()
    stack.hunt(cx.secrets)


def test_tokens_revoked_in_the_panel(stack: Stack, cx: SmsCx) -> None:
    """A token that was revoked outside is replaced: the next plan creates another."""
    app = cx.add("Campaign sender", "sms groups")
    declare(stack, cx)
    stack.run("apply", "--auto-approve")
    cx.revoke_all(app)
    stack.run("drift", "--detailed-exitcode", code=2)
    assert stack.actions()["token.campaigns"] in (["create"], ["create", "delete"])
    stack.run("apply", "--auto-approve")
    assert len(cx.live) == 1
    stack.quiet()


def test_an_application_deleted_in_the_panel(stack: Stack, cx: SmsCx) -> None:
    """An application that is gone at the vendor is to be made again by a person: exit 3."""
    app = cx.add("Campaign sender", "sms groups")
    declare(stack, cx)
    stack.run("apply", "--auto-approve")
    cx.revoke_all(app)
    cx.apps.remove(app)
    assert stack.changes()["application.campaigns"]["handoff"]["instructions"]
    stack.run("apply", "--auto-approve", code=3)
    cx.add("Campaign sender", "sms groups")
    stack.run("apply", "--auto-approve")
    assert len(cx.live) == 1
    stack.quiet()


def test_a_renewal_is_another_token(stack: Stack, cx: SmsCx) -> None:
    """Where there is no refresh, a token that is due is replaced; at a vendor without revoke the old one stays
    `retiring` until it expires: 0, with a note."""
    cx.add("Campaign sender", "sms groups")
    cx.life = 10
    declare(stack, cx)
    stack.run("apply", "--auto-approve")
    time.sleep(7)
    cx.life = 86400
    assert stack.actions() == {"token.campaigns": ["create", "delete"]}
    ran = stack.run("apply", "p.plan")
    assert "Note: " in ran.text
    statuses = sorted(r["values"]["status"] for r in stack.resources() if r["type"] == "token")
    assert statuses in (["live", "retiring"], ["expired", "live"], ["live"])
    time.sleep(3)
    stack.run("apply", "--auto-approve")
    assert [r["values"]["status"] for r in stack.resources() if r["type"] == "token"] == ["live"]
    stack.quiet()


def test_a_rotation(stack: Stack, cx: SmsCx) -> None:
    """A rotated token at a vendor without revoke stays `retiring` until it expires: 0, with a note; one consumer's
    rotation is not another's."""
    cx.add("Campaign sender", "sms groups")
    declare(stack, cx, more='consumers = ["web", "worker"]')
    stack.run("apply", "--auto-approve")
    before = stack.values(WORKER)["fingerprint"]
    assert stack.actions("--replace", WEB) == {WEB: ["create", "delete"]}
    ran = stack.run("apply", "p.plan")
    assert "expires" in ran.text or "until" in ran.text
    retiring = [r for r in stack.resources() if r["values"].get("status") == "retiring"]
    assert [r["address"] for r in retiring] == [WEB]
    assert retiring[0]["deposed"]
    assert stack.values(WORKER)["fingerprint"] == before
    stack.quiet()


def test_destroy(stack: Stack, cx: SmsCx) -> None:
    """Where the vendor has no revoke, the token is forgotten with a handoff that says how to kill it and when it dies:
    exit 3."""
    cx.add("Campaign sender", "sms groups")
    declare(stack, cx)
    stack.run("apply", "--auto-approve")
    change = stack.changes("--destroy")["token.campaigns"]
    assert change["change"]["actions"] == ["forget"]
    assert stack.values("token.campaigns")["expires_at"][:10] in " ".join(change["handoff"]["instructions"])
    stack.run("destroy", "--auto-approve", code=3)
    assert stack.resources() == []
    stack.run("apply", "--destroy", "--auto-approve", code=None)


def test_a_balance_below_the_floor(stack: Stack, cx: SmsCx) -> None:
    """A floor that stays unmet because the vendor sells none by API: a handoff and exit 3; or a warning and 0."""
    cx.add("Campaign sender", "sms groups")
    declare(stack, cx, more=FLOOR)
    stack.run("apply", "--auto-approve")
    cx.balance = 99.5
    change = stack.changes()["credits.cx"]
    assert change["handoff"]["instructions"]
    assert "purchase" not in change["change"]["after"]
    assert change["change"]["before"]["balance"] == 99.5
    stack.run("apply", "--auto-approve", code=3)
    declare(stack, cx, more=FLOOR + 'on_shortfall = "warn"')
    ran = stack.run("apply", "--auto-approve")
    assert "99.5" in ran.text
    cx.balance = 100
    ran = stack.run("apply", "--auto-approve")
    stack.quiet()
    assert stack.values("credits.cx")["balance"] == 100


@pytest.mark.parametrize("balance", tail(-12.5, slow=(0, 1e9, 0.1)))
def test_odd_balances(stack: Stack, cx: SmsCx, balance: float) -> None:
    """A balance is exact decimal money, whatever its sign and size."""
    cx.add("Campaign sender", "sms groups")
    cx.balance, cx.currency, cx.billing = balance, "usd", "postpaid"
    declare(stack, cx, more=FLOOR + 'on_shortfall = "warn"')
    stack.run("apply", "--auto-approve")
    assert stack.values("credits.cx")["balance"] == balance
    assert stack.values("credits.cx")["unit"] == "USD"


@pytest.mark.parametrize("wire", tail(0, slow=(-1, 10**12)))
def test_a_token_that_never_ends(stack: Stack, cx: SmsCx, wire: int) -> None:
    """`token_lifetime = "never"`: `expires_at` is null, and nothing ever falls due."""
    cx.add("Campaign sender", "sms groups", "Never")
    cx.never = wire
    declare(stack, cx, life="never")
    stack.run("apply", "--auto-approve")
    assert stack.values("token.campaigns")["expires_at"] is None
    assert stack.actions("--at", "+5000d") == {}
    stack.run("token", "token.campaigns", "--min-ttl", "100d")


@pytest.mark.parametrize("spelling", tail("1 week", slow=("1w", "week", "604800", "7 days")))
def test_a_week(stack: Stack, cx: SmsCx, spelling: str) -> None:
    """A lifetime of a week, however the vendor spells it."""
    cx.add("Campaign sender", "sms groups", spelling)
    declare(stack, cx, life="1w")
    stack.run("apply", "--auto-approve")
    stack.quiet()


def test_a_wrong_key(stack: Stack, cx: SmsCx) -> None:
    """A provider refused its credentials: 8, naming the reference and never the value."""
    cx.add("Campaign sender", "sms groups")
    declare(stack, cx)
    stack.env["SMSCX_API_KEY"] = wrong = cx.secret(24)
    for command in (["plan"], ["apply", "--auto-approve"], ["drift"]):
        ran = stack.run(*command, code=8)
        assert "SMSCX_API_KEY" in ran.text
    stack.hunt([wrong])


@pytest.mark.parametrize("how", tail(401, "html", slow=(403, "half", "shape", 500, "drop")))
@pytest.mark.parametrize("path", ["/applications", "/account/balance"])
def test_a_read_that_fails(stack: Stack, cx: SmsCx, path: str, how: int | str) -> None:
    """HTML, half a body, an unknown shape: exit 8 if it was a read; the recorded state stays true."""
    cx.add("Campaign sender", "sms groups")
    declare(stack, cx, more=FLOOR)
    cx.arm(path, how, times=50)
    ran = stack.run("plan", "--json", code=8)
    assert diagnostics(ran)
    stack.run("apply", "--auto-approve", code=8)
    cx.calm()
    stack.run("apply", "--auto-approve")
    stack.quiet()


def test_too_many_requests(stack: Stack, cx: SmsCx) -> None:
    """A vendor's own rate-limit header is honoured: an absolute second, and the read is tried again."""
    cx.add("Campaign sender", "sms groups")
    declare(stack, cx)
    until = int(time.time()) + 2
    cx.arm("/applications", 429, headers={"X-Rate-Limit-Reset": str(until), "X-Rate-Limit-Remaining": "0"})
    stack.run("apply", "--auto-approve")
    assert time.time() >= until


@pytest.mark.parametrize("after", [True, False])
@pytest.mark.parametrize("how", tail("drop", slow=("half", "html", 500)))
def test_a_token_in_doubt(stack: Stack, cx: SmsCx, how: int | str, after: bool) -> None:
    """A creation whose answer did not come: exit 3; the next run mints another and records the first as lost, with the
    latest moment that it can live to."""
    cx.add("Campaign sender", "sms groups")
    declare(stack, cx)
    cx.arm("/oauth/token", how, after=after)
    stack.run("apply", "--auto-approve", code=3)
    stack.run("apply", "--auto-approve")
    lost = [r for r in stack.resources() if r["values"].get("status") == "lost"]
    assert [(r["address"], r["values"]["fingerprint"]) for r in lost] == [("token.campaigns", None)]
    assert len(cx.live) == 1 + (after)


def test_the_vendor_refuses_one_scope(stack: Stack, cx: SmsCx) -> None:
    """One step refused by a vendor (`invalid_scope`) while the rest went on: 1."""
    app = cx.add("Campaign sender", "sms groups")
    cx.add("Reporter", "reports")
    declare(
        stack,
        cx,
        more='[applications.reports]\nprovider = "cx"\nname = "Reporter"\nscopes = ["reports"]\n'
        'token_lifetime = "1d"\n',
    )
    stack.run("plan", "--out", "before.plan")
    app.scopes = "sms"
    ran = stack.run("apply", "before.plan", "--json", code=1)
    results = summary(ran.lines())["results"]
    assert results["token.campaigns"] == "failed"
    assert results["token.reports"] == "done"
