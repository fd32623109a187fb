"""What each command takes, in the contract's words. Only the parser of the command that runs is built."""

from __future__ import annotations

from provisioner.cli.catalogue import COMMANDS
from provisioner.cli.light import SHELLS
from provisioner.cli.parser import Parser, Switch

TYPE_CHECKING = False  # `typing` costs a tenth of a start-up; type checkers know this name
if TYPE_CHECKING:
    from collections.abc import Callable

OUTPUT_FORMATS = ("json", "dotenv", "github", "k8s")
TOKEN_FORMATS = ("raw", "json", "header")


def build(command: str) -> Parser:
    """The parser of one command, global options included."""
    about = COMMANDS[command]
    parser = Parser(
        prog=f"provisioner {command}",
        usage=f"provisioner {command} {_USAGE.get(command, '')}[options]",
        description=about.help[0].upper() + about.help[1:] + ".",
        epilog=f"example:\n  {about.example}",
    )
    _BUILDERS.get(command, _nothing)(parser)
    _globals(parser)
    return parser


def build_group(name: str) -> Parser:
    """The parser of `provisioner` alone, or of the first word of a command of two: only global options."""
    parser = Parser(prog=f"provisioner {name}".strip())
    _globals(parser)
    _switch(parser, "--version", "print the version")
    return parser


def _globals(parser: Parser) -> None:
    group = parser.add_argument_group("global options")
    group.add_argument("-C", "--chdir", metavar="DIR", help="work in this directory")
    group.add_argument("-c", "--config", metavar="FILE", default="provisioner.toml", help="the desired-state file")
    group.add_argument(
        "--var", metavar="K=V", action="append", default=[], help="set a variable of the file; repeatable"
    )
    group.add_argument(
        "--var-file", metavar="FILE", action="append", default=[], help="a TOML file of variables; repeatable"
    )
    group.add_argument("--no-color", action=Switch, help="plain text, as with NO_COLOR set")
    group.add_argument("--input", action=Switch, default=True, help="never ask; also PROVISIONER_INPUT=0")
    group.add_argument("--accept-rollback", action=Switch, help="go on from an older copy of the recorded state")
    group.add_argument("-v", "--verbose", action=Switch, help="tell all, and where an error came from, secrets masked")
    group.add_argument("-h", "--help", action=Switch, help="this help")


def _nothing(parser: Parser) -> None:
    """No options beside the global ones."""


def _switch(parser: Parser, name: str, text: str, *, default: bool = False) -> None:
    parser.add_argument(name, action=Switch, default=default, help=text)


def _json(parser: Parser) -> None:
    _switch(parser, "--json", "for machines")


def _locking(parser: Parser, *, wait: str = "0s") -> None:
    """`wait`: how long where nobody says it. Those who only want a token come many at once, and each is soon done."""
    _switch(parser, "--lock", "take no lock", default=True)
    told = "wait this long for a lock, as in 30s or 5m" + ("" if wait == "0s" else f"; default {wait}")
    parser.add_argument("--lock-timeout", metavar="D", default=wait, help=told)
    parser.add_argument("--note", metavar="TEXT", help="why; it is recorded with the run, and `history` shows it")


def _parallelism(parser: Parser) -> None:
    parser.add_argument("--parallelism", metavar="N", type=_count, default=10, help="requests at a time; default 10")


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        import argparse

        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 1.")
    return int(text)


def _repeated(parser: Parser, name: str, metavar: str, text: str) -> None:
    parser.add_argument(name, metavar=metavar, action="append", default=[], help=text + "; repeatable")


def _planning(parser: Parser) -> None:
    _switch(parser, "--refresh", "plan from recorded values, ask no provider", default=True)
    _switch(parser, "--refresh-only", "only record what the providers say now")
    _switch(parser, "--destroy", "plan to revoke and delete everything")
    _selection(parser)
    parser.add_argument("--at", metavar="TIME", help="plan for this time: RFC 3339, or +D from now")
    _locking(parser)
    _parallelism(parser)
    parser.add_argument("--markdown", metavar="FILE", help="write what belongs in a pull request")
    _switch(parser, "--compact-warnings", "warnings by their summaries alone")
    _full(parser)
    _json(parser)


def _full(parser: Parser) -> None:
    _switch(parser, "--full", "draw every change, however many there are")


def _selection(parser: Parser) -> None:
    _repeated(parser, "--target", "A", "only this address and what it needs")
    _repeated(parser, "--exclude", "A", "all but this address")
    _repeated(parser, "--replace", "A", "replace this token or application, due or not")
    _repeated(parser, "--allow", "NAME", "lift a guard for this run: max_destroy, max_spend, prevent_destroy:ADDRESS")


def _plan(parser: Parser) -> None:
    parser.add_argument("--out", metavar="FILE", help="save the plan for `apply FILE`")
    _switch(parser, "--detailed-exitcode", "exit 2 where there are changes")
    parser.add_argument("--generate-config-out", metavar="FILE", help="write TOML for what [[import]] blocks name")
    parser.add_argument("--horizon", metavar="D", help="and all that will fall due within this time, as in 72h")
    parser.add_argument("--gitlab-report", metavar="FILE", help="write GitLab's report for merge requests")
    _planning(parser)


