"""Stacks of N tokens, declared in three forms, and the same N objects for Terraform; and states as applies leave them.

`python bench_stacks.py seed FOLDER N FORM NOTES` writes the recorded state of a declared stack in FOLDER without
paying for its requests: the entries are those of an apply, two a token, with sealed secrets that open.
"""

from __future__ import annotations

import json
import os
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

FORMS = ("tables", "for_each", "consumers")
_HEAD = """\
[stack]
name = "bench"

[providers.ez]
type = "eztexting"
base_url = "{url}"
username = {{ env = "EZ_USERNAME" }}
password = {{ env = "EZ_PASSWORD" }}

[token_policies.steady]
overlap = "10m"

"""


def declaration(count: int, *, form: str = "tables", url: str = "http://127.0.0.1:9") -> str:
    """N tokens at EZ Texting, about the size of the Terraform objects that they are compared with."""
    head = _HEAD.format(url=url)
    if form == "tables":
        return head + "".join(table(number) for number in range(count))
    keys = ", ".join(f'"k{number:06d}"' for number in range(count))
    if form == "for_each":
        return f'{head}[applications.app]\nprovider = "ez"\nname = "app-${{each.key}}"\nfor_each = [{keys}]\n'
    return f'{head}[applications.app]\nprovider = "ez"\nname = "app"\nconsumers = [{keys}]\n'


def table(number: int) -> str:
    return (
        f'[applications.app_{number:06d}]\nprovider = "ez"\nname = "app-{number:06d}"\n'
        'token_policy = "steady"\nprevent_destroy = false\n\n'
    )


def addresses(count: int, form: str) -> Iterator[tuple[str, str]]:
    """The token's and its application's address, for each."""
    for number in range(count):
        if form == "tables":
            yield f"token.app_{number:06d}", f"application.app_{number:06d}"
        elif form == "for_each":
            yield f'token.app["k{number:06d}"]', f'application.app["k{number:06d}"]'
        else:
            yield f'token.app["k{number:06d}"]', "application.app"


def listed(count: int, url: str) -> str:
    """N applications at SMS.CX, which lists them in one call; each has a token."""
    head = f'[stack]\nname = "bench"\n\n[providers.cx]\ntype = "smscx"\nbase_url = "{url}"\n'
    head += 'api_key = { env = "SMSCX_API_KEY" }\n\n'
    return head + "".join(
        f'[applications.app_{n:06d}]\nprovider = "cx"\nname = "app-{n:06d}"\nscopes = ["groups", "sms"]\n\n'
        for n in range(count)
    )


# -- Terraform: the builtin resource, which needs no provider process and no network ---------------------------------


def terraform(count: int, changed: int | None = None) -> str:
    """N resource blocks of four attributes; the value of one may differ."""
    return "".join(
        f'resource "terraform_data" "app_{n:06d}" {{\n  input = {{\n    name = "app-{n:06d}"\n'
        f'    callback = "https://app-{n:06d}.example.test/cb"\n    scopes = ["read", "write:{n % 17}"]\n'
        f"    floor = {n % 500 + (7 if n == changed else 0)}\n  }}\n}}\n"
        for n in range(count)
    )


def terraform_state(count: int) -> str:
    """The state that an apply of `terraform(count)` leaves, without paying for that apply."""
    kinds = {"callback": "string", "floor": "number", "name": "string", "scopes": ["tuple", ["string", "string"]]}

    def resource(n: int) -> dict[str, Any]:
        value = {
            "callback": f"https://app-{n:06d}.example.test/cb",
            "floor": n % 500,
            "name": f"app-{n:06d}",
            "scopes": ["read", f"write:{n % 17}"],
        }
        box = {"value": value, "type": ["object", kinds]}
        made = str(uuid.uuid5(uuid.NAMESPACE_DNS, str(n)))
        attributes = {"id": made, "input": box, "output": box, "triggers_replace": None}
        return {
            "mode": "managed",
            "type": "terraform_data",
            "name": f"app_{n:06d}",
            "provider": 'provider["terraform.io/builtin/terraform"]',
            "instances": [{"schema_version": 0, "attributes": attributes, "sensitive_attributes": []}],
        }

    whole = {"version": 4, "terraform_version": "1.11.0", "serial": count + 1, "lineage": str(uuid.uuid4())}
    return json.dumps({**whole, "outputs": {}, "resources": [resource(n) for n in range(count)]}, indent=2)


# -- our state -----------------------------------------------------------------------------------------------------


def seed(folder: Path, count: int, form: str, notes: int = 0) -> None:
    """The state of `declaration(count)` in `folder`, as one apply with group commits of a thousand operations leaves
    it. `notes`: as many further entries, by runs that each record every token once more."""
    from provisioner.commands.filing import FileOptions, load_file
    from provisioner.commands.opening import Secrets, StateOptions, new_run, open_journal, sealer_of, store_of
    from provisioner.engine import drafts
    from provisioner.journal.journal import Draft

    os.chdir(folder)
    desired = load_file(FileOptions())
    secrets = Secrets(desired, lambda value: None)
    store = store_of(desired, secrets)
    journal = open_journal(store, desired, StateOptions())
    run = new_run("apply")
    journal.begin(run)
    sealer = sealer_of(desired, journal, secrets)
    pending: list[Draft] = []
    for number, (token, application) in enumerate(addresses(count, form)):
        pending += _made(sealer, number, token, application, run.started)
        if len(pending) == 2000 or number == count - 1:
            journal.append(*pending)
            pending = []
    journal.close()
    if notes:
        again = [drafts.observed([record]) for record in journal.state.resources()]
        for _ in range(0, notes, count):
            with open_journal(store, desired, StateOptions()) as busy:
                busy.begin(new_run("refresh"))
                busy.append(*again)


def _made(sealer: Any, number: int, token: str, application: str, now: Any) -> list[Any]:
    from datetime import timedelta

    from provisioner.address import parse_address
    from provisioner.engine import drafts
    from provisioner.model.recorded import Operation, TokenRecord
    from provisioner.secret import Secret

    access, refresh, own = Secret(f"a-{number:032d}"), Secret(f"r-{number:032d}"), uuid.uuid4().hex
    operation = Operation(
        id=f"{number:016x}",
        address=parse_address(token),
        op="token.create",
        run="",
        since=now,
        object_id=own,
        provider="ez",
        provider_type="eztexting",
    )
    keys = operation.address.keys
    record = TokenRecord(
        id=own,
        address=operation.address,
        application=parse_address(application),
        consumer=keys[0] if keys and "[" not in application else None,
        provider="ez",
        provider_type="eztexting",
        status="live",
        issued_at=now,
        created_at=now,
        expires_at=now + timedelta(days=365),  # so that no row of the benchmark finds it due
        refresh_expires_at=now + timedelta(days=3650),
        fingerprint=access.fingerprint,
        refresh_fingerprint=refresh.fingerprint,
        access_token=sealer.seal(access, object_id=own, field="access_token", generation=1),
        refresh_token=sealer.seal(refresh, object_id=own, field="refresh_token", generation=1),
        operation=operation.id,
    )
    return [
        drafts.intent(operation, "declared, and no token is recorded"),
        drafts.outcome(operation, drafts.DONE, put=[record]),
    ]


if __name__ == "__main__":
    seed(Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4], int(sys.argv[5]))
