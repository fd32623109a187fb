"""The page: whole without a script, a network or a mouse; nothing that a name holds can become markup."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from decimal import Decimal
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest
from audit_story import declared, told
from audit_world import DAY, HOUR, NOW, Past

from provisioner.audit.case import Case
from provisioner.audit.finding import Finding
from provisioner.audit.report import Report
from provisioner.audit.rules import judge
from provisioner.audit.timeline import timeline
from provisioner.engine import drafts
from provisioner.render.audit_html import audit_html
from provisioner.render.audit_html_parts import Scale, amount, link, prose

VOID = {"meta", "col", "br"}
EVIL = "</title><script>alert(1)</script><img src=x onerror=alert(1)>\" ' & \u202egpj"


class Page(HTMLParser):
    """Checks that tags are closed in order, and collects what matters."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.wrong: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attrs for name, attrs in self.tags if name == tag]


def page_of(case: Case, **more: object) -> str:
    judged = judge(case)
    report = Report(
        stack="messaging", lineage="l", serial=case.state.serial, head="ab" * 32, verified=True, at=case.now,
        findings=judged.findings, entries=case.trail.entries, case=case,
    )  # fmt: skip
    return audit_html(report)


@pytest.fixture(scope="module")
def html(tmp_path_factory: pytest.TempPathFactory) -> str:
    return page_of(told(tmp_path_factory.mktemp("story")).case(declared(), now=NOW))


