"""A session tells what was certainly not sent from what may have been, and never sends a change twice."""

from __future__ import annotations

import logging
import threading
import traceback
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, HTTPServer
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hostile_server import (
    ELSEWHERE,
    Behaviour,
    Hostile,
    closed_port,
    drip,
    hang_up,
    hostile,
    reply,
    reset,
    stall,
    truncate,
)

from provisioner.errors import (
    BadAnswer,
    CredentialsRefused,
    InDoubt,
    ProvisionerError,
    RateLimited,
    Unreachable,
)
from provisioner.net import session as session_module
from provisioner.net import transport
from provisioner.net.session import Session
from provisioner.secret import Secret

CANARY = "canary-8f2e/+=%"


@pytest.fixture
def server() -> Iterator[Hostile]:
    with hostile() as found:
        yield found


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch) -> Iterator[Session]:
    monkeypatch.setattr(session_module, "_BACK_OFF", 0.001)
    made = Session(provider="p", timeout=0.3)
    yield made
    made.close()


def send(session: Session, url: str, **options: Any) -> Any:
    return session.change("POST", f"{url}/things?key={CANARY}", bearer=Secret(CANARY), **options)


@pytest.mark.parametrize(
    "behaviour",
    [reset, hang_up, stall, truncate, drip, ELSEWHERE, reply(500), reply(502), reply(503), reply(301), reply(304)],
    ids=["reset", "hang-up", "stall", "truncate", "drip", "307", "500", "502", "503", "301", "304"],
)
def test_a_change_without_a_definite_answer_is_in_doubt_and_sent_once(
    server: Hostile, session: Session, behaviour: Behaviour
) -> None:
    """Whatever broke after the request left, one request was seen and nobody calls it a failure."""
    server.behaviour = behaviour
    with pytest.raises(InDoubt):
        send(session, server.url)
    assert server.count() == 1


def test_a_refused_connection_was_never_sent(session: Session) -> None:
    """Nobody listened, so nothing happened."""
    with pytest.raises(Unreachable, match="refused"):
        send(session, f"http://127.0.0.1:{closed_port()}")


@pytest.mark.parametrize("url", ["http://example.com", "ftp://127.0.0.1", "https://", "http://127.0.0.1.evil.example"])
def test_plain_http_leaves_for_loopback_only(session: Session, url: str) -> None:
    """A token sent in clear is a token given away; the check needs no network."""
    with pytest.raises(Unreachable, match="https"):
        send(session, url)


def test_tls_to_a_server_without_it_sends_nothing(session: Session, server: Hostile) -> None:
    """The handshake fails before a byte of the request leaves."""
    with pytest.raises(Unreachable, match="TLS"):
        send(session, server.url.replace("http://", "https://"))
    assert CANARY not in repr(server.seen)


def test_tls_is_verified_even_on_loopback(tmp_path: Path, session: Session) -> None:
    """An authority that nobody named is not trusted; named as the CA file, it is."""
    authority = own_certificate(tmp_path)
    with hostile(tls=authority) as server:
        url = server.url.replace("http://", "https://")
        with pytest.raises(Unreachable, match="not trusted"):
            send(session, url)
        assert server.seen == []
        made = Session(provider="p", ca_file=str(authority))
        assert send(made, url).status == 200
        made.close()


def own_certificate(folder: Path) -> Path:
    """A certificate for 127.0.0.1 that signs itself, with its key, in one PEM file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    begin = datetime.now(UTC) - timedelta(minutes=1)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), 1, begin, begin + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = folder / "own.pem"
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    file.write_bytes(certificate.public_bytes(pem) + private)
    return file


@pytest.mark.parametrize("status", [200, 201, 204, 400, 401, 403, 404, 409])
def test_a_complete_answer_is_returned(server: Hostile, session: Session, status: int) -> None:
    """A yes and a definite no are for the provider to judge."""
    server.behaviour = reply(status)
    assert send(session, server.url).status == status
    assert server.count() == 1


def test_429_to_a_change_says_when(server: Hostile, session: Session) -> None:
    """A definite no that passes, in the header's own unit, sent once."""
    server.behaviour = reply(429, b"", {"Retry-After": "7"})
    with pytest.raises(RateLimited) as caught:
        send(session, server.url)
    assert caught.value.retry_after == 7
    assert server.count() == 1


@pytest.mark.parametrize(("asked", "waits"), [(-5.0, 0.0), (1e12, 60.0), (float("nan"), 0.0), (2.5, 2.5), (None, 1.0)])
def test_what_a_vendor_asks_for_is_clamped(server: Hostile, asked: float | None, waits: float) -> None:
    """A clock that is wrong by a year stops nobody for a year."""
    made = Session(provider="p", retry_after=lambda _: asked)
    server.behaviour = reply(429)
    with pytest.raises(RateLimited) as caught:
        send(made, server.url)
    made.close()
    assert caught.value.retry_after == waits


