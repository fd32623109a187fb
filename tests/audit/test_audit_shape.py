"""The compiled schema says of any entry what a real JSON Schema validator says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from audit_story import told
from hypothesis import given, settings
from hypothesis import strategies as st

from provisioner.audit.shape import entry_shape
from provisioner.journal.schema import json_schema

SHAPE = entry_shape()
VALIDATOR = jsonschema.Draft202012Validator(json_schema())
VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(-5, 2**60), st.text(max_size=5), st.just("2026-12-01T00:00:00Z"),
    st.just("token.x"), st.just([]), st.just(["a"]), st.just({}), st.just({"kind": "token"}), st.just("1.5"),
)  # fmt: skip


@pytest.fixture(scope="module")
def entries(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """One of each kind that thirty days hold."""
    folder: Path = tmp_path_factory.mktemp("story")
    told(folder)
    lines = (folder / "state/messaging/journal/00000001.jsonl").read_text().splitlines()
    by_kind: dict[str, dict[str, Any]] = {}
    for line in lines:
        entry = json.loads(line)
        key = f"{entry['kind']} {sorted(entry['body'])} {[p['kind'] for p in entry['body'].get('put', [])]}"
        by_kind.setdefault(key, entry)
    return list(by_kind.values())


def test_real_entries_fit(entries: list[dict[str, Any]]) -> None:
    """Every kind that is written."""
    assert len(entries) > 10
    assert [SHAPE(entry, "") for entry in entries] == [None] * len(entries)


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_it_agrees_with_a_validator(entries: list[dict[str, Any]], data: st.DataObject) -> None:
    """Whatever one member of an entry is changed into, dropped or added."""
    entry = json.loads(json.dumps(data.draw(st.sampled_from(entries))))
    place: Any = entry
    while True:
        inner = [key for key, item in _items(place) if isinstance(item, dict | list) and item]
        if not inner or not data.draw(st.integers(0, 3)):
            break
        place = place[data.draw(st.sampled_from(inner))]
    keys = [key for key, _ in _items(place)]
    key = data.draw(st.sampled_from([*keys, "stranger"] if isinstance(place, dict) else keys))
    if data.draw(st.booleans()) and key != "stranger":
        del place[key]
    else:
        place[key] = data.draw(VALUES)
    fault = SHAPE(entry, "")
    assert (fault is None) == VALIDATOR.is_valid(entry), fault


def _items(place: Any) -> list[tuple[Any, Any]]:
    return list(place.items()) if isinstance(place, dict) else list(enumerate(place))


def test_a_newline_at_the_end_fits_no_pattern(entries: list[dict[str, Any]]) -> None:
    """JSON Schema's `$` is the end; Python's lets a newline pass."""
    entry = {**entries[0], "run": entries[0]["run"] + "\n"}
    assert SHAPE(entry, "") == "run is not written as it should be"


def test_true_is_not_one(entries: list[dict[str, Any]]) -> None:
    """JSON tells them apart, and Python does not."""
    assert SHAPE({**entries[0], "format": True}, "") == "format should be 1"
