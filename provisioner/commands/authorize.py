"""`authorize`: the first token where a person must agree: in a browser, by pasting a code, or on another device.

The lock is taken once the person has answered: people take minutes, and a pipeline's apply must not wait for them. (The
device flow polls for the tokens themselves, so there it is held from the first poll on.)
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

from provisioner import providers as registry
from provisioner import times
from provisioner.address import Address, parse_address
from provisioner.commands.asking import Browser, Person, ask_in_browser, ask_on_device
from provisioner.commands.filing import FileOptions, load_file
from provisioner.commands.opening import (
    Interrupts,
    Reveal,
    Secrets,
    StateOptions,
    accounts,
    at_once,
    begin_sealing,
    held,
    new_run,
    open_journal,
    recipients_of,
    rescued,
    rescuer,
    sealer_of,
    store_of,
    tell,
)
from provisioner.engine.authorization import Exchange, complete, token_address
from provisioner.engine.events import Listener
from provisioner.engine.interrupts import StopFlag
from provisioner.errors import Diagnostic, Interrupted, Invalid
from provisioner.model.desired import Application, Desired
from provisioner.model.recorded import ApplicationRecord, TokenRecord
from provisioner.planning.tokens import authorize_command
from provisioner.providers.base import Applications, ClientCredentials, Provider

_PATIENCE = timedelta(minutes=1)  # for the lock, after a person has answered: their code is good for minutes only


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizeRequest:
    file: FileOptions
    state: StateOptions
    application: str
    consumer: str | None = None
    device: bool = False
    timeout: timedelta = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Authorized:
    """What was granted. `expires_at` None: it never ends, or nobody says when; `renews`: without a person from now
    on."""

    address: Address
    diagnostics: tuple[Diagnostic, ...]
    scopes: tuple[str, ...] = ()
    expires_at: datetime | None = None
    renews: bool = False

    @property
    def narrower(self) -> bool:
        """Fewer scopes were granted than are declared; a person should look."""
        return any(d.name == "scopes-narrower" for d in self.diagnostics)

    @property
    def once_more(self) -> bool:
        """The server ended the new token with the old one."""
        return any(d.name == "needs-authorization" for d in self.diagnostics)


def authorize(
    request: AuthorizeRequest, person: Person, listener: Listener, reveal: Reveal, interrupts: Interrupts = at_once
) -> Authorized:
    """Raises ProviderFailed "denied" (8), NeedsPerson "authorize-timeout" (3), Invalid where no person is needed
    (4), Interrupted; while the answer is exchanged a first signal lets it end, and it is recorded."""
    desired = load_file(request.file)
    application, consumer = _find(desired, request.application, request.consumer)
    # A consumer that is none must not cost a person's time, nor must a state that cannot be sealed.
    name = str(token_address(application, consumer)).removeprefix("token.")
    secrets = Secrets(desired, reveal)
    recipients_of(desired, secrets)
    browser, stop = Browser(name), StopFlag()
    with ExitStack() as stack:
        try:
            again = authorize_command(application.address, consumer)
            exchange = _ask(request, desired, application, again, person, browser, stack, secrets, stop)
            done = _record(request, desired, application, consumer, exchange, secrets, listener, stop, interrupts)
            if stop.stopping:
                raise Interrupted("interrupted", "stopped by a signal", f"{done.address} is authorized and recorded.")
        except BaseException as error:
            browser.failed(error)
            raise
        if done.once_more:
            browser.say("Once more, please", f"{name}: the server ended the new token together with the old one.")
        elif done.narrower:
            browser.say("Authorized for less", f"{name} is recorded with fewer scopes than are declared.")
        else:
            browser.say("Authorized", f"{name} is authorized and recorded.", good=True)
    return done


def _ask(
    request: AuthorizeRequest,
    desired: Desired,
    application: Application,
    again: str,
    person: Person,
    browser: Browser,
    stack: ExitStack,
    secrets: Secrets,
    stop: StopFlag,
) -> Exchange:
    directory = Path(desired.directory)
    with accounts(desired, request.state, secrets) as providers:
        provider = providers[application.provider]
        credentials = _credentials(request, desired, application, provider, secrets)
        provider.discover()
        if request.device or application.grant == "device_code":
            return ask_on_device(
                provider,
                credentials,
                application,
                person,
                stack,
                again=again,
                timeout=request.timeout,
                directory=directory,
                stop=stop,
            )
        return ask_in_browser(
            provider,
            credentials,
            application,
            person,
            browser,
            stack,
            again=again,
            timeout=request.timeout,
            directory=directory,
        )


def _find(desired: Desired, text: str, consumer: str | None) -> tuple[Application, str | None]:
    """The application named `campaigns`, `worker["eu"]` or `application.campaigns`, and the consumer. A token's own
    address, as plans show it, names both."""
    full = text if text.startswith(("application.", "token.")) else f"application.{text}"
    try:
        wanted = parse_address(full).as_type("application")
    except ValueError as fault:
        raise Invalid("unknown-address", str(fault), 'Name an application, as in campaigns or worker["eu"].') from None
    for application in desired.applications:
        named = {address.as_type("application"): name for address, name in application.token_addresses}.get(wanted)
        if application.address == wanted or (named is not None and consumer in (None, named)):
            return _for_a_person(desired, application), named or consumer
    from difflib import get_close_matches

    names = [str(a.address).removeprefix("application.") for a in desired.applications]
    near = get_close_matches(text, names, 1, 0.5)
    hint = f"Did you mean {near[0]}?" if near else f"The file declares: {', '.join(names) or 'none'}."
    raise Invalid("unknown-address", f"There is no application {text}", hint)


def _for_a_person(desired: Desired, application: Application) -> Application:
    vendor = registry.vendor(desired.providers[application.provider].type)
    if vendor.needs_person(application):
        return application
    name = str(application.address).removeprefix("application.")
    raise Invalid(
        "unsupported",
        f"{name} needs nobody's authorization: {vendor.title} issues its tokens to a program",
        "Run `provisioner apply`.",
        address=str(application.address),
    )


def _credentials(
    request: AuthorizeRequest, desired: Desired, application: Application, provider: Provider, secrets: Secrets
) -> ClientCredentials:
    journal = open_journal(store_of(desired, secrets), desired, request.state)
    found = journal.state.current().get(application.address)
    record = found if isinstance(found, ApplicationRecord) else None
    vendor = registry.vendor(provider.config.type)
    if vendor.applications is Applications.REGISTERED and application.client_id is None and record is None:
        raise Invalid(
            "unsupported",
            f"{application.address} is declared without a client_id, and is not registered yet",
            "Run `provisioner apply` first: it registers the client. Then authorize.",
            address=str(application.address),
        )
    return provider.credentials(application, record, sealer_of(desired, journal, secrets).open)


def _record(
    request: AuthorizeRequest,
    desired: Desired,
    application: Application,
    consumer: str | None,
    exchange: Exchange,
    secrets: Secrets,
    listener: Listener,
    stop: StopFlag,
    interrupts: Interrupts,
) -> Authorized:
    run = new_run("authorize", request.state)
    store = store_of(desired, secrets)
    options = replace(request.state, lock_timeout=max(request.state.lock_timeout, _PATIENCE))
    address = token_address(application, consumer)
    with held(store, options, run) as lock, open_journal(store, desired, options) as journal:
        tell(journal, listener)
        sealer = sealer_of(desired, journal, secrets)
        for notice in (
            *rescued(journal, run, lock),
            *begin_sealing(desired, journal, sealer, secrets, run, lock),
        ):
            listener.notice(notice)
        tell(journal, listener)
        with accounts(desired, options, secrets) as providers, interrupts(stop.ask):
            providers[application.provider].discover()
            ended = complete(
                desired,
                journal,
                sealer,
                providers,
                application=application,
                consumer=consumer,
                exchange=exchange,
                run=run,
                clock=times.now,
                stop=stop,
                rescue=rescuer(journal, sealer),
            )
        made = journal.state.current().get(address)
    told = Authorized(address, ended.diagnostics)
    if isinstance(made, TokenRecord):
        told = replace(told, scopes=made.scopes, expires_at=made.expires_at, renews=made.refresh_token is not None)
    return told
