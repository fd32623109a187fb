"""What may be declared for an OAuth server, and what contradicts what."""

from __future__ import annotations

from typing import Any

import pytest
from oauth_fakes import application, config, record, token_record

from provisioner.model.desired import SecretRef
from provisioner.model.observed import ProviderObservation
from provisioner.providers.base import Refresh, Revoke
from provisioner.providers.oauth2 import VENDOR

SECRET = SecretRef("env", "S")


@pytest.mark.parametrize(
    ("base_url", "settings", "expected"),
    [
        ("", {"issuer": "https://id.example"}, []),
        ("", {"issuer": "https://id.example/"}, []),
        ("", {"token_url": "https://id.example/token/"}, []),
        ("sandbox", {}, []),
        ("sandbox", {"issuer": "http://127.0.0.1:8000"}, ["issuer"]),
        ("sandbox", {"token_url": "https://id.example/token/"}, ["token_url"]),
        ("sandbox", {"initial_access_token": SECRET}, []),
        ("https://id.example", {}, []),
        ("", {}, ["issuer"]),
        ("", {"issuer": "http://id.example"}, ["issuer"]),
        ("", {"issuer": "http://127.0.0.1:8000"}, []),
        ("", {"issuer": "https://id.example?x=1"}, ["issuer"]),
        ("", {"issuer": "https://u:p@id.example"}, ["issuer"]),
        ("", {"token_url": "https://id.example/t", "revocation_url": "ftp://x"}, ["revocation_url"]),
        ("https://other.example", {"issuer": "https://id.example"}, ["base_url"]),
        ("", {"token_url": "https://id.example/t", "initial_access_token": SECRET}, ["registration_url"]),
        ("", {"issuer": "https://id.example", "initial_access_token": SECRET}, []),
    ],
)
def test_a_provider_needs_an_issuer_or_a_token_url(
    base_url: str, settings: dict[str, Any], expected: list[str]
) -> None:
    """Problems name their key, relative to the provider's table."""
    assert [problem.key_path for problem in VENDOR.check_provider(config("oauth2", base_url, **settings))] == expected


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, []),
        ({"client_id": "c", "client_secret": SECRET}, []),
        ({"client_id": "c", "private_key": SECRET}, []),
        ({"client_id": "c", "redirect_uri": "http://127.0.0.1/cb"}, []),
        ({"client_id": "c", "grant": "device_code"}, []),
        ({"client_id": "c"}, ["client_secret"]),
        ({"client_secret": SECRET}, ["client_id"]),
        ({"grant": "password"}, ["grant"]),
        ({"grant": "authorization_code"}, ["redirect_uri"]),
        ({"redirect_uri": "http://id.example/cb"}, ["redirect_uri"]),
        ({"redirect_uri": "https://id.example/cb#x"}, ["redirect_uri"]),
        ({"redirect_uri": "callback"}, ["redirect_uri"]),
        ({"redirect_uri": "urn:ietf:wg:oauth:2.0:oob"}, []),
        ({"redirect_uri": "com.example.app:/cb"}, []),
        ({"redirect_uri": "http://[::1]:0/cb"}, []),
        ({"token_endpoint_auth_method": "client_secret_jwt"}, ["token_endpoint_auth_method"]),
        ({"token_endpoint_auth_method": "private_key_jwt"}, ["private_key"]),
        ({"token_endpoint_auth_method": "none"}, ["token_endpoint_auth_method"]),
        ({"token_endpoint_auth_method": "none", "grant": "device_code"}, []),
        (
            {"client_id": "c", "token_endpoint_auth_method": "client_secret_post", "grant": "device_code"},
            ["client_secret"],
        ),
        ({"resource": ("https://api.example/",)}, []),
        ({"resource": ("api",)}, ["resource"]),
        ({"resource": ("https://api.example/#x",)}, ["resource"]),
        ({"scopes": ("a", "b:c", "https://x/y")}, []),
        ({"scopes": ("a b",)}, ["scopes"]),
        ({"scopes": ("",)}, ["scopes"]),
        ({"scopes": ('"',)}, ["scopes"]),
    ],
)
def test_contradictions_are_found_before_anything_runs(given: dict[str, Any], expected: list[str]) -> None:
    """Each names the key to change."""
    assert [problem.key_path for problem in VENDOR.check_application(application(**given))] == expected


@pytest.mark.parametrize(
    ("given", "person", "refresh"),
    [
        ({}, False, Refresh.NONE),
        ({"grant": "client_credentials", "redirect_uri": "https://x.example"}, False, Refresh.NONE),
        ({"redirect_uri": "https://x.example"}, True, Refresh.MAY_ROTATE),
        ({"grant": "device_code"}, True, Refresh.MAY_ROTATE),
    ],
)
def test_who_needs_a_person_and_who_refreshes(given: dict[str, Any], person: bool, refresh: Refresh) -> None:
    """client_credentials brings no refresh token (RFC 6749 section 4.4.3)."""
    assert VENDOR.needs_person(application(**given)) is person
    assert VENDOR.refresh(application(**given)) is refresh


@pytest.mark.parametrize(
    ("features", "expected"), [({"revocation": True}, Revoke.YES), ({"revocation": False}, Revoke.NO), ({}, Revoke.TRY)]
)
def test_revocation_is_what_the_metadata_says(features: dict[str, bool], expected: Revoke) -> None:
    """Not having looked is not a no."""
    assert VENDOR.revoke(ProviderObservation(features=features)) is expected


def test_handoffs_stand_in_where_the_server_has_no_api() -> None:
    """A client with a management URI needs none."""
    managed = record(managed="created", registration={"registration_client_uri": "https://id.example/c"})
    assert VENDOR.delete_handoff(managed) is None
    assert VENDOR.delete_handoff(record(managed="created")) is not None
    assert "cid" in VENDOR.kill_handoff(token_record()).instructions[0]


def test_urls_are_taken_to_the_letter() -> None:
    """Settings of kind url lose their trailing slash on the way; an issuer and an endpoint must not."""
    kinds = {setting.name: setting.kind for setting in VENDOR.settings}
    assert {kinds[name] for name in kinds if name == "issuer" or name.endswith("_url")} == {"text"}
