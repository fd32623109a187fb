"""The one page that a person sees of us: how an authorization ended, in the browser that brought the answer.

Nothing is loaded, nothing secret is in it. Its one line of script takes the code out of the address bar and the
history (RFC 9700 section 4.3.1); the policy lets no other run.
"""

from __future__ import annotations

import base64
import hashlib
from html import escape

_SCRIPT = 'history.replaceState(null,"",location.pathname)'
_STYLE = """
:root{color-scheme:light dark;--ink:#1b1f24;--dim:#57606a;--paper:#fff;--good:#1a7f37;--bad:#b42318}
@media (prefers-color-scheme:dark){:root{--ink:#e6e8ea;--dim:#a3abb4;--paper:#14171b;--good:#5fd07e;--bad:#ff8a7a}}
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%}
body{margin:0;background:var(--paper);color:var(--ink);font:1rem/1.5 system-ui,-apple-system,"Segoe UI",sans-serif}
main{max-width:34rem;margin:0 auto;padding:min(12vh,6rem) 1.25rem 2rem;overflow-wrap:anywhere}
h1{font-size:1.5rem;line-height:1.25;margin:0 0 .75rem;padding-left:.75rem;border-left:.3rem solid var(--good)}
.bad h1{border-color:var(--bad)}
p{margin:0 0 .75rem}
.dim{color:var(--dim);font-size:.9rem}
"""


def policy() -> str:
    """The Content-Security-Policy of the page: its own style, its own script, an empty icon."""
    digest = base64.b64encode(hashlib.sha256(_SCRIPT.encode()).digest()).decode()
    return (
        f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'; img-src data:; "
        "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
    )


def browser_page(title: str, text: str, *, good: bool) -> str:
    """`title` says how it ended in a word or two, `text` what that means; neither holds a secret."""
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n<link rel="icon" href="data:,">\n'
        f"<title>{escape(title)} - provisioner</title>\n<style>{_STYLE}</style>\n<script>{_SCRIPT}</script>\n"
        f'</head>\n<body class="{"good" if good else "bad"}">\n<main>\n<h1>{escape(title)}</h1>\n'
        f"<p>{escape(text)}</p>\n"
        '<p class="dim">You can close this page. The terminal has the details.</p>\n</main>\n</body>\n</html>\n'
    )
