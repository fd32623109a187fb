"""Rules about tokens: each finds its fault, and leaves alone what only looks like it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from audit_world import DAY, HOUR, KEY, MINUTE, NOW, Past, application, desired, policy

from provisioner.address import Address, parse_address
from provisioner.audit.finding import Finding
from provisioner.audit.rules import judge
from provisioner.engine import drafts
from provisioner.journal.journal import Draft
from provisioner.model.desired import Desired, Moved, Removed
from provisioner.model.recorded import REVOKED, UNAUTHORIZED, Sealed, TokenRecord


def found(
    past: Past,
    rule: str,
    declared: Desired | None = None,
    *,
    after: timedelta = timedelta(),
    now: datetime | None = None,
) -> list[Finding]:
    """What one rule finds some time after the story."""
    case = past.case(declared, now=now or past.at + after)
    return [finding for finding in judge(case).findings if finding.rule_id == rule]


def addresses(findings: list[Finding]) -> list[str | None]:
    return [finding.address for finding in findings]


def test_a_token_past_its_end_has_expired(past: Past) -> None:
    """Only the one that serves: a replaced one is meant to end."""
    old = past.create("token.campaigns", life=HOUR)
    new, _ = past.rotate(old, overlap=DAY, life=2 * HOUR)
    assert found(past, "token-expired", after=90 * MINUTE) == []
    late = found(past, "token-expired", after=3 * HOUR)
    assert addresses(late) == ["token.campaigns"]
    assert late[0].since == new.expires_at
    assert late[0].severity == "error"


def test_who_renews_an_expired_token_depends_on_the_vendor(past: Past) -> None:
    """Where only a person can start a grant anew, the remedy is to authorize; with a refresh token it is to apply."""
    person = application(
        "translations", provider="tm", redirect_uri="urn:x", scopes=(), address=Address("application", "translations")
    )
    past.create("token.translations", provider="tm", provider_type="textmaster", life=HOUR)
    late = found(past, "token-expired", desired(person), after=DAY)
    assert "provisioner authorize translations" in late[0].remedy
    assert "provisioner apply" in found(past, "token-expired", after=DAY)[0].remedy


def test_a_token_is_near_its_end_when_a_plan_would_renew_it(past: Past) -> None:
    """By the policy's window and the stack's interval; without a file by a third of its life."""
    past.create("token.campaigns", life=DAY)
    assert found(past, "token-near-expiry", after=15 * HOUR) == []
    assert addresses(found(past, "token-near-expiry", after=17 * HOUR)) == ["token.campaigns"]
    late = desired(application(policy=policy(renew_before=HOUR)))
    assert found(past, "token-near-expiry", late, after=22 * HOUR) == []
    rare = desired(application(policy=policy(renew_before=HOUR)), run_interval=6 * HOUR)
    assert addresses(found(past, "token-near-expiry", rare, after=18 * HOUR)) == ["token.campaigns"]


def test_a_refresh_token_near_its_end_counts(past: Past) -> None:
    """Once it has lapsed a token cannot be renewed any more."""
    texts = desired(application("texts", address=Address("application", "texts"), provider="ez", scopes=()))
    made = past.pair("token.texts", life=DAY, refresh_expires_at=past.at + 8 * HOUR)
    assert found(past, "token-near-expiry", texts, after=2 * HOUR) == []
    (late,) = found(past, "token-near-expiry", texts, after=6 * HOUR)
    assert late.address == "token.texts"
    assert late.since is not None
    assert made.issued_at < late.since < made.issued_at + 6 * HOUR


def test_a_token_older_than_rotate_every_is_too_old(past: Past) -> None:
    """A refresh makes it no younger: the grant is what ages."""
    texts = desired(
        application("texts", address=Address("application", "texts"), provider="ez", scopes=(),
                    policy=policy(rotate_every=7 * DAY))
    )  # fmt: skip
    record = past.pair("token.texts", life=20 * DAY)
    past.wait(6 * DAY)
    past.refresh(record, life=20 * DAY)
    assert found(past, "token-too-old", texts) == []
    late = found(past, "token-too-old", texts, after=2 * DAY)
    assert addresses(late) == ["token.texts"]
    assert "rotate_every = 7d" in late[0].message
    assert found(past, "token-too-old", after=30 * DAY) == []


def test_a_life_beyond_the_policy_is_found(past: Past) -> None:
    """As granted, whatever is left of it; a token without an end lives too long for any limit."""
    record = past.create("token.campaigns", life=2 * DAY)
    assert found(past, "token-lives-too-long", desired(application(policy=policy(max_lifetime=2 * DAY)))) == []
    short = desired(application(policy=policy(max_lifetime=DAY)))
    assert addresses(found(past, "token-lives-too-long", short)) == ["token.campaigns"]
    past.rotate(record, life=None)
    assert "never ends" in found(past, "token-lives-too-long", short)[0].message


def test_a_token_without_an_end_is_found(past: Past) -> None:
    """The replaced one too, as long as it lives; a revoked one no more."""
    old = past.create("token.campaigns", life=None)
    assert addresses(found(past, "token-never-expires")) == ["token.campaigns"]
    _, deposed = past.rotate(old, life=DAY)
    assert "Deposed object" in found(past, "token-never-expires")[0].message
    past.revoke(deposed)
    assert found(past, "token-never-expires") == []


def test_scopes_beyond_the_declared_ones_are_found(past: Past) -> None:
    """By the file where there is one, else by what was asked for; a vendor's own containment counts."""
    past.create("token.campaigns", scopes=("admin", "groups", "sms"))
    for declared in (None, desired(application())):
        assert "granted admin" in found(past, "token-scopes-broader", declared)[0].message
    assert found(past, "token-scopes-broader", desired(application(scopes=("admin", "groups", "sms")))) == []
    tm = {"provider": "tm", "provider_type": "textmaster"}
    past.create("token.words", requested_scopes=("user:manage",), scopes=("user:read",), **tm)
    assert "token.words" not in addresses(found(past, "token-scopes-broader"))


