"""What was typed is read as Terraform users and their wrappers type it."""

from __future__ import annotations

import pytest

from provisioner.cli import argv
from provisioner.cli.arguments import build
from provisioner.cli.catalogue import COMMANDS
from provisioner.cli.parser import UsageError


def parsed(*words: str, environment: dict[str, str] | None = None) -> dict[str, object]:
    typed = argv.with_environment(argv.find_command(list(words)), environment or {})
    assert typed.command is not None
    parser = build(typed.command)
    return {"command": typed.command, "tail": typed.tail} | vars(parser.parse_all(argv.normalise(parser, typed.words)))


def test_one_dash_long_options_are_long_options() -> None:
    """`-auto-approve -out=FILE -var K=V -target=A` mean what their two-dash forms mean."""
    found = parsed(
        "plan", "-out=x.tfplan", "-var", "a=1", "-var", "b=2", "-target=token.a", "-target", "token.b", "-json"
    )
    assert (found["out"], found["var"], found["target"], found["json"]) == (
        "x.tfplan", ["a=1", "b=2"], ["token.a", "token.b"], True
    )  # fmt: skip
    assert parsed("apply", "-auto-approve")["auto_approve"] is True


@pytest.mark.parametrize("words", [("-chdir=there", "plan"), ("plan", "--chdir", "there"), ("-C", "there", "plan")])
def test_global_options_stand_before_or_after_the_command(words: tuple[str, ...]) -> None:
    """Terraform wants them before, most people type them after."""
    assert parsed(*words)["chdir"] == "there"


@pytest.mark.parametrize(
    ("words", "name", "value"),
    [
        (["--refresh=false"], "refresh", False),
        (["-refresh=true"], "refresh", True),
        (["--lock=0"], "lock", False),
        (["-input=false"], "input", False),
        (["--json=false"], "json", False),
        (["--json"], "json", True),
        ([], "refresh", True),
    ],
)
def test_flags_take_truth_values(words: list[str], name: str, value: bool) -> None:
    """Go's flag package allows `=false` on every flag, so wrappers write it."""
    assert parsed("plan", *words)[name] is value


def test_a_flag_never_eats_the_next_word() -> None:
    """`apply -json plan.tfplan` applies a plan file."""
    found = parsed("apply", "-json", "--auto-approve", "monday.tfplan")
    assert (found["json"], found["auto_approve"], found["planfile"]) == (True, True, "monday.tfplan")


def test_a_value_may_look_like_an_option() -> None:
    """What follows an option that takes a value is its value."""
    assert parsed("plan", "--var", "-x=1")["var"] == ["-x=1"]
    assert parsed("-c", "plan", "validate")["config"] == "plan"


def test_the_environment_adds_words_before_those_typed() -> None:
    """PROVISIONER_CLI_ARGS for every command, PROVISIONER_CLI_ARGS_<command> for one; what is typed wins."""
    environment = {
        "PROVISIONER_CLI_ARGS": "-no-color",
        "PROVISIONER_CLI_ARGS_plan": "--parallelism=3 --out 'a b'",
        "PROVISIONER_CLI_ARGS_apply": "--auto-approve",
    }
    found = parsed("plan", "--parallelism=5", environment=environment)
    assert (found["no_color"], found["parallelism"], found["out"]) == (True, 5, "a b")


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["paln"], "'plan'"),
        (["state", "lst"], "'list'"),
        (["plan", "--refersh=false"], "'--refresh'"),
        (["apply", "-auto-aprove"], "'--auto-approve'"),
        (["output", "--format", "dotenf"], "'dotenv'"),
        (["completion", "bsh"], "'bash'"),
    ],
)
def test_what_was_mistyped_is_answered_with_the_nearest(words: list[str], hint: str) -> None:
    """Commands, options and choices alike."""
    with pytest.raises(UsageError) as caught:
        parsed(*words)
    assert f"Did you mean {hint}?" in str(caught.value)


@pytest.mark.parametrize(
    "words",
    [
        ["plan", "extra"],
        ["plan", "--parallelism", "none"],
        ["plan", "--refresh=perhaps"],
        ["token"],
        ["state", "mv", "one"],
        ["plan", "--out"],
        ["plan", "--de"],
        ["nothing-like-it"],
    ],
)
def test_what_fits_nowhere_is_an_error(words: list[str]) -> None:
    """No abbreviation is guessed, no word is dropped, no value is made up."""
    with pytest.raises(UsageError):
        parsed(*words)


def test_run_keeps_the_childs_words() -> None:
    """After `--` nothing is read; without it the child begins at the first word that is no option of ours."""
    assert argv.find_command(["run", "--application", "a", "--", "env", "-v", "--x=1"]).tail == ["env", "-v", "--x=1"]
    typed = argv.find_command(["run", "-application", "a", "env", "-v"])
    assert argv.split_child(build("run"), typed.words) == (["-application", "a"], ["env", "-v"])


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_the_help_of_every_command_has_an_example(command: str) -> None:
    """And the example is a command line that the parser takes."""
    text = build(command).format_help()
    assert COMMANDS[command].example in text
    words = COMMANDS[command].example.split(" > ")[0].split()[1:]
    assert parsed(*words)["command"] == command
