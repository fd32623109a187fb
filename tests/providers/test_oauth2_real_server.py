"""The generic provider against a server that somebody else wrote: django-oauth-toolkit, in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from oauth_fakes import application, config, resolve, sealed

from provisioner.errors import CredentialsRefused, StepRefused
from provisioner.model.observed import ALIVE, DEAD
from provisioner.net.session import Session
from provisioner.providers.base import Revoked, TokenWish
from provisioner.providers.oauth2 import Provider
from provisioner.secret import Secret

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(find_spec("oauth2_provider") is None, reason="django-oauth-toolkit is not installed"),
]

WISH = TokenWish(scopes=("introspection", "read"))


@pytest.fixture(scope="module")
def issuer() -> Iterator[str]:
    """Started once; it ends when its standard input closes."""
    program = Path(__file__).parent / "oauth_toolkit.py"
    with subprocess.Popen(
        [sys.executable, "-W", "ignore", str(program)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as server:
        assert server.stdout is not None
        assert server.stdin is not None
        try:
            yield str(json.loads(server.stdout.readline())["issuer"])
        finally:
            server.stdin.close()
            server.wait(10)


@pytest.fixture
def provider(issuer: str) -> Iterator[Provider]:
    session = Session(provider="idp")
    yield Provider(config("oauth2", issuer=issuer), session, resolve)
    session.close()


def opening(vault: dict[str, Secret]) -> Any:
    return lambda _sealed, _object_id, name: vault[name]


def test_from_discovery_to_deletion(provider: Provider) -> None:
    """Register, ask, introspect, revoke, change, read, delete: each proven by what the server then says."""
    found = provider.discover()
    assert all(found[name] for name in ("revocation", "introspection", "registration"))
    wanted = application(name="real", scopes=("introspection", "read"), token_endpoint_auth_method="client_secret_post")
    made, secrets = provider.register_application(wanted)
    vault = dict(secrets)
    # it answers another method than was asked for, and leaves the end and the issue time of the secret out
    assert made.registration["token_endpoint_auth_method"] == "client_secret_basic"
    kept = replace(made, id="obj-1", secret=sealed("x"), registration_token=sealed("x"))

    client = provider.credentials(None, kept, opening(vault))
    grant = provider.create_token(client, WISH)
    assert grant.scopes == WISH.scopes
    assert grant.expires_in is not None
    seen = provider.probe_token(grant.access_token, client)
    assert (seen.liveness, seen.scopes) == (ALIVE, WISH.scopes)

    other = provider.create_token(client, WISH)
    assert provider.revoke_token(client, grant.access_token, None) is Revoked.REVOKED
    assert provider.probe_token(grant.access_token, client).liveness == DEAD
    assert provider.probe_token(other.access_token, client).liveness == ALIVE

    changed, more = provider.update_application(replace(wanted, name="renamed"), kept, opening(vault))
    assert more["registration_token"] != vault["registration_token"]  # it rotates on PUT
    vault.update(more)
    shown, more = provider.read_registration(changed, opening(vault))
    vault.update(more)
    assert (shown.exists, shown.name, shown.client_id) == (True, "renamed", made.client_id)
    assert shown.secret_fingerprint is None  # never shown again

    provider.delete_application(changed, opening(vault))
    assert not provider.read_registration(changed, opening(vault))[0].exists
    with pytest.raises(CredentialsRefused):
        provider.create_token(client, WISH)


def test_an_awkward_secret_is_taken_encoded_and_a_wrong_one_refused(provider: Provider) -> None:
    """Its 401 has a Bearer challenge; it is still about the client."""
    made, secrets = provider.register_application(application(name="awkward"))
    kept = replace(made, id="obj-1", secret=sealed("x"))
    client = provider.credentials(None, kept, opening(dict(secrets)))
    with pytest.raises(CredentialsRefused):
        provider.create_token(replace(client, client_secret=Secret("+/=%: wrong")), WISH)


def test_an_unknown_scope_is_refused(provider: Provider) -> None:
    """400 `invalid_scope`."""
    made, secrets = provider.register_application(application(name="scopes"))
    client = provider.credentials(None, replace(made, id="obj-1", secret=sealed("x")), opening(dict(secrets)))
    with pytest.raises(StepRefused) as caught:
        provider.create_token(client, TokenWish(scopes=("nonsense",)))
    assert caught.value.oauth_error == "invalid_scope"
