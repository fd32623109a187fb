"""`authorize`: the first token where a person must agree: in a browser, by pasting a code, or on another device.

The lock is taken once the person has answered: people take minutes, and a pipeline's apply must not wait for them. (The
device flow polls for the tokens themselves, so there it is held from the start.)
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit, urlunsplit

from provisioner import providers as registry
from provisioner import times
from provisioner.address import Address, parse_address
from provisioner.commands.filing import FileOptions, load_file
from provisioner.commands.opening import (
    Reveal,
    Secrets,
    StateOptions,
    accounts,
    begin_sealing,
    held,
    new_run,
    open_journal,
    recipients_of,
    rescuer,
    sealer_of,
    store_of,
    tell,
)
from provisioner.engine.authorization import Exchange, complete, token_address
from provisioner.engine.events import Listener
from provisioner.engine.tokens import wish_for
from provisioner.errors import Diagnostic, Invalid, NeedsPerson, ProviderFailed
from provisioner.model.desired import Application, Desired
from provisioner.providers.base import (
    ClientCredentials,
    DevicePending,
    Grant,
    Provider,
    TokenWish,
)
from provisioner.records import dataclass, replace

_PATIENCE = timedelta(minutes=1)  # for the lock, after a person has answered: their code is good for minutes only


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizeRequest:
    file: FileOptions
    state: StateOptions
    application: str
    consumer: str | None = None
    device: bool = False
    timeout: timedelta = timedelta(minutes=10)


class Person(Protocol):
    """How the command line reaches the person."""

    def open(self, url: str, user_code: str | None) -> None:
        """Show the URL, and the code to type there in the device flow."""

    def answer(self, seconds: float) -> str | None:
        """One line that the person pastes, "" for an empty one; None where none came in time."""


@dataclass(frozen=True, slots=True)
class Authorized:
    """`narrower`: fewer scopes were granted than are declared; a person should look."""

    address: Address
    diagnostics: tuple[Diagnostic, ...]

    @property
    def narrower(self) -> bool:
        return any(d.name == "scopes-narrower" for d in self.diagnostics)


def authorize(request: AuthorizeRequest, person: Person, listener: Listener, reveal: Reveal) -> Authorized:
    """Raises ProviderFailed "denied" (8), NeedsPerson "authorize-timeout" (3), Invalid where no person is needed
    (4)."""
    desired = load_file(request.file)
    application = _find(desired, request.application)
    token_address(application, request.consumer)  # a consumer that is none must not cost a person's time
    secrets = Secrets(desired, reveal)
    recipients_of(desired, secrets)  # who cannot seal must not ask a person first
    with accounts(desired, request.state, secrets) as providers:
        provider = providers[application.provider]
        if request.device or application.grant == "device_code":
            return _record(
                request,
                desired,
                application,
                _Device(request, person, Path(desired.directory)).exchange,
                secrets,
                listener,
            )
        credentials = _credentials(request, desired, application, provider, secrets)
        asked = _Asked(provider, credentials, application, person, request.timeout, Path(desired.directory))
        exchange = asked.ask()
    return _record(request, desired, application, exchange, secrets, listener)


def _find(desired: Desired, text: str) -> Application:
    """The application named `campaigns`, `worker["eu"]` or `application.campaigns`."""
    full = text if text.startswith("application.") else f"application.{text}"
    try:
        wanted = parse_address(full)
    except ValueError as fault:
        raise Invalid("unknown-address", str(fault), 'Name an application, as in campaigns or worker["eu"].') from None
    for application in desired.applications:
        if application.address == wanted:
            vendor = registry.vendor(desired.providers[application.provider].type)
            if vendor.needs_person(application):
                return application
            raise Invalid(
                "unsupported",
                f"{text} needs nobody's authorization: {vendor.title} issues its tokens to a program",
                "Run `provisioner apply`.",
                address=str(application.address),
            )
    from difflib import get_close_matches

    names = [str(a.address).removeprefix("application.") for a in desired.applications]
    near = get_close_matches(text, names, 1, 0.5)
    hint = f"Did you mean {near[0]}?" if near else f"The file declares: {', '.join(names) or 'none'}."
    raise Invalid("unknown-address", f"There is no application {text}", hint)


def _credentials(
    request: AuthorizeRequest, desired: Desired, application: Application, provider: Provider, secrets: Secrets
) -> ClientCredentials:
    journal = open_journal(store_of(desired, secrets), desired, request.state)
    sealer = sealer_of(desired, journal, secrets)
    record = journal.state.current().get(application.address)
    return provider.credentials(application, record if record and record.kind == "application" else None, sealer.open)  # type: ignore[arg-type]  # `kind` says which record it is


@dataclass(frozen=True, slots=True)
class _Asked:
    """The code flow (RFC 6749 section 4.1): listen or read a line, show the URL, take the answer."""

    provider: Provider
    credentials: ClientCredentials
    application: Application
    person: Person
    timeout: timedelta
    directory: Path

    def ask(self) -> Exchange:
        from provisioner.commands.redirect import Listener as Loopback
        from provisioner.commands.redirect import is_loopback

        vendor = registry.vendor(self.provider.config.type)
        declared = self.application.redirect_uri or vendor.default_redirect_uri or "http://127.0.0.1/callback"
        with ExitStack() as stack:
            loopback = Loopback(declared) if is_loopback(declared) else None
            if loopback is not None:
                stack.callback(loopback.close)
            redirect_uri = loopback.redirect_uri if loopback else declared
            self.provider.discover()
            wish = replace(wish_for(self.application), redirect_uri=redirect_uri)
            asked = self.provider.authorization_request(self.credentials, wish, redirect_uri)
            if loopback is not None:
                loopback.state = asked.state  # before the URL is shown: an answer may come at once
            url = stack.enter_context(_reachable(asked.url, self.directory))
            self.person.open(url, None)
            seconds = self.timeout.total_seconds()
            answer = loopback.wait(asked.state, seconds) if loopback else self.person.answer(seconds)
        if answer is None:
            raise _too_late(self.application)
        if not answer:
            raise _declined(self.application)
        code = self.provider.read_callback(asked, answer)
        return lambda provider, credentials, wanted: provider.exchange_code(
            credentials, replace(wanted, redirect_uri=redirect_uri), asked, code
        )


def _declined(application: Application) -> ProviderFailed:
    """An out-of-band page that shows no code: whoever was asked to paste one pasted nothing."""
    name = str(application.address).removeprefix("application.")
    return ProviderFailed(
        "denied",
        f"No code was given for {name}: the authorization was denied",
        f"Nothing was issued. Run `provisioner authorize {name}` again when the person agrees.",
        address=str(application.address),
    )


def _too_late(application: Application) -> NeedsPerson:
    name = str(application.address).removeprefix("application.")
    return NeedsPerson(
        "authorize-timeout",
        f"Nobody authorized {name} in time",
        f"Run `provisioner authorize {name}` again; --timeout gives people longer.",
        address=str(application.address),
    )


@dataclass(frozen=True, slots=True)
class _Device:
    """The device flow (RFC 8628): the answer to a poll may be the tokens, so it happens inside the announced
    operation."""

    request: AuthorizeRequest
    person: Person
    directory: Path

    def exchange(self, provider: Provider, credentials: ClientCredentials, wish: TokenWish) -> Grant:
        device = provider.device_authorization(credentials, wish)
        with _reachable(device.verification_uri_complete or device.verification_uri, self.directory) as url:
            self.person.open(url, device.user_code)
            end = time.monotonic() + min(self.request.timeout, device.expires_in).total_seconds()
            interval = device.interval
            while time.monotonic() < end:
                time.sleep(min(interval.total_seconds(), max(0.0, end - time.monotonic())))
                found = provider.poll_device(credentials, wish, device, interval)
                if not isinstance(found, DevicePending):
                    return found
                interval = found.interval
        raise NeedsPerson(
            "authorize-timeout", "Nobody approved the device in time", "Run the command again; --timeout gives longer."
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

        base, self._stop = listen(self._directory / SANDBOX_FOLDER)
        served = urlsplit(base)
        return urlunsplit(parts._replace(scheme=served.scheme, netloc=served.netloc))

    def __exit__(self, *exc: object) -> None:
        self._stop()


def _record(
    request: AuthorizeRequest,
    desired: Desired,
    application: Application,
    exchange: Exchange,
    secrets: Secrets,
    listener: Listener,
) -> Authorized:
    run = new_run("authorize")
    store = store_of(desired, secrets)
    options = replace(request.state, lock_timeout=max(request.state.lock_timeout, _PATIENCE))
    with held(store, options, run) as lock, open_journal(store, desired, options) as journal:
        tell(journal, listener)
        sealer = sealer_of(desired, journal, secrets)
        for notice in begin_sealing(desired, journal, sealer, secrets, run, lock):
            listener.notice(notice)
        tell(journal, listener)
        with accounts(desired, options, secrets) as providers:
            providers[application.provider].discover()
            ended = complete(
                desired,
                journal,
                sealer,
                providers,
                application=application,
                consumer=request.consumer,
                exchange=exchange,
                run=run,
                clock=times.now,
                rescue=rescuer(journal, sealer),
            )
    return Authorized(token_address(application, request.consumer), ended.diagnostics)
