"""The policy file: severities, silences with an end and a reason, what was reviewed; every fault in it at once."""

from __future__ import annotations

import tomllib
from datetime import UTC, datetime, timedelta

import pytest
from audit_world import DAY, Past, application, desired

from provisioner.audit.policy import Policy, read_policy
from provisioner.audit.rules import RULES, judge
from provisioner.errors import Invalid

IDS = [rule.id for rule in RULES]


def policy_of(text: str) -> Policy:
    return read_policy(tomllib.loads(text), file="audit.toml", rules=IDS, fixed={"schema-violation", "silence-expired"})


def endless(past: Past) -> None:
    for address in ("token.campaigns", 'token.other["web"]'):
        past.create(address, life=None, provider="ez", provider_type="eztexting", requested_scopes=(), scopes=())


def silence(address: str = "", until: str = "2026-11-20") -> Policy:
    line = f"address = '{address}'\n" if address else ""
    return policy_of(
        f'[[silence]]\nrule = "token-never-expires"\n{line}until = {until}\nreason = "there is no other kind"'
    )


def test_a_severity_is_raised_and_lowered(past: Past) -> None:
    """A lowered finding is one all the same."""
    endless(past)
    for level in ("error", "note"):
        judged = judge(past.case(), policy_of(f'[severity]\ntoken-never-expires = "{level}"'))
        assert {f.severity for f in judged.findings} == {level}


def test_a_silence_holds_until_its_last_day(past: Past) -> None:
    """What it covers is told apart, with the reason, and not counted."""
    endless(past)
    judged = judge(past.case(now=datetime(2026, 11, 20, 23, 59, tzinfo=UTC)), silence())
    assert (len(judged.findings), len(judged.silenced)) == (0, 2)
    assert judged.silenced[0].silenced == "there is no other kind (until 2026-11-20)"


def test_an_expired_silence_fails(past: Past) -> None:
    """Its findings count again, and it is one itself: somebody has to look at it."""
    endless(past)
    judged = judge(past.case(now=datetime(2026, 11, 21, tzinfo=UTC)), silence())
    assert sorted(f.rule_id for f in judged.findings) == [
        "silence-expired", "token-never-expires", "token-never-expires"
    ]  # fmt: skip
    late = next(f for f in judged.findings if f.rule_id == "silence-expired")
    assert late.severity == "error"
    assert "there is no other kind" in late.message


@pytest.mark.parametrize(
    ("address", "left"),
    [
        ("token.campaigns", ['token.other["web"]']),
        ('token.other["web"]', ["token.campaigns"]),
        ("token.other*", ["token.campaigns"]),
        ("token.*", []),
        ('token.other["?eb"]', ["token.campaigns", 'token.other["web"]']),
        ("token.[co]*", ["token.campaigns", 'token.other["web"]']),
    ],
)
def test_a_silence_is_for_an_address(past: Past, address: str, left: list[str]) -> None:
    """A star stands for anything; brackets and question marks are part of addresses."""
    endless(past)
    assert [f.address for f in judge(past.case(), silence(address)).findings] == left


def test_a_silence_without_work_is_named(past: Past) -> None:
    """It may be a typing error, or the fault is gone."""
    endless(past)
    assert judge(past.case(), silence("token.nobody")).unused == ("token-never-expires at token.nobody",)
    assert judge(past.case(), silence("token.campaigns")).unused == ()


def test_every_fault_is_told_at_once() -> None:
    """With its place, and what was probably meant."""
    text = """
        stray = 1
        [severity]
        token-expird = "error"
        token-lost = "fatal"
        schema-violation = "note"
        [[silence]]
        rule = "token-lost"
        [[silence]]
        rule = "silence-expired"
        until = "whenever"
        reason = " "
        adress = "token.x"
        [reviewed]
        head = "abc"
    """
    with pytest.raises(Invalid) as raised:
        policy_of(text)
    found = {d.key_path: f"{d.summary} | {d.detail}" for d in raised.value.diagnostics}
    assert set(found) == {
        "stray", "severity.token-expird", "severity.token-lost", "severity.schema-violation", "silence[0].until",
        "silence[0].reason", "silence[1].rule", "silence[1].until", "silence[1].reason", "silence[1].adress",
        "reviewed.head",
    }  # fmt: skip
    assert "Did you mean token-expired?" in found["severity.token-expird"]
    assert "Did you mean address?" in found["silence[1].adress"]
    assert raised.value.exit_code == 4


@pytest.mark.parametrize("text", ["silence = 3", "severity = []", "reviewed = 'x'", "[reviewed]\nreason = 'x'"])
def test_tables_of_a_wrong_shape_are_told(text: str) -> None:
    """Never a traceback."""
    with pytest.raises(Invalid):
        policy_of(text)


def test_days_are_read_in_every_spelling() -> None:
    """TOML's own dates and times, and text."""
    for until in ("2026-11-20", "'2026-11-20'", "2026-11-20T10:00:00Z"):
        assert silence(until=until).silences[0].ends == datetime(2026, 11, 21, tzinfo=UTC)
    assert silence(until="9999-12-31").silences[0].ends > datetime(9999, 12, 31, tzinfo=UTC)


def test_an_empty_policy_changes_nothing(past: Past) -> None:
    """The rules' own severities, and no silence."""
    endless(past)
    case = past.case(desired(application()), now=past.at + 2 * DAY + timedelta(hours=1))
    assert judge(case, policy_of("")) == judge(case)
