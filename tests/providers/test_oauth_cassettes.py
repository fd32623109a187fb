"""The vendors' published answers, played back through the real HTTP session: no socket is opened.

The TextMaster and TEXTKING cassettes hold the samples of their documentation, shortened tokens included, and oauth2's
the shapes that oidc-provider answers. They were written, not recorded; their requests hold no body and no credential.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from oauth_fakes import CLIENT, application, config, opener, resolve

from provisioner.model.desired import SecretRef
from provisioner.model.observed import ALIVE, DEAD
from provisioner.net.session import Session
from provisioner.providers import oauth2, textking, textmaster
from provisioner.providers.base import Revoked, TokenWish
from provisioner.secret import Secret

CASSETTES = Path(__file__).parent / "cassettes"
MINE = application(client_id="cid", client_secret=SecretRef("env", "S"))


@contextmanager
def playing(name: str) -> Iterator[tuple[Session, Any]]:
    """A session whose every request is answered from the cassette, in order; another request is an error."""
    vcr = pytest.importorskip("vcr")
    session = Session(provider="p")
    with vcr.use_cassette(str(CASSETTES / name), record_mode="none", match_on=["method", "uri"]) as cassette:
        yield session, cassette
        assert cassette.all_played
    session.close()


def test_textmaster_as_published() -> None:
    """Exchange, refresh, a 403 that is no dead token, and the wallet to the cent."""
    with playing("textmaster-published.yaml") as (session, _):
        one = textmaster.Provider(config("textmaster", textmaster.VENDOR.default_base_url), session, resolve)
        client = one.credentials(MINE, None, opener)
        request = one.authorization_request(client, TokenWish(), "https://example.com")
        grant = one.exchange_code(client, TokenWish(), request, Secret("code"))
        assert (grant.expires_in, grant.scopes) == (timedelta(hours=8), ("public",))
        assert grant.refresh_token is not None
        again = one.refresh_token(client, grant.refresh_token, TokenWish())
        assert again.refresh_token == Secret("9081dbe2b7dfc3ffb4e0861e4f4c471d7")
        assert one.probe_token(again.access_token, client).liveness == ALIVE
        found = one.read_credits(again.access_token)
        assert (found.balance, found.unit) == (Decimal("1234.56"), "EUR")


def test_textking_as_published() -> None:
    """A lifetime in a string, an offline token without one, and 403 for a dead token."""
    with playing("textking-published.yaml") as (session, _):
        one = textking.Provider(config("textking", textking.VENDOR.default_base_url), session, resolve)
        client = one.credentials(MINE, None, opener)
        request = one.authorization_request(client, TokenWish(), "https://example.com/myapp/authorize_response")
        grant = one.exchange_code(client, TokenWish(), request, Secret("CC0M!IAAAA"))
        assert grant.expires_in == timedelta(days=30)
        offline = one.exchange_code(client, TokenWish(offline_access=True), request, Secret("CC0M!IAAAA"))
        assert offline.never_expires
        assert one.probe_token(grant.access_token, client).liveness == ALIVE
        assert one.probe_token(grant.access_token, client).liveness == DEAD


def test_oauth2_by_openid_discovery() -> None:
    """A scope dropped in silence is found by introspection, and a revocation is proven by it."""
    with playing("oauth2-openid-discovery.yaml") as (session, _):
        one = oauth2.Provider(config("oauth2", issuer="https://id.example.com"), session, resolve)
        grant = one.create_token(CLIENT, TokenWish(scopes=("api:read", "api:write")))
        assert grant.scopes == ("api:read",)
        assert one.revoke_token(CLIENT, grant.access_token, None) is Revoked.REVOKED
