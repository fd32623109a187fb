"""The README's tour is what really happens, and its two commands are in the Makefile."""

from __future__ import annotations

import re
import shlex

from cli_world import ROOT, World

README = (ROOT / "README.md").read_text(encoding="utf-8")


def tour() -> list[tuple[str, list[str]]]:
    """Each command of the console block, and the lines that the README shows of its output."""
    block = re.findall(r"```console\n(.*?)```", README, re.DOTALL)[0]
    steps: list[tuple[str, list[str]]] = []
    for line in block.splitlines():
        if line.startswith("$ provisioner "):
            steps.append((line.removeprefix("$ provisioner "), []))
        elif line != "...":
            steps[-1][1].append(line)
    return steps


def loose(line: str) -> str:
    """A line without what changes from run to run: times, run ids, tokens, who runs it."""
    line = re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+Z", "TIME", line)
    line = re.sub(r"TIME  \S+  ", "TIME  WHO  ", line)
    line = re.sub(r"run \S+\]", "run RUN]", line)
    return re.sub(r"\b[0-9a-f]{32}\b", "TOKEN", line).rstrip()


def test_the_tour_shows_what_happens(world: World) -> None:
    """Every line that the README shows is in the real output, in that order, and every command succeeds."""
    steps = tour()
    assert len(steps) >= 10
    for typed, shown in steps:
        ended = world.run(*shlex.split(typed))
        assert ended.returncode == 0, f"{typed}\n{ended.stderr}"
        real = [loose(line) for line in ended.stdout.splitlines()]
        at = 0
        for line in map(loose, shown):
            assert line in real, f"{typed}: the README shows {line!r}"
            if not line.endswith("Creating..."):  # steps run side by side
                at = real.index(line, at)


def test_the_two_commands_are_targets(world: World) -> None:
    """`make demo` and `make test` stand in the README and in the Makefile."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in ("demo", "test"):
        assert f"make {target}" in README
        assert re.search(rf"^{target}:", makefile, re.MULTILINE)


def test_links_of_the_readme_lead_somewhere() -> None:
    """Every relative link names a file or a folder of the repository."""
    for link in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / link).exists(), link


def test_examples_are_valid(world: World) -> None:
    """validate takes every example as it stands, with no secret set."""
    found = sorted((ROOT / "examples").rglob("*.toml"))
    assert len(found) >= 7
    for example in found:
        gone: dict[str, str | None] = dict.fromkeys(("EZ_PASSWORD", "SMSCX_API_KEY", "TM_CLIENT_SECRET"))
        world.ok("validate", "-c", str(example), env=gone)
