"""Looking back, the public schema, the sample, and verifying by hand."""

from __future__ import annotations

import json
import shutil
import subprocess
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from journal_world import (
    NOW,
    STACK,
    begun,
    filled,
    flip,
    intent,
    many_segments,
    opened,
    outcome,
    segment_files,
    store_in,
)

from provisioner.errors import Invalid
from provisioner.journal import schema
from provisioner.journal.entries import KINDS
from provisioner.journal.history import row, summary
from provisioner.journal.journal import Draft, Journal
from provisioner.journal.run import run_info
from provisioner.journal.stores.directory import DirectoryStore

ROOT = Path(__file__).parent.parent.parent
EVERY_KIND = [
    intent(1, amount="5", unit="credits", op="credits.purchase"),
    Draft("doubt", "token.app1", {"operation": "op-00000001", "evidence": {"balance": "1"}, "detail": "no answer"}),
    Draft("observed", None, {"evidence": {"op-00000001": {"at": "2026-12-01T12:00:00Z"}}, "put": [], "drop": []}),
    Draft("settled", "token.app1", {"operation": "op-00000001", "as": "happened", "by": "balance-rise"}),
    intent(2),
    outcome(2),
    Draft("outcome", "token.app9", {"operation": "op-9", "result": "refused", "detail": "invalid_scope"}),
    Draft("edit", "token.app2", {"command": "state mv", "from": "token.app2", "to": "token.app3"}),
    Draft("handoff", None, {"waiting": ["application.a"], "done": ["application.b"]}),
    *(Draft(kind, None, {"detail": "why"}) for kind in ("upgraded", "rescued", "rekeyed", "migrated", "note")),
]


def every_kind(store: DirectoryStore) -> Journal:
    with begun(store) as journal:
        journal.append(*EVERY_KIND)
    return journal


def test_each_kind_has_a_sentence(tmp_path: Path) -> None:
    """One line, no sealed value, and the keys of `history --json`."""
    entries = list(every_kind(store_in(tmp_path)).entries())
    found = {entry.kind: summary(entry) for entry in entries}
    assert set(found) | {"rollback-accepted"} == set(KINDS)
    assert found["intent"] == "announced token.create: there is none"
    assert found["settled"] == "doubt settled as happened by balance-rise"
    assert found["handoff"] == "waits for a person: application.a; no longer waits: application.b"
    assert found["checkpoint"] == "checkpoint of 0 objects"
    assert found["lock"] == "began apply"
    assert not any("\n" in text or "v1:" in text for text in found.values())
    assert list(row(entries[0])) == ["serial", "time", "actor", "run", "kind", "address", "summary", "hash"]


def test_entries_are_all_there_oldest_first(tmp_path: Path) -> None:
    """Across segments; what others appended since is not ours to show."""
    store = store_in(tmp_path)
    journal = many_segments(store)
    early = opened(store)
    begun(store).close()
    serials = [entry.serial for entry in early.entries()]
    assert serials == list(range(1, journal.state.serial + 1))


def test_the_state_as_it_was_at_every_serial(tmp_path: Path) -> None:
    """In whatever segment it lies; nothing before the first entry; none after the last."""
    store = store_in(tmp_path)
    many_segments(store)
    journal = opened(store)
    assert journal.state_at(journal.state.serial) == journal.state
    assert journal.state_at(0).objects == {}
    assert journal.state_at(3).operations.keys() == {"op-00000001"}
    assert [len(journal.state_at(serial).objects) for serial in (3, 4, 6, 300)] == [0, 1, 2, 2]
    with pytest.raises(Invalid, match="There is no serial"):
        journal.state_at(journal.state.serial + 1)


def test_the_state_as_it_was_at_a_moment(tmp_path: Path) -> None:
    """The last entry written by then counts, also where a clock was set back in between."""
    store = store_in(tmp_path)
    minutes = iter([0, 0, 1, 2, 3, 1, 4, 5, 6])  # the first is asked for by `open`

    def clock() -> datetime:
        return NOW + timedelta(minutes=next(minutes))

    with Journal.open(store, stack=STACK, memory=None, clock=clock) as journal:
        journal.begin(run_info("apply", {}, NOW))
        for number in range(1, 6):
            journal.append(intent(number))

    def at(minute: int) -> int:
        return len(opened(store, looking=True).state_at(NOW + timedelta(minutes=minute)).operations)

    assert [at(-1), at(0), at(1), at(3), at(4), at(5)] == [0, 0, 4, 4, 5, 5]


