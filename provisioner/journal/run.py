"""Who is running what: what each entry and the lock say of their run."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime

from provisioner.records import dataclass

# Who started a pipeline, by the variable that its system sets; the first that is set wins.
_CI_ACTORS = (
    "GITHUB_ACTOR",
    "GITLAB_USER_LOGIN",
    "BITBUCKET_STEP_TRIGGERER_UUID",
    "BUILDKITE_BUILD_CREATOR",
    "CIRCLE_USERNAME",
    "BUILD_REQUESTEDFOREMAIL",  # Azure Pipelines
    "BUILD_USER_ID",  # Jenkins, with the build user vars plugin
    "DRONE_COMMIT_AUTHOR",
)
_CI_URLS = ("CI_JOB_URL", "CI_PIPELINE_URL", "BUILDKITE_BUILD_URL", "CIRCLE_BUILD_URL", "DRONE_BUILD_LINK", "BUILD_URL")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunInfo:
    """`id` sorts by time. `actor` is a person or a pipeline's. `note` is what the user gave as the reason."""

    id: str
    actor: str
    command: str
    started: datetime
    host: str = ""
    pid: int = 0
    note: str | None = None
    ci_run_url: str | None = None

    def to_json(self) -> dict[str, str]:
        """What the `lock` entry says of the run, beside the lock."""
        found = {"command": self.command}
        if self.note:
            found["note"] = self.note
        if self.ci_run_url:
            found["ci_run_url"] = self.ci_run_url
        return found


def run_info(command: str, environ: Mapping[str, str], now: datetime, *, note: str | None = None) -> RunInfo:
    """`command` is what was run, without values: "apply", "state mv"."""
    return RunInfo(
        id=f"{now.astimezone(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}",
        actor=_clean(_actor(environ)),
        command=_clean(command),
        started=now,
        host=_clean(os.uname().nodename),
        pid=os.getpid(),
        note=_clean(note) if note else None,
        ci_run_url=_ci_run_url(environ),
    )


def _actor(environ: Mapping[str, str]) -> str:
    for name in _CI_ACTORS:
        if environ.get(name):
            return environ[name]
    sudoer, user = environ.get("SUDO_USER"), environ.get("USER") or environ.get("LOGNAME")
    if sudoer and user == "root":
        return sudoer
    return user or _account_name()


def _account_name() -> str:
    import pwd

    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # a container with a number and no name
        return f"uid {os.getuid()}"


def _ci_run_url(environ: Mapping[str, str]) -> str | None:
    server, repository, run = (environ.get(f"GITHUB_{name}") for name in ("SERVER_URL", "REPOSITORY", "RUN_ID"))
    if server and repository and run:
        return f"{server}/{repository}/actions/runs/{run}"
    return next((environ[name] for name in _CI_URLS if environ.get(name)), None)


def _clean(text: str) -> str:
    """An undecodable byte of the environment is a lone surrogate, which JSON tools refuse."""
    return text.encode("utf-8", "replace").decode()
