"""The embedded OAuth server over real sockets: metadata, grants, revocation, introspection."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, quote, urlencode, urlsplit

import pytest
from sandbox_world import IDP, LOOPBACK, Reply, World, serving

from provisioner.sandbox.accounts import OAUTH2_PUBLIC_CLIENT, OUT_OF_BAND

VERIFIER = "v" * 43
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
PUBLIC = {"client_id": OAUTH2_PUBLIC_CLIENT, "response_type": "code", "redirect_uri": LOOPBACK, "scope": "credits:read"}
PKCE = {**PUBLIC, "code_challenge": CHALLENGE, "code_challenge_method": "S256"}
SEEDED = {"client_id": IDP["client_id"], "response_type": "code", "redirect_uri": LOOPBACK}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with serving(tmp_path / "sandbox") as found:
        yield found


def test_metadata_follows_the_request_and_names_its_issuer(world: World) -> None:
    """RFC 8414: the well-known part stands before the issuer's path; the issuer is the base URL to the letter."""
    first = world.get("/.well-known/oauth-authorization-server/oauth2").json()
    assert first == world.get("/oauth2/.well-known/openid-configuration").json()
    assert first["issuer"] == f"{world.base}/oauth2"
    named = world.get("/oauth2/.well-known/openid-configuration", headers={"Host": "localhost:1"}).json()
    assert named["issuer"] == "http://localhost:1/oauth2"
    assert all(url.startswith(first["issuer"]) for name, url in first.items() if name.endswith("_endpoint"))
    assert first["code_challenge_methods_supported"] == ["S256"]


def test_client_credentials_have_no_refresh_token(world: World) -> None:
    """RFC 6749 section 4.4.3."""
    found = world.idp_token("credits:read credits:write").json()
    assert set(found) == {"access_token", "token_type", "expires_in", "scope"}
    assert world.idp_active(found["access_token"])


def test_a_scope_that_breaks_the_grammar_is_refused(world: World) -> None:
    """RFC 6749 section 3.3: no quotes, no controls, one blank between."""
    for scope in ('a"b', "a\\b", "a  b", "ä"):
        assert world.idp_token(scope).json()["error"] == "invalid_scope"


def exchange(world: World, code: str, **more: str) -> Reply:
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": LOOPBACK, **more}
    return world.post("/oauth2/token", form={"client_id": OAUTH2_PUBLIC_CLIENT, **form})


def test_a_public_client_with_pkce(world: World) -> None:
    """S256, the issuer in the redirect (RFC 9207), a pair in the end."""
    back = world.authorize("/oauth2/authorize", **PKCE, state="s").sent_back
    assert (back["iss"], back["state"]) == (f"{world.base}/oauth2", "s")
    answer = exchange(world, back["code"], code_verifier=VERIFIER)
    assert set(answer.json()) == {"access_token", "token_type", "expires_in", "refresh_token", "scope"}


@pytest.mark.parametrize("verifier", [None, "w" * 43, "short", CHALLENGE])
def test_a_wrong_verifier_buys_nothing(world: World, verifier: str | None) -> None:
    """Nor does none, nor the challenge itself."""
    code = world.authorize("/oauth2/authorize", **PKCE).sent_back["code"]
    answer = exchange(world, code, **({} if verifier is None else {"code_verifier": verifier}))
    assert answer.json()["error"] == "invalid_grant"


def test_a_verifier_without_a_challenge_is_a_downgrade(world: World) -> None:
    """RFC 9700 section 4.8.2."""
    code = world.authorize("/oauth2/authorize", **SEEDED).sent_back["code"]
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": LOOPBACK, "code_verifier": VERIFIER}
    assert world.idp("/token", **form).json()["error"] == "invalid_grant"


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"code_challenge": "", "code_challenge_method": "S256"}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"scope": 'a"'}, "invalid_scope"),
    ],
)
def test_faults_of_a_trusted_redirect_go_back_to_the_client(world: World, wrong: dict[str, str], error: str) -> None:
    """RFC 6749 section 4.1.2.1."""
    answer = world.get(f"/oauth2/authorize?{urlencode({**PKCE, 'state': 's', **wrong})}")
    assert (answer.status, answer.sent_back["error"], answer.sent_back["state"]) == (303, error, "s")


def test_pkce_is_required_of_public_clients(world: World) -> None:
    """RFC 9700 section 2.1.1."""
    assert world.get(f"/oauth2/authorize?{urlencode(PUBLIC)}").sent_back["error"] == "invalid_request"


@pytest.mark.parametrize("wrong", [{"client_id": "nobody"}, {"redirect_uri": "https://evil.example/"}])
def test_an_untrusted_redirect_is_never_followed(world: World, wrong: dict[str, str]) -> None:
    """A page, and no Location."""
    answer = world.get(f"/oauth2/authorize?{urlencode({**PKCE, **wrong})}")
    assert answer.status == 400
    assert "location" not in answer.headers


