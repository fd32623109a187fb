"""`(desired, recorded, observed, now) → Plan`. No I/O, no clock, no randomness: the same inputs give the same plan.

A decision table of every situation stands in docs/architecture.md; the rooms beside this one hold its rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime

from provisioner import providers
from provisioner.address import Address
from provisioner.errors import Diagnostic, Invalid
from provisioner.model.desired import Desired
from provisioner.model.observed import Observed
from provisioner.model.plan import Plan, PlanOptions, Reason, Spend, Step
from provisioner.model.recorded import ApplicationRecord, CreditsRecord, Operation, State, TokenRecord
from provisioner.planning import applications, floors, provider_change, refactoring, renewal, safety, selection, tokens
from provisioner.planning.drift import find_drift, strangers
from provisioner.planning.registered import secret_ending
from provisioner.planning.situation import Situation
from provisioner.providers.base import Vendor
from provisioner.records import replace

DESTROYED = Reason("destroy", "the whole stack is to be destroyed")


def make_plan(
    desired: Desired,
    state: State,
    observed: Observed,
    now: datetime,
    options: PlanOptions = PlanOptions(),  # noqa: B008  # frozen, so sharing it is safe
    *,
    variables: Mapping[str, str] | None = None,
    vendors: Callable[[str], Vendor] = providers.vendor,
) -> Plan:
    """Decides every step. Raises Invalid for a flag or a refactoring block that contradicts the file or the state."""
    if options.mode == "destroy":
        desired = replace(desired, applications=(), credits=(), removed=(), imports=())
    situation = situation_of(desired, state, observed, now, options, vendors)
    diagnostics: list[Diagnostic] = []
    spends: list[Spend] = []
    steps: list[Step] = []
    if options.mode != "refresh-only":
        _plan_all(situation, steps, spends, diagnostics)
        steps = list(_in_order(steps))
        _allowed(options, (*situation.records, *(step.address for step in steps)))
        if options.targets or options.excludes:
            known = {*situation.records, *(step.address for step in steps)}
            steps = list(selection.select(tuple(steps), options, known))
            chosen = {step.address for step in steps}
            spends = [spend for spend in spends if spend.address in chosen]
            named = {str(address) for address in chosen}
            diagnostics = [d for d in diagnostics if d.address is None or d.address in named]
        diagnostics += safety.judge(steps, spends, state, desired.safety, options)
        if options.targets or options.excludes:
            diagnostics.append(_incomplete())
    else:
        diagnostics.extend(strangers(state, observed))
    if not observed.refreshed:
        diagnostics.append(_not_refreshed())
    return Plan(
        stack=desired.stack,
        now=now,
        lineage=state.lineage,
        serial=state.serial,
        head=state.head,
        options=options,
        observed=observed,
        steps=tuple(steps),
        drift=find_drift(state, observed, refactoring.relocate(desired, state)[0]),
        spends=tuple(spends),
        diagnostics=tuple(diagnostics),
        variables=dict(variables if variables is not None else desired.variables),
    )


def _allowed(options: PlanOptions, known: Iterable[Address]) -> None:
    """Raises Invalid where `--allow prevent_destroy:ADDRESS` names nothing: a slip there must not look like a guard."""
    named = [text.removeprefix("prevent_destroy:") for text in options.allows if text.startswith("prevent_destroy:")]
    if named:
        selection.addresses(named, known, "--allow prevent_destroy")


def _incomplete() -> Diagnostic:
    return Diagnostic(
        name="incomplete",
        summary="Part of the file is left out",
        detail="--target or --exclude is in effect, so another plan will have changes after this one. It is meant for "
        "exceptional situations, such as recovering from a mistake.",
        severity="warning",
    )


def _not_refreshed() -> Diagnostic:
    return Diagnostic(
        name="not-refreshed",
        summary="No provider was asked",
        detail="This plan rests on what is recorded. Leave out --refresh=false to look first.",
        severity="warning",
    )


def situation_of(
    desired: Desired,
    state: State,
    observed: Observed,
    now: datetime,
    options: PlanOptions,
    vendors: Callable[[str], Vendor],
) -> Situation:
    """What every step maker needs. Raises Invalid for a `moved` block or a `--replace` that contradicts the state."""
    moves, problems = refactoring.relocate(desired, state)
    problems += refactoring.import_problems(desired, state, observed)
    if problems:
        raise Invalid.of(problems)
    records = {moves.get(r.id, r.address): r for r in state.current().values()}
    declared = {application.address: application for application in desired.applications}
    by_address: dict[Address, list[Operation]] = {}
    for operation in state.operations.values():
        moved = moves.get(operation.object_id or "", operation.address)
        by_address.setdefault(moved, []).append(operation)
    replaces: tuple[Address, ...] = ()
    if options.replaces:
        replaces = selection.replacements(options.replaces, desired, records, vendors)
    return Situation(
        desired=desired,
        state=state,
        observed=observed,
        now=now,
        options=options,
        vendors=vendors,
        records=records,
        deposed=tuple((moves.get(r.id, r.address), r) for r in state.deposed()),
        previous={object_id: state.objects[object_id].address for object_id in moves},
        forgotten=refactoring.forgotten(desired, state),
        imports={block.to: block.id for block in desired.imports},
        replaces=frozenset(replaces),
        operations={address: tuple(found) for address, found in by_address.items()},
        applications=declared,
    )


def _plan_all(situation: Situation, steps: list[Step], spends: list[Spend], diagnostics: list[Diagnostic]) -> None:
    wanted: set[Address] = set()
    by_provider: dict[str, list[Step]] = {}
    for application in situation.desired.applications:
        parent = applications.plan_application(situation, application)
        parent = provider_change.with_its_end(situation, application, parent)
        if parent is not None:
            steps.append(parent)
            wanted.add(application.address)
        for address, consumer in application.token_addresses:
            made = tokens.plan_token(situation, application, address, consumer, parent)
            steps.append(made.step)
            by_provider.setdefault(application.provider, []).append(made.step)
            diagnostics.extend(made.diagnostics)
            wanted.add(address)
        diagnostics.extend(_gaps(situation, application.address))
        client = situation.application_record(application.address)
        ending = secret_ending(client, situation.now) if client is not None else None
        if ending is not None:
            diagnostics.append(ending)
    for floor in situation.desired.credits:
        decided = floors.plan_floor(situation, floor, tuple(by_provider.get(floor.provider, ())))
        steps.append(decided.step)
        diagnostics.extend(decided.diagnostics)
        if decided.spend is not None:
            spends.append(decided.spend)
        wanted.add(floor.address)
    _drop_what_is_not_wanted(situation, wanted, steps)


def _gaps(situation: Situation, address: Address) -> list[Diagnostic]:
    """A token whose granted life is too short for the distance of runs lapses in between; said at each plan."""
    if not situation.desired.run_interval:
        return []
    application = situation.applications[address]
    found = []
    for token_address, _ in application.token_addresses:
        record = situation.token_record(token_address)
        if record is None or record.expires_at is None:
            continue
        sentence = renewal.gap(record.expires_at - record.issued_at, situation.desired.run_interval)
        if sentence is not None:
            found.append(
                Diagnostic(
                    name="lives-too-short",
                    summary=f"{token_address} cannot be kept alive between runs",
                    detail=sentence,
                    severity="warning",
                    address=str(token_address),
                )
            )
    return found


def _drop_what_is_not_wanted(situation: Situation, wanted: set[Address], steps: list[Step]) -> None:
    why = DESTROYED if situation.options.mode == "destroy" else None
    last: dict[Address, list[str]] = {}
    for address, record in situation.deposed:
        if refactoring.follow(situation.desired, record.application) in situation.applications:
            steps.append(tokens.retire(situation, address, record))
        else:
            step = _ended_with_application(situation, address, record, why)
            steps.append(step)
            last.setdefault(record.application, []).append(step.id)
    unwanted = sorted((a for a in situation.records if a not in wanted), key=lambda a: (a.type != "token", a.sort_key))
    for address in unwanted:
        found = situation.records[address]
        if isinstance(found, TokenRecord):
            step = tokens.drop_token(situation, address, found, why)
            steps.append(step)
            last.setdefault(found.application, []).append(step.id)
        elif isinstance(found, ApplicationRecord):
            # Tokens first: on some servers a deleted client's tokens live on, and nobody could revoke them then.
            step = applications.drop_application(situation, address, found, tuple(last.get(found.address, ())))
            step = provider_change.left_behind(situation, found, step, steps)
            steps.append(step if why is None or step.reason.code == "removed" else replace(step, reason=why))
        elif isinstance(found, CreditsRecord):
            step = floors.drop_floor(situation, address, found)
            steps.append(step if why is None else replace(step, reason=why))


def _ended_with_application(situation: Situation, address: Address, record: TokenRecord, why: Reason | None) -> Step:
    """A deposed token of an application that goes: revoked now, whatever its overlap; a lost one is kept in sight."""
    if record.status == "lost":
        return tokens.retire(situation, address, record)
    return tokens.drop_token(situation, address, record, why)


def _in_order(steps: list[Step]) -> tuple[Step, ...]:
    """By address, what serves before what is deposed: the order that plans are read in."""
    return tuple(sorted(steps, key=lambda step: (step.address.sort_key, step.deposed or "")))
