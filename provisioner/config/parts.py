"""What applications, floors and refactorings refer to by name: the providers, their vendors, the token policies."""

from __future__ import annotations

from collections.abc import Mapping

from provisioner.config.problems import Problems, did_you_mean
from provisioner.config.values import Table
from provisioner.model.desired import ProviderConfig, TokenPolicy
from provisioner.providers.base import Vendor
from provisioner.records import dataclass


@dataclass(frozen=True, slots=True)
class Parts:
    """A provider whose vendor is unknown has a name here and no config."""

    problems: Problems
    vendors: Mapping[str, Vendor]  # by provider name
    providers: Mapping[str, ProviderConfig]
    provider_names: frozenset[str]
    policies: Mapping[str, TokenPolicy]
    generating: bool = False  # an import may name what is not declared yet: its TOML is about to be written


def unknown_provider(table: Table, provider: str, parts: Parts) -> None:
    advice = f"{did_you_mean(provider, parts.provider_names)} Declare it as [providers.{provider}].".strip()
    table.bad("provider", f'no provider is called "{provider}"', advice, name="unknown-reference")
