"""Handlers of what changes something at the providers: apply, destroy, refresh, import."""

from __future__ import annotations

import argparse
import sys

from provisioner import times
from provisioner.cli import reports, signals
from provisioner.cli.console import Console
from provisioner.cli.options import file_options, moment, plan_options, state_options
from provisioner.cli.views.base import View, each
from provisioner.errors import Diagnostic, Invalid, Unsafe
from provisioner.model.plan import Plan
from provisioner.render import human_apply
from provisioner.render.style import Style


def apply(typed: argparse.Namespace, console: Console, view: View) -> int:
    return _apply(typed, console, view, mode=None)


def destroy(typed: argparse.Namespace, console: Console, view: View) -> int:
    typed.planfile = None
    return _apply(typed, console, view, mode="destroy")


def refresh(typed: argparse.Namespace, console: Console, view: View) -> int:
    typed.planfile, typed.auto_approve = None, True
    return _apply(typed, console, view, mode="refresh-only")


def _apply(typed: argparse.Namespace, console: Console, view: View, mode: str | None) -> int:
    from provisioner.commands import apply as command

    asker = _Asker(typed, console, view)
    if typed.planfile is None:
        asker.refuse_without_terminal()
        request = command.ApplyRequest(
            file=file_options(typed),
            state=state_options(typed),
            planning=plan_options(typed, mode),
            at=moment(typed.at, times.now()),
            refresh=typed.refresh,
        )
        done = command.apply(
            request, view, approve=asker.approve, interrupts=signals.first_asks, reveal=console.masker.add
        )
    else:
        _nothing_but_the_plan(typed)
        saved = command.ApplyPlanRequest(file=file_options(typed), state=state_options(typed), planfile=typed.planfile)
        done = command.apply_plan(
            saved, view, show=asker.reviewed, interrupts=signals.first_asks, reveal=console.masker.add
        )
    if done.result is None:
        return Unsafe.exit_code if done.plan.refused else asker.cancelled(done.plan)
    destroying = done.plan.options.mode == "destroy"
    stack = done.plan.stack
    each(view, reports.of_apply(done.result, stack, typed.markdown, console, destroying=destroying))
    view.applied(done.result, operation="destroy" if destroying else "apply")
    return done.result.exit_code


class _Asker:
    """Shows a plan, and asks where nobody has said yes beforehand."""

    def __init__(self, typed: argparse.Namespace, console: Console, view: View) -> None:
        self.typed, self.console, self.view = typed, console, view
        self.asked = False

    def refuse_without_terminal(self) -> None:
        """Before anything is opened or locked: a pipeline without approval must learn it at once."""
        if self.typed.auto_approve:
            return
        if not self.typed.input or self.typed.json or not self.console.interactive(sys.stdin):
            raise Invalid(
                "needs-approval",
                "Nobody can be asked to approve this apply",
                "Add --auto-approve, or save a plan with `provisioner plan --out FILE` and apply that file. "
                "With --json, or --input=false, nothing is ever asked.",
            )

    def show(self, plan: Plan) -> None:
        self.view.plan(plan, will_apply=True)

    def reviewed(self, plan: Plan) -> None:
        self.view.plan(plan, will_apply=True, reviewed=True)

    def approve(self, plan: Plan) -> bool:
        """Show the plan; True where it may run. A plan that safety refuses is shown, and is not asked about."""
        self.show(plan)
        if plan.refused:
            return False
        if self.typed.auto_approve or not plan.has_changes:
            return True
        self.asked = True
        style = Style(color=self.console.colour())
        return self.console.ask(human_apply.approval_question(plan.stack, style, mode=plan.options.mode)) == "yes"

    def cancelled(self, plan: Plan) -> int:
        destroying = plan.options.mode == "destroy"
        text = human_apply.DESTROY_CANCELLED if destroying else human_apply.CANCELLED
        self.view.diagnostic(Diagnostic(name="cancelled", summary=text, detail="Nothing was sent."))
        return 1


def _nothing_but_the_plan(typed: argparse.Namespace) -> None:
    """A saved plan says what is done: options that would make another one contradict it."""
    given = [
        flag
        for flag, value in (
            ("--destroy", typed.destroy),
            ("--refresh-only", typed.refresh_only),
            ("--refresh=false", not typed.refresh),
            ("--target", typed.target),
            ("--exclude", typed.exclude),
            ("--replace", typed.replace),
            ("--allow", typed.allow),
            ("--at", typed.at),
        )
        if value
    ]
    if given:
        raise Invalid(
            "usage",
            f"{', '.join(given)} cannot be used with a saved plan",
            "Give them to `provisioner plan --out FILE`.",
        )


def take_over(typed: argparse.Namespace, console: Console, view: View) -> int:
    from provisioner.commands import take_over as command

    request = command.ImportRequest(
        file=file_options(typed),
        state=state_options(typed),
        address=typed.address,
        id=typed.id,
        generate_config_out=typed.generate_config_out,
    )
    if command.generate(request, view, console.masker.add):
        view.say(f"Wrote {typed.generate_config_out}. Review it, name it in [stack] include, and import again.")
        return 0
    done = command.take_over(
        request,
        view,
        show=lambda plan: view.plan(plan, will_apply=True),
        interrupts=signals.first_asks,
        reveal=console.masker.add,
    )
    if done.result is None:
        return Unsafe.exit_code
    view.applied(done.result)
    return done.result.exit_code
