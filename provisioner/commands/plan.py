"""`plan`: what apply would do. It writes nothing but `--out` (and, asked for, the TOML of imports), and needs no
key."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from provisioner.commands import planning
from provisioner.commands.filing import FileOptions, load_file, write_private
from provisioner.commands.opening import (
    Reveal,
    Secrets,
    StateOptions,
    accounts,
    held,
    new_run,
    open_journal,
    sealer_of,
    store_of,
    tell,
)
from provisioner.commands.planning import Planned
from provisioner.engine.events import Listener
from provisioner.model.desired import ImportBlock
from provisioner.model.plan import Due, PlanOptions
from provisioner.records import dataclass, replace

if TYPE_CHECKING:
    from provisioner.commands.generating import Generator


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanRequest:
    file: FileOptions
    state: StateOptions
    planning: PlanOptions
    at: datetime | None = None
    refresh: bool = True
    out: str | None = None
    generate_config_out: str | None = None
    horizon: timedelta | None = None
    imports: tuple[ImportBlock, ...] = ()  # what to generate TOML for beside the file's own import blocks


def plan(request: PlanRequest, listener: Listener, reveal: Reveal) -> Planned:
    """Raises what reading raises. A plan that safety refuses is returned (and saved) like any other; it says so
    itself."""
    generating = _generator(request.generate_config_out)
    desired = load_file(replace(request.file, generating=generating is not None))
    secrets = Secrets(desired, reveal)
    store = store_of(desired, secrets)
    with held(store, request.state, new_run("plan", request.state)) as lock:
        journal = open_journal(store, desired, request.state)
        if lock is not None:  # a dead run's is gone once this one is released: nobody else could tell of it
            journal.notices.extend(lock.notices)
        tell(journal, listener)
        state, now = journal.state, planning.moment(request.at)
        if request.refresh:
            sealer = sealer_of(desired, journal, secrets)
            with accounts(desired, request.state, secrets) as providers:
                observed = planning.look(
                    desired, state, providers, sealer, now, request.state, listener, replaces=request.planning.replaces
                )
                if generating is not None:
                    generating.look(desired, observed, providers, (*desired.imports, *request.imports))
        else:
            observed = planning.unseen(now)
    made = planning.derive(desired, state, observed, now, request.planning)
    if request.out is not None:
        from provisioner.render.plan_file import dump

        write_private(request.out, dump(made, desired, state))
    if generating is not None:
        generating.write()
    due: tuple[Due, ...] = ()
    if request.horizon is not None:
        from provisioner.planning.horizon import upcoming

        due = upcoming(desired, state, observed, now, now + request.horizon, request.planning)
    return Planned(made, desired, state, due)


def _generator(path: str | None) -> Generator | None:
    if path is None:
        return None
    from provisioner.commands.generating import Generator  # with tomli_w, which few need

    return Generator(path)
