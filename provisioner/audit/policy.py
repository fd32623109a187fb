"""The policy file: an organisation's own word on severities, what it accepts until when, and what it has reviewed.

[severity]
token-never-expires = "error"

[[silence]]
rule = "token-never-expires"
address = "token.copywriting"      # or "token.*"; left out: every address
until = 2027-03-01                 # the last day on which it holds
reason = "TEXTKING issues no other kind; looked at every quarter"

[reviewed]
head = "9f86d08..."                # findings about entries up to this one are not told again
reason = "Audit of Q4, ticket 4711"
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from fnmatch import fnmatchcase
from typing import Any

from provisioner.audit.finding import SEVERITIES, Finding
from provisioner.errors import Diagnostic, Invalid
from provisioner.records import dataclass, field, replace

_HASH_LENGTH = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """`address` may hold `*`; None: every address, and findings without one."""

    rule: str
    until: date
    reason: str
    address: str | None = None

    @property
    def ends(self) -> datetime:
        """The first moment at which it holds no more: the day after `until`, in UTC; of 9999-12-31, the calendar's."""
        if self.until == date.max:
            return datetime.max.replace(tzinfo=UTC)
        return datetime.combine(self.until + timedelta(days=1), time(), UTC)

    @property
    def text(self) -> str:
        return f"{self.rule} at {self.address}" if self.address else self.rule

    def expired(self, now: datetime) -> bool:
        return now >= self.ends

    def covers(self, finding: Finding) -> bool:
        if self.rule != finding.rule_id:
            return False
        return self.address is None or (finding.address is not None and _matches(finding.address, self.address))

    def applied(self, finding: Finding) -> Finding:
        return replace(finding, silenced=f"{self.reason} (until {self.until.isoformat()})")


def _matches(address: str, pattern: str) -> bool:
    """`*` alone is special: brackets are part of an address, as in token.campaigns["web"]."""
    return fnmatchcase(address, pattern.replace("[", "[[]").replace("?", "[?]"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    severities: Mapping[str, str] = field(default_factory=dict)
    silences: tuple[Silence, ...] = ()
    reviewed: str | None = None  # a head's hash

    def severity_of(self, rule_id: str, severity: str) -> str:
        return self.severities.get(rule_id, severity)

    def silence_of(self, finding: Finding, now: datetime) -> Silence | None:
        """The silence that holds for it now, if any."""
        return next((s for s in self.silences if not s.expired(now) and s.covers(finding)), None)


NO_POLICY = Policy()


def read_policy(data: Mapping[str, Any], *, file: str, rules: Iterable[str], fixed: Iterable[str]) -> Policy:
    """`data` is the parsed TOML. `rules` are the ids that exist, `fixed` those that no policy touches. Raises Invalid
    with every problem at once."""
    reader = _Reader(file, tuple(rules), frozenset(fixed))
    policy = reader.read(data)
    if reader.problems:
        raise Invalid.of(reader.problems)
    return policy


class _Reader:
    def __init__(self, file: str, rules: tuple[str, ...], fixed: frozenset[str]) -> None:
        self.file, self.rules, self.fixed = file, rules, fixed
        self.problems: list[Diagnostic] = []

    def read(self, data: Mapping[str, Any]) -> Policy:
        self._known(data, ("severity", "silence", "reviewed"), "")
        severities = self._table(data, "severity")
        silences = data.get("silence", [])
        if not isinstance(silences, list) or not all(isinstance(item, dict) for item in silences):
            self._wrong("wrong-type", "silence", "silence should be [[silence]] tables", "Write each as [[silence]].")
            silences = []
        found = [self._silence(item, f"silence[{n}]") for n, item in enumerate(silences)]
        return Policy(
            severities={rule: level for rule, level in severities.items() if self._severity(rule, level)},
            silences=tuple(silence for silence in found if silence is not None),
            reviewed=self._reviewed(self._table(data, "reviewed")),
        )

    def _severity(self, rule: str, level: Any) -> bool:
        path = f"severity.{rule}"
        if not self._rule(rule, path):
            return False
        if level not in SEVERITIES:
            self._wrong("bad-value", path, f"{level!r} is no severity", f"One of {', '.join(SEVERITIES)}.")
        return True

    def _silence(self, item: Mapping[str, Any], path: str) -> Silence | None:
        before = len(self.problems)
        self._known(item, ("rule", "address", "until", "reason"), path)
        for name in ("rule", "until", "reason"):
            if name not in item:
                why = "Say which rule, until which day, and why: that is what an auditor reads."
                self._wrong("missing-key", f"{path}.{name}", f"A silence needs {name}", why)
        for name in ("rule", "address", "reason"):
            if name in item and (not isinstance(item[name], str) or not item[name].strip()):
                self._wrong("wrong-type", f"{path}.{name}", f"{name} should be text", "Write it in quotes.")
        if isinstance(item.get("rule"), str):
            self._rule(item["rule"], f"{path}.rule")
        until = self._day(item["until"], f"{path}.until") if "until" in item else None
        if len(self.problems) > before or until is None:
            return None
        return Silence(rule=item["rule"], until=until, reason=item["reason"].strip(), address=item.get("address"))

    def _day(self, value: Any, path: str) -> date | None:
        if isinstance(value, datetime):
            value = value.date()
        if isinstance(value, date):
            return value
        try:
            return date.fromisoformat(value)
        except (TypeError, ValueError):
            self._wrong("bad-value", path, "until should be a day", "As in until = 2027-03-01.")
            return None

    def _reviewed(self, table: Mapping[str, Any]) -> str | None:
        self._known(table, ("head", "reason"), "reviewed")
        head = table.get("head")
        if head is None:
            if table:
                self._wrong(
                    "missing-key", "reviewed.head", "reviewed needs head", "The hash that `apply` and `audit` print."
                )
            return None
        if not isinstance(head, str) or len(head) != _HASH_LENGTH:
            self._wrong(
                "bad-value", "reviewed.head", "head should be a hash of 64 digits", "As `apply` and `audit` print it."
            )
            return None
        return head.lower()

    # -- small ---------------------------------------------------------------------------------------------------------

    def _rule(self, rule: str, path: str) -> bool:
        if rule in self.fixed:
            self._wrong(
                "bad-value",
                path,
                f"{rule} cannot be lowered or silenced",
                "It says that the record is not to be trusted.",
            )
            return False
        if rule not in self.rules:
            self._wrong("unknown-reference", path, f"There is no rule {rule!r}", self._near(rule, self.rules))
            return False
        return True

    def _known(self, table: Mapping[str, Any], names: tuple[str, ...], path: str) -> None:
        for name in table:
            if name not in names:
                where = f"{path}.{name}" if path else name
                self._wrong("unknown-key", where, f"{name!r} is no key of this table", self._near(name, names))

    def _table(self, data: Mapping[str, Any], name: str) -> Mapping[str, Any]:
        found = data.get(name, {})
        if isinstance(found, dict):
            return found
        self._wrong("wrong-type", name, f"{name} should be a table", f"Write it as [{name}].")
        return {}

    @staticmethod
    def _near(word: str, known: Iterable[str]) -> str:
        from difflib import get_close_matches

        known = list(known)
        hits = get_close_matches(word, known, 1, 0.6)
        return f"Did you mean {hits[0]}?" if hits else f"Known: {', '.join(known)}."

    def _wrong(self, name: str, path: str, summary: str, detail: str) -> None:
        self.problems.append(Diagnostic(name=name, summary=summary, detail=detail, file=self.file, key_path=path))
