"""RFC 6749 section 5.2's error answer."""

from __future__ import annotations

from provisioner.sandbox.wire import Refusal, json_response


def error(status: int, kind: str, description: str) -> Refusal:
    """401 carries the challenge that section 5.2 asks for where the header was used; it does no harm elsewhere."""
    headers = [("WWW-Authenticate", 'Basic realm="sandbox"')] if status == 401 else []
    return Refusal(kind, json_response(status, {"error": kind, "error_description": description}, headers))
