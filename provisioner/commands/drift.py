"""`drift`: what changed at the providers behind the recorded state's back.

It has no write path: the state is opened and never begun, no lock is taken, and what the file would change is not
asked.
"""

from __future__ import annotations

from provisioner.commands import planning
from provisioner.commands.filing import FileOptions, load_file
from provisioner.commands.opening import Reveal, Secrets, StateOptions, accounts, read_state, sealer_of, tell
from provisioner.engine.events import Listener
from provisioner.model.plan import Plan, PlanOptions
from provisioner.records import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftRequest:
    file: FileOptions
    state: StateOptions


def drift(request: DriftRequest, listener: Listener, reveal: Reveal) -> Plan:
    """A refresh-only plan: its `drift` is the answer, and it has no steps."""
    desired = load_file(request.file)
    secrets = Secrets(desired, reveal)
    journal = read_state(desired, request.state, secrets)
    tell(journal, listener)
    now = planning.moment(None)
    sealer = sealer_of(desired, journal, secrets)
    with accounts(desired, request.state, secrets) as providers:
        observed = planning.look(desired, journal.state, providers, sealer, now, request.state, listener)
    return planning.derive(desired, journal.state, observed, now, PlanOptions(mode="refresh-only"))
