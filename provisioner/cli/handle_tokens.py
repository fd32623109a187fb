"""Handlers of what hands out tokens, and of the one command that asks a person: authorize, token, output, run."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from datetime import timedelta

from provisioner.cli import signals
from provisioner.cli.console import Console
from provisioner.cli.options import duration, file_options, state_options
from provisioner.cli.views.base import View, each
from provisioner.deliver.base import Delivered
from provisioner.errors import Invalid
from provisioner.times import format_duration, to_rfc3339


class _Terminal:
    """The person at this terminal: sees the URL on standard output, and pastes one line where that is asked for. All
    else goes to standard error, so that the URL stands alone."""

    def __init__(self, console: Console, *, browser: bool) -> None:
        self._console = console
        self._browser = browser

    def open(self, url: str, user_code: str | None, until: float) -> None:
        self._console.err("Open this page, and agree to what it asks:")
        self._console.line(url)
        if user_code is not None:
            self._console.err(f"The code to type there: {user_code}")
        left = format_duration(timedelta(seconds=max(1, int(until))))
        self._console.err(f"Waiting for {left}; --timeout sets how long, and Ctrl-C gives up.")
        self._console.flush()
        if self._browser and self._has_display():
            import webbrowser

            webbrowser.open(url)

    def _has_display(self) -> bool:
        """A text browser would take the terminal over, and a pipeline has nobody to look; a browser that BROWSER names
        is wanted."""
        environ = self._console.environment
        graphical = sys.platform == "darwin" or any(environ.get(n) for n in ("DISPLAY", "WAYLAND_DISPLAY"))
        return bool(environ.get("BROWSER")) or (graphical and not environ.get("CI"))

    def answer(self, seconds: float, *, whole_url: bool) -> str | None:
        import select

        what = "whole address that the browser ended at" if whole_url else "code that the page shows"
        self._console.err(f"Paste the {what}, and press Enter:")
        self._console.flush()
        try:
            ready, _, _ = select.select([sys.stdin], [], [], seconds)
        except (OSError, ValueError):  # no descriptor behind it: read what there is
            return sys.stdin.readline().strip()
        return sys.stdin.readline().strip() if ready else None


def authorize(typed: argparse.Namespace, console: Console, view: View) -> int:
    from provisioner.commands import authorize as command

    request = command.AuthorizeRequest(
        file=file_options(typed),
        state=state_options(typed),
        application=typed.application,
        consumer=typed.consumer,
        device=typed.device,
        timeout=duration("--timeout", typed.timeout),
    )
    person = _Terminal(console, browser=not typed.no_browser)
    done = command.authorize(request, person, view, console.masker.add, signals.one_asks)
    each(view, done.diagnostics)
    if done.once_more:
        return 3
    console.err(f"{done.address} is authorized and recorded.")
    granted = f"Granted: {', '.join(done.scopes)}. " if done.scopes else ""
    renewal = (
        "It is renewed without a person from now on: apply needs the recorded state and its key."
        if done.renews
        else "It cannot be renewed by a program: a person authorizes again when it ends."
    )
    ends = f"The access token ends at {to_rfc3339(done.expires_at)}. " if done.expires_at else ""
    console.err(granted + ends + (renewal if done.expires_at or done.renews else "It is not known to end."))
    return 3 if done.narrower else 0


def token(typed: argparse.Namespace, console: Console, view: View) -> int:
    from provisioner.commands import tokens as command
    from provisioner.deliver import header, json_out, raw

    request = command.TokenRequest(
        file=file_options(typed),
        state=state_options(typed),
        address=typed.address,
        min_ttl=duration("--min-ttl", typed.min_ttl),
    )
    found = command.token(request, view, console.masker.add, signals.one_asks)
    each(view, found.diagnostics)
    _mask(console, [found.token])
    if typed.format == "json":
        console.out(json_out.deliver_one(found.token))
    else:
        console.out({"raw": raw, "header": header}[typed.format].deliver([found.token]))
    return 0


def output(typed: argparse.Namespace, console: Console, view: View) -> int:
    from provisioner.commands import tokens as command
    from provisioner.deliver import dotenv, github, json_out, k8s, raw

    if typed.raw and (typed.address is None or typed.json):
        raise Invalid(
            "usage", "--raw takes one address and no --json", "As in `provisioner output --raw token.campaigns`."
        )
    request = command.OutputRequest(file=file_options(typed), state=state_options(typed), address=typed.address)
    found = command.output(request, view, console.masker.add)
    each(view, found.missing)
    kind = "json" if typed.json else typed.format
    _mask(console, found.tokens, kind)
    if typed.raw:
        console.out(raw.deliver(found.tokens).rstrip("\n"))
        return 0
    modules = {"json": json_out, "dotenv": dotenv, "github": github, "k8s": k8s}
    console.out(modules[kind].deliver(list(found.tokens)))
    return 0


def _mask(console: Console, tokens: Sequence[Delivered], kind: str = "") -> None:
    """A runner must know a secret before it can appear, in the spelling that it appears in. On standard error, because
    `$(...)` takes standard output."""
    if not console.environment.get("GITHUB_ACTIONS"):
        return
    from provisioner.deliver.github import masks

    secrets = [token.access_token for token in tokens]
    if kind == "k8s":
        from base64 import b64encode

        from provisioner.secret import Secret

        secrets += [Secret(b64encode(secret.reveal().encode()).decode()) for secret in secrets]
    console.progress(masks(secrets))


def run(typed: argparse.Namespace, console: Console, view: View) -> int:
    from provisioner.commands import run as command

    request = command.RunRequest(
        file=file_options(typed),
        state=state_options(typed),
        words=tuple(typed.tail),
        applications=tuple(typed.application),
    )
    console.flush()
    return command.run(request, view, console.masker.add, signals.one_asks)
