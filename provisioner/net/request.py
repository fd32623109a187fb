"""One request, ready for the wire: where `Secret`s become the header and body that carry them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from provisioner.net import body
from provisioner.secret import Secret

USER_AGENT = "provisioner"


class Given(NamedTuple):
    """What a caller wants sent, its secrets still in `Secret`s. At most one of `basic` and `bearer`, of `form` and
    `json`."""

    headers: Mapping[str, str | Secret] | None
    basic: tuple[str, Secret] | None
    bearer: Secret | None
    form: body.Form | None
    json: Any


class Request(NamedTuple):
    """`sent` holds the secrets in it. Its repr would show them, and is never made."""

    method: str
    url: str
    headers: dict[str, str]
    content: bytes | None
    sent: tuple[Secret, ...]
    fresh: bool = False

    def __repr__(self) -> str:
        return f"<{self.where}>"

    @property
    def where(self) -> str:
        """Method and address for messages: without query, fragment or user."""
        parts = urlsplit(self.url)
        return f"{self.method} {parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def build(method: str, url: str, given: Given, secrets: Iterable[Secret] = ()) -> Request:
    """`secrets` are masked in the answer beside those of the request itself. Raises `body.Unsendable`."""
    headers: dict[str, str | Secret] = {
        "Accept": "application/json",
        "User-Agent": USER_AGENT,
        **(given.headers or {}),
    }
    content: bytes | None = None
    if given.form is not None:
        content, headers["Content-Type"] = body.encode_form(given.form), "application/x-www-form-urlencoded"
    elif given.json is not None:
        content, headers["Content-Type"] = body.encode_json(given.json), "application/json"
    if given.basic is not None:
        headers["Authorization"] = body.basic(*given.basic)
    elif given.bearer is not None:
        headers["Authorization"] = body.bearer(given.bearer)
    wire = {name: body.header_value(name, value) for name, value in headers.items()}
    sent = body.secrets_in([given.form, given.json, headers, given.basic, given.bearer])
    return Request(method, url, wire, content, (*secrets, *sent))
