"""Contract sections 2 to 5 for TextMaster and TEXTKING, against servers written from the vendors' documentation alone.

Every docstring is the sentence of the contract, or of the issue that it serves, which the test checks.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from acc_person import authorize
from acc_server import wait_until
from acc_stack import Stack, diagnostics, summary, tail

if TYPE_CHECKING:
    from acc_textking import TextKing
    from acc_textmaster import TextMaster

LOOPBACK = "http://127.0.0.1:0/callback"


def declare_tm(
    stack: Stack, tm: TextMaster, *, more: str = "", policy: str = "", scopes: str = '"user:read", "project:read"'
) -> None:
    stack.env |= {"TM_CLIENT_ID": tm.client_id, "TM_CLIENT_SECRET": tm.client_secret}
    stack.write(
        f"""
[providers.tm]
type = "textmaster"
base_url = "{tm.base}"

[token_policies.default]
{policy}

[applications.translations]
provider = "tm"
client_id = {{ env = "TM_CLIENT_ID" }}
client_secret = {{ env = "TM_CLIENT_SECRET" }}
redirect_uri = "{tm.redirect_uri}"
scopes = [{scopes}]
{more}
"""
    )


def declare_tk(stack: Stack, tk: TextKing, *, more: str = "", policy: str = "") -> None:
    stack.env |= {"TK_CLIENT_ID": tk.client_id, "TK_CLIENT_SECRET": tk.client_secret}
    stack.write(
        f"""
[providers.tk]
type = "textking"
base_url = "{tk.base}"

[token_policies.default]
{policy}

[applications.copy]
provider = "tk"
client_id = {{ env = "TK_CLIENT_ID" }}
client_secret = {{ env = "TK_CLIENT_SECRET" }}
redirect_uri = "{tk.redirect_uri}"
{more}
"""
    )


FLOOR = '[credits.tm]\nprovider = "tm"\nminimum = "100"\n'


def test_textmaster_from_nothing(stack: Stack, tm: TextMaster) -> None:
    """plan, apply (3: a person must authorize once), authorize with the code as one line of standard input, apply,
    plan again, token; the wallet is read with the token."""
    declare_tm(stack, tm, more=FLOOR)
    changes = stack.changes()
    assert changes["application.translations"]["change"]["importing"] == {"id": tm.client_id}
    assert changes["token.translations"]["change"]["actions"] == ["create"]
    assert any("authorize" in line for line in changes["token.translations"]["handoff"]["instructions"])
    ran = stack.run("apply", "--auto-approve", "--json", code=3)
    assert summary(ran.lines())["results"]["application.translations"] == "done"
    assert summary(ran.lines())["results"]["token.translations"] == "handoff"
    stack.run("plan", "--detailed-exitcode", code=2)
    assert authorize(stack, tm, "translations").returncode == 0
    assert stack.values("token.translations")["status"] == "live"
    stack.run("apply", "--auto-approve")
    stack.quiet()
    money = stack.values("credits.tm")
    assert (money["balance"], money["unit"]) == (420.5, "EUR")
    token = stack.run("token", "translations").stdout
    assert [grant.access for grant in tm.live] == [token.strip()]
    assert stack.values("token.translations")["scopes"] == ["project:read", "user:read"]
    assert stack.values("application.translations")["managed"] == "adopted"
    tm.wallet = 12
    assert stack.changes()["credits.tm"]["handoff"]["url"].startswith("http")
    stack.run("apply", "--auto-approve", code=3)
    stack.hunt(tm.secrets | {tm.client_secret}, handed_out=[token])
    assert set(stack.modes().values()) == {"-rw-------"}


@pytest.mark.parametrize("answer", ["consent", "wrong-state"])
def test_a_loopback_redirect_is_listened_on(stack: Stack, tm: TextMaster, answer: str) -> None:
    """A loopback `redirect_uri` is listened on; an answer with another state is never taken."""
    tm.redirect_uri = "http://127.0.0.1/callback"
    declare_tm(stack, tm)
    assert authorize(stack, tm, "translations", answer=answer).returncode == 0
    assert stack.values("token.translations")["status"] == "live"
    stack.run("apply", "--auto-approve")
    stack.quiet()


def test_a_denial(stack: Stack, tm: TextMaster) -> None:
    """A person's denial in `authorize`: 8."""
    tm.redirect_uri = "http://127.0.0.1/callback"
    declare_tm(stack, tm)
    assert authorize(stack, tm, "translations", answer="deny").returncode == 8
    assert tm.grants == []


