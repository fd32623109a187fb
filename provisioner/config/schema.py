"""The shape of the desired-state file as pydantic reads it: the one source of shape validation and of the JSON Schema.

The tables are TypedDicts with constraints and no Python validators: pydantic checks thousands of applications in one
call, inside its compiled core, and hands back the same dicts. What a constraint cannot say (exactly one of three keys,
an exact amount, a rule between keys) is a pure check in `values.py` and `build.py`; such values are `Any` here and
carry their JSON Schema. Imported only by a load or by `schema`: pydantic costs start-up time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Annotated, Any, Literal, Required, Union

from pydantic import ConfigDict, Field, TypeAdapter, WithJsonSchema
from typing_extensions import TypedDict  # pydantic refuses typing's own before Python 3.12

from provisioner.config.patterns import CURRENCY, DURATION, KEY, SCOPE, STACK, TEXT

if TYPE_CHECKING:
    from provisioner.providers.base import Setting, Vendor

STRICT = ConfigDict(extra="forbid", strict=True)

_REFERENCE = {
    "oneOf": [
        {
            "type": "object",
            "properties": {kind: {"description": help_, **shape}},
            "required": [kind],
            "additionalProperties": False,
        }
        for kind, help_, shape in (
            ("env", "The environment variable that holds the secret.", {"type": "string", "minLength": 1}),
            (
                "file",
                "The file that holds the secret, relative to the main file's folder.",
                {"type": "string", "minLength": 1},
            ),
            (
                "command",
                "The command that prints the secret, as a list of arguments; no shell.",
                {"type": "array", "items": {"type": "string"}, "minItems": 1},
            ),
        )
    ]
}
_AMOUNT = {"anyOf": [{"type": "number", "minimum": 0}, {"type": "string", "pattern": r"^\d+(\.\d+)?$"}]}

SecretReference = Annotated[Any, WithJsonSchema(_REFERENCE)]
TextOrReference = Annotated[Any, WithJsonSchema({"anyOf": [{"type": "string"}, *_REFERENCE["oneOf"]]})]
Amount = Annotated[Any, WithJsonSchema(_AMOUNT)]
Duration = Annotated[str, Field(pattern=DURATION)]
Currency = Annotated[str, Field(pattern=CURRENCY)]
Text = Annotated[str, Field(pattern=TEXT)]
Texts = Annotated[Any, WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]})]
ForEach = Annotated[
    Any,
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "array", "items": {"type": "string"}, "uniqueItems": True},
                {
                    "type": "object",
                    "additionalProperties": {
                        "anyOf": [{"type": "string"}, {"type": "object", "additionalProperties": {"type": "string"}}]
                    },
                },
            ]
        }
    ),
]


class StackTable(TypedDict, total=False):
    """One desired-state file, with what it includes, and its one recorded state."""

    __pydantic_config__ = STRICT  # type: ignore[misc]  # pydantic's documented way to configure a TypedDict
    name: Annotated[str, Field(pattern=STACK, description="The stack's name. Default: the file's stem.")]
    run_interval: Annotated[
        Duration,
        Field(description='How often apply runs; what falls due before the next run is done now. Default "0s".'),
    ]
    include: Annotated[
        list[str], Field(description="Globs relative to this file; tables merge, a key given twice is an error.")
    ]


class EncryptionTable(TypedDict, total=False):
    """Who can open the secrets in the recorded state."""

    __pydantic_config__ = STRICT  # type: ignore[misc]  # as above
    recipients: Annotated[
        list[Text], Field(description="age recipients or SSH public keys that secrets are sealed to.")
    ]
    identity: Annotated[
        SecretReference, Field(description='Where the private key is. Default { env = "PROVISIONER_IDENTITY" }.')
    ]


class StateTable(TypedDict, total=False):
    """Where the recorded state is."""

    __pydantic_config__ = STRICT  # type: ignore[misc]  # as above
    location: Annotated[Text, Field(description="A directory, or a URL. Default: state/<stack name> beside the file.")]
    username: Annotated[SecretReference, Field(description="The user name of an HTTP store.")]
    password: Annotated[SecretReference, Field(description="The password or token of an HTTP store.")]
    lock_address: Annotated[Text, Field(description="HTTP store: where it is locked. GitLab's is known by itself.")]
    unlock_address: Annotated[Text, Field(description="HTTP store: where it is unlocked. Default: lock_address.")]
    lock_method: Annotated[Text, Field(description='HTTP store: default "LOCK"; at GitLab "POST".')]
    unlock_method: Annotated[Text, Field(description='HTTP store: default "UNLOCK"; at GitLab "DELETE".')]
    update_method: Annotated[Text, Field(description='HTTP store: default "POST".')]
    encryption: Annotated[EncryptionTable, Field(description="Whom the secrets in the recorded state are sealed to.")]


class PolicyTable(TypedDict, total=False):
    """When tokens are renewed, replaced and revoked."""

    __pydantic_config__ = STRICT  # type: ignore[misc]  # as above
    renew_before: Annotated[
        Duration, Field(description="Renew when less than this is left. Default: a third of the granted life.")
    ]
    rotate_every: Annotated[Duration, Field(description="Replace when older than this. Default: never.")]
    overlap: Annotated[Duration, Field(description='Keep a replaced token alive this long. Default "0s".')]
    max_lifetime: Annotated[Duration, Field(description="Refuse vendors whose tokens live longer. Default: no limit.")]
    on_destroy: Annotated[
        Literal["revoke", "keep"],
        Field(description='What happens to a token nobody declares any more. Default "revoke".'),
    ]


class ApplicationTable(TypedDict, total=False):
    """An OAuth client at a provider, with its scopes and token policy."""

    __pydantic_config__ = STRICT  # type: ignore[misc]  # as above
    provider: Required[Annotated[str, Field(description="The name of a [providers] table.")]]
    name: Annotated[Text, Field(description="The name at the vendor. Default: the table's key.")]
    scopes: Annotated[
        list[Annotated[str, Field(pattern=SCOPE)]], Field(description="The scopes that the application's tokens have.")
    ]
    token_lifetime: Annotated[
        Literal["1d", "1w", "never"],
        Field(description="How long tokens live, where that is a setting of the application (SMS.CX)."),
    ]
    token_policy: Annotated[
        str, Field(description='The name of a [token_policies] table. Default: "default" where there is one.')
    ]
    consumers: Annotated[
        list[Annotated[str, Field(pattern=KEY)]], Field(description="One token each. Default: one token, no consumer.")
    ]
    for_each: Annotated[
        ForEach, Field(description="One application each: a list, or a table whose values are ${each.value}.")
    ]
    prevent_destroy: Annotated[bool, Field(description="Refuse any plan that deletes it or revokes its tokens.")]
    client_id: Annotated[TextOrReference, Field(description="The client id of an application that exists already.")]
    client_secret: Annotated[SecretReference, Field(description="Its secret.")]
    redirect_uri: Annotated[Text, Field(description="Where the vendor sends a person's consent to.")]
    offline_access: Annotated[
        bool, Field(description="TEXTKING: a token that never ends and can be neither renewed nor revoked.")
    ]
    grant: Annotated[
        Literal["client_credentials", "authorization_code", "device_code"],
        Field(
            description='How tokens are got. Default "client_credentials"; "authorization_code" with a redirect_uri.'
        ),
    ]
    token_endpoint_auth_method: Annotated[Text, Field(description="How the client proves itself (RFC 7591 section 2).")]
    private_key: Annotated[SecretReference, Field(description="The key for private_key_jwt: a PEM file or a JWK.")]
    resource: Annotated[Texts, Field(description="Resource indicators (RFC 8707): one URI or a list.")]
    audience: Annotated[Text, Field(description="The audience that tokens are asked for.")]


class CreditsTable(TypedDict, total=False):
    """The floor under one provider's prepaid balance."""

    __pydantic_config__ = STRICT  # type: ignore[misc]  # as above
    provider: Required[Annotated[str, Field(description="The name of a [providers] table.")]]
    minimum: Required[Annotated[Amount, Field(description="The floor, in the vendor's unit: credits, or money.")]]
    target: Annotated[Amount, Field(description="Buy up to this once below the floor. Default: minimum.")]
    pack: Annotated[Amount, Field(description="Only whole packs of this many are bought. Default 1.")]
    max_per_apply: Annotated[Amount, Field(description="The most that one apply buys. Required where the API sells.")]
    max_per_day: Annotated[Amount, Field(description="The most that is bought in 24 hours, on all machines together.")]
    card_last_four: Annotated[SecretReference, Field(description="The last four digits of the card to charge.")]
    coupon: Annotated[SecretReference, Field(description="A coupon code for the purchase.")]
    unit_price: Annotated[Amount, Field(description="The price of one unit, so that a plan shows the cost.")]
    currency: Annotated[Currency, Field(description="The currency of unit_price.")]
    on_shortfall: Annotated[
        Literal["error", "warn"], Field(description='What a floor that cannot be met means. Default "error": exit 3.')
    ]
    doubt_settles_after: Annotated[
        Duration, Field(description="An unchanged balance for this long settles a purchase in doubt as not happened.")
    ]
    prevent_destroy: Annotated[bool, Field(description="Refuse any plan that gives the floor up.")]


