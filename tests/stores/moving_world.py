"""A folder with a desired-state file, and the commands that move its recorded state, called in this process."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from journal_world import STACK, intent, outcome, run

from provisioner.commands import moving, upkeep
from provisioner.commands.editing import EditOptions
from provisioner.commands.filing import FileOptions
from provisioner.commands.looking import LookOptions
from provisioner.commands.opening import StateOptions
from provisioner.journal.journal import Draft, Journal
from provisioner.journal.locks import take_lock
from provisioner.journal.stores.base import Store
from provisioner.journal.stores.opening import open_store
from provisioner.secret import Secret

KEY = b'{"age":"-----BEGIN AGE","format":1,"id":"%s","lineage":"%s","recipients":["age1x"]}\n'


class Stack:
    """`settings` are lines of `[state]`."""

    def __init__(self, folder: Path, settings: str = "") -> None:
        self.folder = folder
        text = f"[stack]\nname = '{STACK}'\n[state]\nlocation = 'first'\n{settings}\n"
        (folder / "provisioner.toml").write_text(text)
        self.secrets: dict[str, str] = {}

    def store(self, location: str, **settings: Any) -> Store:
        return open_store(
            location, stack=STACK, directory=self.folder, settings=settings, resolve=lambda name: Secret(str(name))
        )

    def fill(self, store: Store, *, runs: int = 3, notes: int = 130) -> Journal:
        """Segments, operations, objects and two data keys."""
        for number in range(runs):
            with take_lock(store, run()) as held, Journal.open(store, stack=STACK, memory=None) as journal:
                journal.begin(run(), held)
                for key_id in (b"key%d" % number, b"0123456789abcdef"):
                    store.put_key(key_id.decode(), KEY % (key_id, journal.lineage.encode()))
                journal.append(intent(number), outcome(number))
                journal.append(*(Draft("note", None, {"n": n}) for n in range(notes)))
        return journal

    def _file(self) -> FileOptions:
        return FileOptions(config=str(self.folder / "provisioner.toml"))

    def _state(self, *, accept: bool = False) -> StateOptions:
        return StateOptions(accept_rollback=accept)

    def edit(self, *, accept: bool = False) -> EditOptions:
        return EditOptions(file=self._file(), state=self._state(accept=accept))

    def migrate(self, origin: str, to: str, *, accept: bool = False) -> moving.Moved:
        return moving.migrate(self.edit(accept=accept), origin, to, lambda secret: None)

    def backup(self, file: Path) -> moving.Moved:
        return moving.backup(self.edit(), str(file), lambda secret: None)

    def verify(self) -> upkeep.Verified:
        return upkeep.verify(LookOptions(file=self._file(), state=self._state()), lambda secret: None)


def image(store: Store) -> tuple[list[bytes], dict[str, bytes | None]]:
    """Every byte of a state: its segments and its keys."""
    segments, newest = store.load()
    data = [store.read(one.number) for one in segments[:-1]]
    return [*data, newest], {key_id: store.get_key(key_id) for key_id in store.list_keys()}
