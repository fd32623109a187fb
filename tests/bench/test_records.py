"""Records are dataclasses to whoever uses them; only their price differs."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import pickle
import subprocess
import sys
from dataclasses import FrozenInstanceError
from pathlib import Path
from typing import Any, ClassVar

import pytest

from provisioner import records
from provisioner.model import desired, observed, plan, recorded


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Theirs:
    """A point."""

    x: int
    y: list[int] = dataclasses.field(default_factory=list)
    label: str | None = None
    secret: str = dataclasses.field(default="s", repr=False)
    shared: ClassVar[int] = 3

    kind = "point"


@records.dataclass(frozen=True, slots=True, kw_only=True)
class Ours:
    """A point."""

    x: int
    y: list[int] = records.field(default_factory=list)
    label: str | None = None
    secret: str = records.field(default="s", repr=False)
    shared: ClassVar[int] = 3

    kind = "point"


@records.dataclass(slots=True)
class Counter:
    count: int = 0


@records.dataclass(frozen=True, slots=True)
class Pair:
    left: int
    right: int = 2


def test_a_record_is_what_a_dataclass_is() -> None:
    """Defaults, factories, repr, class attributes, equality, hash, and the stranger's view by `dataclasses`."""
    for cls in (Ours, Theirs):
        made: Any = cls(x=1)
        assert (made.x, made.y, made.label, made.kind, made.shared) == (1, [], None, "point", 3)
        assert made == cls(x=1)
        assert made != cls(x=2)
        assert made != "a point"
        assert repr(made) == f"{cls.__name__}(x=1, y=[], label=None)"
        assert cls(x=1).y is not made.y
        assert dataclasses.asdict(made) == {"x": 1, "y": [], "label": None, "secret": "s"}
        assert not hasattr(made, "__dict__")
    assert hash(Pair(1)) == hash(Pair(1, 2))
    with pytest.raises(TypeError, match="unhashable"):
        hash(Counter())


def test_stdlib_dataclasses_reads_a_record() -> None:
    """Names, types, defaults and order as `dataclasses.fields` tells them."""
    shown = [
        [(f.name, f.type, f.default, f.default_factory, f.repr, f.kw_only) for f in dataclasses.fields(cls)]
        for cls in (Ours, Theirs)
    ]
    assert shown[0] == shown[1]
    assert dataclasses.replace(Ours(x=1), x=5) == Ours(x=5)
    assert records.replace(Pair(1), right=5) == Pair(1, 5)


def test_a_frozen_record_stays_as_it_was_made() -> None:
    """Neither set nor deleted; a mutable one is."""
    made: Any = Ours(x=1)
    with pytest.raises(FrozenInstanceError):
        made.x = 2
    with pytest.raises(FrozenInstanceError):
        del made.x
    counter = Counter()
    counter.count += 1
    assert counter == Counter(1)


def test_wrong_arguments_are_refused_as_by_any_function() -> None:
    """Unknown, missing, positional where only keywords are taken."""
    calls: list[tuple[Any, Any]] = [((), {}), ((), {"x": 1, "z": 2}), ((1,), {})]
    for words, values in calls:
        with pytest.raises(TypeError):
            Ours(*words, **values)
    changes: Any = {"z": 1}
    with pytest.raises(TypeError):
        records.replace(Ours(x=1), **changes)


def test_records_are_copied_matched_and_told_apart() -> None:
    """copy, deepcopy, pickle, match statements by position, two classes with the same values."""
    made = Pair(1, 2)
    for again in (copy.copy(made), copy.deepcopy(made), pickle.loads(pickle.dumps(made))):  # noqa: S301  # our own
        assert again == made
    match made:
        case Pair(left, right):
            assert (left, right) == (1, 2)
    other: object = Counter(1)
    assert other != made


def test_every_record_of_the_model_compiles() -> None:
    """Each class's `__init__` takes exactly its fields."""
    seen = 0
    for module in (desired, observed, plan, recorded):
        for cls in vars(module).values():
            if isinstance(cls, type) and cls.__module__ == module.__name__ and hasattr(cls, "_values"):
                init: Any = records._init(cls)  # type: ignore[attr-defined]  # what mypy does not see
                assert list(inspect.signature(init).parameters)[1:] == [f.name for f in records.fields(cls)]
                seen += 1
    assert seen > 20


def test_importing_the_model_imports_neither_dataclasses_nor_inspect() -> None:
    """What records are for."""
    code = (
        "import sys, provisioner.model.plan, provisioner.model.recorded;"
        "sys.exit(bool({'dataclasses', 'inspect'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[2], check=False).returncode == 0
