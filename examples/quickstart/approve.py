# ruff: noqa: INP001  # scripts to be read and run, no package
"""Plays the person in the browser: opens the URL that `provisioner authorize` printed, presses the button, gives
the code.

    python approve.py URL            prints the code, or hands it to the loopback listener by following the redirect

For the sandbox and for tests: a real vendor wants a real person. Standard library only.
"""

from __future__ import annotations

import sys
import urllib.error
import urllib.request
from html.parser import HTMLParser
from urllib.parse import urlencode, urljoin, urlsplit


class Page(HTMLParser):
    """The form whose button has the wanted id, its hidden fields, and the code where the page shows one."""

    def __init__(self, button: str) -> None:
        super().__init__()
        self.wanted, self.action, self.method = button, "", "post"
        self.fields: dict[str, str] = {}
        self.found = False
        self.code = ""
        self._form: tuple[str, str, dict[str, str]] = ("", "post", {})
        self._in_code = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._form = (given.get("action", ""), given.get("method", "get"), {})
        elif tag == "input" and given.get("type") != "submit" and given.get("name"):
            self._form[2][given["name"]] = given.get("value", "")
        if given.get("id") == self.wanted:
            self.found = True
            self.action, self.method, self.fields = self._form
            if given.get("name"):
                self.fields[given["name"]] = given.get("value", "")
        self._in_code = self._in_code or given.get("id") in {"code", "authorization_code"}

    def handle_data(self, data: str) -> None:
        if self._in_code and data.strip() and not self.code:
            self.code = data.strip()

    def handle_endtag(self, tag: str) -> None:
        self._in_code = False


def press(url: str, button: str = "approve") -> str:
    """Press one button of the consent page. Returns the code that the page then shows, or "" where it was
    redirected."""
    page = Page(button)
    page.feed(_open(url))
    if not page.found:
        raise SystemExit(f"There is no button {button!r} on the page.")
    target = urljoin(url, page.action or url)
    data = urlencode(page.fields)
    if page.method.lower() == "get":
        joint = "&" if urlsplit(target).query else "?"
        text = _open(f"{target}{joint}{data}")
    else:
        text = _open(target, data.encode())
    shown = Page(button)
    shown.feed(text)
    return shown.code


def _open(url: str, data: bytes | None = None) -> str:
    if urlsplit(url).hostname not in {"127.0.0.1", "localhost"}:
        raise SystemExit("This script presses buttons of the sandbox only.")
    try:
        with urllib.request.urlopen(url, data, timeout=30) as answer:  # noqa: S310  # loopback only, checked above
            return str(answer.read().decode())
    except urllib.error.HTTPError as refused:
        return str(refused.read().decode())


def main() -> int:
    button = "deny" if "--deny" in sys.argv else "approve"
    urls = [word for word in sys.argv[1:] if not word.startswith("--")]
    code = press(urls[0], button)
    if code:
        print(code)  # noqa: T201  # what this script is for
    return 0


if __name__ == "__main__":
    sys.exit(main())
