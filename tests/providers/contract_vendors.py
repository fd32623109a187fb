"""What the contract suite needs to know of each vendor type: how to set it up, and which of its calls change something.

A new vendor joins by one entry in `VENDORS`; without it, `test_contract.py` fails.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from provisioner.address import Address
from provisioner.model.desired import Application, CreditFloor, SecretRef
from provisioner.providers.base import AuthorizationRequest, ClientCredentials, Provider, TokenWish
from provisioner.secret import Secret

CANARY = "canary-5e9d1f7c"  # stands in every secret that a call is given
CLIENT = ClientCredentials(client_id="client", client_secret=Secret(f"{CANARY}-secret"))
POSTED = ClientCredentials(
    client_id="client", client_secret=Secret(f"{CANARY}-secret"), auth_method="client_secret_post"
)
ACCESS, REFRESH = Secret(f"{CANARY}-access"), Secret(f"{CANARY}-refresh")
WISH = TokenWish(scopes=("sms",))
FLOOR = CreditFloor(
    address=Address("credits", "x"),
    provider="p",
    minimum=Decimal(5000),
    target=Decimal(6000),
    card_last_four=SecretRef("env", "CARD"),
    coupon=SecretRef("env", "COUPON"),
)
REQUEST = AuthorizationRequest(url="https://x.invalid/", state="state", redirect_uri="urn:ietf:wg:oauth:2.0:oob")
APPLICATION = Application(address=Address("application", "x"), provider="p", name="x", scopes=("sms",))


def resolve(reference: Any) -> Secret:
    """Every reference gives a canary, and the card what a card must be."""
    return Secret("0042") if reference == FLOOR.card_last_four else Secret(f"{CANARY}-{reference}".replace(" ", "-"))


@dataclass(frozen=True)
class Change:
    """One call that changes something. `repeatable`: the vendor or its RFC says that sending it again is harmless.
    `spends`: a 429 is a doubt too. `proven`: its 2xx has no body to read, or none that matters (a revocation)."""

    call: Callable[[Provider], Any]
    repeatable: bool = False
    spends: bool = False
    proven: bool = False


@dataclass(frozen=True)
class Contract:
    changes: Mapping[str, Change]
    reads: Mapping[str, Callable[[Provider], Any]] = field(default_factory=dict)
    settings: Callable[[str], Mapping[str, Any]] = lambda _: {}


_REFRESH = Change(lambda p: p.refresh_token(POSTED, REFRESH, WISH))
_CODE = Change(lambda p: p.exchange_code(POSTED, WISH, REQUEST, Secret(f"{CANARY}-code")))


def _oauth_settings(url: str) -> dict[str, Any]:
    names = ("authorize", "token", "revocation", "registration")
    return {f"{name}_url": f"{url}/{name}" for name in names} | {"initial_access_token": SecretRef("env", "INITIAL")}


VENDORS: dict[str, Contract] = {
    "eztexting": Contract(
        settings=lambda _: {"username": SecretRef("env", "USER"), "password": SecretRef("env", "PASSWORD")},
        changes={
            "create": Change(lambda p: p.create_token(ClientCredentials(), TokenWish())),
            "refresh": Change(lambda p: p.refresh_token(ClientCredentials(), REFRESH, TokenWish())),
            "revoke": Change(
                lambda p: p.revoke_token(ClientCredentials(), ACCESS, REFRESH), repeatable=True, proven=True
            ),
            "purchase": Change(lambda p: p.purchase(Decimal(500), FLOOR), spends=True),
        },
        reads={"credits": lambda p: p.read_credits(None)},
    ),
    "smscx": Contract(
        settings=lambda _: {"api_key": SecretRef("env", "KEY")},
        changes={"create": Change(lambda p: p.create_token(CLIENT, WISH))},
        reads={
            "credits": lambda p: p.read_credits(None),
            "applications": lambda p: p.read_applications([APPLICATION], {}),
        },
    ),
    "textmaster": Contract(
        changes={"refresh": _REFRESH, "exchange": _CODE}, reads={"credits": lambda p: p.read_credits(ACCESS)}
    ),
    "textking": Contract(changes={"refresh": _REFRESH, "exchange": _CODE}),
    "oauth2": Contract(
        settings=_oauth_settings,
        changes={
            "create": Change(lambda p: p.create_token(CLIENT, WISH)),
            "refresh": _REFRESH,
            "exchange": _CODE,
            "revoke": Change(lambda p: p.revoke_token(CLIENT, ACCESS, REFRESH), repeatable=True, proven=True),
            "register": Change(lambda p: p.register_application(APPLICATION)),
        },
    ),
}
