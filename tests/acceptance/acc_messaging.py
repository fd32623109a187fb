"""A stack of three vendors, as most tests of the outside use it: a token pair with a floor, an application that is
found, and one that is registered."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from acc_eztexting import EzTexting
    from acc_oauth import OAuth
    from acc_smscx import SmsCx
    from acc_stack import Stack

FLOOR = "minimum = 2000\npack = 500\nmax_per_apply = 3000"


def ez_tables(stack: Stack, ez: EzTexting, floor: str = FLOOR, more: str = "") -> str:
    stack.env |= {"EZ_USERNAME": ez.username, "EZ_PASSWORD": ez.password, "EZ_CARD": ez.card}
    return f"""
[providers.ez]
type = "eztexting"
base_url = "{ez.base}"
username = {{ env = "EZ_USERNAME" }}
password = {{ env = "EZ_PASSWORD" }}

[applications.texts]
provider = "ez"
{more}
[credits.ez]
provider = "ez"
card_last_four = {{ env = "EZ_CARD" }}
{floor}
"""


def cx_tables(stack: Stack, cx: SmsCx, more: str = "") -> str:
    stack.env |= {"SMSCX_API_KEY": cx.api_key}
    if not cx.apps:
        cx.add("Campaign sender", "sms groups")
    return f"""
[providers.cx]
type = "smscx"
base_url = "{cx.base}"
api_key = {{ env = "SMSCX_API_KEY" }}

[applications.campaigns]
provider = "cx"
name = "Campaign sender"
scopes = ["sms", "groups"]
token_lifetime = "1d"
consumers = ["web", "worker"]
{more}
"""


def idp_tables(stack: Stack, idp: OAuth, more: str = "") -> str:
    stack.env["IDP_TOKEN"] = idp.initial_access_token
    return f"""
[providers.idp]
type = "oauth2"
issuer = "{idp.issuer}"
initial_access_token = {{ env = "IDP_TOKEN" }}

[applications.worker]
provider = "idp"
for_each = ["eu", "us"]
name = "worker-${{each.key}}"
scopes = ["credits:read"]
{more}
"""


def messaging(stack: Stack, ez: EzTexting, cx: SmsCx, idp: OAuth, head: str = "") -> None:
    stack.write(head + ez_tables(stack, ez) + cx_tables(stack, cx) + idp_tables(stack, idp))