class SafetyTable(TypedDict, total=False):
    """Limits judged over a whole plan."""

    __pydantic_config__ = STRICT  # type: ignore[misc]  # as above
    max_destroy: Annotated[
        int, Field(ge=0, description="The most that one apply revokes and deletes. Default: 10, or 30 % of the state.")
    ]
    max_spend: Annotated[
        dict[Currency, Amount], Field(description='The most that one apply spends, by currency: { USD = "500" }.')
    ]


class ImportTable(TypedDict, total=False):
    """An application that exists at the vendor and is taken over."""

    __pydantic_config__ = STRICT  # type: ignore[misc]  # as above
    to: Required[Annotated[str, Field(description="The address that it gets.")]]
    id: Required[Annotated[Text, Field(description="The vendor's own id of it, or its client id.")]]


def _table(name: str, help_: str, fields: dict[str, Any]) -> Any:
    """A TypedDict made at run time: for keys that are words of Python's own, or that a vendor names."""
    make: Any = TypedDict
    made = make(name, fields, total=False)
    made.__doc__ = help_
    made.__pydantic_config__ = STRICT
    made.__module__ = __name__
    return made


def _list_of(table: Any) -> Any:
    return list[table]


_FROM = Required[Annotated[str, Field(description="The address that it had.")]]
MovedTable: Any = _table(
    "MovedTable",
    "A resource that has a new address.",
    {"from": _FROM, "to": Required[Annotated[str, Field(description="The address that it has now.")]]},
)
RemovedTable: Any = _table("RemovedTable", "A resource to be forgotten, and left at the vendor.", {"from": _FROM})


