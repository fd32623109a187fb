"""Real readers of Terraform plans accept ours, pass what keeps their policies and find what breaks them."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from consumers_world import POLICIES, python_with, run, tool

pytestmark = pytest.mark.slow

Plans = Callable[[str], Path]


# -- terraform-compliance --------------------------------------------------------------------------------------------


def _complied(plan_of: Plans, name: str, tmp_path: Path) -> subprocess.CompletedProcess[str]:
    words = [tool("terraform-compliance"), "--planfile", str(plan_of(name)), "--features"]
    return run([*words, str(POLICIES / "terraform-compliance"), "--no-ansi"], tmp_path)


@pytest.mark.parametrize("name", ["clean", "empty", "destroy", "rotate"])
def test_terraform_compliance_passes_what_keeps_its_features(name: str, plan_of: Plans, tmp_path: Path) -> None:
    """Exit 0, with scenarios that really ran: this tool exits 0 over a plan in which it finds nothing, too."""
    ended = _complied(plan_of, name, tmp_path)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "Every token is revoked when it goes" in ended.stdout
    passed = re.search(r"3 scenarios \((\d) passed", ended.stdout)
    assert passed is not None, ended.stdout
    assert int(passed[1]) >= 2


@pytest.mark.parametrize(
    ("name", "found"),
    [("broad", r"token\.campaigns.*groups"), ("spend", r"credits\.ez on credits\. 3500 is not less than 1001")],
)
def test_terraform_compliance_fails_what_was_planted(name: str, found: str, plan_of: Plans, tmp_path: Path) -> None:
    """Exit 1, naming the address: a scope too many, a purchase too large."""
    ended = _complied(plan_of, name, tmp_path)
    assert ended.returncode == 1, ended.stdout + ended.stderr
    assert re.search(found, ended.stdout.replace("\n", " ")), ended.stdout


# -- checkov ---------------------------------------------------------------------------------------------------------


def _checked(plan_of: Plans, name: str, tmp_path: Path) -> tuple[int, dict[str, Any]]:
    ids = "CKV2_PROVISIONER_1,CKV2_PROVISIONER_2,CKV2_PROVISIONER_3"
    words = [tool("checkov"), "--file", str(plan_of(name)), "--framework", "terraform_plan"]
    words += ["--skip-download", "--output", "json"]
    ended = run([*words, "--external-checks-dir", str(POLICIES / "checkov"), "--check", ids], tmp_path)
    found: dict[str, Any] = json.loads(ended.stdout)
    return ended.returncode, found


@pytest.mark.parametrize("name", ["clean", "empty"])
def test_checkov_passes_what_keeps_its_policies(name: str, plan_of: Plans, tmp_path: Path) -> None:
    """Exit 0, and every resource was looked at: this tool exits 0 over a plan that it cannot read, too."""
    code, found = _checked(plan_of, name, tmp_path)
    assert (code, found["summary"]["failed"], found["summary"]["parsing_errors"]) == (0, 0, 0)
    looked = {(check["check_id"], check["resource"]) for check in found["results"]["passed_checks"]}
    assert {("CKV2_PROVISIONER_1", "token.campaigns"), ("CKV2_PROVISIONER_2", "credits.ez")} <= looked
    assert ("CKV2_PROVISIONER_3", 'application.worker["eu"]') in looked


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("broad", {("CKV2_PROVISIONER_1", "token.campaigns")}),
        ("spend", {("CKV2_PROVISIONER_2", "credits.ez")}),
        ("rotate", {("CKV2_PROVISIONER_3", 'application.worker["eu"]')}),
    ],
)
def test_checkov_fails_what_was_planted(name: str, found: set[tuple[str, str]], plan_of: Plans, tmp_path: Path) -> None:
    """Exit 1 and exactly the planted violation: a scope, a purchase, a client that is registered anew."""
    code, report = _checked(plan_of, name, tmp_path)
    assert code == 1
    assert {(check["check_id"], check["resource"]) for check in report["results"]["failed_checks"]} == found


# -- Rego ------------------------------------------------------------------------------------------------------------

_ASK = """
import json, sys, regopy
rego = regopy.Interpreter()
rego.add_module("provisioner", open(sys.argv[1]).read())
rego.set_input(json.load(open(sys.argv[2])))
print(json.dumps(rego.query("data.main.deny").results[0].expressions[0]))
"""


def _denied(plan_of: Plans, name: str, tmp_path: Path) -> set[str]:
    python = python_with("regopy")
    if python is None:
        pytest.skip("regopy is not installed: pip install '.[consumers]', or name its folder in CONSUMERS_PATH")
    ended = run([python, "-c", _ASK, str(POLICIES / "rego" / "provisioner.rego"), str(plan_of(name))], tmp_path)
    assert ended.returncode == 0, ended.stderr
    return set(json.loads(ended.stdout))


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("clean", set()),
        ("empty", set()),
        ("broad", {"token campaigns may write groups"}),
        ("spend", {"credits ez would buy 3500, more than 1000"}),
        (
            "destroy",
            {
                "token texts would be destroyed",
                "token worker would be destroyed",
                "application worker would be destroyed",
                "safety.prevent_destroy fails",
            },
        ),
    ],
)
def test_rego_denies_exactly_what_was_planted(name: str, found: set[str], plan_of: Plans, tmp_path: Path) -> None:
    """Scopes, purchases, destroys, and the guard that the plan itself says it breaks."""
    assert _denied(plan_of, name, tmp_path) == found
