"""What several commands open: the recorded state, its lock, its keys, the accounts. Small functions, no context bag."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from provisioner import times
from provisioner.config.refs import Resolver
from provisioner.engine.events import Listener
from provisioner.errors import Diagnostic, Invalid
from provisioner.journal.journal import Draft, Journal
from provisioner.journal.memory import HeadMemory
from provisioner.journal.run import RunInfo, run_info
from provisioner.journal.stores.base import Store
from provisioner.journal.stores.opening import open_store
from provisioner.model.desired import Desired, Reference
from provisioner.model.recorded import State
from provisioner.records import dataclass
from provisioner.secret import Secret

if TYPE_CHECKING:
    from provisioner.journal.locks import HeldLock
    from provisioner.journal.seal import Sealer
    from provisioner.providers.base import Provider

Interrupts = Callable[[Callable[[], None]], AbstractContextManager[None]]  # the first signals call what is given
Reveal = Callable[[str], None]  # told every secret that is resolved, so that a last net can hide it


@dataclass(frozen=True, slots=True, kw_only=True)
class StateOptions:
    """`--accept-rollback`, `--lock`, `--lock-timeout`, `--parallelism`, `--note`; whom to tell of a wait for the
    lock."""

    accept_rollback: bool = False
    lock: bool = True
    lock_timeout: timedelta = timedelta()
    parallelism: int = 10
    note: str | None = None  # why, in the user's words: recorded with the run
    waiting: Callable[[Diagnostic], None] | None = None


class Secrets:
    """References of one run, resolved once each; every value is told to `reveal`."""

    def __init__(self, desired: Desired, reveal: Reveal) -> None:
        self._resolver = Resolver(Path(desired.directory), os.environ)
        self._reveal = reveal

    def __call__(self, reference: Reference) -> Secret:
        return self._told(self._resolver(reference))

    def whole(self, reference: Reference) -> Secret:
        return self._told(self._resolver.whole(reference))

    def _told(self, secret: Secret) -> Secret:
        self._reveal(secret.reveal())
        return secret


def at_once(_stop: Callable[[], None]) -> AbstractContextManager[None]:
    """An `Interrupts` that leaves signals as they are."""
    return nullcontext()


def store_of(desired: Desired, secrets: Secrets, location: str | None = None) -> Store:
    """The store that `[state]` names, or another of the same stack: that has the same account, and addresses of its
    own to lock at."""
    settings = desired.state_settings
    if location is not None and location != desired.state_location:
        settings = {key: value for key, value in settings.items() if key in ("username", "password")}
    return open_store(
        location or desired.state_location,
        stack=desired.stack,
        directory=Path() if location is None else Path(desired.directory),
        settings=settings,
        resolve=secrets,
    )


def read_state(desired: Desired, options: StateOptions, secrets: Secrets) -> Journal:
    """The recorded state, verified, with no lock and nothing written. Raises StateUntrusted and StoreFailed."""
    return open_journal(store_of(desired, secrets), desired, options, looking=True)


def open_journal(store: Store, desired: Desired, options: StateOptions, *, looking: bool = False) -> Journal:
    """`looking`: nothing is decided or written, so an old copy and a slow clock are notices."""
    return Journal.open(
        store,
        stack=desired.stack,
        memory=HeadMemory.of_user(os.environ),
        accept_rollback=options.accept_rollback,
        looking=looking,
    )


@contextmanager
def held(store: Store, options: StateOptions, run: RunInfo) -> Iterator[HeldLock | None]:
    """The lock for the time of the block; None under `--lock=false`. `Journal.close` releases it too: twice is fine."""
    if not options.lock:
        yield None
        return
    from provisioner.journal.locks import take_lock

    patience = options.lock_timeout.total_seconds()
    with take_lock(store, run, lock_timeout=patience, lease=_lease(), waiting=options.waiting) as lock:
        yield lock


_LONGEST_LEASE = 3600


def _lease() -> int:
    """PROVISIONER_LOCK_LEASE, in whole seconds: after how long a silent holder's lock may be taken over. Shorter where
    runners are often suspended, longer where the store is often out of reach. Raises Invalid."""
    from provisioner.journal.locks import LEASE

    text = os.environ.get("PROVISIONER_LOCK_LEASE", "").strip()
    if not text:
        return LEASE
    try:
        seconds = times.parse_duration(text).total_seconds()
    except ValueError:
        seconds = 0.0
    if not 1 <= seconds <= _LONGEST_LEASE or seconds != int(seconds):
        raise Invalid(
            "usage",
            f"PROVISIONER_LOCK_LEASE is {text!r}",
            "Write a whole number of seconds between 1s and 1h, as in 60s or 5m, or leave it unset (60s).",
        )
    return int(seconds)


@contextmanager
def writing(
    desired: Desired,
    options: StateOptions,
    secrets: Secrets,
    run: RunInfo,
    *,
    check: Callable[[State], object] | None = None,
) -> Iterator[Journal]:
    """The lock, then the state, begun: for commands that record something and plan nothing. `check` raises what forbids
    it before anything is written: a mistyped address must not make a saved plan stale."""
    store = store_of(desired, secrets)
    with held(store, options, run) as lock, open_journal(store, desired, options) as journal:
        if check is not None:
            check(journal.state)
        journal.begin(run, lock)
        yield journal


def new_run(command: str, options: StateOptions | None = None) -> RunInfo:
    return run_info(command, os.environ, times.now(), note=options.note if options else None)


def tell(journal: Journal, listener: Listener) -> None:
    """What opening (or closing) the state has to say: a torn tail, a takeover, an accepted rollback."""
    for notice in journal.notices:
        listener.notice(notice)
    journal.notices.clear()


@contextmanager
def accounts(desired: Desired, options: StateOptions, secrets: Secrets) -> Iterator[Mapping[str, Provider]]:
    """A provider for each configured account, by name; closed at the end. Nothing is sent or resolved by opening."""
    from provisioner.providers._open import open_provider

    if not gc.isenabled():  # `__main__` switched it off to load; requests do make garbage
        gc.freeze()  # what is loaded by now stays to the end: no collection needs to look at it again
        gc.set_threshold(20_000, 20, 20)  # after the usual 700 objects it takes 6 of 100 parts of an apply
        gc.enable()
    opened: dict[str, Provider] = {}
    try:
        for name, config in desired.providers.items():
            opened[name] = open_provider(
                config, directory=Path(desired.directory), resolve=secrets, parallelism=options.parallelism
            )
        yield opened
    finally:
        for provider in opened.values():
            provider.close()


def sealer_of(desired: Desired, journal: Journal, secrets: Secrets) -> Sealer:
    """Seals to the file's recipients; opens with the identity at hand, if any. Nothing is read before it is needed."""
    from provisioner.journal.identity import find_identities
    from provisioner.journal.seal import Sealer

    return Sealer(
        journal.store,
        lineage=lambda: journal.lineage,
        recipients=lambda: recipients_of(desired, secrets)[0],
        identities=find_identities(desired.encryption, os.environ, secrets.whole),
    )


