"""A saved plan: everything that made it, in the clear, so that it can be shown anywhere and derived again.

The file is one line, `{"digest":SHA256,"plan":BODY}`: BODY is canonical JSON (keys sorted, compact, ASCII), and the
digest is of its very bytes. The digest finds damage; what finds an edit is that the steps do not derive again.
The recorded state is named by lineage, serial and head: the head is the digest of all that was ever recorded.
"""

from __future__ import annotations

import hashlib
import json
from datetime import datetime
from decimal import Decimal
from typing import Any

from provisioner.errors import PlanRefused
from provisioner.model.desired import Desired
from provisioner.model.digest import digest
from provisioner.model.plan import Plan
from provisioner.model.recorded import State
from provisioner.records import dataclass, replace
from provisioner.render.configuration_json import configuration
from provisioner.render.json_text import json_text
from provisioner.render.plan_codec import encode, plan_from_json
from provisioner.render.plan_json import document
from provisioner.render.state_json import prior_state

FORMAT = 1
_DIGITS = 64
_HEAD, _MIDDLE, _TAIL = b'{"digest":"', b'","plan":', b"}"


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedPlan:
    """`plan` is as it was made, `prior_state` and `configuration` what it was made from, as `show --json` prints them.
    Amounts in values of steps are Decimal or int, lists stand for tuples. `digest` is that of the file it came from,
    empty where it came from none."""

    plan: Plan
    prior_state: dict[str, Any]
    configuration: dict[str, Any]
    digest: str = ""

    def to_json(self) -> dict[str, Any]:
        """What the file's BODY holds."""
        return {
            "format": FORMAT,
            "kind": "provisioner-plan",
            "plan": encode(self.plan),
            "prior_state": self.prior_state,
            "configuration": self.configuration,
        }


def saved_plan(plan: Plan, desired: Desired, state: State) -> SavedPlan:
    """What `dump` writes, before it is text: also what a plan that was derived again is compared as."""
    named = replace(plan, desired_digest=digest(desired))
    return SavedPlan(plan=named, prior_state=prior_state(state, plan.now), configuration=configuration(desired))


def dump(plan: Plan, desired: Desired, state: State) -> bytes:
    """The file's bytes, to be written with mode 0600. Equal inputs give equal bytes. Raises TypeError on a secret."""
    body = _body(saved_plan(plan, desired, state).to_json())
    return _HEAD + hashlib.sha256(body).hexdigest().encode() + _MIDDLE + body + _TAIL + b"\n"


def _body(document: dict[str, Any]) -> bytes:
    return json_text(document, sort_keys=True).encode()


def load(data: bytes) -> SavedPlan:
    """Raises PlanRefused: `plan-unreadable` for what is no plan of ours, `plan-altered` where the digest differs."""
    line = data.removesuffix(b"\n")  # and no other blank: every byte of the file counts
    start = len(_HEAD) + _DIGITS
    if not (line.startswith(_HEAD) and line[start : start + len(_MIDDLE)] == _MIDDLE and line.endswith(_TAIL)):
        raise _unreadable("It does not begin and end as a saved plan does.")
    body = line[start + len(_MIDDLE) : -len(_TAIL)]
    digest = hashlib.sha256(body).hexdigest()
    if digest.encode() != line[len(_HEAD) : start]:
        raise PlanRefused(
            "plan-altered",
            "The plan file was changed after it was written",
            "Its digest does not fit its contents. Make the plan again with `provisioner plan --out FILE`.",
        )
    try:
        return _parse(json.loads(body, parse_float=Decimal), digest)
    except (KeyError, TypeError, ValueError, AttributeError, ArithmeticError):
        raise _unreadable("Its contents are not those of a saved plan.") from None


def _parse(found: Any, digest: str) -> SavedPlan:
    if found["kind"] != "provisioner-plan" or found["format"] != FORMAT:
        raise ValueError
    prior, config = found["prior_state"], found["configuration"]
    if not (isinstance(prior, dict) and isinstance(config, dict)):
        raise TypeError
    return SavedPlan(plan=plan_from_json(found["plan"]), prior_state=prior, configuration=config, digest=digest)


def _unreadable(why: str) -> PlanRefused:
    return PlanRefused(
        "plan-unreadable",
        "The file is not a plan of this version of provisioner",
        f"{why} Make the plan again with `provisioner plan --out FILE`.",
    )


def saved_plan_json(saved: SavedPlan, *, version: str, timestamp: datetime) -> dict[str, Any]:
    """What `show --json PLANFILE` prints, from the file alone: the recorded state may have moved since."""
    return document(saved.plan, saved.prior_state, saved.configuration, version=version, timestamp=timestamp)


def differences(saved: SavedPlan, derived: SavedPlan) -> list[str]:
    """Where a plan that was derived again is not the saved one, as sentences; empty where it is.

    Compares everything that the file holds, so that what was reviewed is what is done.
    """
    new = derived.to_json()
    if hashlib.sha256(_body(new)).hexdigest() == saved.digest:
        return []
    old = saved.to_json()
    found = _step_differences(old["plan"].pop("steps", []), new["plan"].pop("steps", []))
    for name in sorted({*old["plan"], *new["plan"]}):
        if _differ(old["plan"].get(name), new["plan"].get(name)):
            found.append(f"The plan's {name} does not come out the same.")
    found.extend(
        f"Its {name.replace('_', ' ')} is not the one that the plan was made from."
        for name in ("prior_state", "configuration")
        if _differ(old[name], new[name])
    )
    return found


def _step_differences(saved: list[dict[str, Any]], derived: list[dict[str, Any]]) -> list[str]:
    olds, news = {step["id"]: step for step in saved}, {step["id"]: step for step in derived}
    found = [f"{name}: the file has a step that does not follow from it." for name in olds if name not in news]
    found += [f"{name}: a step that follows is missing from the file." for name in news if name not in olds]
    for name, old in olds.items():
        new = news.get(name)
        if new is not None and _differ(old, new):
            members = sorted(key for key in {*old, *new} if _differ(old.get(key), new.get(key)))
            found.append(f"{name}: {', '.join(members)} {'differs' if len(members) == 1 else 'differ'}.")
    if not found and [step["id"] for step in saved] != [step["id"] for step in derived]:
        found.append("The steps come in another order.")
    return found


def _differ(a: Any, b: Any) -> bool:
    return json_text(a, sort_keys=True) != json_text(b, sort_keys=True)
