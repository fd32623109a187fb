"""One request, ready for the wire: where `Secret`s become the header and body that carry them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from provisioner.net import body
from provisioner.secret import Secret

USER_AGENT = "provisioner"


class Given(NamedTuple):
    """What a caller wants sent, its secrets still in `Secret`s. At most one of `basic` and `bearer`, of `form` and
    `json`. A `form` that is a function is made anew for each attempt: what is signed for a minute and good for one use
    must outlive neither a wait nor a repetition."""

    headers: Mapping[str, str | Secret] | None
    basic: tuple[str, Secret] | None
    bearer: Secret | None
    form: body.Form | Callable[[], body.Form] | None
    json: Any


class Request(NamedTuple):
    """`sent` holds the secrets in it. Its repr would show them, and is never made."""

    method: str
    url: str
    headers: dict[str, str]
    content: bytes | None
    sent: tuple[Secret, ...]
    fresh: bool = False
    renew: Callable[[], body.Form] | None = None

    def now(self) -> Request:
        """The same, with the form that holds now."""
        if self.renew is None:
            return self
        form = self.renew()
        return self._replace(content=body.encode_form(form), sent=(*self.sent, *body.secrets_in(form)))

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
    renew = given.form if callable(given.form) else None
    form = None if callable(given.form) else given.form
    if renew is not None:
        headers["Content-Type"] = "application/x-www-form-urlencoded"
    elif form is not None:
        content, headers["Content-Type"] = body.encode_form(form), "application/x-www-form-urlencoded"
    elif given.json is not None:
        content, headers["Content-Type"] = body.encode_json(given.json), "application/json"
    if given.basic is not None:
        headers["Authorization"] = body.basic(*given.basic)
    elif given.bearer is not None:
        headers["Authorization"] = body.bearer(given.bearer)
    wire = {name: body.header_value(name, value) for name, value in headers.items()}
    sent = body.secrets_in([form, given.json, headers, given.basic, given.bearer])
    return Request(method, url, wire, content, (*secrets, *sent), renew=renew)
