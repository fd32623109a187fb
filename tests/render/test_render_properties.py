"""Facts that hold of every view whatever it is given: valid, ordered, no forged line, and no secret."""

from __future__ import annotations

import json
from collections.abc import Callable
from cProfile import Profile
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
import render_samples as sample
from hypothesis import given, settings
from hypothesis import strategies as st

from provisioner.address import Address, parse_address
from provisioner.errors import Diagnostic
from provisioner.model.plan import CREATE, DELETE, NOOP, Handoff, Plan, Reason, Step
from provisioner.render import human_state, markdown, state_json, stream
from provisioner.render.annotations import annotation
from provisioner.render.diagnostics import diagnostic_text
from provisioner.render.human_plan import human_plan, step_block
from provisioner.render.json_text import json_text
from provisioner.render.plan_json import plan_json
from provisioner.render.style import one_line
from provisioner.secret import MASK, Secret

nasty = st.text(min_size=1, max_size=20) | st.sampled_from(
    ['u"s', "a\\", "line\nNo changes.", "\x1b[2J", "\u202eevil", "]", "`|@all", "${x}", "</details>", "a\rb"]
)
amounts = st.decimals(allow_nan=False, allow_infinity=False)


def _document(plan: Plan) -> dict[str, Any]:
    return plan_json(plan, sample.state(), desired=sample.desired(), version="0.1.0", timestamp=sample.NOW)


@given(amounts)
def test_amounts_are_written_exactly(amount: Decimal) -> None:
    """Whatever its size, an amount is a JSON number that reads back as the very same."""
    text = json_text({"amount": amount, "rest": [amount, {"in": "side"}]})
    assert json.loads(text, parse_float=Decimal, parse_int=Decimal)["amount"] == amount
    assert "\n" not in text


@given(st.recursive(st.none() | st.booleans() | st.integers() | nasty | amounts, st.lists, max_leaves=8), st.booleans())
def test_both_writers_write_json(value: Any, indented: bool) -> None:  # hypothesis gives it by position
    """The slow writer, which an inexact amount calls for, writes what the fast one would."""
    plain = json_text({"b": value, "a": 1}, indent=2 if indented else None, sort_keys=True)
    slow = json_text(
        {"b": value, "a": 1, "z": Decimal("0.1000000000000000000001")}, indent=2 if indented else None, sort_keys=True
    )
    found = json.loads(slow, parse_float=Decimal)
    assert found.pop("z") == Decimal("0.1000000000000000000001")
    assert found == json.loads(plain, parse_float=Decimal)


def test_a_secret_in_json_is_a_mask() -> None:
    """Even where it should never have come, a secret has no printable form."""
    assert json_text({"a": Secret(sample.CANARY)}) == json.dumps({"a": MASK}, separators=(",", ":"))


@pytest.mark.parametrize("value", [object(), b"bytes", Decimal("NaN"), float("inf")])
def test_what_json_has_no_word_for_is_an_error(value: object) -> None:
    """Nothing is turned into text by accident."""
    with pytest.raises((TypeError, ValueError)):
        json_text({"a": value})


@given(st.lists(nasty, min_size=1, max_size=2))
def test_addresses_with_any_keys_survive(keys: list[str]) -> None:
    """The address in a plan's JSON reads back as the address, and its block in the human plan has no line of its own
    that a key wrote."""
    address = Address("token", "worker", tuple(keys))
    step = sample.step("token.worker", CREATE, address=address, id=str(address), after={"consumer": keys[-1]})
    found = _document(sample.plan(steps=(step,)))["resource_changes"][0]
    if "\n" not in found["address"]:
        assert parse_address(json.loads(json_text(found))["address"]) == address
    lines = step_block(step).split("\n")
    assert lines[0].endswith(" will be created")
    assert len(lines) == 5
    assert lines[0].isprintable() or "\u202e" not in lines[0]


