"""The store that is Azure's object storage, on Microsoft's own emulator where that is installed (npm: azurite)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from email.utils import formatdate
from itertools import count
from pathlib import Path

import pytest
from store_contract import StoreContract
from test_store_objects import at

from provisioner.journal.stores.base import Store

_AZURITE = shutil.which("azurite-blob")
_ACCOUNT = "devstoreaccount1"
# the emulator's published key, the same everywhere
_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
_numbers = count(1)

pytestmark = pytest.mark.skipif(_AZURITE is None, reason="azurite-blob is not installed: npm install -g azurite")


def make_container(port: int) -> None:
    """Signed with the account's key, because obstore makes no containers."""
    headers = {"x-ms-date": formatdate(usegmt=True), "x-ms-version": "2021-08-06"}
    named = "".join(f"{name}:{value}\n" for name, value in sorted(headers.items()))
    text = "PUT" + "\n" * 12 + f"{named}/{_ACCOUNT}/{_ACCOUNT}/states\nrestype:container"
    digest = hmac.new(base64.b64decode(_KEY), text.encode(), hashlib.sha256).digest()
    signed = {**headers, "Authorization": f"SharedKey {_ACCOUNT}:{base64.b64encode(digest).decode()}"}
    url = f"http://127.0.0.1:{port}/{_ACCOUNT}/states?restype=container"
    urllib.request.urlopen(urllib.request.Request(url, headers=signed, method="PUT"), timeout=5).close()


@pytest.fixture(scope="module")
def azurite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    assert _AZURITE is not None
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
    folder: Path = tmp_path_factory.mktemp("azurite")
    command = [_AZURITE, "--blobPort", str(port), "--location", str(folder), "--silent", "--disableTelemetry"]
    child = subprocess.Popen([*command, "--skipApiVersionCheck"], stdout=-3, stderr=-3)
    deadline = time.monotonic() + 30
    while True:
        try:
            make_container(port)
            break
        except OSError:
            assert time.monotonic() < deadline
            time.sleep(0.2)
    yield port
    child.terminate()
    child.wait(10)


class TestAzureStore(StoreContract):
    @pytest.fixture
    def make(self, azurite: int, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Store]:
        monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_NAME", _ACCOUNT)
        monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_KEY", _KEY)
        monkeypatch.setenv("AZURE_STORAGE_ENDPOINT", f"http://127.0.0.1:{azurite}/{_ACCOUNT}")
        url = f"az://states/team{next(_numbers)}"
        return lambda: at(url)
