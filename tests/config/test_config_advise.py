"""Warnings of a declaration that is valid."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

from provisioner.address import parse_address
from provisioner.config.advise import check_warnings
from provisioner.config.load import load
from provisioner.errors import Diagnostic

EZ = '[providers.ez]\ntype = "eztexting"\nbase_url = "sandbox"\n'
APPLICATIONS = "".join(f'[applications.a{n}]\nprovider = "ez"\n' for n in range(3))
FLOOR = '[credits.ez]\nprovider = "ez"\nminimum = 5\nmax_per_apply = 5\n'


def warnings(folder: Path, text: str, granted: Iterable[str] = ()) -> list[Diagnostic]:
    path = folder / "main.toml"
    path.write_text(text, encoding="utf-8")
    shown = [parse_address(address) for address in granted]
    found = check_warnings(load(path, overrides={}, environ={}), granted=shown)
    assert {one.severity for one in found} <= {"warning"}
    return found


@pytest.mark.parametrize(("interval", "warned"), [("0s", False), ("45m", False), ("46m", True), ("24h", True)])
def test_a_token_that_can_lapse_between_runs_is_warned_of(interval: str, warned: bool, tmp_path: Path) -> None:
    """EZ Texting's live 90 minutes: runs up to 45 minutes apart always meet one in its second half."""
    found = warnings(tmp_path, f'[stack]\nrun_interval = "{interval}"\n' + EZ + APPLICATIONS)
    assert [(one.name, one.address, one.line) for one in found] == [("lives-too-short", "token.a0", 6)] * warned
    if warned:
        assert "2 more" in found[0].summary
        assert "45m" in found[0].detail


def test_a_lifetime_that_only_the_server_knows_is_said_not_to_be_checked(tmp_path: Path) -> None:
    """max_lifetime cannot be held against what nobody knows yet; once a grant has shown it, nothing is said."""
    text = '[providers.idp]\ntype = "oauth2"\nbase_url = "sandbox"\n[applications.a]\nprovider = "idp"\n'
    assert warnings(tmp_path, text) == []
    (found,) = warnings(tmp_path, text + '[token_policies.default]\nmax_lifetime = "1d"\n')
    assert found.name == "unverified-lifetime"
    assert warnings(tmp_path, text + '[token_policies.default]\nmax_lifetime = "1d"\n', granted=["token.a"]) == []


def test_a_floor_that_max_spend_cannot_see_is_warned_of(tmp_path: Path) -> None:
    """Purchases without a price are refused by any limit, and a limit in one currency says nothing of another."""
    price = 'unit_price = "0.02"\ncurrency = "USD"\n'
    limit = '[safety]\nmax_spend = { USD = "5" }\n'
    assert warnings(tmp_path, EZ + FLOOR) == []
    assert warnings(tmp_path, EZ + FLOOR + price + limit) == []
    (found,) = warnings(tmp_path, EZ + FLOOR + limit)
    assert (found.name, found.address, found.line) == ("spend-unlimited", "credits.ez", 4)
    assert "refuses every purchase" in found.summary
    (found,) = warnings(tmp_path, EZ + FLOOR + price + limit.replace("USD", "EUR"))
    assert "no limit in USD" in found.summary


@pytest.mark.parametrize(
    ("scopes", "warned"),
    [('["project:read"]', True), ("[]", True), ('["user:manage"]', False), ('["user:email", "project:read"]', False)],
)
def test_a_floor_whose_balance_nobody_may_read_is_warned_of(scopes: str, warned: bool, tmp_path: Path) -> None:
    """TextMaster shows the wallet to tokens with a scope of the user."""
    text = f"""[providers.tm]
type = "textmaster"
base_url = "sandbox"
[applications.a]
provider = "tm"
client_id = "a"
client_secret = {{ env = "A" }}
scopes = {scopes}
[credits.tm]
provider = "tm"
minimum = 5
"""
    found = [(one.name, one.address, one.line) for one in warnings(tmp_path, text)]
    assert found == [("balance-unreadable", "credits.tm", 9)] * warned


def test_a_vendors_own_warnings_are_shown_where_they_belong(tmp_path: Path) -> None:
    """SMS.CX may have scopes that are newer than our list, so a near miss is a warning and no error."""
    text = (
        '[providers.cx]\ntype = "smscx"\nbase_url = "sandbox"\n[applications.a]\nprovider = "cx"\nscopes = ["smss"]\n'
    )
    (found,) = warnings(tmp_path, text)
    assert (found.name, found.address, found.key_path) == ("unknown-scope", "application.a", "applications.a.scopes[0]")
