"""`audit`: the recorded state verified entry by entry and judged by the rules, with no network, no credentials, no key.

Nothing that this machine remembers spares an entry its check; the memory only makes it stricter (a rollback is
noticed).
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from provisioner import providers, times
from provisioner.audit.case import Case, Facts
from provisioner.audit.datakeys import DataKeys, read_keys
from provisioner.audit.find import Match, find
from provisioner.audit.finding import ERROR, Finding
from provisioner.audit.policy import NO_POLICY, Policy, read_policy
from provisioner.audit.report import Report
from provisioner.audit.rules import RULES, SILENCE_EXPIRED, UNVERIFIED, judge
from provisioner.audit.trail import Trail
from provisioner.commands.filing import FileOptions, load_file, read_file
from provisioner.commands.looking import running_of
from provisioner.commands.opening import Reveal, Secrets, StateOptions, store_of
from provisioner.errors import Diagnostic, Invalid, StateUntrusted
from provisioner.journal.journal import Journal
from provisioner.journal.memory import HeadMemory
from provisioner.journal.stores.base import Store
from provisioner.journal.stores.directory import DirectoryStore
from provisioner.journal.stores.opening import open_store
from provisioner.model.desired import Desired
from provisioner.model.observed import ProviderObservation
from provisioner.providers.base import Applications, Credits, Revoke
from provisioner.records import dataclass, field
from provisioner.secret import Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditOptions:
    """`location` is a state's own place: with it the desired-state file may be missing. `at` is the moment that is
    judged (what will have expired by then), never another state than the newest."""

    file: FileOptions
    state: StateOptions
    location: str | None = None
    policy: str | None = None
    at: datetime | None = None
    expect_head: str | None = None
    expect_ancestor: str | None = None


@dataclass(frozen=True, slots=True)
class Audited:
    """`fault` is why the state cannot be trusted (exit 7); it stands first among the report's findings too."""

    report: Report
    fault: StateUntrusted | None = None
    notices: tuple[Diagnostic, ...] = ()


@dataclass(slots=True)
class _Opened:
    """What was read, as far as it could be."""

    store: Store
    desired: Desired | None
    trail: Trail = field(default_factory=Trail)
    journal: Journal | None = None
    keys: DataKeys = field(default_factory=DataKeys)
    fault: StateUntrusted | None = None


def audit(options: AuditOptions, reveal: Reveal) -> Audited:
    """Verifies everything, then asks every rule. What cannot be trusted is `fault`, not raised, so that a report of it
    can be written. Raises Invalid (the file, the policy, nothing at `location`) and StoreFailed."""
    policy = _policy(options.policy)
    now = options.at or times.now()
    opened = _open(options, reveal)
    if opened.journal is None:
        assert opened.fault is not None  # noqa: S101  # the one reason for which nothing was opened
        return Audited(_unverified(opened, opened.fault, now, options), opened.fault)
    case = _case(opened, opened.journal, now)
    fault = opened.keys.fault or _unexpected(case, options, policy)
    judged = judge(case, policy, journal=_journal_path(opened.store))
    first = () if fault is None else (_as_finding(fault),)
    state = case.state
    report = Report(
        stack=state.stack or (opened.desired.stack if opened.desired else ""),
        lineage=state.lineage,
        serial=state.serial,
        head=state.head,
        verified=fault is None,
        at=now,
        findings=(*first, *judged.findings),
        silenced=judged.silenced,
        skipped=judged.skipped,
        unused=judged.unused,
        entries=case.trail.entries,
        case=case,
        file=options.file.config,
    )
    return Audited(report, fault, tuple(opened.journal.notices))


def find_token(options: AuditOptions, given: str, reveal: Reveal) -> Match | None:
    """Whose the secret in `given` was. Raises StateUntrusted where the state cannot be trusted: an answer from it would
    be worth nothing."""
    opened = _open(options, reveal)
    if opened.journal is None:
        assert opened.fault is not None  # noqa: S101  # as in `audit`
        raise opened.fault
    case = _case(opened, opened.journal, options.at or times.now())
    fault = _unexpected(case, options, NO_POLICY)
    if fault is not None:
        raise fault
    return find(case, _fingerprints(given))


def _fingerprints(given: str) -> list[str]:
    """Of what was given to the letter (less a newline), then without blanks, a header's name or quotes around it, and
    of the value of `NAME=value`, as it stands in a `.env`."""
    line = given.removesuffix("\n").removesuffix("\r")
    bare = line.strip()
    word = bare.rpartition(" ")[2].strip(_AROUND)
    value = bare.partition("=")[2].strip(_AROUND)
    return [Secret(text).fingerprint for text in dict.fromkeys((line, bare, word, value)) if text]


_AROUND = "\"'`,;"


# -- opening ---------------------------------------------------------------------------------------------------------


