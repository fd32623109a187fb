"""What may become of a registered application between two runs, at the sandbox: nothing is orphaned, nothing loops."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from oauth_rig import Server, Stack, sandbox

from provisioner.sandbox.accounts import ACCOUNTS

ACCOUNT = ACCOUNTS["oauth2"]
WORKER = '[applications.worker]\nprovider = "idp"\nscopes = ["credits:read"]\n'
ADOPTED = WORKER + 'client_id = { env = "OAUTH_ID" }\nclient_secret = { env = "OAUTH_SECRET" }\n'


def declare(server: Server, stack: Stack, *parts: str) -> None:
    stack.environ |= {
        "OAUTH_INITIAL": ACCOUNT["initial_access_token"],
        "OAUTH_ID": ACCOUNT["client_id"],
        "OAUTH_SECRET": ACCOUNT["client_secret"],
    }
    stack.write(server.toml("\n".join(parts)))


def client(stack: Stack) -> str:
    return str(stack.values("application.worker")["client_id"])


def clean(stack: Stack) -> None:
    assert "No changes." in stack.ok("plan", "--detailed-exitcode")


def test_a_put_that_answers_another_secret_is_followed(embedded: Server, stack: Stack) -> None:
    """RFC 7592 section 2.2: the new secret and the new registration token take the place of the old at once."""
    embedded.control("switches", **{"oauth2.update_secret": "rotates"})
    declare(embedded, stack, WORKER)
    stack.apply()
    before = stack.values("application.worker")["secret_fingerprint"]
    declare(embedded, stack, WORKER.replace("credits:read", "jobs:read"))
    change = stack.plan()["application.worker"]["change"]
    assert change["after_unknown"]["secret_fingerprint"] is True
    stack.ok("apply", "it.plan")
    assert stack.values("application.worker")["secret_fingerprint"] != before
    clean(stack)
    stack.ok("destroy", "--auto-approve")
    assert embedded.look()["alive"] == []


def test_a_reset_secret_is_taken_where_the_server_shows_it(embedded: Server, stack: Stack) -> None:
    """Told by drift, sealed by the next apply, and tokens are asked for with it."""
    embedded.control("switches", **{"oauth2.secret_in_read": "present"})
    declare(embedded, stack, WORKER)
    stack.apply()
    clean(stack)
    embedded.control("panel", vendor="oauth2", action="reset_secret", client_id=client(stack))
    assert "its secret was reset at the provider" in stack.ok("drift", "--detailed-exitcode", code=2)
    stack.apply()
    stack.ok("drift", "--detailed-exitcode")
    stack.apply("--replace", "token.worker")
    assert embedded.alive(client(stack)) == 1


def test_a_reset_secret_that_nobody_shows_is_a_refused_credential(embedded: Server, stack: Stack) -> None:
    """Told by drift with what to do, and exit 8 where it is needed. A replaced application is well again; the old
    token, which nobody can revoke, is kept in sight, and the old client until then."""
    declare(embedded, stack, WORKER)
    stack.apply()
    first = client(stack)
    embedded.control("panel", vendor="oauth2", action="reset_secret", client_id=first)
    assert "apply --replace 'application.worker'" in stack.ok("drift", "--detailed-exitcode", code=2)
    assert stack.run("apply", "--auto-approve", "--replace", "token.worker").code == 8
    stack.apply("--replace", "application.worker")
    assert client(stack) != first
    assert [r["values"]["status"] for r in stack.resources() if r.get("deposed")] == ["retiring"]
    clean(stack)
    later = stack.plan("--at", "+2h")
    assert not [c for address, c in later.items() if "#" in address and c["change"]["actions"] != ["no-op"]]


def test_what_the_server_changed_when_it_registered_does_not_come_back_as_a_change(
    embedded: Server, stack: Stack
) -> None:
    """RFC 7591 section 3.2.1: the answer is the truth; it is recorded, and no plan asks again and again."""
    embedded.control("switches", **{"oauth2.registration": "replaced"})
    declare(embedded, stack, WORKER + 'token_endpoint_auth_method = "client_secret_post"\n')
    stack.apply()
    assert stack.values("application.worker")["token_endpoint_auth_method"] == "client_secret_basic"
    clean(stack)
    stack.apply("--replace", "token.worker")


def test_another_client_in_the_file_takes_the_place_of_a_registered_one(embedded: Server, stack: Stack) -> None:
    """The registered one is ours, so it is deleted, its token first; the other way round people's client stays."""
    declare(embedded, stack, WORKER)
    stack.apply()
    first = client(stack)
    declare(embedded, stack, ADOPTED)
    stack.apply()
    assert client(stack) == ACCOUNT["client_id"]
    assert first not in embedded.look()["clients"]
    assert embedded.look()["alive"] == [ACCOUNT["client_id"]]
    clean(stack)

    declare(embedded, stack, WORKER)
    change = stack.plan()["application.worker"]
    assert change["change"]["actions"] == ["create", "delete"]
    stack.ok("apply", "it.plan")
    assert client(stack) != ACCOUNT["client_id"]
    assert ACCOUNT["client_id"] in embedded.look()["clients"]
    clean(stack)


