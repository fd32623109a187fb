"""Contract sections 2 to 5 for `oauth2`, against a server written from the RFCs alone.

Every docstring is the sentence of the contract, or of the issue that it serves, which the test checks.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from acc_oauth import Client, OAuth
from acc_server import wait_until
from acc_stack import Stack, summary, tail

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(params=["", "/tenant/one"])
def issuer(request: pytest.FixtureRequest) -> Iterator[OAuth]:
    """A server with and without a path in its issuer."""
    made = OAuth(request.param)
    yield made
    made.close()


def declare(
    stack: Stack,
    idp: OAuth,
    client: Client | None = None,
    *,
    policy: str = "",
    more: str = "",
    scopes: str = '"credits:read"',
    provider: str = "",
) -> None:
    given = ""
    if client is not None:
        stack.env |= {"WORKER_ID": client.client_id, "WORKER_SECRET": client.secret}
        given = 'client_id = { env = "WORKER_ID" }\nclient_secret = { env = "WORKER_SECRET" }'
    else:
        stack.env["IDP_TOKEN"] = idp.initial_access_token
        provider += '\ninitial_access_token = { env = "IDP_TOKEN" }'
    stack.write(
        f"""
[providers.idp]
type = "oauth2"
issuer = "{idp.issuer}"
{provider}

[token_policies.default]
{policy}

