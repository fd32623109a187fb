"""Terraform's HTTP state protocol on the wire: read, write, lock and unlock one document. No judgement of its content.

    GET address                  200 the document · 204, 404 or nothing in it: there is none yet
    POST address?ID=LOCK_ID      2xx written · 409, 423 the lock is another's
    LOCK address, UNLOCK address 2xx · 409, 423 with the holder's JSON

Bodies carry `Content-MD5` (RFC 1864), as Terraform's do. GitLab takes POST and DELETE at `.../lock`, and answers a
conflict with the holder's ID, Who and Created, but with the asker's own Info: Info counts only where its id is ID.
"""

from __future__ import annotations

import hashlib
import json
import re
import time
import weakref
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from provisioner import __version__, times
from provisioner.errors import StoreFailed
from provisioner.journal.lockinfo import LockInfo, lock_from_json
from provisioner.journal.stores.base import failed
from provisioner.net.transport import NoAnswer, NotSent, Raw, Wire
from provisioner.secret import Secret

LARGEST = 1 << 28  # bytes of a document
_TIMEOUT = 60.0
_TRIES = 4
_GITLAB = re.compile(r"/api/v\d+/projects/[^/?]+/terraform/state/[^/?]+/?$")
# No lease: the protocol has no renewal, so a lock holds until it is released or broken.
_ENDLESS = datetime(9999, 1, 1, tzinfo=UTC)

