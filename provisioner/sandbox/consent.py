"""The authorization page that TextMaster, TEXTKING and the OAuth server share (RFC 6749 section 4.1).

A vendor checks the request and says what it is; this shows the page, keeps the request under a ticket, and answers the
form. The ticket is the CSRF guard: random, stored as a digest, good for one decision, and only readable by whoever was
shown the page; another site can neither read it (same-origin policy) nor frame the page.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urlencode, urlsplit, urlunsplit

from provisioner.sandbox import pages
from provisioner.sandbox.accounts import OUT_OF_BAND
from provisioner.sandbox.desk import Desk
from provisioner.sandbox.wire import Malformed, Refusal, Request, Response

CODE_LIFE = 600  # seconds: TextMaster's page, and RFC 6749 section 4.1.2's advice


def ask(
    desk: Desk, request: Request, *, title: str, client_name: str, scopes: Sequence[str], asked: dict[str, Any]
) -> Response:
    """The page. `asked` is what the decision needs again: client_id, redirect_uri, scope, state, ..."""
    ticket = secrets.token_urlsafe(24)
    desk.put_grant("ticket", ticket, asked, CODE_LIFE)
    action = request.prefix + request.path
    return pages.consent(vendor=title, client=client_name, scopes=scopes, action=action, hidden={"ticket": ticket})


def decide(
    desk: Desk, request: Request, *, title: str, new_code: Callable[[], str], extra: dict[str, str] | None = None
) -> Response:
    """The form's answer: a redirect with code or error, or the code on a page. `extra` joins every redirect (`iss`)."""
    approved, asked = decision(desk, request)
    desk.note(client=asked["client_id"], decision="approve" if approved else "deny")
    if not approved:
        if asked["redirect_uri"] == OUT_OF_BAND:
            raise Refusal("denied", pages.message("Denied", "The application was not authorized."))
        raise Refusal("denied", back(asked, {"error": "access_denied", **(extra or {})}))
    code = new_code()
    desk.put_grant("code", code, asked, CODE_LIFE)
    if asked["redirect_uri"] == OUT_OF_BAND:
        return pages.code(title, code)
    return back(asked, {"code": code, **(extra or {})})


def decision(desk: Desk, request: Request) -> tuple[bool, dict[str, Any]]:
    """(approved, what was asked). Raises Refusal with a page where the form is not one of ours."""
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        raise _stale()
    try:
        form = request.form()
    except Malformed:
        raise _stale() from None
    found = desk.grant("ticket", form.get("ticket", ""))
    if found is None or found[1] or found[2] or form.get("decision") not in ("approve", "deny"):
        raise _stale()
    desk.use_grant(form["ticket"])
    return form["decision"] == "approve", found[0]


def back(asked: dict[str, Any], answer: dict[str, str]) -> Response:
    """303 to the client's redirect URI, its own query kept, with `state` echoed unchanged."""
    if asked.get("state") is not None:
        answer["state"] = asked["state"]
    parts = urlsplit(asked["redirect_uri"])
    query = "&".join(filter(None, (parts.query, urlencode(answer))))
    location = urlunsplit(parts._replace(query=query))
    return Response(303, [("Location", location), ("Cache-Control", "no-store"), ("Referrer-Policy", "no-referrer")])


def _stale() -> Refusal:
    text = "This form is not current any more. Start again from the application."
    return Refusal("bad-ticket", pages.message("Start again", text, 400))