def test_a_code_that_comes_twice_ends_what_it_made(world: World) -> None:
    """RFC 6749 section 4.1.2."""
    code = world.authorize("/oauth2/authorize", **PKCE).sent_back["code"]
    first = exchange(world, code, code_verifier=VERIFIER).json()
    assert exchange(world, code, code_verifier=VERIFIER).json()["error"] == "invalid_grant"
    assert not world.idp_active(first["access_token"])


def test_codes_belong_to_their_client_and_end(world: World) -> None:
    """Another client gets nothing and burns nothing; ten minutes later it is over."""
    code = world.authorize("/oauth2/authorize", **PKCE).sent_back["code"]
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": LOOPBACK, "code_verifier": VERIFIER}
    assert world.idp("/token", **form).json()["error"] == "invalid_grant"
    world.sandbox.set_clock(601)
    assert exchange(world, code, code_verifier=VERIFIER).json()["error"] == "invalid_grant"


def test_refresh_rotates_and_only_narrows(world: World) -> None:
    """RFC 6749 section 6: the old pair is dead, a wider scope is refused and costs nothing."""
    old = world.idp_pair("credits:read jobs:read")
    wider = world.idp_refresh(old["refresh_token"], scope="credits:read credits:write")
    assert wider.json()["error"] == "invalid_scope"
    new = world.idp_refresh(old["refresh_token"], scope="jobs:read").json()
    assert new["scope"] == "jobs:read"
    assert not world.idp_active(old["access_token"])
    assert world.idp_active(new["access_token"])


def test_revoking_a_refresh_token_takes_its_access_tokens(world: World) -> None:
    """RFC 7009 section 2.1; an unknown token is 200; the same again is 200."""
    pair = world.idp_pair()
    for token in (pair["refresh_token"], pair["refresh_token"], "unknown"):
        assert world.idp("/revoke", token=token, token_type_hint="access_token").status == 200
    assert not world.idp_active(pair["access_token"])
    assert world.idp("/revoke").json()["error"] == "invalid_request"


def test_introspection_says_nothing_of_the_dead(world: World) -> None:
    """RFC 7662 section 2.2; public clients may not ask."""
    pair = world.idp_pair()
    found = world.idp("/introspect", token=pair["access_token"]).json()
    assert found["active"] is True
    assert (found["client_id"], found["scope"], found["token_type"]) == (IDP["client_id"], "credits:read", "Bearer")
    assert world.idp("/introspect", token="nonsense").json() == {"active": False}
    world.sandbox.set_clock(3601)
    assert world.idp("/introspect", token=pair["access_token"]).json() == {"active": False}
    answer = world.post("/oauth2/introspect", form={"client_id": OAUTH2_PUBLIC_CLIENT, "token": "x"})
    assert answer.status == 401


def test_out_of_band_and_loopback_of_any_port(world: World) -> None:
    """RFC 8252 section 7.3, and a code on a page."""
    page = world.authorize("/oauth2/authorize", **{**SEEDED, "redirect_uri": OUT_OF_BAND})
    assert 'id="code"' in page.text
    ported = world.authorize("/oauth2/authorize", **{**SEEDED, "redirect_uri": "http://[::1]:5/x?y=1"})
    parts = urlsplit(ported.headers["location"])
    assert (parts.netloc, parts.path, parse_qs(parts.query)["y"]) == ("[::1]:5", "/x", ["1"])


def test_the_resource_tries_a_token(world: World) -> None:
    """RFC 6750 section 3: no error where no token came."""
    access = world.idp_token().json()["access_token"]
    assert world.get("/oauth2/userinfo", bearer=access).json()["scope"] == "credits:read"
    assert "error" not in world.get("/oauth2/userinfo").headers["www-authenticate"]
    assert "invalid_token" in world.get("/oauth2/userinfo", bearer="dead").headers["www-authenticate"]


@pytest.mark.parametrize(
    ("form", "error"),
    [({}, "invalid_request"), ({"grant_type": "password"}, "unsupported_grant_type")],
)
def test_grants_that_are_not_there(world: World, form: dict[str, str], error: str) -> None:
    """RFC 6749 section 5.2."""
    assert world.idp("/token", **form).json()["error"] == error


def test_the_body_is_a_form_with_each_parameter_once(world: World) -> None:
    """RFC 6749 section 3.2; `resource` alone may repeat (RFC 8707)."""
    pair = (quote(IDP["client_id"]), quote(IDP["client_secret"]))
    head = {"Content-Type": "application/x-www-form-urlencoded"}
    body = b"grant_type=client_credentials&scope=a&scope=b"
    assert world.post("/oauth2/token", body=body, headers=head, basic=pair).json()["error"] == "invalid_request"
    body = b"grant_type=client_credentials&scope=a&resource=https://a&resource=https://b"
    assert world.post("/oauth2/token", body=body, headers=head, basic=pair).status == 200
    assert world.post("/oauth2/token", json={"grant_type": "client_credentials"}, basic=pair).status == 415
    assert world.post("/oauth2/token?x=1", form={"grant_type": "client_credentials"}, basic=pair).status == 400