def _setting(setting: Setting) -> Any:
    shapes: dict[str, Any] = {"secret": SecretReference, "boolean": bool, "text": Text, "url": Text}
    shape = Literal[setting.choices] if setting.kind == "choice" else shapes[setting.kind]
    default = f" Default: {setting.default}." if setting.default else ""
    return Annotated[shape, Field(description=setting.help + default)]


def provider_table(vendor: Vendor) -> Any:
    """`[providers.NAME]` of one vendor type, from its settings. What is required depends on the sandbox, so `build`
    checks that."""
    fields: dict[str, Any] = {
        "type": Required[Annotated[Literal[vendor.type], Field(description=f"{vendor.title}.")]],
        "base_url": Annotated[
            Text,
            Field(description=f'"sandbox", or a URL. Default: {vendor.default_base_url or "none"}.'),
        ],
    }
    fields |= {setting.name: _setting(setting) for setting in vendor.settings}
    return _table(f"{vendor.type.capitalize()}Provider", f"An account at {vendor.title}.", fields)


def document(vendors: Iterable[Vendor]) -> Any:
    """The whole file, its provider tables told apart by `type`."""
    tables = tuple(provider_table(vendor) for vendor in vendors)
    provider: Any = dict[str, Any]
    if len(tables) == 1:
        provider = tables[0]
    elif tables:
        provider = Annotated[Union[tables], Field(discriminator="type")]  # noqa: UP007  # made at run time
    sections: dict[str, tuple[Any, str]] = {
        "stack": (StackTable, "The stack: its name, how often apply runs, which files belong to it."),
        "state": (StateTable, "Where the recorded state is, and who can open its secrets."),
        "variables": (dict[str, str], "${var.NAME} in any string; --var overrides."),
        "providers": (dict[str, provider], "Accounts at vendors and OAuth servers."),
        "token_policies": (dict[str, PolicyTable], "When tokens are renewed, replaced and revoked."),
        "applications": (dict[str, ApplicationTable], "OAuth clients, with their scopes and token policies."),
        "credits": (dict[str, CreditsTable], "Floors under prepaid balances."),
        "safety": (SafetyTable, "Limits judged over the whole plan."),
        "moved": (_list_of(MovedTable), "Resources that have new addresses."),
        "import": (list[ImportTable], "Applications that exist and are taken over."),
        "removed": (_list_of(RemovedTable), "Resources to be forgotten and left at the vendor."),
    }
    fields = {name: Annotated[shape, Field(description=help_)] for name, (shape, help_) in sections.items()}
    return _table("Document", "The desired state of API credentials and prepaid credits.", fields)


def known_keys(section: str) -> list[str]:
    """The keys that a table of a section takes, for suggestions. Provider tables depend on the vendor."""
    tables: dict[str, Any] = {
        "": document(()),
        "stack": StackTable,
        "state": StateTable,
        "state.encryption": EncryptionTable,
        "token_policies": PolicyTable,
        "applications": ApplicationTable,
        "credits": CreditsTable,
        "safety": SafetyTable,
        "moved": MovedTable,
        "import": ImportTable,
        "removed": RemovedTable,
    }
    return list(tables[section].__annotations__) if section in tables else []


def adapter(vendors: Iterable[Vendor]) -> TypeAdapter[Any]:
    return TypeAdapter(document(vendors))


def json_schema(vendor: Callable[[str], Vendor] | None = None, types: Iterable[str] | None = None) -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of the desired-state file, over all vendor types there are."""
    from provisioner import providers

    find = vendor or providers.vendor
    made = adapter([find(name) for name in (types or providers.types())]).json_schema()
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Desired state of provisioner",
        **{key: value for key, value in made.items() if key != "title"},
    }
