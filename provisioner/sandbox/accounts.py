"""The account that every sandbox starts with, so that `base_url = "sandbox"` needs none.

These are constants on purpose: a shell, a test and a person at a panel can name them without opening a sandbox first.
They look like what each vendor hands out (vendor sheets), awkward characters included, and guard nothing. This module
imports nothing, so providers and commands may read it at no cost.
"""

OUT_OF_BAND = "urn:ietf:wg:oauth:2.0:oob"

ACCOUNTS: dict[str, dict[str, str]] = {
    "eztexting": {
        "username": "sandbox@eztexting.invalid",
        "password": "ez-pass:word+7c1/9a=",  # Basic splits at the first colon and decodes nothing
        "card_last_four": "0042",  # leading zeros: a number would lose them
    },
    "smscx": {
        "api_key": "5a4db0c5ap1ke9c30f6b1d2e7748a5b9d3c6e0f1",
    },
    "textmaster": {
        "client_id": "5a4db07e87c11e4794d5e0c3b8a26f1d7094e5",
        "client_secret": "5a4db07e875ec4e77be1903d6f28ac5049d1e3",
        "redirect_uri": OUT_OF_BAND,
    },
    "textking": {
        "client_id": "5a4db0f8-7e87-4c16-9d2a-c11e470f8731",
        "client_secret": "5a4db0+Kd/9ZBr1KtD==",  # "can contain special characters, e.g. a '+' sign": published page
        "redirect_uri": "http://127.0.0.1/callback",
    },
    "oauth2": {
        "client_id": "sandbox-client",
        "client_secret": "sandbox-secret-5a4db0c1e47f29ab60d3",
        "initial_access_token": "sandbox-initial-5a4db0e7d1940cb28f6a",
    },
}

# seeded at SMS.CX, oldest first; `scopes` and `token_expiration` as the panel names them
SMSCX_APPLICATIONS: tuple[dict[str, str], ...] = (
    {
        "name": "Campaign sender",
        "client_id": "5a4db0c5c11e47a1d6f0b9e3c27485a1600d9e2f",
        "client_secret": "5a4db0c55ec4e7a17e90d1b3c52f8640a7d3e9b0",
        "scopes": "sms groups",
        "token_expiration": "1 day",
    },
    {
        "name": "Reports",
        "client_id": "5a4db0c5c11e47b2a83c5d7e90f1624b3d8e07c5",
        "client_secret": "5a4db0c55ec4e7b21f6a0c8d93e7b5402d1c6fa8",
        "scopes": "reports",
        "token_expiration": "1 week",
    },
)

# a client of the OAuth server that has no secret and must use PKCE (RFC 8252 section 8.5)
OAUTH2_PUBLIC_CLIENT = "sandbox-public"