def test_a_deadline(stack: Stack, tm: TextMaster) -> None:
    """`authorize` that ran into its deadline: 3."""
    tm.redirect_uri = "http://127.0.0.1/callback"
    declare_tm(stack, tm)
    assert authorize(stack, tm, "translations", "--timeout", "1s", answer="silence").returncode == 3


def test_granted_less_than_declared(stack: Stack, tm: TextMaster) -> None:
    """`authorize` that was granted less than declared: 3; later plans say so as a warning and do not ask again."""
    tm.shrinks = {"project:read"}
    declare_tm(stack, tm)
    ran = authorize(stack, tm, "translations")
    assert ran.returncode == 3
    assert "project:read" in ran.text
    assert stack.values("token.translations")["scopes"] == ["user:read"]
    stack.run("apply", "--auto-approve", code=None)
    found = diagnostics(stack.run("plan", "--json", "--detailed-exitcode"))
    assert [item["severity"] for item in found] == ["warning"]


@pytest.mark.parametrize("mode", tail("immediate", "on-use", slow=("old-lives",)))
@pytest.mark.parametrize("status", tail(200, slow=(201,)))
def test_textmaster_renewal(stack: Stack, tm: TextMaster, mode: str, status: int) -> None:
    """A renewal by refresh is an update; the pair is stored before it is used; the old one may die at once, at the
    first use of the new one, or live."""
    tm.life, tm.status = 8, status
    tm.on_use, tm.old_pair_lives = mode == "on-use", mode == "old-lives"
    declare_tm(stack, tm)
    authorize(stack, tm, "translations")
    began = time.time()
    stack.run("apply", "--auto-approve")
    wait_until(began + 5.5)
    assert stack.actions() == {"token.translations": ["update"]}
    tm.life = 28800
    stack.run("apply", "--auto-approve")
    assert len(tm.grants) == 2
    assert stack.run("token", "translations").stdout.strip() == tm.grants[-1].access
    stack.quiet()


def test_a_dead_refresh_token_needs_a_person(stack: Stack, tm: TextMaster) -> None:
    """An application that the user revoked is unauthorized: apply says so and exits 3; one consent mends it."""
    declare_tm(stack, tm)
    authorize(stack, tm, "translations")
    stack.run("apply", "--auto-approve")
    tm.take_back()
    ran = stack.run("apply", "--auto-approve", code=3)
    assert "authorize translations" in ran.text
    assert stack.values("token.translations")["status"] in ("unauthorized", "revoked")
    stack.run("apply", "--auto-approve", code=3)
    assert stack.run("token", "translations", code=3).stdout == ""
    assert authorize(stack, tm, "translations").returncode == 0
    stack.run("apply", "--auto-approve")
    stack.quiet()


def test_a_scope_taken_from_a_live_token(stack: Stack, tm: TextMaster) -> None:
    """A user may shrink the scopes of a live token: it is not dead (403 against 401), and what it lacks is drift, a
    warning, and recorded."""
    declare_tm(stack, tm, more=FLOOR + 'on_shortfall = "warn"')
    authorize(stack, tm, "translations")
    stack.run("apply", "--auto-approve")
    tm.shrink("user:read")
    assert "token.translations" in stack.run("drift", "--detailed-exitcode", code=2).stdout
    ran = stack.run("plan", "--detailed-exitcode")
    assert "W0302" in ran.text
    assert "user:read" in ran.text
    stack.run("apply", "--auto-approve")
    assert stack.values("token.translations")["scopes"] == ["project:read"]
    stack.run("drift", "--detailed-exitcode")
    assert len(tm.live) == 1
    authorize(stack, tm, "translations")
    stack.run("apply", "--auto-approve")
    assert stack.values("token.translations")["scopes"] == ["project:read", "user:read"]