def test_the_page_is_well_formed(html: str) -> None:
    """Every tag is closed in its order, every id is there once, every link in the page leads somewhere."""
    page = Page(html)
    assert page.wrong == []
    assert page.open == []
    ids = [attrs["id"] for _, attrs in page.tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    inside = [str(attrs["href"])[1:] for attrs in page.all("a") if str(attrs["href"]).startswith("#")]
    assert inside
    assert set(inside) <= set(ids)


def test_nothing_is_loaded_and_nothing_runs(html: str) -> None:
    """No script, no handler, no image, font or style from anywhere; a policy forbids it too."""
    page = Page(html)
    names = {tag for tag, _ in page.tags}
    assert names & {"script", "img", "iframe", "link", "object", "embed", "form", "base", "image", "use"} == set()
    attributes = {name for _, attrs in page.tags for name in attrs}
    assert not [name for name in attributes if name.startswith("on") or name in {"src", "srcset", "style"}]
    assert "url(" not in html
    assert "@import" not in html
    policies = [attrs["content"] for attrs in page.all("meta") if attrs.get("http-equiv")]
    assert policies
    assert str(policies[0]).startswith("default-src 'none'; style-src 'unsafe-inline'")


def test_the_page_can_be_read_aloud(html: str) -> None:
    """A language, one h1, headings in order, a name for each drawing, a caption for each table, heads with a scope."""
    page = Page(html)
    assert page.all("html")[0]["lang"] == "en"
    levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    for attrs in page.all("svg"):
        named = attrs.get("role") == "img" and attrs.get("aria-label")
        assert named or attrs.get("aria-hidden") == "true" or "x" in attrs  # a mark inside a drawing has a title
    assert len(page.all("caption")) == len(page.all("table"))
    assert {attrs.get("scope") for attrs in page.all("th")} == {"col"}


def test_light_dark_phone_and_paper_have_their_own_look(html: str) -> None:
    """By the reader's own setting, without a switch."""
    for rule in ("prefers-color-scheme:dark", "@media print", "max-width:40rem", "color-scheme:light dark"):
        assert rule in html
    assert '<meta name="viewport" content="width=device-width, initial-scale=1">' in html


def test_names_are_text_and_nothing_else(tmp_path: Path) -> None:
    """In every place that a person or a vendor fills in."""
    past = Past(tmp_path)
    with past.run("apply", actor=EVIL, note=EVIL, ci_run_url="javascript:alert(1)"):
        past.application("application.campaigns", name=EVIL, provider=EVIL)
        past.create('token.campaigns["a<b>\\"c"]', life=HOUR, provider=EVIL)
        past.floor("credits.ez", 3, unit=EVIL, provider=EVIL)
        past.append(drafts.handoff(['token.x["<i>"]'], []))
    past.edit(EVIL)
    past.wait(30 * DAY)
    html = page_of(past.case(declared()))
    page = Page(html)
    assert page.wrong == []
    assert not {tag for tag, _ in page.tags} & {"script", "img", "i", "b"}
    assert "\u202e" not in html
    assert not [attrs for attrs in page.all("a") if "javascript" in str(attrs["href"])]


def test_a_link_is_one_only_to_a_page() -> None:
    """Anything else that stands in the record is shown as text."""
    assert link("https://ci.example/1", "pipeline").startswith('<a href="https://ci.example/1"')
    assert link("javascript:alert(1)", "pipeline") == "<code>javascript:alert(1)</code>"
    assert link(None, "pipeline") == ""


def test_links_of_one_label_are_told_apart(html: str) -> None:
    """Read aloud one after another, each says whose pipeline it is; on the screen its row does."""
    said = re.findall(r'<a href="https://ci[^>]*>(.*?)</a>', html)
    assert len(said) > 5
    assert len(set(said)) == len(said)
    assert all(text.startswith('pipeline<span class="unseen"> of run 2026') for text in said)


def test_a_level_s_name_is_drawn_over_the_lines(html: str) -> None:
    """Its halo would else be crossed by the floor's line, and the figure could not be read."""
    drawing = next(part for part in html.split("<svg") if "credits.tm: balance" in part)
    assert drawing.index('class="minimum"') < drawing.index(">90</text>")


def test_sentences_get_code_and_readable_times() -> None:
    """What is typed stands in code, times are for people, markup is text."""
    found = prose("Run `provisioner apply <x>` before 2026-12-01T08:00:00Z & then, not 2026-99-99T00:00:00Z.")
    assert found == (
        "Run <code>provisioner apply &lt;x&gt;</code> before "
        '<time datetime="2026-12-01T08:00:00Z">1 Dec 2026, 08:00 UTC</time>'
        " &amp; then, not 2026-99-99T00:00:00Z."
    )


def test_a_page_of_an_empty_state_is_whole(tmp_path: Path) -> None:
    """Nothing to draw, and no division by nothing."""
    past = Past(tmp_path)
    page = Page(page_of(past.case()))
    assert page.wrong == []
    past.append(drafts.note("began"))
    assert Page(page_of(past.case())).wrong == []


def test_a_page_of_an_untrusted_state_stands_alone() -> None:
    """Only the finding and the record: nothing below is drawn from what nobody can rely upon."""
    finding = Finding(rule_id="state-damaged", severity="error", address=None, message="line 3", remedy="r")
    html = audit_html(Report(stack="", lineage="", serial=0, head="", verified=False, at=NOW, findings=(finding,)))
    assert Page(html).wrong == []
    assert "Do not rely on" in html
    assert 'id="tokens"' not in html


def test_many_tokens_make_a_page_that_opens(tmp_path: Path) -> None:
    """Of two thousand the eventful ones are drawn, and how many are not is said."""
    past = Past(tmp_path)
    with past.run():
        for number in range(300):
            token = past.pair(f"token.t{number:04d}")
            if number % 10 == 0:
                past.refresh(token)
    found = timeline(past.case())
    assert (len(found.rows), found.hidden) == (150, 150)
    assert sum(row.count("renewed") for row in found.rows) == 30
    html = page_of(past.case())
    assert "150 tokens whose lives were uneventful are not drawn" in html
    assert len(html) < 400_000


# -- the lines of the timeline -----------------------------------------------------------------------------------------


def test_a_gap_is_where_no_token_lived(tmp_path: Path) -> None:
    """Between two lives and up to now; not before the first, not after the address was given up, not in a rotation."""
    past = Past(tmp_path)
    begun = past.at
    first = past.pair("token.texts", life=HOUR)
    past.wait(2 * HOUR)
    second = past.refresh(first, life=HOUR)
    past.wait(30 * timedelta(minutes=1))
    third, old = past.rotate(second, life=HOUR)
    past.revoke(old)
    row = timeline(past.case(now=begun + 6 * HOUR)).rows[0]
    assert row.gaps == ((begun + HOUR, second.issued_at), (third.expires_at, begun + 6 * HOUR))
    assert [event.kind for event in row.events] == ["created", "ended", "renewed", "rotated", "retired", "ended"]
    past.revoke(third)
    assert len(timeline(past.case(now=begun + 9 * HOUR)).rows[0].gaps) == 1


def test_what_lives_is_drawn_until_its_end(tmp_path: Path) -> None:
    """A bar ahead of now for what serves; a token that may exist is no living one."""
    past = Past(tmp_path)
    past.pair("token.texts", life=DAY)
    past.lose("token.texts", until=past.at + 9 * DAY)
    row = timeline(past.case(now=past.at + HOUR)).rows[0]
    assert [bar.kind for bar in row.bars] == ["served", "ahead", "maybe"]
    assert row.gaps == ()
    assert row.count("doubt") == 1


@pytest.mark.parametrize("length", [timedelta(seconds=3), timedelta(minutes=7), HOUR, DAY, 30 * DAY, 900 * DAY])
def test_an_axis_has_a_few_round_names(length: timedelta) -> None:
    """Whatever stretch it spans."""
    start = datetime.fromisoformat("2026-11-21T12:35:42.109+00:00")
    scale = Scale(start, start + length)
    names = [name for _, name in scale.ticks(4)]
    assert 1 <= len(names) <= 6
    assert len(set(names)) == len(names)
    assert [scale.at(moment) for moment, _ in scale.ticks(4)] == sorted(scale.at(m) for m, _ in scale.ticks(4))


def test_amounts_are_exact() -> None:
    """Separators, and no digit lost."""
    assert [amount(Decimal(text)) for text in ("1500", "12.50", "0.1", "1234567.891")] == [
        "1,500", "12.50", "0.1", "1,234,567.891"
    ]  # fmt: skip
