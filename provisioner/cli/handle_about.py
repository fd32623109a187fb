"""Handlers of the commands that touch no recorded state: init, validate, schema, providers, version, completion,
sandbox."""

from __future__ import annotations

import argparse

from provisioner import __version__
from provisioner.cli import light
from provisioner.cli.console import Console

TYPE_CHECKING = False  # `typing` costs a tenth of a start-up; type checkers know this name
if TYPE_CHECKING:
    from provisioner.cli.views.base import View

USAGE = 4  # the exit code of a file that is not valid


def version(options: argparse.Namespace, console: Console) -> int:
    if options.json:
        import json

        found = {"provisioner_version": __version__, "python_version": light.python(), "formats": light.FORMATS}
        console.line(json.dumps(found))
        return 0
    console.out(light.version())
    return 0


def completion(options: argparse.Namespace, console: Console) -> int:
    console.out(light.completion(options.shell))
    return 0


def init(options: argparse.Namespace, console: Console, view: View) -> int:
    from provisioner.commands import init as command

    done = command.init(command.InitOptions(config=options.config, types=tuple(options.types)))
    if done.written:
        console.line(f"Wrote {done.path}. Next: edit it, then `provisioner plan`.")
    else:
        console.line(f"{done.path} is there already; there is nothing to initialise.")
    return 0


def validate(options: argparse.Namespace, console: Console, view: View) -> int:
    from provisioner.cli import reports
    from provisioner.cli.options import file_options
    from provisioner.commands.validate import validate as command
    from provisioner.render import diagnostics
    from provisioner.render.json_text import json_text
    from provisioner.render.style import Style

    found = command(file_options(options))
    valid = all(d.severity != "error" for d in found)
    if options.json:
        console.line(json_text(diagnostics.validate_json(found), indent=2))
    elif valid:
        console.out(diagnostics.validate_text(found, Style(color=console.colour())))
    else:
        console.err(diagnostics.validate_text(found, Style(color=console.colour(console.stderr))).rstrip("\n"))
    for diagnostic in found:
        reports.annotate(diagnostic, console)
    return 0 if valid else USAGE


def fmt(options: argparse.Namespace, console: Console, view: View) -> int:
    from provisioner.commands.fmt import FmtOptions
    from provisioner.commands.fmt import fmt as command

    write = options.write and not options.check
    found = command(
        FmtOptions(config=options.config, paths=tuple(options.paths), recursive=options.recursive, write=write)
    )
    for one in found:
        if options.list:
            console.line(one.path)
        if options.diff:
            from difflib import unified_diff

            lines = (one.before.splitlines(keepends=True), one.after.splitlines(keepends=True))
            console.out("".join(unified_diff(*lines, f"old/{one.path}", f"new/{one.path}")))
    return 1 if options.check and found else 0


def schema(options: argparse.Namespace, console: Console, view: View) -> int:
    import json

    if options.state:
        from provisioner.journal.schema import json_schema as state_schema

        found = state_schema()
    else:
        from provisioner.config.schema import json_schema

        found = json_schema()
    console.line(json.dumps(found, indent=2))
    return 0


def providers(options: argparse.Namespace, console: Console, view: View) -> int:
    """The file's providers where there is a file; every vendor type otherwise."""
    from provisioner.cli.options import file_options
    from provisioner.commands.capabilities import capabilities
    from provisioner.render.human_state import providers_text
    from provisioner.render.style import Style

    found = capabilities(file_options(options))
    if options.json:
        import json

        rows = [{"name": n, "type": t, "title": title, "capabilities": dict(table)} for n, t, title, table in found]
        console.line(json.dumps({"format_version": "1.0", "providers": rows}, indent=2))
    else:
        console.out(providers_text(found, Style(color=console.colour())))
    return 0


def serve(options: argparse.Namespace, console: Console, view: View) -> int:
    import errno
    import gc
    import json
    from pathlib import Path
    from tempfile import TemporaryDirectory

    from provisioner.errors import ProvisionerError
    from provisioner.sandbox.serve import serve as run

    gc.enable()  # it serves for as long as it is wanted

    def ready(description: object) -> None:
        console.line(json.dumps(description))

    try:
        if options.data is not None:
            run(options.port, Path(options.data), ready)
            return 0
        with TemporaryDirectory(prefix="provisioner-sandbox-") as folder:
            run(options.port, Path(folder), ready)
    except OSError as fault:
        if fault.errno != errno.EADDRINUSE:
            raise
        raise ProvisionerError(
            "usage", f"Port {options.port} of 127.0.0.1 is taken.", "Name another --port, or none for one that is free."
        ) from fault
    return 0
