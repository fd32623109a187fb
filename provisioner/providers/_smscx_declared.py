"""What a declaration for SMS.CX may say, and what is likely a slip of the pen."""

from __future__ import annotations

import difflib
import re

from provisioner.errors import Diagnostic
from provisioner.model.desired import Application

# What the vendor's pages and clients name. Only for suggestions: the panel's own list decides.
KNOWN_SCOPES = frozenset(
    {"sms", "viber", "whatsapp", "multichannel", "conversations", "reports", "groups", "originators", "templates"}
    | {"shortlinks", "attachments", "optouts", "account", "applications", "numbers", "lookup", "otp", "firewall"}
)
IN_THE_PANEL = {"1d": "1 day", "1w": "1 week", "never": "never"}
_SCOPE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,63}")


def check_application(application: Application) -> list[Diagnostic]:
    """Every problem at once; `key_path` is relative to the application's table."""
    address = str(application.address)
    found = [problem for number, scope in enumerate(application.scopes) if (problem := _scope(scope, number, address))]
    if not application.scopes:
        found.append(
            Diagnostic(
                name="unsupported",
                summary="SMS.CX reads a token request without scopes as a request for all of them",
                detail='Declare the scopes that are needed, as in scopes = ["sms"].',
                address=address,
                key_path="scopes",
            )
        )
    if application.token_lifetime is not None and application.token_lifetime not in IN_THE_PANEL:
        found.append(
            Diagnostic(
                name="bad-value",
                summary=f"token_lifetime = {application.token_lifetime!r} is not offered by SMS.CX",
                detail='Its panel offers "1d", "1w" and "never".',
                address=address,
                key_path="token_lifetime",
            )
        )
    return found


def _scope(scope: str, number: int, address: str) -> Diagnostic | None:
    if not _SCOPE.fullmatch(scope):
        return Diagnostic(
            name="bad-value",
            summary=f"{scope!r} is not a scope of SMS.CX",
            detail="A scope is one word, as in sms; several are a list.",
            address=address,
            key_path=f"scopes[{number}]",
        )
    near = [] if scope in KNOWN_SCOPES else difflib.get_close_matches(scope.casefold(), sorted(KNOWN_SCOPES), n=1)
    if not near:
        return None  # a scope that is newer than our list is as good as any
    return Diagnostic(
        name="unknown-scope",
        severity="warning",
        summary=f"SMS.CX publishes no scope {scope!r}",
        detail=f"Did you mean {near[0]!r}? Its panel shows which there are.",
        address=address,
        key_path=f"scopes[{number}]",
    )
