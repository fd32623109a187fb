"""The browser's half: what is asked, and what of the answer is believed."""

from __future__ import annotations

import base64
import hashlib
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from oauth_fakes import everything_said

from provisioner.errors import ProviderFailed, StepRefused
from provisioner.providers._authorization import OUT_OF_BAND, authorization_request, challenge, read_callback
from provisioner.providers.base import AuthorizationRequest
from provisioner.secret import Secret

REDIRECT = "http://127.0.0.1:8123/callback"


def request(
    *, pkce: bool = True, redirect_uri: str = REDIRECT, url: str = "https://id.invalid/a"
) -> AuthorizationRequest:
    return authorization_request(url, "cid", redirect_uri, ["user:read", "user:email"], pkce=pkce)


def test_the_challenge_is_that_of_the_rfc() -> None:
    """RFC 7636 appendix B."""
    assert (
        challenge(Secret("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"))
        == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
    )


def test_the_url_carries_everything_once_and_scope_never_last() -> None:
    """TextMaster's sign-in damages the last parameter. The verifier itself is not in it."""
    made = request(url="https://id.invalid/a?tenant=t")
    pairs = parse_qsl(urlsplit(made.url).query)
    names = [name for name, _ in pairs]
    assert len(set(names)) == len(names)
    assert names[0] == "tenant"
    assert names[-1] != "scope"
    query = dict(pairs)
    assert made.verifier is not None
    verifier = made.verifier.reveal()
    assert 43 <= len(verifier) <= 128
    assert verifier not in made.url
    digest = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
    assert (query["code_challenge"], query["code_challenge_method"]) == (digest, "S256")
    assert (query["scope"], query["redirect_uri"], query["state"]) == ("user:read user:email", REDIRECT, made.state)
    assert "+" not in made.url


def test_every_attempt_is_fresh() -> None:
    """State and verifier are good for one attempt (RFC 7636 section 7.1)."""
    one, other = request(), request()
    assert one.state != other.state
    assert one.verifier != other.verifier


def test_the_code_is_taken_from_url_query_or_paste() -> None:
    """A loopback listener has a query, a person pastes a URL or the bare code of an out-of-band page."""
    made = request()
    query = urlencode({"code": "CC0M!IA", "state": made.state})
    for text in (query, "?" + query, f"{REDIRECT}?{query}", f"/callback?{query}\n"):
        assert read_callback(made, text, "tk") == Secret("CC0M!IA")
    assert read_callback(request(redirect_uri=OUT_OF_BAND), " 80972c05d9012231\n", "tm") == Secret("80972c05d9012231")


@pytest.mark.parametrize("state", [None, "", "another"])
@pytest.mark.parametrize("rest", [{"code": "c0de-canary"}, {"error": "access_denied"}])
def test_a_foreign_state_is_not_believed(state: str | None, rest: dict[str, str]) -> None:
    """Neither its code nor its denial (RFC 6749 section 10.12)."""
    query = urlencode({**rest, **({} if state is None else {"state": state})})
    with pytest.raises(ProviderFailed) as caught:
        read_callback(request(), query, "idp")
    assert caught.value.diagnostics[0].name == "bad-answer"
    assert "c0de-canary" not in everything_said(caught.value)


@pytest.mark.parametrize(
    "pasted", ["http://[::1", "http://[::1?state=STATE&code=c", "?state=\udcff&code=c", "//[?code=c"]
)
def test_half_a_line_is_an_answer_that_is_not_used(pasted: str) -> None:
    """What a person pastes may be cut off, or no text at all; nothing of it ends with a traceback."""
    asked = request()
    with pytest.raises(ProviderFailed) as caught:
        read_callback(asked, pasted.replace("STATE", asked.state), "idp")
    assert caught.value.diagnostics[0].name == "bad-answer"


def test_a_parameter_given_twice_is_not_chosen_from() -> None:
    """RFC 6749 section 3.1."""
    made = request()
    with pytest.raises(ProviderFailed):
        read_callback(made, f"code=a&code=b&state={made.state}", "idp")


@pytest.mark.parametrize(
    ("iss", "announced", "good"),
    [
        ("https://id.invalid", True, True),
        ("https://id.invalid", False, True),
        (None, False, True),
        (None, True, False),
        ("https://evil.invalid", False, False),
        ("https://id.invalid/", True, False),
    ],
)
def test_the_issuer_in_the_answer_is_compared(iss: str | None, announced: bool, good: bool) -> None:
    """RFC 9207 section 2.4: missing where announced, or another, and the code is thrown away."""
    made = request()
    query = urlencode({"code": "c", "state": made.state} | ({"iss": iss} if iss else {}))
    if good:
        assert read_callback(made, query, "idp", issuer="https://id.invalid", iss_announced=announced) == Secret("c")
        return
    with pytest.raises(ProviderFailed) as caught:
        read_callback(made, query, "idp", issuer="https://id.invalid", iss_announced=announced)
    assert caught.value.diagnostics[0].name == "issuer-mismatch"


def test_a_denial_is_a_persons_no() -> None:
    """Exit 8, and nothing else is."""
    made = request()
    with pytest.raises(ProviderFailed) as denied:
        read_callback(made, urlencode({"error": "access_denied", "state": made.state}), "idp")
    assert denied.value.diagnostics[0].name == "denied"
    with pytest.raises(StepRefused) as refused:
        read_callback(made, urlencode({"error": "invalid_scope", "state": made.state}), "idp")
    assert refused.value.oauth_error == "invalid_scope"


@pytest.mark.parametrize("text", ["", "code=", "code=a&state=x", "a b", "\x00", "clé", "error=x", "code=a%0d%0ab"])
def test_rubbish_is_refused(text: str) -> None:
    """Also what would end a header or a line."""
    with pytest.raises(ProviderFailed):
        read_callback(request(redirect_uri=OUT_OF_BAND), text, "tm")
