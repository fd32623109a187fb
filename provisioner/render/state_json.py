"""The recorded state in the shape of `terraform show -json` of a state (format_version 1.0), contract section 5."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from provisioner.model.recorded import ResourceRecord, State
from provisioner.render.json_text import TERRAFORM_VERSION
from provisioner.render.resource_values import all_record_values, deposed_key, in_doubt, sensitive_keys


def state_json(state: State, *, now: datetime, version: str, running: str | None = None) -> dict[str, Any]:
    """What `show --json` prints. Statuses are those at `now`; `running` is the run id that holds the lock, if any."""
    return {
        "format_version": "1.0",
        "terraform_version": TERRAFORM_VERSION,
        "provisioner_version": version,
        "stack": state.stack,
        "lineage": state.lineage,
        "serial": state.serial,
        "head": state.head,
        "values": state_values(state, now),
        "in_doubt": in_doubt(state, running=running),
    }


def prior_state(state: State, now: datetime) -> dict[str, Any]:
    """The same as a member of a plan: no head and no doubts, as in Terraform."""
    return {"format_version": "1.0", "terraform_version": TERRAFORM_VERSION, "values": state_values(state, now)}


def state_values(state: State, now: datetime) -> dict[str, Any]:
    resources = [_resource(record, values) for record, values in all_record_values(state, now)]
    return {"outputs": {}, "root_module": {"resources": resources}}


def _resource(record: ResourceRecord, values: dict[str, Any]) -> dict[str, Any]:
    address = record.address
    found: dict[str, Any] = {"address": str(address), "mode": "managed", "type": address.type, "name": address.name}
    if address.keys:
        found["index"] = address.instance_key
    found["provider_name"] = record.provider_type
    found["schema_version"] = 0
    deposed = deposed_key(record)
    if deposed is not None:
        found["deposed"] = deposed
    found["values"] = values
    found["sensitive_values"] = sensitive_keys(address.type)
    return found