def _open(options: AuditOptions, reveal: Reveal) -> _Opened:
    desired = _desired(options)
    opened = _Opened(_store(options, desired, reveal), desired)
    store = opened.store
    try:
        # watched, so that each segment is read and hashed, however often this machine did so before
        opened.journal = journal = Journal.open(
            store,
            stack=desired.stack if desired else None,
            memory=HeadMemory.of_user(os.environ),
            accept_rollback=options.state.accept_rollback,
            looking=True,
            watch=opened.trail.watch,
        )
    except StateUntrusted as fault:
        opened.fault = fault
        return opened
    if not journal.state.serial and options.location is not None:
        raise Invalid("no-state", f"There is no recorded state at {store.location}.", "Check the location.")
    opened.keys = read_keys({key: store.get_key(key) or b"" for key in store.list_keys()}, journal.lineage)
    return opened


def _desired(options: AuditOptions) -> Desired | None:
    if options.location is not None and not Path(options.file.config).exists():
        return None
    return load_file(options.file)


def _store(options: AuditOptions, desired: Desired | None, reveal: Reveal) -> Store:
    if desired is not None:
        return store_of(desired, Secrets(desired, reveal), options.location)
    store = open_store(options.location or "", stack="", directory=Path(), settings={}, resolve=lambda _: Secret(""))
    if not isinstance(store, DirectoryStore):
        raise Invalid(
            "missing-key",
            f"A state at {options.location} can only be found with its desired-state file, which names the stack.",
            "Give it with --config.",
        )
    return store


def _case(opened: _Opened, journal: Journal, now: datetime) -> Case:
    return Case(
        state=journal.state,
        trail=opened.trail,
        desired=opened.desired,
        facts=facts_of,
        now=now,
        running=running_of(journal.state, opened.store.peek_lock()),
        keys=opened.keys,
    )


@cache
def facts_of(kind: str) -> Facts | None:
    """Of a vendor type; None for one that this version does not know."""
    try:
        vendor = providers.vendor(kind)
    except KeyError:  # a vendor of a later version, or one that is no more
        return None
    by_features = {vendor.revoke(ProviderObservation(features={"revocation": has})) for has in (True, False)}
    return Facts(
        title=vendor.title,
        has_applications=vendor.applications is not Applications.NONE,
        may_revoke=Revoke.NO not in by_features if len(by_features) == 1 else None,
        sells_credits=vendor.credits is Credits.PURCHASE,
        vendor=vendor,
    )


def _journal_path(store: Store) -> str | None:
    """Where the segments lie, seen from here, where they are files."""
    if not isinstance(store, DirectoryStore):
        return None
    return os.path.relpath(store.root / "journal")


def _policy(path: str | None) -> Policy:
    if path is None:
        return NO_POLICY
    try:
        data: Mapping[str, Any] = tomllib.loads(read_file(path, "The policy file").decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as fault:
        raise Invalid("toml-syntax", f"{path} is not TOML: {fault}.", "Put it right there.", file=path) from None
    fixed = {rule.id for rule in RULES if rule.fixed} | {*UNVERIFIED, SILENCE_EXPIRED}
    return read_policy(data, file=path, rules=[rule.id for rule in RULES], fixed=fixed)


# -- what cannot be trusted ------------------------------------------------------------------------------------------


def _unexpected(case: Case, options: AuditOptions, policy: Policy) -> StateUntrusted | None:
    head, serials = case.state.head, case.trail.serials
    wanted, ancestor = _hash(options.expect_head), _hash(options.expect_ancestor)
    for text in (wanted, ancestor):
        if text is not None and not _SHA256.fullmatch(text):  # an unset variable of a pipeline, a hash cut short
            return _head_error(f"{text!r} was expected, which is no entry's hash: that has 64 hexadecimal digits.")
    if wanted is not None and wanted != head:
        where = f"it is the entry of serial {serials[wanted]}" if wanted in serials else "no entry has that hash"
        return _head_error(
            f"The head is {head or 'none yet'} (serial {case.state.serial}), and {wanted} was expected: {where}."
        )
    if ancestor is not None and ancestor not in serials:
        return _head_error(
            f"No entry of the recorded state has the hash {ancestor}: it is not a state that followed it."
        )
    if policy.reviewed is not None and policy.reviewed not in serials:
        return _head_error(f"No entry has the hash {policy.reviewed}, which the policy file names as reviewed.")
    return None


_SHA256 = re.compile(r"[0-9a-f]{64}")


def _hash(text: str | None) -> str | None:
    return None if text is None else text.strip().lower()


def _head_error(summary: str) -> StateUntrusted:
    return StateUntrusted(
        "head-unexpected",
        summary,
        "Either the hash is another state's, or the state was put back or written anew. Compare with the heads that "
        "earlier runs printed; the newest backup that holds the expected entry is the one to restore.",
    )


def _as_finding(fault: StateUntrusted) -> Finding:
    first = fault.diagnostics[0]
    return Finding(rule_id=first.name, severity=ERROR, address=None, message=first.summary, remedy=first.detail)


def _unverified(opened: _Opened, fault: StateUntrusted, now: datetime, options: AuditOptions) -> Report:
    """As far as it verified: serial and head are those of the last entry that did."""
    trail = opened.trail
    return Report(
        stack=opened.desired.stack if opened.desired else "",
        lineage=trail.lineage,
        serial=trail.last.serial if trail.last else 0,
        head=trail.head,
        verified=False,
        at=now,
        findings=(_as_finding(fault),),
        entries=trail.entries,
        file=options.file.config,
    )
