"""docs/audit-rules.md and the rules say the same; every rule is asked, and every id is a good name."""

from __future__ import annotations

import re
from pathlib import Path

from provisioner.audit import rules_history, rules_money, rules_state, rules_tokens
from provisioner.audit.finding import SEVERITIES, Rule
from provisioner.audit.rules import RULES, SILENCE_EXPIRED, UNVERIFIED
from provisioner.codes import CODES

PAGE = (Path(__file__).parent.parent.parent / "docs" / "audit-rules.md").read_text(encoding="utf-8")


def sections() -> dict[str, str]:
    parts = re.split(r"^### `(.+)`$", PAGE, flags=re.MULTILINE)
    return {name: " ".join(text.split("\n## ")[0].split()) for name, text in zip(parts[1::2], parts[2::2], strict=True)}


def test_every_rule_is_explained_in_its_own_words() -> None:
    """Title, severity, reason and remedy, and nothing that is no rule."""
    found = sections()
    assert sorted(found) == sorted(rule.id for rule in RULES)
    for rule in RULES:
        text = found[rule.id]
        assert text.startswith(f"*{rule.severity}"), rule.id
        assert f"**{rule.title}.**" in text
        assert rule.reason in text
        assert rule.remedy in text
        assert ("needs the file" in text.split("**")[0]) == rule.needs_file
        assert ("history" in text.split("**")[0]) == rule.history
        assert ("cannot be lowered or silenced" in text.split("**")[0]) == rule.fixed


def test_every_rule_that_is_written_is_asked() -> None:
    """A rule that stands in a file and not in the list would silently not hold."""
    written = [
        item.id
        for module in (rules_state, rules_tokens, rules_money, rules_history)
        for item in vars(module).values()
        if isinstance(item, Rule)
    ]
    assert sorted(written) == sorted(rule.id for rule in RULES)


def test_ids_are_words_and_severities_are_known() -> None:
    """Small letters and dashes; none is a diagnostic's name, which would be two things under one."""
    for rule in RULES:
        assert re.fullmatch(r"[a-z]+(-[a-z]+)+", rule.id)
        assert rule.severity in SEVERITIES
    assert set(UNVERIFIED) <= set(CODES)
    assert not {rule.id for rule in RULES} & {*UNVERIFIED, SILENCE_EXPIRED}