def test_real_journals_fit_the_published_schema(tmp_path: Path) -> None:
    """Every line of every kind, and state/entry.schema.json is what the code says."""
    store = store_in(tmp_path)
    every_kind(store)
    many_segments(DirectoryStore(tmp_path / "more"))
    validator = jsonschema.Draft202012Validator(schema.json_schema())
    validator.check_schema(schema.json_schema())
    for path in [*segment_files(store), *segment_files(DirectoryStore(tmp_path / "more"))]:
        for line in path.read_bytes().splitlines():
            assert [error.message for error in validator.iter_errors(json.loads(line))] == []
    assert (ROOT / "state" / "entry.schema.json").read_text() == schema.text()


@pytest.mark.parametrize(
    "change",
    [
        {"hash": "x"},
        {"serial": 0},
        {"kind": "dance"},
        {"extra": 1},
        {"time": "yesterday"},
        {"body": {"operation": "op", "result": "perhaps"}},
        {"body": {"operation": "op", "result": "done", "put": [{"kind": "token"}]}},
    ],
)
def test_the_schema_refuses_what_is_no_entry(tmp_path: Path, change: dict[str, Any]) -> None:
    """It would be no schema otherwise."""
    store = store_in(tmp_path)
    filled(store, 1)
    line = json.loads(segment_files(store)[0].read_bytes().splitlines()[3])
    assert line["kind"] == "outcome"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**line, **change}, schema.json_schema())


def test_the_sample_opens_and_fits() -> None:
    """What newcomers are shown is a real state: it verifies, and it holds a resource of each type."""
    store = DirectoryStore(ROOT / "state" / "sample")
    journal = Journal.open(store, stack="sample", memory=None)
    assert {record.kind for record in journal.state.objects.values()} == {"application", "token", "credits"}
    for entry in segment_files(store)[0].read_bytes().splitlines():
        jsonschema.validate(json.loads(entry), schema.json_schema())
    assert not (store.root / "append.lock").exists()


# -- docs/verify-state.md ----------------------------------------------------------------------------------------------


def script() -> str:
    """The one `sh` block of the page."""
    blocks = (ROOT / "docs" / "verify-state.md").read_text().split("```sh\n")[1:]
    assert len(blocks) == 1
    block = blocks[0].split("\n```")[0]
    assert len(block.splitlines()) <= 20
    return block


def by_hand(root: Path) -> subprocess.CompletedProcess[str]:
    if shutil.which("jq") is None or shutil.which("sha256sum") is None:
        pytest.skip("needs jq and sha256sum")
    return subprocess.run(["sh", "-c", script()], cwd=root, capture_output=True, text=True, check=False)


def test_a_good_state_verifies_by_hand(tmp_path: Path) -> None:
    """Exit 0 and the same head, for the sample too."""
    store = store_in(tmp_path)
    with begun(store) as journal:
        journal.append(*EVERY_KIND, Draft("note", None, {"nasty": '\x7f "hash":"0" \\ \t \x00 \U0001f600'}))
    done = by_hand(store.root)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"serial {journal.state.serial}, head {journal.state.head}\n"
    assert by_hand(ROOT / "state" / "sample").returncode == 0


def test_a_changed_byte_of_any_entry_is_named_by_hand(tmp_path: Path) -> None:
    """Each entry in turn, in its middle and at its end: the line is named."""
    store = store_in(tmp_path)
    every_kind(store)
    path = segment_files(store)[0]
    good = path.read_bytes()
    start = 0
    for number, line in enumerate(good.splitlines(keepends=True), 1):
        for position in (start + len(line) // 2, start + len(line) - 2):
            flip(path, position)
            assert f"segment 1, line {number}: " in by_hand(store.root).stderr
            path.write_bytes(good)
        start += len(line)


def test_tampering_is_found_by_hand(tmp_path: Path) -> None:
    """A changed byte, a dropped, doubled or torn line, a missing segment, an empty folder: exit 1 and a sentence."""
    store = store_in(tmp_path)
    every_kind(store)
    path = segment_files(store)[0]
    good = path.read_bytes()
    lines = good.splitlines(keepends=True)
    for bad in (
        good.replace(b'"ann"', b'"bob"', 1),
        b"".join(lines[:3] + lines[4:]),
        b"".join([*lines[:3], lines[2], *lines[3:]]),
        good[:-5],
        b"{}\n" + good,
        b"",
    ):
        path.write_bytes(bad)
        done = by_hand(store.root)
        assert done.returncode == 1
        assert done.stderr
    path.write_bytes(good)
    flip(path, 2000)
    assert "not what its hash says" in by_hand(store.root).stderr
    path.write_bytes(good)
    path.rename(path.with_name("00000002.jsonl"))
    assert "the segment is missing" in by_hand(store.root).stderr
    path.with_name("00000002.jsonl").unlink()
    assert by_hand(store.root).returncode == 1
