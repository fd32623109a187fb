"""Cassettes: how they are recorded over sockets against the embedded vendors, scrubbed, and played back.

    python tests/providers/recording.py        writes cassettes/*-sandbox.yaml anew

What is recorded is rewritten to the vendor's own address, so a cassette plays with the default `base_url`. Nothing that
was a secret on the wire is written: not in a header, a URI or a body, in either direction.
"""

from __future__ import annotations

import json
import re
import sys
import tempfile
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import vcr  # type: ignore[import-untyped]  # it ships no types

from provisioner import providers
from provisioner.address import Address
from provisioner.errors import StepRefused
from provisioner.model.desired import Application, CreditFloor, ProviderConfig, SecretRef
from provisioner.net.session import Session
from provisioner.providers.base import ClientCredentials, Provider, TokenWish
from provisioner.secret import Secret

CASSETTES = Path(__file__).parent / "cassettes"
HOSTS = {"eztexting": "https://a.eztexting.com", "smscx": "https://api.sms.cx"}
SCRUBBED = "scrubbed"

# members of bodies whose values are secret, at any of these vendors
_SECRET_FIELDS = re.compile(
    r"(access_?token|refresh_?token|application_?secret|client_?secret|app_?secret|app_?key|user_?name|password|^token$|"
    r"creditCardLastFour|couponCode|^code$|verifier|assertion)",
    re.IGNORECASE,
)
_KEPT_HEADERS = {"content-type", "content-length", "accept", "date", "retry-after"}
_RATE = re.compile(r"x-rate-limit-.*")


def recorder(mode: str = "none", *, bodies: bool = False) -> Any:
    """`none` plays and refuses to send; `all` records. Matched by method and address; with `bodies` also by what was
    sent, less its secrets."""
    found = vcr.VCR(
        cassette_library_dir=str(CASSETTES),
        record_mode=mode,
        match_on=["method", "scheme", "host", "path", *(["scrubbed"] if bodies else [])],
        before_record_request=scrub_request,
        before_record_response=scrub_response,
        decode_compressed_response=True,
    )
    found.register_matcher("scrubbed", _same_body)
    return found


def _same_body(sent: Any, told: Any) -> None:
    """Member by member: neither order nor spacing is part of an API."""
    left, right = (json.loads(scrub_body(request.body) or b"null") for request in (sent, told))
    assert left == right


def scrub_request(request: Any) -> Any:
    """The vendor's own address without its query, headers that say nothing, a body without its secrets."""
    parts = urlsplit(request.uri)
    kind = next((kind for kind in HOSTS if parts.path.startswith(f"/{kind}/")), None)
    root, path = (
        (HOSTS[kind], parts.path[len(kind) + 1 :]) if kind else (f"{parts.scheme}://{parts.netloc}", parts.path)
    )
    request.uri = root + path
    kept = _KEPT_HEADERS - {"content-length"}  # of the body before it was scrubbed: the length of a secret
    request.headers = {name: value for name, value in request.headers.items() if name.lower() in kept}
    request.body = scrub_body(request.body)
    return request


def scrub_response(response: Any) -> Any:
    """The same for what came back."""
    headers = response["headers"]
    response["headers"] = {
        name: value for name, value in headers.items() if name.lower() in _KEPT_HEADERS or _RATE.match(name.lower())
    }
    body = response["body"]["string"] if "body" in response else response["content"]
    scrubbed = scrub_body(body)
    length = {name: [str(len(scrubbed or b""))] for name in response["headers"] if name.lower() == "content-length"}
    response["headers"].update(length)
    if "body" in response:
        response["body"]["string"] = scrubbed
    else:
        response["content"] = scrubbed
    return response


def scrub_body(body: Any) -> Any:
    """JSON and forms member by member; what is neither is dropped, because nobody can say what is in it."""
    raw = body.encode() if isinstance(body, str) else body
    if not raw:
        return raw
    try:
        return json.dumps(_scrub(json.loads(raw))).encode()
    except ValueError:
        pass
    try:
        pairs = parse_qsl(raw.decode(), keep_blank_values=True, strict_parsing=True)
    except ValueError:
        return b""
    return urlencode([(name, SCRUBBED if _SECRET_FIELDS.search(name) else value) for name, value in pairs]).encode()


