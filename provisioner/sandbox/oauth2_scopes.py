"""The OAuth server's scopes, and which of those that are asked for a client gets."""

from __future__ import annotations

import re
from typing import Any

from provisioner.sandbox.desk import Desk
from provisioner.sandbox.oauth2_errors import error

SCOPES = ("credits:read", "credits:write", "messages:read", "messages:write", "jobs:read", "jobs:run", "offline_access")
SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+")  # RFC 6749 section 3.3


def granted(desk: Desk, body: dict[str, Any], asked: str) -> str:
    """Scopes within what the client registered; without a wish, all of that (RFC 6749 section 3.3)."""
    owned = str(body["scope"]).split() if "scope" in body else None
    wanted = list(dict.fromkeys(asked.split())) or owned or []
    if not all(SCOPE.fullmatch(scope) for scope in wanted) or asked != " ".join(asked.split()):
        raise error(400, "invalid_scope", "a scope is malformed")
    mode = desk.switch("unknown_scope")
    unknown = set(wanted) - set(SCOPES if owned is None else owned)
    if unknown and (mode == "refused" or (owned is not None and mode == "granted")):
        raise error(400, "invalid_scope", "a scope is unknown or not the client's")
    return " ".join(scope for scope in wanted if mode != "dropped" or scope not in unknown)