def test_fewer_scopes_than_declared_are_found(past: Past) -> None:
    """What is missing is named."""
    past.create("token.campaigns", scopes=("sms",))
    assert "without groups" in found(past, "token-scopes-narrower")[0].message
    assert found(past, "token-scopes-narrower", desired(application(scopes=("sms",)))) == []


def test_a_token_that_nobody_declares_is_an_orphan(past: Past) -> None:
    """While it can be used; and not where a moved or removed block says what becomes of it."""
    past.application("application.old")
    past.create("token.old", life=DAY)
    campaigns = application()
    assert addresses(found(past, "token-orphaned", desired(campaigns))) == ["token.old"]
    assert found(past, "token-orphaned", desired(campaigns), after=2 * DAY) == []
    origin = Address("application", "old")
    assert found(past, "token-orphaned", desired(campaigns, moved=(Moved(origin, campaigns.address),))) == []
    assert found(past, "token-orphaned", desired(campaigns, removed=(Removed(origin),))) == []
    assert found(past, "token-orphaned") == []


def test_a_token_outlives_its_application_as_an_orphan(past: Past) -> None:
    """Even without a file; at a vendor that has no applications there is none to outlive."""
    record = past.application("application.campaigns")
    past.create("token.campaigns")
    past.pair("token.texts")
    assert found(past, "token-orphaned") == []
    past.edit("state rm", drop=(record.id,))
    assert addresses(found(past, "token-orphaned")) == ["token.campaigns"]


def test_an_expired_orphan_with_a_refresh_token_still_counts(past: Past) -> None:
    """Whoever holds the pair can renew it."""
    past.pair("token.texts", life=HOUR)
    nobody = desired(application())
    assert addresses(found(past, "token-orphaned", nobody, after=DAY)) == ["token.texts"]
    assert found(past, "token-orphaned", nobody, after=61 * DAY) == []


