"""The device flow's polls (RFC 8628 sections 3.4 and 3.5): how long is waited, what silence means, what is in doubt."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import pytest

from provisioner.address import Address
from provisioner.commands.asking import ask_on_device
from provisioner.engine.interrupts import StopFlag
from provisioner.errors import (
    InDoubt,
    Interrupted,
    Invalid,
    NeedsPerson,
    ProviderFailed,
    ProvisionerError,
    RateLimited,
    StepRefused,
    Unreachable,
)
from provisioner.model.desired import Application, ProviderConfig
from provisioner.providers.base import ClientCredentials, DeviceAuthorization, DevicePending, Grant, Provider, TokenWish
from provisioner.secret import Secret

GRANT = Grant(access_token=Secret("at"))
LOST = InDoubt("in-doubt", "no answer")
DOWN = Unreachable("unreachable", "nobody there")
USED = StepRefused("refused", "used", oauth_error="invalid_grant")
EXPIRED = NeedsPerson("authorize-timeout", "expired")
APPLICATION = Application(address=Address("application", "desk"), provider="idp", name="desk")

Answer = Grant | BaseException | Callable[[timedelta], DevicePending]


def pending(interval: timedelta) -> DevicePending:
    return DevicePending(interval=interval)


def slower(interval: timedelta) -> DevicePending:
    return DevicePending(interval=interval + timedelta(seconds=5))


class Server:
    """Answers polls from a list; `waited` are the pauses before each, on a clock that only sleeping moves."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *answers: Answer, kind: str = "oauth2") -> None:
        self.config = ProviderConfig(name="idp", type=kind, base_url="")
        self.answers = list(answers)
        self.waited: list[float] = []
        self.now = 0.0
        monkeypatch.setattr(time, "monotonic", lambda: self.now)
        monkeypatch.setattr(time, "sleep", self.sleep)

    def sleep(self, seconds: float) -> None:
        self.waited.append(seconds)
        self.now += seconds
        if self.answers and isinstance(self.answers[0], KeyboardInterrupt):
            raise self.answers.pop(0)  # type: ignore[misc]  # it is one: asked in the line before

    def device_authorization(self, *_: Any) -> DeviceAuthorization:
        return DeviceAuthorization(
            device_code=Secret("dc"),
            user_code="WDJB-MJHT",
            verification_uri="https://id.invalid/device",
            expires_in=timedelta(minutes=10),
        )

    def poll_device(self, _credentials: Any, _wish: Any, _device: Any, interval: timedelta) -> Grant | DevicePending:
        answer = self.answers.pop(0) if self.answers else pending
        if isinstance(answer, BaseException):
            raise answer
        return answer if isinstance(answer, Grant) else answer(interval)


class Pauses(StopFlag):
    """The waits of a flow, which move the server's clock."""

    def __init__(self, server: Server) -> None:
        super().__init__()
        self.server = server

    def wait(self, seconds: float) -> bool:
        try:
            self.server.sleep(seconds)
        except KeyboardInterrupt:
            self.ask()
        return self.stopping


class Person:
    def __init__(self) -> None:
        self.shown: list[tuple[str, str | None]] = []

    def open(self, url: str, user_code: str | None, until: float) -> None:
        self.shown.append((url, user_code))

    def answer(self, seconds: float, *, whole_url: bool) -> str | None:
        raise AssertionError("nothing is pasted in the device flow")


def authorize(server: Server, timeout: timedelta = timedelta(minutes=5)) -> Grant:
    person, provider = Person(), cast("Provider", server)
    with ExitStack() as stack:
        exchange = ask_on_device(
            provider,
            ClientCredentials(),
            APPLICATION,
            person,
            stack,
            again="provisioner authorize desk",
            timeout=timeout,
            directory=Path(),
            stop=Pauses(server),
        )
        assert person.shown == [("https://id.invalid/device", "WDJB-MJHT")]
        return exchange(provider, ClientCredentials(), TokenWish())


@pytest.mark.parametrize(
    ("answers", "waited"),
    [
        ((pending, pending, GRANT), [5, 5, 5]),
        ((slower, pending, slower, GRANT), [5, 10, 10, 15]),  # five seconds more, for good
        ((LOST, LOST, pending, GRANT), [5, 10, 20, 20]),  # exponential back-off on silence
        ((DOWN, GRANT), [5, 10]),
        ((DOWN,) * 5 + (GRANT,), [5, 10, 20, 40, 60, 60]),  # never more than a minute
        ((RateLimited("rate-limited", "slow", retry_after=30.0), GRANT), [5, 35]),
    ],
)
def test_the_pauses(monkeypatch: pytest.MonkeyPatch, answers: tuple[Answer, ...], waited: list[float]) -> None:
    """Five seconds where the server names none; slower whenever it asks or is silent, and never faster again."""
    server = Server(monkeypatch, *answers)
    assert authorize(server) is GRANT
    assert server.waited == waited


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ((ProviderFailed("denied", "no"),), ProviderFailed),
        ((EXPIRED,), NeedsPerson),
        ((USED,), StepRefused),
        ((LOST, pending, EXPIRED), NeedsPerson),  # the one that was lost had made nothing
        ((DOWN, EXPIRED), NeedsPerson),  # and one that was never sent made nothing either
        ((LOST, USED), InDoubt),
        ((LOST, EXPIRED), InDoubt),
        ((LOST, ProviderFailed("denied", "no")), ProviderFailed),
        ((LOST, *[LOST] * 20), InDoubt),
        ((KeyboardInterrupt(),), Interrupted),
        ((pending, KeyboardInterrupt()), Interrupted),
        ((LOST, KeyboardInterrupt()), InDoubt),
    ],
)
def test_how_it_ends_without_a_token(
    monkeypatch: pytest.MonkeyPatch, answers: tuple[Answer, ...], expected: type[ProvisionerError]
) -> None:
    """In doubt exactly where a poll that nobody answered may have used the code up."""
    with pytest.raises(ProvisionerError) as caught:
        authorize(Server(monkeypatch, *answers))
    assert type(caught.value) is expected


def test_nobody_approves_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """The shorter of --timeout and the code's life; exit 3, with the command to run again."""
    server = Server(monkeypatch)
    with pytest.raises(NeedsPerson) as caught:
        authorize(server, timedelta(seconds=12))
    assert server.waited == [5, 5, 2]
    assert "provisioner authorize desk" in caught.value.diagnostics[0].detail


def test_a_vendor_without_a_device_flow_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit 4, and nothing is sent."""
    with pytest.raises(Invalid, match="no device flow"):
        authorize(Server(monkeypatch, kind="textmaster"))
