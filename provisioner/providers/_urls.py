"""Which URLs a client may send credentials to, and reading what comes back from one.

Source: RFC 6749 sections 3.1 and 3.2 (TLS, no fragment), RFC 8252 section 8.3 (plain http on loopback only).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

from provisioner.net import embedded
from provisioner.net.answers import Answer, NotJson
from provisioner.secret import Secret

if TYPE_CHECKING:
    from provisioner.net.session import Session

JSON_ONLY = {"Accept": "application/json"}

Field = tuple[str, str | Secret]


class Endpoint(NamedTuple):
    """One URL of one provider, with the session that reaches it. `provider` is its name in messages."""

    session: Session
    provider: str
    url: str


def is_loopback(host: str) -> bool:
    """127.0.0.0/8, ::1 and `localhost`; the in-process sandbox counts, as nothing of it leaves the process."""
    import ipaddress

    if host in ("localhost", embedded.HOST):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def url_problem(url: object) -> str | None:
    """Why credentials must not be sent to `url`, as the end of a sentence; None where they may.

    The URL itself is not part of the answer: it may hold a password.
    """
    if not isinstance(url, str) or any(ord(character) <= 0x20 or ord(character) == 0x7F for character in url):
        return "is not a URL"
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return "is not a URL"
    if parts.scheme not in ("https", "http") or not host:
        return "is not an https URL"
    if "@" in parts.netloc:
        return "holds user information, which would be sent along and logged on the way"
    if parts.fragment or url.endswith("#"):
        return "has a fragment (RFC 6749 section 3.1)"
    if parts.scheme == "http" and not is_loopback(host):
        return "uses http, which is taken for loopback addresses only"
    return None


def shows_json(answer: Answer) -> bool:
    """Whether a read was answered by the API itself: a maintenance page is a 200 too, and proves nothing."""
    return answer.status == 200 and json_object(answer) is not None


def json_object(answer: Answer) -> dict[str, Any] | None:
    """The body as a JSON object; None for anything else."""
    try:
        return answer.object()
    except NotJson:
        return None
