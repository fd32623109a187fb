"""The whole life of an application and its token at servers that others wrote, by the command line alone.

What lives at the end is read from the server's memory: nothing that the program made may be alive behind it.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from oauth_rig import Server, Stack

pytestmark = pytest.mark.slow


def declare(server: Server, stack: Stack, scopes: tuple[str, ...], more: str = "", head: str = "") -> None:
    stack.environ["OAUTH_INITIAL"] = server.initial_access_token or ""
    listed = ", ".join(f'"{scope}"' for scope in sorted(scopes + server.introspects))
    stack.write(head + server.toml(f'[applications.worker]\nprovider = "idp"\nscopes = [{listed}]\n{more}'))


def client(stack: Stack) -> str:
    return str(stack.values("application.worker")["client_id"])


def clean(stack: Stack) -> None:
    assert "No changes." in stack.ok("plan", "--detailed-exitcode")
    stack.ok("drift", "--detailed-exitcode")


def test_created_updated_rotated_destroyed(server: Server, stack: Stack) -> None:
    """A token for a registered client; other scopes by a PUT; another client by --replace; destroy. Each step leaves
    one client and one token, and the last none."""
    one, two = server.scopes
    declare(server, stack, (one,))
    before = set(server.look()["clients"])
    made = stack.plan()["application.worker"]["change"]
    assert made["actions"] == ["create"]
    assert "client_id" not in made["after"]
    assert made["after_unknown"]["client_id"] is True
    assert made["after_unknown"]["client_secret"] is True
    assert made["after"]["grant_types"] == ["client_credentials"]
    stack.ok("apply", "it.plan")
    first = client(stack)
    assert set(server.look()["clients"]) == before | {first}
    assert server.alive(first) == 1
    clean(stack)

    declare(server, stack, (one, two), 'name = "the worker"\n')
    found = stack.plan()
    assert found["application.worker"]["change"]["actions"] == ["update"]
    assert found["application.worker"]["change"]["after"]["client_id"] == first
    assert found["token.worker"]["change"]["actions"] == ["create", "delete"]
    stack.ok("apply", "it.plan")
    assert (client(stack), server.alive(first)) == (first, 1)
    assert set(stack.values("token.worker")["scopes"]) == {one, two, *server.introspects}
    clean(stack)

    found = stack.plan("--replace", "application.worker")
    assert found["application.worker"]["action_reason"] == "replace_by_request"
    assert found["application.worker"]["change"]["actions"] == ["create", "delete"]
    assert found["token.worker"]["change"]["actions"] == ["create", "delete"]
    stack.ok("apply", "it.plan")
    second = client(stack)
    assert second != first
    assert (server.alive(first), server.alive(second)) == (0, 1)
    assert set(server.look()["clients"]) == before | {second}
    clean(stack)

    stack.ok("destroy", "--auto-approve")
    assert set(server.look()["clients"]) == before
    assert (server.alive(first), server.alive(second)) == (0, 0)
    assert stack.resources() == []
    secrets = [*server.secrets, stack.environ["OAUTH_INITIAL"]]
    assert not any(secret and secret in said for said in stack.said for secret in secrets)


def test_an_overlap_keeps_both_clients_and_destroy_ends_both(server: Server, stack: Stack) -> None:
    """The replaced token serves on under its own client; a destroy in between leaves neither behind."""
    declare(server, stack, (server.scopes[0],), head='[token_policies.default]\noverlap = "5m"\n\n')
    before = set(server.look()["clients"])
    stack.apply()
    first = client(stack)
    stack.apply("--replace", "application.worker")
    second = client(stack)
    assert (server.alive(first), server.alive(second)) == (1, 1)
    assert set(server.look()["clients"]) == before | {first, second}
    assert "No changes." in stack.ok("plan")
    stack.ok("destroy", "--auto-approve")
    assert set(server.look()["clients"]) == before
    assert (server.alive(first), server.alive(second)) == (0, 0)
    assert stack.resources() == []


def test_the_old_client_goes_once_the_overlap_is_over(server: Server, stack: Stack) -> None:
    """In a later apply: its token is revoked as it, then it is deleted."""
    declare(server, stack, (server.scopes[0],), head='[token_policies.default]\noverlap = "1s"\n\n')
    before = set(server.look()["clients"])
    stack.apply()
    first = client(stack)
    stack.apply("--replace", "application.worker")
    time.sleep(1.1)
    stack.apply()
    assert set(server.look()["clients"]) == before | {client(stack)}
    assert server.alive(first) == 0
    clean(stack)
    stack.ok("destroy", "--auto-approve")


def test_a_changed_registration_is_drift_and_put_back(server: Server, stack: Stack) -> None:
    """An administrator renamed the client: told by drift, undone by a PUT."""
    declare(server, stack, (server.scopes[0],))
    stack.apply()
    server.act("rename", client(stack))
    drift = stack.ok("drift", "--detailed-exitcode", code=2)
    assert "its registration was changed at the server: name" in drift
    change = stack.plan()["application.worker"]["change"]
    assert (change["actions"], change["before"]["name"], change["after"]["name"]) == (
        ["update"],
        "renamed by hand",
        "worker",
    )
    stack.ok("apply", "it.plan")
    clean(stack)
    stack.ok("destroy", "--auto-approve")


def test_a_client_that_is_gone_is_registered_anew(server: Server, stack: Stack) -> None:
    """Somebody deleted it: told by drift, no probe stumbles over it, another takes its place with a new token, and the
    token of the one that is gone is not forgotten while it may live."""
    declare(server, stack, (server.scopes[0],))
    stack.apply()
    first = client(stack)
    server.act("forget", first)
    assert "application.worker has been deleted" in stack.ok("drift", "--detailed-exitcode", code=2)
    found = stack.plan()
    assert found["application.worker"]["change"]["actions"] == ["create"]
    assert found["token.worker"]["change"]["actions"] == ["create", "delete"]
    stack.apply()
    assert client(stack) != first
    deposed = [r["values"] for r in stack.resources() if r.get("deposed")]
    assert [token["status"] for token in deposed] == ["retiring"]
    assert deposed[0]["expires_at"] is not None
    clean(stack)
    second = client(stack)
    stack.ok("destroy", "--auto-approve")
    assert second not in server.look()["clients"]
    assert server.alive(second) == 0


def test_an_application_leaves_the_file_and_takes_its_tokens_along(server: Server, stack: Stack) -> None:
    """No block, no client: the token is revoked first, because on some servers it would outlive its client."""
    declare(server, stack, (server.scopes[0],))
    before = set(server.look()["clients"])
    stack.apply()
    gone = client(stack)
    stack.write(server.toml())
    found = stack.plan()
    assert {c["change"]["actions"][0] for c in found.values()} == {"delete"}
    stack.ok("apply", "it.plan")
    assert set(server.look()["clients"]) == before
    assert server.alive(gone) == 0
