"""What leaves this machine, and to whom: TLS that is always verified, redirects, proxies, and other servers' names."""

from __future__ import annotations

import http.server
import json
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import trustme

from provisioner.sandbox.accounts import ACCOUNTS
from provisioner.sandbox.app import open_sandbox

if TYPE_CHECKING:
    from oauth_rig import Stack

ACCOUNT = ACCOUNTS["oauth2"]
WORKER = """
[applications.worker]
provider = "idp"
client_id = { env = "IDP_CLIENT_ID" }
client_secret = { env = "IDP_CLIENT_SECRET" }
scopes = ["credits:read"]
"""

Answer = tuple[int, list[tuple[str, str]], bytes]
Handle = Callable[[str, str, dict[str, str], bytes], Answer]


@contextmanager
def serving(handle: Handle, certificate: trustme.LeafCert | None = None) -> Iterator[str]:
    """An HTTP or HTTPS server on 127.0.0.1 that answers by a function of method, URL, headers and body."""
    scheme = "https" if certificate is not None else "http"

    class Handler(http.server.BaseHTTPRequestHandler):
        def _any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            url = f"{scheme}://{self.headers['Host']}{self.path}"
            status, headers, content = handle(self.command, url, dict(self.headers), body)
            self.send_response(status)
            for name, value in headers:
                self.send_header(name, value)
            if status != http.HTTPStatus.NO_CONTENT:
                self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PUT = do_DELETE = _any  # noqa: N815  # http.server's names

        def log_message(self, *_: object) -> None:
            """Quiet: requests hold secrets."""

    class Server(http.server.ThreadingHTTPServer):
        daemon_threads = True
        block_on_close = False

        def handle_error(self, *_: object) -> None:
            """A handshake that the client breaks off is what some of these tests are about."""

    server = Server(("127.0.0.1", 0), Handler)
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        certificate.configure_cert(context)
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    try:
        yield f"{scheme}://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def declare(stack: Stack, issuer: str, more: str = "", applications: str = WORKER) -> None:
    stack.environ |= {"IDP_CLIENT_ID": ACCOUNT["client_id"], "IDP_CLIENT_SECRET": ACCOUNT["client_secret"]}
    stack.write(f'[providers.idp]\ntype = "oauth2"\nissuer = "{issuer}"\n{more}\n{applications}')


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


def test_an_authority_of_ones_own_is_trusted_where_it_is_named(
    stack: Stack, tmp_path: Path, authority: trustme.CA
) -> None:
    """`ca_file`, meant from where the file lies: discovery, tokens, introspection and revocation over that TLS."""
    vendors = open_sandbox(tmp_path / "vendors")
    authority.cert_pem.write_to_path(stack.folder / "ca.pem")
    with serving(vendors.handle, authority.issue_cert("127.0.0.1")) as base:
        declare(stack, f"{base}/oauth2", 'ca_file = "ca.pem"')
        stack.apply()
        assert "No changes." in stack.ok("plan")
        stack.ok("destroy", "--auto-approve")
    assert vendors.live_tokens("oauth2") == []
    vendors.close()


