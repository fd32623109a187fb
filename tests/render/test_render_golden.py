"""Every output format against its golden file. `UPDATE_GOLDEN=1 pytest tests/render` writes them anew."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
import render_samples as sample

from provisioner.engine.events import ApplyResult
from provisioner.render import annotations as workflow
from provisioner.render import (
    configuration_json,
    diagnostics,
    diff,
    gitlab,
    human_apply,
    human_plan,
    human_state,
    markdown,
    plan_file,
    plan_json,
    state_json,
    stream,
)
from provisioner.render.json_text import json_text
from provisioner.render.style import Style

GOLDEN = Path(__file__).parent / "golden"
LATER = sample.NOW + timedelta(minutes=1)


def _plan_json() -> str:
    found = plan_json.plan_json(
        sample.plan(), sample.state(), desired=sample.desired(), version="0.1.0", timestamp=LATER
    )
    return json_text(found, indent=2) + "\n"


def _stream() -> str:
    plan, result, at = sample.plan(), sample.result(), LATER
    lines = [stream.version_line("0.1.0", at)]
    lines += [stream.resource_drift(drift, at) for drift in plan.drift]
    lines += [stream.planned_change(step, at) for step in plan.changes]
    lines += [stream.diagnostic(found, at) for found in plan.diagnostics]
    lines.append(stream.plan_summary(plan, at))
    for ended in result.results:
        lines.append(stream.apply_start(ended.step, at))
        lines.append(stream.apply_progress(ended.step, 10.2, at))
        lines.append(stream.apply_end(ended, at))
    lines.append(stream.outputs(result.results, at))
    lines.append(stream.apply_summary(result, at))
    lines.append(stream.failed_summary("plan", at, ApplyResult(results=(), exit_code=4)))
    lines.append(stream.drift_summary(plan, at))
    return "".join(json_text(line) + "\n" for line in lines)


def _running() -> str:
    result = sample.result()
    text = (
        "\n".join(human_apply.approval_question("messaging", mode=mode) for mode in ("normal", "refresh-only")) + "\n"
    )
    for ended in result.results:
        text += human_apply.started(ended.step) + human_apply.progress(ended.step, 75.0) + human_apply.finished(ended)
    return text + human_apply.apply_end(result)


def _state_diff() -> str:
    old, new = sample.state(), sample.state()
    new.objects = {
        **new.objects,
        "o2": sample.token_record('token.campaigns["web"]', "o2", scopes=("sms",), generation=4),
    }
    del new.objects["o5"]
    found = diff.state_diff(old, new, now=sample.NOW)
    return "".join(f"{r.address} {r.deposed} {r.action} {list(map(repr, r.differences))}\n" for r in found.records)


FORMATS: dict[str, Callable[[], str]] = {
    "plan.json": _plan_json,
    "plan.txt": lambda: human_plan.human_plan(sample.plan()),
    "plan_color.txt": lambda: human_plan.human_plan(sample.plan(), style=Style(color=True)),
    "plan_none.txt": lambda: human_plan.human_plan(sample.empty_plan()) + human_plan.unsaved_hint(),
    "plan.md": lambda: markdown.plan_markdown(sample.plan()),
    "plan_file.json": lambda: plan_file.dump(sample.plan(), sample.desired(), sample.state()).decode(),
    "apply.txt": _running,
    "apply.md": lambda: markdown.apply_markdown(sample.result(), stack="messaging"),
    "stream.jsonl": _stream,
    "state.json": lambda: json_text(state_json.state_json(sample.state(), now=sample.NOW, version="0.1.0"), indent=2),
    "state.txt": lambda: human_state.state_text(sample.state(), now=sample.NOW),
    "state_list.txt": lambda: human_state.list_text(sample.state()),
    "state_diff.txt": _state_diff,
    "drift.txt": lambda: human_state.drift_text(sample.plan().drift),
    "diagnostics.txt": lambda: diagnostics.diagnostics_text(sample.plan().diagnostics),
    "validate.json": lambda: json_text(diagnostics.validate_json(sample.plan().diagnostics), indent=2),
    "validate.txt": lambda: diagnostics.validate_text(sample.plan().diagnostics),
    "annotations.txt": lambda: workflow.annotations(sample.plan().diagnostics),
    "gitlab.json": lambda: json_text(gitlab.gitlab_report(sample.plan())),
    "configuration.json": lambda: json_text(configuration_json.configuration(sample.desired()), indent=2),
}


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_output_is_as_recorded(name: str) -> None:
    """A view changes only where somebody looked at the new text."""
    text, path = FORMATS[name](), GOLDEN / name
    if os.environ.get("UPDATE_GOLDEN"):
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_no_output_holds_what_is_sealed(name: str) -> None:
    """The samples seal a canary in every secret field; no view shows it."""
    assert sample.CANARY not in FORMATS[name]()


def test_every_golden_file_belongs_to_a_format() -> None:
    """A format that is gone takes its golden file with it."""
    assert {path.name for path in GOLDEN.iterdir()} == set(FORMATS)
