"""Request bodies and authorization headers: the one place of `net` where a Secret becomes bytes.

Nothing here writes a message, so nothing here can leak into one: a value that cannot be sent raises Unsendable, whose
text names the place and never the value.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from provisioner.secret import Secret

Form = Mapping[str, str | Secret] | Sequence[tuple[str, str | Secret]]

_HEADER_VALUE = re.compile(r"[\x21-\x7e](?:[\x20-\x7e\t]*[\x21-\x7e])?")  # RFC 9110 section 5.5, ASCII only


class Unsendable(ValueError):
    """A value that no HTTP message can carry. Nothing was sent."""


def encode_form(form: Form) -> bytes:
    """`application/x-www-form-urlencoded`, every byte outside RFC 3986's unreserved set percent-encoded.

    `%20` rather than `+` for a space: servers that decode only percent signs read it too, and those that decode `+`
    would otherwise turn a plus in a secret into a space.
    """
    pairs = form.items() if isinstance(form, Mapping) else form
    return "&".join(f"{_percent(name)}={_percent(value)}" for name, value in pairs).encode("ascii")


def encode_json(value: Any) -> bytes:
    """JSON with every Secret revealed, however deep. Raises TypeError on what JSON has no word for."""
    return json.dumps(value, default=_reveal, separators=(",", ":"), allow_nan=False).encode("ascii")


def basic(user: str, password: Secret) -> Secret:
    """The value of an `Authorization: Basic` header (RFC 7617): UTF-8, one line however long. OAuth clients whose
    server follows RFC 6749 section 2.3.1 percent-encode both halves before they come here. Raises Unsendable on a colon
    in the user, which the server would read as the end of it."""
    if ":" in user:
        raise Unsendable("a user name with a colon cannot be sent by Basic authentication (RFC 7617 section 2)")
    pair = f"{user}:{password.reveal()}".encode()
    return Secret("Basic " + base64.b64encode(pair).decode("ascii"))


def bearer(token: Secret) -> Secret:
    """The value of an `Authorization: Bearer` header (RFC 6750 section 2.1)."""
    return Secret(f"Bearer {token.reveal()}")


def header_value(name: str, value: str | Secret) -> str:
    """What stands on the wire. Raises Unsendable on line breaks and other bytes that would end or forge a header."""
    text = value.reveal() if isinstance(value, Secret) else value
    if text and not _HEADER_VALUE.fullmatch(text):
        raise Unsendable(f"the value of the {name} header holds a character that no header can carry")
    return text


def secrets_in(value: Any) -> tuple[Secret, ...]:
    """Every Secret in a form, a JSON value or headers, so that an answer that echoes one can be masked."""
    if isinstance(value, Secret):
        return (value,)
    if isinstance(value, Mapping):
        value = tuple(value.values())
    if isinstance(value, list | tuple):
        return tuple(found for item in value for found in secrets_in(item))
    return ()


def _percent(value: str | Secret) -> str:
    return quote(value.reveal() if isinstance(value, Secret) else value, safe="-._~")


def _reveal(value: Any) -> Any:
    if isinstance(value, Secret):
        return value.reveal()
    raise TypeError(f"a {type(value).__name__} has no place in a JSON body")
