"""What a pipeline's platform reads: Markdown, the job summary, annotations, masks, GitLab's report; and calm text for
people."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path

import pytest
from cli_world import CX, EZ, FLOOR, IDP, World, lines

CLEAN: dict[str, str | None] = {"GITHUB_ACTIONS": None}


@pytest.fixture
def github(world: World, tmp_path: Path) -> World:
    """GitHub's runner, as far as a program sees it."""
    world.environ |= {
        "GITHUB_ACTIONS": "true",
        "GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md"),
        "GITHUB_WORKSPACE": str(tmp_path),
    }
    return world


def summary(world: World) -> str:
    path = Path(world.environ["GITHUB_STEP_SUMMARY"])
    text = path.read_text() if path.exists() else ""
    path.unlink(missing_ok=True)
    return text


def test_a_plan_and_an_apply_write_the_job_summary_by_themselves(github: World) -> None:
    """Appended, the same text as --markdown; so does a run that failed before it had a plan."""
    github.write("[stack]\nname = 'g'\n", EZ, FLOOR, minimum=4000)
    github.ok("plan", "--markdown", "pr.md", "--out", "p")
    assert summary(github).strip() == (github.folder / "pr.md").read_text().strip()
    assert "Buys up to 1500 credits at ez." in (github.folder / "pr.md").read_text()
    github.ok("apply", "p", "--markdown", "done.md")
    assert "**Apply complete! Resources: 1 added, 1 changed, 0 destroyed.**" in summary(github)
    assert "Apply complete!" in (github.folder / "done.md").read_text()
    github.ok("plan")
    github.ok("plan")
    assert summary(github).count("**No changes.**") == 2
    github.write("[stack]\nname = 'g'\nnam = 1\n", EZ)
    github.ok("plan", "--markdown", "failed.md", code=4)
    failed = summary(github)
    assert "## Plan failed" in failed
    assert "`provisioner.toml:3`" in failed
    assert (github.folder / "failed.md").read_text().strip() == failed.strip()


def test_diagnostics_are_annotations_at_their_lines(github: World) -> None:
    """Once each, on standard error, with the file as the runner sees it from the top of the checkout."""
    (github.folder / "infra").mkdir()
    github.write("[stack]\nname = 'g'\n", EZ.replace("username", "usernme"), name="infra/provisioner.toml")
    for words in (["validate"], ["plan"], ["plan", "--json"], ["validate", "--json"]):
        ended = github.run("--chdir=infra", *words)
        found = [line for line in ended.stderr.splitlines() if line.startswith("::")]
        assert len(found) == len(set(found)) >= 1, ended.stderr
        assert any(line.startswith("::error file=stack/infra/provisioner.toml,line=8,title=E0102 ") for line in found)
        if "--json" in words:
            assert "::" not in re.sub(r'"[^"]*"', "", ended.stdout)
    ended = github.run("--chdir=infra", "plan", env=CLEAN)
    assert "::error" not in ended.stderr


def test_a_secret_is_masked_before_it_is_printed(github: World) -> None:
    """In the spelling in which it is printed; nothing else is, and nothing where GitHub does not run us."""
    github.write("[stack]\nname = 'g'\n", EZ, CX)
    github.ok("apply", "--auto-approve")
    token = github.ok("token", "texts", env=CLEAN).strip()
    for words in (["token", "texts"], ["output", "--format", "dotenv"], ["output", "-raw", "texts"], ["output"]):
        ended = github.run(*words)
        masks = [line for line in ended.stderr.splitlines() if line.startswith("::add-mask::")]
        assert f"::add-mask::{token}" in masks
        assert token in ended.stdout
        assert token not in "\n".join(line for line in ended.stderr.splitlines() if line not in masks)
    encoded = base64.b64encode(token.encode()).decode()
    ended = github.run("output", "--format", "k8s")
    assert (encoded in ended.stdout, f"::add-mask::{encoded}" in ended.stderr) == (True, True)
    assert "::add-mask::" not in github.run("token", "texts", env=CLEAN).stderr
    assert "::add-mask::" not in github.run("plan").stderr