def test_a_repeatable_change_is_tried_again(server: Hostile, session: Session) -> None:
    """A revocation is harmless to repeat, so a reset costs it nothing."""
    server.script = lambda _: reset if server.count() == 1 else None
    assert send(session, server.url, repeatable=True).status == 200
    assert server.count() == 2


def test_a_repeatable_change_that_never_gets_an_answer_is_in_doubt(server: Hostile, session: Session) -> None:
    """Repeating does not turn a doubt into a failure."""
    server.behaviour = reset
    with pytest.raises(InDoubt):
        send(session, server.url, repeatable=True)
    assert server.count() == 4


def test_a_change_uses_a_connection_of_its_own(server: Hostile, session: Session) -> None:
    """A connection that idled may be half closed; a purchase on it would be in doubt for nothing."""
    session.read("GET", server.url)
    send(session, server.url)
    send(session, server.url)
    assert len({seen.connection for seen in server.seen}) == 3


def test_reads_share_a_connection(server: Hostile, session: Session) -> None:
    """A handshake a read would cost more than the read."""
    for _ in range(3):
        session.read("GET", server.url)
    assert {seen.connection for seen in server.seen} == {1}


@pytest.mark.parametrize("behaviour", [reset, reply(500), reply(503, b"", {"Retry-After": "0"}), truncate])
def test_a_read_is_repeated(server: Hostile, session: Session, behaviour: Behaviour) -> None:
    """A read harms nobody twice."""
    server.script = lambda _: behaviour if len(server.seen) < 3 else None
    assert session.read("GET", server.url).status == 200
    assert len(server.seen) == 3


def test_a_read_waits_out_429(server: Hostile, session: Session) -> None:
    """Asked to slow down, it does, and reads in the end."""
    server.script = lambda _: reply(429, b"", {"Retry-After": "0.01"}) if len(server.seen) < 4 else None
    assert session.read("GET", server.url).status == 200


def test_a_read_gives_up_with_what_it_met(server: Hostile, session: Session) -> None:
    """The status stands in the message, the query does not."""
    server.behaviour = reply(503)
    with pytest.raises(Unreachable, match="503") as caught:
        session.read("GET", f"{server.url}/x?key={CANARY}")
    assert CANARY not in str(caught.value.diagnostics)


def test_a_read_follows_redirects_on_its_own_host_only(server: Hostile, session: Session) -> None:
    """The same origin is another name for the same place; any other gets no credentials."""
    server.script = lambda seen: reply(302, b"", {"Location": "/there"}) if seen.target == "/here" else None
    assert session.read("GET", f"{server.url}/here", bearer=Secret("t")).status == 200
    server.script = lambda _: reply(302, b"", {"Location": "http://localhost:1/there"})
    assert session.read("GET", f"{server.url}/here", bearer=Secret("t")).status == 302


def test_a_read_leaves_a_redirect_loop(server: Hostile, session: Session) -> None:
    """A server that points at itself is told so."""
    server.behaviour = reply(302, b"", {"Location": "/again"})
    with pytest.raises(BadAnswer, match="redirect"):
        session.read("GET", f"{server.url}/again")


def test_an_endless_body_is_cut(server: Hostile, session: Session) -> None:
    """1 MiB is more than any of these vendors says; compressed or not, more is not kept."""
    server.behaviour = reply(200, b" " * (1024 * 1024 + 1))
    with pytest.raises(BadAnswer, match="larger"):
        session.read("GET", server.url)
    with pytest.raises(InDoubt, match="larger"):
        send(session, server.url)


def test_a_cookie_is_never_sent_back(server: Hostile, session: Session) -> None:
    """A session cookie would answer for a token that is dead."""
    server.behaviour = reply(200, {}, {"Set-Cookie": "session=alive; Path=/"})
    session.read("GET", server.url)
    session.read("GET", server.url)
    assert all("cookie" not in seen.headers for seen in server.seen)