@given(nasty)
def test_no_name_breaks_out_of_its_line(text: str) -> None:
    """Control characters, line ends and marks that reorder text are escaped wherever one line is meant."""
    shown = one_line(text)
    assert len(shown.splitlines()) <= 1
    assert "\x1b" not in shown
    assert "\u202e" not in shown
    found = Diagnostic(name="refused", summary=text, address=text, file=text, line=3, detail=text)
    assert "\x1b" not in diagnostic_text(found)
    assert len(annotation(found).split("\n")) == 1


@given(nasty)
def test_markdown_tables_keep_their_rows(text: str) -> None:
    """A reason or a name cannot end its cell, its fence or the folded section."""
    step = sample.step("token.a", CREATE, reason=Reason("missing", text), after={"consumer": text})
    page = markdown.plan_markdown(sample.plan(steps=(step,), drift=(), spends=(), diagnostics=()))
    rows = [line for line in page.split("\n") if line.startswith("| +")]
    assert len(rows) == 1
    assert rows[0].replace("\\|", "").count("|") == 4
    assert page.count("</details>") == page.count("<details>") or "</details>" in text


@given(st.permutations(sample.steps()))
@settings(max_examples=20)
def test_resources_are_sorted(steps: list[Step]) -> None:
    """The order of a plan's JSON is that of addresses, whatever the order of the steps."""
    found = [_order(r) for r in _document(sample.plan(steps=tuple(steps)))["resource_changes"]]
    assert found == sorted(found)


def _order(resource: dict[str, Any]) -> tuple[Any, ...]:
    # what is deposed first: a reader that keeps one change an address keeps the last, which is what serves
    return (*parse_address(resource["address"]).sort_key, "deposed" not in resource, resource.get("deposed", ""))


def test_plans_differ_by_their_timestamp_only() -> None:
    """Two plans of the same inputs are equal byte for byte but for `timestamp`."""
    first, second = _document(sample.plan()), _document(sample.plan())
    later = plan_json(
        sample.plan(),
        sample.state(),
        desired=sample.desired(),
        version="0.1.0",
        timestamp=sample.NOW + timedelta(minutes=1),
    )
    assert json_text(first) == json_text(second)
    assert {key for key in first if json_text(first[key]) != json_text(later[key])} == {"timestamp"}


def test_sensitive_values_are_null_and_marked() -> None:
    """Contract section 4: the keys are there, null, marked, and unknown where they will change."""
    changes = {r["address"] + r.get("deposed", ""): r["change"] for r in _document(sample.plan())["resource_changes"]}
    change = changes['token.campaigns["web"]']
    assert change["before"]["access_token"] is None
    assert change["after"]["refresh_token"] is None
    assert change["after_unknown"]["access_token"] is True
    assert change["after_sensitive"] == {"access_token": True, "refresh_token": True}
    assert "issued_at" not in change["after"]
    assert changes["application.campaigns"]["before_sensitive"] == {"client_secret": True}
    assert changes["credits.ez"]["after"]["purchase"] == 2000


def _planted() -> Plan:
    """A plan whose steps hold what they never should."""
    planted = {"access_token": sample.CANARY, "client_secret": sample.CANARY, "other": Secret(sample.CANARY)}
    steps = tuple(
        replace(step, before=step.before and {**step.before, **planted}, after=step.after and {**step.after, **planted})
        for step in sample.steps()
    )
    drift = tuple(replace(d, before=planted, after=planted) for d in sample.plan().drift)
    return sample.plan(steps=steps, drift=drift)


VIEWS: dict[str, Callable[[Plan], str]] = {
    "human": lambda plan: human_plan(plan, full=True),
    "markdown": markdown.plan_markdown,
    "json": lambda plan: json_text(_document(plan)),
    "stream": lambda plan: "".join(json_text(stream.planned_change(s, sample.NOW)) for s in plan.steps),
    "drift": lambda plan: (
        human_state.drift_text(plan.drift)
        + "".join(json_text(stream.resource_drift(d, sample.NOW)) for d in plan.drift)
    ),
}


@pytest.mark.parametrize("view", sorted(VIEWS))
def test_no_view_shows_a_planted_secret(view: str) -> None:
    """Sensitive keys are emptied again by the views, and a `Secret` prints as a mask."""
    assert sample.CANARY not in VIEWS[view](_planted())


