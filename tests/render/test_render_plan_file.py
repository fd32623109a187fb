"""A saved plan comes back as it was, and nothing of it can be changed unseen."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
import render_samples as sample
from hypothesis import given
from hypothesis import strategies as st

from provisioner.errors import PlanRefused
from provisioner.model.desired import Application, CreditFloor
from provisioner.model.digest import digest
from provisioner.model.observed import Observed, ObservedCredits, ProviderObservation
from provisioner.model.plan import PlanOptions, Step
from provisioner.render.human_plan import human_plan
from provisioner.render.json_text import json_text
from provisioner.render.plan_codec import encode, observed_from_json, observed_to_json, options_from_json
from provisioner.render.plan_file import differences, dump, load, saved_plan, saved_plan_json
from provisioner.render.plan_json import plan_json
from provisioner.secret import Secret


def _dump() -> bytes:
    return dump(sample.plan(), sample.desired(), sample.state())


def _forged(change: Any) -> bytes:
    """The file after somebody edited BODY and wrote a digest that fits."""
    body = json.loads(_dump())["plan"]
    change(body)
    text = json.dumps(body, sort_keys=True, separators=(",", ":")).encode()
    return b'{"digest":"' + hashlib.sha256(text).hexdigest().encode() + b'","plan":' + text + b"}\n"


def test_a_declaration_of_defaults_can_be_saved() -> None:
    """Durations that are zero or not set leave no trace in the file, and no object that JSON cannot hold."""
    desired = sample.desired()
    plain = Application(address=sample.address("application.plain"), provider="cx", name="plain")
    bare = CreditFloor(address=sample.address("credits.bare"), provider="ez", minimum=Decimal(1), target=Decimal(1))
    found = dump(sample.plan(), replace(desired, applications=(plain,), credits=(bare,)), sample.state())
    assert b'"overlap"' not in found
    assert load(found).configuration["root_module"]["resources"]


def test_equal_inputs_give_equal_bytes() -> None:
    """A plan file is a function of what it was made from."""
    assert _dump() == _dump()


def test_what_planning_needs_comes_back_exactly() -> None:
    """Observed, options, now and variables come back equal, so that the plan can be derived again from them."""
    plan, loaded = sample.plan(), load(_dump()).plan
    assert loaded.observed == plan.observed
    assert str(loaded.observed.of("ez").credits) == str(plan.observed.of("ez").credits)
    assert (loaded.options, loaded.now, loaded.variables) == (plan.options, plan.now, plan.variables)
    assert (loaded.lineage, loaded.serial, loaded.head) == (plan.lineage, plan.serial, plan.head)
    assert (loaded.diagnostics, loaded.spends) == (plan.diagnostics, plan.spends)
    assert loaded.desired_digest == digest(sample.desired())


def test_a_loaded_plan_is_shown_as_the_plan_was() -> None:
    """`show PLANFILE` prints what `plan` printed, from the file alone."""
    saved = load(_dump())
    assert human_plan(saved.plan) == human_plan(sample.plan())
    made = plan_json(sample.plan(), sample.state(), desired=sample.desired(), version="0.1.0", timestamp=sample.NOW)
    shown = saved_plan_json(saved, version="0.1.0", timestamp=sample.NOW)
    assert json_text(shown, sort_keys=True) == json_text(made, sort_keys=True)


def test_a_plan_that_derives_again_has_no_differences() -> None:
    """Loading loses nothing that is compared."""
    assert differences(load(_dump()), saved_plan(sample.plan(), sample.desired(), sample.state())) == []


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda body: body["plan"]["steps"].pop(0), "application.campaigns: a step that follows is missing"),
        (lambda body: body["plan"]["steps"][-1]["after"].update(purchase=9000), "credits.ez: after differs."),
        (lambda body: body["plan"]["steps"][5].update(id="token.mine"), "token.mine: the file has a step"),
        (lambda body: body["plan"]["steps"].reverse(), "The steps come in another order."),
        (lambda body: body["plan"].update(serial=7), "The plan's serial does not come out the same."),
        (lambda body: body["plan"]["spends"][0].update(amount="1"), "The plan's spends does not come out the same."),
        (lambda body: body["prior_state"].update(values={}), "Its prior state is not the one"),
        (lambda body: body["configuration"].update(root_module={}), "Its configuration is not the one"),
    ],
)
def test_an_edit_with_a_fitting_digest_is_a_difference(change: Any, expected: str) -> None:
    """Whoever edits a plan and its digest is found by deriving the plan again, and told where."""
    found = differences(load(_forged(change)), saved_plan(sample.plan(), sample.desired(), sample.state()))
    assert any(sentence.startswith(expected) for sentence in found), found


def test_an_edit_without_a_fitting_digest_is_refused() -> None:
    """A changed byte is found before anything is read of the plan."""
    with pytest.raises(PlanRefused) as caught:
        load(_dump().replace(b'"serial":42', b'"serial":43'))
    assert caught.value.diagnostics[0].name == "plan-altered"


@pytest.mark.parametrize("text", [b"", b"{}", b"PK\x03\x04", b"\xff\xfe", b'{"digest":"', b"null"])
def test_another_file_is_no_plan(text: bytes) -> None:
    """A file that never was a plan is refused as such."""
    with pytest.raises(PlanRefused) as caught:
        load(text)
    assert caught.value.diagnostics[0].name == "plan-unreadable"


@pytest.mark.parametrize(
    "change",
    [
        lambda body: body.update(format=2),
        lambda body: body.update(kind="other"),
        lambda body: body.pop("prior_state"),
        lambda body: body.update(configuration=None),
        lambda body: body["plan"].update(now="yesterday"),
        lambda body: body["plan"].update(surplus=1),
        lambda body: body["plan"]["observed"].update(providers={"ez": {"credits": {"balance": "many"}}}),
        lambda body: body["plan"]["steps"][0].update(address="nonsense"),
        lambda body: body.update(plan=[]),
    ],
)
def test_contents_that_make_no_plan_are_refused(change: Any) -> None:
    """A newer or broken plan is refused with a diagnostic and never with a traceback."""
    with pytest.raises(PlanRefused) as caught:
        load(_forged(change))
    assert caught.value.diagnostics[0].name == "plan-unreadable"


@given(cut=st.integers(min_value=0, max_value=len(_dump()) - 2))
def test_every_truncation_is_refused(cut: int) -> None:
    """Half a plan is no plan."""
    with pytest.raises(PlanRefused):
        load(_dump()[:cut])


def test_a_plan_with_a_secret_is_not_written() -> None:
    """What must not be in a plan stops it from being saved."""
    step = replace(sample.steps()[0], params={"token": Secret(sample.CANARY)})
    with pytest.raises(TypeError):
        dump(sample.plan(steps=(step,)), sample.desired(), sample.state())


def test_a_secret_key_of_a_step_is_emptied() -> None:
    """A planner's slip does not reach the file: the keys that are secret are null in it."""
    step: Step = replace(sample.steps()[0], before={"client_secret": sample.CANARY})
    assert sample.CANARY.encode() not in dump(sample.plan(steps=(step,)), sample.desired(), sample.state())


amounts = st.decimals(allow_nan=False, allow_infinity=False, places=4, min_value=0, max_value=Decimal(10) ** 9)


@given(amount=amounts, parts=st.dictionaries(st.text(max_size=5), amounts, max_size=3), names=st.lists(st.text()))
def test_observed_survives_json(amount: Decimal, parts: dict[str, Decimal], names: list[str]) -> None:
    """Every observation comes back equal, amounts digit for digit."""
    seen = ObservedCredits(balance=amount, unit="credits", at=sample.NOW, parts=parts)
    observed = Observed(
        at=sample.NOW, providers={"p": ProviderObservation(credits=seen, unmanaged=tuple(names))}, refreshed=False
    )
    again = observed_from_json(json.loads(json.dumps(observed_to_json(observed))))
    assert again == observed
    assert str(again.of("p").credits) == str(seen)


@given(st.builds(PlanOptions, mode=st.sampled_from(["normal", "destroy"]), targets=st.tuples(st.text(), st.text())))
def test_options_survive_json(options: PlanOptions) -> None:
    """What the command line asked comes back equal."""
    assert options_from_json(json.loads(json.dumps(encode(options)))) == options
