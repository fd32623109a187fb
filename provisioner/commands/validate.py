"""`validate`: the file alone, with no network, no state and no secret."""

from __future__ import annotations

from pathlib import Path

from provisioner.commands.filing import FileOptions, load_file
from provisioner.config.advise import check_warnings
from provisioner.config.snippets import snippet
from provisioner.errors import Diagnostic, Invalid
from provisioner.records import replace


def validate(options: FileOptions) -> tuple[Diagnostic, ...]:
    """Every problem, or every warning; none of severity error means that the file is valid."""
    try:
        desired = load_file(options)
    except Invalid as invalid:
        return invalid.diagnostics
    return tuple(_with_its_line(found) for found in check_warnings(desired))


def _with_its_line(found: Diagnostic) -> Diagnostic:
    """A warning is about a declaration: its header is shown, as an error's line is."""
    if found.file is None or found.line is None:
        return found
    try:
        text = Path(found.file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return found  # it was there a moment ago; the warning stands without
    return replace(found, snippet=snippet(text, found.line, found.summary))
