"""How a person is asked: in a browser that answers to loopback, by a line that they paste, or on another device.

Nothing here records anything. The code flow ends with an `Exchange` that sends one request; the device flow's sends
polls until somebody decided, because the answer to any poll may be the tokens.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit, urlunsplit

from provisioner import providers as registry
from provisioner.engine.authorization import Exchange
from provisioner.engine.interrupts import StopFlag
from provisioner.engine.tokens import wish_for
from provisioner.errors import (
    InDoubt,
    Interrupted,
    Invalid,
    NeedsPerson,
    ProviderFailed,
    ProvisionerError,
    RateLimited,
    StepRefused,
    Unreachable,
)
from provisioner.model.desired import Application
from provisioner.providers.base import (
    ClientCredentials,
    DeviceAuthorization,
    DevicePending,
    Grant,
    Provider,
    TokenWish,
)

if TYPE_CHECKING:
    from provisioner.commands.redirect import Listener

OUT_OF_BAND = "urn:ietf:wg:oauth:2.0:oob"
_LONGEST_PAUSE = timedelta(minutes=1)  # between two polls that nobody answered


class Person(Protocol):
    """How the command line reaches the person."""

    def open(self, url: str, user_code: str | None, until: float) -> None:
        """Show the URL, and the code to type there in the device flow. `until`: seconds that are left."""

    def answer(self, seconds: float, *, whole_url: bool) -> str | None:
        """One line that the person pastes, "" for an empty one; None where none came in time. `whole_url`: the address
        that the browser ended at, where no page shows the code alone."""


class Browser:
    """The page that the person looks at while the rest happens; where there is none, nothing is shown. `name` is what
    they authorize."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._listener: Listener | None = None

    def listens(self, listener: Listener) -> None:
        self._listener = listener

    def say(self, title: str, text: str, *, good: bool = False) -> None:
        if self._listener is not None:
            from provisioner.commands.redirect import Page

            self._listener.say(Page(title, text, good))

    def failed(self, error: BaseException) -> None:
        if isinstance(error, ProvisionerError):
            first = error.diagnostics[0]
            if first.name == "denied":
                self.say("Denied", f"{self._name} was not authorized, and nothing was issued.")
            else:
                title = "In doubt" if first.name == "in-doubt" else "Not authorized"
                self.say(title, f"{self._name}: {first.summary}.")
        else:
            self.say("Interrupted", f"The command was stopped. Whether {self._name} was authorized is not known.")


def ask_in_browser(
    provider: Provider,
    credentials: ClientCredentials,
    application: Application,
    person: Person,
    browser: Browser,
    stack: ExitStack,
    *,
    again: str,
    timeout: timedelta,
    directory: Path,
) -> Exchange:
    """The code flow (RFC 6749 section 4.1): listen or read a line, show the URL, take the answer.

    What must live until the end (the listener, the in-process server) is left to `stack`; `again` is the command that a
    person is told to run once more."""
    from provisioner.commands.redirect import Listener, is_loopback

    vendor = registry.vendor(provider.config.type)
    declared = application.redirect_uri or vendor.default_redirect_uri or "http://127.0.0.1/callback"
    listener = Listener(declared) if is_loopback(declared) else None
    if listener is not None:
        stack.callback(listener.close)
        browser.listens(listener)
    redirect_uri = listener.redirect_uri if listener else declared
    wish = replace(wish_for(application), redirect_uri=redirect_uri)
    asked = provider.authorization_request(credentials, wish, redirect_uri)
    if listener is not None:
        listener.state = asked.state  # before the URL is shown: an answer may come at once
    url = stack.enter_context(_reachable(asked.url, directory))
    seconds = timeout.total_seconds()
    person.open(url, None, seconds)
    if listener is not None:
        answer = listener.wait(asked.state, seconds)
    else:
        answer = person.answer(seconds, whole_url=declared != OUT_OF_BAND)
    if answer is None:
        raise _too_late(application, again)
    if not answer:
        raise _declined(application, again)
    code = provider.read_callback(asked, answer)
    return lambda provider, credentials, wanted: provider.exchange_code(
        credentials, replace(wanted, redirect_uri=redirect_uri), asked, code
    )


