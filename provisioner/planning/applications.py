"""Steps for applications: adopted, found, registered, forgotten, deleted."""

from __future__ import annotations

from typing import Any

from provisioner.address import Address
from provisioner.model.desired import Application
from provisioner.model.observed import ObservedApplication
from provisioner.model.plan import (
    ADOPT_APPLICATION,
    CREATE,
    DELETE,
    DELETE_APPLICATION,
    FORGET,
    FORGET_RECORD,
    HANDOFF,
    MOVE,
    NOOP,
    NOTHING,
    RECORD,
    REGISTER_APPLICATION,
    REPLACE,
    ROTATE_APPLICATION,
    UPDATE,
    UPDATE_APPLICATION,
    Handoff,
    Reason,
    Step,
)
from provisioner.model.recorded import ADOPTED, CREATED, ApplicationRecord
from provisioner.model.recorded import HANDOFF as BY_HANDOFF
from provisioner.planning.registered import another_key, another_secret, changed_at_server, declared, shown
from provisioner.planning.situation import Situation
from provisioner.planning.values import SENSITIVE, of_record, of_wanted_application
from provisioner.providers.base import Applications

_SECRET = SENSITIVE["application"]


def plan_application(situation: Situation, application: Application) -> Step | None:
    """The step of one declared application; None at a vendor that has no applications."""
    vendor = situation.vendor_of(application)
    if vendor.applications is Applications.NONE:
        return None
    record = situation.application_record(application.address)
    if record is not None and record.provider != application.provider:
        record = None
    seen = situation.observed.of(application.provider).applications.get(str(application.address))
    if vendor.applications is Applications.REGISTERED and application.client_id is None:
        return _registered(situation, application, record, seen)
    if seen is not None and not seen.exists:
        return _absent(situation, application, record, seen)
    if record is None and seen is None and vendor.applications is Applications.FOUND:
        # Nobody looked (--refresh=false): whether it exists is not known, so neither a handoff nor an id can be named.
        return _step(
            situation,
            application,
            NOOP,
            NOTHING,
            Reason("not-looked", "not recorded, and the provider was not asked"),
            after=None,
        )
    return _existing(situation, application, record, seen)


def _registered(
    situation: Situation, application: Application, record: ApplicationRecord | None, seen: ObservedApplication | None
) -> Step:
    vendor = situation.vendor_of(application)
    asked = shown(vendor.registration(application))
    unknown: tuple[str, ...] = ("client_id", "client_secret", "secret_fingerprint")
    if "token_endpoint_auth_method" not in asked:
        unknown = (*unknown, "token_endpoint_auth_method")
        asked["token_endpoint_auth_method"] = None
    wanted = of_wanted_application(application, CREATED, asked)
    if record is None or (seen is not None and not seen.exists):
        reason = (
            Reason("gone", "the server no longer knows its client")
            if record is not None
            else Reason("missing", "declared, and not recorded")
        )
        handoff = vendor.registration_handoff(application, situation.observed.of(application.provider))
        return _step(
            situation,
            application,
            CREATE,
            REGISTER_APPLICATION if handoff is None else HANDOFF,
            reason,
            record=record,
            after=wanted,
            after_unknown=unknown,
            handoff=handoff,
        )
    requested = application.address in situation.replaces
    if requested or record.managed != CREATED:
        why = "named by --replace" if requested else "the file names no client any more"
        code = "requested" if requested else "client-changed"
        return _step(
            situation,
            application,
            REPLACE,
            ROTATE_APPLICATION,
            Reason(code, f"{why}: registered anew, its tokens issued anew, the old client deleted if it was ours"),
            record=record,
            after=wanted,
            after_unknown=unknown,
            action_reason="replace_by_request" if requested else "replace_because_cannot_update",
        )
    otherwise = _registered_otherwise(situation, application, record, seen, wanted)
    if otherwise is not None and seen is not None and seen.problem is not None:
        # Nobody can change it any more: the token for that was lost, as it is with an answer that never came.
        return _step(
            situation,
            application,
            REPLACE,
            ROTATE_APPLICATION,
            Reason("unmanageable", f"{otherwise.reason.sentence}; {seen.problem}: registered anew"),
            record=record,
            after=wanted,
            after_unknown=unknown,
            action_reason="replace_because_cannot_update",
        )
    return otherwise or _settled(
        situation,
        application,
        record,
        of_record(record, situation.now),
        ADOPT_APPLICATION if seen is not None and another_secret(record, seen) else NOTHING,
    )


