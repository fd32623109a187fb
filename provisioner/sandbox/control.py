"""The sandbox's own endpoints below `/_sandbox/`: what tests and people steer and look at. Loopback only.

A POST takes `application/json` only, so that no page of another site can send one without asking first (CORS).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from provisioner.sandbox.faults import Fault
from provisioner.sandbox.wire import Malformed, Request, Response, json_response

if TYPE_CHECKING:
    from provisioner.sandbox.app import Sandbox


def answer(sandbox: Sandbox, request: Request) -> Response:
    """GET ledger, switches, faults; POST switches, faults, clock, panel; DELETE faults."""
    try:
        result = _act(sandbox, request)
    except (ValueError, TypeError, KeyError, AttributeError) as fault:  # Malformed is a ValueError
        return json_response(400, {"error": str(fault) or type(fault).__name__})
    return json_response(404, {"error": "no such endpoint"}) if result is None else json_response(200, result)


def _act(sandbox: Sandbox, request: Request) -> Any:
    name = request.path.strip("/")
    if request.method == "GET":
        return {
            "ledger": lambda: {"entries": sandbox.ledger(), "purchases": sandbox.purchases(),
                               "live_tokens": sandbox.live_tokens()},
            "switches": sandbox.switches,
            "faults": sandbox.armed,
        }.get(name, lambda: None)()  # fmt: skip
    if request.method == "DELETE" and name == "faults":
        sandbox.disarm()
        return sandbox.armed()
    if request.method != "POST":
        return None
    if request.media_type != "application/json":
        raise Malformed("send application/json")
    return _change(sandbox, name, request.json_object())


def _change(sandbox: Sandbox, name: str, given: dict[str, Any]) -> Any:
    if name == "switches":
        for switch, value in given.items():
            sandbox.set_switch(switch, str(value))
        return sandbox.switches()
    if name == "faults":
        return {"id": sandbox.arm(Fault.from_json(given))}
    if name == "clock":
        sandbox.set_clock(float(given["offset"]))
        return {"offset": float(given["offset"])}
    if name == "panel":
        arguments = {key: value for key, value in given.items() if key not in ("vendor", "action")}
        return {"result": sandbox.panel(str(given["vendor"]), str(given["action"]), **arguments)}
    return None