def test_a_replaced_token_past_its_overlap_should_be_revoked(past: Past) -> None:
    """Where the vendor can revoke. At one that cannot, it lives until it ends, and nobody could do anything."""
    past.rotate(past.pair("token.texts", life=2 * HOUR), overlap=10 * MINUTE, provider="ez", provider_type="eztexting")
    past.rotate(past.create("token.campaigns"), overlap=10 * MINUTE)
    assert found(past, "token-retirement-overdue", after=5 * MINUTE) == []
    late = found(past, "token-retirement-overdue", after=HOUR)
    assert addresses(late) == ["token.texts"]
    assert late[0].severity == "error"


def test_whether_an_unknown_server_revokes_is_not_known(past: Past) -> None:
    """Then it is a warning, and says so."""
    idp: dict[str, Any] = {"provider": "idp", "provider_type": "oauth2"}
    past.rotate(past.create("token.worker", **idp), **idp)
    late = found(past, "token-retirement-overdue", after=HOUR)
    assert [(f.severity, "not recorded" in f.message) for f in late] == [("warning", True)]


def test_a_lost_token_counts_until_its_latest_end(past: Past) -> None:
    """Nobody holds it, and it may live."""
    past.lose("token.campaigns", until=past.at + DAY)
    assert addresses(found(past, "token-lost")) == ["token.campaigns"]
    assert found(past, "token-lost", after=2 * DAY) == []
    past.lose("token.campaigns", until=None)
    assert len(found(past, "token-lost", after=900 * DAY)) == 1


def test_a_token_revoked_behind_our_back_is_found(past: Past) -> None:
    """With the time at which a run saw it; a successor ends it."""
    record = past.create("token.campaigns", life=9 * DAY)
    past.wait(HOUR)
    seen = replace(record, status=REVOKED)
    past.append(_observed(seen))
    late = found(past, "token-revoked-outside", after=DAY)
    assert (addresses(late), late[0].since) == (["token.campaigns"], record.issued_at + HOUR + timedelta(seconds=1))
    past.rotate(seen)
    assert found(past, "token-revoked-outside") == []


def test_a_dead_grant_waits_for_a_person(past: Past) -> None:
    """Neither half is taken any more."""
    record = past.create("token.translations", provider="tm", provider_type="textmaster")
    assert found(past, "token-unauthorized") == []
    past.append(_observed(replace(record, status=UNAUTHORIZED)))
    assert "authorize translations" in found(past, "token-unauthorized")[0].remedy
    owner = parse_address('application.worker["eu"]')
    keyed = replace(record, application=owner, consumer="a b", status=UNAUTHORIZED)
    past.append(_observed(keyed))
    (said,) = found(past, "token-unauthorized")
    assert """`provisioner authorize 'worker["eu"]' --consumer 'a b'`""" in said.remedy


def test_a_value_whose_data_key_is_gone_is_shredded(past: Past) -> None:
    """A token that has ended takes nobody's time."""
    past.create("token.campaigns", life=DAY)
    assert found(past, "token-value-shredded") == []
    past.store.delete_key(KEY)
    assert addresses(found(past, "token-value-shredded")) == ["token.campaigns"]
    assert found(past, "token-value-shredded", now=NOW) == []


def test_what_is_shredded_says_its_own_way_back(past: Past) -> None:
    """A token is replaced; an application's secret is not, by any replacement."""
    past.create("token.campaigns", life=DAY)
    past.application("application.campaigns", secret=Sealed(KEY, 1, "AAAA"))
    past.store.delete_key(KEY)
    remedies = {one.address: one.remedy for one in found(past, "token-value-shredded")}
    assert "provisioner apply --replace 'token.campaigns'" in remedies["token.campaigns"]
    assert "docs/keys.md" in remedies["application.campaigns"]
    assert "--replace" not in remedies["application.campaigns"]


def _observed(record: TokenRecord) -> Draft:
    return drafts.observed([record])
