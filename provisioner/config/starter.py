"""The commented file that `init` writes. What a provider table takes comes from its `Vendor`, so a new vendor type
has a starter with no line here; the examples below only make those of known vendors livelier."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import tomli_w

from provisioner import providers
from provisioner.config.problems import did_you_mean
from provisioner.errors import Invalid
from provisioner.providers.base import Applications, Credits, Scopes, Setting, Vendor

QUICKSTART = ("eztexting",)

# vendor type → the provider's short name, an application's name, and scopes that exist there
_EXAMPLES: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "eztexting": ("ez", "alerts", ()),
    "smscx": ("cx", "campaigns", ("sms", "reports")),
    "textmaster": ("tm", "translations", ("user:read", "project:read")),
    "textking": ("tk", "texts", ()),
    "oauth2": ("idp", "worker", ("credits:read",)),
}


def starter(types: Sequence[str], *, stack: str, vendors: Callable[[str], Vendor] = providers.vendor) -> str:
    """A file that `load` takes, for these vendor types. With none: one that runs at once, against the embedded
    vendor. Raises Invalid for a type that does not exist."""
    parts = [
        "#:schema ./provisioner.schema.json",
        "# What should exist: applications, their tokens, and floors under prepaid credits.",
        "# `provisioner schema > provisioner.schema.json` lets editors check it; docs/desired-state.md explains it.",
        "",
        "[stack]",
        f"name = {_quoted(stack)}",
        '# run_interval = "1h"           # how often apply runs; what falls due before the next run is done now',
        "",
        "# [state.encryption]",
        '# recipients = ["age1..."]      # who can open the secrets in the recorded state',
        "",
        "[token_policies.default]",
        '# renew_before = "15m"          # default: a third of the life that was granted',
        '# rotate_every = "7d"           # replace when older than this. default: never',
        '# overlap = "10m"               # keep a replaced token alive this long. default: revoked at once',
    ]
    for name in dict.fromkeys(types or QUICKSTART):
        try:
            vendor = vendors(name)
        except KeyError:
            advice = did_you_mean(name, providers.types())
            raise Invalid("unknown-reference", f'no provider type is called "{name}"', advice) from None
        parts.extend(_provider(vendor, sandbox=not types))
    return "\n".join(parts) + "\n"


def _provider(vendor: Vendor, *, sandbox: bool) -> list[str]:
    short, application, scopes = _EXAMPLES.get(vendor.type, (vendor.type, vendor.type, ()))
    parts = ["", f"[providers.{short}]", f"type = {_quoted(vendor.type)}"]
    if sandbox:
        parts.append(
            'base_url = "sandbox"            # the embedded vendor: no network, no account. Take it out to go live'
        )
    else:
        parts.append('# base_url = "sandbox"          # the embedded vendor: no network, no account')
    parts.extend(_setting(one, short, sandbox=sandbox) for one in vendor.settings)
    parts.extend(_application(vendor, short, application, scopes))
    if vendor.credits is not Credits.NONE:
        parts.extend(_floor(vendor, short, sandbox=sandbox))
    return parts


def _setting(setting: Setting, short: str, *, sandbox: bool) -> str:
    value = f'{{ env = "{short}_{setting.name}" }}'.upper().replace("ENV", "env", 1)
    if setting.kind != "secret":
        value = _quoted(setting.default or (setting.choices[0] if setting.choices else "..."))
    if setting.name == "issuer":  # a server of one's own has no default address
        value = '"https://id.example.com"'
    active = (setting.required or setting.name == "issuer") and not sandbox
    return f"{'' if active else '# '}{setting.name} = {value}  # {setting.help}"


def _application(vendor: Vendor, short: str, name: str, scopes: tuple[str, ...]) -> list[str]:
    parts = ["", f"[applications.{name}]", f'provider = "{short}"']
    if scopes and vendor.scopes is not Scopes.NONE:
        parts.append("scopes = [" + ", ".join(_quoted(one) for one in scopes) + "]")
    upper = name.upper()
    lead = "" if vendor.applications in (Applications.ADOPTED, Applications.REGISTERED) else "# "
    if "client_id" in vendor.application_keys:
        parts.append(f'{lead}client_id = {{ env = "{upper}_CLIENT_ID" }}')
        if vendor.applications is Applications.REGISTERED:
            parts.insert(
                -1, "# left out, with an initial_access_token at the provider, the client is registered by apply"
            )
        parts.append(f'{lead}client_secret = {{ env = "{upper}_CLIENT_SECRET" }}')
    if vendor.applications is Applications.ADOPTED and "redirect_uri" in vendor.application_keys:
        parts.append(f'redirect_uri = "{vendor.default_redirect_uri or "http://127.0.0.1:8976/callback"}"')
    if "token_lifetime" in vendor.application_keys:
        parts.append('token_lifetime = "1d"')
    parts.append('# consumers = ["web", "worker"] # one token each. default: one token')
    parts.append("# prevent_destroy = true")
    return parts


def _quoted(text: str) -> str:
    """A TOML string."""
    return tomli_w.dumps({"x": text}).removeprefix("x = ").rstrip("\n")


def _floor(vendor: Vendor, short: str, *, sandbox: bool) -> list[str]:
    whole = vendor.unit == "credits"
    parts = ["", f"[credits.{short}]", f'provider = "{short}"']
    parts.append(
        "minimum = 500                   # the floor" if whole else 'minimum = "20.00"               # the floor'
    )
    if vendor.credits is Credits.PURCHASE:
        parts += [
            "target = 1000                   # buy up to this once below the floor",
            "max_per_apply = 1000            # the most that one apply may buy",
            f'{"# " if sandbox else ""}card_last_four = {{ env = "{short.upper()}_CARD_LAST_FOUR" }}',
            '# unit_price = "0.02"           # with currency: the plan then shows the cost',
            '# currency = "USD"',
        ]
    else:
        parts.append('on_shortfall = "warn"           # the vendor sells none by API: say so, and go on')
    return parts
