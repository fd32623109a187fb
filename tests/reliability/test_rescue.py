"""A token that was minted and cannot be recorded: sealed into a rescue file, else revoked, else recorded as lost; and
what is not ours is refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from judges import CANARIES, Verdict, chain, facts, planned
from night import Night
from rehearsal import QUIET, recovered, rehearse
from scenes import APPLY, EZ, EZ_TOKEN, HEAD, SCENES, Scene, sure

MINTING = ("token.create", "token.refresh", "token.replace", "token.authorize", "application.register")
MINTS = [scene for scene in SCENES if scene.quick and set(scene.steps) & set(MINTING)]
# In every test run one of each vendor; the others are slow.
FIRSTS = {next(scene.name for scene in MINTS if scene.vendor == vendor) for vendor in {scene.vendor for scene in MINTS}}
EACH = [pytest.param(s, id=s.name, marks=() if s.name in FIRSTS else pytest.mark.slow) for s in MINTS]
BY_NAME = {scene.name: scene for scene in SCENES}


def outcome_of_minting(points: list[str]) -> int:
    """The append that would have recorded what the first minting request was answered."""
    said = next(n for n, name in enumerate(points) if any(f"intent({op})" in name for op in MINTING))
    return next(n for n, name in enumerate(points) if n > said and "outcome" in name and name.endswith(":before"))


def rescue_files(night: Night) -> list[Path]:
    return sorted((night.home / ".local" / "state" / "provisioner" / "rescue").rglob("*.json"))


def changes(night: Night) -> list[str]:
    return [entry["operation"] for entry in night.ledger()["entries"]]


@pytest.mark.parametrize("scene", EACH)
def test_what_cannot_be_recorded_is_sealed_and_recorded_by_the_next_run(night: Night, scene: Scene) -> None:
    """Exit 1, saying where; nothing is sent after it; a private file with nothing in clear. The next run records it
    first, so the pair is kept: no other is made, no person is asked, nothing is lost or in doubt."""
    faultless = rehearse(night, scene)
    at = outcome_of_minting(faultless.points)
    night.put_back(scene.name)
    ended = scene.run(night, at=at, act="full-state")
    assert ended.code == 1, ended
    (path,) = rescue_files(night)
    assert path.stat().st_mode & 0o777 == 0o600
    assert not CANARIES.search(path.read_bytes())
    assert str(path) in "".join((ended.out + ended.err).split())
    verdict = Verdict()
    again = night.run(*scene.again)
    assert "rescue-picked-up" in again.out + again.err
    assert rescue_files(night) == []
    now = facts(night)
    verdict.chain(night)
    verdict.true(now)
    verdict.accounted(now)
    verdict.clean(night)
    assert (verdict.faults, now.lost(), now.doubts) == ([], [], [])
    assert set(faultless.after.live()) <= set(now.live()), again
    # As many live tokens and clients as where nothing happened: nothing was made twice.
    sure(night.run(*scene.again), *(code for code in faultless.codes if code is not None))
    now = facts(night)
    assert (len(now.issues), len(now.clients)) == (len(faultless.after.issues), len(faultless.after.clients))
    assert planned(night.run(*QUIET)) <= faultless.quiet


@pytest.mark.parametrize("name", ["eztexting-first-apply", "oauth2-register", "eztexting-replace"])
def test_what_cannot_even_be_sealed_is_revoked(night: Night, name: str) -> None:
    """No room anywhere: the token is killed at once, that is said, and the next run makes another."""
    scene = BY_NAME[name]
    faultless = rehearse(night, scene)
    intent = next(n for n, p in enumerate(faultless.points) if "intent(token" in p)
    at = next(n for n, p in enumerate(faultless.points) if n > intent and "outcome" in p and p.endswith(":before"))
    night.put_back(scene.name)
    before = len(changes(night))
    ended = scene.run(night, at=at, act="full")
    assert ended.code == 1, ended
    assert "revoked again" in " ".join((ended.out + ended.err).split())
    assert changes(night)[before:][-1].endswith("revoke")
    assert rescue_files(night) == []
    verdict = Verdict()
    recovered(verdict, night, scene, faultless, flying=True)
    assert verdict.faults == []


def test_where_a_vendor_revokes_nothing_it_stands_as_lost(night: Night) -> None:
    """SMS.CX: with the latest time that it can live to, and how a person kills it."""
    scene = BY_NAME["smscx-adopt"]
    faultless = rehearse(night, scene)
    night.put_back(scene.name)
    ended = scene.run(night, at=outcome_of_minting(faultless.points), act="full")
    assert ended.code == 1, ended
    assert "the token is lost" in " ".join((ended.out + ended.err).split())
    verdict = Verdict()
    now, _ = recovered(verdict, night, scene, faultless, flying=True)
    assert verdict.faults == []
    (lost,) = now.lost()
    assert lost["deposed"]
    assert lost["values"]["expires_at"] is not None


def test_token_and_authorize_pick_it_up_too(night: Night) -> None:
    """Whoever asks for the token gets the one that was kept, though it was never recorded: nothing is sent for it."""
    scene = BY_NAME["eztexting-refresh"]
    faultless = rehearse(night, scene)
    night.put_back(scene.name)
    assert scene.run(night, at=outcome_of_minting(faultless.points), act="full-state").code == 1
    before = changes(night)
    handed = sure(night.run("token", "token.texts"))
    assert changes(night) == before
    assert rescue_files(night) == []
    verdict = Verdict()
    verdict.true(facts(night))
    assert (verdict.faults, len(handed.out.strip())) == ([], 32)


@pytest.mark.parametrize(
    ("change", "code", "word"),
    [
        (lambda text: text.replace('"lineage":"', '"lineage":"0'), 7, "E0409"),
        (lambda text: text[:80], 7, "E0401"),
        (lambda _text: "[]", 7, "E0401"),
    ],
)
def test_a_rescue_file_that_is_not_ours_or_broken_is_refused(
    night: Night, change: object, code: int, word: str
) -> None:
    """Exit 7, nothing is sent or recorded, and the file stays; once it is put right, it is picked up."""
    assert callable(change)
    scene = BY_NAME["eztexting-first-apply"]
    faultless = rehearse(night, scene)
    night.put_back(scene.name)
    scene.run(night, at=outcome_of_minting(faultless.points), act="full-state")
    (path,) = rescue_files(night)
    whole, before, entries = path.read_text(), changes(night), len(chain(night))
    path.write_text(change(whole))
    for words in (APPLY, ("token", "token.texts")):
        ended = night.run(*words)
        assert ended.code == code, ended
        assert word in ended.err
        assert str(path.parent.name) in ended.err.replace("\n", "")
    assert changes(night) == before
    assert [entry["kind"] for entry in chain(night)[entries:]] == ["lock", "unlock"] * 2
    path.write_text(whole)
    assert "rescue-picked-up" in sure(night.apply()).out
    assert list(facts(night).live()) == ["token.texts"]


def test_a_journal_from_elsewhere_is_refused(night: Night) -> None:
    """Another stack's, or another lineage put in the place of ours: exit 7 under any command, and nothing is sent."""
    night.write(HEAD, EZ, EZ_TOKEN)
    sure(night.apply())
    state = night.stack / "state" / "night"
    ours = night.root / "ours"
    shutil.rmtree(ours, ignore_errors=True)
    state.rename(ours)
    night.write('[stack]\nname = "other"\n', EZ, EZ_TOKEN)
    sure(night.apply())
    shutil.copytree(night.stack / "state" / "other", state)
    night.write(HEAD, EZ, EZ_TOKEN)
    before = changes(night)
    for words in (APPLY, ("plan",), ("show",), ("audit",), ("token", "token.texts"), ("history",)):
        ended = night.run(*words)
        assert ended.code == 7, ended
        assert "E0404" in ended.err + ended.out
    assert changes(night) == before
    shutil.rmtree(state)
    ours.rename(state)
    assert sure(night.apply()).out.startswith("No changes.")


def test_an_entry_that_was_changed_is_found(night: Night) -> None:
    """A purchase taken out of the journal to make room under a guard: exit 7, naming the entry."""
    scene = BY_NAME["eztexting-first-apply"]
    rehearse(night, scene)
    night.put_back(scene.name)
    sure(scene.run(night))
    path = night.stack / "state" / "night" / "journal" / "00000001.jsonl"
    lines = path.read_text().splitlines(keepends=True)
    number = next(n for n, line in enumerate(lines) if json.loads(line)["body"].get("amount"))
    path.write_text("".join([*lines[:number], lines[number].replace('"1500"', '"0"'), *lines[number + 1 :]]))
    night.panel("eztexting", "set_credits", plan=0, anytime=0)
    bought = night.ledger()["purchases"]
    ended = night.apply()
    assert (ended.code, "E0401" in ended.err) == (7, True), ended
    assert night.ledger()["purchases"] == bought
