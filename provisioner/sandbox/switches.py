"""What the vendors do not say, each as a named switch: a choice of this sandbox, never a fact about a vendor.

The first choice is the default and the harsher reading: a client that survives it survives the others. `source` is the
section of the vendor sheet (docs/sandbox.md lists them all, and a test compares the two) that leaves the point open.
"""

from __future__ import annotations

from typing import NamedTuple


class Switch(NamedTuple):
    choices: tuple[str, ...]
    meaning: str
    source: str

    @property
    def default(self) -> str:
        return self.choices[0]


_EZ, _CX, _TM, _TK, _RFC = "EZ Texting", "SMS.CX", "TextMaster", "TEXTKING", "OAuth 2.0"

SWITCHES: dict[str, Switch] = {
    "eztexting.body_fields": Switch(
        ("both", "app_key", "username"),
        "Which spelling of the login pair `POST /v1/tokens/create` takes; another is answered 400.",
        f"{_EZ} 2.2, trap 15",
    ),
    "eztexting.old_refresh_token": Switch(
        ("dies", "lives"), "What becomes of a refresh token once it was used.", f"{_EZ} 2.2"
    ),
    "eztexting.old_access_token": Switch(
        ("dies", "lives"), "What a refresh does to the access token before it.", f"{_EZ} 2.2"
    ),
    "eztexting.refresh_life": Switch(
        ("fixed", "slides"), "Whether the 60 days count from the first create or from each refresh.", f"{_EZ} 2.2"
    ),
    "eztexting.live_pairs": Switch(
        ("many", "one"),
        "Whether a create leaves older pairs alive. `one` is harsher, but no rotation could overlap, so it is not the "
        "default.",
        f"{_EZ} 5",
    ),
    "eztexting.revoke": Switch(
        ("pair", "one"), "Whether revoking either token kills both (the portal) or only itself.", f"{_EZ} 2.2"
    ),
    "eztexting.second_revoke": Switch(
        ("400", "404", "200"), "The answer to revoking a token that is unknown or dead.", f"{_EZ} 5"
    ),
    "eztexting.token_refusal": Switch(("401", "400"), "The status of a refused create or refresh.", f"{_EZ} 2.2"),
    "eztexting.password_change": Switch(
        ("kills", "keeps"), "What a new account password does to live tokens.", f"{_EZ} 5, trap 19"
    ),
    "eztexting.purchase_body": Switch(
        ("empty", "balance"), "The body of a purchase: none, or the legacy names in camelCase.", f"{_EZ} 2.3"
    ),
    "eztexting.purchase_status": Switch(("200", "201"), "The status of a purchase.", f"{_EZ} 2.3"),
    "eztexting.purchase_minimum": Switch(("1", "500"), "The fewest credits that are sold at once.", f"{_EZ} 2.3"),
    "eztexting.balance_lag": Switch(("0", "60"), "Seconds until bought credits show in the balance.", f"{_EZ} 5"),
    "eztexting.unknown_coupon": Switch(
        ("ignored", "refused"), "A coupon nobody knows: charged in full without a word, or 400.", f"{_EZ} 5"
    ),
    "eztexting.error_shape": Switch(
        ("observed", "documented"),
        "Error bodies as seen live (`code`, no `detail`) or as documented (`title`, `detail`).",
        f"{_EZ} 2.5, trap 24",
    ),
    "eztexting.rate_limit": Switch(
        ("off", "200", "5"), "Requests a minute before 429. Off, so that measurements are of the client.", f"{_EZ} 2.4"
    ),
    "smscx.missing_scope": Switch(
        ("everything", "application"),
        "A token request without a scope: every scope there is, or all that the application has.",
        f"{_CX} 1.3, trap 5",
    ),
    "smscx.foreign_scope": Switch(
        ("refused", "narrowed"), "A scope that the application lacks: 400, or fewer granted.", f"{_CX} 1.5"
    ),
    "smscx.scope_text": Switch(
        ("untidy", "tidy"),
        "Scopes in another order and with a trailing blank, or as they were asked for.",
        f"{_CX} trap 6",
    ),
    "smscx.token_expiration": Switch(
        ("words", "seconds", "short"), "`tokenExpiration` on the wire: `1 day`, `86400` or `1d`.", f"{_CX} 1.4"
    ),
    "smscx.never": Switch(("0", "-1", "3153600000"), "`expires_in` of a token that never ends.", f"{_CX} 1.3, trap 10"),
    "smscx.secret_reset": Switch(("kills", "keeps"), "What a secret reset does to live tokens.", f"{_CX} trap 9"),
    "smscx.scope_edit": Switch(
        ("shrinks", "keeps"), "Whether live tokens lose the scopes that their application loses.", f"{_CX} 5"
    ),
    "smscx.delete_application": Switch(
        ("kills", "keeps"), "What deleting an application does to its tokens.", f"{_CX} 5"
    ),
    "smscx.no_applications": Switch(
        ("object", "list"), "`data` of an account without applications: `{}` or `[]`.", f"{_CX} 1.4"
    ),
    "smscx.both_credentials": Switch(
        ("both", "key", "bearer"), "Which credential counts where a request carries both.", f"{_CX} 1.2"
    ),
    "smscx.rate_limit": Switch(("off", "60", "5"), "Requests a minute before 429.", f"{_CX} 1.1"),
    "textmaster.rotation": Switch(
        ("immediate", "on_use"),
        "When a refresh kills the old pair: at once, or when the new access token is first used.",
        f"{_TM} 1.4",
    ),
    "textmaster.revoke": Switch(("off", "on"), "Whether `/oauth/revoke` exists.", f"{_TM} 1.5"),
    "textmaster.token_info": Switch(("off", "on"), "Whether `/oauth/token/info` exists.", f"{_TM} 1.5"),
    "textmaster.granted_scope": Switch(
        ("asked", "public"), "What is granted: what was asked for, or `public` as in the samples.", f"{_TM} trap 2"
    ),
    "textmaster.pkce": Switch(
        ("ignored", "checked"), "Whether a code challenge is remembered and checked.", f"{_TM} 1.10"
    ),
    "textmaster.api_error_body": Switch(("json", "empty"), "The body of 401 and 403 of API calls.", f"{_TM} 1.8"),
    "textking.refresh_token": Switch(
        ("new", "absent", "same"),
        "What a refresh answers: a new refresh token (the old one dies), none, or the same one.",
        f"{_TK} 2.3",
    ),
    "textking.old_access_token": Switch(
        ("dies", "lives"), "What a refresh does to the access token before it.", f"{_TK} 2.3"
    ),
    "textking.refresh_without_client": Switch(
        ("refused", "accepted"), "A refresh without client credentials, as in the published sample.", f"{_TK} 2.3"
    ),
    "textking.error_body": Switch(("empty", "xml", "json"), "Error bodies of both hosts.", f"{_TK} 2.4, trap 8"),
    "textking.token_refusal": Switch(("400", "403"), "The status of a refused token request.", f"{_TK} 2.5"),
    "oauth2.unknown_scope": Switch(
        ("granted", "refused", "dropped"),
        "A well-formed scope that the server does not list: scopes are the server's own, so it is granted; or "
        "`invalid_scope`; or dropped without a word.",
        f"{_RFC} 4.1 item 1",
    ),
    "oauth2.refresh_replay": Switch(
        ("kills", "refuses"), "Whether a replayed refresh token ends its whole family.", f"{_RFC} 3, RFC 9700 4.14.2"
    ),
    "oauth2.delete_client": Switch(
        ("keeps", "kills"), "Whether tokens outlive their deleted client.", f"{_RFC} 4.1 item 4"
    ),
    "oauth2.foreign_revoke": Switch(
        ("silent", "refused"), "Revoking another client's token: 200 and nothing done, or 400.", f"{_RFC} 4.1 item 3"
    ),
    "oauth2.revoke_access": Switch(
        ("one", "pair"), "Whether revoking an access token ends its refresh token too.", f"{_RFC} 3, RFC 7009 2.1"
    ),
    "oauth2.secret_in_read": Switch(
        ("absent", "present"), "Whether reading a registration shows its secret.", f"{_RFC} 4.1 item 5"
    ),
    "oauth2.registration": Switch(
        ("as_asked", "replaced"),
        "Whether the server replaces parts of a registration (authentication method, scope). A replaced scope can "
        "never be as declared, so it is not the default.",
        f"{_RFC} 4.1 item 5",
    ),
    "oauth2.registration_token": Switch(
        ("rotates", "stays"), "Whether a PUT answers another registration token and ends the old one.", f"{_RFC} 4"
    ),
    "oauth2.update_secret": Switch(
        ("stays", "rotates"), "Whether a PUT answers another client secret.", f"{_RFC} 4.1 item 6"
    ),
    "oauth2.device_interval": Switch(
        ("absent", "given"), "Whether a device answer names its interval (5 seconds either way).", f"{_RFC} 4.1 item 7"
    ),
    "oauth2.scope_member": Switch(
        ("present", "absent"), "Whether a token answer repeats a scope that equals what was asked.", f"{_RFC} 3"
    ),
    "oauth2.expires_in": Switch(
        ("3600", "60", "absent"), "The lifetime of access tokens; `absent` lives an hour untold.", f"{_RFC} 3"
    ),
    "oauth2.metadata": Switch(
        ("both", "rfc8414", "openid", "none"), "Which metadata documents are served.", f"{_RFC} 3"
    ),
    "oauth2.revocation": Switch(("on", "off"), "Whether there is a revocation endpoint.", f"{_RFC} 0"),
    "oauth2.introspection": Switch(("on", "off"), "Whether there is an introspection endpoint.", f"{_RFC} 0"),
    "oauth2.registration_endpoint": Switch(("on", "off"), "Whether clients can be registered.", f"{_RFC} 0"),
}


def check(name: str, value: str) -> None:
    """Raises ValueError where there is no such switch or choice."""
    if name not in SWITCHES:
        raise ValueError(f"there is no switch {name!r}")
    if value not in SWITCHES[name].choices:
        raise ValueError(f"{name} takes one of: {', '.join(SWITCHES[name].choices)}")
