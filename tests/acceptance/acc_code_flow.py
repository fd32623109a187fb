"""What TextMaster and TEXTKING share: a person's consent becomes a code, a code a token pair, a pair the next one."""

from __future__ import annotations

import secrets
import time
import urllib.parse
from dataclasses import dataclass, field

from acc_server import Desk

OUT_OF_BAND = "urn:ietf:wg:oauth:2.0:oob"


@dataclass
class Grant:
    access: str
    refresh: str | None
    scopes: list[str]
    ends: float | None
    dead: bool = False
    refresh_dead: bool = False
    previous: Grant | None = None

    def lives(self) -> bool:
        return not self.dead and (self.ends is None or time.time() < self.ends)


@dataclass
class Code:
    redirect_uri: str
    scopes: list[str]
    made: float = field(default_factory=time.time)


class CodeFlow(Desk):
    """One registered app and a person who is signed in."""

    token_path = "/oauth/token"
    takes_scope = True

    def __init__(self) -> None:
        super().__init__()
        self.client_id = "bd5f986c3e0ca8e3c8f5e9be837631ec1f5003"
        self.client_secret = "7F+/=&" + self.secret(12)  # refused where it is not properly encoded
        self.redirect_uri = OUT_OF_BAND
        self.life = 28800
        self.on_use = False  # an old pair lives until the new access token is first used
        self.old_pair_lives = False  # a refresh ends nothing
        self.shrinks: set[str] = set()  # scopes that the person leaves out
        self.grants: list[Grant] = []
        self._codes: dict[str, Code] = {}

    @property
    def live(self) -> list[Grant]:
        return [grant for grant in self.grants if grant.lives()]

    def consent(self, url: str) -> tuple[str, str | None]:
        """What the person does with the printed URL: a code, and the state that was sent along."""
        parts = urllib.parse.urlsplit(url)
        asked = dict(urllib.parse.parse_qsl(parts.query, strict_parsing=True))
        assert url.startswith(f"{self.base}/oauth/authorize?"), url
        assert asked["response_type"] == "code"
        assert asked["client_id"] == self.client_id
        assert self._registered(asked["redirect_uri"]), asked["redirect_uri"]
        assert ("scope" in asked) == self.takes_scope
        assert parts.query.split("&")[-1].partition("=")[0] != "scope", "scope must not come last"
        assert self.client_secret not in url
        scopes = [scope for scope in asked.get("scope", "").split() if scope not in self.shrinks]
        code = "CC0M!" + secrets.token_hex(16)
        self.secrets.add(code)
        self._codes[code] = Code(asked["redirect_uri"], scopes)
        return code, asked.get("state")

    def _registered(self, uri: str) -> bool:
        if uri == self.redirect_uri:
            return True
        mine, theirs = urllib.parse.urlsplit(self.redirect_uri), urllib.parse.urlsplit(uri)
        return (mine.hostname, mine.path) == ("127.0.0.1", theirs.path) and theirs.hostname == mine.hostname

    def redeem(self, form: dict[str, str]) -> Code | None:
        """The code that a form names, used up; None where it is not good for this form."""
        code = self._codes.pop(form.get("code", ""), None)
        if code is None or time.time() > code.made + 600 or form.get("redirect_uri") != code.redirect_uri:
            return None
        return code

    def mint(self, scopes: list[str], *, refresh: bool = True, life: int | None = None) -> Grant:
        ends = None if life is None else time.time() + life
        made = Grant(self.secret(18), self.secret(18) if refresh else None, scopes, ends)
        self.grants.append(made)
        return made

    def renew(self, given: str | None) -> Grant | None:
        """The pair that a refresh token is good for; its end is as the attributes say."""
        old = next((g for g in self.grants if g.refresh == given and not g.refresh_dead), None)
        if old is None:
            return None
        made = self.mint(old.scopes, life=self.life)
        if self.on_use:
            made.previous = old
        elif not self.old_pair_lives:
            old.dead = old.refresh_dead = True
        return made

    def user(self, bearer: str | None) -> Grant | None:
        """Whoever holds an access token that lives; its first use ends what came before it."""
        found = next((g for g in self.live if g.access == bearer), None)
        if found is not None and found.previous is not None:
            found.previous.dead = found.previous.refresh_dead = True
            found.previous = None
        return found