def _registered_otherwise(
    situation: Situation,
    application: Application,
    record: ApplicationRecord,
    seen: ObservedApplication | None,
    wanted: dict[str, Any],
) -> Step | None:
    """The update that makes the server's registration as declared: the file changed, or somebody changed the server."""
    now, asked = declared(application, situation.vendor_of(application)), record.registration.get("declared") or {}
    changed = sorted(key for key in {*now, *asked} if asked.get(key) != now.get(key)) if asked else []
    moved = changed_at_server(record, seen) if seen is not None else {}
    before = of_record(record, situation.now) | {
        name: after for name, (_, after) in moved.items() if name != "response_types"
    }
    if changed:
        reason = Reason("declaration-changed", f"declared otherwise: {', '.join(changed)}")
    elif moved:
        reason = Reason("changed-outside", f"changed at the server, and put back: {', '.join(sorted(moved))}")
    elif seen is not None and another_key(record, seen):
        reason = Reason("key-changed", "private_key holds another key than the one that was registered")
    else:
        return None
    after = wanted | {"client_id": record.client_id}
    if after.get("token_endpoint_auth_method") is None:
        after["token_endpoint_auth_method"] = record.registration.get("token_endpoint_auth_method")
    return _step(
        situation,
        application,
        UPDATE,
        UPDATE_APPLICATION,
        reason,
        record=record,
        before=before,
        after=after,
        # RFC 7592 section 2.2: any answer may carry another secret
        after_unknown=("client_secret", "secret_fingerprint"),
    )


def _absent(
    situation: Situation, application: Application, record: ApplicationRecord | None, seen: ObservedApplication
) -> Step:
    vendor = situation.vendor_of(application)
    handoff = vendor.application_handoff(application, seen)
    sentence = seen.problem or f"{vendor.title} has no application called {application.name!r}"
    return _step(
        situation,
        application,
        CREATE,
        HANDOFF,
        Reason("application-gone" if record else "application-missing", sentence),
        record=record,
        after=of_wanted_application(application, BY_HANDOFF, {}),
        after_unknown=("client_id", "client_secret", "secret_fingerprint"),
        handoff=handoff,
    )


def _existing(
    situation: Situation, application: Application, record: ApplicationRecord | None, seen: ObservedApplication | None
) -> Step:
    """It exists: found by name, or given by its id. Adopted on the first apply, compared ever after."""
    vendor = situation.vendor_of(application)
    known = _known(application, record, seen)
    waited = str(application.address) in situation.state.handoffs
    managed = record.managed if record else (BY_HANDOFF if waited else ADOPTED)
    if managed == CREATED and record is not None and known.get("client_id") not in (None, record.client_id):
        managed = ADOPTED  # the client that takes the place of the one that we registered is somebody else's to delete
    current = of_wanted_application(application, managed, known)
    handoff = vendor.application_handoff(application, seen) if seen is not None else None
    importing = None
    operation = ADOPT_APPLICATION if record is None or _differs(record, seen) else NOTHING
    if record is None:
        importing = known.get("client_id") or situation.imports.get(application.address) or application.name
    if handoff is not None:
        lacking = _differences(application, seen)
        reason = Reason("application-differs", f"at {vendor.title} it differs from what is declared: {lacking}")
        # `after` is what is declared; `before` what the vendor has, recorded or only seen.
        before = current | {"scopes": list(seen.scopes) if seen and seen.scopes is not None else current["scopes"]}
        if seen is not None:
            before |= {"token_lifetime": seen.token_lifetime, "name": seen.name or application.name}
        after = current | {"scopes": list(application.scopes), "token_lifetime": application.token_lifetime}
        return _step(
            situation,
            application,
            UPDATE,
            operation if operation == ADOPT_APPLICATION else HANDOFF,
            reason,
            record=record,
            before=before,
            after=after | {"name": application.name},
            handoff=handoff,
            importing=importing,
        )
    if record is None:
        reason = Reason("adopted", f"exists at {vendor.title}, and is taken over")
        return _step(
            situation,
            application,
            NOOP,
            operation,
            reason,
            before=current,
            after=current,
            importing=importing or application.name,
        )
    client_id = known.get("client_id")
    if client_id is not None and record.client_id is not None and client_id != record.client_id:
        reason = Reason("client-changed", f"client {client_id} is declared in the place of {record.client_id}")
        return _step(situation, application, UPDATE, ADOPT_APPLICATION, reason, record=record, after=current)
    return _settled(situation, application, record, current, operation)


def _settled(
    situation: Situation, application: Application, record: ApplicationRecord, current: dict[str, Any], operation: str
) -> Step:
    """As declared. Only a changed guard remains to be told."""
    if record.prevent_destroy != application.prevent_destroy:
        reason = Reason("guard-changed", "prevent_destroy is declared otherwise than recorded")
        after = of_record(record, situation.now) | {"prevent_destroy": application.prevent_destroy}
        return _step(
            situation,
            application,
            UPDATE,
            operation if operation != NOTHING else RECORD,
            reason,
            record=record,
            after=after,
        )
    moved = record.id in situation.previous
    return _step(
        situation,
        application,
        NOOP,
        MOVE if moved and operation == NOTHING else operation,
        Reason("moved", f"was {situation.previous[record.id]}") if moved else Reason("current", "as declared"),
        record=record,
        after=of_record(record, situation.now),
    )