def test_a_report_that_cannot_be_written_does_not_hide_how_the_work_ended(github: World) -> None:
    """Before anything is sent it is an error of the command line (4); after an apply the code says that a report is
    lost."""
    github.write("[stack]\nname = 'g'\n", EZ)
    stream = lines(github.ok("plan", "--json", "--markdown", "no/such/folder/pr.md", code=4))
    assert stream[-1]["type"] == "change_summary"
    stream = lines(github.ok("apply", "--auto-approve", "--json", "--markdown", "no/such/folder/pr.md", code=1))
    assert stream[-1]["results"] == {"token.texts": "done"}
    github.environ["GITHUB_STEP_SUMMARY"] = str(github.folder / "no" / "such" / "folder")
    assert "job summary" in github.run("plan").stderr
    assert github.run("plan").returncode == 0


def test_gitlabs_report_counts_as_its_widget_reads(world: World) -> None:
    """`create`, `update`, `delete`: the three numbers of artifacts:reports:terraform."""
    world.write("[stack]\nname = 'g'\n", EZ, FLOOR, IDP, minimum=4000)
    world.ok("plan", "--gitlab-report", "report.json")
    assert json.loads((world.folder / "report.json").read_text()) == {"create": 5, "update": 1, "delete": 0}


def test_warnings_stand_where_terraforms_do(world: World) -> None:
    """With the plan on standard output; errors on standard error; by their summaries with -compact-warnings."""
    world.write("[stack]\nname = 'w'\nrun_interval = '12h'\n", EZ, CX)
    world.ok("apply", "--auto-approve")
    ended = world.run("plan", "-no-color")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert re.search(
        r"(?m)^Warning: token\.texts cannot be kept alive between runs\n  W0101 lives-too-short$", ended.stdout
    )
    assert "\n\n\n" not in ended.stdout
    compact = world.ok("plan", "-compact-warnings")
    assert "Warnings:\n\n- W0101 token.texts cannot be kept alive between runs\n" in compact
    assert "run without --compact-warnings" in compact
    wrong = world.run("plan", "-target=token.nothing", "-compact-warnings")
    assert (wrong.returncode, wrong.stdout) == (4, "")
    assert "Error: " in wrong.stderr


def test_five_thousand_changes_are_calm(world: World) -> None:
    """A count, the exceptions and the money; one warning for all that deserve it; --full tells everything."""
    keys = ", ".join(f'"k{n}"' for n in range(300))
    many = f'[applications.many]\nprovider = "ez"\nfor_each = [{keys}]\n'
    world.write("[stack]\nname = 'm'\nrun_interval = '12h'\n", EZ, FLOOR, many, minimum=4000)
    out = world.ok("plan", "--out", "p", env={"PROVISIONER_IN_AUTOMATION": "1"})
    assert "  302 changes; the exceptional ones follow (--full draws them all):\n" in out
    assert "       301 token to create at ez (eztexting)\n" in out
    assert "Buys up to 1500 credits at ez." in out
    assert len(out.splitlines()) < 60
    assert len(world.ok("show", "--full", "p").splitlines()) > 4000
    applied = world.ok("apply", "p")
    assert "  302 of 302 steps ended\n" in applied
    assert "credits.ez: Purchase complete" in applied
    assert len(applied.splitlines()) < 60
    assert len(world.ok("plan", "--at", "+1h", "--full").splitlines()) > 4000
    assert len(world.ok("plan").splitlines()) < 40


def test_a_reviewed_plan_is_not_drawn_twice(world: World) -> None:
    """As Terraform's apply of a plan file: the counts and the money, then what is done."""
    world.write("[stack]\nname = 'r'\n", EZ, FLOOR, minimum=4000)
    world.ok("plan", "--out", "p")
    out = world.ok("apply", "p")
    assert out.startswith("Plan: 1 to add, 1 to change, 0 to destroy.\nBuys up to 1500 credits at ez.\n")
    assert "will be created" not in out
    assert "Apply complete! Resources: 1 added, 1 changed, 0 destroyed." in out
