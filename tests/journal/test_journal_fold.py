"""The fold: what each kind does, and that a checkpoint and what follows is worth as much as everything."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from journal_world import NOW, intent, operation_id, outcome, token

from provisioner.journal.chain import state_digest
from provisioner.journal.entries import canonical, plain
from provisioner.journal.fold import KEPT, NotFoldable, decode, state_from_json, state_to_json
from provisioner.journal.journal import Draft
from provisioner.model.recorded import State, TokenRecord, record_to_json


def fold(state: State, drafts: list[Draft], start: datetime = NOW, step: timedelta = timedelta(hours=9)) -> State:
    """Applies drafts as the journal does, one every `step`."""
    for number, draft in enumerate(drafts, 1):
        change = decode(draft.kind, draft.address, json.loads(canonical(draft.body)))
        change.apply(state, serial=number, head=f"{number:064x}", time=start + step * number, run=f"run-{number}")
    return state


def purchase(number: int, amount: str = "500") -> Draft:
    return Draft(
        "intent",
        "credits.ez",
        {
            "operation": {
                "id": operation_id(number),
                "op": "credits.purchase",
                "provider": "ez",
                "amount": amount,
                "unit": "credits",
                "read": {"balance": "100"},
            }
        },
    )


def ended(kind: str, number: int, **body: Any) -> Draft:
    return Draft(kind, "credits.ez", {"operation": operation_id(number), **body})


numbers = st.integers(1, 4)
drafts = st.lists(
    st.one_of(
        st.builds(intent, numbers),
        st.builds(outcome, numbers),
        st.builds(purchase, numbers, st.sampled_from(["500", "1E+3", "0.5"])),
        st.builds(lambda n: ended("outcome", n, result="done", amount="400"), numbers),
        st.builds(lambda n: ended("outcome", n, result="refused"), numbers),
        st.builds(lambda n: ended("doubt", n, evidence={"balance": "100"}, detail="no answer"), numbers),
        st.builds(
            lambda n, how: ended("settled", n, **{"as": how, "by": "resolve"}),
            numbers,
            st.sampled_from(["happened", "did-not-happen", "lost", "retried"]),
        ),
        st.builds(lambda n: Draft("observed", None, {"evidence": {operation_id(n): {"balance": "1"}}}), numbers),
        st.builds(lambda n: Draft("edit", None, {"command": "state rm", "drop": [token(n).id]}), numbers),
        st.builds(lambda n: Draft("handoff", None, {"waiting": [f"token.app{n}"], "done": ["token.app1"]}), numbers),
        st.just(Draft("note", None, {"detail": "x"})),
    ),
    max_size=25,
)


@given(drafts, st.data())
def test_a_checkpoint_and_its_tail_fold_like_everything(entries: list[Draft], data: st.DataObject) -> None:
    """Wherever a checkpoint is put, the state after it is the state without it, to the digest."""
    cut = data.draw(st.integers(0, len(entries)))
    whole = fold(State(stack="m"), entries)
    before = fold(State(stack="m"), entries[:cut])
    saved = json.loads(canonical({"state": state_to_json(before)}))
    after = State()
    decode("checkpoint", None, saved).apply(after, serial=cut, head="", time=before.updated_at or NOW, run="r")
    for number, draft in enumerate(entries[cut:], cut + 1):
        change = decode(draft.kind, draft.address, json.loads(canonical(draft.body)))
        moment = NOW + timedelta(hours=9) * number
        change.apply(after, serial=number, head=f"{number:064x}", time=moment, run=f"run-{number}")
    assert state_to_json(after) == state_to_json(whole)
    assert state_digest(after) == state_digest(whole)
    assert (after.objects, after.operations, after.purchases) == (whole.objects, whole.operations, whole.purchases)


@given(drafts)
def test_a_state_survives_json(entries: list[Draft]) -> None:
    """A checkpoint is plain JSON and reads back equal."""
    state = fold(State(stack="m"), entries)
    data = state_to_json(state)
    assert plain(data) == data
    back = state_from_json(json.loads(canonical(data)))
    assert (back.objects, back.operations, back.purchases, back.handoffs) == (
        state.objects,
        state.operations,
        state.purchases,
        state.handoffs,
    )


def test_an_intent_opens_an_operation_and_its_outcome_closes_it() -> None:
    """The operation carries the entry's run and time; the outcome's records replace those of the same id."""
    state = fold(State(), [intent(1)])
    assert (state.operations["op-00000001"].run, state.operations["op-00000001"].in_doubt) == ("run-1", False)
    state = fold(state, [outcome(1)])
    assert state.operations == {}
    assert list(state.objects.values()) == [token(1)]


def test_a_purchase_counts_from_doubt_to_verdict() -> None:
    """In doubt it counts, as announced; settled as happened it still does; settled otherwise it goes."""
    state = fold(State(), [purchase(1), ended("doubt", 1, evidence={}, detail="")])
    assert [(p.status, p.amount, p.run) for p in state.purchases] == [("in_doubt", Decimal(500), "run-1")]
    happened = fold(state, [ended("settled", 1, **{"as": "happened", "by": "balance-rise"})])
    assert [p.status for p in happened.purchases] == ["happened"]
    state = fold(State(), [purchase(1), ended("doubt", 1), ended("settled", 1, **{"as": "did-not-happen"})])
    assert state.purchases == []


def test_a_done_purchase_counts_what_the_outcome_says() -> None:
    """The vendor may add less or more than was asked for."""
    state = fold(State(), [purchase(1), ended("outcome", 1, result="done", amount="450")])
    assert [(p.amount, p.unit, p.provider) for p in state.purchases] == [(Decimal(450), "credits", "ez")]


def test_old_purchases_go_and_doubts_stay() -> None:
    """What is older than the longest guard is dropped; what may have been charged is never forgotten by age."""
    bought = [purchase(1), ended("outcome", 1, result="done"), purchase(2), ended("doubt", 2)]
    state = fold(State(), bought)
    late = fold(state, [Draft("note")], start=NOW + KEPT + timedelta(days=3))
    assert [p.operation for p in late.purchases] == [operation_id(2)]


def test_evidence_is_kept_oldest_first_with_its_time() -> None:
    """A doubt's own evidence, then what was seen since."""
    seen = Draft("observed", None, {"evidence": {operation_id(1): {"balance": "2"}, "gone": {}}})
    state = fold(State(), [purchase(1), ended("doubt", 1, evidence={"balance": "1"}), seen])
    evidence = state.operations[operation_id(1)].evidence
    assert [item["balance"] for item in evidence] == ["1", "2"]
    assert all("at" in item for item in evidence)