def ask_on_device(
    provider: Provider,
    credentials: ClientCredentials,
    application: Application,
    person: Person,
    stack: ExitStack,
    *,
    again: str,
    timeout: timedelta,
    directory: Path,
    stop: StopFlag,
) -> Exchange:
    """The device flow (RFC 8628): a code for the person, then polls, which the exchange sends until `stop` is asked."""
    vendor = registry.vendor(provider.config.type)
    if "grant" not in vendor.application_keys:
        raise Invalid(
            "unsupported",
            f"{vendor.title} has no device flow",
            "Leave --device out.",
            address=str(application.address),
        )
    device = provider.device_authorization(credentials, wish_for(application))
    page = device.verification_uri_complete or device.verification_uri
    url = stack.enter_context(_reachable(page, directory))
    seconds = min(timeout, device.expires_in).total_seconds()
    end = time.monotonic() + seconds
    person.open(url, device.user_code, seconds)

    def exchange(provider: Provider, credentials: ClientCredentials, wish: TokenWish) -> Grant:
        late = _too_late(application, again)
        return _Polls(provider, credentials, wish, device, late, end, stop).until_decided()

    return exchange


class _Polls:
    """Sections 3.4 and 3.5. `unanswered`: a poll got no answer, so it may have been the one that made the tokens."""

    def __init__(
        self,
        provider: Provider,
        credentials: ClientCredentials,
        wish: TokenWish,
        device: DeviceAuthorization,
        late: NeedsPerson,
        end: float,
        stop: StopFlag,
    ) -> None:
        self.poll: Callable[[], Grant | DevicePending] = lambda: provider.poll_device(
            credentials, wish, device, self.interval
        )
        self.interval = device.interval
        self.late = late
        self.end = end
        self.stop = stop
        self.unanswered = False

    def until_decided(self) -> Grant:
        """Raises ProviderFailed "denied", NeedsPerson once the time is over, and InDoubt where that ends a doubt."""
        while self._pause():
            found = self._once()
            if isinstance(found, Grant):
                return found
            if found is not None:
                self.unanswered, self.interval = False, found.interval
        raise self._lost("nobody approved in time") if self.unanswered else self.late

    def _once(self) -> Grant | DevicePending | None:
        """None: no answer. Section 3.5 then wants fewer polls: twice the pause."""
        try:
            return self.poll()
        except RateLimited as slower:
            self.interval += timedelta(seconds=max(5.0, slower.retry_after))
            return None
        except (InDoubt, Unreachable) as silence:
            self.unanswered = self.unanswered or isinstance(silence, InDoubt)
            self.interval = min(2 * self.interval, max(self.interval, _LONGEST_PAUSE))
            return None
        except (StepRefused, NeedsPerson) as error:
            # The code is used up or has expired. If it was we who used it, the answer that never came held the tokens.
            if self.unanswered and getattr(error, "oauth_error", "expired_token") in ("invalid_grant", "expired_token"):
                raise self._lost("its device code is used up") from None
            raise

    def _pause(self) -> bool:
        """False once the time is over. A stop between two polls leaves nothing in doubt unless one was unanswered."""
        left = self.end - time.monotonic()
        if left <= 0:
            return False
        try:
            stopped = self.stop.wait(min(self.interval.total_seconds(), left))
        except KeyboardInterrupt:
            stopped = True
        if stopped and not self.unanswered:
            raise Interrupted("interrupted", "Interrupted.", "Nobody had approved, and nothing was issued.")
        if stopped:
            raise self._lost("interrupted")
        return time.monotonic() < self.end

    def _lost(self, why: str) -> InDoubt:
        return InDoubt("in-doubt", f"a poll of the device flow was never answered, and then {why}")


def _declined(application: Application, again: str) -> ProviderFailed:
    """An out-of-band page that shows no code: whoever was asked to paste one pasted nothing."""
    return ProviderFailed(
        "denied",
        f"No code was given for {application.address}: the authorization was denied",
        f"Nothing was issued. Run `{again}` again when the person agrees.",
        address=str(application.address),
    )


def _too_late(application: Application, again: str) -> NeedsPerson:
    return NeedsPerson(
        "authorize-timeout",
        f"Nobody authorized {application.address} in time",
        f"Run `{again}` again; --timeout gives people longer.",
        address=str(application.address),
    )


class _reachable:  # noqa: N801  # used as a function: `with _reachable(url) as opened`
    """The embedded vendor in process has no port that a browser could open: it is served on loopback meanwhile."""

    def __init__(self, url: str, directory: Path) -> None:
        self._url = url
        self._directory = directory
        self._stop: Callable[[], None] = lambda: None

    def __enter__(self) -> str:
        parts = urlsplit(self._url)
        if parts.hostname != "sandbox.invalid":
            return self._url
        from provisioner.providers._open import SANDBOX_FOLDER
        from provisioner.sandbox.serve import listen

        base, self._stop = listen(self._directory / SANDBOX_FOLDER, as_host=parts.hostname)
        served = urlsplit(base)
        return urlunsplit(parts._replace(scheme=served.scheme, netloc=served.netloc))

    def __exit__(self, *exc: object) -> None:
        with suppress(OSError):
            self._stop()