[applications.worker]
provider = "idp"
{given}
scopes = [{scopes}]
{more}
"""
    )


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
def test_client_credentials(stack: Stack, issuer: OAuth, method: str) -> None:
    """Discovery of the exact issuer, client credentials in either style of client authentication, no person: plan,
    apply, plan again, token."""
    client = issuer.client("credits:read", method=method)
    declare(stack, issuer, client, more=f'token_endpoint_auth_method = "{method}"')
    change = stack.changes()["application.worker"]
    assert change["change"]["importing"] == {"id": client.client_id}
    stack.run("apply", "p.plan")
    stack.quiet()
    token = stack.run("token", "worker").stdout
    assert [issued.access for issued in issuer.live] == [token.strip()]
    assert stack.values("token.worker")["scopes"] == ["credits:read"]
    stack.hunt(issuer.secrets | {client.secret}, handed_out=[token])
    assert set(stack.modes().values()) == {"-rw-------"}


def test_endpoints_one_by_one(stack: Stack, idp: OAuth) -> None:
    """authorize_url, token_url, revocation_url, introspection_url one by one, with no metadata asked for."""
    client = idp.client("credits:read")
    declare(stack, idp, client)
    text = (stack.folder / "provisioner.toml").read_text()
    urls = {"token_url": "token", "revocation_url": "revoke", "introspection_url": "introspect"}
    alone = "\n".join(f'{name} = "{idp.base}/as/{path}"' for name, path in urls.items())
    stack.write(text.replace(f'issuer = "{idp.issuer}"', alone))
    stack.run("apply", "--auto-approve")
    stack.quiet()
    assert idp.count("/.well-known/oauth-authorization-server") == 0
    stack.run("destroy", "--auto-approve")
    assert idp.live == []


@pytest.mark.parametrize("wrong", ["https://other.example.com", "slash"])
def test_a_wrong_issuer(stack: Stack, idp: OAuth, wrong: str) -> None:
    """A wrong or untrusted issuer: 8, and nothing is sent to its endpoints."""
    idp.claims_issuer = idp.issuer + "/" if wrong == "slash" else wrong
    client = idp.client("credits:read")
    declare(stack, idp, client)
    ran = stack.run("apply", "--auto-approve", code=8)
    assert "E0506" in ran.text
    assert idp.count("/as/token") == 0


def test_plain_http_is_for_loopback(stack: Stack, idp: OAuth) -> None:
    """http only for loopback: anything else is refused by `validate`."""
    declare(stack, idp, idp.client("credits:read"))
    text = (stack.folder / "provisioner.toml").read_text()
    stack.write(text.replace(idp.issuer, "http://id.example.com"))
    assert "https" in stack.run("validate", code=4).text


def test_registration(stack: Stack, idp: OAuth) -> None:
    """With an initial access token, applications without a client_id are registered (RFC 7591), one for each key;
    destroy revokes their tokens and deletes them."""
    declare(stack, idp, more='for_each = ["eu", "us"]\nname = "worker-${each.key}"')
    planned = stack.run("plan").stdout
    assert "Plan: 4 to add, 0 to change, 0 to destroy." in planned
    stack.run("apply", "--auto-approve")
    assert sorted(client.name for client in idp.clients.values()) == ["worker-eu", "worker-us"]
    assert len(idp.live) == 2
    stack.quiet()
    resources = {(r["address"], r.get("index")) for r in stack.resources()}
    assert ('application.worker["eu"]', "eu") in resources
    assert ('token.worker["us"]', "us") in resources
    assert stack.values('application.worker["eu"]')["managed"] == "created"
    stack.hunt(idp.secrets)
    text = (stack.folder / "provisioner.toml").read_text()
    stack.write(text.replace('["eu", "us"]', '["eu"]'))
    assert stack.actions() == {'application.worker["us"]': ["delete"], 'token.worker["us"]': ["delete"]}
    stack.run("apply", "--auto-approve")
    assert [client.name for client in idp.clients.values()] == ["worker-eu"]
    assert len(idp.live) == 1
    stack.run("destroy", "--auto-approve")
    assert idp.clients == {}
    assert idp.live == []
    assert stack.resources() == []


def test_a_changed_registration(stack: Stack, idp: OAuth) -> None:
    """A declared change of a registered application is an update by RFC 7592, and its token follows its scopes."""
    declare(stack, idp)
    stack.run("apply", "--auto-approve")
    declare(stack, idp, scopes='"credits:read", "credits:write"')
    assert stack.actions() == {"application.worker": ["update"], "token.worker": ["create", "delete"]}
    stack.run("apply", "--auto-approve")
    assert [set(issued.scopes) for issued in idp.live] == [{"credits:read", "credits:write"}]
    stack.quiet()


def test_a_client_deleted_at_the_server(stack: Stack, idp: OAuth) -> None:
    """A registered application that is gone at the server is registered again."""
    declare(stack, idp)
    stack.run("apply", "--auto-approve")
    idp.clients.clear()
    for issued in idp.issued:
        issued.dead = True
    stack.run("drift", "--detailed-exitcode", code=2)
    stack.run("apply", "--auto-approve")
    assert len(idp.clients) == 1
    assert len(idp.live) == 1
    stack.quiet()


@pytest.mark.parametrize("text", tail(True, slow=(False,)))
def test_a_renewal(stack: Stack, idp: OAuth, text: bool) -> None:
    """Where there is no refresh token, renewal asks again: `["create","delete"]`, and the old one is revoked."""
    idp.life, idp.life_is_text = 10, text
    declare(stack, idp, idp.client("credits:read"))
    stack.run("apply", "--auto-approve")
    began = time.time()
    stack.quiet()
    wait_until(began + 7)
    assert stack.actions() == {"token.worker": ["create", "delete"]}
    stack.run("apply", "p.plan")
    assert len(idp.issued) == 2
    assert idp.issued[0].dead
    assert stack.run("token", "worker").stdout.strip() == idp.issued[1].access


@pytest.mark.parametrize("rotates", [True, False])
def test_a_refresh_token_with_client_credentials(stack: Stack, idp: OAuth, rotates: bool) -> None:
    """A server that gives a refresh token with client credentials: the token is renewed, whichever way."""
    idp.life, idp.refreshes, idp.rotates = 8, True, rotates
    declare(stack, idp, idp.client("credits:read"))
    stack.run("apply", "--auto-approve")
    began = time.time()
    wait_until(began + 5.5)
    stack.run("apply", "--auto-approve")
    assert len(idp.live) >= 1
    assert stack.run("token", "worker").stdout.strip() == idp.issued[-1].access


def test_no_expiry_said(stack: Stack, idp: OAuth) -> None:
    """`expires_in` is recommended, not required: what the server does not say is not invented."""
    idp.life = None
    declare(stack, idp, idp.client("credits:read"))
    stack.run("apply", "--auto-approve")
    stack.quiet()
    stack.run("token", "worker")


def test_a_rotation_by_age(stack: Stack, idp: OAuth) -> None:
    """`rotate_every`: replace when older than this, however long it would live."""
    declare(stack, idp, idp.client("credits:read"), policy='rotate_every = "10m"')
    stack.run("apply", "--auto-approve")
    assert stack.actions("--at", "+9m") == {}
    assert stack.actions("--at", "+11m") == {"token.worker": ["create", "delete"]}


def test_run_interval(stack: Stack, idp: OAuth) -> None:
    """What would fall due before the next run is done now, never earlier than half of its life; a token that cannot
    live until the next run is a warning in `validate` or `plan`."""
    declare(stack, idp, idp.client("credits:read"), policy='renew_before = "5m"')
    text = (stack.folder / "provisioner.toml").read_text()
    stack.write('[stack]\nrun_interval = "10m"\n' + text)
    stack.run("apply", "--auto-approve")
    assert stack.actions("--at", "+44m") == {}
    assert stack.actions("--at", "+46m") == {"token.worker": ["create", "delete"]}
    stack.write('[stack]\nrun_interval = "24h"\n' + text)
    assert stack.actions("--at", "+29m") == {}
    assert stack.actions("--at", "+31m") == {"token.worker": ["create", "delete"]}
    assert "W0101" in stack.run("plan").text


@pytest.mark.parametrize("told", [True, False])
def test_fewer_scopes_granted(stack: Stack, idp: OAuth, told: bool) -> None:
    """A token that was granted fewer scopes than declared is kept and recorded with what was granted, whether the
    server says so or introspection does; exit 3, then a warning."""
    idp.grants_fewer, idp.drops_unknown_scopes = {"credits:write"}, not told
    declare(stack, idp, idp.client("credits:read", "credits:write"), scopes='"credits:read", "credits:write"')
    ran = stack.run("apply", "--auto-approve", code=3)
    assert "credits:write" in ran.text
    assert stack.values("token.worker")["scopes"] == ["credits:read"]
    ran = stack.run("plan", "--detailed-exitcode")
    assert "Warning: " in ran.text
    assert len(idp.issued) == 1


def test_invalid_scope(stack: Stack, idp: OAuth) -> None:
    """One step refused by a vendor (`invalid_scope`) while the rest went on: 1."""
    declare(stack, idp, idp.client("credits:read"), scopes='"credits:delete"')
    other = idp.client("profile")
    stack.env |= {"OTHER_ID": other.client_id, "OTHER_SECRET": other.secret}
    text = (stack.folder / "provisioner.toml").read_text()
    stack.write(
        text + '[applications.other]\nprovider = "idp"\nclient_id = { env = "OTHER_ID" }\n'
        'client_secret = { env = "OTHER_SECRET" }\nscopes = ["profile"]\n'
    )
    ran = stack.run("apply", "--auto-approve", "--json", code=1)
    results = summary(ran.lines())["results"]
    assert results["token.worker"] == "failed"
    assert results["token.other"] == "done"
    assert "invalid_scope" in ran.stdout


def test_a_wrong_client_secret(stack: Stack, idp: OAuth) -> None:
    """Refused credentials: 8, naming the reference and never the value."""
    declare(stack, idp, idp.client("credits:read"))
    stack.env["WORKER_SECRET"] = wrong = idp.secret(20)
    ran = stack.run("apply", "--auto-approve", code=8)
    assert "WORKER_SECRET" in ran.text
    stack.hunt([wrong])


def test_a_wrong_initial_access_token(stack: Stack, idp: OAuth) -> None:
    """Refused credentials of a registration: 8, naming the reference and never the value."""
    declare(stack, idp)
    stack.env["IDP_TOKEN"] = wrong = idp.secret(20)
    ran = stack.run("apply", "--auto-approve", code=8)
    assert "IDP_TOKEN" in ran.text
    stack.hunt([wrong])


@pytest.mark.parametrize("offers", [set(), {"introspection"}, {"revocation"}])
def test_what_a_server_does_not_offer(stack: Stack, idp: OAuth, offers: set[str]) -> None:
    """Without revocation a token is forgotten with a handoff (3); without introspection it is taken at its word."""
    idp.offers = offers
    declare(stack, idp, idp.client("credits:read"))
    stack.run("apply", "--auto-approve")
    stack.quiet()
    revokes = "revocation" in offers
    stack.run("apply", "--auto-approve", "--replace", "token.worker")
    assert len(idp.live) == (1 if revokes else 2)
    stack.run("destroy", "--auto-approve", code=0 if revokes else 3)
    assert len(idp.live) == (0 if revokes else 2)


def test_a_server_that_registers_nobody(stack: Stack, idp: OAuth) -> None:
    """No registration endpoint and no client_id: a person makes the client (3), and its id and secret are adopted."""
    idp.offers = {"revocation", "introspection"}
    declare(stack, idp)
    change = stack.changes()["application.worker"]
    assert change["change"]["actions"] == ["create"]
    assert any("client_id" in line for line in change["handoff"]["instructions"])
    stack.run("apply", "--auto-approve", code=3)
    assert idp.issued == []
    declare(stack, idp, idp.client("credits:read"))
    stack.run("apply", "--auto-approve")
    assert stack.values("application.worker")["managed"] == "handoff"
    stack.quiet()


def test_a_revocation_in_vain(stack: Stack, idp: OAuth) -> None:
    """200 is not proof: a token that survives its revocation is an error that says so, and stays recorded."""
    declare(stack, idp, idp.client("credits:read"))
    stack.run("apply", "--auto-approve")
    idp.revokes_in_vain = True
    stack.run("destroy", "--auto-approve", code=1)
    assert any(r["type"] == "token" for r in stack.resources())
    idp.revokes_in_vain = False
    stack.run("destroy", "--auto-approve")
    assert idp.live == []


def test_revoked_at_the_server(stack: Stack, idp: OAuth) -> None:
    """A token that was revoked outside is drift, and replaced."""
    declare(stack, idp, idp.client("credits:read"))
    stack.run("apply", "--auto-approve")
    idp.issued[0].dead = True
    stack.run("drift", "--detailed-exitcode", code=2)
    stack.run("apply", "--auto-approve")
    assert len(idp.live) == 1
    stack.quiet()


@pytest.mark.parametrize("path", ["/as/token", "/as/register"])
@pytest.mark.parametrize("how", tail("drop", slow=("half", "html", 503)))
@pytest.mark.parametrize("after", [True, False])
def test_in_doubt(stack: Stack, idp: OAuth, path: str, how: int | str, after: bool) -> None:
    """A token request or registration whose answer did not come is in doubt (3); the next run makes another, and says
    what may exist. A client that may be at the server waits for a person's word (3) until it is there."""
    declare(stack, idp)
    idp.arm(path, how, after=after)
    stack.run("apply", "--auto-approve", code=3)
    stack.run("apply", "--auto-approve", code=None)
    assert stack.values("token.worker")["status"] == "live"
    if path == "/as/register":
        stack.run("apply", "--auto-approve", code=3)
        (doubt,) = stack.state()["in_doubt"]
        stack.run("resolve", doubt["operation"], "--as", "happened" if after else "did-not-happen")
    stack.run("apply", "--auto-approve")
    stack.quiet()
    lost = [r for r in stack.resources() if r["values"].get("status") == "lost"]
    assert len(lost) == (1 if path == "/as/token" else 0)


@pytest.mark.parametrize("how", tail("html", slow=(500, "half", "drop")))
def test_metadata_that_cannot_be_read(stack: Stack, idp: OAuth, how: int | str) -> None:
    """A provider that could not be reached: 8, nothing sent; the recorded state stays true."""
    declare(stack, idp, idp.client("credits:read"))
    idp.arm("/.well-known/oauth-authorization-server", how, times=99)
    stack.run("apply", "--auto-approve", code=8)
    assert idp.count("/as/token") == 0
    idp.calm()
    stack.run("apply", "--auto-approve")
    stack.quiet()


def test_max_lifetime_of_what_is_granted(stack: Stack, idp: OAuth) -> None:
    """`max_lifetime`, where only the grant tells how long a token lives: apply names it and exits 3; later plans say
    so as a warning and ask for nothing."""
    declare(stack, idp, idp.client("credits:read"), policy='max_lifetime = "30m"')
    assert "W0102" in stack.run("validate").text
    assert "E0712" in stack.run("apply", "--auto-approve", code=3).text
    assert "W0309" in stack.run("plan", "--detailed-exitcode").text
    assert len(idp.issued) == 1