@pytest.mark.parametrize("fault", ["nobody named it", "another authority", "another name", "expired"])
def test_a_certificate_that_does_not_fit_gets_nothing(stack: Stack, authority: trustme.CA, fault: str) -> None:
    """Exit 8, no request was read by the server, and there is no setting that would send one."""
    seen: list[str] = []
    names = {"another name": "id.example.com"}
    until = datetime.now(UTC) + timedelta(hours=-1 if fault == "expired" else 1)
    certificate = authority.issue_cert(
        names.get(fault, "127.0.0.1"), not_before=until - timedelta(days=1), not_after=until
    )
    trusted = trustme.CA() if fault == "another authority" else authority
    trusted.cert_pem.write_to_path(stack.folder / "ca.pem")

    def handle(method: str, url: str, headers: dict[str, str], body: bytes) -> Answer:
        seen.append(url)
        return 200, [], b"{}"

    with serving(handle, certificate) as base:
        declare(stack, base, "" if fault == "nobody named it" else 'ca_file = "ca.pem"')
        said = stack.run("plan")
    assert said.code == 8, said.all
    assert "its TLS certificate is not trusted" in said.err
    assert seen == []
    assert ACCOUNT["client_secret"] not in said.all


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_token_request_is_redirected_nowhere(stack: Stack, tmp_path: Path, status: int) -> None:
    """The other host hears nothing, and whether a token was made is recorded as not known (RFC 9700 section 4.12)."""
    heard: list[str] = []

    def elsewhere(method: str, url: str, headers: dict[str, str], body: bytes) -> Answer:
        heard.append(url)
        return 200, [("Content-Type", "application/json")], b'{"access_token": "stolen", "token_type": "Bearer"}'

    vendors = open_sandbox(tmp_path / "vendors")
    with serving(elsewhere) as other:

        def handle(method: str, url: str, headers: dict[str, str], body: bytes) -> Answer:
            if url.endswith("/token"):
                return status, [("Location", f"{other}/token")], b""
            return vendors.handle(method, url, headers, body)

        with serving(handle) as base:
            declare(stack, f"{base}/oauth2")
            assert stack.run("apply", "--auto-approve").code == 3
    assert heard == []
    assert [r["values"]["status"] for r in stack.resources() if r["type"] == "token"] == ["lost"]
    vendors.close()


def metadata(base: str, **members: str) -> Handle:
    """A server that says of itself what the test wants."""

    def handle(method: str, url: str, headers: dict[str, str], body: bytes) -> Answer:
        document = {"issuer": base, "token_endpoint": f"{base}/token", **members}
        return 200, [("Content-Type", "application/json")], json.dumps(document).encode()

    return handle


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"issuer": "https://evil.example"}, "names another issuer"),
        ({"token_endpoint": "http://evil.example/token"}, "uses http"),
        ({"revocation_endpoint": "https://user:pw@evil.example/r"}, "holds user information"),
        ({"introspection_endpoint": "https://evil.example/i#f"}, "has a fragment"),
    ],
)
def test_metadata_that_would_lead_astray_is_not_used(stack: Stack, members: dict[str, str], message: str) -> None:
    """Issuer mix-up (RFC 8414 section 3.3) and endpoints that no credential may go to: exit 8 before any is sent."""
    seen: list[tuple[str, dict[str, str]]] = []
    asked: list[Handle] = []

    def handle(method: str, url: str, headers: dict[str, str], body: bytes) -> Answer:
        seen.append((method, headers))
        return asked[0](method, url, headers, body)

    with serving(handle) as base:
        asked.append(metadata(base, **members))
        declare(stack, base)
        said = stack.run("apply", "--auto-approve")
    assert said.code == 8, said.all
    assert message in said.err
    assert {method for method, _ in seen} == {"GET"}
    assert not any("Authorization" in headers for _, headers in seen)


def test_plain_http_is_refused_before_anything_runs(stack: Stack) -> None:
    """By `validate`, with no network: http is for loopback addresses only (RFC 8252 section 8.3)."""
    declare(stack, "http://id.example.com")
    said = stack.run("validate")
    assert (said.code, "http" in said.err) == (4, True), said.all
    declare(stack, "http://127.0.0.1:1")
    stack.ok("validate")


def test_pkce_is_not_talked_down(stack: Stack) -> None:
    """A public client goes nowhere where a server announces `plain` alone (RFC 9700 section 2.1.1): exit 8, no URL."""
    application = '[applications.desk]\nprovider = "idp"\nclient_id = "public"\nredirect_uri = "http://127.0.0.1/cb"\n'
    asked: list[Handle] = []

    def handle(method: str, url: str, headers: dict[str, str], body: bytes) -> Answer:
        status, sent, content = asked[0](method, url, headers, body)
        document = {**json.loads(content), "code_challenge_methods_supported": ["plain"]}
        return status, sent, json.dumps(document).encode()

    with serving(handle) as base:
        asked.append(metadata(base, authorization_endpoint=f"{base}/authorize"))
        declare(stack, base, applications=application)
        said = stack.run("authorize", "desk", "--no-browser")
    assert (said.code, said.out) == (8, ""), said.all
    assert "S256" in said.err
