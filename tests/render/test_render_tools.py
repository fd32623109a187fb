"""What other people's tools find in our text: the expressions are those that tfcmt and Atlantis publish."""

from __future__ import annotations

import re

import render_samples as sample

from provisioner.errors import Diagnostic
from provisioner.model.plan import PlanOptions
from provisioner.render import human_apply, sentences
from provisioner.render.diagnostics import diagnostic_text
from provisioner.render.human_plan import human_plan

# tfcmt, pkg/terraform/parser.go
TFCMT = {
    "create": r"^ *# (.*) will be created$",
    "update": r"^ *# (.*) will be updated in-place$",
    "delete": r"^ *# (.*) will be destroyed$",
    "replace": r"^ *# (.*?)(?: is tainted, so)? must be replaced$",
    "replace_option": r"^ *# (.*?) will be replaced, as requested$",
    "move": r"^ *# (.*?) has moved to (.*?)$",
    "import": r"^ *# (.*?) will be imported$",
}
TFCMT_PASS = re.compile(r"(?m)^(Plan: \d|No changes.)")
TFCMT_FAIL = re.compile(r"(?m)^([│|] )?(Error: )")
TFCMT_WARNING = re.compile(r"(?m)^([│|] )?(Warning: )")
TFCMT_HAS_DESTROY = re.compile(r"(?m)([1-9][0-9]* to destroy.)")
TFCMT_APPLIED = re.compile(r"(?m)^(Apply complete!)")
TFCMT_APPLY_FAILED = re.compile(r"(?m)^(Error: )")

# Atlantis, server/events/models/models.go
ATLANTIS_OUTSIDE = re.compile(r"Note: Objects have changed outside of Terraform")
ATLANTIS_PLAN = re.compile(r"Plan: (?:(\d+) to import, )?(\d+) to add, (\d+) to change, (\d+) to destroy.")
ATLANTIS_NONE = re.compile(r"No changes. (Infrastructure is up-to-date|Your infrastructure matches the configuration).")
ATLANTIS_DIFF = re.compile(r"(?m)^( +)([-+~]\s)(.*)(\s=\s|\s->\s|<<|\{|\(known after apply\)| {2,}[^ ]+:.*)(.*)")


def _found(text: str) -> dict[str, list[str]]:
    return {
        name: [m[1] for line in text.split("\n") if (m := re.match(pattern, line))] for name, pattern in TFCMT.items()
    }


def test_tfcmt_finds_every_resource() -> None:
    """Each change is found under the heading that Terraform would have given it, and nothing else is."""
    assert _found(human_plan(sample.plan())) == {
        "create": ["token.fresh"],
        "update": ["application.campaigns", "credits.ez"],
        "delete": ['token.campaigns["web"] (deposed object 1a2b3c4d)'],
        "replace": ['token.campaigns["web"]'],
        "replace_option": ["token.asked"],
        "move": ["application.former"],
        "import": ["application.imported"],
    }


def test_tfcmt_reads_the_outcome() -> None:
    """Passed, with destroys; no error and no warning is read out of a plan that has none."""
    text = human_plan(sample.plan())
    assert TFCMT_PASS.search(text)
    assert TFCMT_HAS_DESTROY.search(text)
    assert not TFCMT_FAIL.search(text)
    assert not TFCMT_HAS_DESTROY.search(human_plan(sample.empty_plan()))


def test_tfcmt_can_cut_the_plan_out() -> None:
    """The lines between which tfcmt cuts stand alone on theirs, and the drift section ends after it began."""
    lines = human_plan(sample.plan()).split("\n")
    begins = lines.index("Note: Objects have changed outside of Terraform")
    prefix = "Unless you have made equivalent changes to your configuration"
    ends = next(n for n, line in enumerate(lines) if line.startswith(prefix))
    assert begins < ends < lines.index("Terraform will perform the following actions:")


def test_a_refresh_only_plan_is_read_too() -> None:
    """Its drift is cut out between the same two lines, and it passes with counts of nought, not with `No changes.`"""
    lines = human_plan(sample.plan(steps=(), options=PlanOptions(mode="refresh-only"))).split("\n")
    begins = lines.index("Note: Objects have changed outside of Terraform")
    prefix = "Unless you have made equivalent changes to your configuration"
    assert begins < next(n for n, line in enumerate(lines) if line.startswith(prefix))
    match = ATLANTIS_PLAN.search("\n".join(lines))
    assert match is not None
    assert match.groups() == (None, "0", "0", "0")
    assert TFCMT_PASS.findall("\n".join(lines)) == ["Plan: 0"]


def test_atlantis_reads_the_counts() -> None:
    """Imports, additions, changes and destroys as numbers, and the note on drift."""
    text = human_plan(sample.plan())
    match = ATLANTIS_PLAN.search(text)
    assert match is not None
    assert match.groups() == ("1", "3", "2", "3")
    assert ATLANTIS_OUTSIDE.search(text)


def test_atlantis_reads_no_changes() -> None:
    """The sentence that makes it say so in a pull request."""
    assert ATLANTIS_NONE.search(human_plan(sample.empty_plan()))
    assert not ATLANTIS_NONE.search(human_plan(sample.plan()))


def test_atlantis_turns_the_plan_into_a_diff() -> None:
    """Its expression moves the symbols of attributes to the front of their lines."""
    moved = ATLANTIS_DIFF.sub(r"\2\1\3\4\5", human_plan(sample.plan()))
    assert re.search(r"(?m)^~ +generation +=", moved)
    assert re.search(r'(?m)^\+ +resource "token" "fresh" \{', moved)


def test_tfcmt_reads_an_apply() -> None:
    """`Apply complete!` stands at the beginning of a line where all is well, and nowhere else."""
    failed = sample.result()
    assert not TFCMT_APPLIED.search(human_apply.apply_end(failed))
    good = type(failed)(results=failed.results[:3], exit_code=3)
    assert TFCMT_APPLIED.search(human_apply.apply_end(good))
    assert sentences.applied_line(good) == "Apply complete! Resources: 1 imported, 1 added, 0 changed, 1 destroyed."


def test_tools_find_errors() -> None:
    """A diagnostic's first line begins as Terraform's does."""
    error = Diagnostic(name="lock-held", summary="Another run holds the lock")
    assert TFCMT_FAIL.search(diagnostic_text(error))
    assert TFCMT_APPLY_FAILED.search(diagnostic_text(error))
    warning = Diagnostic(name="retiring", summary="A replaced token lives on", severity="warning")
    assert TFCMT_WARNING.search(diagnostic_text(warning))
