"""`validate`: the file alone, with no network, no state and no secret."""

from __future__ import annotations

from provisioner.commands.filing import FileOptions, load_file
from provisioner.config.advise import check_warnings
from provisioner.errors import Diagnostic, Invalid


def validate(options: FileOptions) -> tuple[Diagnostic, ...]:
    """Every problem, or every warning; none of severity error means that the file is valid."""
    try:
        desired = load_file(options)
    except Invalid as invalid:
        return invalid.diagnostics
    return tuple(check_warnings(desired))
