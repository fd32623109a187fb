"""One file a fault, named for it: `faults/NAME.toml` ends with the problems that loading it reports, all of them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from provisioner.codes import CODES
from provisioner.config.load import load
from provisioner.errors import Diagnostic, Invalid

FAULTS = sorted((Path(__file__).parent / "faults").glob("*.toml"))
_EXPECT = re.compile(r"^# expect: (\S+) (.+) (\S+)$", re.MULTILINE)


def problems(path: Path, **options: object) -> tuple[Diagnostic, ...]:
    with pytest.raises(Invalid) as caught:
        load(path, **({"overrides": {}, "environ": {}} | options))  # type: ignore[arg-type]  # options of a test
    assert caught.value.exit_code == 4
    return caught.value.diagnostics


@pytest.mark.parametrize("path", FAULTS, ids=lambda path: path.stem)
def test_each_fault_is_reported_where_it_stands_and_nothing_else_is(path: Path) -> None:
    """Name, key path and line of every problem are as the fixture says, and no secret is repeated."""
    found = problems(path)
    expected = {(name, where, line) for name, where, line in _EXPECT.findall(path.read_text())}
    assert {(one.name, one.key_path or "-", str(one.line)) for one in found} == expected
    for one in found:
        assert one.name in CODES
        assert one.file == str(path)
        assert one.summary
        assert one.detail, f"says what to do next: {one.summary}"
        assert "hunter2" not in repr(one).casefold()


def test_there_is_a_fixture_for_every_fault_of_the_file() -> None:
    """Every code of the file's area is shown by some fixture, but the two that other rooms raise."""
    shown = {name for path in FAULTS for name, _, _ in _EXPECT.findall(path.read_text())}
    area = {name for name, code in CODES.items() if code.code.startswith("E01")}
    assert area - shown == {"no-recipient"}


@pytest.mark.parametrize(
    ("fault", "suggestion"),
    [
        ("unknown-section", '"applications"'),
        ("unknown-application-key", '"scopes"'),
        ("unknown-provider-key", '"username"'),
        ("unknown-encryption-key", '"recipients"'),
        ("unknown-provider-type", '"eztexting"'),
        ("unknown-provider", '"ez"'),
        ("unknown-token-policy", '"daily"'),
        ("unknown-variable", '"region"'),
        ("each-value-of-unknown-field", '"region"'),
        ("reference-of-unknown-kind", "{ env = "),
        ("setting-of-no-choice", "'app_key'"),
        ("variable-without-var", "${var.region}"),
        ("moved-to-a-whole-for-each", 'application.a["eu"]'),
        ("for-each-one-name-at-smscx", "a-${each.key}"),
    ],
)
def test_a_near_miss_is_answered_with_a_suggestion(fault: str, suggestion: str) -> None:
    """Whoever mistypes a name is told the right one."""
    (found,) = problems(Path(__file__).parent / "faults" / f"{fault}.toml")
    assert suggestion in found.detail
