"""One line: its one spelling, its hash, and that common tools agree."""

from __future__ import annotations

import json
import shutil
import subprocess
from datetime import UTC, datetime
from decimal import Decimal
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.address import Address
from provisioner.journal.entries import (
    LARGEST,
    NewerFormat,
    NotAnEntry,
    canonical,
    parse,
    plain,
    read_links,
    to_entry,
    to_line,
    write_line,
)
from provisioner.model.recorded import Sealed
from provisioner.secret import Secret

texts = st.text(st.characters(codec="utf-8"))
values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-LARGEST, LARGEST) | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)
bodies = st.dictionaries(texts, values, max_size=5)


def line(**members: Any) -> bytes:
    given: dict[str, Any] = {
        "body": {},
        "actor": "ann",
        "address": None,
        "kind": "note",
        "serial": 7,
        "prev": "",
        **members,
    }
    given["body"] = canonical(given["body"])
    return write_line(time="2026-12-01T12:00:00.250Z", run="run-1", lineage="lin-1", **given)[0]


@given(bodies, texts, st.none() | texts)
def test_an_entry_is_read_back_as_it_was_written(body: dict[str, Any], actor: str, address: str | None) -> None:
    """Whatever a body holds, parsing a line and writing the entry again gives the same bytes."""
    written = line(body=body, actor=actor, address=address)
    links = read_links(written[:-1])
    entry = to_entry(parse(written[:-1]))
    assert (entry.body, entry.actor, entry.address) == (body, actor, address)
    assert (entry.serial, entry.hash, entry.kind) == (links.serial, links.hash, links.kind) == (7, links.hash, "note")
    assert to_line(entry) == written


@given(bodies)
def test_the_hash_is_that_of_the_line_without_its_hash(body: dict[str, Any]) -> None:
    """`json.dumps(sort_keys=True, separators)` of the parsed line less `hash` is what was hashed."""
    data = json.loads(line(body=body))
    own = data.pop("hash")
    assert sha256(json.dumps(data, sort_keys=True, separators=(",", ":")).encode()).hexdigest() == own


def test_jq_prints_the_bytes_that_are_hashed() -> None:
    """`jq -cSa 'del(.hash)'` agrees on DEL, control characters, astral characters, quotes and the largest integers."""
    jq = shutil.which("jq")
    if jq is None or b"1.6" not in subprocess.run([jq, "--version"], capture_output=True, check=True).stdout:
        pytest.skip("needs jq 1.6 (later ones write a DEL as an escape)")
    nasty = [
        "\x7f",
        "".join(map(chr, range(0x100))),
        "\U0001f600 \ufeff\u2028\u2029\ufffe\uffff \U0010ffff",
        '"hash":"' + "0" * 64 + '", \\" \\\\ </script>&',
    ]
    entries = [line(body={"text": text, text: [LARGEST, -LARGEST, 0, None, True, {}]}, actor=text) for text in nasty]
    entries.append(line(body={"\uffff": 1, "\U0001f600": 2, "é": 3, "A": 4, "a": 5, "": 6, "\x00": 7}))
    answer = subprocess.run([jq, "-cSa", "del(.hash)"], input=b"".join(entries), capture_output=True, check=True)
    for written, printed in zip(entries, answer.stdout.splitlines(), strict=True):
        assert sha256(printed).hexdigest() == json.loads(written)["hash"]


@pytest.mark.parametrize(
    "wrong",
    [1.5, float("nan"), Secret("s3cr3t"), b"bytes", {1: "key"}, {"a": {2}}, object()],
    ids=lambda wrong: type(wrong).__name__,
)
def test_what_json_does_not_have_is_refused(wrong: Any) -> None:
    """Floats, secrets and other objects are TypeErrors, and a secret's value is not in the message."""
    with pytest.raises(TypeError) as caught:
        plain({"x": [wrong]})
    assert "s3cr3t" not in str(caught.value)


@pytest.mark.parametrize("wrong", [LARGEST + 1, -LARGEST - 1, "\ud800", {"\udfff": 1}])
def test_what_common_tools_do_not_print_back_is_refused(wrong: Any) -> None:
    """Integers that a double rounds and lone surrogates are ValueErrors."""
    with pytest.raises(ValueError):
        plain(wrong)


def test_nesting_has_a_limit() -> None:
    """What jq could not parse is not written."""
    value: Any = {}
    for _ in range(200):
        value = {"a": value}
    with pytest.raises(ValueError, match="deeper"):
        plain(value)


def test_our_own_words_become_strings() -> None:
    """Decimals, times, addresses and sealed values have one spelling."""
    moment = datetime(2026, 12, 1, tzinfo=UTC)
    found = plain((Decimal("1.50"), moment, Address("token", "a", ("k",)), Sealed("id", 2, "blob")))
    assert found == ["1.50", "2026-12-01T00:00:00Z", 'token.a["k"]', "v1:id:2:blob"]


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (b"", "not JSON"),
        (b"[]", "not a JSON object"),
        (b'{"serial":3}', "serial 3"),
        (b" " + line()[:-1], "not what its hash says"),
        (line()[:-2], "not JSON"),
    ],
)
def test_what_is_no_entry_says_why(wrong: bytes, says: str) -> None:
    """The reason is the end of a sentence that begins with the line's number."""
    with pytest.raises(NotAnEntry, match=says):
        read_links(wrong)


def test_a_newer_format_is_told_from_damage() -> None:
    """Whatever shape a newer format has, its number is believed before its hash is judged."""
    with pytest.raises(NewerFormat, match="format 2"):
        read_links(line()[:-1].replace(b'"format":1', b'"format":2'))
    with pytest.raises(NewerFormat, match="format 3"):
        read_links(b'{"format":3,"signature":"..."}')


@pytest.mark.parametrize("wrong", [{"kind": "dance"}, {"run": 'r"'}, {"lineage": ""}])
def test_members_after_the_body_cannot_hold_a_quote(wrong: dict[str, str]) -> None:
    """The chain is read from a line's end without parsing its body; nothing may be written that defeats that."""
    members = {"kind": "note", "run": "r", "lineage": "l", **wrong}
    with pytest.raises(ValueError):
        write_line(serial=1, time="2026-12-01T12:00:00Z", actor="a", address=None, body="{}", prev="", **members)
