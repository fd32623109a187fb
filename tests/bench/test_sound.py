"""The quick check of a file's shape says yes to nothing that the schema refuses, and to everything that loads."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from provisioner import providers
from provisioner.config import schema, sound
from provisioner.config.starter import starter

VENDORS = [providers.vendor(name) for name in providers.types()]
ADAPTER = schema.adapter(VENDORS)
ROOT = Path(__file__).parents[2]
ENVIRON = {**os.environ, "PYTHONPATH": str(ROOT)}
EXAMPLES = sorted((ROOT / "examples").glob("*.toml"))
TABLES = {
    "stack": sound.STACK,
    "state": sound.STATE,
    "state.encryption": sound.ENCRYPTION,
    "token_policies": sound.POLICY,
    "applications": sound.APPLICATION,
    "credits": sound.CREDITS,
    "safety": sound.SAFETY,
    "moved": sound.MOVED,
    "import": sound.IMPORT,
    "removed": sound.REMOVED,
}


def taken(document: dict[str, Any]) -> bool:
    try:
        ADAPTER.validate_python(document)
    except ValidationError:
        return False
    return True


@pytest.mark.parametrize("section", TABLES)
def test_both_know_the_same_keys(section: str) -> None:
    """A key that is added to the schema is added to the quick check; it would be slow otherwise, never wrong."""
    assert list(TABLES[section]) == schema.known_keys(section)
    assert {*sound.SECTIONS, "providers"} == set(schema.known_keys(""))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: str(path.stem))
def test_the_examples_need_no_pydantic(path: Path) -> None:
    """Every example is sound as it stands."""
    document = tomllib.loads(path.read_text(encoding="utf-8"))
    assert sound.is_sound(document, VENDORS)
    assert taken(document)


def test_the_starter_and_the_reference_need_no_pydantic() -> None:
    """All sections with nearly all keys."""
    page = (ROOT / "docs" / "desired-state.md").read_text(encoding="utf-8")
    for text in (starter(providers.types(), stack="x"), page.split("```toml\n", 1)[1].split("```", 1)[0]):
        assert sound.is_sound(tomllib.loads(text), VENDORS)


# Values that are good somewhere, and their neighbours that are not.
WORDS = st.sampled_from(
    [
        *("", " ", "\x1c", "\x85", "\u00a0", "1d", "1w", "never", "15m", "15m\n", "1.5h", "\u0661m", "revoke", "keep"),
        *("warn", "error", "USD", "usd", "USD\n", "sms", "user:read", 'a"b', "a b", "\xe9", "\x7f", "stack", "-stack"),
        *("stack\n", "app_key", "client_credentials", "device_code", *providers.types()),
    ]
)
SCALARS = st.one_of(WORDS, st.text(max_size=3), st.booleans(), st.integers(-1, 3), st.floats(0, 1), st.none())
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(WORDS, inner, max_size=2)),
    max_leaves=4,
)
SETTINGS = sorted({setting.name for vendor in VENDORS for setting in vendor.settings} | {"type", "base_url", "other"})


def tables(keys: list[str]) -> st.SearchStrategy[dict[str, Any]]:
    return st.dictionaries(st.sampled_from([*keys, "other"]), VALUES, max_size=4)


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    """Whole files, each section of about its own form."""
    found: dict[str, Any] = {}
    for section in draw(st.lists(st.sampled_from([*sound.SECTIONS, "providers", "other"]), max_size=2, unique=True)):
        if section == "providers":
            base = {"type": draw(st.sampled_from(providers.types()))}
            inner = tables(SETTINGS).map(base.__or__)
        else:
            inner = tables(list(TABLES.get(section, {"other": None})))
        named = st.dictionaries(WORDS, inner, max_size=2)
        found[section] = draw(st.one_of(inner, named, st.lists(inner, max_size=2), VALUES))
    return found


@given(documents())
def test_no_yes_is_taken_back(document: dict[str, Any]) -> None:
    """What the quick check takes, pydantic takes."""
    if sound.is_sound(document, VENDORS):
        assert taken(document)


@given(st.sampled_from(list(TABLES)), st.data())
def test_no_single_value_is_taken_back(section: str, data: st.DataObject) -> None:
    """One key, one value, what is required beside it: the same answer wherever the quick check says yes."""
    key = data.draw(st.sampled_from(list(TABLES[section])))
    value = data.draw(VALUES)
    if TABLES[section][key](value):
        needed = {"provider": "p", "minimum": 0, "from": "a.b", "to": "a.c", "id": "x"}
        table = {name: needed[name] for name in TABLES[section] if name in needed} | {key: value}
        whole: dict[str, Any] = {section: table}
        if section == "state.encryption":
            whole = {"state": {"encryption": table}}
        elif section in ("token_policies", "applications", "credits"):
            whole = {section: {"n": table}}
        elif section in ("moved", "import", "removed"):
            whole = {section: [table]}
        assert taken(whole)


def test_a_good_file_is_loaded_without_pydantic(tmp_path: Path) -> None:
    """The point of it: neither `validate` nor what comes after imports it."""
    (tmp_path / "provisioner.toml").write_text(EXAMPLES[0].read_text(encoding="utf-8"), encoding="utf-8")
    code = "import sys; from provisioner.cli.main import main; main(['validate']); sys.exit('pydantic' in sys.modules)"
    ended = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=ENVIRON, capture_output=True, check=False)
    assert ended.returncode == 0, ended.stderr