@pytest.mark.parametrize("offered", [True, False])
def test_textmaster_destroy(stack: Stack, tm: TextMaster, offered: bool) -> None:
    """Revocation is tried, never assumed: where the server has none, the token is forgotten with a handoff, exit 3."""
    tm.revokes = offered
    declare_tm(stack, tm)
    authorize(stack, tm, "translations")
    stack.run("apply", "--auto-approve")
    stack.run("destroy", "--auto-approve", code=0 if offered else 3)
    assert len(tm.live) == (0 if offered else 1)
    assert stack.resources() == []


def test_textking_from_nothing(stack: Stack, tk: TextKing) -> None:
    """The code flow with no scopes, with secrets that must be encoded, `expires_in` as text, `bearer` in lower case."""
    tk.redirect_uri = "http://127.0.0.1/callback"
    declare_tk(stack, tk)
    stack.run("apply", "--auto-approve", code=3)
    assert authorize(stack, tk, "copy").returncode == 0
    stack.run("apply", "--auto-approve")
    stack.quiet()
    values = stack.values("token.copy")
    assert values["scopes"] == []
    issued, expires = (values[name][:10] for name in ("issued_at", "expires_at"))
    assert issued < expires
    token = stack.run("token", "copy").stdout
    assert token.strip() == tk.live[0].access
    stack.hunt(tk.secrets | {tk.client_secret}, handed_out=[token])


@pytest.mark.parametrize("rotates", tail(False, slow=(True,)))
@pytest.mark.parametrize("old_lives", tail(False, slow=(True,)))
@pytest.mark.parametrize("text", tail(True, slow=(False,)))
def test_textking_renewal(stack: Stack, tk: TextKing, rotates: bool, old_lives: bool, text: bool) -> None:
    """Refresh may or may not rotate: a new refresh token replaces the old, none leaves it."""
    tk.life, tk.rotates, tk.old_pair_lives, tk.life_is_text = 8, rotates, old_lives, text
    declare_tk(stack, tk)
    authorize(stack, tk, "copy")
    began = time.time()
    stack.run("apply", "--auto-approve")
    for turn in (1, 2):
        wait_until(began + 5.5)
        if turn == 2:
            tk.life = 2592000
        stack.run("apply", "--auto-approve")
        began = time.time()
        assert len(tk.grants) == turn + 1
    assert stack.run("token", "copy").stdout.strip() == tk.grants[-1].access
    stack.quiet()


@pytest.mark.parametrize("body", tail("empty", slow=("xml", "json")))
def test_textking_dead_token(stack: Stack, tk: TextKing, body: str) -> None:
    """403 means a dead token: one refresh is tried; where that fails too a person must authorize again (3), whatever
    the error's body looks like."""
    tk.error_body = body
    declare_tk(stack, tk)
    authorize(stack, tk, "copy")
    stack.run("apply", "--auto-approve")
    tk.grants[-1].dead = True
    stack.run("apply", "--auto-approve")
    assert len(tk.grants) == 2
    assert tk.grants[-1].lives()
    for grant in tk.grants:
        grant.dead = grant.refresh_dead = True
    stack.run("apply", "--auto-approve", code=3)
    stack.run("apply", "--auto-approve", code=3)
    authorize(stack, tk, "copy")
    stack.run("apply", "--auto-approve")
    stack.quiet()


def test_offline_access(stack: Stack, tk: TextKing) -> None:
    """`offline_access`: a token that never ends and cannot be renewed or revoked; destroy leaves a handoff, exit 3."""
    declare_tk(stack, tk, more="offline_access = true")
    assert authorize(stack, tk, "copy").returncode == 0
    stack.run("apply", "--auto-approve")
    assert stack.values("token.copy")["expires_at"] is None
    assert stack.values("token.copy")["refresh_expires_at"] is None
    assert stack.actions("--at", "+4000d") == {}
    stack.run("token", "copy", "--min-ttl", "90d")
    stack.run("destroy", "--auto-approve", code=3)


