"""Who holds the lock: data, and whether its holder still lives."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from provisioner.records import dataclass, fields
from provisioner.times import from_rfc3339, to_rfc3339


@dataclass(frozen=True, slots=True, kw_only=True)
class LockInfo:
    """`lease` is in seconds: unless `renewed` moves on, the lock ends then. `machine` is this boot of this host (and
    its process namespace); with `started` it tells a dead process from a living one of the same number."""

    id: str
    who: str
    host: str
    pid: int
    operation: str
    since: datetime
    renewed: datetime
    lease: int = 60
    machine: str = ""
    started: str = ""

    def public(self) -> dict[str, Any]:
        """What `state lock --json` prints and what the `lock` entry records (contract section 3)."""
        return {
            "id": self.id,
            "who": self.who,
            "host": self.host,
            "pid": self.pid,
            "operation": self.operation,
            "since": to_rfc3339(self.since),
        }

    def to_json(self) -> dict[str, Any]:
        more = {"renewed": to_rfc3339(self.renewed), "lease": self.lease}
        return {**self.public(), **more, "machine": self.machine, "started": self.started}

    def ended(self, now: datetime) -> bool:
        """Whether the lease is over. The holder's clock wrote it; a wrong verdict is caught by the fence."""
        return (now - self.renewed).total_seconds() > self.lease

    def holder_died(self) -> bool:
        """Whether its process certainly lives no more: only ever told of a process of this boot of this machine."""
        if self.host != os.uname().nodename or self.machine != machine_id():
            return False
        start = process_start(self.pid)
        return start is not None and start != self.started


def lock_from_json(data: Mapping[str, Any]) -> LockInfo:
    """Raises KeyError, ValueError or TypeError on what is no lock. Members of later versions are passed over."""
    known = {f.name for f in fields(LockInfo)}
    values = {key: value for key, value in data.items() if key in known}
    for name in ("since", "renewed"):
        values[name] = from_rfc3339(values[name])
    for name, kind in (("id", str), ("who", str), ("pid", int), ("lease", int)):
        if not isinstance(values.get(name, 0 if kind is int else None), kind):
            raise TypeError(f"{name} of a lock")
    return LockInfo(**values)


def machine_id() -> str:
    """This boot and process namespace; "" where the system does not say. A container on the same host with the same
    name has processes of its own, and must not be taken for dead because its number is unknown here."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot}/{Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return ""


def process_start(pid: int) -> str | None:
    """When the process began, in clock ticks since boot; "" where there is none, or a zombie; None: it cannot be told.

    Where the system has no /proc, a living process is "running": its number alone must do.
    """
    try:
        after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return "" if after_name[0] in "ZX" else after_name[19]
    except OSError:
        has_proc = Path("/proc/self/stat").exists()
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return ""
    except OSError:
        return None  # another user's: alive, and /proc may be mounted so that we do not see it
    return None if has_proc else "running"
