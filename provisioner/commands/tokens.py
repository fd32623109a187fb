"""`token`, `output` and what `run` puts into an environment: the tokens, for whoever uses them."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import ExitStack
from datetime import timedelta

from provisioner import times
from provisioner.address import Address, parse_address
from provisioner.commands.filing import FileOptions, load_file
from provisioner.commands.looking import parse
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
    rescue_waits,
    rescued,
    rescuer,
    sealer_of,
    store_of,
    tell,
)
from provisioner.deliver.base import Delivered
from provisioner.engine.events import Listener
from provisioner.engine.fetch import fetch_token, recorded_token, serves
from provisioner.engine.interrupts import StopFlag
from provisioner.errors import Diagnostic, Interrupted, Invalid, NeedsPerson
from provisioner.model.desired import Desired
from provisioner.model.recorded import State, TokenRecord
from provisioner.records import dataclass
from provisioner.secret import Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRequest:
    """`min_ttl`: it must live at least this much longer."""

    file: FileOptions
    state: StateOptions
    address: str
    min_ttl: timedelta = timedelta()
    command: str = "token"


@dataclass(frozen=True, slots=True)
class Found:
    token: Delivered
    diagnostics: tuple[Diagnostic, ...] = ()


def token(request: TokenRequest, listener: Listener, reveal: Reveal, interrupts: Interrupts = at_once) -> Found:
    """One token that is valid now. Where the recorded one serves, nothing is sent, locked or written. Raises what
    `fetch_token` does, and Interrupted where a signal came while it was renewed: it is recorded then."""
    desired = load_file(request.file)
    secrets = Secrets(desired, reveal)
    address = _wanted(desired, request.address)
    store = store_of(desired, secrets)
    journal = open_journal(store, desired, request.state)
    _check_known(address, request.address, desired, journal.state)
    record = recorded_token(journal.state, address)
    if (
        record is not None
        and record.access_token is not None
        and serves(record, times.now(), request.min_ttl)
        and not rescue_waits(journal)  # else another may have taken its place already
    ):
        secret = sealer_of(desired, journal, secrets).open(record.access_token, record.id, "access_token")
        tell(journal, listener)
        return Found(_delivered(record, secret, reveal))
    return _renewed(request, address, desired, secrets, listener, reveal, interrupts)


def _renewed(
    request: TokenRequest,
    address: Address,
    desired: Desired,
    secrets: Secrets,
    listener: Listener,
    reveal: Reveal,
    interrupts: Interrupts,
) -> Found:
    """Under the lock, looking once more: another may have renewed it meanwhile, or been unable to record that."""
    store, run = store_of(desired, secrets), new_run(request.command, request.state)
    with ExitStack() as stack:
        lock = stack.enter_context(held(store, request.state, run))
        journal = stack.enter_context(open_journal(store, desired, request.state))
        tell(journal, listener)
        for notice in rescued(journal, run, lock):
            listener.notice(notice)
        sealer = sealer_of(desired, journal, secrets)
        providers = stack.enter_context(accounts(desired, request.state, secrets))

        def begin() -> None:
            for notice in begin_sealing(desired, journal, sealer, secrets, run, lock):
                listener.notice(notice)
            for name in {a.provider for a in desired.applications if address in dict(a.token_addresses)}:
                providers[name].discover()

        stop = StopFlag()
        with interrupts(stop.ask):
            found = fetch_token(
                address,
                desired,
                journal,
                sealer,
                providers,
                run=run,
                clock=times.now,
                min_ttl=request.min_ttl,
                begin=begin,
                stop=stop,
                rescue=rescuer(journal, sealer),
            )
        tell(journal, listener)
    if stop.stopping:
        raise Interrupted("interrupted", "stopped by a signal", f"{address} was renewed, and is recorded.")
    if not serves(found.record, times.now(), request.min_ttl):
        raise NeedsPerson(
            "no-valid-token",
            f"{address}: a new token does not live as long as --min-ttl asks",
            "It was renewed and is recorded. Ask for less, or for tokens that live longer.",
            address=str(address),
        )
    return Found(_delivered(found.record, found.secret, reveal), found.diagnostics)


def _wanted(desired: Desired, text: str) -> Address:
    """`token.campaigns`; `campaigns` and `application.campaigns` mean its token where there is one."""
    try:
        address = parse_address(text if "." in text.split("[")[0] else f"token.{text}")
    except ValueError as fault:
        raise Invalid("unknown-address", str(fault), "Name a token, as in token.campaigns.") from None
    if address.type == "application":
        address = address.as_type("token")
    if address.type != "token":
        raise Invalid("unknown-address", f"{text} is no token", "Name a token, as in token.campaigns.")
    return address


def _check_known(address: Address, text: str, desired: Desired, state: State) -> None:
    declared = {found for application in desired.applications for found, _ in application.token_addresses}
    recorded = {record.address for record in state.objects.values() if record.kind == "token"}
    if address in declared | recorded:
        return
    from difflib import get_close_matches

    known = sorted(map(str, declared | recorded))
    below = [name for name in known if name.startswith(f"{address}[")]
    near = below or get_close_matches(text, known, 3, 0.5)
    hint = f"Did you mean {' or '.join(near)}?" if near else f"There are: {', '.join(known) or 'none'}."
    raise Invalid("unknown-address", f"There is no token {text}", hint)


def _delivered(record: TokenRecord, secret: Secret, reveal: Reveal) -> Delivered:
    reveal(secret.reveal())
    return Delivered(
        address=record.address,
        application=record.application.name,
        access_token=secret,
        consumer=record.consumer,
        key=record.application.instance_key,
        expires_at=record.expires_at,
        scopes=record.scopes,
        provider=record.provider,
        provider_type=record.provider_type,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputRequest:
    file: FileOptions
    state: StateOptions
    address: str | None = None


@dataclass(frozen=True, slots=True)
class Output:
    """`missing`: a warning for each token that is declared or recorded, and is not valid now."""

    tokens: tuple[Delivered, ...]
    missing: tuple[Diagnostic, ...] = ()


def output(request: OutputRequest, listener: Listener, reveal: Reveal) -> Output:
    """The recorded tokens that serve now. Nothing is sent or renewed: that is `token`, `run` and `apply`."""
    desired = load_file(request.file)
    secrets = Secrets(desired, reveal)
    journal = open_journal(store_of(desired, secrets), desired, request.state)
    tell(journal, listener)
    state, now = journal.state, times.now()
    wanted = None
    if request.address is not None:
        wanted = _wanted(desired, request.address)
        _check_known(wanted, request.address, desired, state)
    sealer = sealer_of(desired, journal, secrets)
    found: list[Delivered] = []
    missing: list[Diagnostic] = []
    for record in state.resources():
        if not isinstance(record, TokenRecord) or record.deposed or (wanted is not None and record.address != wanted):
            continue
        if record.access_token is not None and serves(record, now, timedelta()):
            secret = sealer.open(record.access_token, record.id, "access_token")
            found.append(_delivered(record, secret, reveal))
        else:
            missing.append(_not_valid(record.address, record.status_at(now)))
    if wanted is not None and not found:
        raise NeedsPerson.of([*missing] or [_not_valid(wanted, "not recorded")])
    return Output(tuple(found), tuple(missing))


def _not_valid(address: Address, status: str) -> Diagnostic:
    return Diagnostic(
        name="no-valid-token",
        severity="warning",
        summary=f"{address} is not valid now: {status}",
        detail=f"`provisioner token {address}` renews it where that needs nobody; "
        "`provisioner plan` says what it needs.",
        address=str(address),
    )


def chosen(desired: Desired, applications: Iterable[str]) -> list[Address]:
    """The tokens of the named applications, or all declared ones. Raises Invalid for a name that is none."""
    named = [parse(text if text.startswith("application.") else f"application.{text}") for text in applications]
    found: list[Address] = []
    for application in desired.applications:
        if not named or any(_covers(name, application.address) for name in named):
            found += [address for address, _ in application.token_addresses]
    for name in named:
        if not any(_covers(name, application.address) for application in desired.applications):
            from difflib import get_close_matches

            known = [str(a.address).removeprefix("application.") for a in desired.applications]
            short = str(name).removeprefix("application.")
            near = get_close_matches(short, known, 1, 0.5)
            hint = f"Did you mean {near[0]}?" if near else f"The file declares: {', '.join(known) or 'none'}."
            raise Invalid("unknown-address", f"There is no application {short}", hint)
    return found


def _covers(wanted: Address, candidate: Address) -> bool:
    return wanted.name == candidate.name and candidate.keys[: len(wanted.keys)] == wanted.keys
