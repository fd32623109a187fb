"""Asking a person on another device: RFC 8628."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from provisioner.errors import BadAnswer, NeedsPerson, ProviderFailed
from provisioner.providers._client_auth import BASIC, default_method, held_by, secrets_of
from provisioner.providers._grants import parse_grant
from provisioner.providers._oauth import ask, send
from provisioner.providers._oauth2_vendor import DEVICE_GRANT
from provisioner.providers._refusals import error_member, refusal, refuses
from provisioner.providers._urls import Endpoint, Field, json_object, url_problem
from provisioner.providers._vendor_api import whole
from provisioner.providers.base import ClientCredentials, DeviceAuthorization, DevicePending, Grant
from provisioner.secret import Secret

SLOWER = timedelta(seconds=5)  # section 3.5: for this and all following polls
_LONGEST_SECONDS = 86_400


def start_device(
    at: Endpoint, credentials: ClientCredentials, fields: Sequence[Field], *, audience: str | None = None
) -> DeviceAuthorization:
    """Section 3.1 and 3.2. Raises BadAnswer, CredentialsRefused, StepRefused, Unreachable."""
    answer = ask(at, credentials, (*_named(credentials), *fields), audience=audience)
    if refuses(answer):
        sent = secrets_of(credentials, fields)
        raise refusal(answer, at.provider, "a device authorization", sent, held=held_by(credentials))
    body = json_object(answer) or {}
    code, shown, page = (body.get(name) for name in ("device_code", "user_code", "verification_uri"))
    page = page or body.get("verification_url")  # Google's word, from before the RFC
    interval_said = body.get("interval")
    expires_in, interval = _seconds(body.get("expires_in")), _seconds(5 if interval_said is None else interval_said)
    if not (isinstance(code, str) and code and isinstance(shown, str) and shown.isprintable() and shown):
        raise _unreadable(at, "it has no device_code or user_code")
    if not isinstance(page, str) or url_problem(page) is not None:
        raise _unreadable(at, "its verification_uri is not an https URL")
    if not expires_in or interval is None:
        raise _unreadable(at, "its expires_in or interval is not a number of seconds")
    whole = body.get("verification_uri_complete")
    return DeviceAuthorization(
        device_code=Secret(code),
        user_code=shown,
        verification_uri=page,
        verification_uri_complete=whole if isinstance(whole, str) and url_problem(whole) is None else None,
        expires_in=expires_in,
        interval=max(interval, timedelta(seconds=1)),
    )


def _named(credentials: ClientCredentials) -> tuple[Field, ...]:
    """`client_id` beside Basic credentials, which have it too: django-oauth-toolkit looks for it in the body only, and
    section 3.1 forbids it nowhere. The other methods bring it along by themselves."""
    basic = (credentials.auth_method or default_method(credentials)) == BASIC
    return (("client_id", credentials.client_id),) if basic and credentials.client_id is not None else ()


def poll_device(
    at: Endpoint,
    credentials: ClientCredentials,
    fields: Sequence[Field],
    device: DeviceAuthorization,
    interval: timedelta,
    *,
    audience: str | None = None,
) -> Grant | DevicePending:
    """Sections 3.4 and 3.5, once. Raises ProviderFailed "denied", NeedsPerson "authorize-timeout", and what a token
    request raises."""
    form: tuple[Field, ...] = (("grant_type", DEVICE_GRANT), ("device_code", device.device_code), *fields)
    answer = send(at, credentials, form, audience=audience)
    if not refuses(answer):
        return parse_grant(answer, at.provider)
    sent = secrets_of(credentials, form)
    match error_member(answer, sent):
        case "authorization_pending":
            return DevicePending(interval=interval)
        case "slow_down":
            return DevicePending(interval=interval + SLOWER)
        case "access_denied":
            raise ProviderFailed(
                "denied",
                f"{at.provider}: the authorization was denied",
                "Nothing was issued. Run `provisioner authorize` again when the person agrees.",
            )
        case "expired_token":
            raise NeedsPerson(
                "authorize-timeout",
                f"{at.provider}: the code {device.user_code} expired before anybody used it",
                "Run `provisioner authorize` again.",
            )
        case _:
            raise refusal(answer, at.provider, "a device token request", sent, held=held_by(credentials))


def _seconds(value: object) -> timedelta | None:
    seconds = whole(value)
    return None if seconds is None or seconds < 0 else timedelta(seconds=min(seconds, _LONGEST_SECONDS))


def _unreadable(at: Endpoint, why: str) -> BadAnswer:
    return BadAnswer(
        "bad-answer",
        f"{at.provider} answered a device authorization with what cannot be understood: {why}",
        "Nothing was issued. Check device_authorization_url.",
    )
