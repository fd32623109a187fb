"""What the journal costs: bytes and flushes an operation, and that opening costs what is live."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from journal_world import begun, filled, intent, opened, outcome, segment_files, store_in, token

from provisioner.journal.journal import Draft
from provisioner.journal.memory import HeadMemory
from provisioner.journal.stores.directory import DirectoryStore
from provisioner.model.recorded import record_to_json

if TYPE_CHECKING:
    import pytest


def test_a_thousand_operations_from_fifty_threads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Less than half a flush and 2.5 kB an operation, with intent and outcome and two sealed secrets."""
    flushes: list[int] = []
    real = os.fsync

    def counted(file: int) -> None:
        flushes.append(file)
        real(file)

    monkeypatch.setattr(os, "fsync", counted)
    store = store_in(tmp_path)
    with begun(store) as journal:
        before, flushed = segment_files(store)[0].stat().st_size, len(flushes)

        def work(first: int) -> None:
            for number in range(first, 1000, 50):
                journal.append(intent(number))
                journal.append(outcome(number))

        threads = [threading.Thread(target=work, args=(first,)) for first in range(50)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        written = segment_files(store)[0].stat().st_size - before
        assert (len(flushes) - flushed) / 1000 < 0.5
        assert written / 1000 < 2500
    assert opened(store).state == journal.state


def test_opening_costs_what_is_live(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hundred objects behind twenty thousand entries: no older segment is read, and the newest is a checkpoint."""
    monkeypatch.setattr("provisioner.journal.stores.directory._SETTLED_NS", 0)
    memory = HeadMemory(tmp_path / "heads")
    busy = store_in(tmp_path)
    filled(busy, 100, memory)
    records = [record_to_json(token(number)) for number in range(1, 101)]
    for _ in range(20):
        with begun(busy, memory) as journal:
            journal.append(*(Draft("observed", None, {"put": [records[n % 100]]}) for n in range(1000)))
    begun(busy, memory).close()
    assert journal.state.serial > 20_000
    opened(busy, memory)  # the last segment before the newest is verified once more, and remembered
    read: list[int] = []
    monkeypatch.setattr(DirectoryStore, "read", lambda _self, number: read.append(number))
    found = opened(busy, memory)
    assert len(found.state.objects) == 100
    assert not read
    assert len(segment_files(busy)[-1].read_bytes().splitlines()) < 5
