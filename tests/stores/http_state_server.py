"""A server of Terraform's HTTP state protocol for the tests, on loopback; `terraform` itself is run against it, too.

Three kinds of it: as Terraform documents it (LOCK, UNLOCK, 423), as GitLab does it (POST and DELETE at /lock, 409, each
serial once, writes only with the lock's own ID), and one that checks no ID where nothing is locked.
"""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

USER, PASSWORD = "ci", "token-of-the-pipeline"


class HttpStateServer:
    """`documents` and `locks` are by path. `log` holds (method, path with query, headers, body)."""

    def __init__(self, kind: str = "terraform") -> None:
        self.kind = kind
        self.documents: dict[str, bytes] = {}
        self.serials: set[tuple[str, int]] = set()
        self.locks: dict[str, dict[str, Any]] = {}
        self.log: list[tuple[str, str, dict[str, str], bytes]] = []
        self.mutex = threading.RLock()
        self.fault: Callable[[str, str], int | None] | None = (
            None  # (method, path) → an answer in place of the real one
        )
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.port: int = self._server.server_port
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def url(self, name: str) -> str:
        folder = "api/v4/projects/17/terraform/state" if self.kind == "gitlab" else "state"
        return f"http://127.0.0.1:{self.port}/{folder}/{name}"

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)

    # -- the protocol --------------------------------------------------------------------------------------------------

    def answer(self, method: str, path: str, body: bytes) -> tuple[int, bytes]:
        url = urlsplit(path)
        gitlab = self.kind == "gitlab"
        locking = gitlab and url.path.endswith("/lock")
        key = url.path.removesuffix("/lock") if gitlab else url.path
        method = {"POST": "LOCK", "DELETE": "UNLOCK"}.get(method, method) if locking else method
        lock_id = next(iter(parse_qs(url.query).get("ID", ())), None)
        with self.mutex:
            if method == "GET":
                return (200, self.documents[key]) if key in self.documents else (404, b"")
            if method in ("LOCK", "UNLOCK") and gitlab != locking:
                return 405, b""
            if method == "LOCK":
                return self._lock(key, json.loads(body))
            if method == "UNLOCK":
                return self._unlock(key, json.loads(body or b"{}").get("ID"))
            if method == "POST":
                return self._write(key, lock_id, body)
        return 405, b""

    def _lock(self, key: str, asked: dict[str, Any]) -> tuple[int, bytes]:
        held = self.locks.get(key)
        if held is None:
            self.locks[key] = asked
            return 200, b""
        if self.kind == "gitlab":
            # as its API does it: everything but these three is the asker's own
            who = held["Who"].partition("@")[0]
            return 409, json.dumps({**asked, "ID": held["ID"], "Who": who, "Created": held["Created"]}).encode()
        return 423, json.dumps(held).encode()

    def _unlock(self, key: str, lock_id: str | None) -> tuple[int, bytes]:
        held = self.locks.get(key)
        if held is not None and lock_id is not None and held["ID"] != lock_id:
            return 409, json.dumps(held).encode()  # `terraform force-unlock` sends no ID at all
        self.locks.pop(key, None)
        return 200, b""

    def _write(self, key: str, lock_id: str | None, body: bytes) -> tuple[int, bytes]:
        held = self.locks.get(key)
        if self.kind == "gitlab" and (held or {}).get("ID") != lock_id:
            return 500, b""
        if held is not None and held["ID"] != lock_id:
            return 409, json.dumps(held).encode()
        if self.kind == "gitlab":
            serial = json.loads(body).get("serial")
            if serial is None or (key, serial) in self.serials:
                return 422, b""
            self.serials.add((key, serial))
        self.documents[key] = body
        return 200, b""

    # -- the wire ------------------------------------------------------------------------------------------------------

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self
        expected = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1  # headers and body in one packet

            def handle_any(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                server.log.append((self.command, self.path, dict(self.headers), body))
                md5 = self.headers.get("Content-MD5")
                if self.headers.get("Authorization") != expected:
                    return self.say(401, b"")
                if md5 and md5 != base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode():
                    return self.say(400, b"")
                before = server.fault(self.command, self.path) if server.fault else None
                if before == -1:  # the answer is lost: the work is done and the connection closed
                    server.answer(self.command, self.path, body)
                    self.close_connection = True
                    return None
                if before is not None:
                    return self.say(before, b"")
                return self.say(*server.answer(self.command, self.path, body))

            def say(self, status: int, body: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.send_header("Content-Type", "application/json")
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args: Any) -> None:
                """Quiet."""

            do_GET = do_POST = do_DELETE = do_PUT = do_LOCK = do_UNLOCK = handle_any  # noqa: N815  # as http.server

        return Handler
