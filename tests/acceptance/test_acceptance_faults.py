"""What a vendor's bad days mean: rate limits, redirects, silence, half-finished revocations.

Every docstring is the sentence of the contract, or of the issues, which the test checks.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from acc_messaging import cx_tables, ez_tables, idp_tables
from acc_stack import Stack, summary, tail
from acc_terminal import at_terminal

if TYPE_CHECKING:
    from acc_eztexting import EzTexting
    from acc_oauth import OAuth
    from acc_smscx import SmsCx

MILLISECONDS = {"X-Rate-Limit-Retry-After-Milliseconds": "700"}


@pytest.mark.parametrize("path", ["/v1/credits", "/v1/tokens/create"])
def test_too_many_requests(stack: Stack, ez: EzTexting, path: str) -> None:
    """Each vendor's own rate-limit header and unit is honoured: a definite "not now" is tried again after it."""
    stack.write(ez_tables(stack, ez))
    ez.arm(path, 429, headers=MILLISECONDS, times=2)
    began = time.time()
    stack.run("apply", "--auto-approve")
    assert time.time() - began > 1.3
    assert len(ez.pairs) == 1
    stack.quiet()


@pytest.mark.slow
def test_too_many_purchases(stack: Stack, ez: EzTexting) -> None:
    """A purchase is never sent again on its own, not even after a 429."""
    ez.bought_credits = 0
    stack.write(ez_tables(stack, ez))
    ez.arm("/v1/credits/purchase", 429, headers=MILLISECONDS)
    stack.run("apply", "--auto-approve", code=3)
    assert ez.count("/v1/credits/purchase") == 1
    assert ez.purchases == []


@pytest.mark.parametrize("path", tail("/v1/credits", "/v1/tokens/create", slow=("/v1/credits/purchase",)))
def test_a_redirect_to_another_host(stack: Stack, ez: EzTexting, cx: SmsCx, path: str) -> None:
    """A redirect to another host is never followed with credentials; of a read it is 8, of a change in doubt (3)."""
    ez.bought_credits = 0
    stack.write(ez_tables(stack, ez))
    if path != "/v1/tokens/create":
        stack.run("apply", "--auto-approve", "--target", "token.texts")
    elsewhere = cx.base.replace("127.0.0.1", "localhost") + "/v1/credits"
    ez.arm(path, 302, headers={"Location": elsewhere}, times=9)
    stack.run("apply", "--auto-approve", code=8 if path == "/v1/credits" else 3)
    assert cx.requests == []
    ez.calm()
    stack.run("state", "verify")


@pytest.mark.parametrize("how", tail("drop", slow=(500, "half")))
@pytest.mark.parametrize("after", [True, False])
def test_a_revocation_in_doubt(stack: Stack, ez: EzTexting, how: int | str, after: bool) -> None:
    """A revocation is harmless to repeat; "unknown token" counts as revoked."""
    stack.write(ez_tables(stack, ez))
    stack.run("apply", "--auto-approve")
    ez.arm("/v1/tokens/revoke", how, after=after, times=20)
    stack.run("apply", "--auto-approve", "--replace", "token.texts", code=None)
    ez.calm()
    stack.run("apply", "--auto-approve", code=None)
    stack.run("apply", "--auto-approve")
    assert [pair.access for pair in ez.live] == [ez.pairs[-1].access]
    assert len(ez.pairs) == 2
    stack.quiet()


@pytest.mark.slow
@pytest.mark.parametrize("path", ["/v1/tokens/create", "/v1/credits/purchase", "/v1/credits"])
def test_silence(stack: Stack, ez: EzTexting, path: str) -> None:
    """A request that is never answered: of a change in doubt (3), of a read 8; within a minute or two."""
    ez.bought_credits = 0
    stack.write(ez_tables(stack, ez))
    ez.arm(path, "hang", seconds=300, times=9)
    ran = stack.run("apply", "--auto-approve", "--json", code=8 if path == "/v1/credits" else 3, seconds=300)
    assert summary(ran.lines())
    stack.run("state", "verify")


