"""The six requests that a state in object storage takes, and what each failure of one means. The only user of obstore.

The one that matters is `create`: an object that nobody else made, or nothing. Its answer may be lost after the server
did the work, so what is there is read back and compared before anything is said.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError, PermissionDeniedError, UnauthenticatedError

from provisioner.errors import StoreFailed
from provisioner.journal.stores.base import failed

TRIES = 4  # of a create whose answer was lost and whose object is not there
_AT_ONCE = 16  # reads at a time
_RETRY: dict[str, Any] = {
    "max_retries": 4,
    "retry_timeout": timedelta(seconds=30),
    "backoff": {"init_backoff": timedelta(milliseconds=100), "max_backoff": timedelta(seconds=3), "base": 2},
}
_CLIENT: dict[str, Any] = {"timeout": "60s", "connect_timeout": "10s"}
_MESSAGE = re.compile(r"<Code>([^<]*)</Code>\s*<Message>([^<]*)</Message>")
_ADDRESS = re.compile(r"(https?://[^\s?]+)\?\S+")  # a query may hold a signature


@dataclass(frozen=True, slots=True)
class Listed:
    """`stamp` changes whenever the content may have."""

    path: str
    stamp: str


class Bucket:
    """Thread-safe. Every method raises StoreFailed."""

    def __init__(self, scheme: str, name: str, prefix: str, settings: Mapping[str, Any], location: str) -> None:
        from obstore.store import AzureStore, GCSStore, S3Store

        made: dict[str, Any] = {"s3": S3Store, "gs": GCSStore, "az": AzureStore}
        client = {**_CLIENT, "allow_http": bool(settings.get("allow_http"))}
        config = {key: value for key, value in settings.items() if key != "allow_http"}
        self.location = location
        try:
            self._store: Any = made[scheme](name, prefix=prefix, client_options=client, retry_config=_RETRY, **config)
        except (BaseError, OSError, ValueError) as fault:
            raise failed(location, "open", words(fault)) from None

    def create(self, path: str, data: bytes) -> bool:
        """Whether `path` holds `data` now, and nobody else's. Durable when it returns True."""
        pause = 0.2
        trouble: Exception | None = None
        for _ in range(TRIES):
            try:
                # never in parts: a multipart upload overwrites whatever is there
                obstore.put(self._store, path, data, mode="create", use_multipart=False)
                return True
            except AlreadyExistsError as fault:
                trouble = fault  # perhaps our own: the first answer may have been lost
            except (PermissionDeniedError, UnauthenticatedError, OSError) as fault:
                raise self._failed("write", fault) from None
            except BaseError as fault:
                trouble = fault
            found = self.get(path)
            if found is not None:
                return found == data
            time.sleep(pause)
            pause *= 2
        raise self._failed("write", trouble or OSError("no answer")) from None

    def put(self, path: str, data: bytes) -> None:
        """Whatever was there before."""
        try:
            obstore.put(self._store, path, data, use_multipart=False)
        except (BaseError, OSError) as fault:
            raise self._failed("write", fault) from None

    def get(self, path: str) -> bytes | None:
        try:
            return bytes(obstore.get(self._store, path).bytes())
        except FileNotFoundError:
            return None
        except (BaseError, OSError) as fault:
            raise self._failed("read", fault) from None

    def get_all(self, paths: Sequence[str]) -> list[bytes | None]:
        """In the order of `paths`; many at a time."""
        if len(paths) < 2:
            return [self.get(path) for path in paths]
        with ThreadPoolExecutor(min(_AT_ONCE, len(paths))) as pool:
            return list(pool.map(self.get, paths))

    def list(self, folder: str, after: str | None = None) -> list[Listed]:
        """Sorted by path; only what comes behind the path `after`. A server that knows how to begin there sends no more
        than that; what others send is passed over here."""
        try:
            chunks = obstore.list(self._store, folder, offset=after)
            found = [Listed(str(meta["path"]), _stamp(meta)) for chunk in chunks for meta in chunk]
        except (BaseError, OSError) as fault:
            raise self._failed("read", fault) from None
        return sorted((one for one in found if after is None or one.path > after), key=lambda one: one.path)

    def delete(self, path: str) -> None:
        """Nothing happens where there is none."""
        try:
            obstore.delete(self._store, path)
        except FileNotFoundError:
            return
        except (BaseError, OSError) as fault:
            raise self._failed("write", fault) from None

    def _failed(self, what: str, fault: Exception) -> StoreFailed:
        return failed(self.location, what, words(fault))


def _stamp(meta: Mapping[str, Any]) -> str:
    tag = meta.get("e_tag") or meta.get("version") or meta["last_modified"]
    return f"{tag}:{meta['size']}"


def words(fault: Exception) -> str:
    """The server's own code and sentence, or obstore's first line without what a URL may hold behind its `?`."""
    text = str(fault)
    said = _MESSAGE.search(text)
    if said is not None:
        return f"{said[1]}: {said[2].strip().rstrip('.')}"
    lines = [line for line in text.splitlines() if line.strip()] or [type(fault).__name__]
    return _ADDRESS.sub(r"\1", lines[0])[:300].rstrip(".: ")
