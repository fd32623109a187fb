"""Servers that do what no RFC says, or what one leaves open, by the command line alone; and nothing is left alive."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from oauth_browser import Person
from oauth_rig import Waiting
from odd_server import Odd, odd

if TYPE_CHECKING:
    from oauth_rig import Stack

REGISTERED = '[applications.worker]\nprovider = "idp"\nscopes = ["read", "write"]\n'
DESK = """
[applications.desk]
provider = "idp"
client_id = "desk"
redirect_uri = "http://127.0.0.1/callback"
scopes = ["openid", "read"]
"""


def declare(stack: Stack, server: Odd, applications: str) -> None:
    stack.environ |= {"ADOPTED": "adopted", "SECRET": "s+e/c=r%t:", "INITIAL": "initial"}
    token = '\ninitial_access_token = { env = "INITIAL" }'
    stack.write(f'[providers.idp]\ntype = "oauth2"\nissuer = "{server.issuer}"{token}\n{applications}')


def adopted(more: str = "") -> str:
    return (
        '[applications.worker]\nprovider = "idp"\nclient_id = { env = "ADOPTED" }\n'
        f'client_secret = {{ env = "SECRET" }}\nscopes = ["read", "write"]\n{more}'
    )


def agreed(stack: Stack, name: str) -> str:
    """`authorize`, and a person whose browser follows every redirect."""
    waiting = Waiting(stack, name, "--no-browser")
    Person().open(waiting.url)
    said = waiting.ended()
    assert said.code == 0, said.all
    return said.err


@pytest.mark.parametrize(
    "quirks",
    [
        (),
        ("says-little",),
        ("says-much",),
        ("token-changes-when-read",),
        ("put-wants-secret",),
        ("tenant",),
        ("introspection-for-others",),
        ("basic-only", "said"),
        ("errors-with-200",),
        ("wants-name",),
    ],
)
def test_an_application_lives_and_dies_there(stack: Stack, quirks: tuple[str, ...]) -> None:
    """Registered, given a token, renamed by a PUT, rotated and destroyed; no plan wants anything in between."""
    with odd(*quirks) as server:
        declare(stack, server, REGISTERED)
        stack.apply()
        assert (len(server.clients), server.alive()) == (1, 1)
        assert stack.values("token.worker")["scopes"] == ["read", "write"]
        stack.ok("plan", "--detailed-exitcode")
        declare(stack, server, f'{REGISTERED}name = "another"\n')
        stack.apply()
        assert [client["meta"]["client_name"] for client in server.clients.values()] == ["another"]
        stack.apply("--replace", "application.worker")
        assert (len(server.clients), server.alive()) == (1, 1)
        stack.ok("plan", "--detailed-exitcode")
        stack.ok("destroy", "--auto-approve")
        assert (server.clients, server.alive()) == ({}, 0)
        assert stack.resources() == []


def test_difference_4_tokens_end_before_their_client_is_deleted(stack: Stack) -> None:
    """This server lets them outlive it, and takes a revocation from no other client: so they go first."""
    with odd() as server:
        declare(stack, server, REGISTERED)
        stack.apply()
        server.asked.clear()
        stack.ok("destroy", "--auto-approve")
        assert [path for path, _, _ in server.asked if path != "/introspect"] == ["/revoke"]
        assert (server.clients, server.alive()) == ({}, 0)


@pytest.mark.parametrize("quirks", [("basic-only",), ("basic-only", "said")])
def test_revocation_may_want_another_method_than_the_token_endpoint(stack: Stack, quirks: tuple[str, ...]) -> None:
    """RFC 8414 section 2: announced apart, and client_secret_basic where it is not (Authlib, canaille)."""
    with odd(*quirks) as server:
        server.add("adopted", "s+e/c=r%t:")
        declare(stack, server, adopted('token_endpoint_auth_method = "client_secret_post"\n'))
        stack.apply()
        assert [how for path, how, _ in server.asked if path == "/token"] == ["client_secret_post"]
        stack.ok("plan", "--detailed-exitcode")
        stack.ok("destroy", "--auto-approve")
        assert server.alive() == 0


def test_a_public_client_that_may_not_revoke_is_left_to_a_person(stack: Stack) -> None:
    """It has no credentials that could be wrong: forgotten with how to kill it, and no exit 8 for ever."""
    with odd("public-may-not-revoke") as server:
        server.add("desk", None, "none")
        declare(stack, server, DESK)
        agreed(stack, "desk")
        stack.apply()
        assert "Revoke the tokens of the client desk" in " ".join(stack.ok("destroy", "--auto-approve", code=3).split())
        assert stack.resources() == []


def test_a_token_that_is_given_out_twice_is_revoked_with_its_last_record(stack: Stack) -> None:
    """Doorkeeper's `reuse_access_token`: a rotation gets the same one, and consumers share it; neither must kill it."""
    with odd("reuse") as server:
        server.add("adopted", "s+e/c=r%t:")
        declare(stack, server, adopted('consumers = ["a", "b"]\n'))
        assert "W0703" in stack.apply()
        assert "W0703" in stack.apply("--replace", 'token.worker["a"]')
        assert server.alive() == 1
        stack.ok("plan", "--detailed-exitcode")
        declare(stack, server, adopted('consumers = ["b"]\n'))
        stack.apply()
        assert server.alive() == 1
        assert len([r for r in stack.resources() if r["type"] == "token"]) == 1
        stack.ok("destroy", "--auto-approve")
        assert server.alive() == 0


