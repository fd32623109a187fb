"""What holds for any declaration, whatever is in it."""

from __future__ import annotations

import copy
import json
import tempfile
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tomli_w
from hypothesis import given, settings
from hypothesis import strategies as st

from provisioner.config.load import load
from provisioner.errors import Invalid
from provisioner.model.desired import Desired
from provisioner.model.digest import digest

PROVIDERS = {
    "ez": {"type": "eztexting", "base_url": "sandbox"},
    "cx": {"type": "smscx", "base_url": "sandbox"},
    "idp": {"type": "oauth2", "base_url": "sandbox"},
}
SECRET = "s3cr3t-c4n4ry"  # nothing but a canary

names = st.sampled_from(["a", "b", "c_1", "d-2", "E"])
# a key that holds `${` is a string to expand, so it names another
keys = st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "S"]), min_size=1, max_size=5).filter(
    lambda key: "${" not in key
)


@st.composite
def applications(draw: st.DrawFn) -> dict[str, Any]:
    provider = draw(st.sampled_from(sorted(PROVIDERS)))
    table: dict[str, Any] = {"provider": provider}
    if provider == "cx":
        table["scopes"] = draw(st.lists(st.sampled_from(["sms", "groups", "reports"]), min_size=1, unique=True))
    if draw(st.booleans()):
        table["consumers"] = draw(st.lists(keys, unique=True, max_size=3))
    if draw(st.booleans()):
        table["for_each"] = draw(st.lists(keys.map(lambda k: k.replace("${", "$")), unique=True, max_size=3))
        table["name"] = draw(names) + "-${each.key}"
    return table


declarations = st.dictionaries(names, applications(), max_size=4)


def loaded(tables: Mapping[str, Any]) -> Desired:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "main.toml"
        path.write_text(tomli_w.dumps(tables), encoding="utf-8")
        return load(path, overrides={}, environ={})


def shuffled(value: Any, draw: st.DrawFn) -> Any:
    if isinstance(value, dict):
        return {key: shuffled(value[key], draw) for key in draw(st.permutations(sorted(value)))}
    return value


@settings(deadline=None)
@given(declarations)
def test_any_declaration_that_loads_has_unique_addresses(tables: dict[str, Any]) -> None:
    """No two resources of one plan share an address."""
    try:
        desired = loaded({"providers": PROVIDERS, "applications": tables})
    except Invalid:
        return
    found = [one.address for one in desired.applications]
    found += [address for one in desired.applications for address, _ in one.token_addresses]
    assert len(set(map(str, found))) == len(found)
    assert found[: len(desired.applications)] == sorted(found[: len(desired.applications)], key=lambda a: a.sort_key)


@settings(deadline=None)
@given(st.lists(keys.filter(lambda key: "${" not in key), unique=True, min_size=1, max_size=5), st.data())
def test_a_for_each_that_grows_by_a_key_adds_only_that_key(all_keys: list[str], data: st.DataObject) -> None:
    """Unlike a count, a key's instance does not depend on its neighbours or on their order."""
    without = data.draw(st.permutations(all_keys[1:]))
    table = {"provider": "idp", "name": "w-${each.key}", "scopes": ["x"]}

    def instances(some: list[str]) -> dict[str, Any]:
        tables = {"providers": PROVIDERS, "applications": {"w": {**table, "for_each": some}}}
        return {str(one.address): (one.name, one.scopes) for one in loaded(tables).applications}

    before, after = instances(without), instances(all_keys)
    added = {address: one for address, one in after.items() if address not in before}
    assert [name for name, _ in added.values()] == ["w-" + all_keys[0]]
    assert {address: one for address, one in after.items() if address in before} == before


@settings(deadline=None)
@given(declarations, st.data())
def test_the_digest_does_not_depend_on_the_order_of_keys(tables: dict[str, Any], data: st.DataObject) -> None:
    """Nor on where the file lies: both loads are of different folders."""
    whole = {"providers": PROVIDERS, "applications": tables, "variables": {"x": "1", "y": "2"}}
    try:
        expected = digest(loaded(whole))
    except Invalid:
        return
    assert digest(loaded(data.draw(st.composite(lambda draw: shuffled(whole, draw))()))) == expected


@settings(deadline=None)
@given(declarations)
def test_the_digest_sees_every_change(tables: dict[str, Any]) -> None:
    """A guard set or lifted is another declaration."""
    try:
        plain = loaded({"providers": PROVIDERS, "applications": tables})
        other = {name: {**table, "prevent_destroy": True} for name, table in tables.items()}
        guarded = loaded({"providers": PROVIDERS, "applications": other})
    except Invalid:
        return
    assert (digest(plain) != digest(guarded)) == bool(plain.applications)
    assert digest(plain).startswith("sha256:")


BROKEN = st.sampled_from(
    [
        SECRET,
        [SECRET],
        {"env": SECRET, "file": SECRET},
        {"value": SECRET},
        {"env": [SECRET]},
        {"file": {"x": SECRET}},
        {"command": SECRET},
        {"command": [[SECRET]]},
        {},
        42,
        True,
    ]
)
SECRET_PLACES = st.sampled_from(
    [
        ("providers", "ez", "password"),
        ("providers", "cx", "api_key"),
        ("providers", "idp", "initial_access_token"),
        ("applications", "t", "client_secret"),
        ("applications", "t", "private_key"),
        ("credits", "ez", "card_last_four"),
        ("credits", "ez", "coupon"),
        ("state", "username"),
        ("state", "password"),
        ("state", "encryption", "identity"),
    ]
)
OTHER_PLACES = st.sampled_from(
    [
        ("providers", "ez", "no_such_key"),
        ("applications", "t", "scopes"),
        ("applications", "t", "consumers"),
        ("applications", "t", "prevent_destroy"),
        ("credits", "ez", "minimum"),
        ("stack", "run_interval"),
        ("safety", "max_destroy"),
        ("token_policies", "p"),
        ("providers", "ez"),
        ("moved",),
    ]
)


@settings(deadline=None)
@given(st.tuples(SECRET_PLACES, BROKEN), st.lists(st.tuples(OTHER_PLACES, BROKEN), max_size=3))
def test_no_message_ever_holds_a_secret_that_was_written_down(
    fault: tuple[tuple[str, ...], Any], others: list[tuple[tuple[str, ...], Any]]
) -> None:
    """Neither in the place of a secret nor, of another type, in any other place: text, JSON, repr and causes alike."""
    tables: dict[str, Any] = {
        "providers": {name: dict(table) for name, table in PROVIDERS.items()},
        "applications": {"t": {"provider": "idp"}},
        "credits": {"ez": {"provider": "ez", "minimum": 5, "max_per_apply": 5}},
    }
    for path, value in [*others, fault]:
        at = tables
        for step in path[:-1]:
            at = at[step] if isinstance(at.setdefault(step, {}), dict) else {}
        at[path[-1]] = copy.deepcopy(value)  # hypothesis gives the same dict twice, and a dict in itself is no TOML
    said = _refusal(tables)
    assert said
    assert SECRET not in said


def _refusal(tables: dict[str, Any]) -> str:
    """All that can be printed of a refusal, with what led to it; empty where the tables load."""
    try:
        loaded(tables)
    except Invalid as invalid:
        shown = "".join(json.dumps(one.to_json()) + repr(one) for one in invalid.diagnostics)
        return shown + "".join(traceback.format_exception(invalid))
    return ""
