"""The few pages a person sees: server-rendered, no script, nothing loaded, light and dark, wide and narrow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from provisioner.sandbox.wire import Response

# no form-action: browsers apply it to the redirect after the form too, and that goes to the client's own address
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'"
_HEADERS = [
    ("Content-Type", "text/html; charset=utf-8"),
    ("Cache-Control", "no-store"),
    ("Content-Security-Policy", _POLICY),
    ("X-Frame-Options", "DENY"),
    ("Referrer-Policy", "no-referrer"),
    ("X-Content-Type-Options", "nosniff"),
]
_STYLE = """
:root { color-scheme: light dark; --ink: #1c2024; --paper: #fff; --edge: #6b7280; --act: #0b5cad; --on-act: #fff; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e8eaed; --paper: #16181b; --edge: #9aa0a6; --act: #8ab4f8; --on-act: #10233f; }
}
* { box-sizing: border-box; }
body { margin: 0; font: 1rem/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); }
main { max-width: 34rem; margin: 0 auto; padding: 2rem 1rem; overflow-wrap: anywhere; }
h1 { font-size: 1.4rem; line-height: 1.25; margin: 0 0 1rem; }
.note { color: var(--edge); font-size: .9rem; }
code { font: 1rem/1.5 ui-monospace, monospace; }
#code { display: block; padding: .75rem; border: 1px solid var(--edge); border-radius: .4rem; user-select: all; }
.row { display: flex; flex-wrap: wrap; gap: .75rem; margin-top: 1.5rem; }
button, input { font: inherit; padding: .6rem 1.4rem; border-radius: .4rem; border: 1px solid var(--edge); }
button { cursor: pointer; background: transparent; color: var(--ink); min-height: 2.75rem; }
button#approve, button#continue { background: var(--act); border-color: var(--act); color: var(--on-act); }
input { width: 100%; background: transparent; color: var(--ink); }
:focus-visible { outline: 3px solid var(--act); outline-offset: 2px; }
"""


def page(title: str, content: str, status: int = 200) -> Response:
    """`content` is HTML; whatever in it came from outside was escaped by the functions below."""
    body = (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<main>\n"
        f"<h1>{escape(title)}</h1>\n{content}\n"
        f'<p class="note">Sandbox: no real account is behind this page.</p>\n</main>\n</body>\n</html>\n'
    )
    return Response(status, list(_HEADERS), body.encode())


def consent(
    *, vendor: str, client: str, scopes: Sequence[str], action: str, hidden: Mapping[str, str], user_code: str = ""
) -> Response:
    """One form, two named buttons: `approve` and `deny`. `user_code`: what the person's own device shows, to be
    compared (RFC 8628 section 5.4: else somebody else's device could be connected)."""
    wants = "".join(f"<li><code>{escape(scope)}</code></li>" for scope in scopes)
    asked = f"<p>It asks for:</p>\n<ul>{wants}</ul>" if scopes else "<p>It asks for access to the whole account.</p>"
    device = (
        f"<p>Your device must show <code>{escape(user_code)}</code>. If it does not, deny.</p>\n" if user_code else ""
    )
    content = (
        f"<p><strong>{escape(client)}</strong> wants to use your {escape(vendor)} account.</p>\n{asked}\n{device}"
        f'<form method="post" action="{escape(action)}">\n{_fields(hidden)}\n'
        f'<div class="row">\n<button id="approve" type="submit" name="decision" value="approve">Approve</button>\n'
        f'<button id="deny" type="submit" name="decision" value="deny">Deny</button>\n</div>\n</form>'
    )
    return page(f"Authorize an application at {vendor}", content)


def code(vendor: str, value: str) -> Response:
    """Out of band: the person carries the code over by hand. It stands in the page and not in title or URL."""
    content = (
        "<p>Copy this code into the application that asked for it. It works once, for ten minutes.</p>\n"
        f'<code id="code">{escape(value)}</code>'
    )
    return page(f"Authorized at {vendor}", content)


def message(title: str, text: str, status: int = 200) -> Response:
    return page(title, f"<p>{escape(text)}</p>", status)


def device(action: str, hidden: Mapping[str, str], user_code: str = "", problem: str = "") -> Response:
    """RFC 8628 section 3.3: the person types the code that the device shows."""
    trouble = f'<p role="alert"><strong>{escape(problem)}</strong></p>\n' if problem else ""
    content = (
        f'{trouble}<form method="post" action="{escape(action)}">\n{_fields(hidden)}\n'
        f'<p><label for="user_code">Code shown on your device</label></p>\n'
        f'<input id="user_code" name="user_code" value="{escape(user_code)}" autocomplete="off" '
        f'autocapitalize="characters" spellcheck="false" required autofocus>\n'
        f'<div class="row"><button id="continue" type="submit">Continue</button></div>\n</form>'
    )
    return page("Connect a device", content)


def _fields(hidden: Mapping[str, str]) -> str:
    return "\n".join(
        f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">' for name, value in hidden.items()
    )
