"""When nothing can be recorded: the rescue file keeps what was minted, nothing in clear, until the next run."""

from __future__ import annotations

import stat
from dataclasses import replace
from pathlib import Path

import pytest
from journal_world import NOW, begun, intent, opened, operation_id, outcome, run, store_in, token

from provisioner.errors import StateUntrusted, StoreFailed
from provisioner.journal import rescue
from provisioner.journal.identity import Identities
from provisioner.journal.journal import Draft, Journal
from provisioner.journal.seal import Sealer
from provisioner.journal.stores.directory import DirectoryStore
from provisioner.model.recorded import LOST, RETIRING, TokenRecord, record_to_json
from provisioner.secret import Secret


class World:
    """A state in which an operation is announced, a sealer, and the draft that could not be appended."""

    def __init__(self, folder: Path) -> None:
        import pyrage  # type: ignore[import-untyped, unused-ignore]  # ships no types

        made = pyrage.x25519.Identity.generate()
        self.environ = {"XDG_STATE_HOME": str(folder / "xdg")}
        self.store = store_in(folder)
        self.journal = begun(self.store)
        self.journal.append(intent(1))
        self.sealer = Sealer(
            self.store,
            lineage=lambda: self.journal.lineage,
            recipients=lambda: [str(made.to_public())],
            identities=Identities(lambda: [Secret(str(made))]),
        )
        sealed = self.sealer.seal(Secret("s3cr3t"), object_id=token(1).id, field="access_token", generation=1)
        self.draft = outcome(1, access_token=sealed, refresh_token=None)

    def write(self) -> Path:
        return rescue.write(self.journal, self.sealer, [self.draft], self.environ, NOW)

    def next_run(self) -> tuple[Journal, list[str]]:
        self.journal.close()
        journal = opened(self.store)
        journal.begin(run())
        return journal, [notice.summary for notice in rescue.pick_up(journal, self.environ)]


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_the_next_run_records_it_and_deletes_the_file(world: World) -> None:
    """Even where the data key had been lost with the store; the token then opens like any other."""
    path = world.write()
    key_id = world.store.list_keys()[0]
    world.store.delete_key(key_id)
    journal, said = world.next_run()
    found = journal.state.objects[token(1).id]
    assert isinstance(found, TokenRecord)
    assert found.access_token is not None
    assert world.sealer.open(found.access_token, found.id, "access_token") == Secret("s3cr3t")
    assert (journal.state.operations, world.store.list_keys(), path.exists()) == ({}, [key_id], False)
    assert len(said) == 1
    assert "was recorded" in said[0]
    assert [entry.kind for entry in journal.entries()][-2:] == ["outcome", "rescued"]
    assert rescue.pick_up(journal, world.environ) == []


def test_nothing_in_it_is_in_clear_and_it_is_private(world: World) -> None:
    """Sealed values and a sealed data key, mode 0600; a secret in clear is refused before anything is written."""
    path = world.write()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "s3cr3t" not in path.read_text()
    world.draft = Draft("outcome", None, {"value": Secret("s3cr3t")})
    with pytest.raises(TypeError):
        world.write()
    assert rescue.pending(world.journal.lineage, world.environ) == [path]


def test_where_it_cannot_be_written_the_caller_is_told(world: World, tmp_path: Path) -> None:
    """Then only a revocation helps."""
    (tmp_path / "file").write_text("")
    world.environ = {"XDG_STATE_HOME": str(tmp_path / "file")}
    with pytest.raises(StoreFailed, match="The rescue file"):
        world.write()


def test_a_file_of_another_state_is_refused(world: World) -> None:
    """Exit 7; nothing of it is recorded and it stays where it is."""
    path = world.write()
    path.write_text(path.read_text().replace(world.journal.lineage, "another-lineage"))
    with pytest.raises(StateUntrusted, match="belongs to the recorded state another-lineage") as caught:
        world.next_run()
    assert (caught.value.exit_code, caught.value.diagnostics[0].name) == (7, "rescue-foreign")
    assert path.exists()


def test_a_file_that_cannot_be_read_stops_the_run(world: World) -> None:
    """It held a token that lives somewhere; passing over it would lose it silently."""
    path = world.write()
    path.write_text(path.read_text()[:50])
    with pytest.raises(StateUntrusted, match="cannot be read"):
        world.next_run()


def test_what_arrived_after_all_is_not_recorded_twice(world: World) -> None:
    """A store may fail after it wrote; then the file has nothing new to say."""
    world.write()
    world.journal.append(world.draft)
    journal, said = world.next_run()
    assert "recorded already" in said[0]
    assert [entry.kind for entry in journal.entries()].count("outcome") == 1
    assert rescue.pending(journal.lineage, world.environ) == []


def test_a_token_that_was_given_up_meanwhile_comes_in_to_be_revoked(world: World) -> None:
    """Another machine recorded it as lost and made another: the late one is deposed, retiring, and due at once."""
    world.write()
    lost = token(1, id="lost-1", status=LOST, deposed="lost", fingerprint=None, access_token=None, refresh_token=None)
    current = token(1, id="new-1", fingerprint="sha256:" + "f" * 16, operation=operation_id(2))
    put = [record_to_json(replace(lost, operation=operation_id(1))), record_to_json(current)]
    settled = {"operation": operation_id(1), "as": "lost", "by": "create-is-repeatable", "put": put}
    world.journal.append(Draft("settled", "token.app1", settled))
    journal, _ = world.next_run()
    deposed = journal.state.deposed()
    assert [(t.id, t.status, t.retire_at) for t in deposed] == [(token(1).id, RETIRING, journal.started)]
    assert journal.state.current()[token(1).address].id == "new-1"
    assert isinstance(world.store, DirectoryStore)
