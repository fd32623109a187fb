"""examples/ci for real: every step of every workflow is a script, and each runs here against the sandbox, as a
pipeline."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml  # type: ignore[import-untyped]  # comes with vcrpy, without types

if TYPE_CHECKING:
    from cli_world import World

ROOT = Path(__file__).parent.parent.parent
CI = ROOT / "examples" / "ci"
GITHUB = sorted((CI / "github").glob("*.yml"))
GITLAB = CI / "gitlab" / "gitlab-ci.yml"

FAKE_GH = """#!/bin/sh
[ "$1 $2" = "pr comment" ] || exit 1
for word; do last=$word; done
echo "comment on $3" && cat "$last"
"""


class Pipeline:
    """A checkout on a runner: the scripts, `provisioner` on the PATH, a stand-in for `gh`, and a home for each job."""

    def __init__(self, world: World, folder: Path) -> None:
        self.world = world
        self.checkout = folder / "checkout"
        shutil.copytree(CI, self.checkout / "examples" / "ci")
        self.folder = self.checkout / "examples" / "ci"
        self.bin = folder / "bin"
        self.bin.mkdir()
        self._tool("provisioner", f'#!/bin/sh\nPYTHONPATH={ROOT} exec {sys.executable} -m provisioner "$@"\n')
        self._tool("python3", f'#!/bin/sh\nexec {sys.executable} "$@"\n')
        self._tool("gh", FAKE_GH)
        self.jobs = folder / "jobs"
        self.secrets: dict[str, str] = {}

    def _tool(self, name: str, text: str) -> None:
        path = self.bin / name
        path.write_text(text)
        path.chmod(path.stat().st_mode | stat.S_IXUSR)

    def step(self, script: str, job: str, **env: str) -> subprocess.CompletedProcess[str]:
        """One step in one job: jobs share the checkout's folder and nothing of a home."""
        home = self.jobs / job
        home.mkdir(parents=True, exist_ok=True)
        kept = {name: value for name, value in self.world.environ.items() if name.startswith(("EZ_", "SMSCX_", "LANG"))}
        environ = {
            **kept,
            "PATH": f"{self.bin}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(home),
            "CI": "true",
            "GITHUB_ACTIONS": "true",
            "GITHUB_OUTPUT": str(home / "output"),
            "GITHUB_STEP_SUMMARY": str(home / "summary.md"),
            "GITHUB_WORKSPACE": str(self.checkout),
            "PROVISIONER_VAR_state": str(self.checkout.parent / "state"),
            "PROVISIONER_VAR_eztexting": f"{self.world.base}/eztexting",
            "PROVISIONER_VAR_smscx": f"{self.world.base}/smscx",
            **self.secrets,
            **env,
        }
        return subprocess.run(
            [f"steps/{script}"], cwd=self.folder, env=environ, capture_output=True, text=True, timeout=60, check=False,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip

    def output(self, job: str) -> dict[str, str]:
        lines = (self.jobs / job / "output").read_text().splitlines()
        return dict(line.split("=", 1) for line in lines)


@pytest.fixture
def pipeline(world: World, tmp_path: Path) -> Pipeline:
    """With a key pair: the public half is a variable of the repository, the private one a secret of one environment."""
    import pyrage  # type: ignore[import-untyped, unused-ignore]  # it ships none

    identity = pyrage.x25519.Identity.generate()
    runner = tmp_path / "runner"
    runner.mkdir()
    made = Pipeline(world, runner)
    made.secrets["PROVISIONER_VAR_recipient"] = str(identity.to_public())
    made.secrets["KEY"] = str(identity)  # under a name that provisioner does not know
    return made


def _ok(ended: subprocess.CompletedProcess[str], code: int = 0) -> str:
    assert ended.returncode == code, f"{ended.args}: exit {ended.returncode}\n{ended.stdout}\n{ended.stderr}"
    return ended.stdout


def _key(pipeline: Pipeline) -> dict[str, str]:
    return {"PROVISIONER_IDENTITY": pipeline.secrets["KEY"]}


def test_a_change_from_the_pull_request_to_the_audit(pipeline: Pipeline) -> None:
    """Planned and commented without the key, applied with it in another job; then nights and weeks."""
    _ok(pipeline.step("check.sh", "pr"))
    assert "changes: true" in _ok(pipeline.step("plan.sh", "pr"))
    assert pipeline.output("pr") == {"changes": "true"}
    comment = _ok(pipeline.step("comment.sh", "pr", PR="7"))
    assert comment.startswith("comment on 7\n## Plan for ci-example\n")
    assert json.loads((pipeline.folder / "gitlab-plan.json").read_text()) == {"create": 2, "update": 0, "delete": 0}
    assert json.loads((pipeline.folder / "plan.json").read_text())["applyable"] is True
    assert not list((pipeline.jobs / "pr").rglob("identity*"))

    assert "Apply complete! Resources: 1 imported, 2 added" in _ok(pipeline.step("apply.sh", "merge", **_key(pipeline)))
    head = (pipeline.folder / "head.txt").read_text().strip()
    assert len(head) == 64
    assert "Apply complete!" in (pipeline.jobs / "merge" / "summary.md").read_text()

    assert "changes: false" in _ok(pipeline.step("plan.sh", "next"))
    pipeline.world.control("panel", vendor="eztexting", action="set_credits", plan=0, anytime=1200)
    assert "below the floor" in _ok(pipeline.step("drift.sh", "night", **_key(pipeline)), 2)
    assert "Buys up to 2000 credits at ez (40.00 USD)." in _ok(pipeline.step("floors.sh", "night", **_key(pipeline)))
    assert pipeline.world.ledger()["purchases"][-1]["credits"] == 2000
    _ok(pipeline.step("drift.sh", "night", **_key(pipeline)))

    bare = dict.fromkeys(("EZ_USERNAME", "EZ_PASSWORD", "EZ_CARD_LAST_FOUR", "SMSCX_API_KEY"), "")
    audited = pipeline.step("audit.sh", "week", **bare)
    assert audited.returncode in (0, 2), audited.stderr
    assert json.loads((pipeline.folder / "audit.sarif").read_text())["version"] == "2.1.0"
    (pipeline.folder / "head.txt").write_text("0" * 64)
    _ok(pipeline.step("audit.sh", "week", **bare), 7)


def test_what_was_reviewed_is_what_is_applied(pipeline: Pipeline) -> None:
    """A plan from before another apply, and one whose file changed after the review, end the job with 6; nothing is
    sent."""
    _ok(pipeline.step("plan.sh", "pr"))
    shutil.copy(pipeline.folder / "plan.bin", pipeline.folder / "kept.bin")
    _ok(pipeline.step("apply.sh", "merge", **_key(pipeline)))
    sent = pipeline.world.ledger()["entries"]
    shutil.copy(pipeline.folder / "kept.bin", pipeline.folder / "plan.bin")
    assert "E0301" in pipeline.step("apply.sh", "again", **_key(pipeline)).stderr
    _ok(pipeline.step("plan.sh", "pr"))
    file = pipeline.folder / "provisioner.toml"
    file.write_text(file.read_text().replace("max_per_day = 3000", "max_per_day = 9000"))
    ended = pipeline.step("apply.sh", "later", **_key(pipeline))
    assert (ended.returncode, "E0304" in ended.stderr) == (6, True)
    assert pipeline.world.ledger()["entries"] == sent


def test_a_plan_that_fails_is_commented_too(pipeline: Pipeline) -> None:
    """A wrong file (4), refused credentials (8) and a plan that safety refuses (9): the reviewer reads why."""
    file = pipeline.folder / "provisioner.toml"
    whole = file.read_text()
    file.write_text(whole.replace('provider = "ez"', 'provider = "ezz"', 1))
    ended = pipeline.step("plan.sh", "pr")
    assert (ended.returncode, "::error file=examples/ci/provisioner.toml,line=" in ended.stderr) == (4, True)
    assert "## Plan failed" in _ok(pipeline.step("comment.sh", "pr", PR="7"))
    file.write_text(whole)
    _ok(pipeline.step("plan.sh", "pr", EZ_PASSWORD="wrong-password"), 8)
    assert "E0501" in _ok(pipeline.step("comment.sh", "pr", PR="7"))
    file.write_text(whole.replace('max_spend = { USD = "60" }', 'max_spend = { USD = "1" }').replace("2000", "2600"))
    _ok(pipeline.step("plan.sh", "pr"), 9)
    comment = _ok(pipeline.step("comment.sh", "pr", PR="7"))
    assert "It is refused, and cannot be applied." in comment
    assert "E0603" in comment


def test_the_first_apply_without_a_recipient_is_refused(pipeline: Pipeline) -> None:
    """In a pipeline no identity is ever made by itself: 4, saying what to set."""
    file = pipeline.folder / "provisioner.toml"
    file.write_text(file.read_text().replace('recipients = ["${var.recipient}"]', "recipients = []"))
    _ok(pipeline.step("plan.sh", "pr"))
    ended = pipeline.step("apply.sh", "merge")
    assert (ended.returncode, "E0112" in ended.stderr) == (4, True)
    assert pipeline.world.ledger()["entries"] == []


def test_install_takes_what_it_is_told(pipeline: Pipeline) -> None:
    """pip gets PROVISIONER_PACKAGE and nothing else; without it the step stops. (pip itself is a stand-in here.)"""
    pipeline._tool("python3", '#!/bin/sh\necho "$@"\n')
    out = _ok(pipeline.step("install.sh", "pr", PROVISIONER_PACKAGE="./dist/provisioner.whl"))
    assert out.startswith("-m pip install --quiet ./dist/provisioner.whl\nprovisioner ")
    assert pipeline.step("install.sh", "pr").returncode != 0


# -- the workflows themselves --------------------------------------------------------------------------------------


def _jobs(path: Path) -> Mapping[str, Mapping[str, Any]]:
    found: Mapping[str, Mapping[str, Any]] = yaml.safe_load(path.read_text())["jobs"]
    return found


@pytest.mark.parametrize("path", GITHUB, ids=lambda path: path.stem)
def test_every_step_of_a_workflow_is_one_of_our_scripts(path: Path) -> None:
    """So that what runs there is what ran here; actions are named by version."""
    for job in _jobs(path).values():
        assert job["defaults"]["run"]["working-directory"] == "examples/ci"
        for step in job["steps"]:
            if "run" in step:
                assert os.access(CI / step["run"], os.X_OK), step
            else:
                assert "@v" in step["uses"]


def test_only_who_applies_has_the_key() -> None:
    """A plan, a comment and an audit have none; who has it works in an environment that guards it."""
    keyed = {
        f"{path.stem}.{name}"
        for path in GITHUB
        for name, job in _jobs(path).items()
        if "PROVISIONER_IDENTITY" in job["env"]
    }
    assert keyed == {"apply.apply", "nightly.floors"}
    assert all("environment" in _jobs(CI / "github" / f"{p}.yml")[j] for p, j in (k.split(".") for k in keyed))
    for path in GITHUB:
        assert yaml.safe_load(path.read_text())["permissions"]["contents"] == "read"


def test_gitlabs_jobs_run_the_same_scripts() -> None:
    """Every line of every job is a script of ours; the widget's report is the file that plan.sh writes."""
    document = yaml.safe_load(GITLAB.read_text())
    jobs = {name: job for name, job in document.items() if isinstance(job, dict) and "script" in job}
    assert set(jobs) == {"check", "plan", "apply", "nightly", "audit"}
    for job in jobs.values():
        assert job["stage"] in document["stages"]
        for line in job["script"]:
            assert os.access(CI / line.split()[0], os.X_OK), line
    assert jobs["plan"]["artifacts"]["reports"]["terraform"] == "examples/ci/gitlab-plan.json"
    assert "--gitlab-report=gitlab-plan.json" in (CI / "steps" / "plan.sh").read_text()


@pytest.mark.parametrize("schema", ["github-workflows", "gitlab-ci"])
def test_a_real_linter_accepts_them(schema: str) -> None:
    """check-jsonschema by the schemas that GitHub's and GitLab's editors use; a planted mistake is found."""
    pytest.importorskip("check_jsonschema", reason="check-jsonschema is not installed: pip install '.[test]'")
    paths = GITHUB if schema == "github-workflows" else [GITLAB]
    words = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", f"vendor.{schema}"]
    ended = subprocess.run([*words, *map(str, paths)], capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr


@pytest.mark.parametrize("path", sorted(CI.glob("steps/*.sh")), ids=lambda path: path.name)
def test_scripts_are_plain_sh(path: Path) -> None:
    """They parse in sh, stop at the first error, and are executable."""
    assert subprocess.run(["sh", "-n", str(path)], capture_output=True, check=False).returncode == 0
    text = path.read_text()
    assert text.startswith("#!/bin/sh\n")
    assert "\nset -eu\n" in text
    assert os.access(path, os.X_OK)
