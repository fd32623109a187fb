"""The JSON Schema that editors use, from the same shapes that validate."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from provisioner import providers
from provisioner.config.schema import json_schema
from provisioner.config.starter import starter

FAULTS = Path(__file__).parent / "faults"
SCHEMA = json_schema()


def errors(text: str) -> list[Any]:
    return list(jsonschema.Draft202012Validator(SCHEMA).iter_errors(tomllib.loads(text)))


def properties(value: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    if isinstance(value, dict):
        yield from value.get("properties", {}).items()
        for one in value.values():
            yield from properties(one)
    elif isinstance(value, list):
        for one in value:
            yield from properties(one)


def test_it_is_a_schema_and_every_field_is_described() -> None:
    """An editor has a sentence for every key it completes."""
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    found = list(properties(SCHEMA))
    assert len(found) > 60
    assert [name for name, shape in found if not shape.get("description")] == []


def test_provider_tables_are_told_apart_by_their_type() -> None:
    """Each vendor type has its own keys, taken from its own settings."""
    tables = SCHEMA["properties"]["providers"]["additionalProperties"]
    assert set(tables["discriminator"]["mapping"]) == set(providers.types())
    for name in providers.types():
        table = SCHEMA["$defs"][f"{name.capitalize()}Provider"]
        assert {"type", "base_url", *(one.name for one in providers.vendor(name).settings)} == set(table["properties"])
        assert table["required"] == ["type"]


def test_it_takes_what_loads() -> None:
    """The reference's example and the starter of every vendor."""
    page = (Path(__file__).parents[2] / "docs" / "desired-state.md").read_text(encoding="utf-8")
    assert errors(page.split("```toml\n", 1)[1].split("```", 1)[0]) == []
    assert errors(starter(providers.types(), stack="x")) == []


@pytest.mark.parametrize(
    "fault",
    [
        "unknown-section",
        "unknown-application-key",
        "unknown-provider-key",
        "unknown-provider-type",
        "application-without-provider",
        "wrong-types",
        "duration-in-words",
        "literal-password",
        "literal-number-as-secret",
        "literal-identity",
        "reference-of-two-kinds",
        "reference-of-unknown-kind",
        "setting-of-no-choice",
        "scopes-in-one-string",
        "floor-below-zero",
        "floor-without-minimum",
        "for-each-of-numbers",
        "variable-of-a-number",
        "moved-without-to",
    ],
)
def test_an_editor_sees_the_faults_of_shape(fault: str) -> None:
    """What is wrong in one table by itself is marked while it is typed."""
    assert errors((FAULTS / f"{fault}.toml").read_text())


def test_importing_load_imports_no_heavy_library() -> None:
    """Start-up is a feature: pydantic is paid for by a load, difflib by an error, subprocess by a command."""
    code = "import sys, provisioner.config.load, provisioner.config.refs as r; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"pydantic", "httpx", "asyncio", "sqlite3", "cryptography"} & set(done.stdout.split())
