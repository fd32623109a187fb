"""A person at a browser without scripts, for servers whose pages were written by others."""

from __future__ import annotations

import re
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from http.cookiejar import CookieJar
from typing import ClassVar
from urllib.parse import urlencode, urljoin


@dataclass
class Page:
    url: str
    status: int
    text: str
    headers: Mapping[str, str] = field(default_factory=dict)


class Person:
    """Somebody at a browser without scripts: follows redirects, keeps cookies, fills in forms, presses a button."""

    def __init__(self) -> None:
        cookies = urllib.request.HTTPCookieProcessor(CookieJar())
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), cookies)

    def open(self, url: str, form: Mapping[str, str] | None = None) -> Page:
        data = urlencode(form).encode() if form is not None else None
        try:
            with self._opener.open(urllib.request.Request(url, data), timeout=20) as answer:
                return Page(answer.url, answer.status, answer.read().decode(), dict(answer.headers))
        except urllib.error.HTTPError as refused:
            with refused:
                return Page(refused.url or url, refused.code, refused.read().decode(), dict(refused.headers))

    def decide(self, url: str, *, approve: bool = True, user_code: str = "") -> Page:
        """From the page that was opened to the last one: whatever asks is answered, whatever is asked for approved."""
        page = self.open(url)
        for _ in range(8):
            form = _Form.of(page.text)
            if form is None or "127.0.0.1" not in page.url:
                return page
            page = self.open(*form.answered(page.url, approve=approve, user_code=user_code))
        raise AssertionError(f"a form without end at {page.url}")


class _Form(HTMLParser):
    """The first form of a page: where it goes, what stands in it, its buttons, and a link that leads away."""

    FILLED: ClassVar = {"login": "person", "username": "person", "password": "any"}
    NO = re.compile(r"deny|cancel|abort", re.IGNORECASE)

    def __init__(self) -> None:
        super().__init__()
        self.found = False
        self.action = ""
        self.fields: dict[str, str] = {}
        self.buttons: list[dict[str, str]] = []
        self.away: str | None = None

    @classmethod
    def of(cls, text: str) -> _Form | None:
        form = cls()
        form.feed(text)
        return form if form.found else None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form" and not self.found:
            self.found, self.action = True, given.get("action", "")
        elif tag == "a" and self.NO.search(given.get("href", "")):
            self.away = given["href"]
        elif tag == "button" or (tag == "input" and given.get("type") == "submit"):
            self.buttons.append(given)
        elif tag == "input" and "name" in given:
            self.fields[given["name"]] = given.get("value", "")

    def answered(self, page: str, *, approve: bool, user_code: str) -> tuple[str, dict[str, str] | None]:
        filled = {**self.fields, **{name: value for name, value in self.FILLED.items() if name in self.fields}}
        if "user_code" in filled and user_code:
            filled["user_code"] = user_code
        told = {i: " ".join(b.get(k, "") for k in ("id", "name", "value")) for i, b in enumerate(self.buttons)}
        away = [self.buttons[i] for i, text in told.items() if self.NO.search(text)]
        if not approve and not away and self.away is not None and "login" not in self.fields:
            return urljoin(page, self.away), None
        onward = [button for button in self.buttons if button not in away]
        pressed = next(iter(away if away and not approve else onward), None)
        if pressed is not None and pressed.get("name"):
            filled[pressed["name"]] = pressed.get("value", "")
        return urljoin(page, self.action), filled