def test_one_vendor_fails_and_the_rest_goes_on(stack: Stack, ez: EzTexting, cx: SmsCx, idp: OAuth) -> None:
    """Some steps failed (1): the closing summary says which; independent chains go on."""
    stack.write(ez_tables(stack, ez) + cx_tables(stack, cx) + idp_tables(stack, idp))
    ez.arm("/v1/tokens/create", 400)
    idp.arm("/as/register", 500)
    ran = stack.run("apply", "--auto-approve", "--json", code=1)
    results = summary(ran.lines())["results"]
    assert results["token.texts"] == "failed"
    assert results['token.campaigns["web"]'] == "done"
    waiting = sorted(results[f'{kind}.worker["{key}"]'] for kind in ("application", "token") for key in ("eu", "us"))
    assert waiting == ["done", "done", "in_doubt", "not_started"]
    stack.run("apply", "--auto-approve", code=None)
    # The client that may have been registered cannot be looked for: it waits for a person.
    stack.run("apply", "--auto-approve", code=3)
    stack.quiet()


def test_nothing_is_sent_when_a_read_fails(stack: Stack, ez: EzTexting, cx: SmsCx) -> None:
    """A provider that cannot be read fails the plan (8), and no other provider is changed."""
    stack.write(ez_tables(stack, ez) + cx_tables(stack, cx))
    cx.arm("/applications", "html", times=9)
    stack.run("apply", "--auto-approve", code=8)
    assert ez.pairs == []
    stack.run("apply", "--auto-approve", "--exclude", "application.campaigns", code=None)


@pytest.mark.parametrize(("answer", "code"), [("yes", 0), ("no", 1), ("y", 1), ("", 1)])
def test_the_prompt(stack: Stack, ez: EzTexting, answer: str, code: int) -> None:
    """Asks `Enter a value:` and takes `yes`; anything else is `Apply cancelled.`, exit 1."""
    stack.write(ez_tables(stack, ez))
    ended, shown = at_terminal(stack, "apply", prompt="Enter a value:", answer=answer)
    assert ended == code, shown
    assert ("Apply cancelled." in shown) == (code == 1)
    assert len(ez.pairs) == (1 if code == 0 else 0)


def test_the_prompt_of_destroy(stack: Stack, ez: EzTexting) -> None:
    """`destroy` asks as well; NO_COLOR is honoured at a terminal."""
    stack.write(ez_tables(stack, ez))
    stack.run("apply", "--auto-approve")
    stack.env["NO_COLOR"] = "1"
    code, shown = at_terminal(stack, "destroy", prompt="Enter a value:", answer="no")
    assert code == 1
    assert "\x1b[3" not in shown
    assert len(ez.live) == 1
    code, _ = at_terminal(stack, "destroy", prompt="Enter a value:", answer="yes")
    assert code == 0
    assert ez.live == []
    stack.hunt(ez.secrets)


def test_everything_written_is_private(stack: Stack, ez: EzTexting) -> None:
    """Plan files, states and whatever else is written are mode 0600, whatever the umask, in folders of their own."""
    stack.write(ez_tables(stack, ez))
    stack.run("plan", "--out", "p.plan", "--markdown", "p.md")
    stack.run("apply", "p.plan")
    stack.run("state", "backup", "b.tar")
    stack.run("audit", "--sarif", "a.sarif", "--junit", "a.xml", "--html", "a.html", code=None)
    assert set(stack.modes().values()) == {"-rw-------"}
    folders = {path.parent for path in stack.written()} - {stack.folder}
    assert {oct(path.stat().st_mode & 0o077) for path in folders} == {"0o0"}


def test_drift_of_every_kind(stack: Stack, ez: EzTexting, cx: SmsCx, idp: OAuth) -> None:
    """What changed at the providers behind the recorded state's back: in `drift`, in `resource_drift` of a plan, and as
    lines of the stream."""
    stack.write(ez_tables(stack, ez) + cx_tables(stack, cx) + idp_tables(stack, idp))
    stack.run("apply", "--auto-approve")
    stack.run("drift", "--detailed-exitcode")
    ez.pairs[0].access_dead = ez.pairs[0].refresh_dead = True
    cx.reset_secret(cx.apps[0])
    idp.issued[0].dead = True
    drifted = {d["address"] for d in stack.plan()["resource_drift"]}
    assert {"token.texts", "application.campaigns"} <= drifted
    assert drifted & {'token.worker["eu"]', 'token.worker["us"]'}
    lines = stack.run("plan", "--json").lines()
    assert {li["change"]["resource"]["addr"] for li in lines if li["type"] == "resource_drift"} == drifted
    stack.run("drift", "--detailed-exitcode", code=2)
    stack.run("apply", "--auto-approve")
    stack.quiet()
    stack.run("drift", "--detailed-exitcode")
