"""The exit code of an apply (contract section 3): interrupted, then the state, then failures, then what waits."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from provisioner.engine.doubt import BY_A_PERSON, row
from provisioner.engine.events import FAILED, HANDOFF, IN_DOUBT, StepResult
from provisioner.errors import ProviderFailed, ProvisionerError
from provisioner.model.desired import Desired
from provisioner.model.plan import PURCHASE
from provisioner.model.recorded import Operation

# Diagnostics of a step that is done, and still leaves something to a person.
_WAITS = frozenset({"scopes-narrower", "lifetime-exceeded", "floor-unmet"})


def exit_code(
    results: Sequence[StepResult],
    errors: Sequence[ProvisionerError],
    *,
    halted: ProvisionerError | None,
    interrupted: bool,
    doubts: Iterable[Operation],
    desired: Desired,
) -> int:
    """`errors` are those of the failed steps, and of what a run does after its steps; `doubts` what is open now."""
    if interrupted:
        return 130
    if halted is not None:
        return halted.exit_code
    if any(result.status == FAILED for result in results):
        return 8 if errors and all(isinstance(error, ProviderFailed) for error in errors) else 1
    left = list(doubts)
    waits = any(_waits(result) for result in results) or blocks_a_floor(left, desired) or any(map(asks_a_person, left))
    return max((_after(error) for error in errors), default=0, key=_WORST.index) or (3 if waits else 0)


_WORST = (0, 3, 8, 1)  # the exit codes of what came after the steps, the mildest first


def _after(error: ProvisionerError) -> int:
    return error.exit_code if error.exit_code in _WORST else 1


def _waits(result: StepResult) -> bool:
    return result.status in (HANDOFF, IN_DOUBT) or any(d.name in _WAITS for d in result.diagnostics)


def asks_a_person(operation: Operation) -> bool:
    """A doubt that no run can settle: it waits until somebody looked at the provider and said what happened."""
    return row(operation.op).ends == BY_A_PERSON


def blocks_a_floor(doubts: Iterable[Operation], desired: Desired) -> bool:
    """A purchase in doubt at an account whose floor is declared: nothing is bought there until a person looks."""
    floors = {floor.provider for floor in desired.credits}
    return any(operation.op == PURCHASE and operation.provider in floors for operation in doubts)
