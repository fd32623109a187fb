"""What an error means to a user: its diagnostics, its exit code, and under `-v` where it came from, secrets masked."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from provisioner.cli import reports
from provisioner.cli.catalogue import STREAMING
from provisioner.errors import Diagnostic, Interrupted, ProvisionerError

if TYPE_CHECKING:
    from provisioner.cli.console import Console
    from provisioner.cli.views.base import View

INTERRUPTED = 130


def report(fault: BaseException, options: argparse.Namespace, console: Console, view: View) -> int:
    """Show one fault through the view; returns the exit code."""
    if isinstance(fault, ProvisionerError):
        found, code = fault.diagnostics, fault.exit_code
    elif isinstance(fault, KeyboardInterrupt):
        found, code = Interrupted("interrupted", "Interrupted.", _INTERRUPTED).diagnostics, INTERRUPTED
    elif isinstance(fault, OSError):
        found, code = (_system(fault),), 1
    else:
        found, code = (_internal(fault, verbose=options.verbose),), 1
    for diagnostic in found:
        view.diagnostic(diagnostic)
    if options.command in STREAMING:
        reports.of_failure(found, options.command, getattr(options, "markdown", None), console)
    if options.verbose and not isinstance(fault, KeyboardInterrupt):
        console.err(_trace(fault))
    return code


_INTERRUPTED = "What is recorded is complete up to here; run the command again to go on."


def _system(fault: OSError) -> Diagnostic:
    """The disk, the file system: what the rooms below did not name themselves."""
    subject = f"{fault.filename}: " if isinstance(fault.filename, str) else ""
    return Diagnostic(
        name="no-such-file",
        summary=f"{subject}{fault.strerror or type(fault).__name__}.",
        detail="Nothing was sent after this. Put it right and run the command again; -v shows where it happened.",
    )


def _internal(fault: BaseException, *, verbose: bool) -> Diagnostic:
    hint = "" if verbose else " -v shows where."
    return Diagnostic(
        name="internal",
        summary=f"A fault of this program ({type(fault).__name__}).",
        detail=f"Please report it.{hint} What is recorded is complete up to here.",
    )


def _trace(fault: BaseException) -> str:
    """The chain of frames without their local variables; `Console.err` masks what a message may have carried."""
    import traceback

    return "".join(traceback.format_exception(fault)).rstrip("\n")
