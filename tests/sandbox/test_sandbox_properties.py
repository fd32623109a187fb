"""Whatever is sent in whatever order: the ledger and the balance never differ, and nothing crashes."""

from __future__ import annotations

import base64
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from sandbox_world import APP, EZ

from provisioner.sandbox.app import VENDORS, Sandbox, open_sandbox
from provisioner.sandbox.faults import Dropped, Fault

BASE = "http://sandbox.invalid"
BASIC = "Basic " + base64.b64encode(f"{EZ['username']}:{EZ['password']}".encode()).decode()
JSON = {"Content-Type": "application/json"}


class Account(RuleBasedStateMachine):
    """EZ Texting's account: `expected` follows the ledger alone, the balance is what the vendor answers."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.sandbox = open_sandbox(Path(self.folder.name))
        self.start = self.balance()
        self.spent = 0
        self.pairs: list[dict[str, str]] = []

    def call(self, path: str, body: object, **headers: str) -> tuple[int, bytes]:
        answer = self.sandbox.handle(
            "POST", f"{BASE}/eztexting/v1{path}", {**JSON, **headers}, json.dumps(body).encode()
        )
        return answer[0], answer[2]

    def balance(self) -> int:
        answer = self.sandbox.handle("GET", f"{BASE}/eztexting/v1/credits", {"Authorization": BASIC}, b"")
        return int(json.loads(answer[2])["totalCredits"])

    @rule(
        amount=st.one_of(st.integers(-10, 5000), st.floats(0, 100), st.text(max_size=3), st.booleans()),
        card=st.sampled_from([EZ["card_last_four"], "9999", 42]),
        login=st.booleans(),
    )
    def buy(self, amount: object, card: object, *, login: bool) -> None:
        """Any amount, any card, with or without a login, with whatever fault is armed."""
        try:
            self.call(
                "/credits/purchase",
                {"credits": amount, "creditCardLastFour": card},
                **({"Authorization": BASIC} if login else {}),
            )
        except Dropped:
            return

    @rule(
        kind=st.sampled_from(["reset", "stall", "truncate", "html", "status"]),
        when=st.sampled_from(["before", "after"]),
    )
    def trouble(self, kind: str, when: str) -> None:
        """The next purchase goes wrong, or its answer does."""
        self.sandbox.arm(Fault(kind=kind, when=when, operation="credits.purchase"))

    @rule(amount=st.integers(0, 3000))
    def spend(self, amount: int) -> None:
        """Messages are sent."""
        self.sandbox.panel("eztexting", "spend_credits", amount=amount)
        self.spent += amount

    @rule()
    def create(self) -> None:
        """A pair is made."""
        status, body = self.call("/tokens/create", {"appKey": EZ["username"], "appSecret": EZ["password"]})
        assert status == 200
        self.pairs.append(json.loads(body))

    @precondition(lambda self: self.pairs)
    @rule(pick=st.integers(0, 99), half=st.sampled_from(["accessToken", "refreshToken"]))
    def end(self, pick: int, half: str) -> None:
        """Any half of any pair is revoked; a second time is refused and changes nothing."""
        kind = "ACCESS_TOKEN" if half == "accessToken" else "REFRESH_TOKEN"
        before = len(self.sandbox.live_tokens("eztexting"))
        status, _ = self.call("/tokens/revoke", {"token": self.pairs[pick % len(self.pairs)][half], "type": kind})
        assert len(self.sandbox.live_tokens("eztexting")) == before - (1 if status == 200 else 0)

    @precondition(lambda self: self.pairs)
    @rule(pick=st.integers(0, 99))
    def refresh(self, pick: int) -> None:
        """A refresh keeps the number of live pairs, whether it is granted or not."""
        before = len(self.sandbox.live_tokens("eztexting"))
        status, body = self.call(
            "/tokens/refresh", {"refreshToken": self.pairs[pick % len(self.pairs)]["refreshToken"]}
        )
        if status == 200:
            self.pairs.append(json.loads(body))
        assert len(self.sandbox.live_tokens("eztexting")) == before

    @invariant()
    def credits_are_accounted_for(self) -> None:
        """Balance = what there was + what the ledger says was bought - what was spent; purchases agree with both."""
        bought = sum(entry.get("credits", 0) for entry in self.sandbox.ledger("eztexting"))
        assert bought == sum(purchase["credits"] for purchase in self.sandbox.purchases())
        assert self.balance() == self.start + bought - self.spent

    def teardown(self) -> None:
        self.sandbox.close()
        self.folder.cleanup()


TestAccount = Account.TestCase
TestAccount.settings = settings(max_examples=25, stateful_step_count=25, deadline=None)

PATHS = st.sampled_from([
    "/v1/credits/purchase", "/v1/tokens/create", "/v1/tokens/refresh", "/v1/tokens/revoke", "/oauth/token", "/token",
    "/oauth/authorize", "/authorize", "/applications", "/account/balance", "/revoke", "/introspect", "/register",
    "/register/sandbox-client", "/device_authorization", "/device", "/device/decide", "/oauth/revoke", "/v1/projects",
    "/v1/clients/users/me", "/", "",
])  # fmt: skip
WORDS = st.one_of(
    st.sampled_from(["grant_type", "client_credentials", "refresh_token", "code", "scope", "sms", "client_id",
                     APP["client_id"], "token", "redirect_uri", "http://[", "user_code", "ticket"]),
    st.text(max_size=8),
)  # fmt: skip
BODIES = st.one_of(
    st.binary(max_size=40),
    st.lists(st.tuples(WORDS, WORDS), max_size=5).map(lambda pairs: urlencode(pairs).encode()),
    st.dictionaries(WORDS, st.one_of(WORDS, st.integers(), st.none(), st.lists(WORDS, max_size=2)), max_size=4).map(
        lambda value: json.dumps(value).encode()
    ),
)
TYPES = st.sampled_from([
    "application/json", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/plain", "",
])  # fmt: skip
LOGINS = st.one_of(
    st.none(),
    st.sampled_from([BASIC, "Basic", "Bearer", "Basic =", "Bearer " + "x" * 40]),
    st.text(max_size=10),
)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    sandbox = open_sandbox(tmp_path_factory.mktemp("shared"))
    yield sandbox
    sandbox.close()


@settings(max_examples=150, deadline=None)
@given(
    vendor=st.sampled_from(sorted(VENDORS)), path=PATHS, query=st.lists(st.tuples(WORDS, WORDS), max_size=3),
    body=BODIES, kind=TYPES, login=LOGINS, method=st.sampled_from(["GET", "POST", "PUT", "DELETE", "PATCH"]),
)  # fmt: skip
def test_no_request_crashes_a_vendor(
    shared: Sandbox,
    vendor: str,
    path: str,
    query: list[tuple[str, str]],
    body: bytes,
    kind: str,
    login: str | None,
    method: str,
) -> None:
    """Whatever is sent, a vendor answers: never an exception, never a 5xx, never a balance that moved."""
    url = f"{BASE}/{vendor}{path}" + (f"?{urlencode(query)}" if query else "")
    headers = {"Content-Type": kind} | ({} if login is None else {"Authorization": login})
    status, _, _ = shared.handle(method, url, headers, body)
    assert 200 <= status < 500
