"""Every switch does what it says, both ways, and the page lists it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from sandbox_switch_views import EZTEXTING, SMSCX, TEXTKING, TEXTMASTER
from sandbox_switch_views_oauth2 import OAUTH2
from sandbox_world import serving

from provisioner.sandbox.switches import SWITCHES

VIEWS = {"eztexting": EZTEXTING, "smscx": SMSCX, "textmaster": TEXTMASTER, "textking": TEXTKING, "oauth2": OAUTH2}
LOOKS = {f"{vendor}.{name}": view for vendor, views in VIEWS.items() for name, view in views.items()}
DOCS = Path(__file__).parents[2] / "docs" / "sandbox.md"


def test_every_switch_has_a_view_of_every_choice() -> None:
    """Nobody adds a switch that nothing looks at, and no two choices look the same."""
    assert {name: set(expected) for name, (_, expected) in LOOKS.items()} == {
        name: set(switch.choices) for name, switch in SWITCHES.items()
    }
    for name, (_, expected) in LOOKS.items():
        assert len({repr(shown) for shown in expected.values()}) >= 2, name


@pytest.mark.parametrize(("name", "choice"), [(n, c) for n, (_, expected) in LOOKS.items() for c in expected])
def test_a_switch_shows(tmp_path: Path, name: str, choice: str) -> None:
    """Each choice shows exactly what it promises; the first one without being set."""
    look, expected = LOOKS[name]
    with serving(tmp_path / "sandbox") as world:
        if choice != SWITCHES[name].default:
            world.sandbox.set_switch(name, choice)
        assert look(world) == expected[choice]


def test_the_page_lists_the_switches_as_they_are() -> None:
    """docs/sandbox.md and switches.py say the same: name, choices with the default first, meaning, source."""
    rows = re.findall(r"^\| `([a-z0-9]+\.[a-z_]+)` \| (.+?) \| (.+) \| (.+?) \|$", DOCS.read_text(), re.MULTILINE)
    assert rows == [
        (name, ", ".join(f"`{choice}`" for choice in switch.choices), switch.meaning, switch.source)
        for name, switch in SWITCHES.items()
    ]


def test_switches_are_checked(tmp_path: Path) -> None:
    """A name or a choice that does not exist is refused, in process and over HTTP."""
    with serving(tmp_path / "sandbox") as world:
        for name, value in (("eztexting.nothing", "x"), ("eztexting.revoke", "maybe")):
            with pytest.raises(ValueError, match=r"switch|takes one of"):
                world.sandbox.set_switch(name, value)
            assert world.post("/_sandbox/switches", json={name: value}).status == 400
        assert world.post("/_sandbox/switches", json={"eztexting.revoke": "one"}).json()["eztexting.revoke"] == "one"
        assert world.get("/_sandbox/switches").json() == world.sandbox.switches()