def _apply(parser: Parser) -> None:
    parser.add_argument("planfile", metavar="PLANFILE", nargs="?", help="a plan that was saved by `plan --out`")
    _switch(parser, "--auto-approve", "do not ask")
    _planning(parser)


def _destroy(parser: Parser) -> None:
    _switch(parser, "--auto-approve", "do not ask")
    _planning(parser)


def _drift(parser: Parser) -> None:
    _switch(parser, "--detailed-exitcode", "exit 2 where something changed")
    _full(parser)
    _json(parser)
    _parallelism(parser)


def _show(parser: Parser) -> None:
    parser.add_argument("planfile", metavar="PLANFILE", nargs="?", help="a saved plan; without it the recorded state")
    parser.add_argument("--at", metavar="SERIAL|TIME", help="the recorded state as it was")
    _full(parser)
    _json(parser)


def _init(parser: Parser) -> None:
    parser.add_argument("types", metavar="TYPE", nargs="*", help="provider types; `provisioner providers` lists them")
    for name in ("--upgrade", "--reconfigure", "--migrate-state", "--force-copy", "--get", "--backend"):
        _switch(parser, name, _FOR_TERRAFORM)
    for name in ("--backend-config", "--lockfile", "--plugin-dir"):
        parser.add_argument(name, metavar="X", action="append", help=_FOR_TERRAFORM)


_FOR_TERRAFORM = "taken for Terraform's sake; nothing is downloaded or configured here"


def _fmt(parser: Parser) -> None:
    parser.add_argument(
        "paths", metavar="PATH", nargs="*", help="files or folders; without any the file and its includes"
    )
    _switch(parser, "--check", "write nothing; exit 1 where a file would change")
    _switch(parser, "--diff", "show what changes")
    _switch(parser, "--list", "do not name the files", default=True)
    _switch(parser, "--write", "write nothing", default=True)
    _switch(parser, "--recursive", "folders and what is below them")


def _address(parser: Parser, text: str = "as in token.campaigns") -> None:
    parser.add_argument("address", metavar="ADDRESS", help=text)


def _state_show(parser: Parser) -> None:
    _address(parser)
    _json(parser)


def _state_list(parser: Parser) -> None:
    parser.add_argument("addresses", metavar="ADDRESS", nargs="*", help="only these")


def _from_to(parser: Parser) -> None:
    parser.add_argument("origin", metavar="FROM")
    parser.add_argument("to", metavar="TO")
    _locking(parser)


def _state_mv(parser: Parser) -> None:
    _switch(parser, "--dry-run", "only say what would be moved")
    _from_to(parser)


def _state_rm(parser: Parser) -> None:
    parser.add_argument("addresses", metavar="ADDRESS", nargs="+", help="what to forget")
    _switch(parser, "--dry-run", "only say what would be forgotten")
    _locking(parser)


def _replace_provider(parser: Parser) -> None:
    _switch(parser, "--auto-approve", "taken for Terraform's sake; nothing is asked")
    _from_to(parser)


def _rekey(parser: Parser) -> None:
    _switch(parser, "--prune", "delete the data keys that no recorded value needs any more: it shreds what they sealed")
    _locking(parser)


def _backup(parser: Parser) -> None:
    parser.add_argument("file", metavar="FILE", help="where to")


def _import(parser: Parser) -> None:
    _address(parser, "as in application.campaigns")
    parser.add_argument("id", metavar="ID", help="the vendor's id of it")
    parser.add_argument("--generate-config-out", metavar="FILE", help="write TOML for it")
    _locking(parser)
    _parallelism(parser)
    _json(parser)


def _authorize(parser: Parser) -> None:
    parser.add_argument("application", metavar="APPLICATION", help='campaigns, or worker["eu"]')
    parser.add_argument("--consumer", metavar="C", help="for which consumer, where several are declared")
    _switch(parser, "--no-browser", "only print the URL")
    _switch(parser, "--device", "the device flow (RFC 8628): type a code on another machine")
    parser.add_argument("--timeout", metavar="D", default="10m", help="how long to wait; default 10m")
    _locking(parser, wait="1m")  # the person has answered by then, and a code is good once


def _token(parser: Parser) -> None:
    _address(parser)
    parser.add_argument("--min-ttl", metavar="D", default="0s", help="it must live at least this long")
    parser.add_argument("--format", choices=TOKEN_FORMATS, default="raw", help=_one_of(TOKEN_FORMATS))
    _locking(parser, wait="10s")


def _output(parser: Parser) -> None:
    parser.add_argument("address", metavar="ADDRESS", nargs="?", help="one token; without it all")
    parser.add_argument("--format", choices=OUTPUT_FORMATS, default="json", help=_one_of(OUTPUT_FORMATS))
    _switch(parser, "--json", "the same as --format json")
    _switch(parser, "--raw", "one token and nothing else, not even a line's end")


def _run(parser: Parser) -> None:
    _repeated(parser, "--application", "A", "only this application's tokens")
    _locking(parser, wait="10s")


