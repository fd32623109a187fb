"""Token answers: every published spelling is read, and what cannot be understood is in doubt."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from oauth_fakes import CANARY, answer, everything_said

from provisioner.errors import InDoubt
from provisioner.net.answers import Answer
from provisioner.providers._grants import LONGEST, parse_grant
from provisioner.providers.base import Grant
from provisioner.secret import Secret

GOOD: dict[str, Any] = {"access_token": CANARY, "token_type": "Bearer"}


def test_textmasters_published_answer_is_read() -> None:
    """Six members, `created_at` among them, as the published page shows."""
    grant = parse_grant(
        answer(
            200,
            {
                "access_token": "8129442026644ebe93039fecafd79cf776b65",
                "token_type": "Bearer",
                "expires_in": 28800,
                "refresh_token": "ce93ba212d2ef6d7a350ba52069839b13882332",
                "scope": "user:read project:read",
                "created_at": 1605191853,
            },
        ),
        "tm",
    )
    assert grant == Grant(
        access_token=Secret("8129442026644ebe93039fecafd79cf776b65"),
        refresh_token=Secret("ce93ba212d2ef6d7a350ba52069839b13882332"),
        expires_in=timedelta(hours=8),
        scopes=("project:read", "user:read"),
    )


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("2592000", timedelta(days=30)),
        (2592000, timedelta(days=30)),
        (60.0, timedelta(seconds=60)),
        (0, timedelta()),
        (None, None),
        (10**300, LONGEST),
        ("9" * 4000, LONGEST),
    ],
)
def test_a_lifetime_is_a_number_or_digits(given: object, expected: timedelta | None) -> None:
    """TEXTKING writes the number as a string; a life beyond a century is cut so that dates can be computed."""
    assert parse_grant(answer(200, {**GOOD, "expires_in": given}), "tk").expires_in == expected


@pytest.mark.parametrize("given", ["soon", "", "-1", -1, "1e3", True, [3600], {}, "٣", float("nan"), float("inf")])
def test_another_lifetime_is_in_doubt(given: object) -> None:
    """A token was minted all the same, so it is no failure."""
    with pytest.raises(InDoubt) as caught:
        parse_grant(answer(200, {**GOOD, "expires_in": given}), "tk")
    assert CANARY not in everything_said(caught.value)


def test_silence_on_the_lifetime_means_for_ever_only_where_the_vendor_says_so() -> None:
    """RFC 6749: unknown. TEXTKING: never."""
    assert not parse_grant(answer(200, GOOD), "idp").never_expires
    assert parse_grant(answer(200, GOOD), "tk", silence_is_forever=True).never_expires
    assert not parse_grant(answer(200, {**GOOD, "expires_in": "60"}), "tk", silence_is_forever=True).never_expires


@pytest.mark.parametrize("kind", ["bearer", "BEARER", "Bearer"])
def test_the_token_type_has_no_case(kind: str) -> None:
    """RFC 6749 section 5.1."""
    assert parse_grant(answer(200, {**GOOD, "token_type": kind}), "idp").access_token == Secret(CANARY)


@pytest.mark.parametrize(
    ("given", "expected"),
    [("b a b", ("a", "b")), ("", ()), (["b", "a"], ("a", "b")), (None, None), (" a ", ("a",))],
)
def test_scopes_come_as_a_sorted_set(given: object, expected: tuple[str, ...] | None) -> None:
    """An empty scope is no scope; an absent one is not said."""
    assert parse_grant(answer(200, {**GOOD, "scope": given}), "idp").scopes == expected


@pytest.mark.parametrize(
    "body",
    [
        None,
        b"<html>" + CANARY.encode(),
        b"[" * 100_000,
        b'{"access_token": "a", "token_type": "Bearer", "expires_in": 1e99999999999999999999}',
        [GOOD],
        {},
        {**GOOD, "access_token": ""},
        {**GOOD, "access_token": None},
        {**GOOD, "access_token": [CANARY]},
        {**GOOD, "access_token": CANARY + "\r\nX-Evil: 1"},
        {**GOOD, "access_token": "clé"},
        {**GOOD, "token_type": "DPoP"},
        {**GOOD, "token_type": None},
        {"access_token": CANARY},
        {**GOOD, "refresh_token": 7},
        {**GOOD, "scope": 7},
        {**GOOD, "scope": ['"']},
        {"error": "invalid_grant"},
    ],
)
def test_what_is_no_token_answer_is_in_doubt(body: object) -> None:
    """A 200 without a usable token is never taken for a failure, and never quoted."""
    with pytest.raises(InDoubt) as caught:
        parse_grant(answer(200, body), "idp")
    assert CANARY not in everything_said(caught.value)


_LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just(CANARY)
_MEMBERS = st.dictionaries(
    st.sampled_from(["access_token", "token_type", "expires_in", "refresh_token", "scope", "error"]),
    _LEAVES | st.sampled_from(["Bearer", "3600", 3600]) | st.lists(_LEAVES, max_size=3),
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])  # the machine may be busy
@given(
    st.one_of(st.binary(max_size=200), _MEMBERS.map(lambda body: json.dumps(body).encode())),
    st.sampled_from([200, 201, 204]),
)
def test_any_bytes_are_a_grant_or_in_doubt(body: bytes, status: int) -> None:
    """Whatever comes, nothing else is raised, and no value of it is shown."""
    try:
        found: Grant | InDoubt = parse_grant(Answer(status, {}, body), "idp")
    except InDoubt as doubt:
        found = doubt
    if isinstance(found, InDoubt):
        assert CANARY not in everything_said(found)
        return
    assert found.access_token
    assert CANARY not in repr(replace(found, scopes=None))  # a scope is no secret, whatever word it is
    assert found.expires_in is None or timedelta() <= found.expires_in <= LONGEST
