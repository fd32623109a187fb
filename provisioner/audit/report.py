"""One audit's result: what every renderer is given."""

from __future__ import annotations

from collections import Counter
from datetime import datetime

from provisioner.audit.case import Case
from provisioner.audit.finding import SEVERITIES, Finding
from provisioner.records import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """`verified` False: the chain, its head or a data key cannot be trusted, and `findings` begins with why; `case` is
    None where nothing could be folded. `file` is the desired-state file, for places that have no better one."""

    stack: str
    lineage: str
    serial: int
    head: str
    verified: bool
    at: datetime
    findings: tuple[Finding, ...] = ()
    silenced: tuple[Finding, ...] = ()
    skipped: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()
    entries: int = 0
    case: Case | None = None
    file: str = "provisioner.toml"

    @property
    def counts(self) -> dict[str, int]:
        """Findings by severity, the gravest first; each severity is there."""
        found = Counter(finding.severity for finding in self.findings)
        return {severity: found[severity] for severity in SEVERITIES}

    @property
    def exit_code(self) -> int:
        """The contract's: 7 for what cannot be trusted, 2 for findings of whatever severity, 0."""
        return 7 if not self.verified else 2 if self.findings else 0