def test_proxies_of_the_environment_are_not_for_loopback(
    server: Hostile, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sandbox on this machine is reached directly, whatever the office says."""
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{closed_port()}")
    assert session.read("GET", server.url).status == 200


def test_proxies_of_the_environment_are_for_everything_else(
    server: Hostile, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A vendor behind a proxy is asked for through it, and a proxy that refuses means that nothing was sent."""
    monkeypatch.setenv("HTTPS_PROXY", server.url)
    server.behaviour = reply(407)
    with pytest.raises(Unreachable, match="proxy"):
        session.change("POST", "https://vendor.invalid/x", bearer=Secret(CANARY))
    assert {seen.method for seen in server.seen} == {"CONNECT"}
    assert CANARY not in str(server.seen)


@pytest.mark.parametrize("proxy", ["socks5://127.0.0.1:1", "nonsense://x"])
def test_a_proxy_setting_that_cannot_be_used_is_said(
    session: Session, monkeypatch: pytest.MonkeyPatch, proxy: str
) -> None:
    """Not a traceback of the library."""
    monkeypatch.setenv("ALL_PROXY", proxy)
    with pytest.raises(Unreachable, match="proxy"):
        session.change("POST", "https://vendor.invalid/x")


def test_a_missing_ca_file_is_said(server: Hostile) -> None:
    """It names the file and sends nothing."""
    made = Session(provider="p", ca_file="/nonexistent/ca.pem")
    with pytest.raises(Unreachable, match=r"/nonexistent/ca\.pem"):
        made.change("POST", server.url.replace("http://", "https://"))
    made.close()


@pytest.mark.parametrize("value", [f"{CANARY}\r\nX-Forged: 1", f"{CANARY}\n", f"é{CANARY}"])
def test_a_secret_that_no_header_can_carry_is_refused(server: Hostile, session: Session, value: str) -> None:
    """A line break would forge a header; the message names the header and not the value."""
    with pytest.raises(CredentialsRefused) as caught:
        session.change("POST", server.url, bearer=Secret(value))
    with pytest.raises(CredentialsRefused):
        session.read("GET", server.url, headers={"X-API-KEY": Secret(value)})
    assert CANARY not in "".join(traceback.format_exception(caught.value))
    assert server.seen == []


def test_a_colon_in_a_basic_user_is_refused(server: Hostile, session: Session) -> None:
    """The server would read the wrong pair (RFC 7617 section 2)."""
    with pytest.raises(CredentialsRefused, match="colon"):
        session.read("GET", server.url, basic=("a:b", Secret("c")))
    assert server.seen == []


@pytest.mark.parametrize("behaviour", [reset, stall, truncate, ELSEWHERE, reply(500), reply(429)])
def test_no_error_of_a_change_holds_a_secret_or_a_query(
    server: Hostile, session: Session, behaviour: Behaviour, caplog: pytest.LogCaptureFixture
) -> None:
    """Not in the message, the traceback, the cause, the context or the log."""
    caplog.set_level(logging.DEBUG)
    server.behaviour = behaviour
    with pytest.raises(ProvisionerError) as caught:
        session.change(
            "POST", f"{server.url}/x?key={CANARY}", form={"secret": Secret(CANARY)}, basic=("u", Secret(CANARY))
        )
    error: BaseException = caught.value
    assert error.__cause__ is None
    assert error.__context__ is None
    assert CANARY not in "".join(traceback.format_exception(error)) + str(caught.value.diagnostics) + repr(error)
    assert CANARY not in caplog.text
    assert "127.0.0.1" not in caplog.text


def test_many_threads_use_one_session(server: Hostile, session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    """Forty reads in ten threads: all answered, over no more connections than threads."""
    monkeypatch.setattr(transport, "_KEEP_ALIVE", 60)  # however slow the machine is
    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(lambda _: session.read("GET", server.url).status, range(40)))
    assert answers == [200] * 40
    assert len({seen.connection for seen in server.seen}) <= 10


def test_a_server_of_one_connection_at_a_time_is_not_kept_waiting() -> None:
    """A connection that idles is closed, so that the next thread's is served: five threads, each with one request,
    two sessions, against a server that comes to a connection only when the one before has ended."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # its name in the base class
            """Silent."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        serving.start()
        sessions = [Session(provider=name, timeout=10) for name in ("p", "q")]
        url = f"http://127.0.0.1:{server.server_port}/"
        barrier = threading.Barrier(5)

        def ask(number: int) -> int:
            barrier.wait()
            return sessions[number % 2].read("GET", url).status

        with ThreadPoolExecutor(5) as pool:
            assert list(pool.map(ask, range(5))) == [200] * 5
        for each in sessions:
            each.close()
        server.shutdown()


def test_a_closed_session_sends_nothing(server: Hostile, session: Session) -> None:
    """After an interrupt nobody starts anything new."""
    session.close()
    with pytest.raises(Unreachable):
        send(session, server.url)
    assert server.seen == []


def test_numbers_in_an_answer_are_exact(server: Hostile, session: Session) -> None:
    """Some of them are money."""
    server.behaviour = reply(200, b'{"balance": 10.10}')
    assert session.read("GET", server.url).object() == {"balance": Decimal("10.10")}
