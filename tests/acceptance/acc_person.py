"""A person: opens the URL that `authorize` prints, consents, and brings the code back."""

from __future__ import annotations

import contextlib
import urllib.error
import urllib.parse
import urllib.request
from typing import TYPE_CHECKING

from acc_code_flow import OUT_OF_BAND, CodeFlow

if TYPE_CHECKING:
    from acc_stack import Run, Stack


def authorize(
    stack: Stack, vendor: CodeFlow, application: str, *words: str, answer: str = "consent", url_alone: bool = True
) -> Run:
    """`authorize APPLICATION --no-browser`, with a person at its side. `answer`: consent, deny, silence, or wrong-state
    (somebody else's answer first)."""
    child = stack.start("authorize", application, "--no-browser", "--timeout", "15s", *words)
    assert child.stdout is not None
    url = child.stdout.readline().strip()
    assert url.startswith("http") or not url_alone, url
    if not url.startswith("http"):
        return stack.finish(child)
    asked = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(url).query))
    pasted = ""
    if asked["redirect_uri"] == OUT_OF_BAND:
        if answer == "consent":
            pasted = vendor.consent(url)[0] + "\n"
        ran = stack.finish(child, pasted)
    else:
        if answer == "wrong-state":
            _visit(asked["redirect_uri"], {"code": "stolen", "state": "other"})
        if answer in ("consent", "wrong-state"):
            code, state = vendor.consent(url)
            _visit(asked["redirect_uri"], {"code": code, **({"state": state} if state is not None else {})})
        elif answer == "deny":
            _visit(asked["redirect_uri"], {"error": "access_denied", "state": asked.get("state", "")})
        ran = stack.finish(child)
    stack.said.append(url)
    return ran


def _visit(uri: str, query: dict[str, str]) -> None:
    with contextlib.suppress(urllib.error.HTTPError):
        urllib.request.urlopen(f"{uri}?{urllib.parse.urlencode(query)}", timeout=10).close()
