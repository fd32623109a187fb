"""What `init` writes."""

from __future__ import annotations

from pathlib import Path

import pytest

from provisioner import providers
from provisioner.config.load import load
from provisioner.config.starter import starter
from provisioner.errors import Invalid
from provisioner.model.desired import Desired


def loaded(text: str, folder: Path) -> Desired:
    path = folder / "provisioner.toml"
    path.write_text(text, encoding="utf-8")
    return load(path, overrides={}, environ={})


@pytest.mark.parametrize("types", [[], *([one] for one in providers.types()), list(providers.types())], ids=str)
def test_every_starter_loads(types: list[str], tmp_path: Path) -> None:
    """For no type, each type and all types: one application a provider, and no literal secret."""
    text = starter(types, stack="demo")
    desired = loaded(text, tmp_path)
    assert text.startswith("#:schema ./provisioner.schema.json\n")
    assert desired.stack == "demo"
    assert len(desired.applications) == len(types) or not types
    assert [one.type for one in desired.providers.values()] == (types or ["eztexting"])


def test_the_quickstart_needs_no_account(tmp_path: Path) -> None:
    """With no type named, the file runs at once, against the embedded vendor."""
    desired = loaded(starter([], stack="demo"), tmp_path)
    assert {one.base_url for one in desired.providers.values()} == {"sandbox"}
    assert all(not one.settings for one in desired.providers.values())


@pytest.mark.parametrize("name", providers.types())
def test_what_is_commented_out_loads_as_well(name: str, tmp_path: Path) -> None:
    """Every `# key = value` line of a provider is TOML that the file takes, once its placeholder is filled in."""
    text = starter([name], stack="demo").replace("...", "https://x.example")
    text = text.replace('# issuer = "https://x.example"', "")
    lines = [one.removeprefix("# ") if " = " in one and "age1" not in one else one for one in text.split("\n")]
    if name in ("oauth2", "textmaster", "textking"):  # a base_url and the addresses are two ways to say one thing
        lines = [one for one in lines if not one.startswith("base_url")]
    desired = loaded("\n".join(lines), tmp_path)
    assert desired.applications[0].consumers == ("web", "worker")


def test_a_stack_name_cannot_break_out_of_its_string(tmp_path: Path) -> None:
    """The name is written as TOML, whatever it holds; `load` then says what it thinks of it."""
    with pytest.raises(Invalid) as caught:
        loaded(starter([], stack='x"\n[safety]\nmax_destroy = 0'), tmp_path)
    assert [one.key_path for one in caught.value.diagnostics] == ["stack.name"]


def test_an_unknown_type_is_refused_with_a_suggestion() -> None:
    """`init eztext` is a mistyped eztexting."""
    with pytest.raises(Invalid) as caught:
        starter(["eztext"], stack="demo")
    assert "eztexting" in caught.value.diagnostics[0].detail
