"""The one place that announces, sends and records a change: intent → send → parse → outcome (design section 3).

    ctx.under_way     only so many changes are announced and unanswered at a time (`threads.most_announced`)
    ctx.gate()        nobody asked to stop, and the recorded state can still be written
    intent            durable before the request: what will be sent, what was read before it, never a secret
    send()            once; the provider parses strictly, and a secret goes straight into a `Secret`
    outcome           durable, with sealed secrets, before anything uses them

A caller verifies and goes on only after `perform` has returned. Whatever else happens has an entry of its own: a
definite no is an outcome `refused` (or `not-sent`), no answer is `doubt` or `settled` as `doubt.TABLE` says, and a
minted secret that cannot be recorded is handed to `unrecorded`.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any, TypeVar

from provisioner.engine import drafts
from provisioner.engine.context import Context, Stopped
from provisioner.engine.doubt import settle_at_once, unanswered
from provisioner.errors import (
    BadAnswer,
    CredentialsRefused,
    InDoubt,
    NeedsPerson,
    ProvisionerError,
    RateLimited,
    StateUntrusted,
    StepRefused,
    StoreFailed,
    Unreachable,
)
from provisioner.journal.journal import Draft
from provisioner.model.plan import Step
from provisioner.model.recorded import Operation, ResourceRecord
from provisioner.records import dataclass, field

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a done (or refused) operation changes in the recorded state. `also` are entries that must be durable with
    it."""

    put: tuple[ResourceRecord, ...] = ()
    drop: tuple[str, ...] = ()
    amount: Any = None
    detail: str | None = None
    result: str = drafts.DONE
    also: tuple[Draft, ...] = field(default=())


class Unproven(InDoubt):
    """A change in doubt, with what was read since it was sent."""

    def __init__(self, error: InDoubt, evidence: Mapping[str, Any]) -> None:
        first = error.diagnostics[0]
        super().__init__(first.name, first.summary, first.detail)
        self.evidence = dict(evidence)


def announce(ctx: Context, step: Step, op: str, **more: Any) -> Operation:
    """A new operation for this step, not yet written."""
    return Operation(
        id=secrets.token_hex(8),
        address=step.address,
        op=op,
        run=ctx.run.id,
        since=ctx.clock(),
        provider=more.pop("provider", step.provider),
        provider_type=more.pop("provider_type", step.provider_type),
        **more,
    )


def perform(
    ctx: Context,
    operation: Operation,
    send: Callable[[], T],
    outcome: Callable[[T], Outcome],
    *,
    reason: str,
    refused: Callable[[StepRefused], Outcome] | None = None,
    unrecorded: Callable[[T, tuple[Draft, ...]], ProvisionerError] | None = None,
) -> T:
    """One change, by the protocol above. Raises what the vendor said (StepRefused, ProviderFailed), InDoubt once the
    doubt is recorded, StoreFailed or StateUntrusted where it cannot be recorded, Stopped where nothing was announced.

    `refused` says what a definite no changes in the state; `unrecorded` saves a minted secret whose outcome could not
    be written (there are no drafts where not even sealing worked) and returns the error to raise.
    """
    with ctx.under_way:
        ctx.gate()
        ctx.announced.add(operation.address)
        ctx.append(drafts.intent(operation, reason))
        result = _send(ctx, operation, send, refused)
    written: tuple[Draft, ...] = ()
    try:
        found = outcome(result)
        written = (_outcome_draft(operation, found), *found.also)
        ctx.append(*written)
    except Exception as error:  # whatever it is, a minted secret must not be dropped with it
        if isinstance(error, ProvisionerError):
            ctx.halt(error)
        else:
            ctx.halt(_not_recorded(operation))
        if unrecorded is None:
            raise
        raise unrecorded(result, written) from None
    return result


def _outcome_draft(operation: Operation, found: Outcome) -> Draft:
    return drafts.outcome(
        operation, found.result, put=found.put, drop=found.drop, amount=found.amount, detail=found.detail
    )