def test_state_json_has_what_the_contract_names() -> None:
    """Contract section 5, key by key."""
    found = json.loads(json_text(state_json.state_json(sample.state(), now=sample.NOW, version="0.1.0")))
    by_key = {r["address"] + r.get("deposed", ""): r for r in found["values"]["root_module"]["resources"]}
    assert (found["format_version"], found["serial"], found["head"]) == ("1.0", 42, sample.HEAD)
    floor = by_key["credits.ez"]["values"]
    assert (floor["balance"], floor["purchased_last_24h"], floor["unit"]) == (4100.5, 750, "credits")
    lost = by_key["token.old9f9f9f9f"]
    assert (lost["deposed"], lost["values"]["fingerprint"], lost["values"]["status"]) == ("9f9f9f9f", None, "lost")
    assert by_key['token.campaigns["web"]']["sensitive_values"] == {"access_token": True, "refresh_token": True}
    doubt = found["in_doubt"][0]
    assert (doubt["operation"], doubt["address"], doubt["kind"]) == ("op-1", "credits.ez", "credits.purchase")
    assert (doubt["since"], doubt["evidence"][-1]["at"]) == ("2026-12-01T11:00:00Z", "2026-12-01T11:05:00Z")


def test_status_is_that_of_the_moment() -> None:
    """A live token whose end has passed is shown as expired."""
    later = sample.NOW + timedelta(days=2)
    found = state_json.state_json(sample.state(), now=later, version="0.1.0")["values"]["root_module"]["resources"]
    statuses = {r["address"] + r.get("deposed", ""): r["values"].get("status") for r in found}
    assert statuses['token.campaigns["web"]'] == "expired"
    assert statuses['token.campaigns["u\\"s"]'] == "live"


def test_an_announced_operation_of_the_running_run_is_not_in_doubt() -> None:
    """What the holder of the lock has in flight is in doubt for nobody; once it is gone, it is."""
    state = sample.state()
    state.operations = {"op-9": replace(state.operations["op-1"], id="op-9", in_doubt=False, run="run-9")}
    shown = state_json.state_json(state, now=sample.NOW, version="0.1.0", running="run-9")
    assert shown["in_doubt"] == []
    assert len(state_json.state_json(state, now=sample.NOW, version="0.1.0")["in_doubt"]) == 1


def _many(count: int, action: tuple[str, ...]) -> Plan:
    after = sample.steps()[3].after
    return sample.empty_plan(
        steps=tuple(
            sample.step(f"token.t{n:05}", action, before=after if action != CREATE else None, after=after)
            for n in range(count)
        )
    )


def test_long_plans_are_counted_and_their_exceptions_drawn() -> None:
    """Above the threshold only what a person must see is drawn, unless all is asked for."""
    calm = _many(200, CREATE)
    odd = sample.step("token.zz", DELETE, before={"consumer": "x"}, reason=Reason("not-declared", "Not declared."))
    waits = sample.step("token.zy", CREATE, after={}, handoff=Handoff(("Do it.",)))
    plan = replace(calm, steps=(*calm.steps, odd, waits))
    text = human_plan(plan)
    assert "# token.zz will be destroyed" in text
    assert "1. Do it." in text
    assert "# token.t00001 will be created" not in text
    assert "   201 token to create at cx (smscx)" in text
    assert "Plan: 201 to add, 0 to change, 1 to destroy." in text
    assert human_plan(plan, full=True).count("will be created") == 201


def test_many_untouched_resources_cost_little() -> None:
    """Each of 1,000 resources with nothing to do is looked at and not drawn: a few function calls."""
    assert _calls_each(NOOP) < 10


def test_many_changes_cost_little() -> None:
    """A change that is drawn in full costs what its lines cost, however many there are."""
    assert _calls_each(CREATE) < 500


def _calls_each(action: tuple[str, ...]) -> float:
    """Function calls for one resource more of a plan."""
    found = []
    for count in (1_000, 2_000):
        plan, profile = _many(count, action), Profile()
        profile.runcall(human_plan, plan, full=True)
        found.append(sum(one.callcount for one in profile.getstats()))
    return (found[1] - found[0]) / 1_000