def test_a_client_that_nobody_can_delete_is_left_to_a_person(stack: Stack) -> None:
    """Its tokens end; the client stays, by a rotation and by destroy, and each time exit 3 says which it is."""
    with odd("unmanaged") as server:
        declare(stack, server, REGISTERED)
        stack.apply()
        stack.ok("plan", "--detailed-exitcode")
        said = stack.run("apply", "--auto-approve", "--replace", "application.worker")
        assert (said.code, "c-0, which was registered anew, lives on" in said.err) == (3, True), said.all
        assert (server.alive("c-0"), server.alive("c-1")) == (0, 1)
        stack.ok("plan", "--detailed-exitcode")
        said = stack.run("destroy", "--auto-approve")
        assert (said.code, "Delete the client c-1" in said.out) == (3, True), said.all
        assert (server.alive(), stack.resources()) == (0, [])


def test_a_clients_secret_that_ends_is_said_in_time(stack: Stack) -> None:
    """RFC 7591's `client_secret_expires_at`: a warning with the command that registers another client."""
    with odd("secret-ends") as server:
        declare(stack, server, REGISTERED)
        stack.apply()
        said = " ".join(stack.ok("plan", "--detailed-exitcode").split())
        assert "W0310 secret-ending" in said
        assert "provisioner apply --replace 'application.worker'" in said
        stack.ok("destroy", "--auto-approve")
        assert (server.clients, server.alive()) == ({}, 0)


def test_errors_with_200_are_errors(stack: Stack) -> None:
    """GitHub's way: no token stands in the answer and a known word does, so nothing is in doubt."""
    with odd("errors-with-200") as server:
        server.add("adopted", "another secret")
        declare(stack, server, adopted())
        stack.apply(code=8)
        server.clients["adopted"]["secret"] = "s+e/c=r%t:"
        declare(stack, server, adopted().replace('"write"', '"nosuch"'))
        assert "invalid_scope" in stack.run("apply", "--auto-approve").all
        declare(stack, server, adopted())
        stack.apply()
        assert json.loads(stack.ok("show", "--json"))["in_doubt"] == []
        assert server.alive() == 1


def test_a_device_at_a_server_of_before_the_rfc(stack: Stack) -> None:
    """`verification_url` (Google), and a poll that says "pending" with 200 (GitHub)."""
    with odd("errors-with-200") as server:
        server.add("desk", None, "none")
        declare(stack, server, '[applications.desk]\nprovider = "idp"\nclient_id = "desk"\ngrant = "device_code"\n')
        waiting = Waiting(stack, "desk", "--no-browser")
        assert waiting.url == f"{server.origin}/page"
        assert (waiting.code(), waiting.ended().code) == ("AB-CD", 0)
        assert server.polls == 2
        stack.apply()
        stack.ok("destroy", "--auto-approve")
        assert server.alive() == 0


def test_a_refresh_that_answers_little_keeps_what_there_was(stack: Stack) -> None:
    """RFC 6749 section 6: no refresh token in the answer keeps the old one, no scope keeps the old ones."""
    with odd("says-little") as server:
        server.add("desk", None, "none")
        declare(stack, server, DESK)
        agreed(stack, "desk")
        before = stack.values("token.desk")
        stack.apply("--replace", "token.desk")
        after = stack.values("token.desk")
        assert (after["scopes"], after["generation"]) == (before["scopes"], before["generation"] + 1)
        stack.apply("--replace", "token.desk")
        stack.ok("destroy", "--auto-approve")
        assert server.alive() == 0


def test_a_dead_refresh_token_told_with_200_asks_a_person(stack: Stack) -> None:
    """`bad_refresh_token` is `invalid_grant` by another name: unauthorized, exit 3, and the command to run."""
    with odd("errors-with-200") as server:
        server.add("desk", None, "none")
        declare(stack, server, DESK)
        agreed(stack, "desk")
        for token in server.tokens:
            token["alive"] = token["refreshable"] = False
        said = stack.run("apply", "--auto-approve")
        assert (said.code, "provisioner authorize desk" in " ".join(said.all.split())) == (3, True), said.all
        assert stack.values("token.desk")["status"] == "unauthorized"


def test_a_nonce_goes_along_where_an_id_token_comes(stack: Stack) -> None:
    """OpenID Connect Core section 3.1.2.1 leaves it open, and some servers insist (canaille)."""
    with odd("wants-nonce") as server:
        server.add("desk", None, "none")
        declare(stack, server, DESK)
        agreed(stack, "desk")


def test_an_error_that_does_not_name_its_issuer_is_still_told(stack: Stack) -> None:
    """It belongs to this attempt by its state, and holds nothing that could be stolen; a code would be thrown away."""
    with odd("error-without-iss") as server:
        server.add("desk", None, "none")
        declare(stack, server, DESK)
        waiting = Waiting(stack, "desk", "--no-browser")
        Person().open(waiting.url)
        said = waiting.ended()
        assert said.code == 1
        assert "invalid_scope" in said.err
        assert "no such scope" in said.err
