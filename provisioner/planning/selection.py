"""`--target`, `--exclude`, `--replace`: which steps a plan keeps. An address that names nothing is an error."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from provisioner.address import Address, parse_address
from provisioner.errors import Diagnostic, Invalid
from provisioner.model.desired import Desired
from provisioner.model.plan import DELETE, FORGET, PlanOptions, Step
from provisioner.providers.base import Applications, Vendor


def addresses(texts: Iterable[str], known: Iterable[Address], flag: str) -> tuple[Address, ...]:
    """Parses what a flag named. Raises Invalid with every name that matches nothing, and a suggestion for each."""
    known = tuple(known)
    found, problems = [], []
    for text in texts:
        try:
            address = parse_address(text)
        except ValueError as error:
            problems.append(Diagnostic(name="usage", summary=f"{flag}: {error}"))
            continue
        if not any(_covers(address, candidate) for candidate in known):
            problems.append(_unknown(flag, address, known))
        found.append(address)
    if problems:
        raise Invalid.of(problems)
    return tuple(found)


def replacements(
    texts: Iterable[str], desired: Desired, recorded: Iterable[Address], vendors: Callable[[str], Vendor]
) -> tuple[Address, ...]:
    """What `--replace` named: tokens, and applications that are registered by API, each to its last key. Raises
    Invalid for anything else, because a replacement that is asked for and never comes misleads."""
    at = {a.address: vendors(desired.providers[a.provider].type) for a in desired.applications}
    there = {address for address, vendor in at.items() if vendor.applications is not Applications.NONE}
    tokens = {address for application in desired.applications for address, _ in application.token_addresses}
    made = {
        application.address
        for application in desired.applications
        if application.client_id is None and at[application.address].applications is Applications.REGISTERED
    }
    fixed = (there - made) | {floor.address for floor in desired.credits}
    undeclared = {address for address in recorded if address.type != "credits"} - fixed  # these go, or are among ours
    found = addresses(texts, {*tokens, *made, *fixed, *undeclared}, "--replace")
    replaceable = tokens | made | undeclared
    problems = [
        _irreplaceable(address, sorted(replaceable), at.get(address)) for address in found if address not in replaceable
    ]
    if problems:
        raise Invalid.of(problems)
    return found


def _irreplaceable(address: Address, replaceable: list[Address], vendor: Vendor | None) -> Diagnostic:
    below = [f"--replace='{one}'" for one in replaceable if _covers(address, one)]
    if below:
        return Diagnostic(
            name="unknown-address",
            summary=f"--replace={address} names none of its instances",
            detail=f"Each is replaced by its own name: {' '.join(below[:5])}{' ...' if len(below) > 5 else ''}",
        )
    if vendor is None:
        why, advice = "a floor has nothing to replace", "Tokens and registered applications can be replaced."
    else:
        why = f"only a person can make an application anew at {vendor.title}"
        advice = f"Its tokens can be replaced: --replace='{address.as_type('token')}'."
    return Diagnostic(name="unsupported", summary=f"--replace={address}: {why}", detail=advice)


def _unknown(flag: str, named: Address, known: tuple[Address, ...]) -> Diagnostic:
    from difflib import get_close_matches

    text = str(named)
    # what bears the same name is nearer than any spelling: a vendor without applications has tokens alone
    same = [str(address) for address in known if address.name == named.name]
    near = get_close_matches(text, same, 1, 0.0) or get_close_matches(text, [str(one) for one in known], 1, 0.6)
    hint = f"Did you mean {near[0]}?" if near else "`provisioner state list` and the file show what there is."
    return Diagnostic(
        name="unknown-address", summary=f"{flag}={text} names nothing in the file or the state", detail=hint
    )


def _covers(wanted: Address, candidate: Address) -> bool:
    """An address without all keys stands for every instance below it, as in Terraform."""
    return (
        wanted.type == candidate.type
        and wanted.name == candidate.name
        and candidate.keys[: len(wanted.keys)] == wanted.keys
    )


def select(steps: tuple[Step, ...], options: PlanOptions, known: Iterable[Address]) -> tuple[Step, ...]:
    """The steps that `--target` and `--exclude` leave. A target brings what it depends on: a token its application.

    An excluded step takes those that depend on it with it, because they could not run.
    """
    if not (options.targets or options.excludes):
        return steps
    known = tuple(known)
    targets = addresses(options.targets, known, "--target")
    excludes = addresses(options.excludes, known, "--exclude")
    by_id = {step.id: step for step in steps}
    needs = _needs(steps)
    kept = {s.id for s in steps if not targets or any(_covers(t, s.address) for t in targets)}
    pending = list(kept)
    while pending:
        for needed in needs[pending.pop()]:
            if needed in by_id and needed not in kept:
                kept.add(needed)
                pending.append(needed)
    dropped = {s.id for s in steps if any(_covers(e, s.address) for e in excludes)}
    while more := {s.id for s in steps if s.id not in dropped and dropped.intersection(needs[s.id])}:
        dropped |= more
    return tuple(step for step in steps if step.id in kept and step.id not in dropped)


def _needs(steps: tuple[Step, ...]) -> dict[str, tuple[str, ...]]:
    """What each step depends on, by id: what it waits for, and of a token its application, waited for or not; but a
    token that goes takes no application with it."""
    stays = (step for step in steps if step.address.type == "application" and step.action not in (DELETE, FORGET))
    applications = {step.address: step.id for step in stays}
    found = {}
    for step in steps:
        address = step.address.as_type("application")
        above = [Address(address.type, address.name, address.keys[:n]) for n in range(len(address.keys) + 1)]
        own = [applications[a] for a in above if step.address.type == "token" and a in applications]
        found[step.id] = (*step.depends_on, *own)
    return found
