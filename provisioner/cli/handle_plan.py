"""Handlers of `plan` and `drift`: what would be done, and what changed. Neither can change anything."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from provisioner import times
from provisioner.cli import reports
from provisioner.cli.console import Console
from provisioner.cli.options import duration, file_options, moment, plan_options, state_options
from provisioner.cli.views.base import View
from provisioner.errors import Diagnostic, Unsafe

if TYPE_CHECKING:
    from provisioner.commands.planning import Planned

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
        _generated(typed.generate_config_out, found, view)
    due = None if typed.horizon is None else found.due
    view.plan(found.plan, saved_to=typed.out, due=due)
    if found.plan.refused:
        return Unsafe.exit_code
    return CHANGES if typed.detailed_exitcode and found.plan.has_changes else 0


def _generated(path: str, found: Planned, view: View) -> None:
    """Whether TOML was written, and what this plan leaves out because it stands in no file yet."""
    if not Path(path).exists():  # one that was there before is refused
        view.say("Nothing to write: all that the providers list is declared.\n")
        return
    view.say(f"Wrote {path}. Review it, and name it in [stack] include.\n")
    declared = {application.address for application in found.desired.applications}
    left = [str(block.to) for block in found.desired.imports if block.to not in declared]
    if left:
        advice = f"{path} declares it. Name that file in [stack] include, and plan again."
        summary = f"This plan does not import {', '.join(left)} yet"
        view.diagnostic(Diagnostic(name="incomplete", summary=summary, detail=advice, severity="warning"))


def drift(typed: argparse.Namespace, console: Console, view: View) -> int:
    from provisioner.commands import drift as command

    request = command.DriftRequest(file=file_options(typed), state=state_options(typed))
    found = command.drift(request, view, reveal=console.masker.add)
    view.drift(found)
    return CHANGES if typed.detailed_exitcode and found.drift else 0
