"""A change between its attempts and before its turn: what may have been sent is never called unsent, and what nobody
wants any more is not sent."""

from __future__ import annotations

import time

import pytest
from hostile_server import hostile, reply

from provisioner.errors import InDoubt, RateLimited, Unreachable
from provisioner.net import session as session_module
from provisioner.net.session import Session
from provisioner.net.transport import NoAnswer, NotSent


def test_a_repeatable_change_that_was_sent_is_in_doubt_whatever_the_next_attempts_meet(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The first attempt got no answer and the others no connection: "nothing was sent" would be a lie."""
    met: list[Exception] = [NoAnswer("no answer"), *[NotSent("refused")] * 3]

    def exchange(*_: object, **__: object) -> None:
        raise met.pop(0)

    monkeypatch.setattr(session_module, "_BACK_OFF", 0.001)
    session = Session(provider="p")
    monkeypatch.setattr(session._wire, "exchange", exchange)
    with pytest.raises(InDoubt):
        session.change("POST", "http://127.0.0.1:1", repeatable=True)
    session.close()
    assert met == []


def test_a_change_that_waited_is_not_sent_where_nobody_wants_it_any_more() -> None:
    """One 429 makes the next wait for half a minute; a stop in that time ends the wait, and nothing is sent."""
    session = Session(provider="p")
    with hostile() as server:
        server.behaviour = reply(429, b"", {"Retry-After": "30"})
        with pytest.raises(RateLimited):
            session.change("POST", server.url)
        session.wanted = lambda: False
        began = time.monotonic()
        with pytest.raises(Unreachable) as caught:
            session.change("POST", server.url)
        assert time.monotonic() - began < 5
        assert caught.value.diagnostics[0].name == "interrupted"
        assert server.count() == 1
    session.close()