def recipients_of(desired: Desired, secrets: Secrets) -> tuple[tuple[str, ...], list[Diagnostic]]:
    """Whom to seal to, and a notice where an identity was made. Before anything is sent: raises Invalid where there is
    none and none may be made."""
    from provisioner.journal.identity import find_recipients

    return find_recipients(desired.encryption, os.environ, secrets.whole)


def begin_sealing(
    desired: Desired, journal: Journal, sealer: Sealer, secrets: Secrets, run: RunInfo, lock: HeldLock | None
) -> list[Diagnostic]:
    """`Journal.begin` for a run that may mint a secret: whom it is sealed to is known before anything is written, and
    the data key is durable before anything is sent."""
    _, notices = recipients_of(desired, secrets)
    if journal.run is None:
        journal.begin(run, lock)
    sealer.prepare()
    return notices


def rescue_waits(journal: Journal) -> bool:
    """Whether a run on this machine made something that it could not record."""
    from provisioner.journal import rescue

    return bool(rescue.pending(journal.lineage, os.environ))


def rescued(journal: Journal, run: RunInfo, lock: HeldLock | None) -> list[Diagnostic]:
    """Records what an earlier run on this machine could not, before anything is planned: else its token would be made
    twice. Begins the journal only where there is such a file."""
    from provisioner.journal import rescue

    if not rescue_waits(journal):
        return []
    journal.begin(run, lock)
    return rescue.pick_up(journal, os.environ)


def rescuer(journal: Journal, sealer: Sealer) -> Callable[[Draft], Path]:
    """What keeps an outcome that cannot be appended."""

    def keep(draft: Draft) -> Path:
        from provisioner.journal import rescue

        return rescue.write(journal, sealer, [draft], os.environ, times.now())

    return keep
