"""What a person does in SMS.CX's web panel: page, field and value, one instruction a line.

Source: the vendor's "Create new Application ID & Secret (Oauth 2.0)" article.
"""

from __future__ import annotations

from decimal import Decimal

from provisioner import times
from provisioner.model.desired import Application, CreditFloor
from provisioner.model.observed import ObservedApplication
from provisioner.model.plan import Handoff
from provisioner.model.recorded import ApplicationRecord, TokenRecord
from provisioner.providers._smscx_declared import IN_THE_PANEL

URL = "https://sms.cx"
_OPEN = "Log in to SMS.CX and open HTTP API > Access Tokens (OAuth 2.0)."


def create_or_edit(application: Application, observed: ObservedApplication | None) -> Handoff | None:
    """None where the application is as declared."""
    if observed is not None and observed.problem is not None:
        keep = f"Keep one called {application.name!r}; rename or delete the others."
        return Handoff((_OPEN, _sentence(observed.problem), keep), URL)
    if observed is None or not observed.exists:
        return Handoff(_creation(application), URL)
    edits = _edits(application, observed)
    if not edits:
        return None
    which = f"Edit the application {observed.name or application.name!r} (Application ID {observed.client_id})."
    return Handoff((_OPEN, which, *edits, "Save. The next apply reads it back."), URL)


def delete(record: ApplicationRecord) -> Handoff:
    return Handoff(
        (
            _OPEN,
            f"Open the application {record.name!r} (Application ID {record.client_id}).",
            "Choose: Revoke all Access Tokens. Whether deleting the application ends them is not documented.",
            "Delete the application.",
        ),
        URL,
    )


def revoke_all(record: TokenRecord) -> Handoff:
    """There is no revocation of one token; and when it dies by itself."""
    ends = f"on {times.to_rfc3339(record.expires_at)}" if record.expires_at else "never"
    return Handoff(
        (
            f"SMS.CX has no API that revokes a token. By itself this one ends {ends}.",
            f"To end it now: {_OPEN[0].lower()}{_OPEN[1:]}",
            f"Open the application of {record.application} (Application ID {record.client_id or 'not recorded'}).",
            "Choose: Revoke all Access Tokens. This ends every token of that application, those in use as well.",
            "Run apply with --replace for those, so that new ones are issued.",
        ),
        URL,
    )


def top_up(floor: CreditFloor, balance: Decimal, unit: str) -> Handoff:
    lacking = max(floor.target - balance, Decimal())
    return Handoff(
        (
            f"SMS.CX sells no credits by API. The balance is {balance} {unit}; {floor.address} wants {floor.target}.",
            "Log in to SMS.CX and open the page for adding funds.",
            f"Add at least {lacking} {unit}. The next plan reads the new balance.",
        ),
        URL,
    )


def _creation(application: Application) -> tuple[str, ...]:
    wanted = application.token_lifetime
    life = IN_THE_PANEL.get(wanted, wanted) if wanted else "as suits (none is declared)"
    return (
        _OPEN,
        "Click New Application.",
        f"Name: {application.name}",
        f"Access token expiration: {life}",
        f"Scopes: {' '.join(application.scopes)} (these and no others)",
        "Click Create. Nothing needs to be copied: the next apply finds the application by its name.",
    )


def _edits(application: Application, observed: ObservedApplication) -> list[str]:
    edits = []
    if observed.name is not None and observed.name != application.name.strip():
        edits.append(f"Name: {application.name} (it is {observed.name or 'empty'})")
    wanted, has = application.token_lifetime, observed.token_lifetime
    if wanted is not None and has is not None and has != wanted:
        edits.append(
            f"Access token expiration: {IN_THE_PANEL.get(wanted, wanted)} (it is {IN_THE_PANEL.get(has, has)})"
        )
    if observed.scopes is not None:
        lacking = sorted(set(application.scopes) - set(observed.scopes))
        extra = sorted(set(observed.scopes) - set(application.scopes))
        edits += [f"Scopes to add: {' '.join(lacking)}"] if lacking else []
        edits += [f"Scopes to remove: {' '.join(extra)}"] if extra else []
    return edits


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:].rstrip('.')}."
