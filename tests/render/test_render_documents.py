"""What docs/ promises of the formats is what the code has."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import render_samples as sample

from provisioner.codes import CODES, RETIRED
from provisioner.render.plan_json import plan_json

DOCS = Path(__file__).parents[2] / "docs"
ROW = re.compile(r"^\| ([EW]\d{4}) \| `([a-z-]+)` \| (.+?) \| (.+?) \| (.+?) \|$", re.MULTILINE)


def test_every_code_is_explained() -> None:
    """docs/diagnostics.md has one row for every code of codes.py, with its meaning, and none for another."""
    rows = ROW.findall((DOCS / "diagnostics.md").read_text(encoding="utf-8"))
    assert {name: (code, meaning) for code, name, meaning, _, _ in rows} == {
        name: (found.code, found.meaning) for name, found in {**CODES, **RETIRED}.items()
    }


def test_causes_and_remedies_are_sentences() -> None:
    """No row is a placeholder: each says why in a sentence, and what to do."""
    for code, _, _, cause, remedy in ROW.findall((DOCS / "diagnostics.md").read_text(encoding="utf-8")):
        assert len(cause) > 15, code
        assert len(remedy) > 7, code


def test_no_code_is_used_twice() -> None:
    """A code names one thing, a retired one too."""
    codes = [found.code for table in (CODES, RETIRED) for found in table.values()]
    assert len(codes) == len(set(codes))


@pytest.mark.parametrize("place", ["", "resource_changes", "change"])
def test_every_key_of_a_plan_is_documented(place: str) -> None:
    """docs/plan-json.md names each key that a plan's JSON has."""
    found = plan_json(sample.plan(), sample.state(), desired=sample.desired(), version="0.1.0", timestamp=sample.NOW)
    changes = found["resource_changes"]
    keys = {
        "": set(found),
        "resource_changes": {key for change in changes for key in change},
        "change": {key for change in changes for key in change["change"]},
    }[place]
    page = (DOCS / "plan-json.md").read_text(encoding="utf-8")
    assert {key for key in keys if f"`{key}`" not in page} == set()