def _scrub(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            name: SCRUBBED if _SECRET_FIELDS.search(name) and isinstance(item, str) else _scrub(item)
            for name, item in value.items()
        }
    return [_scrub(item) for item in value] if isinstance(value, list) else value


# -- what is played ----------------------------------------------------------------------------------------------------

FLOOR = CreditFloor(
    address=Address("credits", "ez"),
    provider="ez",
    minimum=Decimal(5000),
    target=Decimal(6000),
    card_last_four=SecretRef("env", "CARD"),
)
SENDER = Application(
    address=Address("application", "sender"), provider="cx", name="Campaign sender", scopes=("groups", "sms")
)


def play_eztexting(provider: Provider) -> list[str]:
    """Every call of the vendor once, and what came of it, without anything that changes from run to run."""
    client = ClientCredentials()
    before = provider.read_credits(None)
    grant = provider.create_token(client, TokenWish())
    assert grant.refresh_token is not None
    second = provider.refresh_token(client, grant.refresh_token, TokenWish())
    alive = provider.probe_token(second.access_token, client)
    revoked = provider.revoke_token(client, second.access_token, second.refresh_token)
    try:
        provider.refresh_token(client, Secret("unknown"), TokenWish())
        refused = None
    except StepRefused as error:
        refused = error.oauth_error
    answer = provider.purchase(Decimal(500), FLOOR)
    after = provider.read_credits(None)
    bought = after.parts["anytimeCredits"] - before.parts["anytimeCredits"]
    told = [f"{before.balance} {before.unit}", str(grant.expires_in), alive.liveness, revoked.value]
    return [*told, str(refused), str(answer.status), f"bought {bought}"]


def play_smscx(provider: Provider) -> list[str]:
    """The same."""
    found, others = provider.read_applications([SENDER], {})
    seen = found["application.sender"]
    credentials = provider.credentials(SENDER, None, _no_seal)
    grant = provider.create_token(credentials, TokenWish(scopes=("sms",)))
    alive = provider.probe_token(grant.access_token, credentials)
    try:
        provider.create_token(credentials, TokenWish(scopes=("numbers",)))
        refused = None
    except StepRefused as error:
        refused = error.oauth_error
    balance = provider.read_credits(None)
    told = [str(seen.scopes), str(seen.token_lifetime), str(others), str(grant.scopes), str(grant.expires_in)]
    return [*told, alive.liveness, str(refused), f"{balance.balance} {balance.unit}"]


PLAYS: dict[str, Callable[[Provider], list[str]]] = {"eztexting": play_eztexting, "smscx": play_smscx}


def opened(kind: str, base_url: str, account: dict[str, str]) -> Provider:
    """A provider whose secret settings are those of `account`."""
    secrets = {"card": account.get("card_last_four", "0042")} | account
    settings = {s.name: SecretRef("env", s.name) for s in providers.vendor(kind).settings if s.kind == "secret"}
    config = ProviderConfig(name=kind, type=kind, base_url=base_url, settings=settings)

    def resolve(reference: Any) -> Secret:
        return Secret(secrets[str(reference.value).lower()])

    return providers.provider_class(kind)(config, Session(provider=kind), resolve)


def _no_seal(*_: object) -> Secret:
    raise AssertionError("nothing is sealed here")


def record() -> None:
    """Plays against the embedded vendors over a socket, and writes what was said."""
    from provisioner.sandbox.accounts import ACCOUNTS
    from provisioner.sandbox.serve import listen

    with tempfile.TemporaryDirectory() as folder:
        base, stop = listen(Path(folder))
        try:
            for kind, play in PLAYS.items():
                (CASSETTES / f"{kind}-sandbox.yaml").unlink(missing_ok=True)
                provider = opened(kind, f"{base}/{kind}", ACCOUNTS[kind])
                with recorder("all").use_cassette(f"{kind}-sandbox.yaml"):
                    told = play(provider)
                provider.close()
                sys.stdout.write(f"{kind}: {told}\n")
        finally:
            stop()


if __name__ == "__main__":
    record()
