"""Every page that a person sees, in a real browser: they work, fit a phone, follow light and dark, load and leak
nothing."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit
from urllib.request import Request, urlopen

import pytest

if TYPE_CHECKING:
    from browser_rig import Watched, World

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def at_listener(seen: Watched) -> None:
    """The listener's page: nothing of the answer is in the address bar, the title, the page, or one step back."""
    page = seen.page
    page.wait_for_load_state()
    address = urlsplit(page.url)
    assert (address.hostname, address.query) == ("127.0.0.1", "")
    shown = page.content() + page.title() + page.url
    asked = next(url for url in reversed(seen.requests) if "state=" in url)
    given = parse_qs(urlsplit(asked).query)
    for secret in (*given.get("code", ()), *given["state"]):
        assert secret not in shown


def test_textmaster_by_pasting(world: World) -> None:
    """The consent names the application and each scope; the code stands in the page, and in no title or address."""
    running, seen = world.authorize("translations"), world.open()
    seen.page.goto(running.url)
    seen.judge("textmaster-consent")
    assert seen.page.locator("li").all_inner_texts() == ["project:read", "user:read"]
    seen.page.click("#approve")
    seen.judge("textmaster-code")
    code = seen.page.inner_text("#code")
    assert code not in seen.page.title() + seen.page.url
    assert running.ended(code) == 0, running.err
    assert seen.strangers() == []


@pytest.mark.parametrize("application", ["loopback", "copywriting", "desk"])
def test_consent_by_loopback(world: World, application: str) -> None:
    """TextMaster, TEXTKING, the OAuth server: from the consent page to `Authorized`, in one click."""
    running, seen = world.authorize(application), world.open()
    seen.page.goto(running.url)
    seen.judge(f"{application}-consent")
    seen.page.click("#approve")
    seen.page.wait_for_selector("h1:has-text('Authorized')")
    seen.judge(f"{application}-authorized")
    at_listener(seen)
    assert f"{application} is authorized and recorded." in seen.page.inner_text("main")
    assert running.ended() == 0, running.err
    assert seen.strangers() == []


def test_a_denial(world: World) -> None:
    """The listener's page says so, and the command ends with 8."""
    running, seen = world.authorize("desk"), world.open()
    seen.page.goto(running.url)
    seen.page.click("#deny")
    seen.page.wait_for_selector("h1:has-text('Denied')")
    seen.judge("desk-denied")
    at_listener(seen)
    assert running.ended() == 8
    assert seen.strangers() == []


def test_a_denial_where_the_code_would_be_pasted(world: World) -> None:
    """No code is shown; an empty line ends the command with 8."""
    running, seen = world.authorize("translations"), world.open()
    seen.page.goto(running.url)
    seen.page.click("#deny")
    seen.judge("textmaster-denied")
    assert seen.page.locator("#code").count() == 0
    assert running.ended("") == 8


def test_somebody_elses_answer(world: World) -> None:
    """A page of 400 that says that nothing was taken; the true answer still counts."""
    running, seen = world.authorize("desk"), world.open()
    redirect_uri = parse_qs(urlsplit(running.url).query)["redirect_uri"][0]
    answer = seen.page.goto(f"{redirect_uri}?code=injected&state=stolen")
    assert answer is not None
    assert answer.status == 400
    seen.said.clear()  # the browser itself notes the 400
    seen.judge("listener-forged")
    assert "injected" not in seen.page.content() + seen.page.url
    seen.page.goto(running.url)
    seen.page.click("#approve")
    seen.page.wait_for_selector("h1:has-text('Authorized')")
    assert running.ended() == 0, running.err


def test_a_failure_after_the_consent(world: World) -> None:
    """The server refuses the code: the page does not say Authorized."""
    fault = b'{"vendor": "oauth2", "operation": "token.create", "kind": "status", "status": 400}'
    headers = {"Content-Type": "application/json"}
    with urlopen(Request(f"{world.base}/_sandbox/faults", fault, headers), timeout=10):
        pass
    running, seen = world.authorize("desk"), world.open()
    seen.page.goto(running.url)
    seen.page.click("#approve")
    seen.page.wait_for_selector("h1:has-text('Not authorized')")
    seen.judge("listener-failed")
    at_listener(seen)
    assert running.ended() == 1


def test_a_device_is_connected(world: World) -> None:
    """A wrong code is said and can be corrected; the right one leads to the consent, and that to the end."""
    running, seen = world.authorize("shelf", "--device"), world.open()
    code, page = running.user_code(), seen.page
    page.goto(running.url.split("?")[0])
    assert page.evaluate("document.activeElement.id") == "user_code"
    page.fill("#user_code", "WRON-GONE")
    page.click("#continue")
    assert page.get_by_role("alert").inner_text()
    seen.judge("device-wrong")
    assert page.input_value("#user_code") == "WRON-GONE"
    page.fill("#user_code", code.lower().replace("-", " "))
    seen.judge("device-code")
    page.keyboard.press("Enter")
    page.wait_for_selector("#approve")
    assert f"Your device must show {code}." in page.inner_text("main")
    seen.judge("device-consent")
    page.click("#approve")
    page.wait_for_selector("h1:has-text('Connected')")
    seen.judge("device-connected")
    assert running.ended() == 0, running.err
    assert seen.strangers() == []


def test_a_request_that_cannot_be_authorized(world: World) -> None:
    """An unknown client ends on a page, and is redirected nowhere (RFC 9700 section 4.11)."""
    running, seen = world.authorize("desk"), world.open()
    seen.page.goto(re.sub(r"client_id=[^&]+", "client_id=nobody", running.url))
    seen.said.clear()
    seen.judge("unknown-client")
    assert urlsplit(seen.page.url).netloc == urlsplit(world.base).netloc


def test_the_consent_can_be_given_by_keyboard(world: World) -> None:
    """Tab reaches both buttons, in the order in which they stand, with a ring that can be seen; Enter presses."""
    running, seen = world.authorize("desk"), world.open()
    page = seen.page
    page.goto(running.url)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "approve"
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "deny"
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Enter")
    page.wait_for_selector("h1:has-text('Authorized')")
    assert running.ended() == 0, running.err
