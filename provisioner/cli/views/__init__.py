"""How a run is told: `human` for people and `stream` for machines, peers behind one interface (`base.View`)."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from provisioner.cli.console import Console
    from provisioner.cli.views.base import View

__all__ = ["choose"]


def choose(options: argparse.Namespace, console: Console) -> View:
    """The stream where a command that has one was asked for JSON, else text."""
    from provisioner.cli.catalogue import STREAMING

    if options.command in STREAMING and options.json:
        from provisioner.cli.views.stream import StreamView

        return StreamView(console, options.command)
    from provisioner.cli.views.human import HumanView

    return HumanView(
        console,
        full=options.verbose or getattr(options, "full", False),
        compact=getattr(options, "compact_warnings", False),
        planning=options.command in STREAMING,
    )
