"""What the browser tests share: a stack whose `authorize` runs beside the browser, and what every page is held to."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

from provisioner.sandbox.accounts import ACCOUNTS
from provisioner.sandbox.serve import listen

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

ROOT = Path(__file__).resolve().parent.parent.parent
SHOTS = os.environ.get("SCREENSHOTS")  # a folder: pictures are then kept, to be looked at

APPLICATIONS = """
[providers.tm]
type = "textmaster"
base_url = "BASE/textmaster"

[providers.tk]
type = "textking"
base_url = "BASE/textking"

[providers.idp]
type = "oauth2"
issuer = "BASE/oauth2"

[applications.translations]
provider = "tm"
client_id = { env = "TM_CLIENT_ID" }
client_secret = { env = "TM_CLIENT_SECRET" }
redirect_uri = "urn:ietf:wg:oauth:2.0:oob"
scopes = ["user:read", "project:read"]

[applications.loopback]
provider = "tm"
client_id = { env = "TM_CLIENT_ID" }
client_secret = { env = "TM_CLIENT_SECRET" }
redirect_uri = "http://127.0.0.1/callback"
scopes = ["user:read", "project:read"]

[applications.copywriting]
provider = "tk"
client_id = { env = "TK_CLIENT_ID" }
client_secret = { env = "TK_CLIENT_SECRET" }
redirect_uri = "http://127.0.0.1/callback"

[applications.desk]
provider = "idp"
client_id = "sandbox-public"
redirect_uri = "http://127.0.0.1/callback"
scopes = ["credits:read", "messages:read"]

[applications.shelf]
provider = "idp"
client_id = "sandbox-public"
grant = "device_code"
scopes = ["jobs:run"]
"""


@dataclass(frozen=True)
class Look:
    scheme: Literal["light", "dark"]
    width: int
    height: int

    @property
    def name(self) -> str:
        return f"{self.scheme}-{self.width}"


LOOKS = (Look("light", 390, 780), Look("dark", 390, 780), Look("dark", 1100, 800), Look("light", 1100, 800))


class Running:
    """`provisioner authorize`, waiting for its person."""

    def __init__(self, world: World, *words: str) -> None:
        environ = {**os.environ, "PYTHONPATH": str(ROOT), **world.environ}
        command = [sys.executable, "-m", "provisioner", "authorize", *words, "--no-browser", "--timeout", "40s"]
        self.child = subprocess.Popen(
            command, cwd=world.folder, env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert self.child.stdout is not None
        self.url = self.child.stdout.readline().strip()

    def user_code(self) -> str:
        assert self.child.stderr is not None
        for line in self.child.stderr:
            if found := re.search(r"code to type there: (\S+)", line):
                return found[1]
        raise AssertionError("no code")

    def ended(self, pasted: str | None = None) -> int:
        _, self.err = self.child.communicate(None if pasted is None else pasted + "\n", timeout=40)
        return self.child.returncode


class World:
    def __init__(self, folder: Path, browser: Browser) -> None:
        self.folder = folder / "stack"
        self.folder.mkdir()
        self.base, self._stop = listen(folder / "sandbox")
        self.browser = browser
        self.environ = {
            "TM_CLIENT_ID": ACCOUNTS["textmaster"]["client_id"],
            "TM_CLIENT_SECRET": ACCOUNTS["textmaster"]["client_secret"],
            "TK_CLIENT_ID": ACCOUNTS["textking"]["client_id"],
            "TK_CLIENT_SECRET": ACCOUNTS["textking"]["client_secret"],
        }
        (self.folder / "provisioner.toml").write_text(APPLICATIONS.replace("BASE", self.base))
        self._contexts: list[Any] = []
        self._running: list[Running] = []

    def authorize(self, *words: str) -> Running:
        made = Running(self, *words)
        self._running.append(made)
        return made

    def open(self) -> Watched:
        context = self.browser.new_context(locale="en-GB")
        self._contexts.append(context)
        return Watched(context.new_page())

    def close(self) -> None:
        for context in self._contexts:
            context.close()
        for one in self._running:
            if one.child.poll() is None:
                one.child.kill()
            for stream in (one.child.stdin, one.child.stdout, one.child.stderr):
                if stream is not None:
                    stream.close()
            one.child.wait(10)
        self._stop()


class Watched:
    """A page whose requests, console and faults are kept."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.requests: list[str] = []
        self.said: list[str] = []
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("console", lambda message: self.said.append(message.text))
        page.on("pageerror", lambda error: self.said.append(str(error)))

    def judge(self, name: str) -> None:
        """What holds for every page, light and dark, wide and narrow: readable, whole, and at home."""
        page = self.page
        assert page.evaluate("document.documentElement.lang") == "en"
        assert page.locator("h1").count() == 1
        assert page.title()
        assert self.said == []
        for look in LOOKS:
            page.emulate_media(color_scheme=look.scheme)
            page.set_viewport_size({"width": look.width, "height": look.height})
            if SHOTS:
                Path(SHOTS).mkdir(parents=True, exist_ok=True)
                page.screenshot(path=str(Path(SHOTS) / f"{name}-{look.name}.png"), full_page=True)
            assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), f"{look.name}: too wide"
            for box in [handle.bounding_box() for handle in page.locator("button").all()]:
                assert box is not None
                assert box["height"] >= 44, f"{look.name}: too small to touch"
            assert self.contrast() >= 4.5, look.name

    def contrast(self) -> float:
        """The lowest contrast of any text to what is behind it (WCAG 2 section 1.4.3)."""
        found: float = self.page.evaluate(_CONTRAST)
        return found

    def strangers(self) -> list[str]:
        """Requests that left this machine."""
        hosts = [urlsplit(url) for url in self.requests]
        return [url.geturl() for url in hosts if url.scheme != "data" and url.hostname != "127.0.0.1"]


_CONTRAST = """() => {
  const parse = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => {
    const [x, y, z] = [r, g, b].map((v) => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const behind = (node) => {
    for (let at = node; at; at = at.parentElement) {
      const colour = parse(getComputedStyle(at).backgroundColor);
      if (colour.length === 3 || colour[3] > 0) return colour;
    }
    return [255, 255, 255];
  };
  let lowest = 21;
  for (const node of document.querySelectorAll('body *')) {
    const own = [...node.childNodes].some((child) => child.nodeType === 3 && child.textContent.trim());
    if (!own || !node.getClientRects().length) continue;
    const [a, b] = [light(parse(getComputedStyle(node).color)), light(behind(node))].sort((x, y) => y - x);
    lowest = Math.min(lowest, (a + 0.05) / (b + 0.05));
  }
  return lowest;
}"""
