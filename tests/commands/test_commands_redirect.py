"""The loopback listener: one answer, the right state, a deadline, loopback only, and a page that says how it ended."""

from __future__ import annotations

import base64
import hashlib
import re
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from provisioner.commands import redirect
from provisioner.errors import Invalid


def get(url: str) -> tuple[int, str, dict[str, str]]:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.status, answer.read().decode(), dict(answer.headers)
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, refused.read().decode(), dict(refused.headers)


@pytest.fixture
def listener(monkeypatch: pytest.MonkeyPatch) -> Iterator[redirect.Listener]:
    monkeypatch.setattr(redirect, "_FOR_THE_END", 0.2)
    found = redirect.Listener("http://127.0.0.1/callback")
    yield found
    found.close()


def test_the_answer_with_the_right_state_is_taken(listener: redirect.Listener) -> None:
    """Its path and query are given back as they came; other paths are not an answer."""
    listener.state = "right"
    assert get(listener.redirect_uri.replace("/callback", "/favicon.ico"))[0] == 404
    asked = threading.Timer(0.05, get, [f"{listener.redirect_uri}?code=abc&state=right"])
    asked.start()
    assert listener.wait("right", 5) == "/callback?code=abc&state=right"
    asked.join()


def test_a_forged_answer_is_refused_and_does_not_keep_the_true_one_out(listener: redirect.Listener) -> None:
    """400 for a wrong state and for one before any was sent; the true answer still counts."""
    assert get(f"{listener.redirect_uri}?code=x&state=")[0] == 400
    listener.state = "right"
    status, page, _ = get(f"{listener.redirect_uri}?code=x&state=wrong")
    assert (status, "does not belong to the authorization" in page) == (400, True)
    assert get(f"{listener.redirect_uri}?code=abc&state=right")[0] == 200
    assert listener.wait("right", 5) == "/callback?code=abc&state=right"


def test_a_forged_answer_alone_ends_the_wait(listener: redirect.Listener, monkeypatch: pytest.MonkeyPatch) -> None:
    """A little later it is given back, for the provider to refuse: the command does not hang."""
    monkeypatch.setattr(redirect, "_AFTER_FORGERY", 0.1)
    get(f"{listener.redirect_uri}?code=x&state=wrong")
    began = time.monotonic()
    assert listener.wait("right", 30) == "/callback?code=x&state=wrong"
    assert time.monotonic() - began < 5


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (
            redirect.Page("Authorized", "desk is authorized and recorded.", good=True),
            "desk is authorized and recorded.",
        ),
        (redirect.Page("Denied", "idp: the authorization was denied."), "<h1>Denied</h1>"),
        (redirect.Page("<b>", "a & b"), "<h1>&lt;b&gt;</h1>\n<p>a &amp; b</p>"),
        (None, "The terminal says whether a token was issued"),
    ],
)
def test_the_page_says_how_it_ended(listener: redirect.Listener, said: redirect.Page | None, expected: str) -> None:
    """It waits for that a moment; where it takes longer, the terminal tells."""
    listener.state = "right"
    with ThreadPoolExecutor(1) as pool:
        shown = pool.submit(get, f"{listener.redirect_uri}?code=s3cr3t-code&state=right")
        assert listener.wait("right", 5)
        if said is not None:
            listener.say(said)
        status, page, _ = shown.result(5)
    assert (status, expected in page) == (200, True)


def test_the_page_holds_nothing_secret_and_loads_nothing(listener: redirect.Listener) -> None:
    """Neither code nor state; no address; its one script is the one that its policy names, and no other may run."""
    listener.state = "right-st4te"
    _, page, headers = get(f"{listener.redirect_uri}?code=s3cr3t-code&state=right-st4te")
    assert "s3cr3t-code" not in page
    assert "right-st4te" not in page
    assert re.findall(r"(?:src|href|url)\s*[=(]\s*['\"]?([^'\"\s>)]*)", page) == ["data:,"]
    scripts = re.findall(r"<script>(.*?)</script>", page)
    assert len(scripts) == page.count("<script") == 1
    digest = base64.b64encode(hashlib.sha256(scripts[0].encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in headers["Content-Security-Policy"]
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert (headers["Cache-Control"], headers["Referrer-Policy"]) == ("no-store", "no-referrer")


def test_one_answer_closes_the_port(listener: redirect.Listener) -> None:
    """RFC 8252 section 8.3: nobody is listening any more once the answer has come."""
    listener.state = "right"
    get(f"{listener.redirect_uri}?code=abc&state=right")
    assert listener.wait("right", 5)
    with pytest.raises(OSError, match="refused"):
        get(f"{listener.redirect_uri}?code=another&state=right")


def test_nobody_answers_in_time(listener: redirect.Listener) -> None:
    """None, at the deadline."""
    assert listener.wait("right", 0.1) is None


def test_a_port_that_is_taken_is_said(listener: redirect.Listener) -> None:
    """Invalid, naming the redirect_uri."""
    with pytest.raises(Invalid, match=r"cannot be listened on"):
        redirect.Listener(listener.redirect_uri)


@pytest.mark.parametrize("declared", ["http://127.0.0.1/cb", "http://localhost/cb"])
def test_only_the_loopback_interface_is_bound(declared: str) -> None:
    """127.0.0.1, on a port that is free now where none is declared; the name of the host is sent as it was written."""
    one = redirect.Listener(declared)
    try:
        host, port = one._server.server_address[:2]
        assert host == "127.0.0.1"
        assert one.redirect_uri == declared.replace("/cb", f":{port}/cb")
    finally:
        one.close()


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
