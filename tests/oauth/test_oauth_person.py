"""A person's part at servers that others wrote: the code grant and the device grant, from `authorize` to `destroy`."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING

import pytest
from oauth_rig import Waiting

if TYPE_CHECKING:
    from oauth_browser import Person
from oauth_rig import Server, Stack

pytestmark = pytest.mark.slow

CODE = 'redirect_uri = "http://127.0.0.1/callback"\n'
DEVICE = 'grant = "device_code"\n'


def declare(server: Server, stack: Stack, more: str) -> None:
    stack.environ["OAUTH_INITIAL"] = server.initial_access_token or ""
    scopes = {"oidc-provider": ("openid", "offline_access"), "toolkit": ("introspection", "read")}.get(
        server.name, server.scopes
    )
    listed = ", ".join(f'"{scope}"' for scope in sorted(scopes))
    stack.write(server.toml(f'[applications.desk]\nprovider = "idp"\nscopes = [{listed}]\n{more}'))


def client(stack: Stack) -> str:
    return str(stack.values("application.desk")["client_id"])


def test_a_code_grant_from_the_first_consent_to_the_last(server: Server, stack: Stack, person: Person) -> None:
    """Registered, authorized once, renewed without a person, withdrawn by the user, authorized again, destroyed."""
    declare(server, stack, CODE)
    before = set(server.look()["clients"])
    said = stack.run("authorize", "desk")
    assert (said.code, "provisioner apply" in said.err) == (4, True)  # nobody is asked before there is a client
    stack.apply(code=3)
    waiting = Waiting(stack, "desk", "--no-browser", "--timeout", "30s")
    page = person.decide(waiting.url)
    said = waiting.ended()
    assert said.code == 0, said.all
    assert (page.status, "Authorized" in page.text) == (200, True)
    assert "token.desk is authorized and recorded." in said.err
    assert stack.values("token.desk")["status"] == "live"
    assert "No changes." in stack.ok("plan")
    first = client(stack)
    assert server.alive(first) == server.pair

    one = stack.values("token.desk")["fingerprint"]
    stack.ok("token", "desk", "--min-ttl", "36500d", code=3)  # a renewal: no token lives that long
    assert stack.values("token.desk")["fingerprint"] != one
    assert "No changes." in stack.ok("plan")

    server.act("withdraw", first)
    assert "token.desk" in stack.ok("drift", "--detailed-exitcode", code=2)
    said = stack.run("apply", "--auto-approve")
    assert said.code == 3, said.all
    assert "provisioner authorize desk" in said.out + said.err
    assert stack.values("token.desk")["status"] == "unauthorized"
    change = stack.plan()["token.desk"]
    assert "its grant is dead" in change["reason"]
    assert "provisioner authorize desk" in change["handoff"]["instructions"][0]

    waiting = Waiting(stack, "desk", "--no-browser", "--timeout", "30s")
    person.decide(waiting.url)
    assert waiting.ended().code == 0
    assert server.alive(first) == server.pair
    assert "No changes." in stack.ok("plan")
    stack.ok("destroy", "--auto-approve")
    assert set(server.look()["clients"]) == before
    assert server.alive(first) == 0


def test_a_second_authorization_takes_the_place_of_the_first(server: Server, stack: Stack, person: Person) -> None:
    """The new pair is recorded and proven, then the old one is revoked: one pair lives, and it is the recorded one.

    oidc-provider ends the person's whole grant with the old refresh token, the new pair included: that is said, and a
    third consent, with nothing left to be ended, is good."""
    declare(server, stack, CODE)
    stack.apply(code=3)
    codes = [0, 3, 0] if server.name == "oidc-provider" else [0, 0]
    for code in codes:
        waiting = Waiting(stack, "desk", "--no-browser", "--timeout", "30s")
        person.decide(waiting.url)
        said = waiting.ended()
        assert said.code == code, said.all
        assert ("ended it together with the one that it replaced" in said.err) == (code == 3)
    assert server.alive(client(stack)) == server.pair
    assert stack.values("token.desk")["generation"] == len(codes)
    assert [r for r in stack.resources() if r.get("deposed")] == []
    assert "No changes." in stack.ok("plan")
    stack.ok("destroy", "--auto-approve")


def test_a_denial_is_an_exit_code_of_its_own(server: Server, stack: Stack, person: Person) -> None:
    """8, the page says it, and nothing is recorded."""
    declare(server, stack, CODE)
    stack.apply(code=3)
    waiting = Waiting(stack, "desk", "--no-browser", "--timeout", "30s")
    page = person.decide(waiting.url, approve=False)
    said = waiting.ended()
    assert said.code == 8, said.all
    assert "Denied" in page.text
    assert [r["address"] for r in stack.resources()] == ["application.desk"]
    stack.ok("destroy", "--auto-approve")


def test_a_device_grant(server: Server, stack: Stack, person: Person) -> None:
    """The code that standard error shows is typed at the URL; polls go on until the person has decided."""
    if server.name == "toolkit" and version("oauthlib") >= "4":
        pytest.skip("django-oauth-toolkit 3.4.1 has no device grant with oauthlib 4")
    declare(server, stack, DEVICE)
    before = set(server.look()["clients"])
    stack.apply(code=3)
    waiting = Waiting(stack, "desk", "--no-browser", "--timeout", "60s")
    person.decide(waiting.url, user_code=waiting.code())
    said = waiting.ended(60)
    assert said.code == 0, said.all
    assert stack.values("token.desk")["status"] == "live"
    assert "No changes." in stack.ok("plan")
    gone = client(stack)
    stack.ok("destroy", "--auto-approve")
    assert set(server.look()["clients"]) == before
    assert server.alive(gone) == 0
