"""A provider is opened from its table: nothing is sent or resolved by that, and the sandbox needs no account."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from provisioner.errors import InDoubt, Unreachable
from provisioner.model.desired import ProviderConfig, SecretRef
from provisioner.providers import types
from provisioner.providers._open import once, open_provider
from provisioner.providers.base import ClientCredentials, TokenWish
from provisioner.sandbox.app import open_sandbox
from provisioner.sandbox.faults import Fault
from provisioner.secret import Secret


def never(_: Any) -> Secret:
    raise AssertionError("nothing needs resolving here")


@pytest.mark.parametrize("kind", types())
def test_opening_does_nothing(kind: str, tmp_path: Path) -> None:
    """No file, no request, no secret: `validate` may do it."""
    config = ProviderConfig(name="p", type=kind, base_url="sandbox")
    open_provider(config, directory=tmp_path, resolve=never, parallelism=4).close()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", ["eztexting", "smscx"])
def test_the_sandbox_lies_beside_the_file_and_needs_no_account(kind: str, tmp_path: Path) -> None:
    """In process: no socket, no setting."""
    config = ProviderConfig(name="p", type=kind, base_url="sandbox")
    provider = open_provider(config, directory=tmp_path, resolve=never, parallelism=4)
    assert provider.read_credits(None).balance > 0
    provider.close()
    assert (tmp_path / ".provisioner" / "sandbox").is_dir()


@pytest.mark.parametrize(
    ("kind", "error"), [("refuse", Unreachable), ("reset", InDoubt), ("stall", InDoubt), ("truncate", InDoubt)]
)
def test_the_sandboxs_faults_look_like_a_sockets(kind: str, error: type[Exception], tmp_path: Path) -> None:
    """In process as over HTTP: refused is unsent, everything else is a doubt."""
    sandbox = open_sandbox(tmp_path / ".provisioner" / "sandbox")
    sandbox.arm(Fault(kind=kind, vendor="eztexting", operation="token.create", times=9))
    sandbox.close()
    config = ProviderConfig(name="p", type="eztexting", base_url="sandbox")
    provider = open_provider(config, directory=tmp_path, resolve=never, parallelism=4)
    with pytest.raises(error):
        provider.create_token(ClientCredentials(), TokenWish())
    provider.close()


def test_a_reference_is_resolved_once() -> None:
    """It may be a command that asks for a fingerprint; ten threads ask once."""
    asked = []

    def ask(reference: object) -> Secret:
        asked.append(reference)
        return Secret("x")

    resolve = once(ask)
    threads = [threading.Thread(target=resolve, args=(SecretRef("command", ("op", "read")),)) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(asked) == 1
