"""The generic provider's flows, from discovery to deletion, against the embedded server."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from oauth_fakes import application, approve, approve_device, config, opener, resolve, sealed
from test_oauth_client_auth import KEYS

from provisioner.errors import CredentialsRefused, StepRefused
from provisioner.model.desired import SecretRef
from provisioner.model.observed import ALIVE, DEAD
from provisioner.net.session import Session
from provisioner.providers.base import ClientCredentials, DevicePending, Grant, Revoked, TokenWish
from provisioner.providers.oauth2 import Provider
from provisioner.sandbox.accounts import ACCOUNTS
from provisioner.sandbox.app import Sandbox, open_sandbox
from provisioner.secret import Secret

WISH = TokenWish(scopes=("a", "b"))
REDIRECT = "http://127.0.0.1:8123/cb"


@dataclass
class World:
    provider: Provider
    sandbox: Sandbox
    client: ClientCredentials


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    sandbox = open_sandbox(tmp_path)
    session = Session(provider="idp", sandbox=tmp_path)
    account = ACCOUNTS["oauth2"]
    client = ClientCredentials(client_id=account["client_id"], client_secret=Secret(account["client_secret"]))
    yield World(Provider(config("oauth2", "sandbox"), session, resolve), sandbox, client)
    session.close()
    sandbox.close()


def test_client_credentials_from_discovery_to_proven_revocation(world: World) -> None:
    """Create, probe, revoke, probe."""
    grant = world.provider.create_token(world.client, TokenWish(scopes=("credits:read",)))
    assert grant.scopes in (None, ("credits:read",))
    assert grant.refresh_token is None
    assert world.provider.probe_token(grant.access_token, world.client).liveness == ALIVE
    assert world.provider.revoke_token(world.client, grant.access_token, None) is Revoked.REVOKED
    assert world.provider.probe_token(grant.access_token, world.client).liveness == DEAD
    assert world.sandbox.live_tokens("oauth2") == []


@pytest.mark.parametrize("metadata", ["both", "rfc8414", "openid"])
def test_either_document_will_do(world: World, metadata: str) -> None:
    """RFC 8414 or OpenID Connect Discovery."""
    world.sandbox.set_switch("oauth2.metadata", metadata)
    assert world.provider.discover()["revocation"]


def test_code_with_pkce_refresh_and_both_halves_revoked(world: World) -> None:
    """A person once, then automatic; the `iss` of the redirect is checked on the way."""
    wish = TokenWish(scopes=("credits:read",))
    request = world.provider.authorization_request(world.client, wish, REDIRECT)
    code = world.provider.read_callback(request, approve(world.sandbox, request.url))
    grant = world.provider.exchange_code(world.client, wish, request, code)
    assert grant.refresh_token is not None
    again = world.provider.refresh_token(world.client, grant.refresh_token, wish)
    refresh = again.refresh_token or grant.refresh_token
    assert world.provider.revoke_token(world.client, again.access_token, refresh) is Revoked.REVOKED
    with pytest.raises(StepRefused) as caught:
        world.provider.refresh_token(world.client, refresh, wish)
    assert caught.value.oauth_error == "invalid_grant"


def test_a_wrong_verifier_is_refused(world: World) -> None:
    """PKCE is really checked there, so the right one is really sent."""
    request = world.provider.authorization_request(world.client, WISH, REDIRECT)
    code = world.provider.read_callback(request, approve(world.sandbox, request.url))
    with pytest.raises(StepRefused):
        world.provider.exchange_code(world.client, WISH, replace(request, verifier=Secret("x" * 43)), code)


def test_the_device_grant_waits_for_a_person(world: World) -> None:
    """Pending until approved, then a grant."""
    device = world.provider.device_authorization(world.client, WISH)
    assert device.interval == timedelta(seconds=5)
    waiting = world.provider.poll_device(world.client, WISH, device, device.interval)
    assert isinstance(waiting, DevicePending)
    world.sandbox.set_clock(60)
    approve_device(world.sandbox, device.verification_uri, device.user_code)
    world.sandbox.set_clock(120)
    found = world.provider.poll_device(world.client, WISH, device, waiting.interval)
    assert isinstance(found, Grant)


@pytest.mark.parametrize("rotates", ["rotates", "stays"])
def test_a_client_is_registered_used_changed_and_deleted(world: World, rotates: str) -> None:
    """RFC 7591 and 7592, whether or not the registration token rotates."""
    world.sandbox.set_switch("oauth2.registration_token", rotates)
    one, vault = world.provider, dict[str, Secret]()
    made, secrets = one.register_application(application(scopes=("credits:read",)))
    vault.update(secrets)
    kept = replace(made, id="obj-1", secret=sealed("x"), registration_token=sealed("x"))

    def open_sealed(_: Any, object_id: str, name: str) -> Secret:
        return vault[name]

    client = one.credentials(None, kept, open_sealed)
    assert one.create_token(client, TokenWish(scopes=("credits:read",))).access_token
    changed, more = one.update_application(application(scopes=("credits:read", "credits:write")), kept, open_sealed)
    vault.update(more)
    assert changed.scopes == ("credits:read", "credits:write")
    seen, more = one.read_registration(changed, open_sealed)
    vault.update(more)
    assert (seen.exists, seen.client_id, seen.scopes) == (True, made.client_id, changed.scopes)
    one.delete_application(changed, open_sealed)
    with pytest.raises(CredentialsRefused):
        one.create_token(client, TokenWish())


def test_a_client_with_a_private_key_needs_no_secret(world: World) -> None:
    """Registered with the public half, authenticated by assertion."""
    one = Provider(config("oauth2", "sandbox"), world.provider.session, lambda _: KEYS["ES256"])
    wanted = application(private_key=SecretRef("env", "K"), scopes=("credits:read",))
    made, _ = one.register_application(wanted)
    client = one.credentials(wanted, replace(made, id="obj-1"), opener)
    assert client.auth_method == "private_key_jwt"
    assert one.create_token(client, TokenWish(scopes=("credits:read",))).access_token
