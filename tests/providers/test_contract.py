"""The MUSTs of `providers/base.py`, for every vendor type, against a server that misbehaves over real sockets.

Every type that the scan finds is here: one without an entry in `contract_vendors.VENDORS` fails.
"""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "net"))  # the server that misbehaves lies with the tests of `net`

from contract_vendors import CANARY, VENDORS, Change, resolve
from hostile_server import (
    ELSEWHERE,
    HTML,
    Behaviour,
    Hostile,
    closed_port,
    hang_up,
    hostile,
    reply,
    reset,
    stall,
    truncate,
)

from provisioner import providers
from provisioner.errors import (
    BadAnswer,
    CredentialsRefused,
    InDoubt,
    ProviderFailed,
    ProvisionerError,
    RateLimited,
    StepRefused,
    Unreachable,
)
from provisioner.model.desired import ProviderConfig
from provisioner.net import session as session_module
from provisioner.net.session import Session
from provisioner.providers.base import Provider

TESTS = Path(__file__).parent
EXAMPLES = TESTS.parent.parent / "examples"
TYPES = providers.types()

CHANGES = [
    pytest.param(kind, change, id=f"{kind}-{name}")
    for kind in TYPES
    for name, change in (VENDORS[kind].changes if kind in VENDORS else {}).items()
]
READS = [
    pytest.param(kind, read, id=f"{kind}-{name}")
    for kind in TYPES
    for name, read in (VENDORS[kind].reads if kind in VENDORS else {}).items()
]
CALLS = [
    pytest.param(kind, call, id=f"{kind}-{name}")
    for kind in TYPES
    if kind in VENDORS
    for name, call in (
        *((name, change.call) for name, change in VENDORS[kind].changes.items()),
        *((f"read-{name}", read) for name, read in VENDORS[kind].reads.items()),
    )
]
UNPROVEN = [
    pytest.param(kind, change, id=f"{kind}-{name}")
    for kind in TYPES
    for name, change in (VENDORS[kind].changes if kind in VENDORS else {}).items()
    if not change.proven
]

NO_ANSWER: dict[str, Behaviour] = {
    "reset": reset,
    "hang-up": hang_up,
    "stall": stall,
    "truncate": truncate,
    "500": reply(500),
    "502": reply(502, b"<html>bad gateway</html>"),
    "503": reply(503),
    "307": ELSEWHERE,
}
NO_SENSE: dict[str, Behaviour] = {
    "html": HTML,
    "list": reply(200, [{"access_token": "x"}]),
    "half-json": reply(200, b'{"access_token": "x'),
}


@pytest.fixture
def server() -> Iterator[Hostile]:
    with hostile() as found:
        yield found


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_module, "_BACK_OFF", 0.001)


def opened(kind: str, url: str, *, timeout: float = 10.0) -> Provider:
    """A provider of this type whose vendor is the server at `url`."""
    config = ProviderConfig(name="p", type=kind, base_url=url, settings=VENDORS[kind].settings(url))
    return providers.provider_class(kind)(config, Session(provider="p", timeout=timeout), resolve)


def failure(kind: str, url: str, call: object, fault: str = "") -> ProvisionerError:
    """What the call raises. That it raises is part of every MUST here. Only a stall is not waited for."""
    provider = opened(kind, url, timeout=0.1 if fault == "stall" else 10.0)
    try:
        with pytest.raises(ProvisionerError) as caught:
            call(provider)  # type: ignore[operator]  # a parameter of the suite
    finally:
        provider.close()
    return caught.value


@pytest.mark.parametrize("kind", TYPES)
def test_every_type_has_its_contract_and_tests(kind: str) -> None:
    """A vendor is one file in providers/, an entry in the contract, and a test file: none is skipped in silence."""
    assert VENDORS[kind].changes, f"add {kind} to tests/providers/contract_vendors.py"
    assert (TESTS / f"test_{kind}.py").is_file()


@pytest.mark.parametrize("kind", TYPES)
def test_every_type_has_an_example(kind: str) -> None:
    """The example is what a newcomer copies."""
    assert (EXAMPLES / f"{kind}.toml").is_file()


@pytest.mark.parametrize(("kind", "change"), CHANGES)
def test_a_change_that_was_never_sent_is_unreachable(kind: str, change: Change) -> None:
    """Nobody listens: nothing happened, and that is known."""
    assert isinstance(failure(kind, f"http://127.0.0.1:{closed_port()}", change.call), Unreachable)


@pytest.mark.parametrize("fault", NO_ANSWER)
@pytest.mark.parametrize(("kind", "change"), CHANGES)
def test_a_change_without_an_answer_is_in_doubt_and_sent_once(
    kind: str, change: Change, fault: str, server: Hostile
) -> None:
    """No answer, half an answer, a 5xx, a redirect: never a failure, and exactly one request."""
    server.behaviour = NO_ANSWER[fault]
    error = failure(kind, server.url, change.call, fault)
    assert isinstance(error, InDoubt)
    assert error.diagnostics[0].name == "in-doubt"
    assert server.count() >= 1 if change.repeatable else server.count() == 1


