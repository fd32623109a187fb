"""Handlers of the recorded state: look at it, edit it, resolve what is in doubt."""

from __future__ import annotations

import argparse
from pathlib import Path

from provisioner import __version__, times
from provisioner.cli.console import Console
from provisioner.cli.options import file_options, past, state_options
from provisioner.cli.views.base import View
from provisioner.commands import editing, looking
from provisioner.errors import Invalid
from provisioner.render import human_state
from provisioner.render.json_text import json_text
from provisioner.render.style import Style, counted


def _look(typed: argparse.Namespace) -> looking.LookOptions:
    when = past("--at", getattr(typed, "at", None), times.now())
    return looking.LookOptions(file=file_options(typed), state=state_options(typed), at=when)


def _edit(typed: argparse.Namespace) -> editing.EditOptions:
    return editing.EditOptions(file=file_options(typed), state=state_options(typed))


def show(typed: argparse.Namespace, console: Console, view: View) -> int:
    if typed.planfile is not None:
        return _show_plan(typed, console, view)
    found = looking.look(_look(typed), console.masker.add)
    now = times.now()
    if typed.json:
        from provisioner.render.state_json import state_json

        document = state_json(found.state, now=now, version=__version__, running=found.running)
        console.line(json_text(document))
    else:
        style = Style(color=console.colour())
        console.out(human_state.state_text(found.state, now=now, style=style, running=found.running))
    _notices(found, view)
    return 0


def _show_plan(typed: argparse.Namespace, console: Console, view: View) -> int:
    if typed.planfile.startswith(("application.", "token.", "credits.")) and not Path(typed.planfile).exists():
        advice = f"To look at what is recorded there: `provisioner state show '{typed.planfile}'`."
        raise Invalid("no-such-file", f"There is no plan file {typed.planfile}", advice)
    saved = looking.look_at_plan(typed.planfile)
    if typed.json:
        from provisioner.render.plan_file import saved_plan_json

        made = saved.plan.now  # the plan's own time: shown twice it is the same document
        console.line(json_text(saved_plan_json(saved, version=__version__, timestamp=made)))
    else:
        view.plan(saved.plan, will_apply=True)
    return 0


def _notices(found: looking.Looked, view: View) -> None:
    for notice in found.journal.notices:
        view.notice(notice)


def list_addresses(typed: argparse.Namespace, console: Console, view: View) -> int:
    found = looking.look(_look(typed), console.masker.add)
    if typed.addresses:
        for text in typed.addresses:
            for record in looking.find(found.state, text, below=True):
                console.line(human_state.name(record))
    else:
        console.out(human_state.list_text(found.state))
    _notices(found, view)
    return 0


def show_address(typed: argparse.Namespace, console: Console, view: View) -> int:
    found = looking.look(_look(typed), console.masker.add)
    records = looking.find(found.state, typed.address)
    now = times.now()
    if typed.json:
        from provisioner.render.state_json import state_json

        document = state_json(found.state, now=now, version=__version__, running=found.running)
        wanted = {str(record.address) for record in records}
        resources = document["values"]["root_module"]["resources"]
        console.line(json_text([resource for resource in resources if resource["address"] in wanted]))
    else:
        console.out(human_state.resource_text(records, found.state, now=now, style=Style(color=console.colour())))
    return 0


def pull(typed: argparse.Namespace, console: Console, view: View) -> int:
    console.line(json_text(looking.pull(looking.look(_look(typed), console.masker.add).state), indent=2))
    return 0


def lock(typed: argparse.Namespace, console: Console, view: View) -> int:
    held = looking.lock_of(_look(typed), console.masker.add)
    if typed.json:
        console.line(json_text(None if held is None else held.public()))
    elif held is None:
        console.line("No lock is held.")
    else:
        for name, value in held.public().items():
            console.line(f"{name:<10}{value}")
    return 0


