"""What a rule is and what it finds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING

from provisioner.audit.seen import Mark
from provisioner.records import dataclass

if TYPE_CHECKING:
    from provisioner.audit.case import Case

ERROR, WARNING, NOTE = "error", "warning", "note"
SEVERITIES = (ERROR, WARNING, NOTE)  # gravest first


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What one rule says of one place. `key` tells two of the same rule at the same address apart, and stays the same
    from audit to audit. `mark` is the entry that it is about; `severity` and `remedy` override the rule's own."""

    message: str
    address: str | None = None
    since: datetime | None = None
    mark: Mark | None = None
    key: str = ""
    severity: str | None = None
    remedy: str | None = None


Check = Callable[["Case"], Iterator[Found]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """`needs_file`: skipped where there is no desired-state file. `history`: it is about an entry that will always be
    there, so one that was reviewed need not be told again. `fixed`: no policy may lower or silence it."""

    id: str
    severity: str
    title: str
    reason: str
    remedy: str
    check: Check
    needs_file: bool = False
    history: bool = False
    fixed: bool = False

    @property
    def name(self) -> str:
        """The id in the form that SARIF asks of a name: `TokenExpired`."""
        return "".join(word.capitalize() for word in self.id.split("-"))


def rule(
    rule_id: str,
    severity: str,
    title: str,
    *,
    reason: str,
    remedy: str,
    needs_file: bool = False,
    history: bool = False,
    fixed: bool = False,
) -> Callable[[Check], Rule]:
    """Turns the function below it into the rule of this id."""

    def made(check: Check) -> Rule:
        return Rule(
            id=rule_id,
            severity=severity,
            title=title,
            reason=reason,
            remedy=remedy,
            check=check,
            needs_file=needs_file,
            history=history,
            fixed=fixed,
        )

    return made


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a reader of a report should look: a line of the desired-state file, or of a segment of the journal."""

    file: str
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One line of the report. `silenced` is the reason that the policy file gives for not counting it."""

    rule_id: str
    severity: str
    address: str | None
    message: str
    remedy: str
    since: datetime | None = None
    key: str = ""
    place: Place | None = None
    silenced: str | None = None

    @property
    def order(self) -> tuple[int, str, str, str, str]:
        """Gravest first, then by address, rule and age: the same findings always stand in the same order."""
        since = "" if self.since is None else self.since.isoformat()
        return (SEVERITIES.index(self.severity), self.address or "", self.rule_id, since, self.key)