@pytest.mark.parametrize("answer", NO_SENSE)
@pytest.mark.parametrize(("kind", "change"), UNPROVEN)
def test_a_change_answered_with_nonsense_is_in_doubt(kind: str, change: Change, answer: str, server: Hostile) -> None:
    """200 and a maintenance page is not a yes."""
    server.behaviour = NO_SENSE[answer]
    assert isinstance(failure(kind, server.url, change.call), InDoubt)
    assert server.count() == 1


@pytest.mark.parametrize(("kind", "change"), CHANGES)
def test_a_change_answered_429_was_not_done(kind: str, change: Change, server: Hostile) -> None:
    """A definite no that passes; with money, a doubt all the same."""
    server.behaviour = reply(429, b"slow down", {"Retry-After": "0"})
    error = failure(kind, server.url, change.call)
    assert isinstance(error, InDoubt if change.spends else RateLimited)
    assert server.count() >= 1 if change.repeatable else server.count() == 1


@pytest.mark.parametrize("status", [400, 403, 404])
@pytest.mark.parametrize(("kind", "change"), UNPROVEN)
def test_a_definite_no_is_one(kind: str, change: Change, status: int, server: Hostile) -> None:
    """A complete 4xx is no doubt, whatever its body looks like."""
    server.behaviour = reply(status, b"<html>no</html>")
    error = failure(kind, server.url, change.call)
    assert isinstance(error, StepRefused | CredentialsRefused)
    assert not isinstance(error, RateLimited)
    assert server.count() == 1


@pytest.mark.parametrize("answer", [*NO_ANSWER, *NO_SENSE, "echo", "echo-error", "429"])
@pytest.mark.parametrize(("kind", "call"), CALLS)
def test_no_error_holds_a_secret(
    kind: str, call: object, answer: str, server: Hostile, caplog: pytest.LogCaptureFixture
) -> None:
    """Not in words, repr, traceback, cause, context or log, even where the server echoes what it was sent."""
    caplog.set_level(logging.DEBUG)
    if answer.startswith("echo"):
        server.script = lambda seen: reply(400, _echo(seen.body.decode() + str(seen.headers), answer))
    elif answer == "429":
        server.behaviour = reply(429, b"", {"Retry-After": "0"})
    else:
        server.behaviour = (NO_ANSWER | NO_SENSE)[answer]
    provider = opened(kind, server.url, timeout=0.1 if answer == "stall" else 10.0)
    try:
        call(provider)  # type: ignore[operator]  # a parameter of the suite
    except ProvisionerError as error:
        text = "".join(traceback.format_exception(error)) + repr(error) + repr([d.to_json() for d in error.diagnostics])
        assert CANARY not in text
        chain: BaseException | None = error
        while chain is not None:
            assert CANARY not in repr(chain) + repr(vars(chain))
            chain = chain.__cause__ or chain.__context__
    finally:
        provider.close()
    assert CANARY not in caplog.text


def _echo(text: str, shape: str) -> dict[str, object]:
    if shape == "echo":
        return {"error": "invalid_request", "error_description": text, "detail": text, "title": text}
    return {"error": {"type": text, "message": text, "code": 1}, "errors": [{"message": text}], "title": text}


@pytest.mark.parametrize("fault", ["reset", "stall", "truncate", "500", "503"])
@pytest.mark.parametrize(("kind", "read"), READS)
def test_a_read_without_an_answer_is_unreachable(kind: str, read: object, fault: str, server: Hostile) -> None:
    """Exit 8, after trying again."""
    server.behaviour = NO_ANSWER[fault]
    assert isinstance(failure(kind, server.url, read, fault), Unreachable)
    assert len(server.seen) > 1


@pytest.mark.parametrize("answer", [*NO_SENSE, "empty", "404", "307"])
@pytest.mark.parametrize(("kind", "read"), READS)
def test_a_read_answered_with_nonsense_is_a_bad_answer(kind: str, read: object, answer: str, server: Hostile) -> None:
    """A maintenance page is not an empty account."""
    server.behaviour = {**NO_SENSE, "empty": reply(200), "404": reply(404), "307": ELSEWHERE}[answer]
    error = failure(kind, server.url, read)
    assert isinstance(error, BadAnswer)
    assert error.exit_code == 8


@pytest.mark.parametrize(("kind", "read"), READS)
def test_refused_credentials_are_said(kind: str, read: object, server: Hostile) -> None:
    """Exit 8, naming the provider."""
    server.behaviour = reply(401, {"title": "Missing authorization header"})
    error = failure(kind, server.url, read)
    assert isinstance(error, ProviderFailed)
    assert isinstance(error, CredentialsRefused)
