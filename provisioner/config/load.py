"""The desired-state file, with what it includes, to a frozen `Desired`; or `Invalid` with every problem at once.

read and merge (`sources`) → expand (`variables`, `instances`) → shape (`shape`, `schema`) → rules (`build`).
No stage stops for what an earlier one found: it goes on with what is sound.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from provisioner import providers
from provisioner.config.build import build
from provisioner.config.instances import instances
from provisioner.config.problems import Problems, Source, did_you_mean
from provisioner.config.shape import check
from provisioner.config.sources import read_all
from provisioner.config.values import reference_fault
from provisioner.config.variables import Variables, expand_tree
from provisioner.model.desired import Desired
from provisioner.providers.base import Vendor


def load(
    path: Path,
    *,
    overrides: Mapping[str, str],
    var_files: Sequence[Path] = (),
    environ: Mapping[str, str],
    vendors: Callable[[str], Vendor] = providers.vendor,
    generating: bool = False,
) -> Desired:
    """Reads a stack. `overrides` are `--var`, `var_files` `--var-file`, later ones winning. References stay references.
    `generating`: an import may name what is not declared yet. Raises Invalid with every problem found, each with file,
    line where known, and key path."""
    main = Source(str(path))
    problems = Problems(main)
    variables = Variables(overrides, var_files, environ, problems)
    tables, plain = read_all(main, problems, variables)
    values = variables.values()
    found = instances(tables.get("applications"), variables, problems, plain=plain)
    if not plain:
        tables = _expand(tables, variables, problems)
    used = _vendors_in_use(tables, vendors, problems)
    check(_checkable(tables, used), found, list(used.values()), problems)
    desired = build(
        tables, found, path=path, variables=values, problems=problems, vendors=vendors, generating=generating
    )
    problems.raise_if_any()
    return desired


def _expand(tables: Mapping[str, Any], variables: Variables, problems: Problems) -> dict[str, Any]:
    """All but the applications, which `instances` expands, and the variables themselves."""
    apart = ("applications", "variables")
    return {
        key: value if key in apart else expand_tree(value, variables.lookup, problems, (key,))
        for key, value in tables.items()
    }


def _vendors_in_use(
    tables: Mapping[str, Any], vendors: Callable[[str], Vendor], problems: Problems
) -> dict[str, Vendor]:
    """The vendors in use, by type. The shape depends on `type`, so what is wrong with one is said here."""
    found: dict[str, Vendor] = {}
    declared = tables.get("providers")
    for name, table in declared.items() if isinstance(declared, dict) else ():
        path = ("providers", name)
        if not isinstance(table, dict):
            problems.add("wrong-type", f"{name} is not a table", f"Write [providers.{name}].", path=path)
            continue
        if "type" not in table:
            advice = f"Add one: {', '.join(providers.types())}."
            problems.add("missing-key", "type is missing", advice, path=(*path, "type"))
        elif not isinstance(table["type"], str):
            problems.add("wrong-type", "type is not a string", "Write a string.", path=(*path, "type"))
        elif table["type"] not in found:
            try:
                found[table["type"]] = vendors(table["type"])
            except KeyError:
                advice = did_you_mean(table["type"], providers.types())
                problems.add(
                    "unknown-reference", f'no provider type is called "{table["type"]}"', advice, path=(*path, "type")
                )
        if not isinstance(table.get("type"), str) or table["type"] not in found:
            _literals(table, path, problems)
    return found


def _literals(table: Mapping[str, Any], path: tuple[str, str], problems: Problems) -> None:
    """Of what type this provider is meant to be is not known; what is a secret at any vendor is one here too."""
    secrets = {s.name for t in providers.types() for s in providers.vendor(t).settings if s.kind == "secret"}
    for key in sorted(secrets & table.keys()):
        fault = reference_fault(table[key])
        if fault is not None and fault[0] == "literal-secret":
            problems.add(fault[0], f"{key} {fault[1]}", fault[2], path=(*path, key))


def _checkable(tables: Mapping[str, Any], used: Mapping[str, Vendor]) -> dict[str, Any]:
    whole = dict(tables)
    if isinstance(tables.get("providers"), dict):
        whole["providers"] = {
            name: table
            for name, table in tables["providers"].items()
            if isinstance(table, dict) and isinstance(table.get("type"), str) and table["type"] in used
        }
    return whole