def test_an_application_moves_to_another_server(embedded: Server, stack: Stack, tmp_path: Path) -> None:
    """Registered there; here its token is revoked and its client deleted, as long as the old server is configured."""
    with sandbox(tmp_path / "other") as other:
        both = embedded.toml() + other.toml().replace("providers.idp", "providers.other")
        declare(embedded, stack)
        stack.write(both + WORKER)
        stack.apply()
        first = client(stack)
        stack.write(both + WORKER.replace('"idp"', '"other"'))
        stack.apply()
        assert first not in embedded.look()["clients"]
        assert embedded.look()["alive"] == []
        assert other.look()["alive"] == [client(stack)]
        clean(stack)


KEYS = {
    "old": '{"kty":"OKP","crv":"Ed25519","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"}',  # RFC 8037 appendix A
    "new": '{"kty":"OKP","crv":"Ed25519","d":"TM0Imyj_ltqdtsNG7BFOD1uKMZ81q6Yk2oz27U-4pvs"}',  # RFC 8032 section 7.1
}


def test_a_private_key_is_registered_used_and_replaced(embedded: Server, stack: Stack) -> None:
    """private_key_jwt with a reference: only the public half leaves; another key behind the same reference is told, and
    registered by a PUT."""
    key = stack.folder / "key.jwk"
    key.write_text(KEYS["old"])
    declare(embedded, stack, WORKER + 'private_key = { file = "key.jwk" }\n')
    stack.apply()
    assert stack.values("application.worker")["token_endpoint_auth_method"] == "private_key_jwt"
    clean(stack)
    key.write_text(KEYS["new"])
    change = stack.plan()["application.worker"]
    assert change["change"]["actions"] == ["update"]
    assert "another key" in change["reason"]
    stack.ok("apply", "it.plan")
    clean(stack)
    stack.apply("--replace", "token.worker")
    for secret in (json.loads(text)["d"] for text in KEYS.values()):
        assert [
            name for name, data in stack.written().items() if secret.encode() in data and "key.jwk" not in name
        ] == []
    stack.ok("destroy", "--auto-approve")
    assert embedded.look()["alive"] == []


def test_a_plan_says_which_client_is_refused(embedded: Server, stack: Stack) -> None:
    """One of many has another secret now: exit 8, and its address beside the reference to look at."""
    declare(embedded, stack, ADOPTED, ADOPTED.replace("worker", "other").replace("OAUTH_SECRET", "OTHER_SECRET"))
    stack.environ["OTHER_SECRET"] = stack.environ["OAUTH_SECRET"]
    stack.apply()
    stack.environ["OTHER_SECRET"] = "a secret of yesterday".replace(" ", "-")
    said = stack.run("plan")
    assert said.code == 8
    assert "with application.other" in said.all
    assert "application.worker" not in said.all
    assert "client_secret (env OTHER_SECRET)" in " ".join(said.all.split())


def test_a_private_key_may_be_a_pem_file(embedded: Server, stack: Stack) -> None:
    """It has lines and spaces, and is a whole file as an identity is; from the environment it comes with them too."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    key = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (stack.folder / "key.pem").write_bytes(key)
    declare(embedded, stack, WORKER + 'private_key = { file = "key.pem" }\n')
    stack.apply()
    clean(stack)
    stack.environ["WORKER_KEY"] = key.decode()
    declare(embedded, stack, WORKER + 'private_key = { env = "WORKER_KEY" }\n')
    clean(stack)
    stack.ok("destroy", "--auto-approve")
    assert embedded.look()["alive"] == []


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
def test_each_secret_method_registers_and_asks(embedded: Server, stack: Stack, method: str) -> None:
    """The method of the file is registered, used for tokens, introspection and revocation."""
    declare(embedded, stack, WORKER + f'token_endpoint_auth_method = "{method}"\n')
    stack.apply()
    clean(stack)
    stack.ok("destroy", "--auto-approve")
    assert embedded.look()["alive"] == []
    assert [entry["outcome"] for entry in embedded.ledger("token.revoke")] == ["done"]


def test_a_dead_registration_token_is_not_taken_for_a_dead_client(embedded: Server, stack: Stack) -> None:
    """RFC 7592 answers 401 to both: a client that still authenticates is there, so none is registered beside it."""
    declare(embedded, stack, WORKER)
    stack.apply()
    first = client(stack)
    embedded.control("faults", vendor="oauth2", operation="client.read", kind="status", status=401, times=50)
    drift = stack.ok("drift", "--detailed-exitcode", code=2)
    assert "no longer takes the token that manages it" in drift
    assert stack.plan()["application.worker"]["change"]["actions"] == ["no-op"]
    assert client(stack) == first


def test_without_a_key_nobody_looks_and_nothing_is_concluded(embedded: Server, stack: Stack) -> None:
    """A pipeline that plans needs no key that can read: the registration is then as recorded."""
    declare(embedded, stack, WORKER)
    stack.apply()
    embedded.control("panel", vendor="oauth2", action="delete_client", client_id=client(stack))
    identity = next(Path(stack.environ.get("HOME", "/nowhere")).glob("*"), None)
    assert identity is None  # the home is the test's own
    stack.environ["XDG_CONFIG_HOME"] = str(stack.folder / "nobody")
    assert "application.worker has been deleted" not in stack.ok("drift")