def test_textking_destroy_says_when_it_dies(stack: Stack, tk: TextKing) -> None:
    """Where the vendor has no revoke, the token is forgotten with a handoff that says how and when it dies."""
    declare_tk(stack, tk)
    authorize(stack, tk, "copy")
    stack.run("apply", "--auto-approve")
    ends = stack.values("token.copy")["expires_at"][:10]
    handoff = stack.changes("--destroy")["token.copy"]["handoff"]
    assert ends in " ".join(handoff["instructions"])
    stack.run("destroy", "--auto-approve", code=3)


def test_two_consumers_authorize_each(stack: Stack, tk: TextKing) -> None:
    """`authorize APPLICATION --consumer C`: one token each."""
    declare_tk(stack, tk, more='consumers = ["web", "worker"]')
    for consumer in ("web", "worker"):
        assert authorize(stack, tk, "copy", "--consumer", consumer).returncode == 0
    stack.run("apply", "--auto-approve")
    assert {r["address"] for r in stack.resources() if r["type"] == "token"} == {
        'token.copy["web"]',
        'token.copy["worker"]',
    }
    stack.quiet()


@pytest.mark.parametrize("how", tail("drop", slow=("half", "html", 500)))
@pytest.mark.parametrize("after", [True, False])
@pytest.mark.parametrize("mode", ["immediate", "on-use"])
def test_a_refresh_in_doubt(stack: Stack, tm: TextMaster, how: int | str, after: bool, mode: str) -> None:
    """A refresh in doubt: exit 3; the next run tries once with the token that we still have; `invalid_grant` means that
    a person authorizes again, and the lost pair is recorded where it may live."""
    tm.life, tm.on_use = 6, mode == "on-use"
    declare_tm(stack, tm)
    authorize(stack, tm, "translations")
    began = time.time()
    stack.run("apply", "--auto-approve")
    wait_until(began + 4.1)
    tm.life = 28800
    tm.arm("/oauth/token", how, after=after)
    stack.run("apply", "--auto-approve", code=3)
    assert [doubt["kind"] for doubt in stack.state()["in_doubt"]] == ["token.refresh"]
    dies = after and mode == "immediate"
    stack.run("apply", "--auto-approve", code=3 if dies else None)
    if dies:
        authorize(stack, tm, "translations")
    stack.run("apply", "--auto-approve")
    assert stack.state()["in_doubt"] == []
    assert stack.run("token", "translations").stdout.strip() == tm.grants[-1].access
    stack.quiet()


def test_a_changed_secret(stack: Stack, tm: TextMaster) -> None:
    """Refused credentials of an adopted application: 8, naming the reference and never the value."""
    tm.life = 6
    declare_tm(stack, tm)
    authorize(stack, tm, "translations")
    began = time.time()
    stack.env["TM_CLIENT_SECRET"] = wrong = tm.secret(20)
    wait_until(began + 4.2)
    ran = stack.run("apply", "--auto-approve", code=None)
    assert ran.returncode in (1, 8)
    assert "TM_CLIENT_SECRET" in ran.text
    stack.hunt([wrong])


def test_separate_urls(stack: Stack, tm: TextMaster) -> None:
    """base_url sets all three at once; each may be set alone."""
    declare_tm(stack, tm)
    text = (stack.folder / "provisioner.toml").read_text()
    port = urlsplit(tm.base).port
    apart = (
        f'authorize_url = "{tm.base}/oauth/authorize"\ntoken_url = "http://localhost:{port}/oauth/token"\n'
        f'api_url = "http://127.0.0.1:{port}"'
    )
    stack.write(text.replace(f'base_url = "{tm.base}"', apart))
    assert authorize(stack, tm, "translations").returncode == 0
    stack.run("apply", "--auto-approve")
    stack.quiet()


def test_a_rotation_needs_nobody(stack: Stack, tm: TextMaster) -> None:
    """A rotation where a first token takes a person is a refresh (an update), by age and by --replace: the old pair
    ends and nobody is asked."""
    declare_tm(stack, tm, policy='rotate_every = "1h"')
    authorize(stack, tm, "translations")
    stack.run("apply", "--auto-approve")
    assert stack.actions("--at", "+59m") == {}
    assert stack.actions("--at", "+61m") == {"token.translations": ["update"]}
    stack.run("apply", "--auto-approve", "--replace", "token.translations")
    assert [grant.access for grant in tm.live] == [tm.grants[1].access]
    stack.quiet()
