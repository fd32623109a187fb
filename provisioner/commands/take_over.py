"""`import ADDRESS ID`: take over one thing that exists, by the very steps that an `[[import]]` block would take."""

from __future__ import annotations

from collections.abc import Callable
from difflib import get_close_matches

from provisioner import providers
from provisioner.commands.apply import Applied, ApplyRequest, apply
from provisioner.commands.filing import FileOptions, load_file
from provisioner.commands.generating import Generator
from provisioner.commands.looking import parse
from provisioner.commands.opening import Interrupts, Reveal, StateOptions
from provisioner.commands.plan import PlanRequest, plan
from provisioner.engine.events import Listener
from provisioner.errors import Invalid
from provisioner.model.desired import Desired, ImportBlock
from provisioner.model.plan import Plan, PlanOptions
from provisioner.providers.base import Applications
from provisioner.records import dataclass, replace


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportRequest:
    file: FileOptions
    state: StateOptions
    address: str
    id: str
    generate_config_out: str | None = None


def take_over(
    request: ImportRequest, listener: Listener, *, show: Callable[[Plan], None], interrupts: Interrupts, reveal: Reveal
) -> Applied:
    """Only the one address is touched. Raises Invalid where nothing is declared there, or the vendor has no such id."""
    desired = load_file(request.file)
    address = parse(request.address)
    if address.type != "application":
        raise Invalid(
            "unsupported",
            f"{request.address} cannot be imported",
            "Applications can. A token is minted by apply, and credits are taken up by declaring them.",
        )
    declared = next((application for application in desired.applications if application.address == address), None)
    if declared is None:
        near = get_close_matches(request.address, [str(a.address) for a in desired.applications], 1, 0.6)
        generate = f"provisioner import --generate-config-out FILE {request.address} {request.id}"
        raise Invalid(
            "unknown-address",
            f"{request.address} is not declared",
            (f"Did you mean {near[0]}? " if near else "") + f"Declare it first: `{generate}` writes the TOML.",
        )
    vendor = providers.vendor(desired.providers[declared.provider].type)
    if vendor.applications is Applications.NONE:
        raise Invalid(
            "unsupported",
            f"{request.address} cannot be imported: {vendor.title} has no applications",
            "Its tokens are made by `provisioner apply`.",
        )
    wanted = _with_import(desired, request)
    generator = None if request.generate_config_out is None else Generator(request.generate_config_out)

    def approve(made: Plan) -> bool:
        step = next((step for step in made.steps if step.address == address), None)
        if step is None or step.importing is None:
            return False
        seen = made.observed.of(step.provider).applications.get(str(address))
        if seen is not None and seen.client_id not in (None, request.id):
            raise _another(request, str(seen.client_id))
        # that the rest of the file is left alone is what importing one address means
        show(replace(made, diagnostics=tuple(d for d in made.diagnostics if d.name != "incomplete")))
        return True

    done = apply(
        ApplyRequest(file=request.file, state=request.state, planning=PlanOptions(targets=(str(address),))),
        listener,
        approve=approve,
        interrupts=interrupts,
        reveal=reveal,
        command="import",
        desired=wanted,
    )
    if done.result is None and not done.plan.refused:
        raise _nothing(request, done.plan)
    if generator is not None:
        step = next(step for step in done.plan.steps if step.address == address)
        seen = done.plan.observed.of(step.provider).applications.get(str(address))
        if seen is not None:
            generator.add(address.name, step.provider, seen)
        generator.write()
    return done


def generate(request: ImportRequest, listener: Listener, reveal: Reveal) -> bool:
    """TOML for an address that is not declared yet; nothing is recorded. False where it is declared, or nobody
    asked."""
    if request.generate_config_out is None:
        return False
    address = parse(request.address)
    declared = load_file(replace(request.file, generating=True)).applications
    if address.type != "application" or any(application.address == address for application in declared):
        return False
    plan(
        PlanRequest(
            file=request.file,
            state=request.state,
            planning=PlanOptions(),
            generate_config_out=request.generate_config_out,
            imports=(ImportBlock(to=address, id=request.id),),
        ),
        listener,
        reveal,
    )
    return True


def _with_import(desired: Desired, request: ImportRequest) -> Desired:
    address = parse(request.address)
    kept = tuple(block for block in desired.imports if block.to != address)
    return replace(desired, imports=(*kept, ImportBlock(to=address, id=request.id)))


def _another(request: ImportRequest, found: str) -> Invalid:
    return Invalid(
        "unknown-address",
        f"What {request.address} declares has the id {found} at the vendor, not {request.id}",
        "Nothing was recorded. Check the id, and the name that is declared.",
        address=request.address,
    )


def _nothing(request: ImportRequest, made: Plan) -> Invalid:
    recorded = any(str(step.address) == request.address and step.before is not None for step in made.steps)
    if recorded:
        return Invalid(
            "duplicate",
            f"{request.address} is recorded already",
            "`provisioner state rm` forgets it, where another is meant.",
        )
    problem = next(
        (
            seen.problem
            for provider in made.observed.providers.values()
            if (seen := provider.applications.get(request.address)) is not None and seen.problem
        ),
        None,
    )
    detail = problem or "Look the id up in the vendor's panel."
    return Invalid(
        "unknown-address", f"There is nothing with the id {request.id} to import at {request.address}", detail
    )
