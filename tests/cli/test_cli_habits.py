"""What Terraform users type, and what they mistype."""

from __future__ import annotations

import json

import pytest
from cli_world import CX, EZ, World

from provisioner.cli.catalogue import COMMANDS, ELSEWHERE


@pytest.fixture
def applied(world: World) -> World:
    world.write("[stack]\nname = 'h'\n", EZ, CX)
    world.ok("apply", "--auto-approve")
    return world


def test_the_commands_of_a_terraform_pipeline_work_with_the_name_changed(world: World) -> None:
    """setup-terraform's own example, a saved plan, and what wrappers add to it."""
    world.write("[stack]\nname = 'h'\n\n" + EZ.strip() + "\n")
    world.ok("fmt", "-check", "-recursive", "-diff")
    world.ok(
        "init",
        "-input=false",
        "-upgrade",
        "-reconfigure",
        "-backend-config=key=value",
        "-lockfile=readonly",
        "-no-color",
    )
    assert "Success! The configuration is valid." in world.ok("validate", "-no-color")
    assert json.loads(world.ok("validate", "-json"))["valid"] is True
    world.ok(
        "plan",
        "-no-color",
        "-input=false",
        "-lock-timeout=5m",
        "-parallelism=4",
        "-detailed-exitcode",
        "-out=tfplan",
        code=2,
    )
    assert "# token.texts will be created" in world.ok("show", "-no-color", "tfplan")
    assert json.loads(world.ok("show", "-json", "tfplan"))["format_version"] == "1.2"
    world.ok("apply", "-auto-approve", "-input=false", "-no-color", "tfplan")
    world.ok("plan", "-detailed-exitcode", "-refresh=true", "-compact-warnings")
    assert world.ok("state", "list") == "token.texts\n"
    assert json.loads(world.ok("show", "-json"))["format_version"] == "1.0"
    assert world.ok("output", "-raw", "token.texts") == world.ok("token", "texts").strip()
    assert json.loads(world.ok("output", "-json"))["token.texts"]["access_token"]
    world.ok("version", "-json")
    world.ok("refresh", "-input=false")
    world.ok("apply", "-replace=token.texts", "-auto-approve")
    world.ok("plan", "-destroy", "-out=destroy.tfplan")
    assert "Destroy complete! Resources: 1 destroyed." in world.ok("apply", "destroy.tfplan")


def test_the_environment_says_what_the_command_line_would(applied: World) -> None:
    """PROVISIONER_CLI_ARGS, _plan and _state_mv; PROVISIONER_INPUT=0; PROVISIONER_IN_AUTOMATION; what is typed wins."""
    args: dict[str, str | None] = {"PROVISIONER_CLI_ARGS_plan": "-out=from-env.plan -replace=token.texts"}
    assert "will be replaced, as requested" in applied.ok("plan", env=args)
    assert (applied.folder / "from-env.plan").exists()
    applied.ok("plan", "-out=typed.plan", env=args)
    assert (applied.folder / "typed.plan").exists()
    applied.ok("state", "mv", "token.texts", "token.other", env={"PROVISIONER_CLI_ARGS_state_mv": "-dry-run"})
    assert "token.texts" in applied.ok("state", "list")
    ended = applied.run("apply", env={"PROVISIONER_INPUT": "0"})
    assert (ended.returncode, "E0004" in ended.stderr) == (4, True)
    assert "E0001" in applied.run("plan", env={"PROVISIONER_CLI_ARGS": "--nonsense"}).stderr
    assert "cannot be split" in applied.run("plan", env={"PROVISIONER_CLI_ARGS": "'open"}).stderr
    said = applied.ok("plan", "-replace=token.texts", env={"PROVISIONER_IN_AUTOMATION": "1"})
    assert "Note: You didn't use the --out option" not in said


@pytest.mark.parametrize("command", sorted(ELSEWHERE))
def test_what_terraform_has_and_we_have_not_is_answered_with_what_we_have(command: str, world: World) -> None:
    """4, and a sentence that names the command or setting that does the work here."""
    assert command not in COMMANDS
    ended = world.run(*command.split(), "anything")
    assert (ended.returncode, ELSEWHERE[command] in ended.stderr, ended.stdout) == (4, True, "")


NEAREST = (
    ("paln", "'plan'"),
    ("state mvv", "'mv'"),
    ("plan -targt=token.texts", "'--target'"),
    ("plan -target=token.text", "token.texts"),
    ("plan -replace=token.campaigns[web]", "token.campaigns"),
    ("plan -exclude=application.campaign", "application.campaigns"),
    ("plan -allow=max_destory", "'max_destroy'"),
    ("plan -allow=prevent_destroy:token.text", "token.texts"),
    ("state show token.text", "token.texts"),
    ("state mv token.text token.x", "token.texts"),
    ("state rm token.text", "token.texts"),
    ("token text", "token.texts"),
    ("output token.text", "token.texts"),
    ("run -application campaign -- true", "campaigns"),
    ("authorize campaign", "campaigns"),
    ("import application.campaign x", "application.campaigns"),
    ("output -format dotenf", "'dotenv'"),
    ("resolve op-1 -as happend", "'happened'"),
    ("init eztextin", "eztexting"),
    ("completion zhs", "'zsh'"),
)


def test_did_you_mean(applied: World) -> None:
    """Commands, options, addresses and choices: the nearest is suggested, nothing is guessed (4)."""
    for words, hint in NEAREST:
        ended = applied.run(*words.split())
        assert (ended.returncode, hint in ended.stderr) == (4, True), ended.stderr


def test_help_is_where_people_look_for_it(world: World) -> None:
    """`-h`, `-help`, `--help`, `help COMMAND`; a group alone is a question, too."""
    asked = {world.ok("plan", flag) for flag in ("-h", "-help", "--help")} | {
        world.ok("help", "plan"),
        world.ok("-h", "plan"),
    }
    assert len(asked) == 1
    assert "example:\n  provisioner plan" in asked.pop()
    assert "state mv" not in world.ok("-h")
    assert "give a recorded resource another address" in world.ok("state", "-h")
    assert world.ok("help") == world.ok("-h")
    assert world.run("state").returncode == 4


def test_a_verdict_that_was_left_out_is_a_usage_error(world: World) -> None:
    """`resolve OPERATION` alone decides nothing: 4, and both verdicts are named."""
    world.write("[stack]\nname = 'h'\n")
    ended = world.run("resolve", "op-1")
    assert (ended.returncode, "E0001" in ended.stderr) == (4, True), ended.stderr
    assert "--as happened or --as did-not-happen" in ended.stderr


def test_a_port_that_is_taken_is_named(world: World) -> None:
    """`sandbox serve --port` of somebody else's port: 1, the port and what to do."""
    port = world.base.rpartition(":")[2]
    ended = world.run("sandbox", "serve", "--port", port)
    assert ended.returncode == 1
    assert f"Port {port} of 127.0.0.1 is taken." in ended.stderr
    assert "Name another --port" in " ".join(ended.stderr.split())
