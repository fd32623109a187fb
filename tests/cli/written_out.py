"""A failing sequence of a state machine's steps, written out as a test that fails by itself: beside the machine, where
pytest finds it. It stays until whoever mended the fault deletes it or keeps it under a name of its own."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])

_TEST = '''"""Written out by {name}, which failed after these steps: {fault}"""

from __future__ import annotations

from {module} import {name}


def test_found_{lower}() -> None:
    """The shortest sequence that was found."""
    machine = {name}()
    try:
{steps}
    finally:
        machine.teardown()
'''


class WritesOut:
    """For a RuleBasedStateMachine: its rules are decorated with `step`, its invariants and `teardown` with `check`."""

    folder: Path

    def __init__(self) -> None:
        super().__init__()
        self.steps: list[str] = []

    def write_out(self, fault: BaseException) -> Path:
        name = type(self).__name__
        path = self.folder / f"test_found_{name.lower()}.py"
        said = " ".join(f"{type(fault).__name__} {fault}".split()).replace('"""', "'''").replace("\\", "/")[:200]
        steps = "".join(f"        {line}\n" for line in self.steps or ["pass"]).rstrip()
        module = type(self).__module__
        path.write_text(_TEST.format(name=name, lower=name.lower(), module=module, steps=steps, fault=said))
        return path


def step(rule: F) -> F:
    """Below `@rule(...)`: remembers the call, and writes all of them out where it fails."""

    @wraps(rule)
    def wrapped(self: Any, **given: Any) -> Any:
        shown = ", ".join(f"{key}={value!r}" for key, value in given.items())
        self.steps.append(f"machine.{rule.__name__}({shown})")
        return _watched(self, lambda: rule(self, **given))

    return wrapped  # type: ignore[return-value]  # the same signature: `wraps`


def check(judge: F) -> F:
    """Below `@invariant()`, and around `teardown`: what it finds is written out too."""

    @wraps(judge)
    def wrapped(self: Any) -> Any:
        if judge.__name__ != "teardown":
            self.steps.append(f"machine.{judge.__name__}()")
        return _watched(self, lambda: judge(self))

    return wrapped  # type: ignore[return-value]


def _watched(machine: Any, act: Callable[[], Any]) -> Any:
    try:
        return act()
    except Exception as fault:
        machine.write_out(fault)
        raise
