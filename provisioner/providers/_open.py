"""From a `[providers.NAME]` table to an object that can be called: session, pace, sandbox, resolved secrets."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from provisioner.model.desired import ProviderConfig, Reference
from provisioner.secret import Secret

if TYPE_CHECKING:
    from provisioner.providers.base import Provider, Resolve

SANDBOX_FOLDER = Path(".provisioner", "sandbox")


def open_provider(config: ProviderConfig, *, directory: Path, resolve: Resolve, parallelism: int) -> Provider:
    """A provider whose session keeps its vendor's pace. Sends nothing and resolves nothing yet.

    A vendor's module may hold `PER_MINUTE: int | None`, its budget of requests a minute, and `RETRY_AFTER`, which reads
    its 429 header in seconds. `directory` is where the desired-state file lies: `base_url = "sandbox"` keeps its
    data in `.provisioner/sandbox` there. Close the provider when done.
    """
    from provisioner import providers
    from provisioner.net.limits import retry_after
    from provisioner.net.session import Session

    provider = providers.provider_class(config.type)
    module = import_module(provider.__module__)
    at_sandbox = config.base_url == "sandbox"
    session = Session(
        provider=config.name,
        parallelism=parallelism,
        per_minute=None if at_sandbox else getattr(module, "PER_MINUTE", None),
        retry_after=getattr(module, "RETRY_AFTER", retry_after),
        sandbox=directory / SANDBOX_FOLDER if at_sandbox else None,
        ca_file=_beside(directory, config.settings.get("ca_file")),
    )
    return provider(config, session, once(resolve))


def _beside(directory: Path, given: str | None) -> str | None:
    """A path of the file is meant from where the file lies, as `{ file = ... }` is; `~` is the user's home."""
    return None if given is None else str(directory / Path(given).expanduser())


def once(resolve: Resolve) -> Resolve:
    """The same, asking for each reference once: a reference may be a command that takes a second, or a person's
    fingerprint."""
    known: dict[str, Secret] = {}
    lock = Lock()

    def resolved(reference: Reference) -> Secret:
        key = repr(reference)
        with lock:
            if key not in known:
                known[key] = resolve(reference)
            return known[key]

    return resolved
