"""The plans, made once by the command line against the sandbox."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from consumers_world import FILE, GUARDED, ROOT, WORKER

sys.path.insert(0, str(ROOT / "tests" / "cli"))
from cli_world import World

Plans = Callable[[str], Path]


@pytest.fixture(scope="session")
def plan_of(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plans]:
    """The JSON of one planted plan, made on first use: `clean`, `broad`, `spend`, `destroy`, `rotate`, `empty`."""
    worlds: list[World] = []
    made: dict[str, Path] = {}

    def plan(name: str) -> Path:
        if not worlds:  # only now: where no tool is installed nobody asks
            worlds.append(World(tmp_path_factory.mktemp("consumers")))
            _applied(worlds[0])
        if name not in made:
            made[name] = _planted(worlds[0], name)
        return made[name]

    yield plan
    for world in worlds:
        world.stop()


def _applied(world: World) -> None:
    """A token with the scope sms, a balance of 2500 above its floor, two registered clients: all as declared."""
    world.write(FILE, GUARDED, WORKER, minimum=2000, scopes='["sms"]')
    world.ok("apply", "--auto-approve", code=3)
    client = world.values("application.campaigns")["client_id"]
    world.control("panel", vendor="smscx", action="edit_application", client_id=client, scopes="sms")
    world.ok("apply", "--auto-approve")


def _planted(world: World, name: str) -> Path:
    words: list[str] = []
    code = 0
    match name:
        case "clean":
            world.write(FILE, GUARDED, WORKER, minimum=3000, scopes='["sms"]')
            words = ["--replace", "token.campaigns"]
        case "broad":
            world.write(FILE, GUARDED, WORKER, minimum=2000, scopes='["sms", "groups"]')
        case "spend":
            world.write(FILE, GUARDED, WORKER, minimum=6000, scopes='["sms"]')
        case "destroy":
            world.write(FILE, WORKER.replace('"eu", ', ""), minimum=2000, scopes='["sms"]')
            code = 9
        case "rotate":
            world.write(FILE, GUARDED, WORKER, minimum=2000, scopes='["sms"]')
            words = ["--replace", 'application.worker["eu"]']
        case "empty":
            world.write(FILE, GUARDED, WORKER, minimum=2000, scopes='["sms"]')
    world.ok("plan", "--out", f"{name}.plan", *words, code=code)
    path = world.folder / f"{name}.json"
    path.write_text(world.ok("show", "--json", f"{name}.plan"), encoding="utf-8")
    return path
