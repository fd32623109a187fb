"""Where the credentials of an object store come from: only from what somebody set for this purpose.

Left to themselves, the libraries of the clouds ask the machine's metadata address when they find nothing else, and act
as whatever role the machine happens to have. Here that takes `?credentials=instance` in the URL.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from provisioner.errors import Invalid

# For each cloud, sets of variables of which one must be set whole. obstore reads them by itself.
_EXPLICIT: dict[str, tuple[tuple[str, ...], ...]] = {
    "s3": (
        ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"),
        ("AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ROLE_ARN"),
        ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",),
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI",),
    ),
    "gs": (
        ("GOOGLE_APPLICATION_CREDENTIALS",),
        ("GOOGLE_SERVICE_ACCOUNT",),
        ("GOOGLE_SERVICE_ACCOUNT_PATH",),
        ("GOOGLE_SERVICE_ACCOUNT_KEY",),
        ("GOOGLE_BEARER_TOKEN",),
    ),
    "az": (
        ("AZURE_STORAGE_ACCOUNT_KEY",),
        ("AZURE_STORAGE_ACCESS_KEY",),
        ("AZURE_STORAGE_SAS_TOKEN",),
        ("AZURE_STORAGE_SAS_KEY",),
        ("AZURE_STORAGE_TOKEN",),
        ("AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET", "AZURE_TENANT_ID"),
        ("AZURE_CLIENT_ID", "AZURE_FEDERATED_TOKEN_FILE", "AZURE_TENANT_ID"),
        ("AZURE_USE_AZURE_CLI",),
    ),
}
_ENDPOINTS = {
    "s3": ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"),
    "gs": ("GOOGLE_BASE_URL",),
    "az": ("AZURE_STORAGE_ENDPOINT", "AZURE_ENDPOINT"),
}
_ADVICE = {
    "s3": "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (and AWS_SESSION_TOKEN), or AWS_PROFILE to a profile with "
    "keys in ~/.aws/credentials; `aws configure export-credentials --format env` prints those of an SSO profile.",
    "gs": "Set GOOGLE_APPLICATION_CREDENTIALS to a key file, or run `gcloud auth application-default login`.",
    "az": "Set AZURE_STORAGE_ACCOUNT_NAME, and AZURE_STORAGE_ACCOUNT_KEY or AZURE_STORAGE_SAS_TOKEN.",
}


def endpoint(scheme: str, environ: Mapping[str, str]) -> str | None:
    """Another server than the cloud's own. Raises Invalid for plain http to another machine."""
    found = next((environ[name] for name in _ENDPOINTS[scheme] if environ.get(name)), None)
    if found is not None and urlsplit(found).scheme == "http" and not _is_loopback(urlsplit(found).hostname or ""):
        raise Invalid(
            "bad-value",
            "The endpoint of the object store is plain http to another machine.",
            f"Set {_ENDPOINTS[scheme][0]} to an https:// address; plain http is for loopback only.",
            key_path="state.location",
        )
    return found


def settings(
    scheme: str, environ: Mapping[str, str], *, region: str | None, instance: bool, location: str
) -> dict[str, Any]:
    """What obstore is told beside what it reads from the environment by itself. Raises Invalid where no credentials
    were set and the machine's own were not asked for."""
    found: dict[str, Any] = {}
    server = endpoint(scheme, environ)
    if server is not None:
        found["endpoint" if scheme != "gs" else "base_url"] = server
        found["allow_http"] = server.startswith("http:")
    if scheme == "s3":
        if server is not None:
            found["virtual_hosted_style_request"] = False  # a server of one's own seldom has a name for each bucket
        region = region or environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION")
    if instance or _is_explicit(scheme, environ):
        return {**found, **({"region": region} if region else {})}
    profile = _aws_profile(environ) if scheme == "s3" else {}
    if not profile:
        raise Invalid(
            "secret-unavailable",
            f"No credentials are set for the recorded state at {location}.",
            f"{_ADVICE[scheme]} To use the machine's own role, write {location}?credentials=instance.",
            key_path="state.location",
        )
    return {**found, **profile, **({"region": region} if region else {})}


def _is_explicit(scheme: str, environ: Mapping[str, str]) -> bool:
    if any(all(environ.get(name) for name in names) for names in _EXPLICIT[scheme]):
        return True
    return scheme == "gs" and (_home(environ) / ".config/gcloud/application_default_credentials.json").is_file()


def _aws_profile(environ: Mapping[str, str]) -> dict[str, Any]:
    """The keys of a profile in the AWS tools' own files; {} where it has none (an SSO profile, a role to assume)."""
    import configparser

    name = environ.get("AWS_PROFILE") or "default"
    keys = configparser.ConfigParser(interpolation=None)
    config = configparser.ConfigParser(interpolation=None)
    try:
        keys.read(environ.get("AWS_SHARED_CREDENTIALS_FILE") or _home(environ) / ".aws/credentials", "utf-8")
        config.read(environ.get("AWS_CONFIG_FILE") or _home(environ) / ".aws/config", "utf-8")
    except (configparser.Error, UnicodeDecodeError):
        return {}
    of_config = f"profile {name}" if name != "default" else name
    section = {**_section(config, of_config), **_section(keys, name)}
    names = {
        "access_key_id": "aws_access_key_id",
        "secret_access_key": "aws_secret_access_key",
        "session_token": "aws_session_token",
        "region": "region",
    }
    found = {ours: section[theirs] for ours, theirs in names.items() if section.get(theirs)}
    return found if "access_key_id" in found and "secret_access_key" in found else {}


def _section(parser: Any, name: str) -> dict[str, str]:
    return dict(parser[name]) if parser.has_section(name) else {}


def _home(environ: Mapping[str, str]) -> Path:
    return Path(environ["HOME"]) if environ.get("HOME") else Path.home()


def _is_loopback(host: str) -> bool:
    from ipaddress import ip_address

    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