def _resolve(parser: Parser) -> None:
    parser.add_argument("operation", metavar="OPERATION", help="its id, as `show --json` and the message give it")
    parser.add_argument(
        "--as", dest="verdict", choices=("happened", "did-not-happen"), help="happened or did-not-happen"
    )
    _locking(parser)


def _history(parser: Parser) -> None:
    _json(parser)
    _repeated(parser, "--address", "A", "only what concerns this address, or what lies below it")
    parser.add_argument("--run", metavar="RUN", help="only this run; the beginning of its id will do")
    parser.add_argument("--actor", metavar="WHO", help="only what this person or pipeline did")
    parser.add_argument("--since", metavar="POINT", help="from this serial or time on; 7d is a week ago")
    parser.add_argument("--until", metavar="POINT", help="up to this serial or time")


def _diff(parser: Parser) -> None:
    what = "a serial, a time, 7d for a week ago; or another state's location, or a file that `state pull` wrote"
    parser.add_argument("before", metavar="A", help=what)
    parser.add_argument("after", metavar="B", nargs="?", help="the same; default: this state now")
    _switch(parser, "--detailed-exitcode", "exit 2 where something differs")
    _json(parser)


def _audit(parser: Parser) -> None:
    _json(parser)
    for name, what in _REPORTS.items():
        parser.add_argument(f"--{name}", metavar="FILE", help=f"write {what} (`-`: to standard output)")
    parser.add_argument("--policy", metavar="FILE", help="severities, silences and what was reviewed (TOML)")
    parser.add_argument("--expect-head", metavar="HASH", help="the head must be exactly this one")
    parser.add_argument("--expect-ancestor", metavar="HASH", help="the head must be this one or follow it")
    parser.add_argument("--find-token", metavar="-", help="whose is the secret on standard input, and does it live?")
    parser.add_argument("--state", metavar="LOCATION", help="this state; the desired-state file may then be missing")
    parser.add_argument("--at", metavar="TIME", help="judge as of this time: RFC 3339, or +D from now")


_REPORTS = {
    "sarif": "SARIF 2.1.0, for code scanning",
    "junit": "JUnit XML",
    "html": "one page that explains itself",
    "markdown": "Markdown, for a ticket",
}


def _force_unlock(parser: Parser) -> None:
    parser.add_argument("lock_id", metavar="LOCK_ID", help="as `state lock --json` shows it")
    _switch(parser, "--force", "taken for Terraform's sake; the id is the confirmation")


def _schema(parser: Parser) -> None:
    _switch(parser, "--state", "of the recorded state instead")


def _serve(parser: Parser) -> None:
    parser.add_argument("--port", metavar="N", type=_port, default=0, help="default: one that is free")
    parser.add_argument("--data", metavar="DIR", help="keep the vendors' data there; default: forgotten at the end")


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:
        import argparse

        raise argparse.ArgumentTypeError(f"{text!r} is not a port: 0 to 65535.")
    return int(text)


def _completion(parser: Parser) -> None:
    parser.add_argument("shell", metavar="SHELL", choices=SHELLS, help=_one_of(SHELLS))


def _one_of(choices: tuple[str, ...]) -> str:
    return ", ".join(choices[:-1]) + f" or {choices[-1]}"


_BUILDERS: dict[str, Callable[[Parser], None]] = {
    "init": _init,
    "fmt": _fmt,
    "validate": _json,
    "plan": _plan,
    "apply": _apply,
    "destroy": _destroy,
    "refresh": _planning,
    "drift": _drift,
    "show": _show,
    "state list": _state_list,
    "state show": _state_show,
    "state pull": _nothing,
    "state lock": _json,
    "state mv": _state_mv,
    "state rm": _state_rm,
    "state replace-provider": _replace_provider,
    "state migrate": _from_to,
    "state rekey": _rekey,
    "state verify": _json,
    "state backup": _backup,
    "history": _history,
    "diff": _diff,
    "import": _import,
    "authorize": _authorize,
    "token": _token,
    "output": _output,
    "run": _run,
    "resolve": _resolve,
    "audit": _audit,
    "force-unlock": _force_unlock,
    "schema": _schema,
    "sandbox serve": _serve,
    "providers": _json,
    "version": _json,
    "completion": _completion,
}

_USAGE: dict[str, str] = {
    "init": "[TYPE...] ",
    "fmt": "[PATH...] ",
    "apply": "[PLANFILE] ",
    "show": "[PLANFILE] ",
    "diff": "A [B] ",
    "state list": "[ADDRESS...] ",
    "state show": "ADDRESS ",
    "state mv": "FROM TO ",
    "state rm": "ADDRESS... ",
    "state replace-provider": "FROM TO ",
    "state migrate": "FROM TO ",
    "state backup": "FILE ",
    "import": "ADDRESS ID ",
    "authorize": "APPLICATION ",
    "token": "ADDRESS ",
    "output": "[ADDRESS] ",
    "run": "[--application A]... -- COMMAND ",
    "resolve": "OPERATION --as happened|did-not-happen ",
    "force-unlock": "LOCK_ID ",
    "completion": "SHELL ",
}