def _known(
    application: Application, record: ApplicationRecord | None, seen: ObservedApplication | None
) -> dict[str, Any]:
    """What is known of it beyond the declaration: the vendor's word first, then the record's, then a literal id."""
    found: dict[str, Any] = {}
    if isinstance(application.client_id, str):
        found["client_id"] = application.client_id
    if record is not None:
        found |= {"secret_fingerprint": record.secret_fingerprint, "scopes": list(record.scopes)}
        found.setdefault("client_id", record.client_id)
    if seen is not None:
        found |= {
            key: value
            for key, value in (
                ("client_id", seen.client_id),
                ("secret_fingerprint", seen.secret_fingerprint),
                ("scopes", list(seen.scopes) if seen.scopes is not None else None),
                ("token_lifetime", seen.token_lifetime),
            )
            if value is not None
        }
    return found


def _differs(record: ApplicationRecord, seen: ObservedApplication | None) -> bool:
    """Whether what the vendor shows is not what is recorded: then it is recorded anew."""
    if seen is None:
        return False
    return any(
        shown is not None and shown != recorded
        for shown, recorded in (
            (seen.client_id, record.client_id),
            (seen.scopes, record.scopes),
            (seen.token_lifetime, record.token_lifetime),
            (seen.secret_fingerprint, record.secret_fingerprint),
        )
    )


def _differences(application: Application, seen: ObservedApplication | None) -> str:
    if seen is None:
        return "not looked at"
    found = []
    if seen.scopes is not None and set(seen.scopes) != set(application.scopes):
        found.append(f"scopes {' '.join(seen.scopes) or '(none)'} instead of {' '.join(application.scopes)}")
    if application.token_lifetime and seen.token_lifetime != application.token_lifetime:
        found.append(f"token_lifetime {seen.token_lifetime} instead of {application.token_lifetime}")
    if seen.name is not None and seen.name != application.name:
        found.append(f"name {seen.name!r} instead of {application.name!r}")
    return seen.problem or "; ".join(found) or "see the instructions"


def drop_application(
    situation: Situation, address: Address, record: ApplicationRecord, depends_on: tuple[str, ...]
) -> Step:
    """The step of a recorded application that is to go. `depends_on`: its tokens' steps, which must end first."""
    vendor = situation.vendors(record.provider_type)
    forget = record.id in situation.forgotten
    handoff: Handoff | None = None
    sentence, terraforms = situation.gone(address)
    if forget:
        action, operation, reason = FORGET, FORGET_RECORD, Reason("removed", "a removed block says to forget it")
    elif record.managed == CREATED and (handoff := vendor.delete_handoff(record)) is not None:
        action, operation = FORGET, FORGET_RECORD
        reason = Reason("not-declared", f"{sentence}; its server gave no way to delete it")
    elif record.managed == CREATED:
        action, operation, reason = DELETE, DELETE_APPLICATION, Reason("not-declared", sentence)
    else:
        action, operation = FORGET, FORGET_RECORD
        reason = Reason("not-declared", f"{sentence}; it is left at the vendor, where people made it")
        handoff = vendor.delete_handoff(record) if record.managed == BY_HANDOFF else None
    return Step(
        id=str(address),
        address=address,
        action=action,
        operation=operation,
        reason=reason,
        provider=record.provider,
        provider_type=record.provider_type,
        object_id=record.id,
        action_reason=terraforms if action == DELETE else None,
        before=of_record(record, situation.now),
        before_sensitive=_SECRET,
        handoff=handoff,
        depends_on=depends_on,
    )


def _step(
    situation: Situation,
    application: Application,
    action: tuple[str, ...],
    operation: str,
    reason: Reason,
    *,
    record: ApplicationRecord | None = None,
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None,
    after_unknown: tuple[str, ...] = (),
    action_reason: str | None = None,
    handoff: Handoff | None = None,
    importing: str | None = None,
) -> Step:
    if before is None and record is not None:
        before = of_record(record, situation.now)
    return Step(
        id=str(application.address),
        address=application.address,
        action=action,
        operation=operation,
        reason=reason,
        provider=application.provider,
        provider_type=situation.provider_type(application.provider),
        object_id=record.id if record else None,
        action_reason=action_reason,
        before=before,
        after=after,
        after_unknown=after_unknown,
        before_sensitive=_SECRET if before is not None else (),
        after_sensitive=_SECRET if after is not None else (),
        importing=importing,
        previous_address=situation.previous.get(record.id) if record else None,
        handoff=handoff,
    )
