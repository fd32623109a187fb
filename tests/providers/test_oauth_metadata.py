"""Discovery: where the document is, and when it must not be used."""

from __future__ import annotations

from typing import Any

import pytest
from oauth_fakes import FakeSession, answer, as_session, everything_said

from provisioner.errors import BadAnswer, ProviderFailed, Unreachable
from provisioner.net.answers import Answer
from provisioner.providers._metadata import ServerMetadata, discover, well_known_urls
from provisioner.providers._urls import url_problem

ISSUER = "https://id.invalid/tenant"
DOCUMENT: dict[str, Any] = {"issuer": ISSUER, "token_endpoint": "https://id.invalid/tenant/token/"}


def found(table: dict[str, Any], issuer: str = ISSUER) -> ServerMetadata:
    return discover(as_session(FakeSession(table)), "idp", issuer)


def test_the_path_is_inserted_and_appended() -> None:
    """RFC 8414 section 3.1 and OpenID Connect Discovery section 4."""
    assert well_known_urls("https://id.invalid/a/b") == (
        "https://id.invalid/.well-known/oauth-authorization-server/a/b",
        "https://id.invalid/a/b/.well-known/openid-configuration",
        "https://id.invalid/a/b/.well-known/oauth-authorization-server",
        "https://id.invalid/.well-known/openid-configuration/a/b",
    )
    assert well_known_urls("https://id.invalid/") == (
        "https://id.invalid/.well-known/oauth-authorization-server",
        "https://id.invalid/.well-known/openid-configuration",
    )


@pytest.mark.parametrize("url", well_known_urls(ISSUER))
def test_each_place_is_looked_at(url: str) -> None:
    """Endpoints are taken to the letter: the trailing slash stays."""
    assert found({url: answer(200, DOCUMENT)}).endpoints == {"token_url": "https://id.invalid/tenant/token/"}


def test_a_page_in_place_of_the_document_is_passed_over() -> None:
    """Single-page applications answer 200 and HTML to every path."""
    first, second, *_ = well_known_urls(ISSUER)
    assert found({first: answer(200, b"<html>"), second: answer(200, DOCUMENT)}).issuer == ISSUER


@pytest.mark.parametrize(
    "named",
    [ISSUER + "/", ISSUER.upper(), "https://id.invalid", None, 7, "https://evil.invalid", "https://u:pw@id.invalid"],
)
def test_another_issuer_is_refused(named: object) -> None:
    """Character for character (RFC 8414 section 3.3), a trailing slash included."""
    with pytest.raises(ProviderFailed) as caught:
        found({well_known_urls(ISSUER)[0]: answer(200, {**DOCUMENT, "issuer": named})})
    assert caught.value.diagnostics[0].name == "issuer-mismatch"
    assert "pw@" not in everything_said(caught.value)


def test_no_document_at_all_names_where_it_was_looked_for() -> None:
    """And says what to do instead."""
    with pytest.raises(BadAnswer) as caught:
        found({})
    assert well_known_urls(ISSUER)[1] in caught.value.diagnostics[0].detail


@pytest.mark.parametrize(
    "url",
    [
        "http://id.invalid/token",
        "http://127.0.0.1/token",  # from an https issuer, down to http
        "https://user:secret@id.invalid/token",
        "https://id.invalid/token#x",
        "ftp://id.invalid/",
        "/token",
        7,
        "https://id.invalid/to ken",
    ],
)
def test_an_endpoint_that_is_no_place_for_credentials_is_refused(url: object) -> None:
    """Nothing was sent by then."""
    with pytest.raises(BadAnswer) as caught:
        found({well_known_urls(ISSUER)[0]: answer(200, {**DOCUMENT, "token_endpoint": url})})
    assert "secret@" not in everything_said(caught.value)


@pytest.mark.parametrize("nothing", [None, ""])
def test_an_endpoint_that_is_written_empty_is_none(nothing: object) -> None:
    """A server in Go writes what it has not, unless it is told otherwise."""
    said = found({well_known_urls(ISSUER)[0]: answer(200, {**DOCUMENT, "revocation_endpoint": nothing})})
    assert said.endpoints == {"token_url": "https://id.invalid/tenant/token/"}


@pytest.mark.parametrize("first", [answer(500), answer(503)])
def test_a_place_that_fails_ends_the_search(first: Answer) -> None:
    """A second document may know less of the server, as of its revocation, and a plan must not depend on which of the
    two was up."""
    with pytest.raises(Unreachable):
        found({well_known_urls(ISSUER)[0]: first, well_known_urls(ISSUER)[1]: answer(200, DOCUMENT)})


@pytest.mark.parametrize(
    ("url", "good"),
    [
        ("http://127.0.0.1:8080/x", True),
        ("http://[::1]/x", True),
        ("http://localhost/x", True),
        ("http://sandbox.invalid/oauth2", True),
        ("http://127.0.0.1.evil.example/x", False),
        ("http://id.example/x", False),
        ("https://@id.example/x", False),
        ("https://id.example:port/x", False),
        ("https://", False),
        ("https://id.example/\r\nX: 1", False),
    ],
)
def test_plain_http_is_for_loopback(url: str, good: bool) -> None:
    """RFC 8252 section 8.3; user information is refused wherever it stands."""
    assert (url_problem(url) is None) is good


def test_silence_of_the_document_is_kept_apart_from_no() -> None:
    """RFC 8414 section 2 gives each absence its own meaning."""
    assert found({well_known_urls(ISSUER)[0]: answer(200, DOCUMENT)}).pkce_methods is None
    said = found({well_known_urls(ISSUER)[0]: answer(200, {**DOCUMENT, "code_challenge_methods_supported": ["plain"]})})
    assert said.pkce_methods == ("plain",)
