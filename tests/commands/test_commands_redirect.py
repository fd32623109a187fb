"""The loopback listener: one answer, the right state, a deadline, loopback only."""

from __future__ import annotations

import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest

from provisioner.commands import redirect
from provisioner.errors import Invalid


def get(url: str) -> int:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code


@pytest.fixture
def listener() -> Iterator[redirect.Listener]:
    found = redirect.Listener("http://127.0.0.1/callback")
    yield found
    found.close()


def test_the_answer_with_the_right_state_is_taken(listener: redirect.Listener) -> None:
    """Its path and query are given back as they came; other paths are not an answer."""
    listener.state = "right"
    assert get(listener.redirect_uri.replace("/callback", "/favicon.ico")) == 404
    asked = threading.Timer(0.05, get, [f"{listener.redirect_uri}?code=abc&state=right"])
    asked.start()
    assert listener.wait("right", 5) == "/callback?code=abc&state=right"
    asked.join()


def test_a_forged_answer_is_refused_and_does_not_keep_the_true_one_out(listener: redirect.Listener) -> None:
    """400 for a wrong state and for one before any was sent; the true answer still counts."""
    assert get(f"{listener.redirect_uri}?code=x&state=") == 400
    listener.state = "right"
    assert get(f"{listener.redirect_uri}?code=x&state=wrong") == 400
    assert get(f"{listener.redirect_uri}?code=abc&state=right") == 200
    assert listener.wait("right", 5) == "/callback?code=abc&state=right"


def test_a_forged_answer_alone_ends_the_wait(listener: redirect.Listener, monkeypatch: pytest.MonkeyPatch) -> None:
    """A little later it is given back, for the provider to refuse: the command does not hang."""
    monkeypatch.setattr(redirect, "_AFTER_FORGERY", 0.1)
    get(f"{listener.redirect_uri}?code=x&state=wrong")
    began = time.monotonic()
    assert listener.wait("right", 30) == "/callback?code=x&state=wrong"
    assert time.monotonic() - began < 5


def test_nobody_answers_in_time(listener: redirect.Listener) -> None:
    """None, at the deadline."""
    assert listener.wait("right", 0.1) is None


def test_a_port_that_is_taken_is_said(listener: redirect.Listener) -> None:
    """Invalid, naming the redirect_uri."""
    with pytest.raises(Invalid, match=r"cannot be listened on"):
        redirect.Listener(listener.redirect_uri)


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("http://127.0.0.1:8765/cb", True),
        ("http://localhost/cb", True),
        ("http://[::1]:1/cb", True),
        ("https://127.0.0.1/cb", False),
        ("http://127.0.0.1.example.com/cb", False),
        ("urn:ietf:wg:oauth:2.0:oob", False),
    ],
)
def test_what_is_loopback(uri: str, expected: bool) -> None:
    """Only plain http to this machine is listened on."""
    assert redirect.is_loopback(uri) is expected
