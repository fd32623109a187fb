"""`[applications]` → `Application`s, with what their vendors cannot do. A tight loop: there may be thousands."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from provisioner.config.instances import Instance
from provisioner.config.parts import Parts, unknown_provider
from provisioner.config.problems import Problems, did_you_mean
from provisioner.config.values import Table
from provisioner.model.desired import Application, TokenPolicy
from provisioner.providers.base import Applications, Scopes, Vendor
from provisioner.times import format_duration

_BUILT_IN = TokenPolicy(name="built-in")
# what every vendor's applications take; `scopes` has rules of its own
COMMON = frozenset({"provider", "name", "scopes", "token_policy", "consumers", "prevent_destroy", "for_each"})


def build_applications(instances: Iterable[Instance], parts: Parts) -> tuple[Application, ...]:
    """All applications by address, each checked against its vendor and policy."""
    default = parts.policies.get("default", _BUILT_IN)
    allowed = {name: COMMON | vendor.application_keys for name, vendor in parts.vendors.items()}
    found: list[Application] = []
    for instance in instances:
        if not isinstance(instance.table, dict):
            continue
        table = Table(parts.problems, instance.table, ("applications", instance.name), instance.address)
        provider = table.text("provider")
        vendor = parts.vendors.get(provider) if provider is not None else None
        application = _application(instance, table, vendor, _policy(table, default, parts))
        found.append(application)
        if vendor is not None:
            if not instance.table.keys() <= allowed[application.provider]:
                _foreign_keys(table, vendor, allowed[application.provider])
            _check(application, vendor, table)
        elif provider is not None and provider not in parts.provider_names and not parts.problems.incomplete:
            unknown_provider(table, provider, parts)
    _check_owners(found, parts)
    return tuple(sorted(found, key=lambda a: (a.address.name, a.address.keys)))


def _policy(table: Table, default: TokenPolicy, parts: Parts) -> TokenPolicy:
    name = table.text("token_policy")
    if name is None:
        return default
    found = parts.policies.get(name)
    if found is None:
        if not parts.problems.incomplete:
            advice = f"{did_you_mean(name, parts.policies)} Declare it as [token_policies.{name}].".strip()
            table.bad("token_policy", f'no token policy is called "{name}"', advice, name="unknown-reference")
        return _BUILT_IN
    return found


def _application(instance: Instance, table: Table, vendor: Vendor | None, policy: TokenPolicy) -> Application:
    values = instance.table
    source, _ = table.problems.origin(table.path)
    redirect_uri = table.text("redirect_uri")
    grant = None
    if vendor is not None and "grant" in vendor.application_keys:
        grant = table.text("grant") or ("authorization_code" if redirect_uri else "client_credentials")
    return Application(
        address=instance.address,
        provider=table.text("provider") or "",
        name=table.text("name") or instance.name,
        scopes=tuple(sorted(set(table.strings("scopes")))),
        token_lifetime=table.text("token_lifetime"),
        policy=policy,
        consumers=_consumers(table) if "consumers" in values else (),
        prevent_destroy=table.flag("prevent_destroy"),
        client_id=table.reference("client_id") if "client_id" in values else None,
        client_secret=table.secret("client_secret") if "client_secret" in values else None,
        redirect_uri=redirect_uri,
        offline_access=table.flag("offline_access"),
        grant=grant,
        token_endpoint_auth_method=table.text("token_endpoint_auth_method"),
        private_key=table.secret("private_key", whole=True) if "private_key" in values else None,
        resource=table.texts("resource") if "resource" in values else (),
        audience=table.text("audience"),
        file=source.file,
        line=source.declared_at("applications", instance.name),
    )


def _consumers(table: Table) -> tuple[str, ...]:
    given = table.strings("consumers")
    if len(set(given)) < len(given):
        twice = next(one for position, one in enumerate(given) if one in given[:position])
        table.bad("consumers", f'consumers names "{twice}" twice', "Keep one: each has one token.", name="duplicate")
    return tuple(dict.fromkeys(given))


def _foreign_keys(table: Table, vendor: Vendor, allowed: frozenset[str]) -> None:
    for key in sorted(set(table.values) - allowed):
        advice = f"Take it out: {vendor.title} has no use for it."
        table.bad(key, f"{vendor.title} applications take no {key}", advice, name="unsupported")


def _check(application: Application, vendor: Vendor, table: Table) -> None:
    if application.scopes and vendor.scopes is Scopes.NONE:
        advice = "Take them out: a token of this vendor has the account's full rights."
        table.bad("scopes", f"{vendor.title} has no scopes", advice, name="unsupported")
    elif not application.scopes and vendor.scopes is Scopes.REQUIRED:
        advice = "Name each scope that the tokens need."
        table.bad("scopes", f"{vendor.title} reads no scopes as all of them", advice, name="unsupported")
    policy = application.policy
    if application.offline_access:
        for key in ("rotate_every", "max_lifetime"):
            if getattr(policy, key) is not None:
                table.bad(
                    "offline_access",
                    f"offline_access with a {key}: such a token never ends, and can be neither renewed nor revoked",
                    f"Take offline_access out, or give the application a token policy without {key}.",
                    name="unsupported",
                )
    if policy is not _BUILT_IN and (policy.renew_before is not None or policy.max_lifetime is not None):
        _check_lifetime(application, vendor, table)
    table.problems.add_relative(vendor.check_application(application), table.path, table.address)


def _check_lifetime(application: Application, vendor: Vendor, table: Table) -> None:
    """What is known of a token's life before one is granted, against the policy."""
    policy, problems = application.policy, table.problems
    life = vendor.token_lifetime(application)
    where = ("token_policies", policy.name)
    if life is not None and policy.renew_before is not None and policy.renew_before > life:
        problems.add(
            "unsupported",
            f"renew_before is longer than a token of {vendor.title} lives ({format_duration(life)})",
            f"Make it shorter than {format_duration(life / 2)}, or leave it out: a third of the life is the default.",
            path=(*where, "renew_before"),
            address=table.address,
        )
    if policy.max_lifetime is None or application.offline_access:
        return
    if vendor.never_expires(application) or (life is not None and life > policy.max_lifetime):
        lives = "never ends" if life is None else f"lives {format_duration(life)}"
        problems.add(
            "unsupported",
            f"a token of {vendor.title} {lives}, and max_lifetime is {format_duration(policy.max_lifetime)}",
            "Give the application a shorter token_lifetime where the vendor has one, or another token policy.",
            path=(*where, "max_lifetime"),
            address=table.address,
        )


def _check_owners(found: Sequence[Application], parts: Parts) -> None:
    """Two declarations of one thing at a vendor that finds applications by name would overwrite each other for ever."""
    owners: dict[tuple[str, str], Application] = {}
    for application in found:
        vendor = parts.vendors.get(application.provider)
        if vendor is None or vendor.applications is not Applications.FOUND:
            continue
        first = owners.setdefault((application.provider, application.name), application)
        if first is not application:
            _owned_twice(first, application, parts.problems)


def _owned_twice(first: Application, second: Application, problems: Problems) -> None:
    advice = "Give them different names."
    if first.address.keys and first.address.name == second.address.name:
        advice = f'Write the key into the name: name = "{first.address.name}-${{each.key}}".'
    problems.add(
        "duplicate",
        f'{first.address} and {second.address} are both "{second.name}" at {second.provider}',
        advice,
        path=("applications", second.address.name, "name"),
        address=second.address,
    )
