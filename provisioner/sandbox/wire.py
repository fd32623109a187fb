"""Requests and answers as plain data, and the strict parsing that every vendor shares.

Nothing here forgives: a parameter given twice, a body of another media type or a Basic header that is not base64 is
what a real server refuses, so a client that sends one must find out here and not at the vendor.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import SplitResult, parse_qsl, urlsplit

Headers = list[tuple[str, str]]


class Malformed(ValueError):
    """A body, query or header that breaks its own format. The text names the fault and never a value."""


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request. `origin` is `http://host:port`, `prefix` the vendor's segment (`/eztexting`), `path` the rest.
    `headers` has lower-case names."""

    method: str
    origin: str
    prefix: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes = field(repr=False)

    @property
    def base(self) -> str:
        """What a client has as `base_url`: every absolute URL of an answer starts with it."""
        return self.origin + self.prefix

    @property
    def media_type(self) -> str:
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    def parameters(self) -> dict[str, str]:
        """The query, each parameter once (RFC 6749 section 3.1). Raises Malformed."""
        return once(pairs(self.query))

    def form_pairs(self) -> list[tuple[str, str]]:
        """The urlencoded body. Raises Malformed where it is not UTF-8 or not urlencoded."""
        try:
            return pairs(self.body.decode("ascii"))
        except UnicodeDecodeError:
            raise Malformed("the body is not urlencoded ASCII") from None

    def form(self) -> dict[str, str]:
        return once(self.form_pairs())

    def json_object(self) -> dict[str, Any]:
        """The body as one JSON object without repeated names. Raises Malformed."""
        try:
            found = json.loads(self.body, object_pairs_hook=_unique)
        except (ValueError, RecursionError):
            raise Malformed("the body is not one JSON object with distinct names") from None
        if not isinstance(found, dict):
            raise Malformed("the body is JSON, and not an object")
        return found

    def credentials(self) -> tuple[str, str] | None:
        """The `Authorization` header as (scheme in lower case, the rest), or None."""
        scheme, _, rest = self.headers.get("authorization", "").partition(" ")
        return (scheme.lower(), rest.strip()) if scheme else None

    def bearer(self) -> str | None:
        found = self.credentials()
        return found[1] if found and found[0] == "bearer" else None

    def basic(self) -> tuple[str, str] | None:
        """The pair of a Basic header, split at the first colon and otherwise untouched (RFC 7617). Raises Malformed."""
        found = self.credentials()
        if not found or found[0] != "basic":
            return None
        try:
            user, colon, password = base64.b64decode(found[1], validate=True).decode().partition(":")
        except (binascii.Error, ValueError):
            raise Malformed("the Basic credentials are not base64 of UTF-8") from None
        if not colon:
            raise Malformed("the Basic credentials have no colon")
        return user, password


@dataclass(frozen=True, slots=True)
class Response:
    status: int
    headers: Headers = field(default_factory=list)
    body: bytes = field(default=b"", repr=False)


class Refusal(Exception):
    """A handler's definite no. What was written before it stays written: a replayed refresh token kills its family and
    is refused all the same. `outcome` is what the ledger says."""

    def __init__(self, outcome: str, response: Response) -> None:
        super().__init__(outcome)
        self.outcome = outcome
        self.response = response


def json_response(status: int, value: Any, headers: Iterable[tuple[str, str]] = ()) -> Response:
    """Compact JSON, never to be cached (RFC 6749 section 5.1)."""
    body = json.dumps(value, separators=(",", ":")).encode()
    return Response(status, [("Content-Type", "application/json"), ("Cache-Control", "no-store"), *headers], body)


def pairs(text: str) -> list[tuple[str, str]]:
    """Urlencoded text → pairs, order kept, blank values kept. Raises Malformed on bad UTF-8 or a part without `=`."""
    if not text:
        return []
    try:
        return parse_qsl(text, keep_blank_values=True, strict_parsing=True, errors="strict", max_num_fields=200)
    except ValueError:
        raise Malformed("the parameters are not urlencoded UTF-8") from None


def once(found: Iterable[tuple[str, str]], *, repeatable: frozenset[str] = frozenset()) -> dict[str, str]:
    """Pairs → mapping. Raises Malformed where a name comes twice (RFC 6749 section 3.2), save the `repeatable` ones,
    which are joined by a blank (RFC 8707's `resource`)."""
    result: dict[str, str] = {}
    for name, value in found:
        if name in result and name not in repeatable:
            raise Malformed(f"the parameter {name} is given more than once")
        result[name] = f"{result[name]} {value}" if name in result else value
    return result


def split_url(url: str) -> tuple[str, str, str]:
    """An absolute URL → (origin, path, query)."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}", parts.path or "/", parts.query


def is_loopback_redirect(uri: str) -> bool:
    """RFC 8252 section 7.3: plain http to a loopback literal (or localhost), whatever the port."""
    parts = parsed(uri)
    return (
        parts is not None
        and parts.scheme == "http"
        and parts.hostname in {"127.0.0.1", "::1", "localhost"}
        and not parts.fragment
    )


def parsed(uri: str) -> SplitResult | None:
    """The parts of a URI that may stand in a Location header; None for what is no URI (RFC 3986: ASCII, no blanks)."""
    if not uri.isascii() or not uri.isprintable() or " " in uri:
        return None
    try:
        parts = urlsplit(uri)
        _ = parts.port  # raises where it is no number
    except ValueError:
        return None
    return parts


def _unique(found: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({name for name, _ in found}) != len(found):
        raise ValueError("a name is given twice")
    return dict(found)
