"""EZ Texting's credits: a balance that is never imagined, and a card that is charged once."""

from __future__ import annotations

import base64
import sys
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent.parent / "net"))  # the server that misbehaves lies with the tests of `net`

from eztexting_account import BALANCE, FLOOR, VALUES, opened
from hostile_server import Hostile, hostile, reply

from provisioner.errors import BadAnswer, InDoubt, StepRefused
from provisioner.model.desired import SecretRef
from provisioner.providers._eztexting_answers import evidence
from provisioner.providers.base import (
    Provider,
)


@pytest.fixture
def server() -> Iterator[Hostile]:
    with hostile() as found:
        yield found


@pytest.fixture
def ez(server: Hostile) -> Iterator[Provider]:
    found = opened(server)
    yield found
    found.close()


def test_the_balance_is_read_with_basic(server: Hostile, ez: Provider) -> None:
    """UTF-8, one line (RFC 7617), whole credits, with the parts that purchases raise."""
    server.behaviour = reply(200, BALANCE)
    found = ez.read_credits(None)
    assert found.balance == 153
    assert found.unit == "credits"
    assert found.parts == {"planCredits": 15, "anytimeCredits": 138}
    pair = base64.b64decode(server.seen[0].headers["authorization"].removeprefix("Basic ")).decode()
    assert pair == f"{VALUES['user']}:{VALUES['password']}"
    assert server.seen[0].target == "/v1/credits"


@pytest.mark.parametrize("total", ["153", 153.0, 153])
def test_a_whole_number_may_be_written_otherwise(server: Hostile, ez: Provider, total: Any) -> None:
    """As digits in a string or with a fraction of nought; a part that is null is not there."""
    server.behaviour = reply(200, {"totalCredits": total, "planCredits": None, "anytimeCredits": total})
    found = ez.read_credits(None)
    assert found.balance == 153
    assert found.parts == {"anytimeCredits": 153}


@pytest.mark.parametrize(
    "body",
    [
        b"<html>",
        {},
        {"totalCredits": "15.5"},
        {"totalCredits": "1,530"},
        {"totalCredits": 15.5},
        {"totalCredits": True},
        {"totalCredits": None},
        {"totalCredits": 1, "planCredits": "x"},
    ],
)
def test_a_balance_that_is_none_is_a_bad_answer(server: Hostile, ez: Provider, body: Any) -> None:
    """A maintenance page must not look like an empty account, which would buy credits."""
    server.behaviour = reply(200, body)
    with pytest.raises(BadAnswer):
        ez.read_credits(None)


def test_a_purchase_is_an_integer_and_a_string(server: Hostile, ez: Provider) -> None:
    """`1000` and `"0042"`: neither a float, nor a number without its zeros (trap 21)."""
    server.behaviour = reply(201)
    answer = ez.purchase(Decimal(1000), replace(FLOOR, coupon=SecretRef("env", "coupon")))
    assert server.seen[0].body == b'{"credits":1000,"creditCardLastFour":"0042","couponCode":"SPRING"}'
    assert server.seen[0].target == "/v1/credits/purchase"
    assert answer.status == 201
    assert answer.reported == {}


@pytest.mark.parametrize("body", [b"", b"  \n", {}, {"boughtCredits": 1000, "amount": 9.45, "card": "4242"}])
def test_a_2xx_with_an_object_or_nothing_is_an_answer(server: Hostile, ez: Provider, body: Any) -> None:
    """The body is undocumented; its numbers are kept as evidence, and nothing that could name a card."""
    server.behaviour = reply(200, body)
    reported = ez.purchase(Decimal(1000), FLOOR).reported
    assert reported == ({"boughtCredits": 1000, "amount": "9.45"} if isinstance(body, dict) and body else {})


@pytest.mark.parametrize(
    "answer",
    [
        (200, b"<html>"),
        (200, [1]),
        (200, b'"ok"'),
        (200, b'{"amount": 1e99999999999999999999}'),
        (429, b""),
        (408, b""),
        (500, b""),
    ],
)
def test_every_other_answer_to_a_purchase_is_in_doubt(server: Hostile, ez: Provider, answer: tuple[int, Any]) -> None:
    """Money: sent once, never called a failure (trap 20)."""
    server.behaviour = reply(*answer)
    with pytest.raises(InDoubt):
        ez.purchase(Decimal(1000), FLOOR)
    assert len(server.seen) == 1


def test_a_declined_card_is_a_definite_no(server: Hostile, ez: Provider) -> None:
    """In the vendor's words."""
    server.behaviour = reply(400, {"errors": [{"title": "Declined", "message": "card declined"}]})
    with pytest.raises(StepRefused, match="card declined"):
        ez.purchase(Decimal(1000), FLOOR)


@pytest.mark.parametrize("amount", ["0", "-5", "10.5"])
def test_no_odd_number_is_ever_bought(server: Hostile, ez: Provider, amount: str) -> None:
    """Nothing is sent."""
    with pytest.raises(StepRefused):
        ez.purchase(Decimal(amount), FLOOR)
    assert server.seen == []


@pytest.mark.parametrize("card", ["42", "00042", "x042", "\uff14\uff12\uff14\uff12"])
def test_a_card_is_four_digits(server: Hostile, card: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Said before it is sent, without repeating it."""
    monkeypatch.setitem(VALUES, "card", card)
    provider = opened(server)
    with pytest.raises(StepRefused) as caught:
        provider.purchase(Decimal(1000), FLOOR)
    provider.close()
    assert card not in str(caught.value)
    assert server.seen == []


def test_a_floor_without_a_card_buys_nothing(server: Hostile, ez: Provider) -> None:
    """Nothing is sent."""
    with pytest.raises(StepRefused, match="no card"):
        ez.purchase(Decimal(1000), replace(FLOOR, card_last_four=None))
    assert server.seen == []


@given(
    st.dictionaries(st.text(max_size=12), st.one_of(st.integers(), st.text(), st.booleans(), st.none(), st.decimals()))
)
def test_evidence_is_what_a_journal_can_hold(body: dict[str, Any]) -> None:
    """Integers, and decimals as strings; bounded; nothing else."""
    found = evidence(body)
    assert len(found) <= 12
    assert all(type(value) is int or Decimal(value).is_finite() for value in found.values())
