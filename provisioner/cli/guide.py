"""Help: of the program, of a group of commands, of one command."""

from __future__ import annotations

from provisioner.cli.catalogue import COMMANDS, GROUPS

_ROOMS = {
    "Main commands": ("init", "validate", "fmt", "plan", "apply", "destroy", "drift", "show"),
    "Tokens": ("authorize", "token", "output", "run"),
    "Recorded state": ("state", "history", "diff", "audit", "refresh", "import", "resolve", "force-unlock"),
    "Other": ("schema", "sandbox", "providers", "version", "completion"),
}


def of_program(version: str) -> str:
    """The page of `provisioner -h`."""
    lines = [
        f"provisioner {version}: plan and apply for API credentials and prepaid credits.",
        "",
        "usage: provisioner [global options] COMMAND [args]",
    ]
    for title, names in _ROOMS.items():
        lines += ["", f"{title}:"]
        for name in names:
            lines.append(f"  {name:<14}{GROUPS.get(name) or COMMANDS[name].help}")
    return "\n".join([*lines, *_GLOBALS, ""])


_GLOBALS = (
    "",
    "Global options, before or after the command (one dash will do, as in -auto-approve):",
    "  -C, --chdir DIR     work in this directory",
    "  -c, --config FILE   the desired-state file; default provisioner.toml",
    "  --var K=V           set a variable of the file; --var-file FILE reads many",
    "  --no-color          plain text",
    "  --input=false       never ask",
    "  -v                  show where an error came from, secrets masked",
    "",
    "example: provisioner init eztexting && provisioner plan",
    "`provisioner COMMAND -h` says what a command takes.",
)


def of_group(name: str) -> str:
    """The page of `provisioner state -h`."""
    lines = [f"usage: provisioner {name} COMMAND [args]", "", GROUPS[name][0].upper() + GROUPS[name][1:] + ".", ""]
    width = max(len(command) for command in COMMANDS) - len(name)
    lines += [
        f"  {c.removeprefix(name + ' '):<{width}}{about.help}"
        for c, about in COMMANDS.items()
        if c.startswith(name + " ")
    ]
    first = next(about.example for c, about in COMMANDS.items() if c.startswith(name + " "))
    return "\n".join([*lines, "", "example:", f"  {first}", ""])
