"""A client that we did not write completes every flow of the embedded OAuth server."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sandbox_world import IDP, LOOPBACK, World, serving

with warnings.catch_warnings(record=True):  # it warns of its HTTP library's next name, whatever the filters say
    from authlib.integrations.httpx_client import OAuth2Client  # type: ignore[import-untyped]  # it ships no types


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with serving(tmp_path / "sandbox") as found:
        yield found


def client_of(world: World, **more: Any) -> OAuth2Client:
    meta = world.get("/.well-known/oauth-authorization-server/oauth2").json()
    pair = {"client_id": IDP["client_id"], "client_secret": IDP["client_secret"]}
    return OAuth2Client(**pair, token_endpoint=meta["token_endpoint"], trust_env=False, **more)


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
def test_authlib_completes_client_credentials(world: World, method: str) -> None:
    """Fetch, introspect, revoke, introspect again."""
    with client_of(world, token_endpoint_auth_method=method, scope="credits:read") as client:
        token = client.fetch_token(grant_type="client_credentials")
        assert token["scope"] == "credits:read"
        asked = client.introspect_token(f"{world.base}/oauth2/introspect", token=token["access_token"])
        assert asked.json()["active"] is True
        assert client.revoke_token(f"{world.base}/oauth2/revoke", token=token["access_token"]).status_code == 200
        asked = client.introspect_token(f"{world.base}/oauth2/introspect", token=token["access_token"])
        assert asked.json() == {"active": False}


def test_authlib_completes_code_with_pkce_and_refresh(world: World) -> None:
    """Authorization URL, a person's approval, exchange, use, refresh."""
    verifier = "x" * 64
    with client_of(world, redirect_uri=LOOPBACK, scope="jobs:read", code_challenge_method="S256") as client:
        url, state = client.create_authorization_url(f"{world.base}/oauth2/authorize", code_verifier=verifier)
        answer = world.submit(world.get(url.removeprefix(world.base)), "approve")
        back = answer.headers["location"]
        token = client.fetch_token(authorization_response=back, state=state, code_verifier=verifier)
        assert client.get(f"{world.base}/oauth2/userinfo").json()["scope"] == "jobs:read"
        fresh = client.refresh_token(refresh_token=token["refresh_token"])
        assert fresh["access_token"] != token["access_token"]
        assert client.get(f"{world.base}/oauth2/userinfo").status_code == 200
