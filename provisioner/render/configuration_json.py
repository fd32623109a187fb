"""The declaration in the shape of Terraform's `configuration`: constants and references, never a secret value."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from provisioner.model.desired import Application, CreditFloor, Desired, ProviderConfig, SecretRef
from provisioner.times import format_duration


def configuration(desired: Desired | None) -> dict[str, Any]:
    """`provider_config` by provider name, and `root_module.resources`: one entry a declared resource, `for_each`
    instances each (they are expanded before planning, and each may differ)."""
    if desired is None:
        return {"provider_config": {}, "root_module": {"resources": []}}
    types = {name: provider.type for name, provider in desired.providers.items()}
    resources: list[dict[str, Any]] = []
    for application in desired.applications:
        resources.append(_application(application))
        resources.extend(_tokens(application))
    resources.extend(_floor(floor) for floor in desired.credits)
    order = {"application": 0, "token": 1, "credits": 2}
    resources.sort(key=lambda r: (order[r["type"]], r["address"]))
    return {
        "provider_config": {name: _provider(desired.providers[name]) for name in sorted(types)},
        "root_module": {"resources": resources},
    }


def _expression(value: Any) -> dict[str, Any]:
    """A constant, or the reference where a secret is to be found; what it refers to is resolved nowhere near here."""
    if isinstance(value, SecretRef):
        return {"references": [f"{value.kind}.{_reference_name(value)}"]}
    return {"constant_value": list(value) if isinstance(value, tuple) else value}


def _reference_name(reference: SecretRef) -> str:
    # of a command only its program: arguments of `op read`, `vault kv get` name paths that nobody needs in a plan
    return reference.value if isinstance(reference.value, str) else reference.value[0]


def _span(span: timedelta | None) -> str | None:
    return format_duration(span) if span else None


def _expressions(values: dict[str, Any]) -> dict[str, Any]:
    return {name: _expression(value) for name, value in values.items() if value not in (None, (), False)}


def _provider(provider: ProviderConfig) -> dict[str, Any]:
    return {
        "name": provider.name,
        "full_name": provider.type,
        "expressions": _expressions({"base_url": provider.base_url, **dict(sorted(provider.settings.items()))}),
    }


def _resource(address: Any, provider: str, expressions: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {"address": str(address), "mode": "managed", "type": address.type, "name": address.name}
    if address.keys:
        found["index"] = address.instance_key
    return {**found, "provider_config_key": provider, "expressions": expressions, "schema_version": 0}


def _application(application: Application) -> dict[str, Any]:
    policy = application.policy
    return _resource(
        application.address,
        application.provider,
        _expressions(
            {
                "name": application.name,
                "scopes": application.scopes,
                "token_lifetime": application.token_lifetime,
                "token_policy": policy.name,
                "renew_before": _span(policy.renew_before),
                "rotate_every": _span(policy.rotate_every),
                "overlap": _span(policy.overlap),
                "max_lifetime": _span(policy.max_lifetime),
                "on_destroy": policy.on_destroy,
                "consumers": application.consumers,
                "prevent_destroy": application.prevent_destroy,
                "client_id": application.client_id,
                "client_secret": application.client_secret,
                "private_key": application.private_key,
                "redirect_uri": application.redirect_uri,
                "offline_access": application.offline_access,
                "grant": application.grant,
                "token_endpoint_auth_method": application.token_endpoint_auth_method,
                "resource": application.resource,
                "audience": application.audience,
            }
        ),
    )


def _tokens(application: Application) -> list[dict[str, Any]]:
    # `depends_on` and no `references`: terraform-compliance hangs what is referred to into the values of what refers to
    # it, under the key "application", where a name stands already, and fails
    name = str(application.address).removeprefix("application.")
    return [
        {
            **_resource(address, application.provider, _expressions({"application": name, "consumer": consumer})),
            "depends_on": [str(application.address)],
        }
        for address, consumer in application.token_addresses
    ]


def _floor(floor: CreditFloor) -> dict[str, Any]:
    return _resource(
        floor.address,
        floor.provider,
        _expressions(
            {
                "minimum": floor.minimum,
                "target": floor.target,
                "pack": floor.pack,
                "max_per_apply": floor.max_per_apply,
                "max_per_day": floor.max_per_day,
                "unit_price": floor.unit_price,
                "currency": floor.currency,
                "on_shortfall": floor.on_shortfall,
                "doubt_settles_after": _span(floor.doubt_settles_after),
                "card_last_four": floor.card_last_four,
                "coupon": floor.coupon,
                "prevent_destroy": floor.prevent_destroy,
            }
        ),
    )
