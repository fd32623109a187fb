"""The device grant (RFC 8628)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from oauth_fakes import CANARY, CLIENT, FakeSession, answer, as_session, everything_said

from provisioner.errors import BadAnswer, CredentialsRefused, InDoubt, NeedsPerson, ProviderFailed, StepRefused
from provisioner.providers._device import poll_device, start_device
from provisioner.providers._oauth2_vendor import DEVICE_GRANT
from provisioner.providers._urls import Endpoint
from provisioner.providers.base import DeviceAuthorization, DevicePending, Grant
from provisioner.secret import Secret

URL = "https://id.invalid/device"
STARTED: dict[str, Any] = {
    "device_code": CANARY,
    "user_code": "WDJB-MJHT",
    "verification_uri": "https://id.invalid/activate",
    "expires_in": 1800,
}
DEVICE = DeviceAuthorization(
    device_code=Secret(CANARY), user_code="WDJB-MJHT", verification_uri="https://x.invalid", expires_in=timedelta(1)
)
FIVE = timedelta(seconds=5)


def started(body: object, status: int = 200) -> DeviceAuthorization:
    return start_device(Endpoint(as_session(FakeSession({URL: answer(status, body)})), "idp", URL), CLIENT, [])


def polled(status: int, body: object) -> Grant | DevicePending:
    session = FakeSession({URL: answer(status, body)})
    found = poll_device(Endpoint(as_session(session), "idp", URL), CLIENT, [], DEVICE, FIVE)
    assert session.sent[0].fields == {"grant_type": DEVICE_GRANT, "device_code": CANARY}
    return found


@pytest.mark.parametrize(
    ("interval", "seconds"),
    [
        ({}, 5),
        ({"interval": None}, 5),
        ({"interval": 10}, 10),
        ({"interval": 10.0}, 10),
        ({"interval": "7"}, 7),
        ({"interval": 0}, 1),
    ],
)
def test_difference_7_without_an_interval_five_seconds_apply(interval: dict[str, object], seconds: int) -> None:
    """oidc-provider leaves it out; nobody polls without pause."""
    found = started({**STARTED, **interval})
    assert found.interval == timedelta(seconds=seconds)
    assert found.expires_in == timedelta(minutes=30)
    assert CANARY not in repr(found)


@pytest.mark.parametrize(
    "change",
    [
        {"device_code": None},
        {"user_code": ""},
        {"user_code": "\x1b[2J"},
        {"verification_uri": "http://evil.invalid/"},
        {"verification_uri": None},
        {"expires_in": None},
        {"expires_in": "soon"},
        {"interval": []},
    ],
)
def test_an_answer_that_cannot_be_shown_to_a_person_is_bad(change: dict[str, object]) -> None:
    """Nothing was issued, so nothing is in doubt."""
    with pytest.raises(BadAnswer) as caught:
        started({**STARTED, **change})
    assert CANARY not in everything_said(caught.value)


def test_a_refused_client_is_said() -> None:
    """As at the token endpoint."""
    with pytest.raises(CredentialsRefused):
        started({"error": "invalid_client"}, 401)


def test_waiting_keeps_the_interval_and_slowing_down_grows_it_for_good() -> None:
    """RFC 8628 section 3.5: five seconds more for this and all subsequent requests."""
    assert polled(400, {"error": "authorization_pending"}) == DevicePending(interval=FIVE)
    assert polled(400, {"error": "slow_down"}) == DevicePending(interval=2 * FIVE)


def test_a_decision_ends_it() -> None:
    """Granted, denied, too late, or not a device code of this server."""
    assert isinstance(polled(200, {"access_token": "t", "token_type": "Bearer"}), Grant)
    with pytest.raises(ProviderFailed) as denied:
        polled(400, {"error": "access_denied"})
    assert denied.value.diagnostics[0].name == "denied"
    with pytest.raises(NeedsPerson) as late:
        polled(400, {"error": "expired_token"})
    assert late.value.diagnostics[0].name == "authorize-timeout"
    with pytest.raises(StepRefused):
        polled(400, {"error": "invalid_grant"})
    with pytest.raises(InDoubt):
        polled(200, b"<html>")
