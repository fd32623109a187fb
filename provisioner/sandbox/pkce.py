"""Proof key for code exchange (RFC 7636), the server's side."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from typing import Any

from provisioner.sandbox.desk import same

CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")
VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}")


def proves(asked: Mapping[str, Any], verifier: str | None) -> bool:
    """Whether the verifier fits the challenge of the authorization request; without a challenge none may come
    (section 4.6, and RFC 9700 section 4.8.2 against downgrades)."""
    challenge = asked.get("code_challenge")
    if challenge is None:
        return verifier is None
    if verifier is None or not VERIFIER.fullmatch(verifier):
        return False
    digest = hashlib.sha256(verifier.encode()).digest()
    return same(base64.urlsafe_b64encode(digest).rstrip(b"=").decode(), str(challenge))
