"""Plans, their options and what was observed as JSON and back: what a saved plan is made of.

Amounts inside `Observed` and `Spend` are strings and come back as the very same `Decimal`, times as RFC 3339: a plan
is derived again from these. Values of steps are for reading, so their amounts are JSON numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from provisioner.address import Address, parse_address
from provisioner.errors import Diagnostic
from provisioner.model.observed import (
    Observed,
    ObservedApplication,
    ObservedCredits,
    ObservedToken,
    ProviderObservation,
)
from provisioner.model.plan import Drift, Handoff, Plan, PlanOptions, Reason, Spend, Step
from provisioner.records import MISSING, fields
from provisioner.render.resource_values import without_secrets
from provisioner.times import from_rfc3339, to_rfc3339

_VALUES = frozenset({"before", "after", "params", "registration"})  # free JSON: kept as it stands
_NEVER = object()


def encode(value: Any) -> Any:
    """A dataclass of a plan → JSON objects, members at their defaults left out.

    Raises TypeError on anything that is no public data (a `Secret`, a `Sealed`)."""
    if value is None or isinstance(value, str | int | float):
        return value
    if isinstance(value, Address | Decimal):
        return str(value)
    if isinstance(value, datetime):
        return to_rfc3339(value)
    if type(value) in (tuple, list):
        return [encode(item) for item in value]
    if isinstance(value, Mapping):
        return {key: encode(item) for key, item in value.items()}
    if type(value) in _DEFAULTS:
        return _encode_members(value)
    raise TypeError(f"{type(value).__name__} has no place in a saved plan")


def _encode_members(value: Any) -> dict[str, Any]:
    found = {}
    for name, default in _DEFAULTS[type(value)]:
        member = getattr(value, name)
        if member == default:
            continue
        if name in ("before", "after"):
            member = without_secrets(member)
        found[name] = _free(member) if name in _VALUES else encode(member)
    return found


def _free(value: Any) -> Any:
    """JSON as it stands: amounts stay amounts, so that they are numbers in the file."""
    if value is None or isinstance(value, str | int | float | Decimal):
        return value
    if isinstance(value, Mapping):
        return {str(key): _free(item) for key, item in value.items()}
    if type(value) in (tuple, list):
        return [_free(item) for item in value]
    return encode(value)


def _defaults(cls: Any) -> list[tuple[str, Any]]:
    found = []
    for member in fields(cls):
        default: Any = _NEVER
        if member.default is not MISSING:
            default = member.default
        elif member.default_factory is not MISSING:
            default = member.default_factory()
        found.append((member.name, default))
    return found


_CLASSES = (
    *(Plan, PlanOptions, Step, Reason, Handoff, Drift, Spend, Diagnostic),
    *(Observed, ProviderObservation, ObservedApplication, ObservedToken, ObservedCredits),
)
_DEFAULTS: dict[type, list[tuple[str, Any]]] = {cls: _defaults(cls) for cls in _CLASSES}

Decoder = Callable[[Any], Any]


def _decoder(cls: Any, **members: Decoder) -> Decoder:
    known = {name for name, _ in _DEFAULTS[cls]}

    def decode(data: Any) -> Any:
        values = {}
        for name, value in data.items():
            if name not in known:
                raise ValueError(f"{cls.__name__} has no member {name!r}")
            values[name] = members[name](value) if name in members and value is not None else value
        return cls(**values)

    return decode


def _each(decode: Decoder) -> Decoder:
    return lambda items: tuple(decode(item) for item in items)


def _by_key(decode: Decoder) -> Decoder:
    return lambda items: {key: decode(item) for key, item in items.items()}


_application = _decoder(ObservedApplication, scopes=tuple)
_token = _decoder(ObservedToken, scopes=tuple, without=tuple, expires_at=from_rfc3339)
_credits = _decoder(ObservedCredits, balance=Decimal, at=from_rfc3339, parts=_by_key(Decimal))
_provider = _decoder(
    ProviderObservation,
    applications=_by_key(_application),
    tokens=_by_key(_token),
    credits=_credits,
    unmanaged=tuple,
)
_observed = _decoder(Observed, at=from_rfc3339, providers=_by_key(_provider))
_options = _decoder(PlanOptions, targets=tuple, excludes=tuple, replaces=tuple, allows=tuple)
_handoff = _decoder(Handoff, instructions=tuple)
_step = _decoder(
    Step,
    address=parse_address,
    action=tuple,
    reason=_decoder(Reason),
    after_unknown=tuple,
    before_sensitive=tuple,
    after_sensitive=tuple,
    replace_paths=_each(tuple),
    previous_address=parse_address,
    handoff=_handoff,
    depends_on=tuple,
)
_drift = _decoder(Drift, address=parse_address, action=tuple)
_spend = _decoder(Spend, address=parse_address, amount=Decimal, cost=Decimal)
_plan = _decoder(
    Plan,
    now=from_rfc3339,
    options=_options,
    observed=_observed,
    steps=_each(_step),
    drift=_each(_drift),
    spends=_each(_spend),
    diagnostics=_each(_decoder(Diagnostic)),
)


def observed_to_json(observed: Observed) -> dict[str, Any]:
    found: dict[str, Any] = encode(observed)
    return found


def observed_from_json(data: Mapping[str, Any]) -> Observed:
    """Raises KeyError, TypeError, ValueError, AttributeError or ArithmeticError on what is none."""
    found: Observed = _observed(data)
    return found


def options_from_json(data: Mapping[str, Any]) -> PlanOptions:
    """Raises as `observed_from_json` does."""
    found: PlanOptions = _options(data)
    return found


def plan_from_json(data: Mapping[str, Any]) -> Plan:
    """Raises as `observed_from_json` does."""
    found: Plan = _plan(data)
    return found