Basic = Callable[[], tuple[Secret, Secret] | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """Where and how, as Terraform's `http` backend is configured."""

    state: str
    lock: str
    unlock: str
    lock_method: str = "LOCK"
    unlock_method: str = "UNLOCK"
    update_method: str = "POST"


def addresses(location: str, settings: Mapping[str, Any]) -> Addresses:
    """`[state]` may set each; a GitLab address needs none of it."""
    gitlab = _GITLAB.search(location) is not None
    lock = location.rstrip("/") + "/lock" if gitlab else location
    return Addresses(
        state=location,
        lock=settings.get("lock_address") or lock,
        unlock=settings.get("unlock_address") or settings.get("lock_address") or lock,
        lock_method=settings.get("lock_method") or ("POST" if gitlab else "LOCK"),
        unlock_method=settings.get("unlock_method") or ("DELETE" if gitlab else "UNLOCK"),
        update_method=settings.get("update_method") or "POST",
    )


class Unwritten(Exception):
    """A write that got no yes: it may have arrived all the same. Its text is a clause for a message."""


class Conflict(Exception):
    """The lock is another's, or nobody's."""


class StateServer:
    """One document at one address. Thread-safe. Every method raises StoreFailed where it gets no answer."""

    def __init__(self, where: Addresses, location: str, stack: str, basic: Basic) -> None:
        self._where = where
        self._location = location
        self._stack = stack
        self._basic = basic
        self._wire: Wire | None = None

    # -- the document ------------------------------------------------------------------------------------------------

    def get(self) -> bytes | None:
        """The document; None where there is none yet."""
        answer = self._patiently("GET", self._where.state, "read")
        if answer.status in (204, 404) or (answer.status == 200 and not answer.body):
            return None
        if answer.status != 200:
            raise self._failed("read", answer)
        return answer.body

    def put(self, document: bytes, lock_id: str) -> None:
        """Raises Conflict, Unwritten (read back what is there), and StoreFailed on a definite no."""
        query = "&" if "?" in self._where.state else "?"
        url = f"{self._where.state}{query}ID={quote(lock_id, safe='')}"
        try:
            answer = self._send(self._where.update_method, url, document)
        except (NotSent, NoAnswer) as fault:
            raise Unwritten(str(fault)) from None
        if answer.status in (409, 423):
            raise Conflict
        if answer.status >= 500 or answer.status == 422:  # 422: GitLab, of a serial that it has already
            raise Unwritten(f"it answers {answer.status}")
        if answer.status not in (200, 201, 204):
            raise self._failed("write", answer)

    # -- the lock ----------------------------------------------------------------------------------------------------

    def lock(self, info: LockInfo) -> LockInfo | None:
        """None: it is ours now. Otherwise who holds it."""
        answer = self._patiently(self._where.lock_method, self._where.lock, "lock", self._lock_body(info))
        if answer.status in (409, 423):
            held = _holder(answer.body)
            return None if held.id == info.id else held  # ours: the first answer was lost
        if answer.status in (404, 405, 501):
            raise StoreFailed(
                "store-unfit",
                f"The server of {self._location} does not lock ({self._where.lock_method}: {answer.status}).",
                "Nothing was sent: without its lock this protocol lets two runs write over each other. Set [state] "
                "lock_address and lock_method as the server documents them for Terraform's http backend.",
            )
        if answer.status not in (200, 201, 204):
            raise self._failed("lock", answer)
        return None

    def unlock(self, info: LockInfo) -> bool:
        """False where another holds it."""
        answer = self._patiently(self._where.unlock_method, self._where.unlock, "unlock", self._lock_body(info))
        if answer.status in (409, 423):
            return False
        if answer.status not in (200, 201, 204):
            raise self._failed("unlock", answer)
        return True

    def _lock_body(self, info: LockInfo) -> bytes:
        """Terraform's lock info; what we know beside it stands in Info, for ourselves."""
        data = {
            "ID": info.id,
            "Operation": info.operation,
            "Info": json.dumps(info.to_json(), sort_keys=True),
            "Who": f"{info.who}@{info.host}",
            "Version": __version__,
            "Created": times.to_rfc3339(info.since),
            "Path": self._stack,
        }
        return json.dumps(data).encode()

    # -- requests ----------------------------------------------------------------------------------------------------

    def _patiently(self, method: str, url: str, what: str, body: bytes | None = None) -> Raw:
        """Repeated until an answer below 500 comes; what is sent here may be sent twice."""
        pause, trouble = 0.2, ""
        for attempt in range(_TRIES):
            if attempt:
                time.sleep(pause)
                pause *= 2
            try:
                answer = self._send(method, url, body)
                if answer.status < 500 and not _is_garbled(answer):
                    return answer
                trouble = f"it answers {answer.status}" if answer.status >= 500 else "its answer does not fit its MD5"
            except NotSent as fault:
                trouble = str(fault)
                if not fault.passing:
                    break
            except NoAnswer as fault:
                trouble = str(fault)
                if fault.whole:
                    break
        raise failed(self._location, what, trouble)

    def _send(self, method: str, url: str, body: bytes | None) -> Raw:
        headers = {"Accept": "application/json", "User-Agent": f"provisioner/{__version__}"}
        if body is not None:
            digest = hashlib.md5(body, usedforsecurity=False).digest()
            headers |= {"Content-Type": "application/json", "Content-MD5": b64encode(digest).decode()}
        found = self._basic()
        if found is not None:
            user, password = found
            pair = f"{user.reveal()}:{password.reveal()}".encode()
            headers["Authorization"] = f"Basic {b64encode(pair).decode()}"
        if self._wire is None:
            self._wire = Wire(timeout=_TIMEOUT, ca_file=None, sandbox=None, max_body=LARGEST)
            weakref.finalize(self, self._wire.close)
        return self._wire.exchange(method, url, headers, body, fresh=False)

    def _failed(self, what: str, answer: Raw) -> StoreFailed:
        why = _REASONS.get(answer.status, "")
        return failed(self._location, what, f"it answers {answer.status}{why}")


_REASONS = {
    401: " (set [state] username and password)",
    403: " (this account may not; check [state] username and password, and what the token is allowed to do)",
    413: " (the server's limit for one state is reached: move it with `provisioner state migrate`)",
    **dict.fromkeys((301, 302, 303, 307, 308), " (a redirect; set the address that it leads to)"),
}


def _is_garbled(answer: Raw) -> bool:
    expected = answer.headers.get("content-md5")
    digest = hashlib.md5(answer.body, usedforsecurity=False).digest()
    return expected is not None and bool(answer.body) and expected != b64encode(digest).decode()


def _holder(body: bytes) -> LockInfo:
    """Whose lock it is, as far as the server says."""
    try:
        data = json.loads(body)
        data = data if isinstance(data, dict) else {}
    except ValueError:
        data = {}
    lock_id = str(data.get("ID") or "unknown")
    operation = str(data.get("Operation") or "unknown")
    try:
        ours = lock_from_json(json.loads(data.get("Info") or ""))
        if ours.id == lock_id:
            return replace(ours, renewed=_ENDLESS)
        operation = "another run"  # Info and Operation are our own, sent back
    except (ValueError, KeyError, TypeError):
        pass
    who, _, host = str(data.get("Who") or "somebody").rpartition("@")
    try:
        since = times.from_rfc3339(str(data.get("Created")))
    except ValueError:
        since = times.now()
    return LockInfo(
        id=lock_id,
        who=who or host,
        host=host if who else "unknown",
        pid=0,
        operation=operation,
        since=since,
        renewed=_ENDLESS,
    )
