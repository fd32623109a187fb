"""Every format ever released is read for ever: formats/N is a state as that version wrote it, never changed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from journal_world import run

from provisioner.errors import StateUntrusted
from provisioner.journal.entries import FORMAT
from provisioner.journal.fold import state_to_json
from provisioner.journal.journal import Draft, Journal
from provisioner.journal.keys import key_file_from_bytes
from provisioner.journal.stores.directory import DirectoryStore

FORMATS = Path(__file__).parent / "formats"
SAMPLE = Path(__file__).parent.parent.parent / "state" / "sample"


def folded(store: DirectoryStore) -> dict[str, Any]:
    """The state as a reader sees it, as plain JSON."""
    state = Journal.open(store, stack="sample", memory=None, looking=True).state
    own = {"lineage": state.lineage, "serial": state.serial, "head": state.head}
    found: dict[str, Any] = json.loads(json.dumps({**own, **state_to_json(state)}))
    return found


def test_each_format_has_a_fixture() -> None:
    """Whoever raises FORMAT adds a folder, or this fails."""
    assert sorted(int(path.name) for path in FORMATS.iterdir()) == list(range(1, FORMAT + 1))


@pytest.mark.parametrize("number", range(1, FORMAT + 1))
def test_a_released_format_is_read(number: int) -> None:
    """To the last field, keys too, and without writing anything."""
    store = DirectoryStore(FORMATS / str(number))
    assert folded(store) == json.loads((store.root / "expected.json").read_text())
    for key_id in store.list_keys():
        assert key_file_from_bytes(key_id, store.get_key(key_id) or b"").id == key_id
    assert sorted(path.name for path in store.root.iterdir()) == ["expected.json", "journal", "keys"]


@pytest.mark.parametrize("number", range(1, FORMAT + 1))
def test_a_released_format_is_gone_on_from(number: int, tmp_path: Path) -> None:
    """A run appends to it; what was there stays byte for byte."""
    shutil.copytree(FORMATS / str(number), tmp_path / "state")
    store = DirectoryStore(tmp_path / "state")
    before = store.load()[1]
    with Journal.open(store, stack="sample", memory=None) as journal:
        journal.begin(run())
        journal.append(Draft("note"))
    assert store.read(1).startswith(before)
    assert folded(store)["serial"] == journal.state.serial


def test_the_published_sample_is_of_the_newest_format() -> None:
    """state/sample is what a stranger looks at first."""
    assert folded(DirectoryStore(SAMPLE))["objects"]
    lines = (SAMPLE / "journal" / "00000001.jsonl").read_text().splitlines()
    assert {json.loads(line)["format"] for line in lines} == {FORMAT}


@pytest.mark.parametrize(("number", "name"), [(FORMAT + 1, "state-newer-format"), (0, "state-damaged")])
def test_a_format_that_this_version_does_not_know_is_refused(number: int, name: str, tmp_path: Path) -> None:
    """A newer one as newer; one that never was as damage. Nothing is changed."""
    shutil.copytree(FORMATS / "1", tmp_path / "state")
    path = tmp_path / "state" / "journal" / "00000001.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"format":1,', b'"format":%d,' % number))
    before = path.read_bytes()
    with pytest.raises(StateUntrusted) as caught:
        folded(DirectoryStore(tmp_path / "state"))
    assert (caught.value.diagnostics[0].name, caught.value.exit_code) == (name, 7)
    assert path.read_bytes() == before
