"""Handlers of `plan` and `drift`: what would be done, and what changed. Neither can change anything."""

from __future__ import annotations

import argparse

from provisioner import times
from provisioner.cli import reports
from provisioner.cli.console import Console
from provisioner.cli.options import duration, file_options, moment, plan_options, state_options
from provisioner.cli.views.base import View
from provisioner.errors import Unsafe

CHANGES = 2


def plan(typed: argparse.Namespace, console: Console, view: View) -> int:
    from provisioner.commands import plan as command

    request = command.PlanRequest(
        file=file_options(typed),
        state=state_options(typed),
        planning=plan_options(typed),
        at=moment(typed.at, times.now()),
        refresh=typed.refresh,
        out=typed.out,
        generate_config_out=typed.generate_config_out,
        horizon=None if typed.horizon is None else duration("--horizon", typed.horizon),
    )
    found = command.plan(request, view, reveal=console.masker.add)
    reports.of_plan(found.plan, typed, console, found.due)
    if typed.generate_config_out is not None:
        view.say(f"Wrote {typed.generate_config_out}. Review it, and name it in [stack] include.\n")
    due = None if typed.horizon is None else found.due
    view.plan(found.plan, saved_to=typed.out, due=due)
    if found.plan.refused:
        return Unsafe.exit_code
    return CHANGES if typed.detailed_exitcode and found.plan.has_changes else 0


def drift(typed: argparse.Namespace, console: Console, view: View) -> int:
    from provisioner.commands import drift as command

    request = command.DriftRequest(file=file_options(typed), state=state_options(typed))
    found = command.drift(request, view, reveal=console.masker.add)
    view.drift(found)
    return CHANGES if typed.detailed_exitcode and found.drift else 0