def _not_recorded(operation: Operation) -> StoreFailed:
    summary = f"the outcome of operation {operation.id} could not be recorded"
    return StoreFailed("not-recorded", summary, "Run `provisioner apply` again.", address=str(operation.address))


def _send(
    ctx: Context, operation: Operation, send: Callable[[], T], refused: Callable[[StepRefused], Outcome] | None
) -> T:
    try:
        ctx.may_send()
    except Stopped:
        _unsent(ctx, operation)
        raise
    try:
        return send()
    except (InDoubt, BadAnswer) as error:
        raise _in_doubt(ctx, operation, error) from None
    except StepRefused as error:
        found = refused(error) if refused is not None else Outcome()
        detail = found.detail or error.diagnostics[0].summary
        ended = drafts.outcome(operation, drafts.REFUSED, put=found.put, drop=found.drop, detail=detail)
        ctx.append(ended, *found.also)
        raise
    except ProvisionerError as error:
        # CredentialsRefused and a person's no are answers; everything else a provider raises means that nothing was
        # sent.
        if isinstance(error, Unreachable) and error.diagnostics[0].name == "interrupted":  # it waited for its turn
            _unsent(ctx, operation)
            raise Stopped from None
        result = drafts.REFUSED if isinstance(error, CredentialsRefused | NeedsPerson) else drafts.NOT_SENT
        if isinstance(error, StoreFailed | StateUntrusted):
            ctx.halt(error)
            with suppress(ProvisionerError):
                ctx.append(drafts.outcome(operation, result, detail=error.diagnostics[0].summary))
            raise
        ctx.append(drafts.outcome(operation, result, detail=error.diagnostics[0].summary))
        raise
    except Exception as error:
        # A fault of ours: nobody knows whether the request left. The text may hold a secret, so only the type is kept.
        broken = InDoubt("internal", f"{type(error).__name__} while {operation.op} was on its way")
        raise _in_doubt(ctx, operation, broken) from error


def _unsent(ctx: Context, operation: Operation) -> None:
    """Where not even that can be written, the next run finds the intent alone and treats it as in doubt."""
    with suppress(ProvisionerError):
        ctx.append(drafts.outcome(operation, drafts.NOT_SENT, detail="the run was stopping"))


def _in_doubt(ctx: Context, operation: Operation, error: ProvisionerError) -> InDoubt:
    """Records that no answer came, as the table says, and returns the error to raise."""
    evidence = getattr(error, "evidence", {})
    summary = error.diagnostics[0].summary
    settled = settle_at_once(operation, ctx.wanted, ctx.vendors, ctx.token(operation.address))
    if settled is not None:
        # The intent says what was sent; that nothing came back stands in the one entry that settles it.
        ctx.append(settled)
    else:
        ctx.append(drafts.doubt(operation, evidence, summary))
    return unanswered(operation, summary)


def record(ctx: Context, step: Step, op: str, *, put: Iterable[ResourceRecord] = (), drop: Iterable[str] = ()) -> None:
    """A change of the recorded state alone (adopt, forget, move): announced and done in one durable append."""
    ctx.gate()
    operation = announce(ctx, step, op, object_id=step.object_id)
    ctx.append(
        drafts.intent(operation, step.reason.sentence), drafts.outcome(operation, drafts.DONE, put=put, drop=drop)
    )


def patiently(ctx: Context, attempt: Callable[[], T]) -> T:
    """Repeats `attempt`, which announces a new operation each time, while the vendor answers "not now".

    Never for a purchase. Raises RateLimited after `Patience.rate_limits` waits, Interrupted where somebody asks to
    stop.
    """
    for _ in range(ctx.patience.rate_limits):
        try:
            return attempt()
        except RateLimited as error:
            ctx.wait(min(max(error.retry_after, 0.05), ctx.patience.longest_wait))
    return attempt()