def test_a_handoff_keeps_the_first_time() -> None:
    """Asking again does not restart the clock; done is done."""
    ask = Draft("handoff", None, {"waiting": ["application.a"]})
    state = fold(State(), [ask, ask])
    assert state.handoffs == {"application.a": NOW + timedelta(hours=9)}
    assert fold(state, [Draft("handoff", None, {"done": ["application.a"]})]).handoffs == {}


def test_drop_and_put_work_for_every_kind() -> None:
    """A note may put and drop, too."""
    put = Draft("note", None, {"put": [record_to_json(token(1))]})
    state = fold(State(), [put])
    assert isinstance(state.objects[token(1).id], TokenRecord)
    assert fold(state, [Draft("rekeyed", None, {"drop": [token(1).id]})]).objects == {}


@pytest.mark.parametrize(
    ("kind", "address", "body"),
    [
        ("dance", None, {}),
        ("intent", None, {"operation": {"id": "a", "op": "b"}}),
        ("intent", "token.a", {}),
        ("intent", "token.a", {"operation": {"id": "a", "op": "b", "amount": "many"}}),
        ("outcome", "token.a", {"operation": "a", "result": "perhaps"}),
        ("settled", "token.a", {"operation": "a", "as": "perhaps"}),
        ("checkpoint", None, {"state": {}}),
        ("note", None, {"put": [{"kind": "spaceship"}]}),
        ("note", None, {"put": [{"kind": "token", "id": "s3cr3t"}]}),
        ("note", None, {"drop": [1]}),
    ],
)
def test_a_body_that_does_not_fold_is_refused_without_being_repeated(
    kind: str, address: str | None, body: dict[str, Any]
) -> None:
    """So a writer finds out before it is written, and a reader names the entry and not its content."""
    with pytest.raises(NotFoldable) as caught:
        decode(kind, address, body)
    assert "s3cr3t" not in str(caught.value)