def verify(typed: argparse.Namespace, console: Console, view: View) -> int:
    from provisioner.commands import upkeep

    found = upkeep.verify(_look(typed), console.masker.add)
    if typed.json:
        data = {"verified": True, "lineage": found.lineage, "serial": found.serial, "head": found.head}
        counts = {"entries": found.entries, "segments": found.segments, "keys": found.keys}
        console.line(json_text({**data, **counts, "missing_keys": list(found.missing), "known_serial": found.known}))
        return 0
    entries = counted(found.entries, "entry", "entries")
    console.line(f"{entries} verified. The head is {found.head or 'none yet'} (serial {found.serial}).")
    if found.serial and found.known is None:
        console.line("This machine had not seen this state before: compare the head with one that was kept elsewhere.")
    if found.missing:
        console.line(f"Data keys that are gone, and with them what they sealed: {', '.join(found.missing)}")
    return 0


def move(typed: argparse.Namespace, console: Console, view: View) -> int:
    moved = editing.move(_edit(typed), typed.origin, typed.to, console.masker.add, dry_run=typed.dry_run)
    for line in moved:
        console.line(f"{'Would move' if typed.dry_run else 'Moved'} {line}")
    return 0


def remove(typed: argparse.Namespace, console: Console, view: View) -> int:
    gone = editing.remove(_edit(typed), tuple(typed.addresses), console.masker.add, dry_run=typed.dry_run)
    for address in gone:
        console.line(f"{'Would remove' if typed.dry_run else 'Removed'} {address}")
    if not typed.dry_run:
        console.line(f"{len(gone)} forgotten; at the vendors nothing was changed.")
    return 0


def replace_provider(typed: argparse.Namespace, console: Console, view: View) -> int:
    for address in editing.replace_provider(_edit(typed), typed.origin, typed.to, console.masker.add):
        console.line(f"{address} now belongs to provider {typed.to}")
    return 0


def resolve(typed: argparse.Namespace, console: Console, view: View) -> int:
    if typed.verdict is None:
        raise Invalid(
            "usage",
            "provisioner resolve needs --as happened or --as did-not-happen.",
            "Look at the vendor first: what is decided is recorded.",
        )
    view.notice(
        editing.resolve(_edit(typed), typed.operation, happened=typed.verdict == "happened", reveal=console.masker.add)
    )
    return 0


def force_unlock(typed: argparse.Namespace, console: Console, view: View) -> int:
    broken = editing.force_unlock(_edit(typed), typed.lock_id, console.masker.add)
    console.line(f"The lock of {broken.who} on {broken.host} was broken.")
    console.line("What that run left without an outcome is in doubt; the next apply settles it or says so.")
    return 0


def migrate(typed: argparse.Namespace, console: Console, view: View) -> int:
    from provisioner.commands import moving

    done = moving.migrate(_edit(typed), typed.origin, typed.to, console.masker.add)
    what = f"{_copied(done.segments, done.keys)}; serial {done.serial}, head {done.head}."
    if done.already:
        console.line(f"An earlier run moved it there already: {what}")
    else:
        console.line(f"Copied and verified {what}")
    console.line(f'Now set [state] location = "{done.target}".')
    if done.kept:
        console.line(f"What is at {done.source} can still be read, and takes no more changes.")
    return 0


def _copied(segments: int, keys: int) -> str:
    return f"{counted(segments, 'segment')} and {counted(keys, 'key')}"


def rekey(typed: argparse.Namespace, console: Console, view: View) -> int:
    from provisioner.commands import upkeep
    from provisioner.journal.keys import shown

    done = upkeep.rekey(_edit(typed), console.masker.add, prune=typed.prune)
    keys = counted(done.sealed, "data key is", "data keys are")
    console.line(f"{keys} now sealed to: {', '.join(shown(done.recipients))}")
    if typed.prune:
        console.line(f"Deleted {counted(done.pruned, 'data key')} that nothing needs any more.")
    return 0


def backup(typed: argparse.Namespace, console: Console, view: View) -> int:
    from provisioner.commands import moving

    done = moving.backup(_edit(typed), typed.file, console.masker.add)
    console.line(f"Wrote {typed.file}: {_copied(done.segments, done.keys)}; serial {done.serial}.")
    return 0
