"""Bodies and headers carry awkward secrets unharmed, and nothing else ever shows them."""

from __future__ import annotations

import base64
import json
from decimal import Decimal
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.net import body
from provisioner.net.answers import Answer, NotJson
from provisioner.secret import Secret

TEXT = st.text(st.characters(codec="utf-8"), max_size=40)


@given(st.lists(st.tuples(TEXT.filter(bool), TEXT), max_size=5))
def test_a_form_reads_back(pairs: list[tuple[str, str]]) -> None:
    """Every secret survives the trip, whatever characters it has."""
    sent = body.encode_form([(name, Secret(value)) for name, value in pairs])
    assert parse_qsl(sent.decode(), keep_blank_values=True, strict_parsing=bool(pairs)) == pairs


def test_a_form_is_percent_encoded_as_rfc_3986_says() -> None:
    """`+` and `%20` are not left to a server's taste."""
    assert body.encode_form({"s": Secret("a+b c/%~é=&")}) == b"s=a%2Bb%20c%2F%25~%C3%A9%3D%26"


@given(TEXT.filter(lambda t: ":" not in t), TEXT)
def test_basic_is_one_line_however_long(user: str, password: str) -> None:
    """No 76-column wrap (vendor sheet, trap 1), and the pair reads back at the first colon (RFC 7617)."""
    value = body.basic(user, Secret(password * 3)).reveal()
    assert "\n" not in value
    decoded = base64.b64decode(value.removeprefix("Basic "), validate=True).decode()
    assert decoded.split(":", 1) == [user, password * 3]


def test_the_published_pair_is_encoded_right() -> None:
    """SMS.CX prints a value with a trailing space in it; the right one is 108 characters and has no padding."""
    pair = ("3fd97176bd7e36c0e8fbd22b4b1ab5d29540b49c", "129e24048c46c3bcabed1f9f267aef73f5f8e1e4")
    value = body.basic(pair[0], Secret(pair[1])).reveal().removeprefix("Basic ")
    assert len(value) == 108
    assert value.endswith("MWU0")


def test_json_reveals_secrets_however_deep_and_only_there() -> None:
    """The structure prints as masked; the bytes carry the values."""
    value = {"a": Secret("x"), "b": [{"c": Secret("0042")}], "credits": 500}
    assert json.loads(body.encode_json(value)) == {"a": "x", "b": [{"c": "0042"}], "credits": 500}
    assert "0042" not in repr(value)


@pytest.mark.parametrize("value", [{"amount": Decimal("1.5")}, {"x": object()}, {"x": float("nan")}])
def test_json_has_no_word_for_everything(value: object) -> None:
    """A Decimal that slipped into a purchase is a fault here, not a float there."""
    with pytest.raises((TypeError, ValueError)):
        body.encode_json(value)


def test_every_secret_of_a_request_is_found() -> None:
    """So that an answer that echoes one can be masked."""
    one, two, three = Secret("1"), Secret("2"), Secret("3")
    assert body.secrets_in([{"a": one}, [("b", two)], None, "x", ("u", three)]) == (one, two, three)


@given(st.text(min_size=1, max_size=30).filter(lambda t: t.strip() and t not in "(sensitive value)"))
def test_a_vendors_words_never_repeat_what_was_sent(secret: str) -> None:
    """Some servers answer "unknown password hunter2"."""
    answer = Answer(400, {}, b"", (Secret(secret),))
    said = answer.quote(f"[{secret}]")
    assert said.count("(sensitive value)") == 1
    assert said == "[(sensitive value)]"


def test_a_vendors_words_are_one_short_line() -> None:
    """Control characters, escape sequences and novels stay out of a terminal."""
    said = Answer(400, {}, b"").quote("a\r\n\x1b[31mb\u2028c" + "x" * 1000)
    assert said.startswith("a [31mb c")
    assert len(said) == 300
    assert Answer(400, {}, b"").quote(["not", "text"]) == ""


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"<html>secret</html>",
        b"\xff\xfe",
        b"[1]",
        b'"text"',
        b"[" * 100_000,
        b'{"secret": 1e99999999999999999999}',
    ],
)
def test_what_is_no_json_object_is_said_without_its_text(raw: bytes) -> None:
    """Not in the message, and not in a context that a traceback would print."""
    with pytest.raises(NotJson) as caught:
        Answer(200, {"content-type": "text/html"}, raw).object()
    assert "secret" not in str(caught.value)
    assert caught.value.__context__ is None


def test_an_answer_prints_as_its_status() -> None:
    """Its body may hold a token."""
    assert repr(Answer(200, {}, b"token", (Secret("x"),))) == "<Answer 200, 5 bytes>"
